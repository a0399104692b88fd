"""The API keys in DynamoDB: read by id for every caller, listed by name for the operator."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain.access import ApiKey
from chalicelib.repositories import items
from chalicelib.repositories.table import Group, Range, Table, Write

ALL = Range(items.BY_MONTH, (Group((items.API_KEYS,), "", items.LAST),), "!", items.LAST)
PAGE = 100


class DynamoApiKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, key_id: str) -> ApiKey | None:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(items.api_key_key(key_id))
        return items.api_key_of(item) if item else None

    def add(self, key: ApiKey) -> None:
        """2 write units."""
        self._put(key, "attribute_not_exists(pk)")

    def save(self, key: ApiKey) -> None:
        """2 write units."""
        self._put(key, "attribute_exists(pk)")

    def list(self) -> Sequence[ApiKey]:
        """One query for every hundred keys, eventually consistent."""
        found: list[ApiKey] = []
        page = self._table.page(ALL, None, PAGE)
        found += page.map(items.api_key_of).items
        while page.next is not None:
            page = self._table.page(ALL, page.next, PAGE)
            found += page.map(items.api_key_of).items
        return found

    def _put(self, key: ApiKey, condition: str) -> None:
        self._table.put(Write(key=items.api_key_key(key.id), item=items.api_key_item(key), condition=condition))
