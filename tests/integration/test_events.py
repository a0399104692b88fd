"""The feed of events: what each write of the API, the queue and the erasure tells, over a stream that is real enough.

The stream is the emulator's; that AWS hands out its records in the same form and order is AWS's documentation.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from chalice.app import DynamoDBEvent

import app as entry
from chalicelib.aws.clients import client
from chalicelib.container import OverTable, utc_now
from chalicelib.domain.errors import PositionLost, StoreBusy
from chalicelib.domain.events import KEPT, Change, Event, EventType, Position
from chalicelib.domain.visits import Visit
from chalicelib.events.table_stream import relay
from chalicelib.repositories.events import DynamoEvents
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import visit_item
from chalicelib.repositories.webhook_queue import SqsWebhookQueue
from chalicelib.services.visitor_links import Links
from chalicelib.services.wired import Services
from devstack.stream import StreamPoller
from tests.agency import SENDER
from tests.builders import a_visit, property_id
from tests.fakes import FakeOutbox, FakeQueue
from tests.integration.api import PROPERTY, Api, client_of, serve
from tests.integration.conftest import FreshTable, fresh_table
from tests.integration.intake import Mailbox, handle, mailbox, partner_message, services_over
from tests.integration.relaying import poller_of

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def box(table: FreshTable) -> Iterator[Mailbox]:
    with mailbox(table) as box:
        yield box


@pytest.fixture(scope="module")
def api(box: Mailbox) -> Iterator[Api]:
    with serve(box.table) as running:
        yield running


@pytest.fixture(scope="module")
def poller(table: FreshTable, api: Api) -> StreamPoller:
    return poller_of(table)


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


@dataclass(frozen=True)
class Case:
    """A request for a visit, with a visitor and notes, that the events of a write are to be told of."""

    api: Api
    box: Mailbox
    house: str
    visit: dict[str, Any]

    def patch(self, **changes: object) -> httpx.Response:
        return self.api.patch(f"/visits/{self.visit['id']}", changes)

    def status(self, status: str) -> httpx.Response:
        return self.api.put(f"/visits/{self.visit['id']}/status", {"status": status})

    def by_link(self, method: str, path: str, body: object = None) -> httpx.Response:
        """What the visitor does."""
        link = Links(self.api.services.signer).link(self.api.services.visits.get(self.visit["id"]))
        return self.api.http.request(method, path, json=body, headers={"Authorization": f"Bearer {link}"})

    def corrected(self, **changes: object) -> httpx.Response:
        """The property as it stands, with another address or the like."""
        stands = self.api.get(f"/properties/{self.house}")
        kept = {name: stands.json()[name] for name in ("name", "address", "price", "currency", "timeZone")}
        return self.api.http.put(
            f"/properties/{self.house}", json=kept | changes, headers={"If-Match": stands.headers["ETag"]}
        )

    def agents(self, method: str, condition: str = "If-Match", **changes: object) -> httpx.Response:
        """What becomes of an agent who is named as nobody else."""
        body = {"name": "Ada Lovelace", "email": "ada@example.com", "timeZone": "Europe/Berlin"} | changes
        return self.api.http.request(
            method, f"/agents/{self.house}", json=body if method == "PUT" else None, headers={condition: "*"}
        )

    def rows(self, *hours: int) -> list[dict[str, Any]]:
        return [{"propertyId": self.house, "date": f"2027-03-01T{hour:02}:00:00Z"} for hour in hours]

    def worked_off(self, answer: httpx.Response) -> httpx.Response:
        self.box.work()
        return answer

    def handed_in_twice(self, body: str) -> httpx.Response:
        """Another producer's message, delivered once more after it was worked off."""
        self.box.send(body)
        messages = self.box.receive()
        for _ in range(2):
            handle(messages)
        self.box.delete(messages)
        return httpx.Response(200)

    def booked_by_anybody(self, how: str) -> httpx.Response:
        """Without a key, on a property that is listed."""
        assert self.corrected(publicBooking=how).status_code == 200
        wish = {"date": "2027-03-01T12:00:00Z", "visitor": {"name": "Ada", "email": f"ada@{self.house}.example.com"}}
        return self.api.post(f"/public/properties/{self.house}/visits", wish)

    def left_unanswered(self) -> httpx.Response:
        """A request, and what is done every minute, two days later."""
        answer = self.booked_by_anybody("request")
        with closing(client_of(self.box.table)) as dynamodb:
            later = services_over(self.box.table, dynamodb, self.box.sqs, lambda: utc_now() + timedelta(days=3))
            assert later.public.decline_unanswered() == 1
        return answer

    def unsubscribed(self) -> httpx.Response:
        token = Links(self.api.services.signer).unsubscribe(self.api.services.visits.get(self.visit["id"])) or ""
        return self.api.http.post("/visitor/unsubscribe", params={"token": token})


