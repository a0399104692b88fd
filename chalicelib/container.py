"""Composition root: the only module that makes AWS clients and knows which repository serves which use case."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from botocore.config import Config

from chalicelib import repositories
from chalicelib import services as use_cases
from chalicelib.aws.clients import client, rehearse, signer_of_files
from chalicelib.on_demand import load_all
from chalicelib.repositories.table import Table
from chalicelib.services.wired import Ports, Services
from chalicelib.settings import Settings, recognises_pictures, sheet_bucket_of_stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.domain.errors import Refused
    from chalicelib.domain.notices import Letter, Sender
    from chalicelib.domain.public import Terms
    from chalicelib.services import ports
    from chalicelib.services.callers import Callers

WORKER_THREADS = 10
"""One for each message of a batch: the rows of a chunk are booked one after the other."""

CLIENT = Config(
    # One call takes four seconds at most; why that many is in `domain.patience`. Tried anew is what the repositories
    # know to be safe, so that no attempt is hidden from them.
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 1},
    max_pool_connections=50,
)
FILES = CLIENT.merge(Config(signature_version="s3v4", read_timeout=10))
"""Ten megabytes take longer than an item."""
RECOGNITION = CLIENT.merge(Config(read_timeout=60))
"""A page takes some seconds; one that is not answered in a minute is not going to be."""


LOCAL = "local"
"""The stage of `make run`, whose webhooks may lead to this machine."""


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_id() -> str:
    from uuid6 import uuid7

    return str(uuid7())


def describe(refusal: Refused) -> Mapping[str, object]:
    """A refusal as the outcome of a row has it."""
    from chalicelib.http.problems import describe

    return describe(refusal)


def compose(letter: Letter) -> bytes:
    """A letter as the mail that is sent."""
    from chalicelib.exports.mail import write_mail

    return write_mail(letter)


class OverTable(Ports):
    """The repositories of one table, and what stands beside it: each loads when it is first asked for."""

    def __init__(self, table: Table, queue: ports.Queue, clock: ports.Clock = utc_now) -> None:
        self.table = self.store = table
        self.queue = queue
        self.clock, self.new_id, self.sleep = clock, new_id, time.sleep
        self.describe, self.compose = describe, compose

    properties = cached_property(lambda self: repositories.properties.DynamoProperties(self.table))
    availability = cached_property(lambda self: repositories.availability.DynamoAvailability(self.table))
    agents = cached_property(lambda self: repositories.agents.DynamoAgents(self.table))
    visits = cached_property(lambda self: repositories.visits.DynamoVisits(self.table))
    public = cached_property(lambda self: repositories.public.DynamoPublic(self.table))
    records = cached_property(lambda self: repositories.idempotency.DynamoIdempotency(self.table))
    keys = cached_property(lambda self: repositories.signing_keys.DynamoSigningKeys(self.table))
    intakes = cached_property(lambda self: repositories.intakes.DynamoIntakes(self.table))
    calendar_tokens = cached_property(lambda self: repositories.calendars.DynamoCalendars(self.table))
    sheets = cached_property(lambda self: repositories.sheets.DynamoSheets(self.table))
    files = cached_property(lambda _: _files())
    recognition = cached_property(lambda _: _recognition())
    events = cached_property(lambda self: repositories.events.DynamoEvents(self.table))
    event_bus = cached_property(lambda _: _event_bus(None))
    webhooks = cached_property(lambda self: repositories.webhooks.DynamoWebhooks(self.table))
    webhook_queue = cached_property(lambda self: _webhook_queue(f"{self.table.name}-webhooks.fifo"))
    receivers = cached_property(lambda _: _receivers())
    dead_letters = cached_property(lambda self: _dead_letters(self.table.name))
    notices = cached_property(lambda self: repositories.notices.DynamoNotices(self.table))
    notice_queue = cached_property(lambda self: _queue(f"{self.table.name}-notices"))
    outbox = cached_property(lambda _: _outbox())
    sender: cached_property[Sender | None] = cached_property(lambda _: None)
    terms = cached_property(lambda _: _usual_terms())
    pool = cached_property(lambda _: _threads())


class OfStage(OverTable):
    """What a stage is told to have, by its settings."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(Table(_dynamodb(), settings.table_name), _queue(settings.queue_name))
        self.settings = settings

    event_bus = cached_property(lambda self: _event_bus(self.settings.event_bus))
    receivers = cached_property(lambda self: _receivers(self.settings.stage))
    outbox = cached_property(lambda self: _outbox_of(self.settings, self.notice_queue))
    sender = cached_property(lambda self: self.settings.sender)
    terms = cached_property(lambda self: self.settings.terms)


