"""Lists of visits over HTTP: filters, windows, pages, cursors; and addresses that resolve behind a stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import app as entry
from tests.builders import NOW, Clock, agent_id, event, property_body, property_id, visit_body
from tests.integration.api import Api, serve
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


@pytest.fixture(scope="module")
def the_clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(scope="module")
def api(table: FreshTable, the_clock: Clock) -> Iterator[Api]:
    with serve(table, the_clock) as api:
        yield api


@pytest.fixture
def clock(the_clock: Clock) -> Iterator[Clock]:
    """The API's clock, set back afterwards."""
    yield the_clock
    the_clock.now = NOW


def ids(visits: list[dict[str, Any]]) -> list[str]:
    return [visit["id"] for visit in visits]


def found(api: Api, **query: object) -> list[str]:
    answer = api.get("/visits", **query)
    assert answer.status_code == 200, answer.text
    return ids(answer.json()["items"])


def morning(api: Api, house: str, count: int = 3, **details: object) -> list[str]:
    """Visits one after the other, from ten o'clock."""
    return [api.visit(house, f"2027-03-12T{10 + n}:00:00Z", **details)["id"] for n in range(count)]


# What is listed


def test_a_list_shows_visits_as_they_are(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T10:00:00Z", visitor={"name": "Ann"}, notes="n", agentId=agent_id())
    answer = api.get("/visits", propertyId=house)
    assert answer.json() == {"items": [visit], "nextCursor": None}
    assert "Link" not in answer.headers


def test_filters_combine(api: Api, house: str) -> None:
    agent, elsewhere = agent_id(), api.property(property_id())
    mine = api.visit(house, "2027-03-12T10:00:00Z", agentId=agent)["id"]
    asked = api.visit(house, "2027-03-12T11:00:00Z", agentId=agent, status="requested")["id"]
    other = api.visit(elsewhere, "2027-03-12T12:00:00Z", agentId=agent)["id"]
    nobody = api.visit(house, "2027-03-12T13:00:00Z")["id"]
    assert found(api, propertyId=house) == [mine, asked, nobody]
    assert found(api, agentId=agent) == [mine, asked, other]
    assert found(api, agentId=agent, propertyId=house) == [mine, asked]
    assert found(api, agentId=agent, status="confirmed") == [mine, other]
    assert found(api, propertyId=house, status="requested,cancelled") == [asked]
    assert found(api, propertyId=house, status=["requested", "confirmed"], order="desc") == [nobody, asked, mine]
    assert found(api, propertyId=house, from_="2027-03-12T11:00:00Z", to="2027-03-12T13:00:00Z") == [asked]
    assert found(api, agentId=agent_id()) == []
    assert found(api, propertyId=property_id()) == []


def test_the_whole_agency_is_listed_without_a_property(api: Api, house: str) -> None:
    elsewhere = api.property(property_id())
    first, last = api.visit(house, "2030-01-31T23:45:00Z")["id"], api.visit(elsewhere, "2030-02-01T00:00:00Z")["id"]
    window = {"from_": "2030-01-01T00:00:00Z", "to": "2030-03-01T00:00:00Z"}
    assert found(api, **window) == [first, last]
    assert found(api, order="desc", **window) == [last, first]


def test_without_bounds_a_list_reaches_31_days_back_and_92_ahead(api: Api) -> None:
    house = api.property(property_id(), capacity=2)
    inside = ["2027-02-07T12:00:00Z", "2027-06-10T11:59:00Z"]
    for date in ("2027-02-07T11:59:00Z", *inside, "2027-06-10T12:00:00Z"):
        api.visit(house, date, durationMinutes=5)
    dates = [visit["date"] for visit in api.get("/visits", propertyId=house).json()["items"]]
    assert dates == inside


def test_one_bound_is_enough(api: Api, house: str) -> None:
    past, future = api.visit(house, "2026-04-01T10:00:00Z")["id"], api.visit(house, "2028-02-01T10:00:00Z")["id"]
    assert found(api, propertyId=house, to="2027-03-10T00:00:00Z") == [past]
    assert found(api, propertyId=house, from_="2027-03-10T00:00:00Z") == [future]


def test_a_bound_may_have_any_offset_and_an_unescaped_plus(api: Api, house: str) -> None:
    (only,) = morning(api, house, 1)
    for query in (
        "from=2027-03-12T11:00:00%2B01:00",
        "from=2027-03-12T11:00:00+01:00",
        "from=2027-03-12T09:00:00-01:00",
    ):
        assert ids(api.http.get(f"/visits?propertyId={house}&{query}").json()["items"]) == [only]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2027-03-12", "?from"),
        ("from=2027-03-12T10:00:00", "?from"),
        ("to=tomorrow", "?to"),
        ("to=", "?to"),
        ("from=2027-03-12T00:00:00Z&to=2027-03-12T00:00:00Z", "?to"),
        ("from=2027-01-01T00:00:00Z&to=2028-01-03T00:00:00Z", "?to"),
        ("limit=0", "?limit"),
        ("limit=101", "?limit"),
        ("limit=1e1", "?limit"),
        ("limit=-1", "?limit"),
        ("limit=%D9%A3", "?limit"),
        ("limit=99999999999999999999", "?limit"),
        ("order=up", "?order"),
        ("order=asc&order=desc", "?order"),
        ("status=done", "?status"),
        ("status=", "?status"),
        ("status=confirmed,", "?status"),
        ("propertyId=a/b", "?propertyId"),
        ("propertyId=", "?propertyId"),
        ("propertyId=a&propertyId=b", "?propertyId"),
        ("agentId=" + "x" * 129, "?agentId"),
        ("colour=red", "?colour"),
        ("From=2027-03-12T00:00:00Z", "?From"),
    ],
)
def test_what_a_list_cannot_be_asked_for_is_named(api: Api, query: str, pointer: str) -> None:
    assert pointers(api.http.get(f"/visits?{query}")) == [pointer]


