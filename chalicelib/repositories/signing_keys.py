"""The signing keys that all instances share: made on first use, kept in the table, in no file and no variable."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from chalicelib.domain.errors import OutcomeUnknown, StoreBusy
from chalicelib.domain.signing_keys import Keyring
from chalicelib.repositories.items import WRITTEN_BY, Item, Key, loaded, present, stored
from chalicelib.repositories.table import ConditionsFailed, Table, Write


def signing_keys_key() -> Key:
    return {"pk": "K#:signing", "sk": "K"}


def signing_keys_item(keyring: Keyring) -> Item:
    following, since = keyring.waiting or (None, None)
    return present(
        {
            **signing_keys_key(),
            "current": keyring.current,
            "secrets": dict(keyring.secrets),
            "waiting": following,
            "waitingUntil": stored(since) if since else None,
            "retired": {id: stored(when) for id, when in keyring.retired.items()},
        }
    )


def signing_keys_of(item: Item) -> Keyring:
    return Keyring(
        current=item["current"],
        secrets={id: bytes(secret) for id, secret in item["secrets"].items()},
        waiting=(item["waiting"], loaded(item["waitingUntil"])) if "waiting" in item else None,
        retired={id: loaded(when) for id, when in item.get("retired", {}).items()},
    )


def _utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class DynamoSigningKeys:
    def __init__(self, table: Table, clock: Callable[[], datetime] = _utc_now) -> None:
        self._table = table
        self._clock = clock

    def load(self) -> Keyring:
        """One strongly consistent read; on the very first use of a stage also one conditional write."""
        item = self._read()
        return signing_keys_of(item).at(self._clock()) if item else self._make()

    def rotate(self) -> Keyring:
        """Adds a key that signs once every instance knows it, and drops those that nothing valid was signed with.

        Raises RotationUnderWay, or ConditionsFailed when somebody else rotates at the same moment.
        """
        item = self._read()
        if item is None:
            return self._make()
        rotated = signing_keys_of(item).rotated(_new_id(), _new_secret(), self._clock())
        self._put(rotated, f"{WRITTEN_BY} = :before", {":before": item[WRITTEN_BY]})
        return rotated

    def _read(self) -> Item | None:
        return self._table.get(signing_keys_key())

    def _make(self) -> Keyring:
        key_id = _new_id()
        made = Keyring(key_id, {key_id: _new_secret()})
        try:
            self._put(made, "attribute_not_exists(pk)", {})
        except ConditionsFailed:
            # Another instance came first: its keys are everybody's.
            item = self._read()
            return signing_keys_of(item).at(self._clock()) if item else made
        except OutcomeUnknown as unknown:
            # Nothing was signed so far, and whoever's keys they are, the next call reads them.
            raise StoreBusy from unknown
        return made

    def _put(self, keyring: Keyring, condition: str, values: Item) -> None:
        item = signing_keys_item(keyring)
        self._table.put(Write(key=signing_keys_key(), item=item, condition=condition, values=values))


def _new_id() -> str:
    return secrets.token_hex(4)


def _new_secret() -> bytes:
    return secrets.token_bytes(32)
