"""Booking without a key over HTTP: many at once, somebody who wants everything, links that open one visit, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx
import pytest
import segno

from chalicelib.container import new_id
from chalicelib.domain.public import Limits, Terms
from chalicelib.domain.visits import Status, Visit
from chalicelib.http.instants import instant_text, parse_instant
from chalicelib.services.visitor_links import Links
from tests.builders import NOW, Clock
from tests.integration.api import Api, serve
from tests.integration.metering import contents, metered
from tests.races import at_once

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

HOURS = {"weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}, "stepMinutes": 30}
THURSDAY = datetime(2027, 3, 11, 8, 0, tzinfo=NOW.tzinfo)
"""Nine o'clock in Berlin."""
PAGE = "https://visits.agency.example/book.html"
_numbers = count(1)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(scope="module")
def api(table: FreshTable, clock: Clock) -> Iterator[Api]:
    # All tests book from the same address.
    with serve(table, clock=clock, terms=Terms(page=PAGE, limits=Limits(per_address=10**6))) as api:
        yield api


@pytest.fixture(autouse=True)
def _today(clock: Clock) -> None:
    clock.now = NOW


@pytest.fixture
def anybody(api: Api) -> Iterator[httpx.Client]:
    """Without a key, and checked against the contract like all others."""
    with httpx.Client(
        base_url=api.http.base_url,
        timeout=60,
        limits=httpx.Limits(max_connections=60),
        verify=False,
        event_hooks=api.http.event_hooks,
    ) as http:
        yield http


def listed(api: Api, booking: str = "confirm", **details: object) -> str:
    """A property on the booking page, open on weekdays from nine to five."""
    house = api.property(f"listed-{next(_numbers)}", publicBooking=booking, **details)
    set_ = api.http.put(f"/properties/{house}/availability", json=HOURS, headers={"If-None-Match": "*"})
    assert set_.status_code == 201
    return house


def wish(date: datetime | str, **who: str) -> dict[str, Any]:
    number = next(_numbers)
    start = instant_text(date) if isinstance(date, datetime) else date
    return {"date": start, "visitor": {"name": "Ada", "email": f"ada-{number}@example.com"} | who}


