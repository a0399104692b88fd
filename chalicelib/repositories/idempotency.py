"""What is remembered of requests that succeeded under an Idempotency-Key, written with what they made."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.idempotency import AlreadyDone, IdempotencyRecord
from chalicelib.repositories.items import Item, Key, present, signature_attributes, signature_of
from chalicelib.repositories.table import ConditionsFailed, Table, Write


def idempotency_key(record_id: str) -> Key:
    return {"pk": f"I#{record_id}", "sk": "I"}


def idempotency_item(record: IdempotencyRecord) -> Item:
    return present(
        {
            **idempotency_key(record.id),
            "resourceId": record.resource_id,
            "intakeId": record.intake_id,
            **signature_attributes(record.fingerprint),
            "ttl": int(record.expires_at.timestamp()),
        }
    )


def idempotency_of(item: Item) -> IdempotencyRecord:
    return IdempotencyRecord(
        id=item["pk"].removeprefix("I#"),
        resource_id=item["resourceId"],
        fingerprint=signature_of(item),
        expires_at=datetime.fromtimestamp(int(item["ttl"]), UTC),
        intake_id=item.get("intakeId"),
    )


class DynamoIdempotency:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        """One strongly consistent read. TTL deletes days late, so the expiry is checked here."""
        item = self._table.get(idempotency_key(record_id))
        record = idempotency_of(item) if item else None
        return record if record and record.expires_at > now else None

    def add(self, record: IdempotencyRecord, now: datetime) -> None:
        """1 write unit."""
        (write,) = remember(record, now)
        try:
            self._table.put(write)
        except ConditionsFailed as failed:
            raise AlreadyDone from failed


def remember(once: IdempotencyRecord | None, now: datetime) -> list[Write]:
    """The write that makes a second success under the same key impossible until the first has expired."""
    if once is None:
        return []
    return [
        Write(
            key=idempotency_key(once.id),
            item=idempotency_item(once),
            condition="attribute_not_exists(pk) OR #ttl <= :now",
            values={":now": int(now.timestamp())},
            decisive=True,
        )
    ]


def refuse_replay(failed: ConditionsFailed, once: IdempotencyRecord | None) -> None:
    """Raises AlreadyDone when the record was in the way. Ask before the slots: they may be the request's own."""
    if once is not None and any(write.key == idempotency_key(once.id) for write in failed.writes):
        raise AlreadyDone from failed
