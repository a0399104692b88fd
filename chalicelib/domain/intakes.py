"""Intakes: many visits handed in at once, worked off from a queue, and what became of every row.

Everything is derived from the intake's id: its chunks, and the ids of its visits. Sending it again, and being handed
a message twice, therefore changes nothing. The id itself is never used twice.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, get_args

from chalicelib.domain.idempotency import KEPT
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.errors import InvalidInput
    from chalicelib.domain.visits import BookVisit

MOST_ROWS: Final = 1000
ROWS_IN_CHUNK: Final = 25
BYTES_IN_CHUNK: Final = 200_000
"""Below what a message may carry (256 KiB), so that the envelope fits in as well."""

MESSAGE_VERSION: Final = 1
OWN_SOURCE: Final = "api"
"""The source of what came through POST /intakes or POST /visits; no other producer may call itself that."""

_INTAKES: Final = uuid.UUID("6f2f4b5e-4e0c-5d0e-9c43-1f1f0a6d7a01")
_VISITS: Final = uuid.UUID("6f2f4b5e-4e0c-5d0e-9c43-1f1f0a6d7a02")


def intake_id(*identity: str) -> str:
    """The id of another producer's intake: UUIDv5 (RFC 9562) of what makes its message the same when it comes again."""
    return str(uuid.uuid5(_INTAKES, json.dumps(identity)))


def row_visit_id(producer: str, external_id: str | None, intake: str, row: int) -> str:
    """The id of a row's visit: by the producer's own id if it gave one, else by the place in the intake."""
    identity = ["external", producer, external_id] if external_id is not None else ["row", intake, row]
    return str(uuid.uuid5(_VISITS, json.dumps(identity)))


def queue_producer(source: str, sender: str) -> str:
    """Whose externalIds those of a message are: its sender's own, whatever source it names, and never an API caller's.

    No name of a caller has a colon.
    """
    return f"queue:{sender}:{source}"


def booked_by(producer: str) -> str:
    """Whom a visit names as who booked it: a caller, or the source that a queue's message gave, without its sender."""
    first, _, rest = producer.partition(":")
    return f"{first}:{rest.rpartition(':')[2]}" if rest else first


class IntakeStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Manifest(Record):
    """What was handed in: how many rows in how many chunks, by whom, and whether all of it is in the queue."""

    id: str
    producer: str
    rows: int
    chunks: int
    sent: bool
    created_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.created_at + KEPT


class ChunkMessage(Record):
    """A message of ours to the worker. Rows are JSON texts as the caller sent them."""

    intake_id: str
    producer: str
    number: int
    first_row: int
    rows: tuple[str, ...]
    notify: bool = False
    """Whether visitors hear of all of them. Not said in the rows: the worker of the version before would refuse it."""

    @property
    def text(self) -> str:
        """The body of the message, as `events.intake_queue` reads it."""
        envelope = json.dumps(
            {
                "version": MESSAGE_VERSION,
                "source": OWN_SOURCE,
                "intake": {
                    "id": self.intake_id,
                    "producer": self.producer,
                    "chunk": self.number,
                    "firstRow": self.first_row,
                },
                **({"notify": True} if self.notify else {}),
            },
            separators=(",", ":"),
        )
        return f'{envelope[:-1]},"visits":[{",".join(self.rows)}]}}'


def chunks(intake: str, producer: str, rows: Sequence[str], notify: bool = False) -> Iterator[ChunkMessage]:
    """The rows in messages of bounded count and size; equal rows always make equal chunks."""
    number = first = 0
    while first < len(rows):
        last, size = first, 0
        while last < len(rows) and last - first < ROWS_IN_CHUNK:
            size += len(rows[last].encode()) + 1
            if size > BYTES_IN_CHUNK and last > first:
                break
            last += 1
        yield ChunkMessage(intake, producer, number, first, tuple(rows[first:last]), notify)
        number, first = number + 1, last


def canonical(value: object) -> str:
    """The row as a JSON text, one for all that mean the same: members sorted, no white space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_number)
    # Both are in JSON only within a string, and SQS takes no message that has them.
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def _number(exact: object) -> float | str:
    """A number with a fraction. No field takes one; beyond what a float holds, JSON has no infinity to say it with."""
    number = float(str(exact))
    return number if math.isfinite(number) else str(exact)


class Row(Record):
    """A row that the worker is to book. Counted from 0 within its intake."""

    number: int
    external_id: str | None
    wish: BookVisit | InvalidInput
    """What it asks for, or why it cannot be read."""
    content: bytes
    """Its meaning in canonical form: equal for rows that ask for the same."""


class Chunk(Record):
    """A message of the queue, read: rows of one intake that are worked off together."""

    intake_id: str
    producer: str
    number: int
    rows: tuple[Row, ...]
    foreign: bool
    """Whether another producer sent it, so that its intake is made on arrival."""

    @property
    def key(self) -> tuple[str, int]:
        """What makes two messages the same chunk."""
        return self.intake_id, self.number


Result = Literal["created", "duplicate", "rejected"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)


class RowOutcome(Record):
    """What became of a row. `problem` is a problem document without personal data."""

    row: int
    external_id: str | None
    result: Result
    visit_id: str | None = None
    problem: Mapping[str, object] | None = None


class Counts(Record):
    total: int
    created: int
    duplicate: int
    rejected: int


class Intake(Record):
    """An intake as it stands, derived from its chunks' outcomes."""

    manifest: Manifest
    status: IntakeStatus
    counts: Counts

    @classmethod
    def of(cls, manifest: Manifest, finished: Iterable[ChunkSummary]) -> Intake:
        summaries = list(finished)
        counts = Counts(
            manifest.rows,
            sum(chunk.created for chunk in summaries),
            sum(chunk.duplicate for chunk in summaries),
            sum(chunk.rejected for chunk in summaries),
        )
        if not summaries:
            status = IntakeStatus.QUEUED
        elif len(summaries) < manifest.chunks:
            status = IntakeStatus.RUNNING
        elif any(chunk.given_up for chunk in summaries):
            status = IntakeStatus.FAILED
        else:
            status = IntakeStatus.DONE
        return cls(manifest, status, counts)


class ChunkSummary(Record):
    """How many rows of a finished chunk came to what; `given_up` when its dead letter was discarded."""

    created: int
    duplicate: int
    rejected: int
    given_up: bool


class Claim(StrEnum):
    """What came of the wish to work on a chunk."""

    GRANTED = "granted"
    FINISHED = "finished"
    """Its outcomes stand already: a message that was handed out twice."""
    ELSEWHERE = "elsewhere"
    """Another worker is at it."""


class ClaimLost(Exception):
    """Another worker is at the chunk, or was after this one's claim ran out: what this one decided does not count."""