QUEUE, CLOCK = "the queue", "the clock"
DATE = "2027-03-02T10:00:00Z"

WRITES: dict[str, tuple[str, Callable[[Case], httpx.Response], list[str]]] = {
    "book": ("POST /visits", lambda c: c.api.post("/visits", c.rows(12)[0]), ["visit.booked"]),
    "book twice with a key": (
        "POST /visits",
        lambda c: [c.api.post("/visits", c.rows(12)[0], key=f"twice-{c.house}") for _ in range(2)][-1],
        ["visit.booked"],
    ),
    "book without a key": (
        "POST /public/properties/{property_id}/visits",
        lambda c: c.booked_by_anybody("confirm"),
        ["property.changed", "visit.booked"],
    ),
    "leave a request unanswered": (
        CLOCK,
        lambda c: c.left_unanswered(),
        ["property.changed", "visit.booked", "visit.declined"],
    ),
    "reschedule": ("PATCH /visits/{visit_id}", lambda c: c.patch(date=DATE), ["visit.rescheduled"]),
    "lengthen": ("PATCH /visits/{visit_id}", lambda c: c.patch(durationMinutes=60), ["visit.rescheduled"]),
    "another agent": ("PATCH /visits/{visit_id}", lambda c: c.patch(agentId=f"ann-{c.house}"), ["visit.changed"]),
    "another place": ("PATCH /visits/{visit_id}", lambda c: c.patch(place="Garden gate"), ["visit.changed"]),
    "silence": ("PATCH /visits/{visit_id}", lambda c: c.patch(notify=False), ["visit.changed"]),
    "nothing": ("PATCH /visits/{visit_id}", lambda c: c.patch(durationMinutes=30), []),
    "no visitor": ("PATCH /visits/{visit_id}", lambda c: c.patch(visitor=None, notes=None), ["visit.erased"]),
    "confirm": ("PUT /visits/{visit_id}/status", lambda c: c.status("confirmed"), ["visit.confirmed"]),
    "decline": ("PUT /visits/{visit_id}/status", lambda c: c.status("declined"), ["visit.declined"]),
    "cancel": ("PUT /visits/{visit_id}/status", lambda c: c.status("cancelled"), ["visit.cancelled"]),
    "erase": (
        "DELETE /visits/{visit_id}/visitor",
        lambda c: c.api.http.delete(f"/visits/{c.visit['id']}/visitor"),
        ["visit.erased"],
    ),
    "erase a person": (
        "POST /visitors/erase",
        lambda c: c.api.post("/visitors/erase", {"email": c.visit["visitor"]["email"]}),
        ["visit.erased"],
    ),
    "visitor moves": (
        "PATCH /visitor/visit",
        lambda c: c.by_link("PATCH", "/visitor/visit", {"date": DATE}),
        ["visit.rescheduled"],
    ),
    "visitor chooses a language": (
        "PATCH /visitor/visit",
        lambda c: c.by_link("PATCH", "/visitor/visit", {"language": "es"}),
        ["visit.changed"],
    ),
    "visitor wants no reminders": (
        "PATCH /visitor/visit",
        lambda c: c.by_link("PATCH", "/visitor/visit", {"reminders": False}),
        [],
    ),
    "visitor unsubscribes": ("POST /visitor/unsubscribe", lambda c: c.unsubscribed(), []),
    "visitor cancels": (
        "PUT /visitor/visit/status",
        lambda c: c.by_link("PUT", "/visitor/visit/status", {"status": "cancelled", "reason": "Ill"}),
        ["visit.cancelled"],
    ),
    "visitor is forgotten": (
        "DELETE /visitor/visit/visitor",
        lambda c: c.by_link("DELETE", "/visitor/visit/visitor"),
        ["visit.erased"],
    ),
    "hand in": (
        "POST /intakes",
        lambda c: c.worked_off(c.api.post("/intakes", {"visits": c.rows(12, 12, 14)})),
        ["visit.booked", "visit.booked"],
    ),
    "another producer's message": (
        QUEUE,
        lambda c: c.handed_in_twice(partner_message(*c.rows(12, 14))),
        ["visit.booked", "visit.booked"],
    ),
    "register a property": (
        "POST /properties",
        lambda c: c.api.post("/properties", PROPERTY | {"id": f"{c.house}-b"}),
        ["property.registered"],
    ),
    "replace a property": (
        "PUT /properties/{property_id}",
        lambda c: c.corrected(capacity=2),
        ["property.changed"],
    ),
    "correct an address": (
        "PUT /properties/{property_id}",
        lambda c: c.corrected(address="Lane 2"),
        ["property.changed", "visit.changed"],
    ),
    "register an agent": (
        "PUT /agents/{agent_id}",
        lambda c: c.agents("PUT", "If-None-Match"),
        ["agent.registered"],
    ),
    "replace an agent": (
        "PUT /agents/{agent_id}",
        lambda c: [c.agents("PUT", "If-None-Match"), c.agents("PUT", travelMinutes=15)][-1],
        ["agent.registered", "agent.changed"],
    ),
    "erase an agent": (
        "DELETE /agents/{agent_id}",
        lambda c: [c.agents("PUT", "If-None-Match"), c.agents("DELETE")][-1],
        ["agent.registered", "agent.erased"],
    ),
}
"""What somebody does, by which way, and what the feed says of it."""

