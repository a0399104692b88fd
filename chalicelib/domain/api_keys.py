"""API keys: who may call, and what for. A key is shown once, when made; what is kept cannot be turned back into it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.record import Record

VISITOR: Final = "visitor"
"""Who changed a visit by the link that its visitor has."""

RESERVED_NAMES: Final = frozenset({"api", "anonymous", VISITOR})
"""What `source` and caller are called where no key is behind them."""

_PERSON: Final = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
"""Ids of people look like this, and no key is to pass for one."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_KEY: Final = re.compile(r"pv_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)

RandomBytes = Callable[[int], bytes]


class Scope(StrEnum):
    """What a key may do. None includes another: a feed can have `write` and read nothing."""

    READ = "read"
    WRITE = "write"
    OVERRIDE = "override"
    """Beside `write`: to book outside the hours."""
    ADMIN = "admin"


class InvalidKeyRequest(ValueError):
    """A key cannot be made like that; the message is for the operator."""


class ApiKey(Record):
    """A key as it is kept. Several may share a name: the name is the caller, and a rotated key is the same caller."""

    id: str
    name: str
    secret_hash: bytes
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    lifetime: timedelta | None = None
    """What it was made for, whatever has shortened its life since; None for ever."""

    def is_same_as(self, other: ApiKey) -> bool:
        """Whether it is that key, whenever it ends."""
        return (self.id, self.name, self.secret_hash, self.created_at) == (
            other.id,
            other.name,
            other.secret_hash,
            other.created_at,
        )

    def usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class PresentedKey(Record):
    """A key as a caller presents it. It has no repr, so that no log line ever shows one."""

    __repr__ = object.__repr__

    id: str
    secret: str

    @property
    def text(self) -> str:
        return f"pv_{self.id}_{self.secret}"

    @property
    def secret_hash(self) -> bytes:
        """One SHA-256 and no slow hash: 256 random bits are beyond guessing, and this is done for every caller."""
        return hashlib.sha256(self.secret.encode()).digest()


NO_KEY: Final = bytes(32)
"""Compared with where there is no such key, so that a wrong id takes as long as a wrong secret."""


def parse_key(text: str) -> PresentedKey | None:
    """A key in the one spelling that we hand out, or None."""
    found = _KEY.fullmatch(text) if len(text) < 100 else None
    return PresentedKey(found["id"], found["secret"]) if found else None


def opens(presented: PresentedKey, kept: ApiKey | None, now: datetime) -> bool:
    """Whether the presented key is the one that is kept, and still good. The comparison takes constant time."""
    same = hmac.compare_digest(presented.secret_hash, kept.secret_hash if kept else NO_KEY)
    return kept is not None and same and kept.usable(now)


def make_key(
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    expires_at: datetime | None = None,
    random: RandomBytes = secrets.token_bytes,
) -> tuple[ApiKey, PresentedKey]:
    """A new key: what is kept, and what is shown once. Raises InvalidKeyRequest."""
    given = frozenset(scopes)
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES or _PERSON.fullmatch(name):
        raise InvalidKeyRequest(
            "A key's name is 1 to 64 of the characters A-Z a-z 0-9 . _ - and begins with a letter or digit;"
            f" {', '.join(sorted(RESERVED_NAMES))} and ids of people are taken."
        )
    if not given:
        raise InvalidKeyRequest(f"A key needs one or more scopes: {', '.join(Scope)}.")
    if expires_at is not None and expires_at <= now:
        raise InvalidKeyRequest("A key cannot expire before it is created.")
    shown = PresentedKey(random(8).hex(), _base64url(random(32)))
    lifetime = expires_at - now if expires_at is not None else None
    return ApiKey(shown.id, name, shown.secret_hash, given, now, expires_at, lifetime=lifetime), shown


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
