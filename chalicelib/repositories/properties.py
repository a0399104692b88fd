"""The agency's properties in DynamoDB. One public method is one call, but for a list: one query a shard."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from chalicelib.domain.errors import PropertyExists, PropertyNotFound, VersionMismatch
from chalicelib.domain.listing import EVERY_PROPERTY, Page, PropertyFilter
from chalicelib.domain.properties import Property, PropertyDetails, PublicBooking
from chalicelib.repositories import items
from chalicelib.repositories.idempotency import refuse_replay, remember
from chalicelib.repositories.items import SHARDS, Item, Key, loaded, present, shard_of, stored
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

if TYPE_CHECKING:
    from chalicelib.domain.idempotency import IdempotencyRecord


def property_key(property_id: str) -> Key:
    return {"pk": f"P#{property_id}", "sk": "P"}


def property_shards() -> tuple[str, ...]:
    return tuple(f"PS#{shard}" for shard in range(SHARDS))


def property_item(property: Property) -> Item:
    details = property.details
    item: Item = {
        **property_key(property.id),
        "g2pk": f"PS#{shard_of(property.id)}",
        "g2sk": property.id,
        "id": property.id,
        "name": details.name,
        "address": details.address,
        "price": details.price,
        "currency": details.currency,
        "timeZone": details.time_zone,
        "capacity": details.capacity,
        "visitsAllowed": details.visits_allowed,
        # What was registered before there was a page to book on has none, and is not on it.
        "publicBooking": None if details.public_booking is PublicBooking.OFF else str(details.public_booking),
        "version": property.version,
        "createdAt": stored(property.created_at),
        "updatedAt": stored(property.updated_at),
    }
    return present(item)


def property_of(item: Item) -> Property:
    return Property(
        id=item["id"],
        details=PropertyDetails(
            name=item["name"],
            address=item["address"],
            price=Decimal(item["price"]) if "price" in item else None,
            currency=item.get("currency"),
            time_zone=item["timeZone"],
            capacity=int(item["capacity"]),
            visits_allowed=item["visitsAllowed"],
            public_booking=PublicBooking(item.get("publicBooking", PublicBooking.OFF)),
        ),
        version=int(item["version"]),
        created_at=loaded(item["createdAt"]),
        updated_at=loaded(item["updatedAt"]),
    )


ALL = Range(items.BY_MONTH, (Group(property_shards(), "", items.LAST),), "!", items.LAST)
"""Every property by id. An id begins with what sorts between these two bounds, which are no ids themselves."""


class DynamoProperties:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, property_id: str) -> Property:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(property_key(property_id))
        if item is None:
            raise PropertyNotFound(property_id)
        return property_of(item)

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        """2 write units, 5 in a transaction with an idempotency key."""
        put = Write(
            key=property_key(property.id),
            item=property_item(property),
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
            key=property_key(after.id),
            item=property_item(after),
            condition="version = :before",
            values={":before": before.version},
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def list(self, filter: PropertyFilter, after: str | None, limit: int) -> Page[Property]:
        """One query a shard; with a filter as many as its budget of a thousand properties takes."""
        if filter == EVERY_PROPERTY:
            return self._table.page(ALL, after, limit).map(property_of)
        wanted = replace(ALL, keep=lambda item: filter.matches(property_of(item)))
        return self._table.page(wanted, after, limit).map(property_of)
