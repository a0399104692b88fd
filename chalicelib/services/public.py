"""What anybody can do without a key: look at a property that is on the booking page, and book a visit to it.

The rules are those of everybody else's bookings, always strictly, and on top of them the limits of `domain.public`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.domain.api_keys import VISITOR
from chalicelib.domain.errors import (
    FieldError,
    InvalidInput,
    LimitReached,
    LinkInvalid,
    NoBookingPage,
    NotFree,
    PropertyNotFound,
    StoreBusy,
    VersionMismatch,
)
from chalicelib.domain.premises import Premises, strictly
from chalicelib.domain.properties import Property, PublicBooking, check_horizon
from chalicelib.domain.public import Ahead, Hour, Rationed, Terms, is_behind, is_unanswered
from chalicelib.domain.visitors import Contact, contacts_of
from chalicelib.domain.visits import Awaited, BookVisit, Party, Status, Visit, Visitor
from chalicelib.record import Record
from chalicelib.services.availability import NOT_TO_BE_HAD, Availabilities, FreeSlots, free_about

if TYPE_CHECKING:
    from chalicelib.domain.idempotency import IdempotencyKey, IdempotencyRecord
    from chalicelib.services.idempotency import Idempotency, Outcome
    from chalicelib.services.ports import Clock, NewId, PublicStore, VisitStore
    from chalicelib.services.signing_keys import Signer
    from chalicelib.services.visitor_links import Links
    from chalicelib.services.visits import Visits

PURPOSE: Final = "address"
TRIES: Final = 5
"""How often a booking is tried while others of the same contact come first."""
CAUGHT_UP: Final = timedelta(days=1)


class PublicWish(Record):
    """What a visitor asks for."""

    property_id: str
    date: datetime
    visitor: Visitor
    address: str | None
    """From where, if the gateway tells it."""


class Public:
    def __init__(
        self,
        find_premises: Callable[[str], Premises],
        slots: Availabilities,
        booked: VisitStore,
        visits: Visits,
        store: PublicStore,
        once: Idempotency,
        links: Links,
        signer: Signer,
        terms: Terms,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._find_premises = find_premises
        self._slots = slots
        self._booked = booked
        self._visits = visits
        self._store = store
        self._once = once
        self._links = links
        self._signer = signer
        self._clock = clock
        self._new_id = new_id
        self.terms = terms

    def property(self, property_id: str) -> Property:
        """Raises PropertyNotFound for one that is not on the booking page, as for one that is not there."""
        return self._open(self._find_premises(property_id))

    def slots(self, property_id: str, start: datetime | None, end: datetime | None) -> FreeSlots:
        """Every start that can be booked. Raises PropertyNotFound, or InvalidInput for more than 31 days at once."""
        found = self._slots.slots(property_id, start, end, self.terms.minutes, None)
        self._open(found.premises)
        return found

    def book(self, wish: PublicWish, key: IdempotencyKey | None) -> Outcome[Visit]:
        """Books one visit, or asks the agency for it. Raises PropertyNotFound, NotFree or LimitReached."""
        if self.terms.confirm_within is not None and wish.visitor.email is None:
            raise InvalidInput([FieldError("#/visitor/email", "is needed: the visit is confirmed by mail")])
        check_horizon(wish.date, self._clock())
        visit_id = self._new_id()

        def attempt(once: IdempotencyRecord | None) -> Visit:
            return self._book(wish, visit_id, once)

        try:
            outcome = self._once.run(key, visit_id, attempt, recall=self._visits.get)
        except NOT_TO_BE_HAD as taken:
            look = partial(self.slots, wish.property_id)
            raise NotFree(free_about(wish.date, look, self._clock())) from taken
        # By now it may be somebody else's, or have been erased.
        if contacts_of(outcome.result.visitor) != contacts_of(wish.visitor):
            raise LinkInvalid
        return outcome

    def page(self, property_id: str) -> str:
        """Where a property is booked, once it is on the booking page. Raises PropertyNotFound or NoBookingPage."""
        self._find_premises(property_id)
        if self.terms.page is None:
            raise NoBookingPage
        return f"{self.terms.page}?property={quote(property_id)}"

    def link(self, visit: Visit) -> str | None:
        """By which whoever booked it reaches it, unless only who reads the mail may."""
        return self._links.link(visit) if self.terms.confirm_within is None else None

    def decline_unanswered(self) -> int:
        """Declines the requests that nobody has answered in time; gives their number.

        What was missed is caught up, and what is done twice is declined once. Raises StoreBusy or OutcomeUnknown.
        """
        now, last = self._clock(), self._store.declined_until()
        # The schedule may come twice at once, and the clock of the other be a little ahead.
        since = min(last or now - CAUGHT_UP, now)
        declined = sum(map(self._decline, self._store.due(since, now)))
        self._store.has_declined(last, now)
        return declined

    def _decline(self, visit_id: str) -> bool:
        visit = self._visits.find(visit_id)
        if visit is None or not is_unanswered(visit, self._clock()):
            return False
        try:
            self._visits.change_status(visit_id, Status.DECLINED, None, frozenset({visit.version}))
        except VersionMismatch:  # somebody answers at this very moment
            return self._decline(visit_id)
        return True

    def _book(self, wish: PublicWish, visit_id: str, once: IdempotencyRecord | None) -> Visit:
        premises, now = self._find_premises(wish.property_id), self._clock()
        property = self._open(premises)
        visit = property.receive(self._command(wish, property, now), visit_id, now, by=VISITOR)
        premises.check_offered(visit, now)
        visit = premises.admit(visit, None, now, strictly)
        for _ in range(TRIES):
            try:
                self._booked.add_rationed(visit, property.details.capacity, once, self._rations(wish, visit, now))
            except VersionMismatch:  # another booking of the same person came first
                continue
            return visit
        raise StoreBusy

    def _command(self, wish: PublicWish, property: Property, now: datetime) -> BookVisit:
        status, awaited = Status.CONFIRMED, None
        if property.details.asks_first:
            status, awaited = Status.REQUESTED, Awaited(Party.AGENCY, self.terms.answer_by(now, wish.date))
        if self.terms.confirm_within is not None:
            status, awaited = Status.REQUESTED, Awaited(Party.VISITOR, now + self.terms.confirm_within, status)
        return BookVisit(
            property_id=property.id,
            date=wish.date,
            duration_minutes=self.terms.minutes,
            status=status,
            visitor=wish.visitor,
            awaited=awaited,
        )

    def _rations(self, wish: PublicWish, visit: Visit, now: datetime) -> list[Rationed]:
        """What the booking uses up. Raises LimitReached for a person who has as many visits ahead as may be."""
        limits = self.terms.limits
        rations: list[Rationed] = [Hour.of("property", wish.property_id, now, limits.per_property)]
        if wish.address is not None:
            whose = self._signer.sign(PURPOSE, wish.address.encode()).value.hex()
            rations.append(Hour.of("address", whose, now, limits.per_address))
        return [*rations, *(self._ahead(contact, now).plus(visit) for contact in contacts_of(wish.visitor))]

    def _ahead(self, contact: Contact, now: datetime) -> Ahead:
        ahead = self._store.ahead(contact.digest)
        if len(ahead.visits) < self.terms.limits.per_contact:
            return ahead
        # Nothing is written there when a visit is over, moved or called off: it is looked at only where it matters.
        found = ((id, self._visits.find(id)) for id, _ in ahead.visits)
        ahead = ahead.without([id for id, visit in found if visit is None or is_behind(visit, now)])
        if len(ahead.visits) < self.terms.limits.per_contact:
            return ahead
        raise LimitReached("contact")

    def _open(self, premises: Premises) -> Property:
        if premises.property.details.public_booking is PublicBooking.OFF:
            raise PropertyNotFound(premises.property.id)
        return premises.property
