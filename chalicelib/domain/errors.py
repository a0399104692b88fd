"""What can be refused, and why. Each error carries its facts; `http.problems` alone turns them into words.

No error carries personal data: these facts end up in answers and in logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class Refused(Exception):
    """A request that a rule, or the present state of things, does not allow."""


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input. `pointer` is a URI reference into it: `#/date` (RFC 6901), `?limit`."""

    pointer: str
    detail: str


@dataclass
class InvalidInput(Refused):
    """The input is well-formed, yet says something it may not."""

    errors: list[FieldError]


@dataclass
class PropertyNotFound(Refused):
    property_id: str
    """Empty when what the caller named cannot be an id at all."""


@dataclass
class VisitNotFound(Refused):
    visit_id: str
    """Empty when what the caller named cannot be an id at all."""


@dataclass
class AgentNotFound(Refused):
    """Nobody registered the agent, or it was erased; visits may name the id all the same."""

    agent_id: str
    """Empty when what the caller named cannot be an id at all."""


@dataclass
class PropertyExists(Refused):
    property_id: str


@dataclass
class VisitExists(Refused):
    visit_id: str


@dataclass
class VisitsNotAllowed(Refused):
    """The property does not accept visits at present."""

    property_id: str


@dataclass(frozen=True)
class TakenInterval:
    """Whole quarter hours that are full, and whose they are: the property's or the agent's."""

    start: datetime
    end: datetime
    holder: Literal["property", "agent"]


@dataclass
class SlotTaken(Refused):
    """Somebody else holds the time. It names the intervals met, never the visitor."""

    intervals: list[TakenInterval]


@dataclass(frozen=True)
class Objection:
    """A rule that speaks against a time, and whose it is: the property's or the agent's."""

    reason: str
    holder: Literal["property", "agent"]


@dataclass
class NotFree(Refused):
    """Nobody can book that time. Whether it is taken or closed stays untold; the nearest that are free are not."""

    nearest: list[datetime]


class NoBookingPage(Refused):
    """Nobody has said where visitors book."""


@dataclass
class LimitReached(Refused):
    """No more can be booked without a key: by one person at once, or in an hour of a property or from an address."""

    reached: Literal["contact", "property", "address"]
    retry_after_seconds: int | None = None
    """None where it takes a visit that is over or called off."""


@dataclass
class OutsideHours(Refused):
    """The property's rules, or the agent's hours, do not allow a visit at that time."""

    objections: list[Objection]


@dataclass
class AvailabilityNotFound(Refused):
    """Nobody has said when the property may be visited: it is open at all times."""

    property_id: str


@dataclass
class TransitionNotAllowed(Refused):
    current: str
    wanted: str
    allowed: list[str]


@dataclass
class VisitNotStarted(Refused):
    """Only a visit that has begun can be completed or missed."""

    starts: datetime


@dataclass
class SlotsReleased(Refused):
    """Date, duration and agent of a visit that no longer holds its slots cannot change."""

    status: str
    fields: list[str]


@dataclass
class KeyReused(Refused):
    """The Idempotency-Key came earlier with another payload."""


@dataclass
class HandedIn(Refused):
    """The request was handed in to be booked later, and there is no visit of it so far."""


@dataclass
class VersionMismatch(Refused):
    """Somebody changed the thing since the caller read it."""


@dataclass
class PreconditionRequired(Refused):
    """The call must say which version it changes."""

    header: str


@dataclass
class ExportTooLarge(Refused):
    """More than one answer can carry: too many rows, too many bytes, or too much to read through."""

    limit: Literal["rows", "bytes", "pages"]
    most: int


class WebhookNotFound(Refused):
    """There is no webhook with this id."""


class TooManyWebhooks(Refused):
    """The agency has as many webhooks as it may have."""


class PositionLost(Refused):
    """The feed of events does not reach back, or forward, to this position."""


class LinkInvalid(Refused):
    """A visitor's link that is made up, or good no more: the caller is not told which."""


@dataclass
class TooLate(Refused):
    """So near a visit its visitor can no longer change it."""

    until: datetime


class FeedNotFound(Refused):
    """No such property or agent, a feed that is not shared, or a wrong token: the caller is not told which."""


@dataclass
class Unavailable(Exception):
    """The store could not be asked, or did not answer, in time."""

    retry_after_seconds: int = 1


class StoreBusy(Unavailable):
    """The store did not take the request in time. It wrote nothing; the same request may simply be sent again."""


@dataclass
class OutcomeUnknown(Unavailable):
    """The store did not say whether it wrote what it was asked to: it may have, or may still."""

    intake_id: str | None = None
    """The intake that may be in the queue in part."""


@contextmanager
def once_written() -> Iterator[None]:
    """Around what follows a write: a store that is busy by then must not say that nothing was written."""
    try:
        yield
    except StoreBusy as busy:
        raise OutcomeUnknown from busy
