"""Availability over HTTP: rules that are set and read, free slots, bookings outside the hours, and who may overrule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.container import new_id
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.availability import Hours, Opening
from chalicelib.repositories.agents import agent_item
from chalicelib.repositories.table import serialized
from tests.builders import NOW, Clock, an_agent
from tests.integration.access import access_to, bearer
from tests.integration.api import Api, serve

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY: dict[str, Any] = {"weekly": {day: [["09:00", "17:00"]] for day in WEEK}, "stepMinutes": 30}
LENIENT = {"Prefer": "handling=lenient"}
FRIDAY = "2027-03-12"


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, clock=Clock(NOW)) as api:
        yield api


@pytest.fixture
def house(api: Api) -> str:
    return api.property(new_id())


def path(house: str) -> str:
    return f"/properties/{house}/availability"


def ruled(api: Api, house: str, **rules: object) -> dict[str, Any]:
    answer = api.http.put(path(house), json=EVERY_DAY | rules, headers={"If-None-Match": "*"})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def slots(api: Api, house: str, **query: object) -> dict[str, Any]:
    answer = api.get(f"/properties/{house}/slots", **query)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def starts(shown: dict[str, Any]) -> list[str]:
    return [slot["localStart"][11:16] for slot in shown["slots"]]


def book(api: Api, house: str, at: str, headers: dict[str, str] | None = None, **more: object) -> httpx.Response:
    body = {"propertyId": house, "date": f"{FRIDAY}T{at}:00+01:00", **more}
    return api.http.post("/visits", json=body, headers=headers or {})


def refused(answer: httpx.Response) -> tuple[str, str]:
    """The reason, and whose it is."""
    assert answer.status_code == 409, answer.text
    problem = answer.json()
    assert problem["type"] == "urn:visits:problem:outside-hours"
    return problem["reason"], problem["holder"]


def registered(api: Api, table: FreshTable, **details: Any) -> str:
    agent = an_agent(new_id(), **details)
    table.client.put_item(TableName=table.name, Item=serialized(agent_item(agent)))
    return agent.id


# The rules


def test_rules_are_created_read_and_replaced_by_version(api: Api, house: str) -> None:
    assert api.get(path(house)).status_code == 404
    made = api.http.put(path(house), json=EVERY_DAY, headers={"If-None-Match": "*"})
    assert (made.status_code, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', path(house))
    assert made.json()["weekly"]["mon"] == [["09:00", "17:00"]]
    read = api.get(path(house))
    assert read.json() == made.json()
    assert api.http.get(path(house), headers={"If-None-Match": '"1"'}).status_code == 304
    back = api.http.put(path(house), json=read.json(), headers={"If-Match": '"1"'})
    assert (back.status_code, back.json()) == (200, made.json())
    after = api.http.put(path(house), json=EVERY_DAY | {"gapMinutes": 15}, headers={"If-Match": '"1"'})
    assert (after.status_code, after.headers["ETag"], after.json()["gapMinutes"]) == (200, '"2"', 15)
    assert api.get(path(house)).json() == after.json()


def test_a_property_tells_where_its_rules_are_once_it_has_some(api: Api, house: str) -> None:
    before = api.get(f"/properties/{house}")
    assert "availability" not in before.json()["links"]
    ruled(api, house)
    after = api.http.get(f"/properties/{house}", headers={"If-None-Match": before.headers["ETag"]})
    assert after.json()["links"]["availability"] == path(house)
    assert api.get(after.json()["links"]["availability"]).json()["weekly"]["mon"] == [["09:00", "17:00"]]
    again = api.http.put(f"/properties/{house}", json=after.json(), headers={"If-Match": after.headers["ETag"]})
    assert again.status_code == 200


def test_nobodys_rules_are_overwritten(api: Api, house: str) -> None:
    def put(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.http.put(path(house), json=EVERY_DAY, headers=named).status_code

    assert put(If_Match="*") == 412
    assert put() == 428
    assert put(If_None_Match="*") == 201
    assert put(If_None_Match="*") == 412
    assert put(If_Match='"2"') == 412
    assert put(If_Match='"1"', If_None_Match="*") == 400
    wrong = api.http.put(path(house), json=EVERY_DAY | {"version": 7}, headers={"If-Match": "*"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/version")


def test_a_property_that_is_not_there_has_no_rules(api: Api) -> None:
    nowhere = path(new_id())
    for answer in (
        api.get(nowhere),
        api.http.put(nowhere, json=EVERY_DAY, headers={"If-None-Match": "*"}),
        api.get(nowhere.replace("availability", "slots")),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:visits:problem:property-not-found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"weekly": {"mon": [["09:00", "23:59:59"]]}}, "#/weekly/mon/0"),
        ({"weekly": {"mon": [["24:00", "24:00"]]}}, "#/weekly/mon/0"),
        ({"weekly": {"mon": [["17:00", "09:00"]]}}, "#/weekly/mon/0"),
        ({"weekly": {"monday": []}}, "#/weekly/monday"),
        ({"weekly": {"mon": [["0:0", "1:1"]] * 3000}}, "#/weekly/mon"),
        ({"dates": [{"from": "2027-12-24", "to": "2027-12-23", "open": []}]}, "#/dates/0/to"),
        ({"dates": [{"from": "2027-12-24", "open": []}] * 2}, "#/dates/1"),
        ({"dates": [{"from": "9999-12-31", "to": "0001-01-01", "open": []}]}, "#/dates/0/to"),
    ],
)
def test_rules_that_cannot_be_are_refused_at_their_place(
    api: Api, house: str, body: dict[str, Any], pointer: str
) -> None:
    answer = api.http.put(path(house), json=body, headers={"If-None-Match": "*"})
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert api.get(path(house)).status_code == 404


def test_ten_thousand_openings_are_more_than_a_body_may_have(api: Api, house: str) -> None:
    body = json.dumps({"weekly": {"mon": [["09:00", "10:00"]] * 10_000}})
    headers = {"If-None-Match": "*", "Content-Type": "application/json"}
    assert api.http.put(path(house), content=body, headers=headers).status_code == 413


def test_the_largest_rules_there_can_be_are_kept(api: Api, house: str) -> None:
    full = [[f"{hour:02}:00", f"{hour:02}:59"] for hour in range(24)]
    dates = [{"from": f"{2028 + n}-01-01", "to": f"{2028 + n}-12-31", "open": full[:2]} for n in range(366)]
    shown = ruled(api, house, weekly=dict.fromkeys(WEEK, full), dates=dates)
    assert (len(shown["dates"]), shown["weekly"]["sun"]) == (366, full)
    assert book(api, house, "09:00").status_code == 201


# Free slots


def test_without_rules_every_quarter_of_the_next_week_is_free(api: Api, house: str) -> None:
    shown = slots(api, house)
    assert (shown["from"], shown["to"]) == ("2027-03-10T12:00:00Z", "2027-03-17T12:00:00Z")
    assert len(shown["slots"]) == 7 * 96
    assert shown["slots"][0] == {"start": "2027-03-10T12:00:00Z", "localStart": "2027-03-10T13:00:00+01:00", "free": 1}
    assert "reason" not in shown


def test_free_slots_lie_in_the_hours_beside_the_visits_and_their_gaps(api: Api, house: str) -> None:
    ruled(api, house, gapMinutes=30)
    assert book(api, house, "12:00").status_code == 201
    day = {"from_": f"{FRIDAY}T00:00:00+01:00", "to": f"{FRIDAY}T23:00:00+01:00"}
    # From noon to one o'clock the visit and its gap; at half past eleven the gap would reach into it.
    free = [f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in (0, 30)]
    assert starts(slots(api, house, **day)) == [at for at in free if at not in ("11:30", "12:00", "12:30")]
    assert starts(slots(api, house, **day, durationMinutes=240)) == ["13:00"]
    assert slots(api, house, from_=f"{FRIDAY}T12:00:00+01:00", to=f"{FRIDAY}T13:00:00+01:00")["reason"] == "taken"


def test_the_window_has_its_bounds_and_is_31_days_at_most(api: Api, house: str) -> None:
    whole = slots(api, house, from_="2027-03-10T12:00:00Z", to="2027-04-10T12:00:00Z")
    assert len(whole["slots"]) == 31 * 96
    for query, pointer in (
        ({"from_": "2027-03-10T12:00:00Z", "to": "2027-04-10T12:00:01Z"}, "?to"),
        ({"from_": "2027-03-10T12:00:00Z", "to": "2027-03-10T12:00:00Z"}, "?to"),
        ({"agentId": "any", "to": "2027-03-18T12:00:00Z", "from_": "2027-03-10T12:00:00Z"}, "?to"),
        ({"durationMinutes": "4"}, "?durationMinutes"),
        ({"durationMinutes": "241"}, "?durationMinutes"),
        ({"durationMinutes": "30.0"}, "?durationMinutes"),
        ({"agentId": " "}, "?agentId"),
        ({"zone": "Europe/Berlin"}, "?zone"),
    ):
        answer = api.get(f"/properties/{house}/slots", **query)
        assert answer.status_code == 422, answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-20T00:00:00Z", "notice"),
        ("2027-03-01T00:00:00Z", "2027-03-05T00:00:00Z", "notice"),
        ("2034-03-01T00:00:00Z", "2034-03-05T00:00:00Z", "horizon"),
        ("9999-12-20T00:00:00Z", "9999-12-31T23:59:59Z", "horizon"),
    ],
)
def test_a_window_beyond_all_bookings_is_empty_with_a_reason(
    api: Api, house: str, start: str, end: str, reason: str
) -> None:
    shown = slots(api, house, from_=start, to=end)
    assert (shown["slots"], shown["reason"]) == ([], reason)


def test_only_when_the_agent_works_and_is_free(api: Api, table: FreshTable, house: str) -> None:
    ruled(api, house)
    works = Hours(((Opening(10 * 60, 13 * 60),),) * 7)
    agent = registered(api, table, availability=works, travel_minutes=60)
    other = api.property(new_id())
    assert book(api, other, "10:00", agentId=agent).status_code == 201
    day = {"from_": f"{FRIDAY}T00:00:00+01:00", "to": f"{FRIDAY}T23:00:00+01:00"}
    # Until half past ten the other visit, until half past eleven the way.
    assert starts(slots(api, house, **day, agentId=agent)) == ["11:30", "12:00", "12:30"]
    assert refused(book(api, house, "13:00", agentId=agent)) == ("closed", "agent")
    assert book(api, house, "11:00", agentId=agent).json()["conflicts"][0]["holder"] == "agent"
    assert book(api, house, "11:30", agentId=agent).status_code == 201
    # The next visit of the same property may begin on the way to another.
    assert starts(slots(api, house, **day, agentId=agent)) == ["12:00", "12:30"]
    anyone = slots(api, house, **day, agentId="any")["slots"]
    assert all(agent in slot["agents"] for slot in anyone if slot["localStart"][11:16] in ("12:00", "12:30"))
    nobody_knows = slots(api, house, **day, agentId=new_id())
    assert starts(nobody_knows)[0] == "09:00"


def test_a_visit_is_handed_only_to_an_agent_who_works_then(api: Api, table: FreshTable, house: str) -> None:
    mornings = registered(api, table, availability=Hours(((Opening(8 * 60, 12 * 60),),) * 7))
    visit = book(api, house, "14:00", agentId="whoever").json()
    one = f"/visits/{visit['id']}"
    assert refused(api.patch(one, {"agentId": mornings})) == ("closed", "agent")
    assert api.patch(one, {"agentId": mornings, "date": f"{FRIDAY}T11:00:00+01:00"}).status_code == 200
    # Who has it keeps it, when it is only made shorter.
    table.client.put_item(
        TableName=table.name,
        Item=serialized(agent_item(an_agent(mornings, availability=Hours(((),) * 7)))),
    )
    assert api.patch(one, {"durationMinutes": 15}).status_code == 200
    assert refused(api.patch(one, {"durationMinutes": 45})) == ("closed", "agent")


# The door


@pytest.mark.parametrize(
    ("rules", "at", "reason"),
    [
        ({}, "08:30", "closed"),
        ({}, "17:00", "closed"),
        ({}, "16:45", "closed"),
        ({}, "09:15", "step"),
        ({"noticeMinutes": 3 * 1440}, "09:00", "notice"),
        ({"horizonDays": 1}, "09:00", "horizon"),
        ({"dates": [{"from": FRIDAY, "open": []}]}, "09:00", "closed"),
    ],
)
def test_outside_the_hours_the_reason_is_told(
    api: Api, house: str, rules: dict[str, Any], at: str, reason: str
) -> None:
    ruled(api, house, **rules)
    assert refused(book(api, house, at)) == (reason, "property")
    inside = book(api, house, "11:00", LENIENT).json()
    moved = api.patch(f"/visits/{inside['id']}", {"date": f"{FRIDAY}T{at}:00+01:00"})
    if at != "09:00":
        assert refused(moved) == (reason, "property")
        assert api.get(f"/visits/{inside['id']}").json()["version"] == 1


def test_who_may_overrule_books_outside_the_hours_and_is_told_what_was_overruled(api: Api, house: str) -> None:
    ruled(api, house, noticeMinutes=3 * 1440)
    answer = book(api, house, "18:00", {"Prefer": 'wait=5, HANDLING="lenient"; foo'})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (201, "handling=lenient")
    assert [warning["reason"] for warning in answer.json()["warnings"]] == ["closed", "notice"]
    one = f"/visits/{answer.json()['id']}"
    assert "warnings" not in api.get(one).json()
    moved = api.http.patch(one, json={"date": f"{FRIDAY}T19:00:00+01:00"}, headers={"If-Match": "*", **LENIENT})
    assert (moved.status_code, moved.headers["Preference-Applied"]) == (200, "handling=lenient")
    assert [warning["reason"] for warning in moved.json()["warnings"]] == ["closed", "notice"]
    # What was read can be sent back whole.
    assert api.patch(one, moved.json() | {"notes": "n"}).status_code == 200
    # A time that is taken stays taken.
    assert book(api, house, "19:15", LENIENT).json()["type"] == "urn:visits:problem:slot-taken"


def test_inside_the_hours_there_is_nothing_to_overrule(api: Api, house: str) -> None:
    ruled(api, house)
    answer = book(api, house, "09:00", LENIENT)
    assert answer.headers["Preference-Applied"] == "handling=lenient"
    assert "warnings" not in answer.json()


@pytest.mark.parametrize("prefer", ["handling=lenient", "handling=strict", "handling=strict, handling=lenient"])
def test_without_the_scope_or_the_preference_the_hours_hold(
    api: Api, table: FreshTable, house: str, prefer: str
) -> None:
    ruled(api, house)
    scopes = [Scope.WRITE] if prefer == "handling=lenient" else list(Scope)
    key = bearer(access_to(table.client, table.name), scopes, name=f"strict-{len(prefer)}")
    answer = book(api, house, "18:00", {"Prefer": prefer, **key})
    assert refused(answer) == ("closed", "property")
    assert "Preference-Applied" not in answer.headers


def test_a_retry_of_an_overruled_booking_is_that_booking(api: Api, house: str) -> None:
    ruled(api, house)
    headers = {**LENIENT, "Idempotency-Key": new_id()}
    first = book(api, house, "18:00", headers)
    again = book(api, house, "18:00", headers)
    assert (again.json()["id"], again.headers["Idempotency-Replayed"]) == (first.json()["id"], "true")


def test_a_visit_can_be_shortened_and_noted_though_the_hours_have_changed_since(api: Api, house: str) -> None:
    ruled(api, house, gapMinutes=30)
    visit = book(api, house, "10:00", durationMinutes=60).json()
    closed = EVERY_DAY | {"weekly": {}, "gapMinutes": 90}
    assert api.http.put(path(house), json=closed, headers={"If-Match": "*"}).status_code == 200
    one = f"/visits/{visit['id']}"
    assert api.patch(one, {"notes": "n"}).status_code == 200
    assert api.patch(one, {"durationMinutes": 30}).status_code == 200
    assert refused(api.patch(one, {"durationMinutes": 45})) == ("closed", "property")
    busy = api.get(f"/properties/{house}/busy", from_=f"{FRIDAY}T00:00:00Z", to=f"{FRIDAY}T23:00:00Z").json()["busy"]
    # It holds the gap that it was booked with.
    assert [(hours["from"][11:16], hours["to"][11:16]) for hours in busy] == [("09:00", "10:00")]
    assert api.put(f"{one}/status", {"status": "cancelled"}).status_code == 200
    assert api.get(f"/properties/{house}/busy", from_=f"{FRIDAY}T00:00:00Z").json()["busy"] == []
