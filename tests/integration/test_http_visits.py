"""Visits over HTTP: booking, changing, passing on, erasing; and what happens when somebody else was faster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.domain.idempotency import KEPT
from chalicelib.domain.visits import LIFECYCLE, Status
from tests.builders import NOW, Clock, agent_id, property_body, property_id, visit_body
from tests.integration.api import Api, serve
from tests.integration.audit import everything
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

TEN = "2027-03-12T10:00:00Z"
NOON = "2027-03-12T12:00:00Z"
PAST = "2027-03-09T10:00:00Z"
VISITOR = {"name": "Ann Beispiel", "email": "ann@example.com", "phone": "+49 30 901820"}


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


@pytest.fixture
def visit(api: Api, house: str) -> dict[str, Any]:
    """A visit with everything."""
    return api.visit(house, TEN, agentId=agent_id(), visitor=VISITOR, notes="bell broken", place="Garden")


def address(visit: dict[str, Any]) -> str:
    return f"/visits/{visit['id']}"


def patched(api: Api, visit: dict[str, Any], body: object) -> dict[str, Any]:
    answer = api.patch(address(visit), body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert api.get(address(visit)).json() == found
    return found


# Booking


def test_the_legacy_body_alone_books_a_visit(api: Api, house: str) -> None:
    made = api.post("/visits", {"propertyId": house, "date": "2027-03-12T11:00:00+01:00", "place": "Lobby"})
    assert made.status_code == 201
    visit = made.json()
    assert made.headers["Location"] == f"/visits/{visit['id']}"
    assert made.headers["ETag"] == '"1"'
    assert made.headers["Content-Type"] == "application/json"
    assert visit == {
        "id": visit["id"],
        "propertyId": house,
        "date": TEN,
        "durationMinutes": 30,
        "timeZone": "Europe/Berlin",
        "place": "Lobby",
        "status": "confirmed",
        "notify": True,
        "version": 1,
        "createdAt": "2027-03-10T12:00:00Z",
        "updatedAt": "2027-03-10T12:00:00Z",
        "createdBy": "tests",
        "updatedBy": "tests",
    }
    found = api.get(made.headers["Location"])
    assert (found.json(), found.headers["ETag"]) == (visit, '"1"')


def test_a_booking_may_say_everything(api: Api, house: str) -> None:
    wish = visit_body(
        house, durationMinutes=45, status="requested", agentId=agent_id(), visitor=VISITOR, notes="two\nlines"
    )
    visit = api.post("/visits", wish).json()
    assert {name: visit[name] for name in wish} == wish
    assert visit["place"] == "Lane 1"


@pytest.mark.parametrize(
    "absent", ["place", "agentId", "visitor", "notes"], ids=lambda name: f"{name} null is {name} absent"
)
def test_null_means_absent_in_a_booking(api: Api, house: str, absent: str) -> None:
    visit = api.post("/visits", visit_body(house) | {absent: None})
    assert visit.status_code == 201
    assert visit.json().get(absent) == ("Lane 1" if absent == "place" else None)


def test_a_visit_to_an_unknown_property_is_not_found_by_its_own_type(api: Api) -> None:
    missing = property_id()
    refused = api.post("/visits", visit_body(missing))
    assert problem(refused, 404, "property-not-found")["propertyId"] == missing


def test_a_taken_slot_is_named_and_its_visitor_is_not(api: Api, house: str) -> None:
    api.visit(house, "2027-03-12T10:20:00Z", visitor=VISITOR, notes="bell broken")
    refused = api.post("/visits", visit_body(house, "2027-03-12T10:50:00Z"))
    document = problem(refused, 409, "slot-taken")
    assert document["conflicts"] == [
        {"from": "2027-03-12T10:45:00Z", "to": "2027-03-12T11:00:00Z", "holder": "property"}
    ]
    assert "Ann" not in refused.text
    assert "bell" not in refused.text


def test_an_agent_who_is_elsewhere_is_a_conflict_and_an_open_house_is_none(api: Api, house: str) -> None:
    agent, open_house = agent_id(), api.property(property_id(), capacity=3)
    api.visit(open_house, TEN, agentId=agent)
    api.visit(open_house, TEN, agentId=agent)
    refused = problem(api.post("/visits", visit_body(house, agentId=agent)), 409, "slot-taken")
    assert refused["conflicts"] == [{"from": TEN, "to": "2027-03-12T10:30:00Z", "holder": "agent"}]
    assert "/visits?agentId=" in refused["detail"], "the property's busy times would not explain it"
    assert "/busy" not in refused["detail"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"propertyId": None}, "#/propertyId"),
        ({"propertyId": "a b"}, "#/propertyId"),
        ({"propertyId": 7}, "#/propertyId"),
        ({"date": None}, "#/date"),
        ({"date": 1790000000}, "#/date"),
        ({"date": "2027-03-12"}, "#/date"),
        ({"date": "2027-03-12T10:00:00"}, "#/date"),
        ({"date": "2027-02-29T10:00:00Z"}, "#/date"),
        ({"date": "2033-03-12T10:00:00Z"}, "#/date"),
        ({"date": "2021-03-12T10:00:00Z"}, "#/date"),
        ({"date": "0001-01-01T00:00:00+23:59"}, "#/date"),
        ({"date": "9999-12-31T23:59:59-23:59"}, "#/date"),
        ({"durationMinutes": 4}, "#/durationMinutes"),
        ({"durationMinutes": 241}, "#/durationMinutes"),
        ({"durationMinutes": "30"}, "#/durationMinutes"),
        ({"durationMinutes": True}, "#/durationMinutes"),
        ({"durationMinutes": None}, "#/durationMinutes"),
        ({"place": ""}, "#/place"),
        ({"place": "x" * 501}, "#/place"),
        ({"place": "x" * 10_000}, "#/place"),
        ({"status": "completed"}, "#/status"),
        ({"status": "CONFIRMED"}, "#/status"),
        ({"agentId": "x" * 129}, "#/agentId"),
        ({"agentId": ""}, "#/agentId"),
        ({"visitor": {}}, "#/visitor"),
        ({"visitor": {"name": "x" * 201}}, "#/visitor/name"),
        ({"visitor": {"name": "A", "email": "a@" + "x" * 253}}, "#/visitor/email"),
        ({"visitor": {"name": "A", "email": "no address"}}, "#/visitor/email"),
        ({"visitor": {"name": "A", "phone": "1" * 65}}, "#/visitor/phone"),
        ({"visitor": {"phone": "4930901820.0"}}, "#/visitor/phone"),
        ({"visitor": {"email": "ann@example.com,"}}, "#/visitor/email"),
        ({"agentId": "\u200b"}, "#/agentId"),
        ({"visitor": {"name": "A", "age": 7}}, "#/visitor/age"),
        ({"visitor": "Ann"}, "#/visitor"),
        ({"notes": "x" * 2001}, "#/notes"),
        ({"colour": "red"}, "#/colour"),
        ({"id": "00000000-0000-7000-8000-000000000000"}, "#/id"),
        ({"timeZone": "Europe/Berlin"}, "#/timeZone"),
        ({"version": 1}, "#/version"),
    ],
)
def test_what_a_booking_may_not_say_is_pointed_to(
    api: Api, house: str, changes: dict[str, object], pointer: str
) -> None:
    assert pointers(api.post("/visits", visit_body(house) | changes)) == [pointer]


@pytest.mark.parametrize("date", ["2027-03-12T10:00:00.999Z", "2027-03-12T11:00:00+0100", "2027-03-12 11:00:00 +0100"])
def test_an_instant_is_taken_as_others_write_it_and_kept_to_the_second(api: Api, house: str, date: str) -> None:
    booked = api.post("/visits", visit_body(house) | {"date": date})
    assert (booked.status_code, booked.json()["date"]) == (201, "2027-03-12T10:00:00Z")
    listed = api.get("/visits", propertyId=house, from_=date, to="2027-03-12 11:00:01 +0100")
    assert [visit["id"] for visit in listed.json()["items"]] == [booked.json()["id"]]


def test_an_instant_without_an_offset_is_answered_with_an_example(api: Api, house: str) -> None:
    refused = api.post("/visits", visit_body(house, "2027-03-12T10:00:00"))
    assert "offset" in problem(refused, 422, "invalid-input")["errors"][0]["detail"]
    assert "+01:00" in refused.json()["errors"][0]["detail"]


def test_the_bounds_themselves_are_allowed(api: Api, house: str) -> None:
    visitor = {"name": "x" * 200, "email": "a@" + "x" * 252, "phone": "1" * 64}
    for changes in (
        {"date": "2027-03-12T08:00:00Z", "durationMinutes": 5},
        {"date": "2027-03-12T12:00:00Z", "durationMinutes": 240, "place": "🏠" * 500, "notes": "é" * 2000},
        {"date": "2027-03-12T09:00:00Z", "visitor": visitor, "agentId": "x" * 128},
    ):
        assert api.post("/visits", visit_body(house) | changes).status_code == 201


# Reading


@pytest.mark.parametrize("id", ["x", "00000000-0000-7000-8000-0000000000zz", "00000000-0000-7000-8000-000000000000"])
def test_a_visit_that_is_not_there_is_not_found(api: Api, id: str) -> None:
    problem(api.get(f"/visits/{id}"), 404, "visit-not-found")
    problem(api.patch(f"/visits/{id}", {"notes": "x"}), 404, "visit-not-found")
    problem(api.put(f"/visits/{id}/status", {"status": "cancelled"}), 404, "visit-not-found")
    problem(api.http.delete(f"/visits/{id}/visitor"), 404, "visit-not-found")


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"9", "1"', '"9",W/"1" , "x"', "*"])
def test_an_unchanged_visit_is_not_sent_again(api: Api, visit: dict[str, Any], tag: str) -> None:
    answer = api.http.get(address(visit), headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')


@pytest.mark.parametrize("tag", ['"2"', '"01"', '"2", W/"3"'])
def test_a_changed_visit_is_sent(api: Api, visit: dict[str, Any], tag: str) -> None:
    answer = api.http.get(address(visit), headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()) == (200, visit)


def test_a_call_without_parameters_takes_none(api: Api, visit: dict[str, Any]) -> None:
    assert pointers(api.get(address(visit), expand="visitor")) == ["?expand"]


# Changing


def test_a_merge_patch_changes_what_it_names(api: Api, visit: dict[str, Any]) -> None:
    answer = api.http.patch(
        address(visit),
        content=json.dumps({"notes": "key at the neighbour's", "visitor": {"phone": "+49 30 2"}}),
        headers={"If-Match": '"1"', "Content-Type": "application/merge-patch+json"},
    )
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    assert answer.json() == visit | {
        "notes": "key at the neighbour's",
        "visitor": VISITOR | {"phone": "+49 30 2"},
        "version": 2,
    }


def test_null_takes_away_or_sets_the_default(api: Api, house: str) -> None:
    visit = api.visit(
        house, TEN, durationMinutes=60, place="Garden", agentId=agent_id(), visitor=VISITOR, notes="bell broken"
    )
    found = patched(api, visit, {"visitor": {"email": None}, "notes": None})
    assert found["visitor"] == {"name": VISITOR["name"], "phone": VISITOR["phone"]}
    assert "notes" not in found
    found = patched(api, visit, {"place": None, "durationMinutes": None, "agentId": None, "visitor": None})
    assert (found["place"], found["durationMinutes"]) == ("Lane 1", 30)
    assert not found.keys() & {"agentId", "visitor", "notes"}


def test_a_visitor_can_be_added_later(api: Api, house: str) -> None:
    visit = api.visit(house, TEN)
    assert pointers(api.patch(address(visit), {"visitor": {"name": None}})) == ["#/visitor"]
    assert patched(api, visit, {"visitor": {"email": "a@example.com"}})["visitor"] == {"email": "a@example.com"}
    assert patched(api, visit, {"visitor": {"name": "Bo", "email": None}})["visitor"] == {"name": "Bo"}
    assert pointers(api.patch(address(visit), {"visitor": {"name": None}})) == ["#/visitor"]


def test_a_lead_has_an_address_or_a_number_alone(api: Api) -> None:
    house = api.property(property_id(), capacity=2)
    for visitor in ({"email": "lead@example.com"}, {"phone": "+49 30 901820"}):
        visit = api.visit(house, TEN, visitor=visitor)
        assert visit["visitor"] == visitor
        assert api.get(address(visit)).json() == visit


def test_what_people_paste_is_kept_in_its_plain_spelling(api: Api, house: str) -> None:
    visitor = {"email": "<mailto:ann@example.com> ", "phone": "tel:+49\u00a030 901820\u201112 Durchwahl 3"}
    visit = api.visit(house, TEN, visitor=visitor)
    assert visit["visitor"] == {"email": "ann@example.com", "phone": "+49 30 901820-12 x3"}


def test_an_agent_is_one_person_however_the_id_is_spelled(api: Api, house: str) -> None:
    other, agent = api.property(property_id()), agent_id()
    visit = api.visit(house, TEN, agentId=f"nöra {agent}")
    assert visit["agentId"] == f"nöra {agent}"
    for spelling in (f"nöra {agent} ", f"no\u0308ra {agent}", f"nöra\u00a0{agent}"):
        refused = problem(api.post("/visits", visit_body(other, agentId=spelling)), 409, "slot-taken")
        assert refused["conflicts"][0]["holder"] == "agent"
        assert [found["id"] for found in api.get("/visits", agentId=spelling).json()["items"]] == [visit["id"]]
        assert patched(api, visit, {"agentId": spelling}) == visit


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"date": None}, "#/date"),
        ({"date": "2027-03-12"}, "#/date"),
        ({"date": "2037-03-12T10:00:00Z"}, "#/date"),
        ({"visitor": {"name": None, "email": None, "phone": None}}, "#/visitor"),
        ({"visitor": {"name": ""}}, "#/visitor/name"),
        ({"status": "cancelled"}, "#/status"),
        ({"propertyId": "other"}, "#/propertyId"),
        ({"version": 2}, "#/version"),
        ({"status": None}, "#/status"),
        ({"id": "00000000-0000-7000-8000-000000000000"}, "#/id"),
        ({"timeZone": "Europe/Lisbon"}, "#/timeZone"),
        ({"createdAt": "2027-03-10T12:00:01Z"}, "#/createdAt"),
        ({"updatedAt": "2027-03-10"}, "#/updatedAt"),
        ({"cancellation": {"at": "2027-03-10T12:00:00Z"}}, "#/cancellation"),
        ({"place": ""}, "#/place"),
        ({"nonsense": 1}, "#/nonsense"),
        ([], "#"),
        ("notes", "#"),
        (None, "#"),
    ],
)
def test_what_a_patch_may_not_say_is_pointed_to(api: Api, visit: dict[str, Any], body: object, pointer: str) -> None:
    refused = api.http.patch(
        address(visit), content=json.dumps(body), headers={"If-Match": "*", "Content-Type": "application/json"}
    )
    assert pointers(refused) == [pointer]
    assert api.get(address(visit)).json() == visit


def test_a_patch_of_another_media_type_is_told_which_are_taken(api: Api, visit: dict[str, Any]) -> None:
    headers = {"If-Match": "*", "Content-Type": "application/json-patch+json"}
    refused = api.http.patch(address(visit), content=b"[]", headers=headers)
    problem(refused, 415, "unsupported-media-type")
    assert refused.headers["Accept-Patch"] == "application/merge-patch+json, application/json"
    booking = api.http.post("/visits", content=b"[]", headers={"Content-Type": "text/plain"})
    problem(booking, 415, "unsupported-media-type")
    assert (booking.headers["Accept"], "Accept-Patch" in booking.headers) == ("application/json", False)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_visit_that_was_read_can_be_sent_back_whole(api: Api, visit: dict[str, Any], cancelled: bool) -> None:
    if cancelled:
        api.put(f"{address(visit)}/status", {"status": "cancelled", "reason": "ill"})
    read = api.get(address(visit))
    same = api.patch(address(visit), read.json(), read.headers["ETag"])
    assert (same.status_code, same.json(), same.headers["ETag"]) == (200, read.json(), read.headers["ETag"])
    elsewhere = {"createdAt": "2027-03-10T13:00:00+01:00", "notes": "edited"}
    edited = api.patch(address(visit), read.json() | elsewhere, read.headers["ETag"])
    assert (edited.status_code, edited.json()["notes"]) == (200, "edited")
    # What was read before is no longer so.
    assert pointers(api.patch(address(visit), read.json())) == ["#/version"]


def test_a_patch_of_the_status_points_to_its_own_call(api: Api, visit: dict[str, Any]) -> None:
    refused = api.patch(address(visit), {"status": "cancelled"})
    assert "PUT /visits/{id}/status" in problem(refused, 422, "invalid-input")["errors"][0]["detail"]


@pytest.mark.parametrize("body", [{}, {"notes": "bell broken"}, {"date": "2027-03-12T11:00:00+01:00", "visitor": {}}])
def test_a_patch_that_changes_nothing_leaves_the_version(api: Api, visit: dict[str, Any], body: object) -> None:
    answer = api.patch(address(visit), body)
    assert (answer.status_code, answer.headers["ETag"], answer.json()) == (200, '"1"', visit)


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({}, 428, "precondition-required"),
        ({"If-Match": '"2"'}, 412, "precondition-failed"),
        ({"If-Match": 'W/"1"'}, 412, "precondition-failed"),
        ({"If-Match": '"2", "3"'}, 412, "precondition-failed"),
        ({"If-Match": '"99999999999999999999999999"'}, 412, "precondition-failed"),
        ({"If-Match": '"1²"'}, 400, "malformed-request"),
        ({"If-Match": "1"}, 400, "malformed-request"),
        ({"If-Match": '"1'}, 400, "malformed-request"),
        ({"If-Match": '"1" "2"'}, 400, "malformed-request"),
        ({"If-Match": "*, *"}, 400, "malformed-request"),
    ],
)
def test_a_patch_must_say_which_version_it_changes(
    api: Api, visit: dict[str, Any], headers: dict[str, str], status: int, kind: str
) -> None:
    problem(api.http.patch(address(visit), json={"notes": "x"}, headers=httpx.Headers(headers, "utf-8")), status, kind)
    assert api.get(address(visit)).json() == visit


@pytest.mark.parametrize("tag", ['"1"', '"9", "1"', 'W/"9","1"', "*"])
def test_a_patch_of_the_current_version_is_taken(api: Api, visit: dict[str, Any], tag: str) -> None:
    assert api.patch(address(visit), {"notes": "x"}, tag).status_code == 200


def test_of_two_who_read_the_same_version_one_is_told(api: Api, visit: dict[str, Any]) -> None:
    assert api.patch(address(visit), {"notes": "mine"}, '"1"').status_code == 200
    problem(api.patch(address(visit), {"notes": "yours"}, '"1"'), 412, "precondition-failed")
    assert api.get(address(visit)).json()["notes"] == "mine"


def test_a_new_date_reschedules_and_keeps_the_id(api: Api, house: str, visit: dict[str, Any]) -> None:
    moved = patched(api, visit, {"date": "2027-03-12T13:00:00+01:00"})
    assert (moved["id"], moved["date"], moved["version"]) == (visit["id"], NOON, 2)
    api.visit(house, TEN)
    problem(api.post("/visits", visit_body(house, NOON)), 409, "slot-taken")


def test_a_visit_is_not_rescheduled_to_a_taken_time(api: Api, house: str, visit: dict[str, Any]) -> None:
    api.visit(house, NOON)
    refused = api.patch(address(visit), {"date": NOON, "notes": "x"})
    assert problem(refused, 409, "slot-taken")["conflicts"][0]["from"] == NOON
    assert api.get(address(visit)).json() == visit


@pytest.mark.parametrize("body", [{"date": NOON}, {"durationMinutes": 60}, {"agentId": "other"}, {"agentId": None}])
def test_time_and_agent_stay_once_the_slots_are_free(api: Api, visit: dict[str, Any], body: dict[str, object]) -> None:
    api.put(f"{address(visit)}/status", {"status": "cancelled"})
    document = problem(api.patch(address(visit), body), 409, "slots-released")
    assert (document["currentStatus"], document["fields"]) == ("cancelled", list(body))
    assert api.patch(address(visit), {"notes": "no wonder", "place": "Cellar"}).status_code == 200


# Passing on


def to(api: Api, visit: dict[str, Any], status: str, **members: object) -> httpx.Response:
    return api.put(f"{address(visit)}/status", {"status": status, **members})


@pytest.mark.parametrize("wanted", Status)
@pytest.mark.parametrize("current", Status)
def test_a_visit_passes_on_as_its_lifecycle_says(api: Api, house: str, current: Status, wanted: Status) -> None:
    visit = api.visit(house, PAST, status="requested")
    path = {
        Status.REQUESTED: (),
        Status.COMPLETED: (Status.CONFIRMED, Status.COMPLETED),
        Status.NO_SHOW: (Status.CONFIRMED, Status.NO_SHOW),
    }.get(current, (current,))
    for step in path:
        assert to(api, visit, step).status_code == 200
    answer = to(api, visit, wanted)
    if wanted == current or wanted in LIFECYCLE[current]:
        assert (answer.status_code, answer.json()["status"]) == (200, wanted)
        # Of all statuses one alone was cancelled, however the visit came to its own.
        assert ("cancellation" in answer.json()) == (wanted is Status.CANCELLED)
    else:
        document = problem(answer, 409, "transition-not-allowed")
        assert (document["currentStatus"], document["allowed"]) == (current, [*LIFECYCLE[current]])
        assert api.get(address(visit)).json()["status"] == current


def test_a_mistaken_outcome_is_corrected_and_holds_no_time(api: Api, house: str) -> None:
    visit = api.visit(house, PAST)
    for status in ("no_show", "completed", "no_show"):
        assert to(api, visit, status).json()["status"] == status
    refused = problem(to(api, visit, "confirmed"), 409, "transition-not-allowed")
    assert refused["allowed"] == ["completed"]
    api.visit(house, PAST)


def test_asking_again_for_a_status_changes_nothing(api: Api, visit: dict[str, Any]) -> None:
    first = to(api, visit, "cancelled", reason="ill")
    again = to(api, visit, "cancelled", reason="another reason")
    assert (again.status_code, again.json(), again.headers["ETag"]) == (200, first.json(), '"2"')
    assert first.json()["cancellation"] == {"at": "2027-03-10T12:00:00Z", "reason": "ill", "by": "tests"}


def test_a_cancelled_visit_frees_its_slots(api: Api, house: str, visit: dict[str, Any]) -> None:
    problem(api.post("/visits", visit_body(house)), 409, "slot-taken")
    to(api, visit, "cancelled")
    api.visit(house, TEN, agentId=visit["agentId"])


@pytest.mark.parametrize("outcome", ["completed", "no_show"])
def test_only_after_its_start_has_a_visit_an_outcome(api: Api, house: str, clock: Clock, outcome: str) -> None:
    visit = api.visit(house, TEN)
    assert problem(to(api, visit, outcome), 409, "visit-not-started")["starts"] == TEN
    clock.advance(timedelta(days=2))
    assert to(api, visit, outcome).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"status": "done"},
        {"status": None},
        {},
        {"status": "confirmed", "reason": "because"},
        {"status": "cancelled", "reason": "x" * 501},
        {"status": "cancelled", "reason": ""},
        {"status": "cancelled", "why": "x"},
    ],
)
def test_what_a_status_may_not_say_is_refused(api: Api, visit: dict[str, Any], body: object) -> None:
    problem(api.put(f"{address(visit)}/status", body), 422, "invalid-input")


def test_a_version_named_with_a_status_is_honoured(api: Api, visit: dict[str, Any]) -> None:
    stale = api.http.put(f"{address(visit)}/status", json={"status": "cancelled"}, headers={"If-Match": '"7"'})
    problem(stale, 412, "precondition-failed")
    current = api.http.put(f"{address(visit)}/status", json={"status": "cancelled"}, headers={"If-Match": '"1"'})
    assert current.status_code == 200


# Erasing


def test_erasing_takes_every_word_about_the_visitor_out_of_every_answer_and_of_the_table(
    api: Api, table: FreshTable
) -> None:
    house, agent = api.property(property_id()), agent_id()
    secrets = {"name": "Zara Geheim", "email": "zara@example.com", "phone": "+49 30 777"}
    visit = api.visit(house, TEN, agentId=agent, visitor=secrets, notes="Zara bites")
    to(api, visit, "cancelled", reason="Zara is ill")
    erased = api.http.delete(f"{address(visit)}/visitor")
    assert (erased.status_code, erased.content, erased.headers["ETag"]) == (204, b"", '"3"')
    found = api.get(address(visit)).json()
    assert not found.keys() & {"visitor", "notes"}
    assert found["cancellation"] == {"at": "2027-03-10T12:00:00Z", "by": "tests"}
    assert (found["status"], found["place"], found["agentId"]) == ("cancelled", "Lane 1", agent)
    answers = [
        api.get(address(visit)),
        api.get("/visits", propertyId=house),
        api.get("/visits", agentId=agent),
        api.get("/visits", limit=100, status="cancelled"),
        api.get(f"/properties/{house}"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "ara" not in answer.text.replace("Garden", "")
    assert all(found in answer.json()["items"] for answer in answers[1:4])
    assert "Zara" not in str(list(everything(table)))
    again = api.http.delete(f"{address(visit)}/visitor")
    assert (again.status_code, again.headers["ETag"]) == (204, '"3"')


def test_erasing_keeps_the_slots(api: Api, house: str, visit: dict[str, Any]) -> None:
    assert api.http.delete(f"{address(visit)}/visitor").status_code == 204
    problem(api.post("/visits", visit_body(house)), 409, "slot-taken")


def test_a_version_named_with_an_erasure_is_honoured(api: Api, visit: dict[str, Any]) -> None:
    stale = api.http.delete(f"{address(visit)}/visitor", headers={"If-Match": '"7"'})
    problem(stale, 412, "precondition-failed")
    assert api.get(address(visit)).json() == visit


# Sending again


def test_a_booking_sent_again_with_its_key_is_the_same_booking(api: Api, house: str) -> None:
    key, wish = property_id(), visit_body(house, visitor=VISITOR)
    first = api.post("/visits", wish, key)
    reordered = dict(reversed(wish.items())) | {"date": "2027-03-12T11:00:00+01:00"}
    again = api.post("/visits", reordered, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.json() == first.json()


def test_a_replay_shows_the_visit_as_it_is_now(api: Api, house: str) -> None:
    key = property_id()
    visit = api.post("/visits", visit_body(house), key).json()
    to(api, visit, "cancelled")
    again = api.post("/visits", visit_body(house), key)
    assert (again.status_code, again.json()["status"], again.headers["ETag"]) == (201, "cancelled", '"2"')


def test_a_key_with_another_payload_is_refused(api: Api, house: str) -> None:
    key = property_id()
    api.post("/visits", visit_body(house), key)
    for other in (visit_body(house, NOON), visit_body(house, notes="x"), visit_body(property_id())):
        problem(api.post("/visits", other, key), 422, "idempotency-key-reused")
    assert len(api.get("/visits", propertyId=house).json()["items"]) == 1


def test_a_refusal_is_not_remembered(api: Api, house: str) -> None:
    key, in_the_way = property_id(), api.visit(house, TEN)
    problem(api.post("/visits", visit_body(house), key), 409, "slot-taken")
    to(api, in_the_way, "cancelled")
    made = api.post("/visits", visit_body(house), key)
    assert made.status_code == 201
    assert "Idempotency-Replayed" not in made.headers


def test_a_key_counts_for_thirty_days(api: Api, clock: Clock) -> None:
    house, key = api.property(property_id(), capacity=2), property_id()
    first = api.post("/visits", visit_body(house), key)
    clock.advance(KEPT - timedelta(minutes=1))
    assert api.post("/visits", visit_body(house), key).headers["Location"] == first.headers["Location"]
    clock.advance(timedelta(minutes=1))
    later = api.post("/visits", visit_body(house), key)
    assert later.status_code == 201
    assert later.headers["Location"] != first.headers["Location"]


def test_a_key_counts_for_its_route(api: Api, house: str) -> None:
    key = property_id()
    made = api.post("/properties", property_body(), key)
    assert made.status_code == 201
    again = api.post("/properties", property_body(), key)
    assert (again.status_code, again.json(), again.headers["Location"]) == (201, made.json(), made.headers["Location"])
    visit = api.post("/visits", visit_body(house), key)
    assert visit.status_code == 201
    assert "Idempotency-Replayed" not in visit.headers


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_is_printable_and_of_reasonable_length(api: Api, house: str, key: str) -> None:
    refused = api.http.post("/visits", json=visit_body(house), headers={"Idempotency-Key": key})
    problem(refused, 400, "malformed-request")
