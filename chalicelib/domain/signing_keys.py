"""Signatures over what we hand out or keep: cursors, and fingerprints of payloads. HMAC-SHA256 (RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from chalicelib.record import Record

REFRESHED_EVERY: Final = timedelta(minutes=5)
"""How old the keys may be that an instance works with."""

ANNOUNCED: Final = 2 * REFRESHED_EVERY
"""How long a new key is known before it signs: every instance has it by then, and understands what it signed."""

VERIFIES_ON: Final = timedelta(days=5 * 366 + 2)
"""How long a key that signs no more is kept: as long as a visitor's link may be good, which outlives all others."""


class RotationUnderWay(Exception):
    """The last new key does not sign yet."""


class Signature(Record):
    """A signature and the id of the key that made it, so that a rotation of keys breaks nothing."""

    key_id: str
    value: bytes


class Keyring(Record):
    """The secret keys in use: `current` signs, all of them verify. One may be waiting to become the current one."""

    current: str
    secrets: Mapping[str, bytes]
    waiting: tuple[str, datetime] | None = None
    """The next key and when it becomes the current one."""
    retired: Mapping[str, datetime] = field(default_factory=dict)
    """When each of the others ceased to sign."""

    def at(self, now: datetime) -> Keyring:
        """The keyring as it is then: the waiting key signs once its time has come."""
        if self.waiting is None or now < self.waiting[1]:
            return self
        following, since = self.waiting
        return Keyring(following, self.secrets, retired={**self.retired, self.current: since})

    def rotated(self, key_id: str, secret: bytes, now: datetime) -> Keyring:
        """With a new key waiting, and without those that nothing valid was signed with. Raises RotationUnderWay."""
        settled = self.at(now)
        if settled.waiting is not None:
            raise RotationUnderWay
        retired = {id: since for id, since in settled.retired.items() if now - since <= VERIFIES_ON}
        kept = {id: settled.secrets[id] for id in (settled.current, *retired)}
        return Keyring(settled.current, {**kept, key_id: secret}, (key_id, now + ANNOUNCED), retired)

    def sign(self, purpose: str, message: bytes) -> Signature:
        """Signs for one purpose only: a cursor's signature is worthless on a fingerprint."""
        return Signature(self.current, _mac(self.secrets[self.current], purpose, message))

    def knows(self, signature: Signature) -> bool:
        return signature.key_id in self.secrets

    def verifies(self, purpose: str, message: bytes, signature: Signature) -> bool:
        secret = self.secrets.get(signature.key_id)
        return secret is not None and hmac.compare_digest(_mac(secret, purpose, message), signature.value)


def _mac(secret: bytes, purpose: str, message: bytes) -> bytes:
    return hmac.new(secret, purpose.encode() + b"\0" + message, hashlib.sha256).digest()
