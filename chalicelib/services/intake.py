"""The use cases of an intake: hand in many visits at once, and look up what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import KeyReused
from chalicelib.domain.idempotency import IdempotencyKey
from chalicelib.domain.intakes import Intake, IntakeNotFound, Manifest, RowOutcome, chunks, intake_id, row_visit_id
from chalicelib.domain.listing import Page
from chalicelib.domain.signatures import Signature
from chalicelib.services.once import Once
from chalicelib.services.ports import Clock, Intakes, Queue
from chalicelib.services.signing import Signer

PURPOSE = "intake"


@dataclass(frozen=True)
class Submission:
    """Rows that a caller hands in, as JSON texts, and the canonical form of them all."""

    caller: str
    route: str
    key: str | None
    rows: Sequence[str]
    payload: bytes


class IntakeDesk:
    def __init__(self, intakes: Intakes, queue: Queue, once: Once, signer: Signer, clock: Clock) -> None:
        self._intakes = intakes
        self._queue = queue
        self._once = once
        self._signer = signer
        self._clock = clock

    def hand_in(self, submission: Submission) -> Intake:
        """Takes in the rows: once it returns, every one of them is durably in the queue.

        The same submission again completes what was half sent and otherwise changes nothing. Raises KeyReused when
        the Idempotency-Key came with other rows, StoreBusy when store or queue do not take it now.
        """
        manifest = self._standing(submission)
        if manifest.fingerprint is None or not self._signer.verifies(PURPOSE, submission.payload, manifest.fingerprint):
            raise KeyReused
        if not manifest.sent:
            messages = chunks(manifest.id, submission.caller, submission.rows)
            self._queue.send([message.text for message in messages])
            self._intakes.mark_sent(manifest.id)
        return Intake.of(manifest, self._intakes.summaries(manifest.id))

    def reserve(self, submission: Submission, key: IdempotencyKey | None) -> bool:
        """For an intake of one: makes its key stand for the visit to come, however the same request comes again.

        False when it stands for a visit that was booked at once. Raises KeyReused.
        """
        if key is None:
            return True
        visit_id = row_visit_id(submission.caller, None, _identity(submission, None), 0)
        return self._once.reserve(key, visit_id) == visit_id

    def look_up(self, id: str) -> Intake:
        """Raises IntakeNotFound."""
        return Intake.of(self._intakes.get(id, self._clock()), self._intakes.summaries(id))

    def results(self, id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        """What became of the rows worked off so far, by row. Raises IntakeNotFound."""
        self._intakes.get(id, self._clock())
        return self._intakes.outcomes(id, after, limit)

    def _standing(self, submission: Submission) -> Manifest:
        """The manifest of this submission: the one from before, or a new one."""
        current, *older = self._signer.signatures(PURPOSE, submission.payload)
        for signature in older if submission.key is None else []:
            # The signing keys were rotated since: the same body has its old identity still.
            try:
                return self._intakes.get(_identity(submission, signature), self._clock())
            except IntakeNotFound:
                continue
        id = _identity(submission, current)
        number = sum(1 for _ in chunks(id, submission.caller, submission.rows))
        manifest = Manifest(
            id=id,
            producer=submission.caller,
            rows=len(submission.rows),
            chunks=number,
            fingerprint=current,
            sent=False,
            created_at=self._clock(),
        )
        return self._intakes.open(manifest)


def _identity(submission: Submission, signature: Signature | None) -> str:
    """By the caller's key or, where there is none, by a signature of the payload."""
    if signature is None or submission.key is not None:
        return intake_id("key", submission.caller, submission.route, submission.key or "")
    return intake_id("body", submission.caller, submission.route, signature.value.hex())
