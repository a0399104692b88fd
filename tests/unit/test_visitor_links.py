"""The visitor's link: good for one visit and its visitor, through rotations of keys, until a day after the visit."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import app as entry
from chalicelib.domain.availability import Availability, Hours, Opening, Rules
from chalicelib.domain.errors import LinkInvalid, StoreBusy
from chalicelib.domain.properties import PublicBooking
from chalicelib.domain.visitor_links import GOOD_AFTER_VISIT, LINK, UNSUBSCRIBE, Link, parse
from chalicelib.domain.visits import ChangeVisit, ChangeVisitor, Status, Visit, Visitor
from chalicelib.services.visitor_links import Links
from tests.agency import Agency
from tests.builders import NOW, TEN, a_property, booking, event

ADA = Visitor("Ada Lovelace", "ada@example.com")
HOUR = timedelta(hours=1)


def book(agency: Agency, **changes: Any) -> Visit:
    return agency.booking.book(booking(**{"visitor": ADA} | changes)).result


def link_to(agency: Agency, visit: Visit, kind: str = LINK) -> str:
    links = Links(agency.services.signer)
    made = links.link(visit) if kind == LINK else links.unsubscribe(visit)
    assert made is not None
    return made


def opened(agency: Agency, token: str) -> Visit:
    link = parse(token)
    if link is None:
        raise LinkInvalid
    return agency.services.visitor_links.open(link)


class Visiting:
    """A visitor at the API, with the link of a visit."""

    def __init__(self, agency: Agency, visit: Visit, token: str | None = None) -> None:
        self._agency = agency
        self.headers = {
            "authorization": f"Bearer {token or link_to(agency, visit)}",
            "content-type": "application/json",
        }

    def ask(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, Any]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(entry, "services", lambda: self._agency.services)
            raw = b"" if body is None else json.dumps(body).encode()
            given = {name: [value] for name, value in query.items()}
            answer = entry.app(event(method, path, headers=self.headers, body=raw, query=given), None)
        return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


def busy(*_: object) -> None:
    raise StoreBusy


def slug(answer: tuple[int, Any]) -> str:
    return str(answer[1]["type"]).rpartition(":")[2]


# What a link opens


def test_a_link_opens_its_visit_however_often_the_keys_were_rotated() -> None:
    agency = Agency()
    visit = book(agency)
    token = link_to(agency, visit)
    for _ in range(3):
        agency.keys.rotate()
        agency.clock.advance(timedelta(minutes=6))
    assert opened(agency, token) == visit
    assert link_to(agency, visit) != token


def test_a_link_is_good_until_a_day_after_the_visit() -> None:
    agency = Agency()
    token = link_to(agency, book(agency))
    agency.clock.now = TEN + GOOD_AFTER_VISIT
    opened(agency, token)
    agency.clock.advance(timedelta(seconds=1))
    with pytest.raises(LinkInvalid):
        opened(agency, token)


@pytest.mark.parametrize(
    "change",
    [
        ChangeVisit(visitor=None),
        ChangeVisit(visitor=ChangeVisitor(email="grace@example.com")),
        ChangeVisit(visitor=ChangeVisitor(email=None)),
    ],
    ids=["nobody", "another address", "no address"],
)
def test_with_another_visitor_the_link_of_the_one_before_opens_nothing(change: ChangeVisit) -> None:
    agency = Agency()
    visit = book(agency)
    token = link_to(agency, visit)
    agency.booking.change(visit.id, change, None)
    with pytest.raises(LinkInvalid):
        opened(agency, token)


FORGERIES: dict[str, Callable[[str, str], str]] = {
    "nothing": lambda token, other: "",
    "an API key": lambda token, other: "pv_0123456789abcdef_" + "A" * 43,
    "another visit": lambda token, other: token.replace(token.split("_")[1], other),
    "another signature": lambda token, other: token[:-1] + ("0" if token[-1] != "0" else "1"),
    "a key that is none": lambda token, other: token.replace("_k1_", "_k9_"),
    "another spelling": lambda token, other: token.upper().replace("VL", "vl"),
    "a blank": lambda token, other: f"{token[:5]} {token[5:]}",
    "a line more": lambda token, other: token + "\n",
    "the one to unsubscribe with": lambda token, other: token.replace("vl_", "vu_", 1),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_we_did_not_sign_opens_nothing(forgery: str) -> None:
    agency = Agency()
    visit, other = book(agency), book(agency, date=TEN + HOUR)
    token = FORGERIES[forgery](link_to(agency, visit), other.id)
    with pytest.raises(LinkInvalid):
        opened(agency, token)
    answer = Visiting(agency, visit, token or "x").ask("GET", "/visitor/visit")
    assert (answer[0], slug(answer)) == (404, "link-invalid")


def test_the_link_to_unsubscribe_with_shows_and_changes_nothing_else() -> None:
    agency = Agency()
    visit = book(agency)
    token = link_to(agency, visit, UNSUBSCRIBE)
    assert Visiting(agency, visit, token).ask("GET", "/visitor/visit")[0] == 404
    assert Visiting(agency, visit).ask("POST", "/visitor/unsubscribe", token=link_to(agency, visit))[0] == 404
    assert agency.notices.find(visit.id).reminders
    assert Visiting(agency, visit).ask("POST", "/visitor/unsubscribe", token=token, utm="x") == (204, None)
    assert not agency.notices.find(visit.id).reminders


@pytest.mark.parametrize("token", ["", "x", "vu_" + "0" * 200])
def test_a_wrong_address_to_unsubscribe_at_is_not_there(token: str) -> None:
    agency = Agency()
    assert Visiting(agency, book(agency)).ask("POST", "/visitor/unsubscribe", token=token)[0] == 404


def test_a_link_has_no_repr_that_a_log_could_show() -> None:
    agency = Agency()
    token = link_to(agency, book(agency))
    link = parse(token)
    assert isinstance(link, Link)
    assert token.rpartition("_")[2] not in repr(link)


# What it shows


def test_it_shows_the_visit_and_nothing_else_of_the_agency() -> None:
    agency = Agency()
    visit = book(agency, notes="Do not mention the roof", agent_id="ann")
    status, shown = Visiting(agency, visit).ask("GET", "/visitor/visit")
    assert status == 200
    assert shown == {
        "date": "2027-03-12T10:00:00Z",
        "durationMinutes": 30,
        "timeZone": "Europe/Berlin",
        "place": "Lane 1, Berlin",
        "status": "confirmed",
        "property": {"name": "House", "address": "Lane 1, Berlin"},
        "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "reminders": True,
        "agency": {},
        "changeableUntil": "2027-03-12T08:00:00Z",
        "moving": "confirm",
        "version": 1,
    }


def test_to_look_changes_nothing() -> None:
    """Link scanners of mail servers open every link that they see."""
    agency = Agency()
    visit = book(agency)
    for _ in range(3):
        assert Visiting(agency, visit).ask("GET", "/visitor/visit")[0] == 200
    assert agency.memory.visits[visit.id] == visit
    assert agency.notices.states == {}
    assert Visiting(agency, visit).ask("GET", "/visitor/unsubscribe")[0] == 405


def slots(agency: Agency, visit: Visit, start: str = "2027-03-12T00:00:00Z", end: str = "2027-03-13T00:00:00Z") -> Any:
    status, shown = Visiting(agency, visit).ask("GET", "/visitor/visit/slots", **{"from": start, "to": end})
    assert status == 200, shown
    return shown


def opens(agency: Agency, rules: Rules) -> None:
    agency.memory.availability["house"] = Availability("house", rules, 1, NOW, NOW)


def test_it_shows_the_other_times_that_are_to_be_had_and_nobody_elses_visits() -> None:
    agency = Agency()
    visit = book(agency)
    book(agency, date=TEN + HOUR, agent_id="ann")
    opens(agency, Rules(Hours(weekly=((Opening(10 * 60, 13 * 60),),) * 7), step_minutes=30))
    assert slots(agency, visit) == {
        "from": "2027-03-12T00:00:00Z",
        "to": "2027-03-13T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "durationMinutes": 30,
        "slots": [
            {"start": "2027-03-12T09:00:00Z", "localStart": "2027-03-12T10:00:00+01:00"},
            {"start": "2027-03-12T09:30:00Z", "localStart": "2027-03-12T10:30:00+01:00"},
            {"start": "2027-03-12T10:30:00Z", "localStart": "2027-03-12T11:30:00+01:00"},
            {"start": "2027-03-12T11:30:00Z", "localStart": "2027-03-12T12:30:00+01:00"},
        ],
    }


def test_exactly_the_times_that_are_offered_can_be_moved_to() -> None:
    """Its own time and gap are free to the visit; those of others, of its agent elsewhere and the night are not."""
    opening = Rules(Hours(weekly=((Opening(9 * 60, 16 * 60),),) * 7), gap_minutes=15)

    def agency_with_visits() -> tuple[Agency, Visit]:
        agency = Agency()
        agency.properties.add(a_property("mill"))
        opens(agency, opening)
        book(agency, date=TEN + 2 * HOUR)
        book(agency, property_id="mill", date=TEN + 4 * HOUR, agent_id="ann")
        visit = book(agency, duration_minutes=60, agent_id="ann", date=TEN)
        agency.clock.now = TEN - 3 * HOUR
        return agency, visit

    offered = {
        each["start"] for each in slots(*agency_with_visits(), "2027-03-12T06:00:00Z", "2027-03-14T00:00:00Z")["slots"]
    }
    for quarter in range(4 * 42):
        start = f"{TEN - 4 * HOUR + quarter * timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"
        agency, visit = agency_with_visits()
        status, _ = Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"date": start})
        moves = status == 200 and agency.memory.visits[visit.id].version == 2
        assert moves == (start in offered), start
    assert {"2027-03-12T10:15:00Z", "2027-03-13T14:00:00Z"} <= offered


def desk_visit_without_rules(**details: Any) -> tuple[Agency, Visit]:
    """Between the quarters, as only the front desk can book it, and next to another one."""
    agency = Agency()
    visit = book(agency, date=TEN + timedelta(minutes=7), duration_minutes=40, place="At the gate")
    book(agency, date=TEN + HOUR)
    agency.memory.properties["house"] = a_property("house", **details)
    return agency, visit


@pytest.mark.parametrize("public_booking", PublicBooking)
def test_without_rules_too_exactly_the_times_that_are_offered_can_be_moved_to(public_booking: PublicBooking) -> None:
    offered = {each["start"] for each in slots(*desk_visit_without_rules(public_booking=public_booking))["slots"]}
    for fives in range(-12, 24):
        start = f"{TEN + fives * timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
        agency, visit = desk_visit_without_rules(public_booking=public_booking)
        answer = Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"date": start})
        assert (answer[0] == 200) == (start in offered), start
        if answer[0] != 200:
            assert (answer[0], slug(answer)) == (409, "time-not-free")
            assert answer[1]["nearest"]
            assert set(answer[1]["nearest"]) <= offered
    assert {"2027-03-12T09:00:00Z", "2027-03-12T10:15:00Z", "2027-03-12T11:30:00Z"} <= offered


def test_within_its_own_time_too_a_visit_moves_to_no_time_that_is_not_offered() -> None:
    """What it holds already would do, but the agency takes no visits now."""
    agency, visit = desk_visit_without_rules(visits_allowed=False)
    assert slots(agency, visit)["slots"] == []
    answer = Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"date": "2027-03-12T10:05:00Z"})
    assert (answer[0], slug(answer), answer[1]["nearest"]) == (409, "time-not-free", [])


@pytest.mark.parametrize(
    "rules",
    [
        Rules(Hours(((),) * 7)),
        Rules(notice_minutes=3 * 1440),
        Rules(horizon_days=0),
        Rules(Hours(weekly=((Opening(11 * 60, 12 * 60),),) * 7), step_minutes=60),
    ],
    ids=["closed", "notice", "horizon", "taken"],
)
def test_where_no_other_time_is_to_be_had_it_does_not_say_why(rules: Rules) -> None:
    agency = Agency()
    visit = book(agency)
    opens(agency, rules)
    shown = slots(agency, visit)
    assert shown["slots"] == []
    assert shown.keys() == {"from", "to", "timeZone", "durationMinutes", "slots"}


def test_what_cannot_be_moved_any_more_is_offered_no_times() -> None:
    agency = Agency()
    visit = book(agency)
    agency.clock.now = TEN - HOUR
    assert slug(Visiting(agency, visit).ask("GET", "/visitor/visit/slots")) == "too-late"
    agency.booking.change_status(visit.id, Status.CANCELLED, None)
    assert slug(Visiting(agency, visit).ask("GET", "/visitor/visit/slots")) == "slots-released"


# What it does


def test_a_visitor_moves_the_visit_to_a_free_time_and_to_no_other() -> None:
    agency = Agency()
    visit = book(agency)
    book(agency, date=TEN + 3 * HOUR)
    visiting = Visiting(agency, visit)
    refused = visiting.ask("PATCH", "/visitor/visit", {"date": "2027-03-12T13:00:00Z"})
    assert (refused[0], slug(refused)) == (409, "time-not-free")
    free = {slot["start"] for slot in slots(agency, visit)["slots"]}
    assert len(refused[1]["nearest"]) == 6
    assert set(refused[1]["nearest"]) <= free
    status, moved = visiting.ask("PATCH", "/visitor/visit", {"date": "2027-03-12T15:00:00+01:00"})
    assert (status, moved["date"], moved["version"]) == (200, "2027-03-12T14:00:00Z", 2)
    assert agency.memory.visits[visit.id].status is Status.CONFIRMED


@pytest.mark.parametrize("date", ["2027-03-10T11:00:00Z", "2027-03-10T13:59:59Z"], ids=["past", "too soon"])
def test_a_visitor_does_not_move_it_to_where_it_could_not_be_changed_any_more(date: str) -> None:
    agency = Agency()
    answer = Visiting(agency, book(agency)).ask("PATCH", "/visitor/visit", {"date": date})
    assert (answer[0], slug(answer)) == (422, "invalid-input")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/visitor/visit", {"date": "2027-03-14T10:00:00Z"}),
        ("PUT", "/visitor/visit/status", {"status": "cancelled"}),
    ],
)
def test_shortly_before_the_visit_its_time_is_the_agencys_alone(method: str, path: str, body: object) -> None:
    agency = Agency()
    visit = book(agency)
    agency.clock.now = TEN - 2 * HOUR + timedelta(seconds=1)
    answer = Visiting(agency, visit).ask(method, path, body)
    assert (answer[0], slug(answer), answer[1]["until"]) == (409, "too-late", "2027-03-12T08:00:00Z")
    assert Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"language": "de", "reminders": False})[0] == 200
    agency.clock.now = TEN - 2 * HOUR
    assert Visiting(agency, visit).ask(method, path, body)[0] == 200


def test_a_visitor_cancels_with_a_reason_and_again_without_harm() -> None:
    agency = Agency()
    visit = book(agency)
    for _ in range(2):
        status, shown = Visiting(agency, visit).ask(
            "PUT", "/visitor/visit/status", {"status": "cancelled", "reason": "Ill"}
        )
        assert (status, shown["status"], shown["cancellation"]["reason"]) == (200, "cancelled", "Ill")
        agency.clock.now = TEN - HOUR
    assert agency.memory.visits[visit.id].version == 2


def test_a_request_is_the_agencys_to_confirm() -> None:
    agency = Agency()
    visit = book(agency, status=Status.REQUESTED)
    answer = Visiting(agency, visit).ask("PUT", "/visitor/visit/status", {"status": "confirmed"})
    assert (answer[0], slug(answer), answer[1]["allowed"]) == (409, "transition-not-allowed", ["cancelled"])
    assert agency.memory.visits[visit.id] == visit
    agency.booking.change_status(visit.id, Status.CONFIRMED, None)
    assert Visiting(agency, visit).ask("PUT", "/visitor/visit/status", {"status": "confirmed"})[0] == 200


@pytest.mark.parametrize("status", ["completed", "declined", "no_show", "requested"])
def test_other_statuses_are_none_of_a_visitors(status: str) -> None:
    agency = Agency()
    assert Visiting(agency, book(agency)).ask("PUT", "/visitor/visit/status", {"status": status})[0] == 422


@pytest.mark.parametrize("field", ["notes", "agentId", "place", "visitor", "durationMinutes", "notify", "status"])
def test_other_fields_are_none_of_a_visitors(field: str) -> None:
    agency = Agency()
    answer = Visiting(agency, book(agency)).ask("PATCH", "/visitor/visit", {field: "x"})
    assert (answer[0], answer[1]["errors"][0]["pointer"]) == (422, f"#/{field}")


def test_a_visitor_chooses_language_and_reminders() -> None:
    agency = Agency()
    visit = book(agency)
    status, shown = Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"language": "es", "reminders": False})
    assert (status, shown["visitor"]["language"], shown["reminders"]) == (200, "es", False)
    assert Visiting(agency, visit).ask("PATCH", "/visitor/visit", {"reminders": True})[1]["reminders"] is True


def test_whoever_has_themselves_erased_has_no_link_any_more() -> None:
    agency = Agency()
    visit = book(agency, notes="Call first")
    agency.services.notices.tell(visit.id)
    visiting = Visiting(agency, visit)
    assert visiting.ask("DELETE", "/visitor/visit/visitor") == (204, None)
    stands = agency.memory.visits[visit.id]
    assert (stands.visitor, stands.notes, stands.status) == (None, None, Status.CONFIRMED)
    assert visiting.ask("GET", "/visitor/visit")[0] == 404
    assert not agency.notices.find(visit.id).names_somebody


def test_a_version_that_was_named_must_be_the_present_one() -> None:
    agency = Agency()
    visit = book(agency)
    visiting = Visiting(agency, visit)
    visiting.headers["if-match"] = '"7"'
    assert visiting.ask("PUT", "/visitor/visit/status", {"status": "cancelled"})[0] == 412


def test_who_becomes_the_visitor_in_this_very_moment_is_not_changed_by_the_one_before() -> None:
    agency = Agency()
    visit = book(agency)
    stale = opened(agency, link_to(agency, visit))
    agency.booking.change(visit.id, ChangeVisit(visitor=ChangeVisitor(email="grace@example.com")), None)
    with pytest.raises(LinkInvalid):
        agency.services.visitor_links.cancel(stale, None, None)
    with pytest.raises(LinkInvalid):
        agency.services.visitor_links.erase(stale, None)
    stands = agency.memory.visits[visit.id]
    assert stands.status is Status.CONFIRMED
    assert stands.visitor is not None
    assert stands.visitor.email == "grace@example.com"


@pytest.mark.parametrize(
    ("method", "path", "body", "lost"),
    [
        ("PATCH", "/visitor/visit", {"date": "2027-03-12T12:00:00Z", "reminders": False}, "switch_reminders"),
        ("PUT", "/visitor/visit/status", {"status": "cancelled"}, "find"),
        ("DELETE", "/visitor/visit/visitor", None, "forget"),
    ],
)
def test_what_was_written_is_not_told_as_nothing_when_the_store_is_busy_afterwards(
    method: str, path: str, body: object, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency = Agency()
    visit = book(agency)
    visiting = Visiting(agency, visit)
    monkeypatch.setattr(agency.notices, lost, busy)
    answer = visiting.ask(method, path, body)
    assert (answer[0], slug(answer)) == (503, "outcome-unknown")
    assert agency.memory.visits[visit.id].version == visit.version + 1


def test_to_look_while_the_store_is_busy_leaves_nothing_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    agency = Agency()
    visiting = Visiting(agency, book(agency))
    monkeypatch.setattr(agency.notices, "find", busy)
    assert slug(visiting.ask("GET", "/visitor/visit")) == "store-busy"


def test_a_visitor_moves_it_to_a_time_that_is_offered_and_to_no_other() -> None:
    agency = Agency()
    visit = book(agency)
    opens(agency, Rules(Hours(weekly=((Opening(8 * 60, 18 * 60),),) * 7), step_minutes=60))
    visiting = Visiting(agency, visit)
    book(agency, date=TEN + 3 * HOUR)
    closed, between, taken = (
        visiting.ask("PATCH", "/visitor/visit", {"date": f"2027-03-12T{time}:00+01:00"})
        for time in ("20:00", "13:30", "14:00")
    )
    for answer in (closed, between, taken):
        assert (answer[0], slug(answer)) == (409, "time-not-free")
        assert answer[1] | {"nearest": []} == taken[1] | {"nearest": []}, "nothing tells taken from closed"
        assert answer[1]["nearest"]
    lenient = Visiting(agency, visit)
    lenient.headers["prefer"] = "handling=lenient"
    assert lenient.ask("PATCH", "/visitor/visit", {"date": "2027-03-12T20:00:00+01:00"})[0] == 409
    assert visiting.ask("PATCH", "/visitor/visit", {"date": "2027-03-12T13:00:00+01:00"})[0] == 200