def test_a_list_of_one_property_or_agent_may_be_wider_than_a_year(api: Api, house: str) -> None:
    wide = {"from_": "2023-01-01T00:00:00Z", "to": "2031-01-01T00:00:00Z"}
    assert found(api, propertyId=house, **wide) == []
    assert found(api, agentId=agent_id(), **wide) == []
    assert pointers(api.get("/visits", **wide)) == ["?to"]


# Pages


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_following_the_link_shows_every_visit_once(api: Api, house: str, order: str) -> None:
    made = morning(api, house, 5)
    pages = []
    answer = api.get("/visits", propertyId=house, order=order, limit=2, status="confirmed")
    while True:
        pages.append(ids(answer.json()["items"]))
        if answer.json()["nextCursor"] is None:
            assert "Link" not in answer.headers
            break
        link = answer.headers["Link"]
        assert link.endswith('>; rel="next"')
        by_link = api.http.get(link[1 : link.index(">")])
        by_cursor = api.get(
            "/visits",
            propertyId=house,
            order=order,
            limit=2,
            status="confirmed",
            cursor=answer.json()["nextCursor"],
        )
        assert ids(by_link.json()["items"]) == ids(by_cursor.json()["items"])
        answer = by_link
    expected = made if order == "asc" else made[::-1]
    assert pages == [expected[:2], expected[2:4], expected[4:]]


def test_the_next_page_may_be_of_another_size(api: Api, house: str) -> None:
    made = morning(api, house)
    cursor = api.get("/visits", propertyId=house, limit=1).json()["nextCursor"]
    assert found(api, propertyId=house, limit=100, cursor=cursor) == made[1:]


def test_the_first_page_freezes_the_window_for_those_that_follow(api: Api, house: str, clock: Clock) -> None:
    old = api.visit(house, "2027-02-07T12:30:00Z", durationMinutes=5)["id"]
    older_page = api.get("/visits", propertyId=house, limit=1, order="desc")
    later = api.visit(house, "2027-06-10T13:00:00Z")["id"]
    assert older_page.json()["nextCursor"] is None
    morning(api, house, 1)
    cursor = api.get("/visits", propertyId=house, limit=1, order="desc").json()["nextCursor"]
    clock.advance(timedelta(hours=2))
    assert found(api, propertyId=house, order="desc", cursor=cursor) == [old], "the window has not moved on"
    now = found(api, propertyId=house)
    assert old not in now
    assert later in now