def book(http: httpx.Client, house: str, body: object, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return http.post(f"/public/properties/{house}/visits", json=body, headers=headers)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


def test_a_listing_shows_what_it_shows_and_nothing_of_visitors_agents_or_capacity(
    api: Api, anybody: httpx.Client
) -> None:
    house = listed(api, capacity=3)
    api.visit(house, "2027-03-11T09:00:00Z", agentId="ann", visitor={"name": "Grace", "email": "grace@example.com"})
    shown = anybody.get(f"/public/properties/{house}").json()
    assert shown.keys() == {
        "id", "name", "address", "price", "currency", "timeZone", "booking", "durationMinutes", "agency", "language",
    }  # fmt: skip
    free = anybody.get(f"/public/properties/{house}/slots").json()
    assert free.keys() == {"from", "to", "timeZone", "durationMinutes", "slots"}
    assert free["slots"][0] == {"start": "2027-03-10T12:00:00Z", "localStart": "2027-03-10T13:00:00+01:00"}
    assert {len(slot) for slot in free["slots"]} == {2}


def test_taken_and_closed_look_alike(api: Api, anybody: httpx.Client) -> None:
    house = listed(api)
    api.visit(house, instant_text(THURSDAY), durationMinutes=30)
    taken, closed = (book(anybody, house, wish(start)) for start in (THURSDAY, THURSDAY - timedelta(minutes=30)))
    for answer in (taken, closed):
        assert (answer.status_code, slug(answer)) == (409, "time-not-free")
        assert answer.json().keys() == {"type", "title", "status", "detail", "nearest"}
    assert taken.json()["detail"] == closed.json()["detail"]


@pytest.mark.parametrize("path", ["", "/slots", "/visits"])
def test_a_property_that_is_off_or_not_there_is_the_same_404(api: Api, anybody: httpx.Client, path: str) -> None:
    off, nowhere = listed(api, "off"), f"nowhere-{next(_numbers)}"
    told = []
    for house in (off, nowhere):
        address = f"/public/properties/{house}{path}"
        answer = anybody.post(address, json=wish(THURSDAY)) if path == "/visits" else anybody.get(address)
        assert (answer.status_code, answer.json()["propertyId"]) == (404, house)
        told.append({name: value for name, value in answer.json().items() if name != "propertyId"})
    assert told[0] == told[1]


def test_what_is_offered_can_be_booked_and_is_the_visitors_own(api: Api, anybody: httpx.Client) -> None:
    house = listed(api)
    offered = anybody.get(f"/public/properties/{house}/slots").json()["slots"]
    body, key = wish(offered[3]["start"], language="de"), new_id()
    booked = book(anybody, house, body, key)
    assert booked.status_code == 201, booked.text
    shown = booked.json()
    assert (shown["status"], shown["date"]) == ("confirmed", offered[3]["start"])
    own = anybody.get(booked.headers["Location"], headers={"Authorization": f"Bearer {shown['link']}"})
    assert own.json() | {"link": shown["link"]} == shown
    again = book(anybody, house, body, key)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (shown, "true")
    assert slug(book(anybody, house, wish(offered[4]["start"]), key)) == "idempotency-key-reused"
    left = anybody.get(f"/public/properties/{house}/slots").json()["slots"]
    assert left == [slot for slot in offered if slot != offered[3]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"date": "2027-03-11T08:00:00Z"}, "#/visitor"),
        ({"date": "2027-03-11T08:00:00Z", "visitor": {"name": "Ada"}}, "#/visitor"),
        ({"date": "2027-03-11T08:00:00Z", "visitor": {"email": "ada@example.com"}}, "#/visitor/name"),
        ({"date": "2027-03-11T08:00:00Z", "visitor": {"name": "Ada", "email": "ada"}}, "#/visitor/email"),
        (wish(THURSDAY) | {"status": "confirmed"}, "#/status"),
        (wish(THURSDAY) | {"agentId": "ann"}, "#/agentId"),
        (wish("2040-03-11T08:00:00Z"), "#/date"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_wrong(
    api: Api, anybody: httpx.Client, body: object, pointer: str
) -> None:
    answer = book(anybody, listed(api), body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_of_fifty_at_once_for_the_last_three_times_three_win_and_the_others_are_offered_what_is_left(
    api: Api, anybody: httpx.Client
) -> None:
    house = listed(api)
    evening = THURSDAY + timedelta(hours=6, minutes=30)
    api.visit(house, instant_text(THURSDAY), durationMinutes=240)
    api.visit(house, instant_text(THURSDAY + timedelta(hours=4)), durationMinutes=150)
    last = [evening + timedelta(minutes=30 * n) for n in range(3)]
    calls = [partial(book, anybody, house, wish(last[n % 3]), new_id()) for n in range(50)]
    answers = at_once(calls)
    told = Counter(201 if answer.is_success else slug(answer) for answer in answers)
    assert told == {201: 3, "time-not-free": 47}
    offered = {start for answer in answers if not answer.is_success for start in answer.json()["nearest"]}
    assert offered
    free = {slot["start"] for slot in anybody.get(f"/public/properties/{house}/slots").json()["slots"]}
    # What they were offered was free at that moment: but for those of the three that others won later it still is.
    assert offered - {instant_text(start) for start in last} <= free
    assert not {instant_text(start) for start in last} & free


def test_a_script_that_wants_every_slot_of_ten_days_is_held_at_the_limits_and_staff_still_book(
    api: Api, anybody: httpx.Client, clock: Clock
) -> None:
    house = listed(api)
    window = {"from": instant_text(NOW), "to": instant_text(NOW + timedelta(days=10))}

    def free() -> list[str]:
        answer = anybody.get(f"/public/properties/{house}/slots", params=window)
        return [slot["start"] for slot in answer.json()["slots"]]

    def grab(**who: str) -> Counter[str]:
        """Wants everything that is free at once, ten at a time; says what stopped it."""
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda start: book(anybody, house, wish(start, **who)), free()))
        for refused in answers:
            if not refused.is_success:
                assert (refused.status_code, slug(refused)) == (429, "booking-limit"), refused.text
            if refused.headers.get("Retry-After"):
                assert 0 < int(refused.headers["Retry-After"]) <= 3600
        return Counter("booked" if answer.is_success else answer.json()["reached"] for answer in answers)

    everything = free()
    assert len(everything) > 60
    assert grab() == {"booked": 20, "property": len(everything) - 20}, "as somebody else for each"
    # Those of the front desk are not held, and what is left is theirs as before.
    api.visit(house, free()[0], visitor={"name": "Grace", "email": "grace@example.com"})
    assert len(free()) == len(everything) - 21
    clock.advance(timedelta(hours=1))
    left = len(free())
    assert grab(email="one@example.com") == {"booked": 3, "contact": left - 3}, "as one person"
    api.visit(house, free()[0], visitor={"name": "Grace", "email": "grace@example.com"})


