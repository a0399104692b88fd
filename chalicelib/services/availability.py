"""The use case of looking when a property is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.listing import Window, shifted
from chalicelib.domain.properties import Property
from chalicelib.domain.slots import QUARTER
from chalicelib.services.ports import Clock, PropertyStore, VisitStore

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


class Availability:
    def __init__(self, properties: PropertyStore, visits: VisitStore, clock: Clock) -> None:
        self._properties = properties
        self._visits = visits
        self._clock = clock

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
