"""The API keys in DynamoDB: read by id for every caller, listed by name for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest
from chalicelib.repositories import items
from chalicelib.repositories.items import Item
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

ALL: Final = Range(items.BY_MONTH, (Group((items.API_KEYS,), "", items.LAST),), "!", items.LAST)
PAGE: Final = 100

SAME: Final = "secretHash = :secret AND #name = :name AND createdAt = :created AND attribute_not_exists(revokedAt)"
"""The key is the one that was read, and nobody has revoked it since."""


class DynamoApiKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, key_id: str) -> ApiKey | None:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(items.api_key_key(key_id))
        return items.api_key_of(item) if item else None

    def add(self, key: ApiKey) -> None:
        """2 write units."""
        self._table.put(
            Write(key=items.api_key_key(key.id), item=items.api_key_item(key), condition="attribute_not_exists(pk)")
        )

    def end(self, key: ApiKey, at: datetime) -> None:
        """2 write units. A second attempt, after an answer that was lost, finds that the key ends by then."""
        self._change(
            key,
            "SET expiresAt = :at",
            f"{SAME} AND (attribute_not_exists(expiresAt) OR expiresAt > :at)",
            at,
        )

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        """2 write units. A second attempt, after an answer that was lost, finds the key revoked."""
        stands = self._change(key, "SET revokedAt = :at", SAME, at)
        return stands or replace(key, revoked_at=at)

    def ids(self) -> Sequence[str]:
        """One query for every hundred keys, eventually consistent."""
        found: list[str] = []
        page = self._table.page(ALL, None, PAGE)
        while True:
            found += filter(None, map(items.listed_api_key_id, page.items))
            if page.next is None:
                return found
            page = self._table.page(ALL, page.next, PAGE)

    def _change(self, key: ApiKey, update: str, condition: str, at: datetime) -> ApiKey | None:
        """Changes the key unless that is done already: then gives it as it stands."""
        values: Item = {
            ":at": items.stored(at),
            ":secret": key.secret_hash,
            ":name": key.name,
            ":created": items.stored(key.created_at),
        }
        try:
            self._table.update(Write(key=items.api_key_key(key.id), update=update, condition=condition, values=values))
        except ConditionsFailed as failed:
            stands = items.api_key_of(failed.present) if failed.present else None
            if stands is None or not stands.is_same_as(key):
                raise InvalidKeyRequest(f"The key {key.id} was changed by someone else just now.") from None
            return stands
        return None
