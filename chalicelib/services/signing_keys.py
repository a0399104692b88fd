"""Signs and verifies with the keys that all instances share, asking the store for them only now and then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.signing_keys import REFRESHED_EVERY, Keyring, Signature

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, SigningKeyStore


class Signer:
    def __init__(self, keys: SigningKeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._loaded: tuple[Keyring, datetime] | None = None

    def now(self) -> datetime:
        """The clock by which what was signed expires."""
        return self._clock()

    def sign(self, purpose: str, message: bytes) -> Signature:
        return self._keyring().sign(purpose, message)

    def verifies(self, purpose: str, message: bytes, signature: Signature) -> bool:
        """False for anything this service did not sign. Another instance may sign with a key made a moment ago."""
        keyring = self._keyring()
        if not keyring.knows(signature):
            keyring = self._reload()
        return keyring.verifies(purpose, message, signature)

    def _keyring(self) -> Keyring:
        if self._loaded is None or self._clock() - self._loaded[1] > REFRESHED_EVERY:
            return self._reload()
        return self._loaded[0]

    def _reload(self) -> Keyring:
        keyring = self._keys.load()
        self._loaded = (keyring, self._clock())
        return keyring
