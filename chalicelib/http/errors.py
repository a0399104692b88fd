"""What can be wrong with a request before any use case sees it."""

from __future__ import annotations

from chalicelib.domain.errors import Refused


class MalformedRequest(Refused):
    """The request cannot be read at all: a body that is not JSON, a malformed header."""

    detail: str


class UnsupportedMediaType(Refused):
    accepted: tuple[str, ...]


class BodyTooLarge(Refused):
    most_bytes: int


class InvalidCursor(Refused):
    """A cursor that we did not make, made for another list, or made too long ago."""

    detail: str


class ResourceNotFound(Refused):
    """Nothing is at this address, whatever it may be."""


class Unauthenticated(Refused):
    """Nobody has vouched for who calls."""


class ScopeMissing(Refused):
    """The key is good, but not for this."""

    scope: str
