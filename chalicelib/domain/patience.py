"""How long a request may go on, and how long to wait between tries.

The gateway waits 29 seconds. One call to a store takes 4 seconds at most (`container.CLIENT`: one to connect, three to
read). A call begins within the first 20 seconds, so the last one ends by the 24th, which leaves five for the start of a
new instance and for writing the answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar
from random import SystemRandom
from typing import Final

from chalicelib.domain.errors import StoreBusy

SECONDS: Final = 20.0

FIRST_PAUSE_SECONDS: Final = 0.025
LONGEST_PAUSE_SECONDS: Final = 0.4

CHANCE: Final = SystemRandom()
"""The operating system's: a generator of Python's own would draw the same in all instances restored from a snapshot."""

_until: ContextVar[float | None] = ContextVar("until", default=None)


def begin() -> None:
    """From now on time is short, in this request. A worker of the queue, who does not call this, has its own rule."""
    _until.set(time.monotonic() + SECONDS)


def end() -> None:
    """The request is answered. What the same thread does next, for the next request's key say, has time of its own."""
    _until.set(None)


def left(without: float) -> float:
    """The seconds in which this request may still begin a call, or as many as given where no request is under way."""
    until = _until.get()
    return without if until is None else max(0.0, until - time.monotonic())


def check() -> None:
    """Before each call to a store: raises StoreBusy when the request has taken too long."""
    until = _until.get()
    if until is not None and time.monotonic() > until:
        raise StoreBusy


def pauses() -> Iterator[float]:
    """The seconds to wait before each further try, longer and longer, with full jitter: who met once does not again."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield CHANCE.uniform(0, longest)
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
