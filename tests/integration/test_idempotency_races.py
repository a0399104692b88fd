"""The same request sent again, and again at the same time: one visit, and answers that agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.container import new_id
from chalicelib.domain.idempotency import KEPT
from chalicelib.http.instants import instant_text
from chalicelib.repositories.signing_keys import signing_keys_key, signing_keys_of
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import DynamoVisits
from tests.builders import Clock
from tests.integration.access import access_to, bearer
from tests.integration.api import Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.metering import contents
from tests.races import at_once

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

NOW = datetime(2027, 3, 10, 8, 0, tzinfo=UTC)
AT_ONCE = 20
VISITOR = {"name": "Marker Name", "email": "marker@example.com", "phone": "+49 30 9018200"}
NOTES = "Marker of the notes"


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def api(table: FreshTable, clock: Clock) -> Iterator[Api]:
    with serve(table, clock=clock) as api:
        yield api


@pytest.fixture(scope="module", autouse=True)
def _no_slot_is_leaked_or_lost(table: FreshTable) -> Iterator[None]:
    yield
    assert slot_audit(everything(table)) == []


@pytest.fixture
def body(api: Api) -> dict[str, Any]:
    """A request to book the only place there is at that time."""
    return {
        "propertyId": api.property(new_id()),
        "date": instant_text(NOW + timedelta(days=1)),
        "agentId": f"agent {new_id()}",
        "visitor": VISITOR,
        "notes": NOTES,
    }


def visits_of(api: Api, property_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/visits", propertyId=property_id, limit=100).json()["items"]
    return found


def assert_replay(answer: httpx.Response, visit: dict[str, Any]) -> None:
    assert answer.status_code == 201, answer.text
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.headers["Location"] == f"/visits/{visit['id']}"
    assert answer.headers["ETag"] == f'"{visit["version"]}"'
    assert answer.json() == visit


def assert_booked_anew(answer: httpx.Response, visit: dict[str, Any]) -> None:
    assert answer.status_code == 201, answer.text
    assert "Idempotency-Replayed" not in answer.headers
    assert answer.json()["id"] != visit["id"]


def assert_key_reused(answer: httpx.Response) -> None:
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "urn:visits:problem:idempotency-key-reused"


@pytest.mark.parametrize("capacity", [1, AT_ONCE], ids=["the only place", "places for all"])
def test_twenty_at_once_with_the_same_key_are_one_visit_and_twenty_answers_that_agree(
    api: Api, body: dict[str, Any], capacity: int
) -> None:
    for _ in range(5):
        property_id = api.property(new_id(), capacity=capacity)
        wish, key = body | {"propertyId": property_id, "agentId": new_id()}, new_id()
        answers = at_once([partial(api.post, "/visits", wish, key)] * AT_ONCE)
        assert {answer.status_code for answer in answers} == {201}
        (visit,) = visits_of(api, property_id)
        assert [answer.json() for answer in answers] == [visit] * AT_ONCE
        assert {answer.headers["Location"] for answer in answers} == {f"/visits/{visit['id']}"}
        assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


def test_of_two_payloads_that_race_under_one_key_one_is_booked_and_the_other_refused(
    api: Api, body: dict[str, Any]
) -> None:
    key, other = new_id(), body | {"date": instant_text(NOW + KEPT + timedelta(days=2))}
    answers = at_once(partial(api.post, "/visits", wish, key) for wish in [body, other] * 10)
    (visit,) = visits_of(api, body["propertyId"])
    for wish, answer in zip([body, other] * 10, answers, strict=True):
        if wish["date"] == visit["date"]:
            assert (answer.status_code, answer.json()) == (201, visit)
        else:
            assert_key_reused(answer)


def test_properties_registered_twenty_times_at_once_with_the_same_key_are_one(api: Api) -> None:
    wish = {"name": new_id(), "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
    key = new_id()
    answers = at_once([partial(api.post, "/properties", wish, key)] * AT_ONCE)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"date": instant_text(NOW + KEPT + timedelta(days=2))},
        {"visitor": VISITOR | {"name": "Other"}},
        {"durationMinutes": 45},
    ],
    ids=["another date", "another visitor", "another duration"],
)
def test_another_payload_under_the_same_key_is_refused(api: Api, body: dict[str, Any], change: dict[str, Any]) -> None:
    key = new_id()
    booked = api.post("/visits", body, key)
    assert booked.status_code == 201
    assert_key_reused(api.post("/visits", body | change, key))
    assert visits_of(api, body["propertyId"]) == [booked.json()]


def test_the_same_payload_written_otherwise_is_the_same(api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    backwards = json.dumps(dict(reversed(body.items())), indent=4).replace("Z", "+00:00")
    headers = {"Idempotency-Key": key, "Content-Type": "application/json; charset=utf-8"}
    assert_replay(api.http.post("/visits", content=backwards, headers=headers), visit)


def test_two_keys_do_not_meet(api: Api, body: dict[str, Any]) -> None:
    first = api.post("/visits", body, "a")
    assert first.status_code == 201
    assert api.post("/visits", body, "b").json()["type"] == "urn:visits:problem:slot-taken"
    elsewhere = body | {"propertyId": api.property(new_id()), "agentId": new_id()}
    assert_booked_anew(api.post("/visits", elsewhere, "b"), first.json())


def test_the_same_key_of_another_caller_or_on_another_route_is_another_key(
    table: FreshTable, api: Api, body: dict[str, Any]
) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    wish = body | {"propertyId": api.property(new_id()), "agentId": new_id()}
    somebody = bearer(access_to(table.client, table.name), name="somebody-else") | {"Idempotency-Key": key}
    # Another payload even: nobody learns that the key is in use elsewhere.
    assert_booked_anew(api.http.post("/visits", json=wish, headers=somebody), visit)
    house = {"name": "House", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
    assert_booked_anew(api.post("/properties", house, key), visit)


def test_what_is_remembered_holds_no_personal_data(table: FreshTable, api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    stored = contents(table.client, table.name)
    (record,) = [item for item in stored.values() if item.get("resourceId") == {"S": visit["id"]}]
    assert record.keys() == {"pk", "sk", "resourceId", "keyId", "fingerprint", "ttl"}
    # Neither there nor anywhere else but in the visit itself; and the record does not even know the caller's key.
    beside = [item for name, item in stored.items() if not name.startswith("V#")]
    assert not [mark for mark in (*VISITOR.values(), NOTES) if mark in repr(beside)]
    assert not [mark for mark in (key, body["agentId"], body["propertyId"]) if mark in repr(record)]


def test_a_retry_does_not_conflict_with_its_own_visit(api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    assert_replay(api.post("/visits", body, key), visit)
    # Somebody else does, of course.
    assert api.post("/visits", body, new_id()).status_code == 409


def test_a_retry_shows_the_visit_as_it_is_now(api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    path = api.post("/visits", body, key).headers["Location"]
    moved = api.patch(path, {"date": instant_text(NOW + timedelta(days=3))})
    assert moved.status_code == 200
    assert_replay(api.post("/visits", body, key), moved.json())
    cancelled = api.put(f"{path}/status", {"status": "cancelled"})
    assert_replay(api.post("/visits", body, key), cancelled.json())


def test_a_retry_is_answered_though_the_property_takes_no_visits_any_more(api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    path = f"/properties/{body['propertyId']}"
    house = {"name": "House", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
    closed = api.http.put(path, json=house | {"visitsAllowed": False}, headers={"If-Match": "*"})
    assert closed.status_code == 200, closed.text
    assert_replay(api.post("/visits", body, key), visit)
    assert_key_reused(api.post("/visits", body | {"notes": "other"}, key))
    refused = api.post("/visits", body, new_id())
    assert refused.json()["type"] == "urn:visits:problem:visits-not-allowed"


def test_a_retry_is_answered_though_the_date_has_left_the_horizon(api: Api, clock: Clock, body: dict[str, Any]) -> None:
    key = new_id()
    early = body | {"date": instant_text(NOW - timedelta(days=5 * 366))}
    visit = api.post("/visits", early, key).json()
    clock.now += timedelta(hours=1)
    assert_replay(api.post("/visits", early, key), visit)


def test_refusals_are_not_remembered(api: Api, body: dict[str, Any]) -> None:
    key = new_id()
    blocking = api.visit(body["propertyId"], body["date"])
    assert api.post("/visits", body, key).status_code == 409
    assert api.put(f"/visits/{blocking['id']}/status", {"status": "cancelled"}).status_code == 200
    assert_booked_anew(api.post("/visits", body, key), blocking)


def test_a_key_is_good_for_thirty_days_and_books_anew_afterwards_though_its_record_still_lies_about(
    table: FreshTable, api: Api, clock: Clock, body: dict[str, Any]
) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    clock.now = NOW + KEPT - timedelta(seconds=1)
    assert_replay(api.post("/visits", body, key), visit)
    clock.now = NOW + KEPT
    assert any(item.get("resourceId") == visit["id"] for item in everything(table))
    # Forgotten: the visit is in the way like anybody else's, not taken for this request's own.
    assert api.post("/visits", body, key).json()["type"] == "urn:visits:problem:slot-taken"
    other = body | {"date": instant_text(NOW + KEPT + timedelta(days=2))}
    again = api.post("/visits", other, key)
    assert_booked_anew(again, visit)
    assert_replay(api.post("/visits", other, key), again.json())
    # The old payload is the other one now.
    assert_key_reused(api.post("/visits", body, key))


def test_an_expired_key_that_comes_back_twenty_times_at_once_books_once(
    api: Api, clock: Clock, body: dict[str, Any]
) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    clock.now = NOW + KEPT + timedelta(hours=1)
    later = body | {"date": instant_text(NOW + KEPT + timedelta(days=2))}
    answers = at_once([partial(api.post, "/visits", later, key)] * AT_ONCE)
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["id"] for answer in answers}.isdisjoint({visit["id"]})
    assert len(visits_of(api, body["propertyId"])) == 2
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


def rotate(table: FreshTable, secret: bytes, keep_old: bool = True) -> None:
    """Signs with another key from now on, as an operator would have it."""
    key = serialized(signing_keys_key())
    before = signing_keys_of(
        next(item for item in everything(table) if serialized({"pk": item["pk"], "sk": item["sk"]}) == key)
    )
    name = f"k{secret.hex()[:8]}"
    kept = dict(before.secrets) if keep_old else {}
    table.client.put_item(
        TableName=table.name,
        Item=serialized({**signing_keys_key(), "current": name, "secrets": {**kept, name: secret}}),
    )


def test_a_rotation_of_the_signing_keys_turns_no_retry_into_another_payload(
    table: FreshTable, api: Api, clock: Clock, body: dict[str, Any]
) -> None:
    key = new_id()
    visit = api.post("/visits", body, key).json()
    rotate(table, b"2" * 32)
    # Before this instance knows of it, and after.
    assert_replay(api.post("/visits", body, key), visit)
    clock.now += timedelta(minutes=6)
    before = api.services.signer.sign("test", b"").key_id
    assert before == f"k{(b'2' * 32).hex()[:8]}"
    assert_replay(api.post("/visits", body, key), visit)
    assert_key_reused(api.post("/visits", body | {"notes": "other"}, key))


def test_a_retry_reaches_an_instance_that_has_not_heard_of_the_rotation_yet(
    table: FreshTable, clock: Clock, body: dict[str, Any]
) -> None:
    key = new_id()
    with serve(table, clock=clock) as behind:
        behind.services.signer.sign("warm", b"")
        rotate(table, b"3" * 32)
        with serve(table, clock=clock) as ahead:
            visit = ahead.post("/visits", body, key).json()
        # The one that is behind meets a fingerprint by a key that it must ask for first.
        answer = at_once([lambda: behind.post("/visits", body, key)])[0]
    assert answer.status_code == 201, answer.text
    assert answer.json() == visit


class AnswersLost(DynamoVisits):
    """Books, and then the answer never arrives."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self.lose = True

    def add(self, *args: Any, **kwargs: Any) -> None:
        super().add(*args, **kwargs)
        if self.lose:
            self.lose = False
            raise ConnectionResetError


def test_a_caller_whose_answer_was_lost_gets_it_by_asking_again(table: FreshTable, body: dict[str, Any]) -> None:
    key = new_id()
    with serve(table, clock=Clock(NOW), visits=AnswersLost) as api:
        assert api.post("/visits", body, key).status_code == 500
        (visit,) = visits_of(api, body["propertyId"])
        assert_replay(api.post("/visits", body, key), visit)
