"""Visits: who comes when and where, the lifecycle of a visit, and what may change while it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from chalicelib.domain.errors import (
    FieldError,
    InvalidInput,
    SlotsReleased,
    TransitionNotAllowed,
    VisitNotStarted,
)
from chalicelib.domain.slots import quarters
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.signing_keys import Signature

T = TypeVar("T")

DEFAULT_DURATION_MINUTES = 30


class Status(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


HOLDING: Final = frozenset({Status.REQUESTED, Status.CONFIRMED})
"""The statuses in which a visit keeps its slots; all others free them."""

AFTER_START: Final = frozenset({Status.COMPLETED, Status.NO_SHOW})

LIFECYCLE: Final[Mapping[Status, tuple[Status, ...]]] = MappingProxyType(
    {
        Status.REQUESTED: (Status.CONFIRMED, Status.DECLINED, Status.CANCELLED),
        Status.CONFIRMED: (Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED),
        Status.DECLINED: (),
        Status.CANCELLED: (),
        # One outcome can be mistaken for the other. Back to confirmed leads no way: a confirmed visit holds slots, and
        # those were freed for others.
        Status.COMPLETED: (Status.NO_SHOW,),
        Status.NO_SHOW: (Status.COMPLETED,),
    }
)


class Visitor(Record):
    """Personal data. It lives in the visit and nowhere else. At least one of the three is known."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    """In which they are written to, if it was said."""

    @property
    def shown_as(self) -> str | None:
        """What people call the visitor by."""
        return self.name or self.email or self.phone


class Cancellation(Record):
    """Why, when and by whom a visit was called off."""

    reason: str | None
    at: datetime
    by: str | None = None


class Origin(Record):
    """Which row of which intake a visit came from, and a keyed fingerprint of what that row said.

    The fingerprint is made of personal data too, and goes when the visitor is erased.
    """

    intake_id: str
    row: int
    content: Signature | None


class Party(StrEnum):
    AGENCY = "agency"
    VISITOR = "visitor"


ANSWERED_AT_THE_EARLIEST: Final = timedelta(minutes=5)
"""However near a visit is, so long one may take to answer a request for it."""


def answerable_until(date: datetime, now: datetime) -> datetime:
    """Until when a request is answered at the latest, so that the visitor knows well before the visit."""
    return now + max(ANSWERED_AT_THE_EARLIEST, (date - now) / 2)


class Awaited(Record):
    """Whose answer a requested visit waits for, and until when: without one it is declined then."""

    whose: Party
    until: datetime
    then: Status = Status.REQUESTED
    """What it becomes by the visitor's answer."""

    def for_date(self, date: datetime, now: datetime) -> Awaited:
        """The same once the visit is moved: sooner where it came near, and never later."""
        return replace(self, until=min(self.until, answerable_until(date, now)))


class BookVisit(Record):
    """The wish to book a visit. `date` is the start, in UTC; without a place it is at the property's address."""

    property_id: str
    date: datetime
    duration_minutes: int = DEFAULT_DURATION_MINUTES
    place: str | None = None
    status: Status = Status.CONFIRMED
    agent_id: str | None = None
    visitor: Visitor | None = None
    notes: str | None = None
    notify: bool = True
    awaited: Awaited | None = None