def over(table: Table, queue: ports.Queue, clock: ports.Clock = utc_now) -> Services:
    """Services over the repositories of one table."""
    return Services(OverTable(table, queue, clock))


@cache
def services() -> Services:
    """The services of this instance, made on the first request."""
    return Services(OfStage(Settings.from_environment(os.environ)))


# Most instances never come to need a client but that of the table.


def _queue(name: str) -> ports.Queue:
    return repositories.intake_queue.SqsQueue(lambda: client("sqs", CLIENT), name)


def _webhook_queue(name: str) -> ports.WebhookQueue:
    return repositories.webhook_queue.SqsWebhookQueue(lambda: client("sqs", CLIENT), name)


def _dead_letters(stage_queue: str) -> ports.DeadLetters:
    return repositories.dead_letters.SqsDeadLetters(lambda: client("sqs", CLIENT), stage_queue)


def _event_bus(name: str | None) -> ports.EventBus:
    if name is None:
        return use_cases.events.NoBus()
    return repositories.event_bus.EventBridge(lambda: client("events", CLIENT), name)


def _files() -> ports.SheetFiles:
    made, bucket = cache(lambda: client("s3", FILES)), sheet_bucket_of_stage(os.environ)
    return repositories.sheet_files.S3SheetFiles(made, lambda: signer_of_files(made().meta.region_name), bucket)


def _recognition() -> ports.Recognition:
    """Amazon Textract; the embedded AWS of `make run` has none, unless somebody names one."""
    if recognises_pictures(os.environ):
        return repositories.recognition.Textract(lambda: client("textract", RECOGNITION))
    return repositories.recognition.NoRecognition()


def _receivers(stage: str = "") -> ports.Receivers:
    return repositories.receivers.ReceiversOnThisMachine() if stage == LOCAL else repositories.receivers.Receivers()


def _outbox(configuration_set: str | None = None) -> ports.Outbox:
    return repositories.outbox.SesOutbox(lambda: client("ses", CLIENT), configuration_set)


def _outbox_of(settings: Settings, notice_queue: ports.Queue) -> ports.Outbox:
    if settings.stage == LOCAL and settings.mail_folder is not None:
        return repositories.outbox.OutboxOnThisMachine(settings.mail_folder, notice_queue.send)
    return _outbox(settings.configuration_set)


def _usual_terms() -> Terms:
    from chalicelib.domain.public import Terms

    return Terms()


def _threads() -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="chunk")


@cache
def _dynamodb() -> DynamoDBClient:
    made: DynamoDBClient = client("dynamodb", CLIENT)
    return made


@cache
def callers() -> Callers:
    """Who may call. The authorizer is its own Lambda function and creates nothing but this."""
    settings = Settings.from_environment(os.environ)
    stored = repositories.api_keys.DynamoApiKeys(Table(_dynamodb(), settings.table_name))
    keys = use_cases.api_keys.ApiKeys(stored, utc_now)
    if settings.sign_in is None:
        return use_cases.callers.Callers(keys)
    published = repositories.token_keys.PublishedKeys(repositories.token_keys.fetch_from(settings.sign_in.keys))
    return use_cases.callers.Callers(keys, settings.sign_in.issuer, published)


def make_ready() -> None:
    """Has everything that the first request takes, before Lambda keeps this process as a snapshot.

    No connection, key or time that would be an old one afterwards: nothing is sent, and nothing is remembered of it.
    """
    from chalicelib.domain import spellings

    load_all(repositories)
    load_all(use_cases)
    import_module("uuid6")
    spellings.make_ready()
    callers()
    rehearse(_dynamodb(), services().store.ping)
