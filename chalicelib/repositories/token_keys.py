"""The keys that a user pool signs its tokens with, fetched from where it publishes them (RFC 7517)."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import StoreBusy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

COOL_DOWN_SECONDS: Final = 30
"""So long after a fetch an unknown key is not worth another: anybody can make up a name for one."""

TIMEOUT_SECONDS: Final = 3
MOST_BYTES: Final = 100_000

Fetch = Callable[[], bytes]
Clock = Callable[[], float]


class PublishedKeys:
    """A pool's keys as this instance knows them: fetched once, and again when a token names one that is not there."""

    def __init__(self, fetch: Fetch, clock: Clock = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: Mapping[str, RSAPublicKey] = {}
        self._out_of_reach = False
        self._not_before = float("-inf")
        self._lock = Lock()

    def find(self, name: str) -> RSAPublicKey | None:
        """The key of that name. Raises StoreBusy when there may be one, but the pool cannot be asked."""
        with self._lock:
            if name not in self._known and self._clock() >= self._not_before:
                self._fetch_again()
            if name not in self._known and self._out_of_reach:
                raise StoreBusy
            return self._known.get(name)

    def _fetch_again(self) -> None:
        try:
            self._known = _read(self._fetch())
            self._out_of_reach = False
        except (OSError, http.client.HTTPException, ValueError):
            self._out_of_reach = True
        self._not_before = self._clock() + COOL_DOWN_SECONDS


def _read(content: bytes) -> Mapping[str, RSAPublicKey]:
    """Those that sign with RS256, by their names. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWKSet, PyJWTError

    try:
        published = PyJWKSet.from_json(content.decode())
    except (PyJWTError, AttributeError, TypeError) as wrong:
        raise ValueError("not a set of keys") from wrong
    return {
        key.key_id: key.key
        for key in published.keys
        if key.key_id and key.algorithm_name == "RS256" and isinstance(key.key, RSAPublicKey)
    }


def fetch_from(address: str) -> Fetch:
    """Fetches from an address of the stage's own settings, https but for the embedded AWS."""

    def fetch() -> bytes:
        from urllib.request import urlopen

        with urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError("too large for a set of keys")
        return content

    return fetch
