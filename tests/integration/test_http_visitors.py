"""Everything of one person over HTTP: found and erased by e-mail address or telephone number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import NOW, Clock
from tests.integration.api import Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

ADA = {"name": "Ada Searchwoman", "email": "Ada@search.example", "phone": "+49 (0)30 7654321"}


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, clock=Clock(NOW)) as api:
        yield api


def found(api: Api, **who: Any) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = api.post("/visitors/search", who | cursor)
        assert answer.status_code == 200, answer.text
        ids += [visit["id"] for visit in answer.json()["items"]]
        if answer.json()["nextCursor"] is None:
            return ids
        cursor = {"cursor": answer.json()["nextCursor"]}


def test_everything_of_a_person_is_found_at_all_properties_and_erased(table: FreshTable, api: Api) -> None:
    houses = [api.property(f"of-ada-{n}", capacity=5) for n in range(3)]
    hers = [api.visit(house, "2027-03-12T10:00:00Z", visitor=ADA, notes="call first") for house in houses]
    by_phone = api.visit(houses[0], "2027-03-12T12:00:00Z", visitor={"phone": "0049 30 765-4321"})
    other = api.visit(houses[0], "2027-03-12T10:00:00Z", visitor={"name": ADA["name"], "email": "eve@search.example"})
    ids = sorted(visit["id"] for visit in hers)
    for limit in (1, 2, 50):
        assert found(api, email="ADA@search.example", limit=limit) == ids
    assert found(api, phone="+49307654321") == sorted([*ids, by_phone["id"]])
    moved = api.patch(f"/visits/{hers[0]['id']}", {"date": "2027-03-12T15:00:00Z", "visitor": {"phone": None}})
    assert moved.status_code == 200
    assert found(api, phone="+49307654321") == sorted([*ids[1:], by_phone["id"]])
    done = api.post("/visitors/erase", {"email": "ada@SEARCH.example"})
    assert (done.status_code, done.json()) == (200, {"erased": 3, "more": False})
    assert found(api, email=ADA["email"]) == []
    assert found(api, phone=ADA["phone"]) == [by_phone["id"]]
    assert api.post("/visitors/erase", {"email": ADA["email"]}).json() == {"erased": 0, "more": False}
    for id in ids:
        left = api.get(f"/visits/{id}").json()
        assert "visitor" not in left
        assert "notes" not in left
    assert api.get(f"/visits/{other['id']}").json() == other
    kept = [item for item in everything(table) if item.get("id") in ids]
    assert not [item for item in kept if item.keys() & {"g4pk", "g5pk", "visitor"}], "nothing leads to them any more"
    assert slot_audit(everything(table)) == []


def test_erasing_one_visit_takes_it_out_of_what_is_found(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T10:00:00Z", visitor={"email": "once@search.example"})
    assert found(api, email="once@search.example") == [visit["id"]]
    assert api.http.delete(f"/visits/{visit['id']}/visitor").status_code == 204
    assert found(api, email="once@search.example") == []


@pytest.mark.parametrize("what", ["search", "erase"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#"),
        ({"email": "ada@search.example", "phone": "+49 30 1"}, "#"),
        ({"email": None, "phone": None}, "#"),
        ({"email": "nobody"}, "#/email"),
        ({"phone": "none"}, "#/phone"),
        ({"name": "Ada Searchwoman"}, "#/name"),
    ],
)
def test_a_person_is_named_by_one_contact(api: Api, what: str, body: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers(api.post(f"/visitors/{what}", body))


def test_a_cursor_goes_on_with_the_same_person_alone(api: Api, house: str) -> None:
    for hour in (8, 9):
        api.visit(house, f"2027-03-13T{hour:02}:00:00Z", visitor={"email": "page@search.example"})
    cursor = api.post("/visitors/search", {"email": "page@search.example", "limit": 1}).json()["nextCursor"]
    assert "page" not in cursor
    for body in ({"email": "other@search.example"}, {"phone": "+49 30 1"}):
        problem(api.post("/visitors/search", body | {"cursor": cursor}), 400, "invalid-cursor")
    again = api.post("/visitors/search", {"email": "PAGE@search.example", "cursor": cursor})
    assert len(again.json()["items"]) == 1
    assert pointers(api.post("/visitors/search", {"email": "page@search.example", "limit": 101})) == ["#/limit"]