def test_one_address_books_no_more_in_an_hour_than_the_limit_wherever_it_books(table: FreshTable) -> None:
    """As the gateway tells the address: what a caller says of itself counts for nothing."""
    clock, at = Clock(NOW + timedelta(hours=12)), count()
    terms = Terms(page=PAGE, limits=Limits(per_address=4))
    with (
        serve(table, clock=clock, terms=terms) as api,
        httpx.Client(base_url=api.http.base_url) as one,
        httpx.Client(base_url=api.http.base_url, transport=httpx.HTTPTransport(local_address="127.0.0.2")) as other,
    ):
        houses = [listed(api) for _ in range(3)]

        def wanted(http: httpx.Client, house: str) -> httpx.Response:
            return book(http, house, wish(THURSDAY + timedelta(minutes=30 * next(at))))

        assert all(wanted(one, house).is_success for house in (*houses, houses[0]))
        one.headers.update(dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "True-Client-IP"), "198.51.100.7"))
        refused = wanted(one, houses[1])
        assert (refused.status_code, slug(refused), refused.json()["reached"]) == (429, "booking-limit", "address")
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert wanted(other, houses[1]).is_success
        clock.advance(timedelta(hours=1))
        assert wanted(one, houses[1]).is_success


def test_one_person_at_many_places_at_once_gets_no_more_than_the_limit(api: Api, anybody: httpx.Client) -> None:
    houses = [listed(api) for _ in range(8)]
    body = wish(THURSDAY)
    answers = at_once([partial(book, anybody, house, body) for house in houses])
    told = Counter(201 if answer.is_success else slug(answer) for answer in answers)
    assert told[201] == 3
    assert told.keys() <= {201, "booking-limit"}


def test_a_link_opens_its_own_visit_and_every_other_link_opens_nothing(api: Api, anybody: httpx.Client) -> None:
    """The matrix of links and visits: confirmed, moved, cancelled, erased; guessed and altered ones."""
    house = listed(api)
    booked = [book(anybody, house, wish(THURSDAY + timedelta(hours=n))).json() for n in range(4)]
    links = [visit["link"] for visit in booked]

    def own(link: str) -> httpx.Response:
        return anybody.get("/visitor/visit", headers={"Authorization": f"Bearer {link}"})

    moved = {"Authorization": f"Bearer {links[1]}"}
    there = {"date": instant_text(THURSDAY + timedelta(hours=5))}
    assert anybody.patch("/visitor/visit", json=there, headers=moved).status_code == 200
    cancelled = {"Authorization": f"Bearer {links[2]}"}
    answer = anybody.put("/visitor/visit/status", json={"status": "cancelled", "reason": "Ill"}, headers=cancelled)
    assert answer.status_code == 200
    assert anybody.delete("/visitor/visit/visitor", headers={"Authorization": f"Bearer {links[3]}"}).status_code == 204
    told = [own(link) for link in links]
    assert [answer.status_code for answer in told] == [200, 200, 200, 404]
    assert [answer.json().get("status") for answer in told[:3]] == ["confirmed", "confirmed", "cancelled"]
    for n, answer in enumerate(told[:3]):
        seen = answer.text
        assert booked[n]["visitor"]["email"] in seen
        assert not any(other["visitor"]["email"] in seen for m, other in enumerate(booked) if m != n)
    refusals = {
        (answer.status_code, answer.content) for answer in map(own, [*forged(*links[:2]), "vl_", "x", links[3]])
    }
    ((status, content),) = refusals
    assert (status, b"link-invalid" in content) == (404, True)


