"""The use cases of looking: lists of visits, what is coming up at a property, and when it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.listing import Page, VisitFilter, Window, shifted
from chalicelib.domain.properties import HORIZON, Property
from chalicelib.domain.slots import QUARTER
from chalicelib.domain.visits import HOLDING, Visit
from chalicelib.services.ports import Clock, Properties, Visits

UPCOMING = 20
UPCOMING_PAGES = 5
"""How many pages are looked through for them: each reads a thousand visits at most, cancelled ones among them."""
BUSY_AHEAD = timedelta(days=7)
BUSY_WIDEST = timedelta(days=31)


@dataclass(frozen=True)
class BusyInterval:
    """Neighbouring quarter hours held by the same number of visits; `free` more would fit in."""

    start: datetime
    end: datetime
    held: int
    free: int


@dataclass(frozen=True)
class BusyTimes:
    property: Property
    window: Window
    intervals: list[BusyInterval]


class Listing:
    def __init__(self, properties: Properties, visits: Visits, clock: Clock) -> None:
        self._properties = properties
        self._visits = visits
        self._clock = clock

    def visits(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        return self._visits.list(filter, after, limit)

    def window(self, start: datetime | None, end: datetime | None) -> Window:
        return Window.around(self._clock(), start, end)

    def all_visits_of(self, property_id: str) -> VisitFilter:
        """The filter that finds every visit of a property: nothing lies beyond the horizon."""
        now = self._clock()
        return VisitFilter(Window(now - HORIZON, now + HORIZON), property_id=property_id)

    def upcoming(self, property_id: str) -> list[Visit]:
        """The property's next visits that still hold their slots, at most 20, among its next 5,000."""
        now = self._clock()
        filter = VisitFilter(Window(now, now + HORIZON), property_id=property_id, statuses=HOLDING)
        found: list[Visit] = []
        after: str | None = None
        for _ in range(UPCOMING_PAGES):
            page = self._visits.list(filter, after, UPCOMING - len(found))
            found += page.items
            after = page.next
            if after is None or len(found) == UPCOMING:
                break
        return found

    def busy(self, property_id: str, start: datetime | None, end: datetime | None) -> BusyTimes:
        """When the property is taken, in whole quarter hours, from now for a week unless told otherwise.

        Raises InvalidInput for more than 31 days at once.
        """
        if start is None:
            start = self._clock() if end is None else shifted(end, -BUSY_AHEAD)
        window = Window.around(self._clock(), start, end if end is not None else shifted(start, BUSY_AHEAD))
        if window.width > BUSY_WIDEST:
            raise InvalidInput([FieldError("?to", "at most 31 days after 'from'")])
        property = self._properties.get(property_id)
        held = self._visits.held_quarters(property_id, window)
        intervals: list[BusyInterval] = []
        for quarter in sorted(held):
            count = held[quarter]
            last = intervals[-1] if intervals else None
            if last and last.end == quarter and last.held == count:
                intervals[-1] = BusyInterval(last.start, quarter + QUARTER, count, last.free)
            else:
                free = max(property.details.capacity - count, 0)
                intervals.append(BusyInterval(quarter, quarter + QUARTER, count, free))
        return BusyTimes(property, window, intervals)
