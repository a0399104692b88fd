"""Composition root: the only module that makes AWS clients and knows which repository serves which use case."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config
from uuid6 import uuid7

from chalicelib.aws.clients import client, rehearse, signer_of_files
from chalicelib.domain.notices import Letter, Sender
from chalicelib.domain.public import Terms
from chalicelib.http.problems import describe
from chalicelib.repositories.agents import DynamoAgents
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.availability import DynamoAvailability
from chalicelib.repositories.calendars import DynamoCalendars
from chalicelib.repositories.event_bus import EventBridge
from chalicelib.repositories.events import DynamoEvents
from chalicelib.repositories.idempotency import DynamoIdempotency
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.intakes import DynamoIntakes
from chalicelib.repositories.notices import DynamoNotices
from chalicelib.repositories.outbox import OutboxOnThisMachine, SesOutbox
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.public import DynamoPublic
from chalicelib.repositories.receivers import Receivers, ReceiversOnThisMachine
from chalicelib.repositories.recognition import NoRecognition, Textract
from chalicelib.repositories.sheet_files import S3SheetFiles
from chalicelib.repositories.sheets import DynamoSheets
from chalicelib.repositories.signing_keys import DynamoSigningKeys
from chalicelib.repositories.table import Table
from chalicelib.repositories.token_keys import PublishedKeys, fetch_from
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.repositories.webhook_queue import SqsWebhookQueue
from chalicelib.repositories.webhooks import DynamoWebhooks
from chalicelib.services.agents import Agents
from chalicelib.services.api_keys import ApiKeys
from chalicelib.services.availability import Availabilities
from chalicelib.services.calendars import Calendars
from chalicelib.services.callers import Callers
from chalicelib.services.events import Events
from chalicelib.services.exports import Exports
from chalicelib.services.following import Following
from chalicelib.services.idempotency import Idempotency
from chalicelib.services.intake_worker import IntakeWorker
from chalicelib.services.intakes import Intakes
from chalicelib.services.listing import Listing
from chalicelib.services.notices import Notices
from chalicelib.services.ports import (
    AgentStore,
    AvailabilityStore,
    CalendarStore,
    Clock,
    EventStore,
    IdempotencyStore,
    IntakeStore,
    NewId,
    NoticeStore,
    Outbox,
    PropertyStore,
    PublicStore,
    Queue,
    Recognition,
    SheetFiles,
    SheetStore,
    SigningKeyStore,
    Store,
    VisitStore,
    WebhookQueue,
    WebhookStore,
)
from chalicelib.services.ports import Receivers as ReceiverPort
from chalicelib.services.properties import Properties
from chalicelib.services.public import Public
from chalicelib.services.sheet_reader import SheetReader
from chalicelib.services.sheets import Sheets
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visitor_links import Links, VisitorLinks
from chalicelib.services.visitors import Visitors
from chalicelib.services.visits import Visits
from chalicelib.services.webhooks import Webhooks
from chalicelib.services.wired import Services
from chalicelib.settings import Settings, recognises_pictures, sheet_bucket_of_stage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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


TERMS = Terms()

LOCAL = "local"
"""The stage of `make run`, whose webhooks may lead to this machine."""


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_id() -> str:
    return str(uuid7())


def worker_threads() -> Executor:
    return ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="chunk")


def wire(
    properties: PropertyStore,
    availability: AvailabilityStore,
    agents: AgentStore,
    visits: VisitStore,
    public: PublicStore,
    records: IdempotencyStore,
    keys: SigningKeyStore,
    intakes: IntakeStore,
    calendar_tokens: CalendarStore,
    sheets: SheetStore,
    files: SheetFiles,
    recognition: Recognition,
    events: EventStore,
    webhooks: WebhookStore,
    webhook_queue: WebhookQueue,
    receivers: ReceiverPort,
    notices: NoticeStore,
    notice_queue: Queue,
    outbox: Outbox,
    queue: Queue,
    store: Store,
    sender: Sender | None = None,
    terms: Terms = TERMS,
    clock: Clock = utc_now,
    new_id: NewId = new_id,
    pool: Executor | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Services:
    """Services over the given repositories: the real ones below, the fakes in the tests."""
    signer, slots = Signer(keys, clock), Availabilities(properties, availability, agents, visits, clock)
    once, links, feed = Idempotency(records, signer, clock), Links(signer), Events(events, clock)
    booking = Visits(availability.premises, agents.get, visits, once, clock, new_id, sleep)
    intake_desk = Intakes(intakes, queue, once, clock, new_id)
    desk = Sheets(sheets, files, properties, intake_desk, clock, new_id)
    mail = Notices(sender, booking, visits, properties, notices, notice_queue, outbox, links, compose, clock, new_id)
    return Services(
        visits=booking,
        visitors=Visitors(visits, booking),
        properties=Properties(properties, Following(visits, booking, clock), once, clock, new_id),
        availability=slots,
        agents=Agents(agents, calendar_tokens, clock),
        listing=Listing(visits, clock),
        exports=Exports(visits, properties, agents),
        calendars=Calendars(properties, agents, visits, calendar_tokens, clock),
        intakes=intake_desk,
        intake_worker=IntakeWorker(booking, intakes, signer, describe, pool or worker_threads(), clock, new_id),
        events=feed,
        webhooks=Webhooks(webhooks, feed, webhook_queue, receivers, clock, new_id),
        webhook_queue=webhook_queue,
        notices=mail,
        visitor_links=VisitorLinks(links, booking, slots, properties, notices, terms, clock),
        public=Public(availability.premises, slots, visits, booking, public, once, links, signer, terms, clock, new_id),
        sheets=desk,
        sheet_reader=SheetReader(sheets, files, recognition, desk, clock),
        queue=queue,
        signer=signer,
        store=store,
        clock=clock,
    )


def over(
    table: Table,
    queue: Queue,
    clock: Clock = utc_now,
    visits: VisitStore | None = None,
    webhook_queue: WebhookQueue | None = None,
    receivers: ReceiverPort | None = None,
    notice_queue: Queue | None = None,
    outbox: Outbox | None = None,
    sender: Sender | None = None,
    terms: Terms = TERMS,
    files: SheetFiles | None = None,
    recognition: Recognition | None = None,
) -> Services:
    """Services over the repositories of one table; the tests put others in."""
    return wire(
        properties=DynamoProperties(table),
        availability=DynamoAvailability(table),
        agents=DynamoAgents(table),
        visits=visits or DynamoVisits(table),
        public=DynamoPublic(table),
        records=DynamoIdempotency(table),
        keys=DynamoSigningKeys(table),
        intakes=DynamoIntakes(table),
        calendar_tokens=DynamoCalendars(table),
        sheets=DynamoSheets(table),
        files=files or files_of_sheets(),
        recognition=recognition or recognition_of_stage(),
        events=DynamoEvents(table),
        webhooks=DynamoWebhooks(table),
        webhook_queue=webhook_queue or webhook_queue_of(table.name),
        receivers=receivers or Receivers(),
        notices=DynamoNotices(table),
        notice_queue=notice_queue or SqsQueue(lambda: client("sqs", CLIENT), f"{table.name}-notices"),
        outbox=outbox or SesOutbox(lambda: client("ses", CLIENT)),
        queue=queue,
        store=table,
        sender=sender,
        terms=terms,
        clock=clock,
    )


@cache
def _dynamodb() -> DynamoDBClient:
    made: DynamoDBClient = client("dynamodb", CLIENT)
    return made


@cache
def services() -> Services:
    """The services of this instance, made on the first request."""
    settings = Settings.from_environment(os.environ)
    table = Table(_dynamodb(), settings.table_name)
    receivers = ReceiversOnThisMachine() if settings.stage == LOCAL else Receivers()
    # Most instances never come to need a queue.
    made = over(
        table,
        SqsQueue(lambda: client("sqs", CLIENT), settings.queue_name),
        receivers=receivers,
        outbox=_outbox(settings),
        sender=settings.sender,
        terms=settings.terms,
    )
    if settings.event_bus is None:
        return made
    return replace(made, event_bus=EventBridge(lambda: client("events", CLIENT), settings.event_bus))


def _outbox(settings: Settings) -> Outbox:
    if settings.stage == LOCAL and settings.mail_folder is not None:
        return OutboxOnThisMachine(settings.mail_folder)
    return SesOutbox(lambda: client("ses", CLIENT), settings.configuration_set)


def compose(letter: Letter) -> bytes:
    """A letter as the mail that is sent. What it takes to write one, few functions ever need."""
    from chalicelib.exports.mail import write_mail

    return write_mail(letter)


def webhook_queue_of(table: str) -> WebhookQueue:
    """The queue beside the table: they share the first part of their names."""
    return SqsWebhookQueue(lambda: client("sqs", CLIENT), f"{table}-webhooks.fifo")


def recognition_of_stage() -> Recognition:
    """Amazon Textract; the embedded AWS of `make run` has none, unless somebody names one."""
    if recognises_pictures(os.environ):
        return Textract(lambda: client("textract", RECOGNITION))
    return NoRecognition()


def files_of_sheets() -> SheetFiles:
    """Most instances never come to need them."""
    made = cache(lambda: client("s3", FILES))
    return S3SheetFiles(made, lambda: signer_of_files(made().meta.region_name), sheet_bucket_of_stage(os.environ))


@cache
def callers() -> Callers:
    """Who may call. The authorizer is its own Lambda function and creates nothing but this."""
    settings = Settings.from_environment(os.environ)
    keys = ApiKeys(DynamoApiKeys(Table(_dynamodb(), settings.table_name)), utc_now)
    if settings.sign_in is None:
        return Callers(keys)
    return Callers(keys, settings.sign_in.issuer, PublishedKeys(fetch_from(settings.sign_in.keys)))


def make_ready() -> None:
    """Has everything that the first request takes, before Lambda keeps this process as a snapshot.

    No connection, key or time that would be an old one afterwards: nothing is sent, and nothing is remembered of it.
    """
    callers()
    rehearse(_dynamodb(), services().store.ping)
