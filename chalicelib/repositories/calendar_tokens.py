"""The hashed tokens of calendar feeds, each an item of its own beside its property, whose version they do not touch."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from chalicelib.repositories import items
from chalicelib.repositories.table import ConditionsFailed, Table, Write


class DynamoCalendarTokens:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, property_id: str) -> bytes | None:
        """One strongly consistent read, so that a withdrawn token stops at once: 1 read unit."""
        item = self._table.get(items.calendar_token_key(property_id))
        return items.calendar_token_hash_of(item) if item else None

    def keep(self, property_id: str, token_hash: bytes, now: datetime) -> None:
        """A transaction of one: 2 write units."""
        item = items.calendar_token_item(property_id, token_hash, now)
        self._table.transact([Write(key=items.calendar_token_key(property_id), item=item)])

    def remove(self, property_id: str) -> None:
        """1 write unit. The item stays and says since when there was a feed, but opens nothing."""
        withdrawn = Write(
            key=items.calendar_token_key(property_id),
            update="REMOVE secretHash",
            condition="attribute_exists(secretHash)",
        )
        with suppress(ConditionsFailed):  # there was none
            self._table.update(withdrawn)
