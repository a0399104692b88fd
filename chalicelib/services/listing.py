"""The use cases of looking: lists of visits, and what is coming up at a property."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.listing import Page, VisitFilter, Window
from chalicelib.domain.properties import HORIZON
from chalicelib.domain.visits import HOLDING, Visit

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, VisitStore

UPCOMING = 20
UPCOMING_PAGES = 5
"""How many pages are looked through for them: each reads a thousand visits at most, cancelled ones among them."""


class Listing:
    def __init__(self, visits: VisitStore, clock: Clock) -> None:
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
