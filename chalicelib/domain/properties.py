"""Properties: what is visited, how many visits fit in at once, and what a property says to a booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from chalicelib.domain.errors import FieldError, InvalidInput, VisitsNotAllowed
from chalicelib.domain.visits import BookVisit, ChangeVisit, Origin, Visit
from chalicelib.record import Record

HORIZON = timedelta(days=5 * 366)
"""How far from now a visit may be, before and after."""


class PublicBooking(StrEnum):
    """What becomes of it when anybody books a visit without a key."""

    OFF = "off"
    REQUEST = "request"
    CONFIRM = "confirm"


class PropertyDetails(Record):
    """What the agency says of a property. `capacity` is the number of visits at once; without a price, on request."""

    name: str
    address: str
    price: Decimal | None
    currency: str | None
    time_zone: str
    capacity: int = 1
    visits_allowed: bool = True
    public_booking: PublicBooking = PublicBooking.OFF

    @property
    def asks_first(self) -> bool:
        """Whether a time that a visitor has chosen is the agency's to confirm."""
        return self.public_booking is PublicBooking.REQUEST

    def __post_init__(self) -> None:
        if (self.price is None) != (self.currency is None):
            missing, given = ("price", "currency") if self.price is None else ("currency", "price")
            raise InvalidInput([FieldError(f"#/{missing}", f"goes with '{given}': give both or neither")])


class Property(Record):
    """A property as it stands. `version` grows by one with every change."""

    id: str
    details: PropertyDetails
    version: int
    created_at: datetime
    updated_at: datetime

    def replaced(self, details: PropertyDetails, now: datetime) -> Property:
        """The next version with other details, or the same one when nothing differs."""
        if details == self.details:
            return self
        return replace(self, details=details, version=self.version + 1, updated_at=now)

    def receive(
        self,
        command: BookVisit,
        visit_id: str,
        now: datetime,
        origin: Origin | None = None,
        by: str | None = None,
    ) -> Visit:
        """The visit that the command asks for, in this property's zone and, unless it says otherwise, at its address.

        Raises VisitsNotAllowed, or InvalidInput for a date beyond the horizon.
        """
        self.check_takes_visits()
        check_horizon(command.date, now)
        place = command.place if command.place is not None else self.details.address
        return Visit(
            id=visit_id,
            property_id=self.id,
            date=command.date,
            duration_minutes=command.duration_minutes,
            time_zone=self.details.time_zone,
            place=place,
            status=command.status,
            agent_id=command.agent_id,
            visitor=command.visitor,
            notes=command.notes,
            cancellation=None,
            version=1,
            created_at=now,
            updated_at=now,
            created_by=by,
            updated_by=by,
            origin=origin,
            at_address=place == self.details.address,
            notify=command.notify,
            awaited=command.awaited,
        )

    def revise(self, visit: Visit, change: ChangeVisit, now: datetime, by: str | None = None) -> Visit:
        """The visit with the change applied; a new time is subject to the same rules as a new booking."""
        revised = visit.changed(change, address=self.details.address, now=now, by=by)
        if not visit.moves_to(revised):
            return revised
        if not set(revised.quarters) <= set(visit.quarters):
            self.check_takes_visits()
        check_horizon(revised.date, now)
        place = self.details.address if revised.at_address else revised.place
        awaited = revised.awaited.for_date(revised.date, now) if revised.awaited else None
        return replace(revised, time_zone=self.details.time_zone, place=place, awaited=awaited)

    def check_takes_visits(self) -> None:
        """Raises VisitsNotAllowed while the agency has closed the property to new times."""
        if not self.details.visits_allowed:
            raise VisitsNotAllowed(self.id)


def check_horizon(date: datetime, now: datetime) -> None:
    """Raises InvalidInput for a date more than five years away: nearly always a typing error."""
    if abs(date - now) > HORIZON:
        raise InvalidInput(
            [FieldError("#/date", "must lie between five years ago and five years ahead; check the year")]
        )