def cursor_of(api: Api, house: str) -> str:
    """The cursor after the first page of a list of one property's visits."""
    morning(api, house, 2)
    cursor: str = api.get("/visits", propertyId=house, limit=1).json()["nextCursor"]
    return cursor


@pytest.mark.parametrize("place", range(0, 200, 20))
def test_a_tampered_cursor_is_refused(api: Api, house: str, place: int) -> None:
    cursor = cursor_of(api, house)
    place %= len(cursor)
    tampered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
    problem(api.get("/visits", propertyId=house, cursor=tampered), 400, "invalid-cursor")


@pytest.mark.parametrize("cursor", ["x", "..", "a.b.c", "%00", "e30.k1.AAAA", "é", "-" * 1000])
def test_what_was_never_a_cursor_is_refused(api: Api, cursor: str) -> None:
    problem(api.get("/visits", cursor=cursor), 400, "invalid-cursor")


def test_a_cursor_is_good_for_its_own_list_only(api: Api, house: str) -> None:
    cursor = cursor_of(api, house)
    for other in (
        {},
        {"propertyId": property_id()},
        {"propertyId": house, "order": "desc"},
        {"propertyId": house, "status": "confirmed"},
        {"propertyId": house, "agentId": "a"},
        {"propertyId": house, "from_": "2027-03-01T00:00:00Z"},
    ):
        problem(api.get("/visits", cursor=cursor, **other), 400, "invalid-cursor")
    problem(api.get("/properties", cursor=cursor), 400, "invalid-cursor")
    assert len(found(api, propertyId=house, cursor=cursor)) == 1


def test_a_cursor_expires_after_a_day(api: Api, house: str, clock: Clock) -> None:
    cursor = cursor_of(api, house)
    clock.advance(timedelta(hours=23, minutes=59))
    assert len(found(api, propertyId=house, cursor=cursor)) == 1
    clock.advance(timedelta(minutes=1))
    problem(api.get("/visits", propertyId=house, cursor=cursor), 400, "invalid-cursor")


def test_a_cursor_shows_nothing_of_the_visitor(api: Api, house: str) -> None:
    morning(api, house, 2, visitor={"name": "Ann"}, notes="secret")
    assert "Ann" not in api.get("/visits", propertyId=house, limit=1).json()["nextCursor"]


# Behind a stage: the gateway's path has the stage before ours


def called(method: str, resource: str, path: str | None = None, **details: Any) -> dict[str, Any]:
    """The app's answer to the gateway, as it is behind the stage `api`."""
    details["headers"] = {"Content-Type": "application/json", **details.get("headers", {})}
    answer: dict[str, Any] = entry.app(event(method, resource, path, stage="/api", **details), None)
    return answer


def test_addresses_resolve_behind_a_stage(api: Api) -> None:
    house = property_id()
    made = called("POST", "/properties", body=json.dumps(property_body(id=house)).encode())
    assert made["headers"]["Location"] == f"/api/properties/{house}"
    for hour in (10, 11):
        wish = visit_body(house, f"2027-03-12T{hour}:00:00Z")
        booked = called("POST", "/visits", body=json.dumps(wish).encode())
        assert booked["headers"]["Location"] == f"/api/visits/{json.loads(booked['body'])['id']}"
    page = called("GET", "/visits", query={"propertyId": [house], "limit": ["1"]})
    assert page["headers"]["Link"].startswith(f"</api/visits?propertyId={house}&limit=1&cursor=")
    shown = called("GET", "/properties/{property_id}", f"/properties/{house}", parameters={"property_id": house})
    assert json.loads(shown["body"])["links"]["visits"].startswith(f"/api/visits?propertyId={house}&from=2022-")
    put = called(
        "PUT",
        "/properties/{property_id}",
        f"/properties/{house}x",
        parameters={"property_id": f"{house}x"},
        headers={"If-None-Match": "*"},
        body=json.dumps(property_body()).encode(),
    )
    assert put["headers"]["Location"] == f"/api/properties/{house}x"


def test_no_address_is_built_from_the_host_that_the_caller_names(api: Api, house: str) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    booked = api.http.post("/visits", json=visit_body(house), headers=headers)
    assert booked.headers["Location"] == f"/visits/{booked.json()['id']}"
    assert "evil" not in str(api.http.get(f"/properties/{house}", headers=headers).json())
