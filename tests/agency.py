"""The whole agency in memory: the use cases over the fakes, and the few steps that most tests of them begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from chalicelib.container import compose, describe
from chalicelib.domain.idempotency import IdempotencyKey
from chalicelib.domain.intakes import Chunk, Intake, RowOutcome
from chalicelib.domain.notices import Sender
from chalicelib.domain.public import Terms
from chalicelib.events.intake_queue import Sending, read_message
from chalicelib.services.events import NoBus
from chalicelib.services.intake_worker import Progress
from chalicelib.services.intakes import Submission
from chalicelib.services.ports import CalendarStore, IdempotencyStore, IntakeStore, VisitStore, WebhookQueue
from chalicelib.services.wired import Ports, Services
from tests.builders import TEN, Clock, Ids, a_property, minutes, visit_body
from tests.fake_sheets import FakeRecognition, FakeSheetFiles, FakeSheets
from tests.fakes import (
    FakeAgents,
    FakeAvailability,
    FakeCalendarTokens,
    FakeEvents,
    FakeIdempotencyRecords,
    FakeIntakes,
    FakeNotices,
    FakeOutbox,
    FakeProperties,
    FakePublic,
    FakeQueue,
    FakeReceivers,
    FakeSigningKeys,
    FakeVisits,
    FakeWebhookQueue,
    FakeWebhooks,
    Memory,
)

P = ParamSpec("P")
T = TypeVar("T")

LASTS = timedelta(seconds=60)
"""How long a worker usually has."""


SENDER = Sender(
    address="visits@agency.example",
    agency="Lake & Sons",
    language="en",
    leads=(timedelta(hours=24), timedelta(hours=2)),
    reply_to="desk@agency.example",
    page="https://visits.agency.example/visit.html",
    api="https://visits.agency.example/api",
)


def some_rows(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Rows that can all be booked, one after the other, each under an id of its producer."""
    starts = (TEN + minutes(30 * n) for n in range(count))
    return [
        visit_body(date=f"{start:%Y-%m-%dT%H:%M:%SZ}", externalId=f"row-{n}", **fields)
        for n, start in enumerate(starts)
    ]


class InThisThread(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as fault:
            future.set_exception(fault)
        return future


class NoStore:
    def ping(self) -> None:
        """It is always there."""


@dataclass
class Agency:
    """One property, `house`, and the use cases; a second instance of the service has the same memory and clock."""

    clock: Clock = field(default_factory=Clock)
    memory: Memory = field(default_factory=Memory)
    keys: FakeSigningKeys = field(default_factory=FakeSigningKeys)
    queue: FakeQueue = field(default_factory=FakeQueue)
    events: FakeEvents = field(default_factory=FakeEvents)
    webhook_queue: FakeWebhookQueue = field(default_factory=FakeWebhookQueue)
    receivers: FakeReceivers = field(default_factory=FakeReceivers)
    notices: FakeNotices = field(default_factory=FakeNotices)
    notice_queue: FakeQueue = field(default_factory=FakeQueue)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    sheets: FakeSheets = field(default_factory=FakeSheets)
    files: FakeSheetFiles = field(default_factory=FakeSheetFiles)
    recognition: FakeRecognition = field(default_factory=FakeRecognition)
    sender: Sender | None = SENDER
    terms: Terms = field(default_factory=Terms)
    visits: VisitStore | None = None
    records: IdempotencyStore | None = None
    intakes: IntakeStore | None = None
    tokens: CalendarStore | None = None
    wakes: WebhookQueue | None = None

    def __post_init__(self) -> None:
        self.properties = FakeProperties(self.memory)
        if not self.memory.properties:
            self.properties.add(a_property("house"))
        given = Ports()
        given.properties = self.properties
        given.availability = FakeAvailability(self.memory)
        given.agents = FakeAgents(self.memory)
        given.visits = self.visits or FakeVisits(self.memory)
        given.public = FakePublic(self.memory)
        given.records = self.records or FakeIdempotencyRecords(self.memory)
        given.keys = self.keys
        given.intakes = self.intakes or FakeIntakes(self.memory)
        given.calendar_tokens = self.tokens or FakeCalendarTokens(self.memory)
        given.sheets = self.sheets
        given.files = self.files
        given.recognition = self.recognition
        given.events = self.events
        given.webhooks = FakeWebhooks()
        given.webhook_queue = self.wakes or self.webhook_queue
        given.receivers = self.receivers
        given.notices = self.notices
        given.notice_queue = self.notice_queue
        given.outbox = self.outbox
        given.sender = self.sender
        given.terms = self.terms
        given.queue = self.queue
        given.store = NoStore()
        given.clock = self.clock
        given.new_id = Ids()
        given.pool = InThisThread()
        given.sleep = lambda _: None
        given.event_bus = NoBus()
        given.describe, given.compose = describe, compose
        services = Services(given)
        self.services = services
        self.webhooks, self.visitors = services.webhooks, services.visitors
        self.availability, self.agents = services.availability, services.agents
        self.booking, self.desk, self.worker, self.feeds = (
            services.visits,
            services.intakes,
            services.intake_worker,
            services.calendars,
        )

    def hand_in(
        self, rows: Sequence[Mapping[str, Any]], key: IdempotencyKey | None = None, caller: str = "anonymous"
    ) -> Intake:
        return self.desk.hand_in(Submission(caller, [json.dumps(row) for row in rows], key))

    def waiting(self) -> list[Chunk]:
        """The messages in the queue, as the worker reads them. They stay there."""
        return [read_message(text, Sending("message", "sender", "0")) for text in self.queue.messages]

    def work(self, *chunks: Chunk, lasts: timedelta = LASTS) -> Progress:
        """One worker with the given chunks, or all that wait."""
        return self.worker.work(chunks or self.waiting(), self.clock() + lasts)

    def results(self, intake: Intake) -> list[RowOutcome]:
        return self.desk.results(intake.manifest.id, None, 1000).items

    def told(self, intake: Intake) -> list[str]:
        """What became of the rows: `created`, `duplicate`, or why it was rejected."""
        return [
            str(outcome.problem["type"]).rpartition(":")[2] if outcome.problem else outcome.result
            for outcome in self.results(intake)
        ]
