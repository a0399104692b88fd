"""Booking without a key over HTTP: many at once, somebody who wants everything, links that open one visit, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
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
from chalicelib.domain.visits import Status
from chalicelib.http.instants import instant_text, parse_instant
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


def test_a_script_that_wants_every_slot_of_a_month_is_held_at_the_limits_and_staff_still_book(
    api: Api, anybody: httpx.Client, clock: Clock
) -> None:
    house = listed(api)
    window = {"from": instant_text(NOW), "to": instant_text(NOW + timedelta(days=30))}
    slots = anybody.get(f"/public/properties/{house}/slots", params=window).json()["slots"]
    assert len(slots) > 300
    answers = [book(anybody, house, wish(slot["start"])) for slot in slots[:60]]
    told = Counter(201 if answer.is_success else answer.json()["reached"] for answer in answers)
    assert told == {201: 20, "property": 40}
    refused = answers[-1]
    assert (refused.status_code, slug(refused)) == (429, "booking-limit")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    api.visit(house, slots[-1]["start"], visitor={"name": "Grace", "email": "grace@example.com"})
    clock.advance(timedelta(hours=1))
    same = [book(anybody, house, wish(slot["start"], email="one@example.com")) for slot in slots[30:40]]
    assert Counter(a.json().get("reached") for a in same) == {None: 3, "contact": 7}


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
    assert [answer.status_code for answer in told] == [200, 200, 200, 401]
    assert [answer.json().get("status") for answer in told[:3]] == ["confirmed", "confirmed", "cancelled"]
    for n, answer in enumerate(told[:3]):
        seen = answer.text
        assert booked[n]["visitor"]["email"] in seen
        assert not any(other["visitor"]["email"] in seen for m, other in enumerate(booked) if m != n)
    first, second = links[0].split("_"), links[1].split("_")
    forged = ["_".join([*first[:3], second[3]]), "_".join([first[0], second[1], *first[2:]]), links[0][:-1] + "0"]
    refusals = {
        (own(link).status_code, slug(own(link))) for link in [*forged, "vl_", "x", links[3]] if link not in links[:3]
    }
    assert refusals == {(401, "link-invalid")}


# Costs

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
