"""Signatures over what we hand out or keep: cursors, and fingerprints of payloads. HMAC-SHA256 (RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """A signature and the id of the key that made it, so that a rotation of keys breaks nothing."""

    key_id: str
    value: bytes


@dataclass(frozen=True)
class Keyring:
    """The secret keys in use: `current` signs, all of them verify."""

    current: str
    secrets: Mapping[str, bytes]

    def sign(self, purpose: str, message: bytes) -> Signature:
        """Signs for one purpose only: a cursor's signature is worthless on a fingerprint."""
        return Signature(self.current, _mac(self.secrets[self.current], purpose, message))

    def sign_with_all(self, purpose: str, message: bytes) -> list[Signature]:
        ids = sorted(self.secrets, key=lambda key_id: key_id != self.current)
        return [Signature(key_id, _mac(self.secrets[key_id], purpose, message)) for key_id in ids]

    def knows(self, signature: Signature) -> bool:
        return signature.key_id in self.secrets

    def verifies(self, purpose: str, message: bytes, signature: Signature) -> bool:
        secret = self.secrets.get(signature.key_id)
        return secret is not None and hmac.compare_digest(_mac(secret, purpose, message), signature.value)


def _mac(secret: bytes, purpose: str, message: bytes) -> bytes:
    return hmac.new(secret, purpose.encode() + b"\0" + message, hashlib.sha256).digest()