def forged(first: str, second: str) -> list[str]:
    """Guessed and altered links: another's signature, another's visit, a visit that is not there, a key, a letter."""
    (kind, visit, key, mac), (_, other, _, others) = first.split("_"), second.split("_")
    altered = mac[:-1] + ("0" if mac[-1] != "0" else "1")
    made = [(visit, key, others), (other, key, mac), (new_id(), key, mac), (visit, "k9", mac), (visit, key, altered)]
    return ["_".join([kind, *parts]) for parts in made]


def test_how_long_a_wrong_link_takes_does_not_tell_whether_there_is_such_a_visit(
    api: Api, anybody: httpx.Client
) -> None:
    """Each takes the same calls of the table and one signature, whose comparison takes the same time."""
    house = listed(api)
    first, second = (book(anybody, house, wish(THURSDAY + timedelta(hours=n))).json()["link"] for n in range(2))
    taken = set()
    unknown = "_".join(["vl", new_id(), "k9", "0" * 64])
    for link in (*forged(first, second), unknown):
        with metered(api.dynamodb) as meter:
            assert anybody.get("/visitor/visit", headers={"Authorization": f"Bearer {link}"}).status_code == 404
        taken.add((link.split("_")[2] == "k9", tuple(meter.operations())))
    assert taken == {(False, ("GetItem",)), (True, ("GetItem", "GetItem"))}


def test_moving_by_the_link_tells_no_more_than_booking_does(api: Api, anybody: httpx.Client) -> None:
    house = listed(api)
    own = {"Authorization": f"Bearer {book(anybody, house, wish(THURSDAY)).json()['link']}"}
    api.visit(house, instant_text(THURSDAY + timedelta(hours=1)), durationMinutes=30)
    taken, closed = (
        anybody.patch("/visitor/visit", json={"date": instant_text(THURSDAY + timedelta(hours=hours))}, headers=own)
        for hours in (1, 10)
    )
    for answer in (taken, closed):
        assert (answer.status_code, slug(answer)) == (409, "time-not-free")
        assert answer.json() | {"nearest": []} == taken.json() | {"nearest": []}
    free = anybody.get("/visitor/visit/slots", headers=own).json()
    assert "reason" not in free
    assert set(taken.json()["nearest"]) <= {slot["start"] for slot in free["slots"]}


# What expires, and what must not


def expire(table: FreshTable, now: datetime) -> None:
    """Takes away what bookings without a key left to be taken away by now, as DynamoDB does of itself."""
    for item in contents(table.client, table.name).values():
        if item["pk"]["S"][:2] in ("L#", "D#") and int(item["ttl"]["N"]) <= now.timestamp():
            table.client.delete_item(TableName=table.name, Key={"pk": item["pk"], "sk": item["sk"]})


def move(anybody: httpx.Client, booked: httpx.Response, date: datetime) -> httpx.Response:
    own = {"Authorization": f"Bearer {booked.json()['link']}"}
    return anybody.patch("/visitor/visit", json={"date": instant_text(date)}, headers=own)


@pytest.mark.parametrize("moves", [(7 * 8,), (7 * 2, 7 * 8), (7 * 8, 7 * 9, 7 * 2, 7 * 9)], ids=len)
def test_a_contact_has_no_more_visits_ahead_by_moving_them_away(
    api: Api, anybody: httpx.Client, clock: Clock, table: FreshTable, moves: tuple[int, ...]
) -> None:
    house = listed(api)
    who = wish(THURSDAY)["visitor"] | {"phone": f"+49 30 8{next(_numbers):06}"}
    times = [THURSDAY + n * timedelta(minutes=30) for n in range(3)]
    for start in times:
        booked = book(anybody, house, {"date": instant_text(start), "visitor": who})
        for days in moves:
            assert move(anybody, booked, start + timedelta(days=days)).status_code == 200
    clock.advance(timedelta(days=50))
    expire(table, clock())
    free = instant_text(times[0] + timedelta(days=7 * 10))
    for contact in ({"email": who["email"]}, {"phone": who["phone"]}):
        refused = book(anybody, house, {"date": free, "visitor": {"name": "Ada"} | contact})
        assert (refused.status_code, slug(refused)) == (429, "booking-limit"), contact
        assert refused.json()["reached"] == "contact"
    clock.now = times[-1] + timedelta(days=moves[-1], hours=1)
    assert book(anybody, house, {"date": free, "visitor": who}).status_code == 201


