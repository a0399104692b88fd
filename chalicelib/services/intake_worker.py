"""Working off the queue: every row booked exactly once, by the same use case as over HTTP, and its outcome kept."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.domain.errors import (
    ExternalIdReused,
    GivenUp,
    IntakeNotFound,
    InvalidInput,
    Refused,
    StoreBusy,
)
from chalicelib.domain.intakes import (
    Chunk,
    Claim,
    ClaimLost,
    Manifest,
    Row,
    RowOutcome,
    booked_by,
    row_visit_id,
)
from chalicelib.domain.visits import Origin, Visit
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, Describe, IntakeStore, NewId
    from chalicelib.services.signing_keys import Signer
    from chalicelib.services.visits import Visits

PURPOSE = "row"

CLAIM_OUTLASTS = timedelta(seconds=10)
"""How long a claim stands beyond the worker's deadline: when it ends, the worker is surely gone."""

DISCARDED = "discarded"
"""Who gives a chunk up: no worker."""

GIVING_UP_TAKES = timedelta(minutes=1)
"""At most: one read for each row."""


class Left(Record):
    """A chunk that stays in the queue, and what was in its way."""

    chunk: Chunk
    fault: Exception


class Progress(Record):
    """What came of a batch. A chunk that another worker is at is neither finished nor left."""

    finished: set[tuple[str, int]] = field(default_factory=set)
    """Intake and number of every chunk whose outcomes are recorded now, by this worker or before."""
    recorded: list[RowOutcome] = field(default_factory=list)
    """The outcomes that were recorded this time, so that every row counts once."""
    left: list[Left] = field(default_factory=list)


class IntakeWorker:
    """Works off chunks. What breaks a rule is an outcome; a fault of the infrastructure leaves the chunk unfinished."""

    def __init__(
        self,
        booking: Visits,
        intakes: IntakeStore,
        signer: Signer,
        describe: Describe,
        pool: Executor,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._booking = booking
        self._intakes = intakes
        self._signer = signer
        self._describe = describe
        self._pool = pool
        self._clock = clock
        self._new_id = new_id

    def work(self, chunks: Iterable[Chunk], deadline: datetime) -> Progress:
        """Works until the deadline. Whatever is wrong with a chunk, its neighbours are not held up by it."""
        claimant = self._new_id()
        booking = self._booking.for_a_batch()
        progress = Progress()
        begun = [
            (chunk, self._pool.submit(self._work_off, booking, chunk, claimant, deadline))
            for chunk in {chunk.key: chunk for chunk in chunks}.values()
        ]
        for chunk, working in begun:
            try:
                outcomes = working.result()
            except Exception as fault:
                progress.left.append(Left(chunk, fault))
                continue
            if outcomes is not None:
                progress.finished.add(chunk.key)
                progress.recorded.extend(outcomes)
        return progress

    def give_up(self, chunk: Chunk) -> bool:
        """Rejects all rows of a chunk that will not be worked off; False when it had been after all.

        A row whose visit was booked before the worker failed is told as what it is. Raises ClaimLost while a worker is
        at the chunk: what it books then would be told as rejected.
        """
        manifest, now = self._manifest(chunk), self._clock()
        claim = self._intakes.claim(chunk, manifest, DISCARDED, now, now + GIVING_UP_TAKES)
        if claim is Claim.ELSEWHERE:
            raise ClaimLost
        if claim is Claim.FINISHED:
            return False
        outcomes = []
        for row in chunk.rows:
            visit = self._booking.find(self._visit_id(chunk, row))
            outcomes.append(self._found(chunk, row, visit) if visit is not None else self._rejected(row, GivenUp()))
        self._intakes.give_up(chunk, manifest, DISCARDED, outcomes)
        return True

    def _work_off(self, booking: Visits, chunk: Chunk, claimant: str, deadline: datetime) -> list[RowOutcome] | None:
        """Books the rows in their order and records the outcomes: none if that was done, None if another is at it."""
        now = self._clock()
        if now >= deadline:
            return None
        manifest = self._manifest(chunk)
        claim = self._intakes.claim(chunk, manifest, claimant, now, deadline + CLAIM_OUTLASTS)
        if claim is not Claim.GRANTED:
            return [] if claim is Claim.FINISHED else None
        outcomes, faults = [], []
        for row in chunk.rows:
            try:
                outcomes.append(self._outcome(booking, chunk, row, deadline))
            except Exception as fault:  # what is wrong with one row does not keep the next from being booked
                faults.append(fault)
        if faults:
            # A claim that cannot be given back ends by itself.
            with suppress(Exception):
                self._intakes.release(chunk, claimant)
            raise faults[0]
        self._intakes.finish(chunk, manifest, claimant, outcomes)
        return outcomes

    def _manifest(self, chunk: Chunk) -> Manifest:
        if not chunk.foreign:
            standing = self._intakes.get(chunk.intake_id, self._clock())
            if chunk.producer != standing.producer or chunk.number >= standing.chunks:
                raise IntakeNotFound(chunk.intake_id)
            return standing
        manifest = Manifest(
            id=chunk.intake_id,
            producer=chunk.producer,
            rows=len(chunk.rows),
            chunks=1,
            sent=True,
            created_at=self._clock(),
        )
        return self._intakes.open(manifest)

    def _outcome(self, booking: Visits, chunk: Chunk, row: Row, deadline: datetime) -> RowOutcome:
        if isinstance(row.wish, InvalidInput):
            return self._rejected(row, row.wish)
        if self._clock() >= deadline:
            raise StoreBusy
        visit_id = self._visit_id(chunk, row)
        origin = Origin(chunk.intake_id, row.number, self._signer.sign(PURPOSE, row.content))
        try:
            booking.book_row(row.wish, visit_id, origin, booked_by(chunk.producer))
        except Refused as refusal:
            # Whatever the refusal: if the visit is there, this is a retry, and must not conflict with itself.
            visit = self._booking.find(visit_id)
            return self._found(chunk, row, visit) if visit is not None else self._rejected(row, refusal)
        return RowOutcome(row.number, row.external_id, "created", visit_id)

    def _visit_id(self, chunk: Chunk, row: Row) -> str:
        return row_visit_id(chunk.producer, row.external_id, chunk.intake_id, row.number)

    def _found(self, chunk: Chunk, row: Row, visit: Visit) -> RowOutcome:
        """A visit under the row's id: this very row's, the same wish from another, or another wish altogether.

        Of a visit whose visitor was erased nobody can tell the last two apart: told as another wish, so that no row
        counts as booked that is not.
        """
        origin = visit.origin
        if origin is not None and (origin.intake_id, origin.row) == (chunk.intake_id, row.number):
            return RowOutcome(row.number, row.external_id, "created", visit.id)
        known = origin.content if origin is not None else None
        if known is not None and self._signer.verifies(PURPOSE, row.content, known):
            return RowOutcome(row.number, row.external_id, "duplicate", visit.id)
        return self._rejected(row, ExternalIdReused())

    def _rejected(self, row: Row, refusal: Refused) -> RowOutcome:
        return RowOutcome(row.number, row.external_id, "rejected", problem=self._describe(refusal))
