"""What a route promises its callers, declared beside it; `make openapi` makes the document of all of them.

Nothing here acts when a request comes in: that the routes keep their promises is what the tests see to, which check
every answer they get against the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final, ParamSpec

from chalice.app import Response

from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.http.fields import Input, Output
    from chalicelib.http.queries import Query

P = ParamSpec("P")

JSON: Final = ("application/json",)

_ATTRIBUTE: Final = "contract"


class Condition(Enum):
    """How a call takes part in conditional requests (RFC 9110, section 13)."""

    TAGGED = "a read: If-None-Match answers 304"
    MATCH = "a change that needs If-Match"
    MAY_MATCH = "a change that honours If-Match"
    MATCH_OR_NEW = "a PUT that needs If-Match or If-None-Match: *"


class File(Record):
    """An answer in one of these media types instead of our JSON."""

    media_types: tuple[str, ...]


class Contract(Record):
    """What a route takes, gives and refuses. What follows for every route from that is not repeated here."""

    gives: Mapping[int, type[Output] | File | None]
    takes: type[Input] | None = None
    media_types: tuple[str, ...] = JSON
    query: type[Query] | None = None
    refuses: tuple[type[Exception], ...] = ()
    idempotent: bool = False
    """Whether it may be sent again under an Idempotency-Key."""
    lenient: bool = False
    """Whether it honours `Prefer: handling=lenient` from those who may overrule the hours."""
    condition: Condition | None = None
    headers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Headers of an answer beyond those that follow from what it gives."""


def promises(contract: Callable[[], Contract]) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """The decorator: the view is the same, and can be asked. What the contract names loads for whoever asks."""

    def register(view: Callable[P, Response]) -> Callable[P, Response]:
        vars(view)[_ATTRIBUTE] = contract
        return view

    return register


def contract_of(view: Callable[..., object]) -> Contract | None:
    """What the view promises, through whatever was wrapped around it."""
    promised: Callable[[], Contract] | None = vars(view).get(_ATTRIBUTE)
    return promised() if promised else None