def test_a_request_is_declined_however_late_the_function_that_declines_comes(
    api: Api, anybody: httpx.Client, clock: Clock, table: FreshTable
) -> None:
    house = listed(api, "request")
    booked = book(anybody, house, wish(THURSDAY + timedelta(days=7 * 4)))
    assert move(anybody, booked, THURSDAY + timedelta(days=7 * 20)).json()["awaits"] == booked.json()["awaits"]
    api.services.public.decline_unanswered()
    clock.advance(timedelta(days=7 * 15))
    expire(table, clock())
    api.services.public.decline_unanswered()
    own = {"Authorization": f"Bearer {booked.json()['link']}"}
    assert anybody.get("/visitor/visit", headers=own).json()["status"] == Status.DECLINED


# Costs


def test_moving_by_the_link_costs_more_only_where_the_contacts_have_to_be_counted_longer(
    api: Api, anybody: httpx.Client, table: FreshTable
) -> None:
    house = listed(api)
    booked = book(anybody, house, wish(THURSDAY, phone=f"+49 30 8{next(_numbers):06}"))

    def ask(days: int) -> tuple[list[str], float, float]:
        before = contents(table.client, table.name)
        with metered(api.dynamodb) as meter:
            assert move(anybody, booked, THURSDAY + timedelta(days=days)).status_code == 200
        after = contents(table.client, table.name)
        return meter.operations(), meter.read_units, sum(call.write_units(before, after) for call in meter.calls)

    near, sooner, later = ask(14), ask(7), ask(7 * 8)
    usual = ["GetItem", "GetItem", "Query", "TransactWriteItems", "GetItem", "GetItem"]
    assert near == sooner
    assert (near[0], near[1]) == (usual, 5)
    assert later == ([*usual[:3], *["GetItem", "PutItem"] * 2, *usual[3:]], 5 + 2, near[2] + 2)


CONTACTS = [{"email": None, "phone": "+49 30 7654321"}, {"phone": "+49 30 7654322"}]


@pytest.mark.parametrize("who", CONTACTS, ids=["one contact", "two contacts"])
@pytest.mark.parametrize("booking", ["confirm", "request"])
def test_a_booking_costs_two_units_more_for_each_limit_and_one_read_for_each_contact(
    api: Api, anybody: httpx.Client, table: FreshTable, booking: str, who: dict[str, Any]
) -> None:
    house = listed(api, booking)
    body = wish(THURSDAY)
    body["visitor"] = {name: value for name, value in {**body["visitor"], **who}.items() if value}
    contacts = len(body["visitor"]) - 1
    api.services.signer.sign("warm", b"")
    before = contents(table.client, table.name)
    with metered(api.dynamodb) as meter:
        assert book(anybody, house, body, new_id()).status_code == 201
    after = contents(table.client, table.name)
    # Property with rules, what is ahead of each contact; then, to show it, the property and whether reminders are off.
    reads = ["Query", *["GetItem"] * contacts, "TransactWriteItems", "GetItem", "GetItem"]
    assert meter.operations() == reads
    assert meter.read_units == 1 + contacts + 2
    staff = 2 * (1 + 2 + 1) + 2 + contacts
    waits = booking == "request"
    assert sum(call.write_units(before, after) for call in meter.calls) == staff + 2 * (2 + contacts + waits)


def test_a_minute_in_which_nobody_is_to_be_declined_costs_next_to_nothing(api: Api) -> None:
    api.services.public.decline_unanswered()
    with metered(api.dynamodb) as meter:
        assert api.services.public.decline_unanswered() == 0
    assert meter.operations() == ["GetItem", "Query", "UpdateItem"]
    assert meter.read_units == 2


def test_the_same_minute_twice_by_clocks_that_differ_is_no_fault(api: Api, clock: Clock) -> None:
    api.services.public.decline_unanswered()
    clock.advance(timedelta(seconds=-1))
    assert api.services.public.decline_unanswered() == 0


