"""What a visitor does with the link to a visit: see it, move it, call it off, have no reminders, be forgotten.

The rules are those of everybody else's bookings; on top of them a visitor can change nothing shortly before the visit,
and confirm nothing that is the agency's to confirm.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from chalicelib.domain import visitor_links
from chalicelib.domain.api_keys import VISITOR
from chalicelib.domain.errors import (
    FieldError,
    InvalidInput,
    LinkInvalid,
    NotFree,
    SlotsReleased,
    TooLate,
    TransitionNotAllowed,
    once_written,
)
from chalicelib.domain.public import counts_until
from chalicelib.domain.visitor_links import LINK, UNSUBSCRIBE, Link
from chalicelib.domain.visitors import contacts_of
from chalicelib.domain.visits import ChangeVisit, Party, Status, Visit
from chalicelib.record import Record
from chalicelib.services.availability import NOT_TO_BE_HAD, Availabilities, free_about

if TYPE_CHECKING:
    from chalicelib.domain.premises import Premises
    from chalicelib.domain.properties import Property
    from chalicelib.domain.public import Terms
    from chalicelib.services.ports import Clock, NoticeStore, PropertyStore, PublicStore
    from chalicelib.services.signing_keys import Signer
    from chalicelib.services.visits import Expected, Visits

NOBODYS: Final = b"nobody's"
"""What is verified of a visit that is not there, or has no visitor: nothing is ever signed for it."""


class OwnVisit(Record):
    """A visit as its visitor sees it."""

    visit: Visit
    property: Property
    changeable_until: datetime
    reminders: bool
    terms: Terms


class Links:
    """Makes links, and tells good ones from others."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def link(self, visit: Visit) -> str | None:
        """By which the visitor reaches the visit; None while it has no visitor."""
        return self._made(LINK, visit)

    def unsubscribe(self, visit: Visit) -> str | None:
        """By which nothing can be done but to switch reminders off."""
        return self._made(UNSUBSCRIBE, visit)

    def opens(self, link: Link, visit: Visit | None) -> bool:
        """Whether the link is one that the present visitor of the visit has.

        The signature is verified in any case: how long it takes must not tell whether there is such a visit.
        """
        text = visitor_links.signed_text(visit) if visit is not None else None
        signed = self._signer.verifies(visitor_links.purpose(link.kind), text or NOBODYS, link.signature)
        return text is not None and signed

    def _made(self, kind: str, visit: Visit) -> str | None:
        text = visitor_links.signed_text(visit)
        if text is None:
            return None
        return Link(kind, visit.id, self._signer.sign(visitor_links.purpose(kind), text)).text


