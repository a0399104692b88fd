"""Runs a request that may be sent again at most once: what succeeded under an Idempotency-Key is recalled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chalicelib.domain.errors import KeyReused, Refused, StoreBusy
from chalicelib.domain.idempotency import KEPT, AlreadyDone, IdempotencyKey, IdempotencyRecord
from chalicelib.services.ports import Clock, IdempotencyRecords
from chalicelib.services.signing import Signer

T = TypeVar("T")

PURPOSE = "idempotency"


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a request made, now or, if `replayed`, when it came before."""

    result: T
    replayed: bool = False


class Once:
    def __init__(self, records: IdempotencyRecords, signer: Signer, clock: Clock) -> None:
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
        record = self._record(key, resource_id)
        try:
            return Outcome(attempt(record))
        except Refused as refused:
            earlier = self._records.find(key.id, self._clock())
            if earlier is None and isinstance(refused, AlreadyDone):
                raise StoreBusy from refused
            if earlier is None:
                raise
        return Outcome(recall(self._resource(key, earlier)), replayed=True)

    def reserve(self, key: IdempotencyKey, resource_id: str) -> str:
        """Makes the key stand for a resource that is made later; gives the one that it stands for, now or before.

        Raises KeyReused when the earlier payload was another one.
        """
        record = self._record(key, resource_id)
        try:
            self._records.add(record, self._clock())
        except AlreadyDone as done:
            earlier = self._records.find(key.id, self._clock())
            if earlier is None:
                raise StoreBusy from done
            return self._resource(key, earlier)
        return resource_id

    def _record(self, key: IdempotencyKey, resource_id: str) -> IdempotencyRecord:
        return IdempotencyRecord(key.id, resource_id, self._signer.sign(PURPOSE, key.payload), self._clock() + KEPT)

    def _resource(self, key: IdempotencyKey, earlier: IdempotencyRecord) -> str:
        if not self._signer.verifies(PURPOSE, key.payload, earlier.fingerprint):
            raise KeyReused
        return earlier.resource_id
