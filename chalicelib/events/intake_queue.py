"""The messages of the queue (docs/intake-message.schema.json): ours, and those that other producers send directly."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from chalice.app import SQSEvent
from pydantic import ConfigDict, Field, ValidationError, model_validator

from chalicelib.api.wishes import RowInput
from chalicelib.domain.errors import InvalidInput
from chalicelib.domain.intakes import (
    MESSAGE_VERSION,
    MOST_ROWS,
    OWN_SOURCE,
    Chunk,
    Row,
    canonical,
    intake_id,
    queue_producer,
)
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.spellings import UUID
from chalicelib.events.batches import BatchResponse, Unfinished
from chalicelib.functions import Function
from chalicelib.http.fields import Input
from chalicelib.http.parsing import validated
from chalicelib.http.strict_json import MalformedJson, parse_json
from chalicelib.journal import A_FAULT, milliseconds_since, tell, tell_fault
from chalicelib.record import Record
from chalicelib.settings import reports_failures

if TYPE_CHECKING:
    from chalicelib.services.intake_worker import Progress
    from chalicelib.services.signing_keys import Signer
    from chalicelib.services.wired import Services

MARGIN: Final = timedelta(seconds=8)
"""What the worker keeps back of its time, to finish rows under way and to acknowledge."""

MOST_FOREIGN_ROWS: Final = 100

ORIGINAL_ID: Final = "originalMessageId"
ORIGINAL_SENDER: Final = "originalSender"
FIRST_SENT: Final = "firstSentTimestamp"
REPLAY_SIGNATURE: Final = "replaySignature"
"""The message attributes of a dead letter that was sent again: what it was at first, and that it was we who say so."""

PURPOSE: Final = "replay"


class UnreadableMessage(Exception):
    """A message that nobody can work off; it says why, but nothing of what was in it."""

    def __init__(self, why: str, ours: bool = False) -> None:
        super().__init__(why)
        self.ours = ours
        """It says that we wrote it: then it is a fault of ours, unlike what other producers send."""


class Sending(Record):
    """How a message was sent first: its intake follows from the id, and whose externalIds it uses from the sender."""

    message_id: str
    sender: str
    """The principal as SQS knows it: the id of a user or a role, without the session's name, which the sender chooses.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
    """
    timestamp: str
    """In milliseconds."""

    @classmethod
    def of(
        cls, message_id: str, system: Mapping[str, str], own: Mapping[str, str], body: str, signer: Signer
    ) -> Sending:
        """By SQS's attributes; by the message's own only if they are signed, for anybody can set those."""
        sending = cls(message_id, system["SenderId"].partition(":")[0], system["SentTimestamp"])
        key_id, _, value = own.get(REPLAY_SIGNATURE, "").partition(":")
        if not re.fullmatch("([0-9a-f]{2})+", value):
            return sending
        first = cls(own.get(ORIGINAL_ID, ""), own.get(ORIGINAL_SENDER, ""), own.get(FIRST_SENT, ""))
        signed = signer.verifies(PURPOSE, first._text(body), Signature(key_id, bytes.fromhex(value)))
        return first if signed else sending

    def attributes(self, body: str, signer: Signer) -> Mapping[str, str]:
        """With which the message is to be sent again, so that it stays what it is."""
        signature = signer.sign(PURPOSE, self._text(body))
        return {
            ORIGINAL_ID: self.message_id,
            ORIGINAL_SENDER: self.sender,
            FIRST_SENT: self.timestamp,
            REPLAY_SIGNATURE: f"{signature.key_id}:{signature.value.hex()}",
        }

    def _text(self, body: str) -> bytes:
        return canonical([self.message_id, self.sender, self.timestamp, body]).encode("utf-8", "surrogatepass")


class IntakeReference(Input):
    """Which part of which intake of ours the rows are."""

    id: Annotated[str, Field(pattern=f"^{UUID.pattern}$")]
    producer: Annotated[str, Field(min_length=1, max_length=256)]
    chunk: Annotated[int, Field(ge=0, lt=MOST_ROWS)]
    first_row: Annotated[int, Field(ge=0, lt=MOST_ROWS)]


class IntakeMessage(Input):
    """One or many visits for the queue, version 1. Unknown fields are ignored, so that producers may run ahead."""

    model_config = ConfigDict(extra="ignore")

    version: Literal[1]
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    intake: IntakeReference | None = None
    notify: Annotated[bool, Field(description="Whether visitors hear by mail of all these visits.")] = False
    visits: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_FOREIGN_ROWS)]

    @model_validator(mode="after")
    def only_we_refer_to_intakes(self) -> IntakeMessage:
        if (self.source == OWN_SOURCE) != (self.intake is not None):
            raise ValueError("'intake' requires the source 'api', which is reserved")
        return self


assert MESSAGE_VERSION == 1


def read_message(body: str, sending: Sending) -> Chunk:
    """A message as the chunk it is. Raises UnreadableMessage; a row that cannot be read is a row to be rejected."""
    try:
        given = parse_json(body.encode("utf-8", "surrogatepass"))
        message = IntakeMessage.model_validate(given)
    except MalformedJson as wrong:
        raise UnreadableMessage(f"not valid JSON: {wrong}") from None
    except ValidationError as wrong:
        ours = isinstance(given, dict) and given.get("source") == OWN_SOURCE
        raise UnreadableMessage(_why(wrong), ours) from None
    if message.intake is None:
        intake, number, first = intake_id("source", message.source, sending.message_id), 0, 0
        producer = queue_producer(message.source, sending.sender)
    else:
        reference = message.intake
        intake, producer, number, first = reference.id, reference.producer, reference.chunk, reference.first_row
    return Chunk(
        intake_id=intake,
        producer=producer,
        number=number,
        rows=tuple(_row(first + n, raw, message.notify) for n, raw in enumerate(message.visits)),
        foreign=message.intake is None,
    )


class _Batch(Record):
    done: list[str]
    """Receipts of the messages that are finished."""
    unfinished: list[str]
    """Ids of the messages that must be handed out again."""


def work_off(event: SQSEvent, services: Services) -> BatchResponse | None:
    """Works off a batch, and tells the event source in the way that it was told to expect."""
    if reports_failures(os.environ):
        return report_failures(event, services)
    delete_finished(event, services)
    return None


def report_failures(event: SQSEvent, services: Services) -> BatchResponse:
    """Works off a batch for an event source that was told `ReportBatchItemFailures`; says which messages to hand out
    again. All others Lambda deletes, so for any other event source this answer would lose messages.
    """
    unfinished = _worked_off(event, services).unfinished
    return {"batchItemFailures": [{"itemIdentifier": id} for id in unfinished]}


def delete_finished(event: SQSEvent, services: Services) -> None:
    """Works off a batch for any event source: deletes what is finished, and raises Unfinished for the rest."""
    batch = _worked_off(event, services)
    if batch.unfinished:
        services.queue.delete(batch.done)
        raise Unfinished(len(batch.unfinished), len(batch.done) + len(batch.unfinished))


def _worked_off(event: SQSEvent, services: Services) -> _Batch:
    started = time.perf_counter()
    context: Any = event.context
    deadline = services.clock() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN
    records: list[Mapping[str, Any]] = event.to_dict()["Records"]
    chunks: dict[str, Chunk] = {}
    unreadable: dict[str, UnreadableMessage] = {}
    for record in records:
        try:
            chunks[record["receiptHandle"]] = read_message(record["body"], _first_sending(record, services.signer))
        except UnreadableMessage as why:
            unreadable[record["messageId"]] = why
    progress = services.intake_worker.work(chunks.values(), deadline)
    done = [receipt for receipt, chunk in chunks.items() if chunk.key in progress.finished]
    unfinished = [record["messageId"] for record in records if record["receiptHandle"] not in done]
    batch = {
        "event": "batch",
        "requestId": getattr(context, "aws_request_id", "unknown"),
        "intakeIds": sorted({chunk.intake_id for chunk in chunks.values()}),
        "messages": len(records),
        "unfinished": len(unfinished),
        "durationMs": milliseconds_since(started),
    }
    _tell(batch, progress, unreadable, _oldest(records, services.clock()))
    return _Batch(done, unfinished)


def _tell(
    batch: Mapping[str, object], progress: Progress, unreadable: Mapping[str, UnreadableMessage], oldest: float
) -> None:
    """One line for the batch, one for each kind of outcome (a dimension has one value a line), one for each trouble."""
    rows = Counter(outcome.result for outcome in progress.recorded)
    booked = {"VisitsBooked": rows["created"]} if rows["created"] else {}
    level = logging.WARNING if batch["unfinished"] else logging.INFO
    tell(Function.WORKER, {**batch, "rows": rows}, {"OldestMessageAge": oldest, **booked}, level)
    of_batch = {"requestId": batch["requestId"]}
    for outcome, number in rows.items():
        tell(Function.WORKER, {"event": "rows", **of_batch, "Outcome": outcome}, {"IntakeRows": number})
    for message_id, why in unreadable.items():
        line = {"event": "unreadable", **of_batch, "messageId": message_id}
        tell(Function.WORKER, line, A_FAULT if why.ours else {}, logging.ERROR)
    for left in progress.left:
        where = {"intakeId": left.chunk.intake_id, "chunk": left.chunk.number}
        tell_fault(Function.WORKER, {"event": "chunk-left", **of_batch, **where}, left.fault)


def _oldest(records: Iterable[Mapping[str, Any]], now: datetime) -> float:
    """How long ago, in seconds, the oldest of the messages was sent; SQS's clock may be ahead of ours."""
    sent = min(int(record["attributes"]["SentTimestamp"]) for record in records)
    return round(max(0.0, now.timestamp() - sent / 1000), 1)


def _first_sending(record: Mapping[str, Any], signer: Signer) -> Sending:
    given: Mapping[str, Any] = record.get("messageAttributes", {})
    own = {name: str(attribute.get("stringValue", "")) for name, attribute in given.items()}
    return Sending.of(record["messageId"], record["attributes"], own, record["body"], signer)


def _why(wrong: ValidationError) -> str:
    """The first thing that is wrong with an envelope. Names that are not ours are left out: they could be data."""
    error = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
    unknown = error["type"] == "extra_forbidden"
    place = "/".join(str(part) for part in (error["loc"][:-1] if unknown else error["loc"]))
    return f"#/{place}: {error['msg'].removeprefix('Value error, ')}"


def _row(number: int, raw: dict[str, Any], notify: bool) -> Row:
    given = raw.get("externalId")
    external_id = given if isinstance(given, str) and 0 < len(given) <= 128 else None
    try:
        row = validated(RowInput, raw)
    except InvalidInput as wrong:
        return Row(number, external_id, wrong, b"")
    meaning = {name: value for name, value in row.meaning().items() if name != "externalId"}
    wish = replace(row.to_command(), notify=notify or row.notify)
    return Row(number, row.external_id, wish, canonical(meaning).encode())
