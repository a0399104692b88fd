"""The feed of events: what each write of the API, the queue and the erasure tells, over a stream that is real enough.

The stream is the emulator's; that AWS hands out its records in the same form and order is AWS's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest

import app as entry
from chalicelib.domain.errors import PositionLost, StoreBusy
from chalicelib.domain.events import KEPT, Change, Event, EventType, Position
from chalicelib.repositories.events import DynamoEvents
from chalicelib.repositories.table import Table
from devstack.stream import StreamPoller
from tests.builders import property_id
from tests.integration.api import Api, serve
from tests.integration.conftest import FreshTable, fresh_table
from tools.deliver.data_stack import credentials

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    boto3.client("sqs", **table.access).create_queue(QueueName=f"{table.name}-notices")
    with serve(table) as running:
        yield running


@pytest.fixture(scope="module")
def poller(table: FreshTable, api: Api) -> StreamPoller:
    keys = {name: table.environment[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID")}
    # The stubs know a client by its literal name alone.
    make: Any = boto3.client
    streams = make("dynamodbstreams", **credentials(*keys.values()))
    return StreamPoller(lambda event, context: entry.relay(event, context), table.client, streams, table.name)


class Follower:
    """A consumer that starts at the end and remembers where it is."""

    def __init__(self, api: Api, poller: StreamPoller) -> None:
        self._api, self._poller = api, poller
        self._caught_up()
        self.cursor = self._page(after="now")["nextCursor"]

    def news(self) -> list[dict[str, Any]]:
        self._caught_up()
        found: list[dict[str, Any]] = []
        while True:
            page = self._page(after=self.cursor)
            found += page["items"]
            self.cursor = page["nextCursor"]
            if not page["items"]:
                return found

    def types(self) -> list[str]:
        return [event["type"] for event in self.news()]

    def _page(self, **query: object) -> dict[str, Any]:
        answer = self._api.get("/events", **query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def _caught_up(self) -> None:
        while self._poller.work_once():
            pass


@pytest.fixture
def follower(api: Api, poller: StreamPoller) -> Follower:
    return Follower(api, poller)


def _visit(api: Api, house: str, **details: object) -> dict[str, Any]:
    return api.visit(house, "2027-03-01T10:00:00Z", **details)


PATHS: dict[str, tuple[Callable[[Api, str, dict[str, Any]], httpx.Response], str]] = {
    "reschedule": (lambda api, _, v: api.patch(f"/visits/{v['id']}", {"date": "2027-03-02T10:00:00Z"}), "rescheduled"),
    "lengthen": (lambda api, _, v: api.patch(f"/visits/{v['id']}", {"durationMinutes": 60}), "rescheduled"),
    "another agent": (lambda api, house, v: api.patch(f"/visits/{v['id']}", {"agentId": f"ann-{house}"}), "changed"),
    "another place": (lambda api, _, v: api.patch(f"/visits/{v['id']}", {"place": "Garden gate"}), "changed"),
    "confirm": (lambda api, _, v: api.put(f"/visits/{v['id']}/status", {"status": "confirmed"}), "confirmed"),
    "decline": (lambda api, _, v: api.put(f"/visits/{v['id']}/status", {"status": "declined"}), "declined"),
    "cancel": (lambda api, _, v: api.put(f"/visits/{v['id']}/status", {"status": "cancelled"}), "cancelled"),
    "erase": (lambda api, _, v: api.http.delete(f"/visits/{v['id']}/visitor"), "erased"),
}


@pytest.mark.parametrize("name", PATHS)
def test_every_write_of_a_visit_is_one_event_of_its_type(api: Api, house: str, follower: Follower, name: str) -> None:
    write, type = PATHS[name]
    visit = _visit(api, house, status="requested", visitor={"name": "Ada Lovelace"}, notes="Rings twice")
    assert write(api, house, visit).status_code in (200, 204)
    news = follower.news()
    assert [event["type"] for event in news] == ["visit.booked", f"visit.{type}"]
    assert [event["id"] for event in news] == [f"{visit['id']}.{version}" for version in (1, 2)]
    assert "Ada" not in json.dumps(news)
    assert "Rings" not in json.dumps(news)


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_an_outcome_is_one_event(api: Api, house: str, follower: Follower, status: str) -> None:
    visit = api.visit(house, "2026-01-05T10:00:00Z")
    assert api.put(f"/visits/{visit['id']}/status", {"status": status}).status_code == 200
    assert follower.types() == ["visit.booked", f"visit.{status}"]


def test_what_changes_nothing_and_what_is_refused_is_no_event(api: Api, house: str, follower: Follower) -> None:
    visit = _visit(api, house)
    assert api.patch(f"/visits/{visit['id']}", {"durationMinutes": visit["durationMinutes"]}).status_code == 200
    assert api.post("/visits", {"propertyId": house, "date": visit["date"]}).status_code == 409
    assert follower.types() == ["visit.booked"]


def test_a_move_says_what_was_before(api: Api, house: str, follower: Follower) -> None:
    ann, bob = f"ann-{house}", f"bob-{house}"
    visit = _visit(api, house, agentId=ann)
    api.patch(f"/visits/{visit['id']}", {"date": "2027-03-03T10:00:00Z", "agentId": bob})
    data = follower.news()[-1]["data"]
    assert (data["date"], data["previousDate"]) == ("2027-03-03T10:00:00Z", "2027-03-01T10:00:00Z")
    assert (data["agentId"], data["previousAgentId"]) == (bob, ann)


def test_properties_are_told_of_and_the_visits_that_follow_them(api: Api, follower: Follower) -> None:
    house = api.property(property_id())
    api.visit(house, "2027-03-01T10:00:00Z")
    stands = api.get(f"/properties/{house}")
    moved = {name: stands.json()[name] for name in ("name", "price", "currency", "timeZone")} | {"address": "Lane 2"}
    answer = api.http.put(f"/properties/{house}", json=moved, headers={"If-Match": stands.headers["ETag"]})
    assert answer.status_code == 200
    assert sorted(follower.types()) == ["property.changed", "property.registered", "visit.booked", "visit.changed"]


def test_what_is_neither_a_visit_nor_a_property_is_no_event(
    table: FreshTable, api: Api, house: str, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    api.http.put(f"/properties/{house}/calendar-token")
    for pk, sk in (("X#sheet", "P"), ("X#sheet", "V")):
        api.dynamodb.put_item(TableName=table.name, Item={"pk": {"S": pk}, "sk": {"S": sk}})
    assert follower.types() == []
    assert "unreadable" not in caplog.text


def test_an_event_is_a_cloud_event_in_the_order_of_the_feed(api: Api, house: str, follower: Follower) -> None:
    for hour in range(8, 12):
        api.visit(house, f"2027-03-01T{hour:02}:00:00Z")
    news = follower.news()
    assert all(event["specversion"] == "1.0" and event["source"] == "urn:visits" for event in news)
    sequences = [event["sequence"] for event in news]
    assert sequences == sorted(set(sequences))


def test_pages_hold_every_event_once_and_always_lead_on(api: Api, house: str, follower: Follower) -> None:
    begun = follower.cursor
    booked = [api.visit(house, f"2027-03-01T{hour:02}:00:00Z")["id"] for hour in range(6, 13)]
    follower.news()
    told: list[str] = []
    cursor = begun
    for _ in range(20):
        page = api.get("/events", after=cursor, limit=3).json()
        told += [event["data"]["visitId"] for event in page["items"]]
        cursor = page["nextCursor"]
    assert told == booked


@pytest.mark.parametrize("after", ["", "later", "AAAA", "MQ==", "x" * 41])
def test_a_made_up_position_is_refused(api: Api, after: str) -> None:
    assert api.get("/events", after=after).status_code == 422


# The pages themselves


@pytest.fixture
def feed(aws: str, account: str) -> DynamoEvents:
    fresh = fresh_table(aws, account, property_id())
    return DynamoEvents(Table(fresh.client, fresh.name))


def changes(*sequences: int) -> list[Change]:
    return [Change(n, Event(f"e{n}", EventType.VISIT_BOOKED, f"visits/e{n}", NOW, {"n": n})) for n in sequences]


def ids(feed: DynamoEvents, now: datetime = NOW) -> list[str]:
    position, found = feed.oldest(now), []
    while True:
        stretch = feed.read(position, 7, now)
        found += [told.event.id for told in stretch.told]
        if not stretch.told:
            return found
        position = stretch.next


def test_a_batch_that_is_handed_out_again_is_not_appended_again(feed: DynamoEvents) -> None:
    assert [feed.append(changes(1, 2, 3), NOW) for _ in range(2)] == [3, 3]
    assert ids(feed) == ["e1", "e2", "e3"]


def test_of_a_batch_that_has_grown_the_rest_is_still_to_be_appended(feed: DynamoEvents) -> None:
    feed.append(changes(1, 2), NOW)
    assert feed.append(changes(1, 2, 3), NOW) == 2


def test_writers_at_once_leave_no_gap_and_keep_their_order(feed: DynamoEvents) -> None:
    batches = [[changes(w * 1000 + n * 10, w * 1000 + n * 10 + 1) for n in range(6)] for w in range(1, 5)]

    def write(mine: list[list[Change]]) -> None:
        for batch in mine:
            while True:
                try:
                    feed.append(batch, NOW)
                    break
                except StoreBusy:  # as the stream would, again
                    continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, batches))
    found = ids(feed)
    assert len(found) == len(set(found)) == 48
    for mine in batches:
        own = [change.event.id for batch in mine for change in batch if change.event]
        assert [id for id in found if id in own] == own


def test_the_feed_goes_back_thirty_days_and_says_when_a_position_is_older(feed: DynamoEvents) -> None:
    feed.append(changes(1), NOW)
    later = NOW + KEPT + timedelta(days=1)
    feed.append(changes(2), later)
    assert ids(feed, later) == ["e2"]
    with pytest.raises(PositionLost):
        feed.read(Position(1, 0), 10, later)


def test_a_position_that_the_feed_has_not_reached_is_lost_too(feed: DynamoEvents) -> None:
    """As after a restore of the table: whoever follows must not wait for ever."""
    with pytest.raises(PositionLost):
        feed.read(Position(5, 0), 10, NOW)
