"""Idempotency keys, of bookings that are queued and of such that are not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.container import new_id
from chalicelib.domain.idempotency import KEPT
from chalicelib.domain.signing_keys import Keyring
from chalicelib.repositories.signing_keys import signing_keys_item, signing_keys_key, signing_keys_of
from chalicelib.repositories.table import deserialized, serialized
from tests.builders import Clock
from tests.integration.api import Api
from tests.integration.audit import everything
from tests.integration.intake import Mailbox, hooked
from tests.integration.intakes.rows import counts, failing_after, hand_in, row, rows, sqs_of, visits_at

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("later_first", [True, False], ids=["handed in, then at once", "at once, then handed in"])
def test_a_key_books_one_visit_whether_now_or_later(api: Api, box: Mailbox, house: str, later_first: bool) -> None:
    wish, key = row(house, 0), {"Idempotency-Key": f"either-{later_first}"}
    later = key | {"Prefer": "respond-async"}
    if later_first:
        location = api.http.post("/visits", json=wish, headers=later).headers["Location"]
        waiting = api.http.post("/visits", json=wish, headers=key)
        assert (waiting.status_code, waiting.json()["type"]) == (409, "urn:visits:problem:handed-in")
        box.work()
        assert counts(api, location) == ("done", 1, 1, 0, 0)
        again = api.http.post("/visits", json=wish, headers=key)
    else:
        assert api.http.post("/visits", json=wish, headers=key).status_code == 201
        again = api.http.post("/visits", json=wish, headers=later)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert [visit["id"] for visit in visits_at(api, house)] == [again.json()["id"]]
    other = api.http.post("/visits", json=wish | {"notes": "other"}, headers=later)
    assert (other.status_code, other.json()["type"]) == (422, "urn:visits:problem:idempotency-key-reused")


def test_a_key_that_came_with_other_rows_is_refused(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, rows(house, 2), "the-key")
    answer = api.post("/intakes", {"visits": rows(house, 3)}, "the-key")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:visits:problem:idempotency-key-reused"
    assert hand_in(api, rows(house, 2), "the-key") == location
    assert box.waiting() == 1


def rotate(box: Mailbox) -> None:
    """Another current key; the old one still verifies."""
    key = serialized(signing_keys_key())
    keyring = signing_keys_of(deserialized(box.table.client.get_item(TableName=box.table.name, Key=key)["Item"]))
    fresh = f"k{len(keyring.secrets)}"
    rotated = Keyring(fresh, {**keyring.secrets, fresh: fresh.encode() * 16})
    box.table.client.put_item(TableName=box.table.name, Item=serialized(signing_keys_item(rotated)))


def test_the_same_key_is_the_same_intake_though_the_signing_keys_were_rotated(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    visits, key = rows(house, 300), "rotated"
    with hooked(sqs_of(api), "SendMessageBatch", failing_after(1)):
        assert api.post("/intakes", {"visits": visits}, key).status_code == 503
    rotate(box)
    clock.now += timedelta(minutes=6)  # by then every instance has the new keys
    location = hand_in(api, visits, key)
    box.work()
    assert counts(api, location) == ("done", 300, 300, 0, 0)
    manifests = [i for i in everything(box.table) if i["sk"] == "N" and i["rows"] == 300 and house_of(box, i) == house]
    assert len(manifests) == 1
    rotate(box)
    clock.now += timedelta(minutes=6)
    assert hand_in(api, visits, key) == location
    # A wish signed with the first key is recognised in another intake.
    other = hand_in(api, visits[:1])
    box.work()
    assert counts(api, other) == ("done", 1, 0, 1, 0)


def house_of(box: Mailbox, manifest: dict[str, Any]) -> str:
    """The property of an intake's first visit."""
    stored = list(everything(box.table))
    visit = next(i["outcomes"][0]["visitId"] for i in stored if i["pk"] == manifest["pk"] and "outcomes" in i)
    return next(str(i["propertyId"]) for i in stored if i["pk"] == f"V#{visit}")


def test_two_wishes_without_a_key_are_two_visits_queued_or_not(api: Api, box: Mailbox) -> None:
    house = api.property(new_id(), capacity=2)
    wish = row(house, 0)

    def book() -> None:
        assert api.http.post("/visits", json=wish, headers={"Prefer": "respond-async"}).status_code == 202
        box.work()

    book()
    book()
    first, second = visits_at(api, house)
    assert api.put(f"/visits/{first['id']}/status", {"status": "cancelled"}).status_code == 200
    book()
    held = [visit["id"] for visit in visits_at(api, house) if visit["status"] == "confirmed"]
    assert len(held) == 2
    assert second["id"] in held
    assert first["id"] not in held


