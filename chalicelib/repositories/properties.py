"""The agency's properties in DynamoDB. One public method is one call, but for a list: one query a shard."""

from __future__ import annotations

from chalicelib.domain.errors import PropertyExists, PropertyNotFound, VersionMismatch
from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.listing import Page
from chalicelib.domain.properties import Property
from chalicelib.repositories import items
from chalicelib.repositories.idempotency import refuse_replay, remember
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

ALL = Range(items.BY_MONTH, (Group(items.property_shards(), "", items.LAST),), "!", items.LAST)
"""Every property by id. An id begins with what sorts between these two bounds, which are no ids themselves."""


class DynamoProperties:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, property_id: str) -> Property:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(items.property_key(property_id))
        if item is None:
            raise PropertyNotFound(property_id)
        return items.property_of(item)

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        """2 write units, 5 in a transaction with an idempotency key."""
        put = Write(
            key=items.property_key(property.id),
            item=items.property_item(property),
            condition="attribute_not_exists(pk)",
        )
        try:
            if once is None:
                self._table.put(put)
            else:
                self._table.transact([*remember(once, property.created_at), put])
        except ConditionsFailed as failed:
            refuse_replay(failed, once)
            raise PropertyExists(property.id) from failed

    def save(self, before: Property, after: Property) -> None:
        """2 write units."""
        put = Write(
            key=items.property_key(after.id),
            item=items.property_item(after),
            condition="version = :before",
            values={":before": before.version},
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def list(self, after: str | None, limit: int) -> Page[Property]:
        """One query a shard."""
        return self._table.page(ALL, after, limit).map(items.property_of)
