"""The use cases of access: tell who calls, and issue, rotate and revoke the keys they call with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest, PresentedKey, Scope, make_key, opens, parse_key

if TYPE_CHECKING:
    from chalicelib.services.ports import ApiKeyStore, Clock


class ApiKeys:
    def __init__(self, keys: ApiKeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def authenticate(self, token: str) -> ApiKey | None:
        """The key that the token is, if it is one and still good. Raises StoreBusy when that cannot be told."""
        presented = parse_key(token)
        if presented is None:
            return None
        kept = self._keys.find(presented.id)
        return kept if opens(presented, kept, self._clock()) else None

    def issue(
        self, name: str, scopes: Iterable[Scope], lifetime: timedelta | None = None
    ) -> tuple[ApiKey, PresentedKey]:
        """Makes a key; the second part is never to be had again. Raises InvalidKeyRequest."""
        now = self._clock()
        key, shown = make_key(name, scopes, now, now + lifetime if lifetime is not None else None)
        self._keys.add(key)
        return key, shown

    def rotate(self, name: str, overlap: timedelta) -> tuple[ApiKey, PresentedKey]:
        """A new key for the same caller, with the scopes and the lifetime of the newest; the others end after the
        overlap. Raises InvalidKeyRequest when no key of that name is in use.

        One that was interrupted is done again: the key that nobody was shown ends with the others, and those that
        were to end already keep their end.
        """
        now = self._clock()
        in_use = self._in_use(name)
        newest = max(in_use, key=lambda key: key.created_at)
        issued = self.issue(name, newest.scopes, newest.lifetime)
        for key in in_use:
            self._keys.end(key, now + overlap)
        return issued

    def revoke(self, key_id: str) -> ApiKey:
        """Ends a key at once, or as soon as the gateway's cache forgets it. Raises InvalidKeyRequest."""
        key = self._keys.find(key_id)
        if key is None:
            raise InvalidKeyRequest("No key has this id.")
        return key if key.revoked_at is not None else self._keys.revoke(key, self._clock())

    def revoke_all(self, name: str) -> Sequence[ApiKey]:
        """Ends every key of a caller. Raises InvalidKeyRequest when none is in use."""
        now = self._clock()
        return [self._keys.revoke(key, now) for key in self._in_use(name)]

    def all_keys(self) -> Sequence[ApiKey]:
        """Every key there ever was, by name and age, each as it stands now."""
        return [key for key in map(self._keys.find, self._keys.ids()) if key is not None]

    def _in_use(self, name: str) -> Sequence[ApiKey]:
        now = self._clock()
        found = [key for key in self.all_keys() if key.name == name and key.usable(now)]
        if not found:
            raise InvalidKeyRequest(f"No key named {name} is in use.")
        return found
