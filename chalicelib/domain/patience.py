"""How long a request may go on: past its time no further call to a store begins, so that it is answered in time.

The gateway waits 29 seconds. One call to a store takes 9 seconds at most (`container.CLIENT`: two attempts of one
second to connect and three to read, one second between them). A call begins within the first 16 seconds, so the last
one ends by the 25th, which leaves four for the start of a new instance and for writing the answer.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Final

from chalicelib.domain.errors import StoreBusy

SECONDS: Final = 16.0

_until: ContextVar[float | None] = ContextVar("until", default=None)


def begin() -> None:
    """From now on time is short, in this request. A worker of the queue, who does not call this, has its own rule."""
    _until.set(time.monotonic() + SECONDS)


def end() -> None:
    """The request is answered. What the same thread does next, for the next request's key say, has time of its own."""
    _until.set(None)


def check() -> None:
    """Before each call to a store: raises StoreBusy when the request has taken too long."""
    until = _until.get()
    if until is not None and time.monotonic() > until:
        raise StoreBusy
