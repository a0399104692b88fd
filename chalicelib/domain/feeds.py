"""Calendar feeds: the secret in a feed's address, and the window of visits that it shows."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chalicelib.domain.properties import Property
from chalicelib.domain.visits import Visit

BACK: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=366)
MOST_VISITS: Final = 2000

SECRET_BYTES: Final = 32
NO_TOKEN: Final = bytes(32)
"""Compared with where there is no token, so that a wrong property takes as long as a wrong token."""

NewToken = Callable[[], str]


def new_token() -> str:
    """256 random bits, spelled for an address."""
    return secrets.token_urlsafe(SECRET_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a token. One SHA-256 and no slow hash: 256 random bits are beyond guessing."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def opens(token: str, kept: bytes | None) -> bool:
    """Whether it is the token that is kept. The comparison takes constant time."""
    same = hmac.compare_digest(token_hash(token), kept if kept is not None else NO_TOKEN)
    return same and kept is not None


@dataclass(frozen=True)
class Feed:
    """What a property's calendar shows: visits by start, and whether these are all of the window."""

    property: Property
    visits: list[Visit]
    complete: bool