OF_OTHER_THINGS = ("sheets", "webhooks", "calendar-token", "availability")
"""What is written there is neither a visit nor a property nor an agent; a sheet is registered as an intake."""


def test_the_table_of_writes_has_every_way_to_write() -> None:
    ways = {f"{method} {path}" for method, path in entry.required if method not in ("GET", "HEAD")}
    about = {way for way in ways if not set(OF_OTHER_THINGS) & set(way.split("/"))} - {"POST /visitors/search"}
    assert {way for way, _, _ in WRITES.values()} == about | {QUEUE, CLOCK}


@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_exactly_the_events_of_its_types(
    api: Api, box: Mailbox, house: str, follower: Follower, name: str
) -> None:
    visitor = {"name": "Ada Lovelace", "email": f"{house}@example.com"}
    visit = api.visit(house, "2027-03-01T10:00:00Z", status="requested", visitor=visitor, notes="Rings twice")
    follower.news()
    _, write, told = WRITES[name]

    answer = write(Case(api, box, house, visit))

    assert answer.is_success, answer.text
    news = follower.news()
    assert sorted(event["type"] for event in news) == sorted(told)
    assert len({event["id"] for event in news}) == len(told)
    of_the_visit = [event["id"] for event in news if event["data"].get("visitId") == visit["id"]]
    assert of_the_visit in ([], [f"{visit['id']}.2"])
    for word in ("Ada", "Rings", "example.com", "Ill"):
        assert word not in json.dumps(news)


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_an_outcome_is_one_event(api: Api, house: str, follower: Follower, status: str) -> None:
    visit = api.visit(house, "2026-01-05T10:00:00Z")
    assert api.put(f"/visits/{visit['id']}/status", {"status": status}).status_code == 200
    assert follower.types() == ["visit.booked", f"visit.{status}"]


def test_what_changes_nothing_and_what_is_refused_is_no_event(api: Api, house: str, follower: Follower) -> None:
    visit = api.visit(house, "2027-03-01T10:00:00Z")
    assert api.patch(f"/visits/{visit['id']}", {"durationMinutes": visit["durationMinutes"]}).status_code == 200
    assert api.post("/visits", {"propertyId": house, "date": visit["date"]}).status_code == 409
    assert follower.types() == ["visit.booked"]


def test_a_move_says_what_was_before(api: Api, house: str, follower: Follower) -> None:
    ann, bob = f"ann-{house}", f"bob-{house}"
    visit = api.visit(house, "2027-03-01T10:00:00Z", agentId=ann)
    api.patch(f"/visits/{visit['id']}", {"date": "2027-03-03T10:00:00Z", "agentId": bob})
    data = follower.news()[-1]["data"]
    assert (data["date"], data["previousDate"]) == ("2027-03-03T10:00:00Z", "2027-03-01T10:00:00Z")
    assert (data["agentId"], data["previousAgentId"]) == (bob, ann)


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


# Whenever the relay dies


