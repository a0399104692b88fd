"""The use cases of an intake: hand in many visits at once, and look up what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.domain.errors import (
    IntakeNotFound,
    OutcomeUnknown,
    StoreBusy,
    Unavailable,
)
from chalicelib.domain.idempotency import AlreadyDone, IdempotencyKey
from chalicelib.domain.intakes import (
    Intake,
    Manifest,
    RowOutcome,
    chunks,
    row_visit_id,
)
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.listing import Page
    from chalicelib.services.idempotency import Idempotency
    from chalicelib.services.ports import Clock, IntakeStore, NewId, Queue


class Submission(Record):
    """Rows that a caller hands in, as JSON texts: equal in meaning is equal in text."""

    caller: str
    rows: Sequence[str]
    key: IdempotencyKey | None
    notify: bool = False
    """Whether visitors hear of all of them, whatever a row says."""


class Intakes:
    def __init__(self, intakes: IntakeStore, queue: Queue, once: Idempotency, clock: Clock, new_id: NewId) -> None:
        self._intakes = intakes
        self._queue = queue
        self._once = once
        self._clock = clock
        self._new_id = new_id

    def hand_in(self, submission: Submission) -> Intake:
        """Takes in the rows: once it returns, every one of them is durably in the queue.

        Without a key every call is a separate intake. With one, the same submission again completes what was half
        sent and otherwise changes nothing. Raises KeyReused, AlreadyDone when the key stands for a visit that was
        booked at once, or OutcomeUnknown when the rows may be in the queue in part.
        """
        standing = self._standing(submission)
        if standing.manifest.sent:
            return standing
        manifest = standing.manifest
        try:
            messages = chunks(manifest.id, submission.caller, submission.rows, submission.notify)
            self._queue.send([message.text for message in messages])
            self._intakes.mark_sent(manifest.id)
        except Unavailable as busy:
            raise OutcomeUnknown(intake_id=manifest.id) from busy
        return standing

    def look_up(self, id: str) -> Intake:
        """Raises IntakeNotFound."""
        return self._intakes.progress(id, self._clock())

    def results(self, id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        """What became of the rows worked off so far, by row. Raises IntakeNotFound."""
        self._intakes.get(id, self._clock())
        return self._intakes.outcomes(id, after, limit)

    def _standing(self, submission: Submission) -> Intake:
        """The intake of this submission: the one that its key stands for, or a new one."""
        key = submission.key
        earlier = self._once.find(key) if key is not None else None
        if earlier is None:
            opened = self._opened(submission)
            manifest = opened.manifest
            if key is None:
                return opened
            to_come = row_visit_id(manifest.producer, None, manifest.id, 0)
            earlier = self._once.bind(key, to_come, manifest.id, manifest.expires_at)
            if earlier.intake_id == manifest.id:
                return opened
        if earlier.intake_id is None:
            raise AlreadyDone
        try:
            return self.look_up(earlier.intake_id)
        except IntakeNotFound as expired:  # at this very moment, with its key: sent again, it is a new one
            raise StoreBusy from expired

    def _opened(self, submission: Submission) -> Intake:
        id = self._new_id()
        number = sum(1 for _ in chunks(id, submission.caller, submission.rows))
        manifest = Manifest(id, submission.caller, len(submission.rows), number, sent=False, created_at=self._clock())
        return Intake.of(self._intakes.open(manifest), [])
