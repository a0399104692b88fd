"""The use case of a corrected address or time zone: the property's upcoming visits follow.

A visit keeps its place and zone itself, so that reading one stays one read. They are therefore rewritten when the
property's change: each visit by itself, under its version, with the property as it is at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.domain.properties import HORIZON, Property
from chalicelib.domain.visits import HOLDING

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, VisitStore
    from chalicelib.services.visits import Visits

VISITS_OF_PAGE: Final = 500
PASSES: Final = 2
"""The second one finds what was booked from the old property while the first went on."""


class Following:
    def __init__(self, visits: VisitStore, booking: Visits, clock: Clock) -> None:
        self._visits = visits
        self._booking = booking
        self._clock = clock

    def bring_along(self, before: Property, after: Property, by: str | None = None) -> bool:
        """Whether all upcoming visits of the property show its address and zone now. False when time ran out.

        Doing it again goes on with those that are left.
        """
        try:
            for _ in range(PASSES):
                if not self._pass(before.details.address, after, by):
                    break
        except Unavailable:
            return False
        return True

    def _pass(self, formerly: str, property: Property, by: str | None) -> bool:
        """Whether any visit had to be written."""
        now = self._clock()
        filter = VisitFilter(Window(now, now + HORIZON), property_id=property.id, statuses=HOLDING)
        written = False
        position: str | None = None
        while True:
            page = self._visits.list(filter, position, VISITS_OF_PAGE)
            for visit in page.items:
                if visit.follows(property.details.address, property.details.time_zone, formerly, now) is not visit:
                    self._booking.follow(visit.id, formerly, by)
                    written = True
            position = page.next
            if position is None:
                return written
