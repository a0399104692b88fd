"""What can be refused, and why. Each error carries its facts; `http.problems` alone turns them into words.

No error carries personal data: these facts end up in answers and in logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import ClassVar, Literal, dataclass_transform

from chalicelib.record import Record


@dataclass_transform(eq_default=False)
class DomainError(Exception):
    """Its facts are named in its class, like the fields of a dataclass; one `__init__` serves every kind of error."""

    _facts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._facts += tuple(cls.__annotations__)

    def __init__(self, *facts: object, **named: object) -> None:
        vars(self).update(zip(self._facts, facts, strict=False), **named)


class Refused(DomainError):
    """A request that a rule, or the present state of things, does not allow."""


class FieldError(Record):
    """One thing wrong with the input. `pointer` is a URI reference into it: `#/date` (RFC 6901), `?limit`."""

    pointer: str
    detail: str


class InvalidInput(Refused):
    """The input is well-formed, yet says something it may not."""

    errors: list[FieldError]


class PropertyNotFound(Refused):
    property_id: str
    """Empty when what the caller named cannot be an id at all."""


class VisitNotFound(Refused):
    visit_id: str
    """Empty when what the caller named cannot be an id at all."""


class AgentNotFound(Refused):
    """Nobody registered the agent, or it was erased; visits may name the id all the same."""

    agent_id: str
    """Empty when what the caller named cannot be an id at all."""


class PropertyExists(Refused):
    property_id: str


class VisitExists(Refused):
    visit_id: str


class VisitsNotAllowed(Refused):
    """The property does not accept visits at present."""

    property_id: str


class TakenInterval(Record):
    """Whole quarter hours that are full, and whose they are: the property's or the agent's."""

    start: datetime
    end: datetime
    holder: Literal["property", "agent"]


class SlotTaken(Refused):
    """Somebody else holds the time. It names the intervals met, never the visitor."""

    intervals: list[TakenInterval]


class Objection(Record):
    """A rule that speaks against a time, and whose it is: the property's or the agent's."""

    reason: str
    holder: Literal["property", "agent"]


class NotFree(Refused):
    """Nobody can book that time. Whether it is taken or closed stays untold; the nearest that are free are not."""

    nearest: list[datetime]


class NoBookingPage(Refused):
    """Nobody has said where visitors book."""


class LimitReached(Refused):
    """No more can be booked without a key: by one person at once, or in an hour of a property or from an address."""

    reached: Literal["contact", "property", "address"]
    retry_after_seconds: int | None = None
    """None where it takes a visit that is over or called off."""


class OutsideHours(Refused):
    """The property's rules, or the agent's hours, do not allow a visit at that time."""

    objections: list[Objection]


class AvailabilityNotFound(Refused):
    """Nobody has said when the property may be visited: it is open at all times."""

    property_id: str


class TransitionNotAllowed(Refused):
    current: str
    wanted: str
    allowed: list[str]


class VisitNotStarted(Refused):
    """Only a visit that has begun can be completed or missed."""

    starts: datetime


class SlotsReleased(Refused):
    """Date, duration and agent of a visit that no longer holds its slots cannot change."""

    status: str
    fields: list[str]


class KeyReused(Refused):
    """The Idempotency-Key came earlier with another payload."""


class HandedIn(Refused):
    """The request was handed in to be booked later, and there is no visit of it so far."""


class VersionMismatch(Refused):
    """Somebody changed the thing since the caller read it."""


class PreconditionRequired(Refused):
    """The call must say which version it changes."""

    header: str


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


class TooLate(Refused):
    """So near a visit its visitor can no longer change it."""

    until: datetime


class FeedNotFound(Refused):
    """No such property or agent, a feed that is not shared, or a wrong token: the caller is not told which."""


class SheetNotFound(Refused):
    sheet_id: str
    """Empty when what the caller named cannot be an id at all."""


class SheetRowNotFound(Refused):
    row: int | None


class SheetNotReady(Refused):
    """It has no rows to look at or to change, yet or any more."""

    status: str


class SheetRepeated(Refused):
    """The same bytes came before; `sheet_id` is the first sheet that had them."""

    sheet_id: str


class SheetRowRegistered(Refused):
    """Its visit is booked: it is changed there."""

    row: int


class NothingToRegister(Refused):
    """No row is reviewed, complete and not registered."""


class SheetFileGone(Refused):
    """The file or picture is no longer kept, or there is none."""


class IntakeNotFound(Refused):
    intake_id: str
    """Empty when what the caller named cannot be an id at all."""


class ExternalIdReused(Refused):
    """The producer's id belongs to a visit with other content."""


class GivenUp(Refused):
    """The row was never worked off: its dead letter was discarded."""


class Unavailable(DomainError):
    """The store could not be asked, or did not answer, in time."""

    retry_after_seconds: int = 1


class StoreBusy(Unavailable):
    """The store did not take the request in time. It wrote nothing; the same request may simply be sent again."""


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
