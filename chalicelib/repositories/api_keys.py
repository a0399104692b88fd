"""The API keys in DynamoDB: read by id for every caller, listed by name for the operator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest, Scope
from chalicelib.repositories import items
from chalicelib.repositories.items import Item, Key, loaded, present, stored
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

API_KEYS: Final = "KS"
"""The partition in which the API keys can be listed."""


_API_KEY_PARTITION: Final = re.compile(r"K#([0-9a-f]{16})")


def api_key_key(key_id: str) -> Key:
    return {"pk": f"K#{key_id}", "sk": "K"}


def listed_api_key_id(item: Item) -> str | None:
    """The id of the key that the listing leads to: by where the item is, for the rest may be out of date or planted."""
    found = _API_KEY_PARTITION.fullmatch(item["pk"])
    return found[1] if found and item["sk"] == "K" else None


def api_key_item(key: ApiKey) -> Item:
    """Without a TTL: who could call, and until when, stays known."""
    return present(
        {
            **api_key_key(key.id),
            "g2pk": API_KEYS,
            "g2sk": f"{key.name}#{stored(key.created_at)}#{key.id}",
            "id": key.id,
            "name": key.name,
            "secretHash": key.secret_hash,
            "scopes": sorted(key.scopes),
            "createdAt": stored(key.created_at),
            "expiresAt": stored(key.expires_at) if key.expires_at else None,
            "revokedAt": stored(key.revoked_at) if key.revoked_at else None,
            # None is said too: without it, an end is taken for what the key was made for.
            "lifetime": int(key.lifetime.total_seconds()) if key.lifetime else 0,
        }
    )


def api_key_of(item: Item) -> ApiKey:
    created_at = loaded(item["createdAt"])
    expires_at = loaded(item["expiresAt"]) if "expiresAt" in item else None
    made_for = timedelta(seconds=int(item.get("lifetime", 0)))
    if "lifetime" not in item and expires_at is not None:  # of a key that is older than this attribute
        made_for = expires_at - created_at
    return ApiKey(
        id=item["id"],
        name=item["name"],
        secret_hash=bytes(item["secretHash"]),
        scopes=frozenset(Scope(scope) for scope in item["scopes"]),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=loaded(item["revokedAt"]) if "revokedAt" in item else None,
        lifetime=made_for or None,
    )


ALL: Final = Range(items.BY_MONTH, (Group((API_KEYS,), "", items.LAST),), "!", items.LAST)
PAGE: Final = 100

SAME: Final = "secretHash = :secret AND #name = :name AND createdAt = :created AND attribute_not_exists(revokedAt)"
"""The key is the one that was read, and nobody has revoked it since."""


class DynamoApiKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, key_id: str) -> ApiKey | None:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(api_key_key(key_id))
        return api_key_of(item) if item else None

    def add(self, key: ApiKey) -> None:
        """2 write units."""
        self._table.put(Write(key=api_key_key(key.id), item=api_key_item(key), condition="attribute_not_exists(pk)"))

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
            found += filter(None, map(listed_api_key_id, page.items))
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
            self._table.update(Write(key=api_key_key(key.id), update=update, condition=condition, values=values))
        except ConditionsFailed as failed:
            stands = api_key_of(failed.present) if failed.present else None
            if stands is None or not stands.is_same_as(key):
                raise InvalidKeyRequest(f"The key {key.id} was changed by someone else just now.") from None
            return stands
        return None
