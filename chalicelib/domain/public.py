"""Booking by anybody, without a key: on which terms, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.domain.visits import DEFAULT_DURATION_MINUTES, Status, Visit, answerable_until
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.premises import Slot

NEAREST: Final = 6
"""So many free times are named to somebody whose own is not."""

COUNTED: Final = timedelta(days=31)
"""So long a booking is remembered at the least: to move it within that time costs nothing more."""


class Limits(Record):
    """How much may be booked without a key."""

    per_contact: int = 3
    """Visits at once of one e-mail address or telephone number."""
    per_property: int = 20
    """Bookings of one property in an hour."""
    per_address: int = 30
    """Bookings from one internet address in an hour, as the gateway tells it."""


class Terms(Record):
    """What the agency tells those who book for themselves, and asks of them."""

    agency: str | None = None
    phone: str | None = None
    page: str | None = None
    """Where visitors book, and see their visits."""
    consent: str | None = None
    """What the visitor is told of how the agency keeps personal data."""
    language: str = "en"
    minutes: int = DEFAULT_DURATION_MINUTES
    """How long a visit takes."""
    answer_within: timedelta = timedelta(hours=48)
    """A request that the agency does not answer so soon is declined."""
    confirm_within: timedelta | None = None
    """So soon the visitor must confirm by the link in a mail; None: need not."""
    change_notice: timedelta = timedelta(minutes=120)
    """How long before a visit its visitor can change it at the latest."""
    limits: Limits = field(default_factory=Limits)

    def answer_by(self, now: datetime, date: datetime) -> datetime:
        """Until when the agency answers: soon enough that the visitor knows well before the visit."""
        return min(now + self.answer_within, answerable_until(date, now))


class Hour(Record):
    """An hour in which only so much is booked: of a property, or from an address."""

    limit: Literal["property", "address"]
    whose: str
    begins: datetime
    most: int

    @classmethod
    def of(cls, limit: Literal["property", "address"], whose: str, now: datetime, most: int) -> Hour:
        return cls(limit, whose, now.replace(minute=0, second=0), most)

    @property
    def key(self) -> str:
        return f"{self.limit}#{self.whose}#{self.begins:%Y-%m-%dT%H}"

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(hours=1)


class Ahead(Record):
    """The visits that a contact booked without a key and may have ahead: their ids, and until when each counts.

    Of the contact it has the digest alone. `version` is 0 before the first.
    """

    contact: str
    visits: tuple[tuple[str, datetime], ...] = ()
    version: int = 0

    def without(self, over: Iterable[str]) -> Ahead:
        gone = set(over)
        return replace(self, visits=tuple((id, until) for id, until in self.visits if id not in gone))

    def plus(self, visit: Visit) -> Ahead:
        """With the visit, which may be among them already and have been moved since."""
        return replace(self, visits=(*self.without([visit.id]).visits, (visit.id, counts_until(visit))))


Rationed = Hour | Ahead
"""What a booking without a key uses up, written with it or not at all."""


def nearest(slots: Iterable[Slot], date: datetime) -> list[datetime]:
    """The free starts that are nearest to that time, in order."""
    return sorted(sorted((slot.start for slot in slots), key=lambda start: abs(start - date))[:NEAREST])


def end_of(visit: Visit) -> datetime:
    return visit.date + timedelta(minutes=visit.duration_minutes)


def counts_until(visit: Visit) -> datetime:
    """Until when it is remembered that its contacts booked it, if it is not moved to a later time."""
    return max(end_of(visit), visit.created_at + COUNTED)


def is_behind(visit: Visit, now: datetime) -> bool:
    """Whether it is over or called off."""
    return not visit.holds_slots or end_of(visit) <= now


def is_unanswered(visit: Visit, now: datetime) -> bool:
    """Whether the time to answer a request has passed, and nobody did."""
    return visit.status is Status.REQUESTED and visit.awaited is not None and visit.awaited.until <= now
