"""The signing keys that all instances share: made on first use, kept in the table, in no file and no variable."""

from __future__ import annotations

import secrets

from chalicelib.domain.signatures import Keyring
from chalicelib.repositories import items
from chalicelib.repositories.table import ConditionsFailed, Table, Write


class DynamoSigningKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self) -> Keyring:
        """One strongly consistent read; on the very first use of a stage also one conditional write."""
        return self._read() or self._make()

    def _read(self) -> Keyring | None:
        item = self._table.get(items.signing_keys_key())
        return items.signing_keys_of(item) if item else None

    def _make(self) -> Keyring:
        key_id = secrets.token_hex(4)
        made = Keyring(key_id, {key_id: secrets.token_bytes(32)})
        try:
            self._table.put(
                Write(
                    key=items.signing_keys_key(),
                    item=items.signing_keys_item(made),
                    condition="attribute_not_exists(pk)",
                )
            )
        except ConditionsFailed:
            # Another instance came first: its keys are everybody's.
            return self._read() or made
        return made