def test_two_intakes_without_a_key_are_two_and_external_ids_tell_their_rows_apart(
    api: Api, box: Mailbox, house: str
) -> None:
    first, second = (hand_in(api, rows(house, 2)) for _ in range(2))
    assert first != second
    box.work()
    # Which of the two gets a time is the queue's affair, row by row.
    states, sizes, *outcomes = zip(*(counts(api, location) for location in (first, second)), strict=True)
    assert (states, sizes) == (("done", "done"), (2, 2))
    assert list(map(sum, outcomes)) == [2, 2, 0]


@pytest.mark.parametrize("removed", [True, False], ids=["removed by then", "still lying about"])
def test_a_key_that_has_expired_is_a_new_key_and_loses_no_row(
    api: Api, box: Mailbox, house: str, clock: Clock, removed: bool
) -> None:
    key = f"weekly of {house}"
    first = hand_in(api, [row(house, 0), row(house, 2)], key)
    box.work()
    clock.now += KEPT + timedelta(days=1)
    if removed:
        for item in everything(box.table):
            if "ttl" in item and item["ttl"] <= clock.now.timestamp():
                gone = serialized({"pk": item["pk"], "sk": item["sk"]})
                box.table.client.delete_item(TableName=box.table.name, Key=gone)
    second = hand_in(api, [row(house, 24), row(house, 26)], key)
    assert second != first
    box.work()
    assert counts(api, second) == ("done", 2, 2, 0, 0)
    assert {visit["date"] for visit in visits_at(api, house)} == {row(house, hour)["date"] for hour in (0, 2, 24, 26)}


def test_a_key_that_expires_while_it_is_looked_at_can_be_sent_again(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    key = f"of the last second of {house}"
    body = {"visits": [row(house, 0)]}
    first = hand_in(api, body["visits"], key)
    box.work()
    expiry = clock.now + KEPT
    clock.now = expiry - timedelta(seconds=1)

    def expire(**_: object) -> None:
        """The key is still good when it is read, and its intake no more."""
        clock.now = expiry

    with hooked(api.dynamodb, "GetItem", expire):
        busy = api.post("/intakes", body, key)
    assert (busy.status_code, busy.json()["type"]) == (503, "urn:visits:problem:store-busy")
    assert hand_in(api, body["visits"], key) != first


@pytest.mark.parametrize("later_first", [True, False], ids=["handed in first", "at once first"])
def test_a_key_stands_for_one_booking_for_thirty_days_whichever_way_it_comes(
    api: Api, box: Mailbox, house: str, clock: Clock, later_first: bool
) -> None:
    def send(hour: int, later: bool) -> httpx.Response:
        headers = {"Idempotency-Key": f"one of {house}", **({"Prefer": "respond-async"} if later else {})}
        answer = api.http.post("/visits", json=row(house, hour), headers=headers)
        box.work()
        return answer

    assert send(0, later_first).status_code == (202 if later_first else 201)
    for hours in (25, 24 * 28):
        clock.now += timedelta(hours=hours)
        for later in (True, False):
            refused = send(24, later)
            assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (422, "idempotency-key-reused")
    clock.now += timedelta(days=2)
    assert send(24, not later_first).status_code == (201 if later_first else 202)
    assert {visit["date"] for visit in visits_at(api, house)} == {row(house, hour)["date"] for hour in (0, 24)}


SPELLED_OUT = {
    "a default": {"durationMinutes": 30, "status": "confirmed"},
    "nulls": {"notes": None, "agentId": None, "place": None},
    "a null of the visitor": {"visitor": {"name": "Ada", "email": None}},
    "another offset": {"date": "2027-03-01T02:00:00+02:00"},
}


@pytest.mark.parametrize("spelling", SPELLED_OUT.values(), ids=SPELLED_OUT)
def test_the_same_wish_spelled_otherwise_is_the_same(
    api: Api, box: Mailbox, house: str, spelling: dict[str, object]
) -> None:
    wish = row(house, 0, visitor={"name": "Ada"})
    key = f"of {house}"
    booked = api.post("/visits", wish, key)
    again = api.post("/visits", wish | spelling, key)
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, "true"), again.text
    assert again.json()["id"] == booked.json()["id"]
    other = api.property(new_id())
    named = wish | {"propertyId": other, "externalId": other}
    first = hand_in(api, [named], key)
    assert hand_in(api, [named | spelling], key) == first
    box.work()
    later = hand_in(api, [named | spelling])
    box.work()
    assert counts(api, later) == ("done", 1, 0, 1, 0)