class Killed(BaseException):
    """The process ends here: nothing takes it for a fault."""


class Relay:
    """The function over the emulator, killed before or after the call of AWS with a number."""

    def __init__(self, table: FreshTable) -> None:
        self._dynamodb, self._sqs = client_of(table), client("sqs", **table.access)
        self.calls = 0
        self._at, self._when = -1, ""
        for of in (self._dynamodb, self._sqs):
            of.meta.events.register_first("before-call", lambda **_: self._passes("before"))
            of.meta.events.register_first("after-call", lambda **_: self._passes("after"))
        given = OverTable(Table(self._dynamodb, table.name), FakeQueue(), lambda: NOW)
        given.webhook_queue = SqsWebhookQueue(lambda: self._sqs, f"{table.name}-webhooks.fifo")
        given.notice_queue = SqsQueue(lambda: self._sqs, f"{table.name}-notices")
        given.outbox, given.sender = FakeOutbox(), SENDER
        self.services = Services(given)

    def handle(self, records: list[dict[str, Any]]) -> None:
        relay(DynamoDBEvent({"Records": records}, None), self.services)

    def dies(self, at: int, when: str, records: list[dict[str, Any]]) -> None:
        self.calls, self._at, self._when = 0, at, when
        with pytest.raises(Killed):
            self.handle(records)
        self._when = ""

    def _passes(self, when: str) -> None:
        self.calls += when == "before"
        if (self.calls, when) == (self._at, self._when):
            raise Killed


def record(sequence: int, before: Visit | None, after: Visit) -> dict[str, Any]:
    """A change as the stream has it."""
    images = {"NewImage": after} | ({"OldImage": before} if before else {})
    change: dict[str, Any] = {name: serialized(visit_item(visit)) for name, visit in images.items()}
    keys = {"pk": change["NewImage"]["pk"], "sk": change["NewImage"]["sk"]}
    told = {"Keys": keys, "SequenceNumber": str(sequence), "ApproximateCreationDateTime": NOW.timestamp()}
    return {"dynamodb": change | told}


AWS_CALLS = 7
"""Head, page with receipt and head, webhooks; and for each of the two queues its address and the messages."""


@pytest.mark.parametrize("grown", [False, True], ids=["as it was", "longer"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, AWS_CALLS + 1))
def test_wherever_the_relay_dies_the_batch_that_comes_again_loses_and_doubles_nothing(
    aws: str, account: str, at: int, when: str, grown: bool
) -> None:
    table = fresh_table(aws, account, property_id())
    sqs = boto3.client("sqs", **table.access)
    woken = sqs.create_queue(QueueName=f"{table.name}-webhooks.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    told = sqs.create_queue(QueueName=f"{table.name}-notices")["QueueUrl"]
    one, two, three = (a_visit(id=str(uuid.uuid4()), notify=True) for _ in range(3))
    moved = replace(one, version=2, date=one.date + timedelta(hours=1))
    batch = [record(1, None, one), record(2, None, two), record(3, one, moved)]
    first = Relay(table)
    first.services.webhooks.register("https://crm.example.com/hook", frozenset())

    first.dies(at, when, batch)
    again = Relay(table)
    batch += [record(4, None, three)] if grown else []
    again.handle(batch)

    expected = [f"{one.id}.1", f"{two.id}.1", f"{one.id}.2"] + ([f"{three.id}.1"] if grown else [])
    assert ids(DynamoEvents(Table(table.client, table.name))) == expected
    assert sqs.receive_message(QueueUrl=woken).get("Messages")
    messages = sqs.receive_message(QueueUrl=told, MaxNumberOfMessages=10)["Messages"]
    assert {json.loads(each["Body"])["visitId"] for each in messages} == {id.partition(".")[0] for id in expected}


def test_the_relay_makes_no_call_that_it_is_not_killed_at(aws: str, account: str) -> None:
    table = fresh_table(aws, account, property_id())
    sqs = boto3.client("sqs", **table.access)
    sqs.create_queue(QueueName=f"{table.name}-webhooks.fifo", Attributes={"FifoQueue": "true"})
    sqs.create_queue(QueueName=f"{table.name}-notices")
    Relay(table).services.webhooks.register("https://crm.example.com/hook", frozenset())
    alive = Relay(table)
    alive.handle([record(1, None, a_visit(id=str(uuid.uuid4()), notify=True))])
    assert alive.calls == AWS_CALLS
