"""Working off the queue: every row booked exactly once, by the same use case as over HTTP, and its outcome kept."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta

from chalicelib.domain.errors import InvalidInput, Refused, StoreBusy
from chalicelib.domain.intakes import (
    Chunk,
    Claim,
    ExternalIdReused,
    GivenUp,
    IntakeNotFound,
    Manifest,
    Row,
    RowOutcome,
    row_visit_id,
)
from chalicelib.domain.visits import Origin, Visit
from chalicelib.services.booking import Booking
from chalicelib.services.ports import Clock, Describe, Intakes, NewId
from chalicelib.services.signing import Signer

PURPOSE = "row"

CLAIM_OUTLASTS = timedelta(seconds=10)
"""How long a claim stands beyond the worker's deadline: when it ends, the worker is surely gone."""

log = logging.getLogger("visits")


class Worker:
    """Works off chunks. What breaks a rule is an outcome; a fault of the infrastructure leaves the chunk unfinished."""

    def __init__(
        self,
        booking: Booking,
        intakes: Intakes,
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

    def work(self, chunks: Iterable[Chunk], deadline: datetime) -> set[tuple[str, int]]:
        """Works until the deadline; gives intake and number of every chunk whose outcomes are recorded now."""
        claimant = self._new_id()
        finished: set[tuple[str, int]] = set()
        begun: list[tuple[Chunk, list[Future[RowOutcome]]]] = []
        for chunk in {chunk.key: chunk for chunk in chunks}.values():
            claim = self._claim(chunk, claimant, deadline)
            if claim is Claim.FINISHED:
                finished.add(chunk.key)
            elif claim is Claim.GRANTED:
                rows = [self._pool.submit(self._outcome, chunk, row, deadline) for row in chunk.rows]
                begun.append((chunk, rows))
        for chunk, rows in begun:
            if self._finish(chunk, claimant, rows):
                finished.add(chunk.key)
        return finished

    def give_up(self, chunk: Chunk) -> bool:
        """Rejects all rows of a chunk that will not be worked off; False when it had been after all.

        A row whose visit was booked before the worker failed is told as what it is.
        """
        outcomes = []
        for row in chunk.rows:
            visit = self._booking.find(self._visit_id(chunk, row))
            outcomes.append(self._found(chunk, row, visit) if visit is not None else self._rejected(row, GivenUp()))
        return self._intakes.give_up(chunk, self._manifest(chunk), outcomes)

    def _claim(self, chunk: Chunk, claimant: str, deadline: datetime) -> Claim:
        now = self._clock()
        if now >= deadline:
            return Claim.ELSEWHERE
        try:
            manifest = self._manifest(chunk)
            return self._intakes.claim(chunk, manifest, claimant, now, deadline + CLAIM_OUTLASTS)
        except Exception as fault:
            _leave(chunk, fault)
            return Claim.ELSEWHERE

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
            fingerprint=None,
            sent=True,
            created_at=self._clock(),
        )
        return self._intakes.open(manifest)

    def _finish(self, chunk: Chunk, claimant: str, rows: Sequence[Future[RowOutcome]]) -> bool:
        faults = [fault for fault in (row.exception() for row in rows) if fault is not None]
        try:
            if not faults:
                self._intakes.finish(chunk, claimant, [row.result() for row in rows])
                return True
            _leave(chunk, faults[0])
            self._intakes.release(chunk, claimant)
        except Exception as fault:
            _leave(chunk, fault)
        return False

    def _outcome(self, chunk: Chunk, row: Row, deadline: datetime) -> RowOutcome:
        if isinstance(row.wish, InvalidInput):
            return self._rejected(row, row.wish)
        if self._clock() >= deadline:
            raise StoreBusy
        visit_id = self._visit_id(chunk, row)
        origin = Origin(chunk.intake_id, row.number, self._signer.sign(PURPOSE, row.content))
        try:
            self._booking.book_row(row.wish, visit_id, origin)
        except Refused as refusal:
            # Whatever the refusal: if the visit is there, this is a retry, and must not conflict with itself.
            visit = self._booking.find(visit_id)
            return self._found(chunk, row, visit) if visit is not None else self._rejected(row, refusal)
        return RowOutcome(row.number, row.external_id, "created", visit_id)

    def _visit_id(self, chunk: Chunk, row: Row) -> str:
        return row_visit_id(chunk.producer, row.external_id, chunk.intake_id, row.number)

    def _found(self, chunk: Chunk, row: Row, visit: Visit) -> RowOutcome:
        """A visit under the row's id: this very row's, the same wish from another, or another wish altogether."""
        origin = visit.origin
        if origin is not None and (origin.intake_id, origin.row) == (chunk.intake_id, row.number):
            return RowOutcome(row.number, row.external_id, "created", visit.id)
        if origin is not None and self._signer.verifies(PURPOSE, row.content, origin.content):
            return RowOutcome(row.number, row.external_id, "duplicate", visit.id)
        return self._rejected(row, ExternalIdReused())

    def _rejected(self, row: Row, refusal: Refused) -> RowOutcome:
        return RowOutcome(row.number, row.external_id, "rejected", problem=self._describe(refusal))


def _leave(chunk: Chunk, fault: BaseException) -> None:
    """Notes why a chunk stays in the queue. Whatever it was, the neighbours in the batch are not held up by it."""
    # Where in our code it happened, but not the message: a message may quote a row, and with it personal data.
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if "chalicelib" in f.filename]
    places = [f"{f.filename}:{f.lineno} {f.name}" for f in frames]
    entry = {"level": "ERROR", "event": "chunk-left", "intakeId": chunk.intake_id, "chunk": chunk.number}
    log.error(json.dumps(entry | {"kind": type(fault).__qualname__, "frames": places}))