class Unchanged(Enum):
    """Stands where a change says nothing of a field: None already means that the field is taken away."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


class ChangeVisitor(Record):
    """What changes of the visitor; the rest stays."""

    name: str | Unchanged | None = UNCHANGED
    email: str | Unchanged | None = UNCHANGED
    phone: str | Unchanged | None = UNCHANGED
    language: str | Unchanged | None = UNCHANGED


class ChangeVisit(Record):
    """A merge patch for the domain (RFC 7396): UNCHANGED stays, None takes away or sets the default."""

    date: datetime | Unchanged = UNCHANGED
    duration_minutes: int | Unchanged | None = UNCHANGED
    place: str | Unchanged | None = UNCHANGED
    agent_id: str | Unchanged | None = UNCHANGED
    visitor: ChangeVisitor | Unchanged | None = UNCHANGED
    notes: str | Unchanged | None = UNCHANGED
    notify: bool | Unchanged = UNCHANGED


class Visit(Record):
    """A visit as it stands. `date` is the start in UTC, `time_zone` the property's; `version` grows with changes."""

    id: str
    property_id: str
    date: datetime
    duration_minutes: int
    time_zone: str
    place: str
    status: Status
    agent_id: str | None
    visitor: Visitor | None
    notes: str | None
    cancellation: Cancellation | None
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str | None = None
    """The caller who booked it, by a key's name or a person's id; of what is older than this, nobody knows."""
    updated_by: str | None = None
    """Who made this version of it."""
    origin: Origin | None = None
    at_address: bool = False
    """Whether the place is the property's address, so that it follows when that is corrected."""
    notify: bool = False
    """Whether the visitor hears of it by mail."""
    gap_minutes: int = 0
    """So long after its end it holds the property too; what it was booked with, whatever the rules are by now."""
    travel_minutes: int = 0
    """So long after its end it holds the agent too, against visits of other properties."""
    awaited: Awaited | None = None
    """Only while it is requested, and only if its visitor chose the time, without a key."""

    @property
    def holds_slots(self) -> bool:
        return self.status in HOLDING

    @property
    def quarters(self) -> list[datetime]:
        """The quarter hours that the visit itself occupies."""
        return quarters(self.date, self.duration_minutes)

    @property
    def property_quarters(self) -> list[datetime]:
        """What it holds of its property for as long as it holds slots."""
        return quarters(self.date, self.duration_minutes + self.gap_minutes)

    @property
    def agent_quarters(self) -> list[datetime]:
        """What it holds of its agent for as long as it holds slots; nothing without one."""
        if self.agent_id is None:
            return []
        return quarters(self.date, self.duration_minutes + self.travel_minutes)

    def moves_to(self, other: Visit) -> bool:
        """Whether the other version of this visit is at another time."""
        return (self.date, self.duration_minutes) != (other.date, other.duration_minutes)

    def shortens(self, other: Visit) -> bool:
        """Whether the other version of this visit begins with this one, and lasts as long or longer."""
        return self.date == other.date and self.duration_minutes <= other.duration_minutes

    def changed(self, change: ChangeVisit, address: str, now: datetime, by: str | None = None) -> Visit:
        """The next version with the change applied, or this very visit when nothing differs.

        `address` is where the visit takes place once its own place is taken away. Raises SlotsReleased when time or
        agent change though the slots are free again, and InvalidInput when nothing would be left of the visitor.
        """
        place = _kept(change.place, self.place) or address
        wanted = replace(
            self,
            date=_kept(change.date, self.date),
            duration_minutes=_kept(change.duration_minutes, self.duration_minutes) or DEFAULT_DURATION_MINUTES,
            place=place,
            # The place as it was, sent back, is no other place.
            at_address=self.at_address if place == self.place else place == address,
            agent_id=_kept(change.agent_id, self.agent_id),
            visitor=self._visitor_after(change.visitor),
            notes=_kept(change.notes, self.notes),
            notify=_kept(change.notify, self.notify),
        )
        fields = [
            name
            for name, differs in (
                ("date", wanted.date != self.date),
                ("durationMinutes", wanted.duration_minutes != self.duration_minutes),
                ("agentId", wanted.agent_id != self.agent_id),
            )
            if differs
        ]
        if fields and not self.holds_slots:
            raise SlotsReleased(self.status, fields)
        return self._next(wanted, now, by)

    def _visitor_after(self, change: ChangeVisitor | Unchanged | None) -> Visitor | None:
        if change is UNCHANGED:
            return self.visitor
        if change is None:
            return None
        before = self.visitor or Visitor()
        after = Visitor(
            name=_kept(change.name, before.name),
            email=_kept(change.email, before.email),
            phone=_kept(change.phone, before.phone),
            language=_kept(change.language, before.language),
        )
        if after.shown_as is None:
            raise InvalidInput(
                [
                    FieldError(
                        "#/visitor",
                        "must keep a name, an e-mail address or a telephone number; send null to remove the visitor",
                    )
                ]
            )
        return after

    def follows(self, address: str, time_zone: str, formerly: str, now: datetime, by: str | None = None) -> Visit:
        """The next version at the property's corrected address and zone, or this very visit when they are no news.

        Only a visit that lies ahead and holds its slots follows, and a place of its own stays: one that is not where
        the property's address was `formerly`.
        """
        if not self.holds_slots or self.date < now:
            return self
        at_address = self.at_address or self.place == formerly
        place = address if at_address else self.place
        if (place, time_zone) == (self.place, self.time_zone):
            return self
        return self._next(replace(self, place=place, time_zone=time_zone, at_address=at_address), now, by)

    def becomes(self, status: Status, reason: str | None, now: datetime, by: str | None = None) -> Visit:
        """The next version in another status, or this very visit when it is there already.

        Raises TransitionNotAllowed, or VisitNotStarted for an outcome before the start.
        """
        if status == self.status:
            return self
        if status not in LIFECYCLE[self.status]:
            raise TransitionNotAllowed(self.status, status, [str(allowed) for allowed in LIFECYCLE[self.status]])
        if status in AFTER_START and now < self.date:
            raise VisitNotStarted(self.date)
        cancellation = Cancellation(reason, now, by) if status is Status.CANCELLED else None
        return self._next(replace(self, status=status, cancellation=cancellation, awaited=None), now, by)

    def awaits(self, whose: Party) -> bool:
        return self.awaited is not None and self.awaited.whose is whose

    def asked_for(self, answer_by: datetime) -> Visit:
        """This version as a request, which the agency is to answer until then."""
        return replace(self, status=Status.REQUESTED, awaited=Awaited(Party.AGENCY, answer_by))

    def answered(self, answer_by: datetime, now: datetime, by: str | None = None) -> Visit:
        """The next version once its visitor, whose answer it awaits, has given it: confirmed, or the agency's turn."""
        assert self.awaited is not None
        if self.awaited.then is not self.status:
            return self.becomes(self.awaited.then, None, now, by)
        return self._next(replace(self, awaited=Awaited(Party.AGENCY, answer_by)), now, by)

    def erased(self, now: datetime, by: str | None = None) -> Visit:
        """The next version without a word about the visitor, or this very visit when there is none left."""
        cancellation = replace(self.cancellation, reason=None) if self.cancellation else None
        origin = replace(self.origin, content=None) if self.origin else None
        return self._next(replace(self, visitor=None, notes=None, cancellation=cancellation, origin=origin), now, by)

    def _next(self, wanted: Visit, now: datetime, by: str | None) -> Visit:
        if wanted == self:
            return self
        return replace(wanted, version=self.version + 1, updated_at=now, updated_by=by)


def _kept(wanted: T | Unchanged, current: T) -> T:
    return current if isinstance(wanted, Unchanged) else wanted
