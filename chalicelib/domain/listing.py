"""Lists: which visits are asked for, in which order, and the pages they come in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.words import begins_all
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.properties import Property, PropertyDetails
    from chalicelib.domain.visits import Status, Visit

T = TypeVar("T")
U = TypeVar("U")

Order = Literal["asc", "desc"]

BACK = timedelta(days=31)
AHEAD = timedelta(days=92)
WIDEST = timedelta(days=366)


class Window(Record):
    """A span of time, from `start` up to but not including `end`."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, now: datetime, start: datetime | None, end: datetime | None) -> Window:
        """The window a caller means: 31 days back to 92 ahead, or 366 days from the one bound that is given.

        Raises InvalidInput when it would be empty.
        """
        if start is None:
            return cls(now - BACK, now + AHEAD) if end is None else cls(shifted(end, -WIDEST), end)
        if end is None:
            return cls(start, shifted(start, WIDEST))
        if end <= start:
            raise InvalidInput([FieldError("?to", "must be later than 'from'")])
        return cls(start, end)

    @property
    def width(self) -> timedelta:
        return self.end - self.start


def shifted(instant: datetime, by: timedelta) -> datetime:
    """The instant so much later or earlier, as far as the calendar goes."""
    try:
        return instant + by
    except OverflowError:  # the calendar ends here
        return instant.replace(year=9999 if by > timedelta(0) else 1)


class VisitFilter(Record):
    """What a list of visits is narrowed to. No statuses means all of them."""

    window: Window
    property_id: str | None = None
    agent_id: str | None = None
    statuses: frozenset[Status] = frozenset()
    order: Order = "asc"

    def __post_init__(self) -> None:
        if self.property_id is None and self.agent_id is None and self.window.width > WIDEST:
            raise InvalidInput(
                [FieldError("?to", "at most 366 days after 'from' unless propertyId or agentId is given")]
            )


class PropertyFilter(Record):
    """What a list of properties is narrowed to."""

    words: tuple[str, ...] = ()
    """Folded; each begins a word of the name or the address."""
    visits_allowed: bool | None = None

    def matches(self, property: Property) -> bool:
        details = property.details
        if self.visits_allowed not in (None, details.visits_allowed):
            return False
        return begins_all(self.words, f"{details.name} {details.address}")


EVERY_PROPERTY: Final = PropertyFilter()


class Entry(Record):
    """A visit in a file, with what is said of its property now: nothing if there is no such property any more.

    The agent's name only if the agent is registered.
    """

    visit: Visit
    details: PropertyDetails | None = None
    agent_name: str | None = None


class Page(Record, Generic[T]):
    """Some items, in order, and the position after which to go on: None at the end."""

    items: list[T]
    next: str | None

    def map(self, make: Callable[[T], U]) -> Page[U]:
        return Page([make(item) for item in self.items], self.next)