def test_an_unanswered_request_is_declined_by_the_minute(api: Api, anybody: httpx.Client, clock: Clock) -> None:
    house = listed(api, "request")
    start = parse_instant("2027-03-19T09:00:00Z")
    asked = book(anybody, house, wish(start)).json()
    assert asked["status"] == "requested"
    assert asked["awaits"] == {"whose": "agency", "until": instant_text(clock() + timedelta(hours=48))}
    clock.advance(timedelta(hours=48))
    assert api.services.public.decline_unanswered() >= 1
    own = anybody.get("/visitor/visit", headers={"Authorization": f"Bearer {asked['link']}"}).json()
    assert own["status"] == Status.DECLINED
    free = anybody.get(f"/public/properties/{house}/slots", params={"to": "2027-03-20T00:00:00Z"}).json()["slots"]
    assert instant_text(start) in [slot["start"] for slot in free]


def test_a_request_that_is_moved_nearer_is_declined_sooner(api: Api, anybody: httpx.Client, clock: Clock) -> None:
    asked = book(anybody, listed(api, "request"), wish("2027-04-12T09:00:00Z")).json()
    own = {"Authorization": f"Bearer {asked['link']}"}
    nearest = anybody.get("/visitor/visit/slots", headers=own).json()["slots"][0]["start"]
    moved = anybody.patch("/visitor/visit", json={"date": nearest}, headers=own).json()
    until = clock() + (parse_instant(nearest) - clock()) / 2
    assert moved["awaits"] == {"whose": "agency", "until": instant_text(until)}
    clock.now = until
    api.services.public.decline_unanswered()
    assert anybody.get("/visitor/visit", headers=own).json()["status"] == Status.DECLINED


def test_a_hold_that_nobody_confirms_by_the_mail_is_released_after_half_an_hour(table: FreshTable) -> None:
    clock, start, within = Clock(NOW), parse_instant("2027-03-19T09:00:00Z"), timedelta(minutes=30)
    terms = Terms(page=PAGE, confirm_within=within, limits=Limits(per_address=10**6))
    with serve(table, clock=clock, terms=terms) as api, httpx.Client(base_url=api.http.base_url) as anybody:
        house = listed(api)

        def free() -> bool:
            window = {"to": "2027-03-20T00:00:00Z"}
            found = anybody.get(f"/public/properties/{house}/slots", params=window).json()["slots"]
            return instant_text(start) in [slot["start"] for slot in found]

        def held() -> Visit:
            answer = book(anybody, house, wish(start))
            assert answer.json()["awaits"] == {
                "whose": "visitor",
                "until": instant_text(clock() + within),
            }
            assert "link" not in answer.json(), "only who reads the mail has it"
            (visit,) = api.get("/visits", propertyId=house, status="requested").json()["items"]
            return api.services.visits.get(visit["id"])

        first = held()
        assert not free()
        clock.advance(timedelta(minutes=29))
        api.services.public.decline_unanswered()
        assert not free()
        clock.advance(timedelta(minutes=1))
        api.services.public.decline_unanswered()
        assert free()
        assert api.get(f"/visits/{first.id}").json()["status"] == "declined"
        second = held()
        link = {"Authorization": f"Bearer {Links(api.services.signer).link(second)}"}
        confirmed = anybody.put("/visitor/visit/status", json={"status": "confirmed"}, headers=link)
        assert confirmed.json()["status"] == "confirmed"
        clock.advance(timedelta(hours=1))
        api.services.public.decline_unanswered()
        assert not free()


def test_a_booking_code_leads_to_the_page_of_the_property(api: Api) -> None:
    house = listed(api, "off")
    answer = api.get(f"/properties/{house}/booking-code")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    address = f"{PAGE}?property={house}"
    picture = ElementTree.fromstring(answer.text)
    assert picture.findtext("{http://www.w3.org/2000/svg}title") == address
    (_, modules) = picture.iter("{http://www.w3.org/2000/svg}path")
    assert modules.get("d") == segno.make_qr(address, error="q").svg_inline().partition(' d="')[2].partition('"')[0]


def test_without_a_page_there_is_no_code(table: FreshTable) -> None:
    with serve(table, terms=Terms()) as api:
        answer = api.get(f"/properties/{api.property('coded')}/booking-code")
    assert (answer.status_code, slug(answer)) == (409, "no-booking-page")