class VisitorLinks:
    def __init__(
        self,
        links: Links,
        visits: Visits,
        slots: Availabilities,
        properties: PropertyStore,
        notices: NoticeStore,
        public: PublicStore,
        terms: Terms,
        clock: Clock,
    ) -> None:
        self._links = links
        self._visits = visits
        self._slots = slots
        self._properties = properties
        self._notices = notices
        self._public = public
        self._terms = terms
        self._clock = clock

    def open(self, link: Link) -> Visit:
        """The visit that a link leads to. Raises LinkInvalid."""
        return self._opened(LINK, link)

    def look_at(self, visit: Visit) -> OwnVisit:
        property = self._properties.get(visit.property_id)
        reminders = self._notices.find(visit.id).reminders
        return OwnVisit(visit, property, visit.date - self._terms.change_notice, reminders, self._terms)

    def earliest(self, visit: Visit) -> datetime:
        """From when on it can be, if it is moved. Raises TooLate, or SlotsReleased for one that is over."""
        if not visit.holds_slots:
            raise SlotsReleased(visit.status, ["date"])
        self._check_in_time(visit)
        return self._clock() + self._terms.change_notice

    def change(self, opened: Visit, change: ChangeVisit, expected: Expected) -> Visit:
        """Moves the visit to another time that is to be had, or changes how its visitor is written to.

        Raises TooLate, InvalidInput for a time that is too near, and NotFree.
        """

        def check(visit: Visit) -> None:
            self._check_still_the_visitors(opened, visit)
            if isinstance(change.date, datetime) and change.date != visit.date:
                self._check_in_time(visit)
                if change.date < self._clock() + self._terms.change_notice:
                    raise InvalidInput([FieldError("#/date", "is too soon: choose a later time")])

        try:
            return self._visits.change(opened.id, change, expected, check, by=VISITOR, move=self._move)
        except NOT_TO_BE_HAD as taken:
            raise NotFree(self._others(opened, change)) from taken

    def _move(self, premises: Premises, before: Visit, after: Visit, now: datetime) -> Visit:
        """As a booking would be: at a time that is offered, and asked for where the agency is to confirm it."""
        premises.check_offered(after, now)
        self._count(before, after)
        if after.status is Status.CONFIRMED and premises.property.details.asks_first:
            return after.asked_for(self._terms.answer_by(now, after.date))
        return after

    def _count(self, before: Visit, after: Visit) -> None:
        """What was booked without a key counts for its contacts until it is over, wherever it is moved."""
        if after.created_by == VISITOR and counts_until(after) > counts_until(before):
            for contact in contacts_of(after.visitor):
                self._public.count(self._public.ahead(contact.digest).plus(after))

    def _others(self, opened: Visit, change: ChangeVisit) -> list[datetime]:
        """What is free about the time that the visit cannot be moved to."""
        assert isinstance(change.date, datetime)
        now = self._clock()
        look = partial(self._slots.other_slots, self._visits.get(opened.id), now + self._terms.change_notice)
        return free_about(change.date, look, now)

    def cancel(self, opened: Visit, reason: str | None, expected: Expected) -> Visit:
        """Raises TooLate, or TransitionNotAllowed for a visit that is over."""

        def check(visit: Visit) -> None:
            self._check_still_the_visitors(opened, visit)
            if visit.holds_slots:
                self._check_in_time(visit)

        return self._visits.change_status(opened.id, Status.CANCELLED, reason, expected, check, VISITOR)

    def confirm(self, opened: Visit) -> Visit:
        """Confirms a visit that awaits that of its visitor. Raises TransitionNotAllowed for one of the agency's."""
        if opened.awaits(Party.VISITOR):
            check = partial(self._check_still_the_visitors, opened)
            return self._visits.answer(opened.id, self._terms.answer_by, check, VISITOR)
        if opened.status is not Status.CONFIRMED:
            allowed = [str(Status.CANCELLED)] if opened.holds_slots else []
            raise TransitionNotAllowed(opened.status, Status.CONFIRMED, allowed)
        return opened

    def switch_reminders(self, visit: Visit, on: bool) -> None:
        self._notices.switch_reminders(visit, on)

    def unsubscribe(self, link: Link) -> None:
        """No more reminders of the visit, and nothing else. Raises LinkInvalid."""
        self._notices.switch_reminders(self._opened(UNSUBSCRIBE, link), False)

    def erase(self, opened: Visit, expected: Expected) -> Visit:
        """Takes every word about the visitor away, and the link with it; the visit stays as it is."""
        check = partial(self._check_still_the_visitors, opened)
        after = self._visits.erase_visitor(opened.id, expected, VISITOR, check)
        with once_written():
            self._notices.forget(opened.id)
        return after

    def _opened(self, kind: str, link: Link) -> Visit:
        visit = self._visits.find(link.visit_id) if link.kind == kind else None
        opens = self._links.opens(link, visit)
        if visit is None or not opens or visitor_links.is_over(visit, self._clock()):
            raise LinkInvalid
        return visit

    def _check_still_the_visitors(self, opened: Visit, visit: Visit) -> None:
        """The agency may have given the visit to somebody else in this very moment."""
        if visitor_links.signed_text(opened) != visitor_links.signed_text(visit):
            raise LinkInvalid

    def _check_in_time(self, visit: Visit) -> None:
        until = visit.date - self._terms.change_notice
        if self._clock() > until:
            raise TooLate(until)
