"""Calendar feeds: the secret in a feed's address, the visits that it shows, and the rendering that is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.listing import Entry

BACK: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=366)
MOST_VISITS: Final = 2000

SECRET_BYTES: Final = 32
NO_TOKEN: Final = bytes(32)
"""Compared with where there is no token, so that a wrong owner takes as long as a wrong token."""

FRESH: Final = timedelta(minutes=5)
"""How long a rendering answers every poll. Calendar programs ask every quarter of an hour at most."""

KEPT: Final = timedelta(days=1)
"""When the store may drop a rendering that nobody asked for since."""

RENEWED_WITHIN: Final = timedelta(seconds=30)
"""How long one poll has to renew a rendering, while the others get the one before."""

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


class Owner(Record):
    """Whose calendar a feed is."""

    kind: Literal["property", "agent"]
    id: str


class Shows(StrEnum):
    """How much a feed says of its visits."""

    TIMES = "times"
    """When and where, and nobody's name."""
    VISITORS = "visitors"
    """The visitor's name and phone too."""


class Feed(Record):
    """What a calendar shows: visits by start, and whether these are all of the window."""

    name: str
    entries: list[Entry]
    complete: bool
    shows: Shows = Shows.TIMES


class Rendering(Record):
    """A feed as a file, as of the instant when its visits were read."""

    content: bytes
    as_of: datetime

    @property
    def tag(self) -> str:
        """Names the content: the same on every instance."""
        return hashlib.sha256(self.content).hexdigest()[:32]


class Kept(Record):
    """What is known of a rendering without reading it."""

    tag: str
    as_of: datetime
    until: datetime
    """From then on the store may have dropped it."""


class Shared(Record):
    """A feed that is shared: what is kept of its token and, once somebody has asked for it, of its content."""

    token_hash: bytes
    kept: Kept | None = None
    shows: Shows = Shows.TIMES


class Current(Record):
    """What a poll is answered with. No content for a caller who has it already."""

    tag: str
    content: bytes | None
