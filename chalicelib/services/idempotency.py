"""Runs a request that may be sent again at most once: what succeeded under an Idempotency-Key is recalled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from chalicelib.domain.errors import KeyReused, OutcomeUnknown, Refused, StoreBusy
from chalicelib.domain.idempotency import KEPT, AlreadyDone, IdempotencyKey, IdempotencyRecord
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, IdempotencyStore
    from chalicelib.services.signing_keys import Signer

T = TypeVar("T")

PURPOSE = "idempotency"


class Outcome(Record, Generic[T]):
    """What a request made, now or, if `replayed`, when it came before."""

    result: T
    replayed: bool = False


class Idempotency:
    def __init__(self, records: IdempotencyStore, signer: Signer, clock: Clock) -> None:
        self._records = records
        self._signer = signer
        self._clock = clock

    def run(
        self,
        key: IdempotencyKey | None,
        resource_id: str,
        attempt: Callable[[IdempotencyRecord | None], T],
        recall: Callable[[str], T],
    ) -> Outcome[T]:
        """Attempts the request; the attempt writes the given record in the same transaction as what it makes.

        Only a refusal makes us look for an earlier success, so the usual request pays no extra read, and a retry
        never conflicts with itself. Raises KeyReused when the earlier payload was another one, and StoreBusy when the
        earlier success expired at this very moment: sent again, the request is a new one.
        """
        if key is None:
            return Outcome(attempt(None))
        record = self._record(key, resource_id, self._clock() + KEPT)
        try:
            return Outcome(attempt(record))
        except Refused as refused:
            earlier = self._earlier(key)
            if earlier is None and isinstance(refused, AlreadyDone):
                raise StoreBusy from refused
            if earlier is None:
                raise
        return Outcome(recall(earlier.resource_id), replayed=True)

    def find(self, key: IdempotencyKey) -> IdempotencyRecord | None:
        """What the key stands for, if anything. Raises KeyReused when the earlier payload was another one."""
        earlier = self._records.find(key.id, self._clock())
        if earlier is not None and not self._signer.verifies(PURPOSE, key.payload, earlier.fingerprint):
            raise KeyReused
        return earlier

    def bind(self, key: IdempotencyKey, resource_id: str, intake_id: str, until: datetime) -> IdempotencyRecord:
        """Makes the key stand for what an intake will make, unless it stands for something: gives what it stands for.

        Raises KeyReused when the earlier payload was another one.
        """
        record = self._record(key, resource_id, until, intake_id)
        try:
            self._records.add(record, self._clock())
        except AlreadyDone as done:
            earlier = self.find(key)
            if earlier is None:
                raise StoreBusy from done
            return earlier
        return record

    def _earlier(self, key: IdempotencyKey) -> IdempotencyRecord | None:
        """After a refusal: an earlier request with this key may be what was in the way."""
        try:
            return self.find(key)
        except StoreBusy as busy:
            raise OutcomeUnknown from busy

    def _record(
        self, key: IdempotencyKey, resource_id: str, until: datetime, intake_id: str | None = None
    ) -> IdempotencyRecord:
        return IdempotencyRecord(key.id, resource_id, self._signer.sign(PURPOSE, key.payload), until, intake_id)
