"""Agents over HTTP: registered, replaced and erased, their hours, when they are engaged, and their calendars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.builders import NOW, Clock, agent_id, property_id
from tests.integration.api import Api, serve
from tests.integration.audit import partition
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

NEW = {"If-None-Match": "*"}
GRACE: dict[str, Any] = {"name": "Grace Hopper-Agent", "timeZone": "Europe/Berlin"}
WORKS: dict[str, Any] = {
    "weekly": {day: [["09:00", "12:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    "dates": [],
}
FULL: dict[str, Any] = GRACE | {
    "email": "grace@agents.example",
    "phone": "+49 331 9018201",
    "language": "de-AT",
    "availability": WORKS | {"dates": [{"from": "2027-08-02", "to": "2027-08-20", "open": []}]},
    "travelMinutes": 30,
}
VISITOR = {"name": "Ada Feedwoman", "email": "ada@feed.example", "phone": "+49 30 5554433"}


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, clock=Clock(NOW)) as api:
        yield api


@pytest.fixture
def anybody(api: Api) -> Iterator[httpx.Client]:
    """A calendar program: it has the address and no key."""
    with httpx.Client(base_url=api.http.base_url, event_hooks=api.http.event_hooks, verify=False) as client:
        yield client


def at(id: str, *more: str) -> str:
    return "/".join(["/agents", quote(id, safe=""), *more])


def registered(api: Api, id: str | None = None, **details: Any) -> str:
    chosen = id or agent_id()
    answer = api.http.put(at(chosen), json=GRACE | details, headers=NEW)
    assert answer.status_code == 201, answer.text
    return chosen


# The resource


def test_an_agent_is_created_read_and_replaced_by_version(api: Api) -> None:
    id = agent_id()
    made = api.http.put(at(id), json=FULL, headers=NEW)
    assert (made.status_code, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', at(id))
    assert made.json() == {"id": id, **FULL, "version": 1, "createdAt": "2027-03-10T12:00:00Z"} | {
        "updatedAt": "2027-03-10T12:00:00Z",
        "availability": FULL["availability"] | {"weekly": WORKS["weekly"] | {"sat": [], "sun": []}},
    }
    assert api.get(at(id)).json() == made.json()
    assert api.http.get(at(id), headers={"If-None-Match": '"1"'}).status_code == 304
    back = api.http.put(at(id), json=made.json(), headers={"If-Match": '"1"'})
    assert (back.status_code, back.json()) == (200, made.json())
    after = api.http.put(at(id), json=GRACE, headers={"If-Match": '"1"'})
    assert (after.status_code, after.headers["ETag"]) == (200, '"2"')
    assert after.json().keys() == {"id", *GRACE, "travelMinutes", "version", "createdAt", "updatedAt"}


def test_nobodys_agent_is_overwritten(api: Api) -> None:
    id = agent_id()

    def put(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return api.http.put(at(id), json=GRACE, headers=named).status_code

    assert put(If_Match="*") == 412
    assert put() == 428
    assert put(If_None_Match="*") == 201
    assert put(If_None_Match="*") == 412
    assert put(If_Match='"2"') == 412
    wrong = api.http.put(at(id), json=GRACE | {"version": 7}, headers={"If-Match": "*"})
    assert pointers(wrong) == ["#/version"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"travelMinutes": 121}, "#/travelMinutes"),
        ({"language": "Deutsch!"}, "#/language"),
        ({"timeZone": "Europe/Nowhere"}, "#/timeZone"),
        ({"email": "nobody"}, "#/email"),
        ({"availability": {"weekly": {"mon": [["12:00", "09:00"]]}}}, "#/availability/weekly/mon/0"),
        (
            {"availability": {"dates": [{"from": "2027-08-20", "to": "2027-08-02", "open": []}]}},
            "#/availability/dates/0/to",
        ),
        ({"availability": {"stepMinutes": 30}}, "#/availability/stepMinutes"),
    ],
)
def test_what_is_wrong_with_an_agent_is_pointed_at(api: Api, change: dict[str, Any], pointer: str) -> None:
    answer = api.http.put(at(agent_id()), json=GRACE | change, headers=NEW)
    assert pointers(answer) == [pointer]


@pytest.mark.parametrize("id", ["any", "%20", "a%0Ab", "%FF", "x" * 129])
def test_an_id_that_cannot_be_ones_registers_nobody(api: Api, id: str) -> None:
    answer = api.http.put(f"/agents/{id}", json=GRACE, headers=NEW)
    assert pointers(answer) == ["#/id"]
    problem(api.get(f"/agents/{id}"), 404, "agent-not-found")


def test_an_id_is_spelled_as_visits_spell_it(api: Api, house: str) -> None:
    registered(api, "Zoe\u0308 von  Unten")
    assert api.get(at("Zo\u00eb von Unten")).json()["id"] == "Zo\u00eb von Unten"
    api.visit(house, "2027-03-12T10:00:00Z", agentId="Zo\u00eb von Unten")
    busy = api.get(at("Zoe\u0308 von Unten", "busy")).json()["busy"]
    assert [interval["propertyId"] for interval in busy] == [house]


def test_agents_are_listed_by_id_in_any_script(table: FreshTable, api: Api) -> None:
    ids = {registered(api, prefix * 126 + f"-{n}") for prefix in ("A", "z", "ж", "東", "😀") for n in range(2)}
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = api.get("/agents", limit=1, cursor=cursor).json()
        found += [agent["id"] for agent in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert found == sorted(found)
    assert ids <= set(found)
    assert len(found) == len(set(found))


# Erasure


def test_an_erased_agent_is_gone_and_visits_keep_the_id_without_hours(table: FreshTable, api: Api, house: str) -> None:
    id = registered(api, **{name: FULL[name] for name in ("email", "phone", "availability")})
    booked = api.visit(house, "2027-03-12T10:00:00Z", agentId=id)
    night = {"propertyId": house, "date": "2027-03-12T22:00:00Z", "agentId": id}
    assert problem(api.post("/visits", night), 409, "outside-hours")["holder"] == "agent"
    problem(api.http.delete(at(id), headers={"If-Match": '"9"'}), 412, "precondition-failed")
    assert api.http.delete(at(id), headers={"If-Match": '"1"'}).status_code == 204
    problem(api.get(at(id)), 404, "agent-not-found")
    problem(api.http.delete(at(id)), 404, "agent-not-found")
    assert id not in [agent["id"] for agent in api.get("/agents", limit=100).json()["items"]]
    (left,) = partition(table, f"A#{id}")
    assert left.keys() <= {"pk", "sk", "version", "erasedAt", "writtenBy"}
    assert api.get(f"/visits/{booked['id']}").json()["agentId"] == id
    assert api.post("/visits", night).status_code == 201


def test_who_is_registered_again_is_not_met_by_an_old_entity_tag(api: Api) -> None:
    id = registered(api)
    assert api.http.delete(at(id)).status_code == 204
    again = api.http.put(at(id), json=GRACE | {"name": "Somebody Else-Agent"}, headers=NEW)
    assert (again.status_code, again.headers["ETag"]) == (201, '"3"')
    problem(api.http.put(at(id), json=GRACE, headers={"If-Match": '"1"'}), 412, "precondition-failed")
    assert api.get(at(id)).json()["name"] == "Somebody Else-Agent"


def test_an_agent_can_be_erased_only_with_the_calendar(api: Api, anybody: httpx.Client) -> None:
    id = registered(api)
    address = shared(api, id)
    assert anybody.get(address).status_code == 200
    assert api.http.delete(at(id)).status_code == 204
    registered(api, id)
    problem(anybody.get(address), 404, "feed-not-found")


# Engaged


def test_an_agent_is_engaged_where_visits_are_and_on_the_way_to_the_next(api: Api, house: str) -> None:
    other, id = api.property(property_id()), registered(api, travelMinutes=30)
    api.visit(house, "2027-03-12T10:00:00Z", agentId=id)
    cancelled = api.visit(other, "2027-03-12T15:00:00Z", agentId=id)
    api.visit(other, "2027-03-12T11:00:00Z", agentId=id)
    assert api.put(f"/visits/{cancelled['id']}/status", {"status": "cancelled"}).status_code == 200
    window = {"from_": "2027-03-12T00:00:00Z", "to": "2027-03-13T00:00:00Z"}
    assert api.get(at(id, "busy"), **window).json() == {
        "agentId": id,
        "from": "2027-03-12T00:00:00Z",
        "to": "2027-03-13T00:00:00Z",
        "busy": [
            {"from": "2027-03-12T10:00:00Z", "to": "2027-03-12T11:00:00Z", "propertyId": house},
            {"from": "2027-03-12T11:00:00Z", "to": "2027-03-12T12:00:00Z", "propertyId": other},
        ],
    }
    nobody = api.get(at(agent_id(), "busy"), **window)
    assert (nobody.status_code, nobody.json()["busy"]) == (200, [])
    wide = api.get(at(id, "busy"), from_="2027-03-01T00:00:00Z", to="2027-04-02T00:00:00Z")
    assert pointers(wide) == ["?to"]


# The calendar


def shared(api: Api, id: str, **body: bool) -> str:
    answer = api.http.put(at(id, "calendar-token"), json=body)
    assert answer.status_code == 200, answer.text
    address: str = answer.json()["links"]["calendar"]
    return address


def test_an_agents_calendar_has_the_visits_of_all_properties_and_no_visitor(
    api: Api, house: str, anybody: httpx.Client
) -> None:
    id, villa = registered(api), api.property(property_id(), name="Villa", address="Villa Road 2")
    api.visit(house, "2027-03-12T10:00:00Z", agentId=id, visitor=VISITOR)
    api.visit(villa, "2027-03-12T14:00:00Z", agentId=id, place="Bus stop", visitor=VISITOR, notes="call first")
    api.visit(villa, "2027-03-13T14:00:00Z")
    text = anybody.get(shared(api, id)).text
    assert f"NAME:{GRACE['name']}" in text
    assert text.count("BEGIN:VEVENT") == 2
    for shown in ("SUMMARY:Visit: House", "SUMMARY:Visit: Villa", "LOCATION:Bus stop", "Address: Villa Road 2"):
        assert shown in text
    assert not [told for told in (*VISITOR.values(), "call first") if told in text]


def test_visitors_are_in_a_calendar_that_was_shared_with_them_until_they_are_erased(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client
) -> None:
    id = registered(api)
    visit = api.visit(house, "2027-03-12T10:00:00Z", agentId=id, visitor=VISITOR)
    address = shared(api, id, visitors=True)
    text = anybody.get(address).text.replace("\r\n ", "")
    assert f"SUMMARY:Visit: {VISITOR['name']}\\, House" in text
    assert f"Phone: {VISITOR['phone']}" in text
    assert VISITOR["email"] not in text
    tag = anybody.get(address).headers["ETag"]
    assert anybody.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert VISITOR["name"] not in str(list(partition(table, f"A#{id}"))), "nothing of a visitor is kept"
    assert api.http.delete(f"/visits/{visit['id']}/visitor").status_code == 204
    assert VISITOR["name"] not in anybody.get(address).text
    # A new address is without them, unless they are asked for again.
    api.visit(house, "2027-03-12T12:00:00Z", agentId=id, visitor=VISITOR)
    assert VISITOR["name"] not in anybody.get(shared(api, id)).text


def test_only_the_address_that_was_shared_opens_an_agents_calendar(api: Api, house: str, anybody: httpx.Client) -> None:
    id = registered(api)
    address = shared(api, id)
    token = address.partition("=")[2]
    for other in (
        at(id, "calendar.ics"),
        f"{at(registered(api), 'calendar.ics')}?token={token}",
        f"/properties/{house}/calendar.ics?token={token}",
        f"/agents/%FF/calendar.ics?token={token}",
        f"{address}x",
    ):
        problem(anybody.get(other), 404, "feed-not-found")
    assert anybody.get(address).status_code == 200
    assert api.http.delete(at(id, "calendar-token")).status_code == 204
    problem(anybody.get(address), 404, "feed-not-found")
    for answer in (
        api.http.put(at(agent_id(), "calendar-token"), json={}),
        api.http.delete(at(agent_id(), "calendar-token")),
    ):
        problem(answer, 404, "agent-not-found")
