"""The use cases of a visitor over the whole agency: find everything of one person, erase it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import Unavailable, VersionMismatch, VisitNotFound
from chalicelib.domain.listing import Page
from chalicelib.domain.visitors import Contact, contacts_of
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit
    from chalicelib.services.ports import VisitStore
    from chalicelib.services.visits import Visits

AT_ONCE: Final = 100
"""How many visits one request erases: a second's work."""


class Erasure(Record):
    """The ids of the visits that were erased, and whether more may be left: then the same request goes on."""

    erased: list[str]
    more: bool


class Visitors:
    def __init__(self, visits: VisitStore, booking: Visits) -> None:
        self._visits = visits
        self._booking = booking

    def search(self, contact: Contact, after: str | None, limit: int) -> Page[Visit]:
        """The person's visits, by id. A page may be short: the index still has what was changed a moment ago."""
        page = self._visits.of_contact(contact, after, limit)
        return Page([visit for id in page.items if (visit := self._find(id, contact)) is not None], page.next)

    def erase(self, contact: Contact, by: str | None = None) -> Erasure:
        """Takes every word about the person out of visits, which themselves stay. Again is no harm."""
        page = self._visits.of_contact(contact, None, AT_ONCE)
        erased: list[str] = []
        more = page.next is not None
        try:
            for id in page.items:
                visit = self._find(id, contact)
                if visit is None:
                    continue
                try:
                    self._booking.erase_visitor(id, frozenset({visit.version}), by)
                    erased.append(id)
                except VersionMismatch:  # it may be somebody else's by now
                    more = True
        except Unavailable:
            if not erased:
                raise
            more = True
        return Erasure(erased, more)

    def _find(self, visit_id: str, contact: Contact) -> Visit | None:
        with suppress(VisitNotFound):
            visit = self._visits.get(visit_id)
            if contact in contacts_of(visit.visitor):
                return visit
        return None
