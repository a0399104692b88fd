"""The use cases of notices: queue what may be worth a mail, look what is, and send it.

A mail is sent between a claim and a record of it. Whoever is stopped in between has sent it or not, and the next one
sends it again: a mail may come twice, and none is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.domain.notices import (
    SETTLED,
    Kind,
    Letter,
    NoMoreMail,
    Notice,
    Sender,
    Stopped,
    Told,
    Undeliverable,
    ascii_address,
    due,
    recipient_of,
)
from chalicelib.domain.visits import Status, Visit

if TYPE_CHECKING:
    from chalicelib.services.ports import Clock, NewId, NoticeStore, Outbox, PropertyStore, Queue, VisitStore
    from chalicelib.services.visitor_links import Links
    from chalicelib.services.visits import Visits

Compose = Callable[[Letter], bytes]
"""A letter to the mail that is sent."""

LOOKED_AT_ONCE = 100


class Notices:
    """Without a sender nobody is told anything, and nothing is queued."""

    def __init__(
        self,
        sender: Sender | None,
        visits: Visits,
        listed: VisitStore,
        properties: PropertyStore,
        notices: NoticeStore,
        queue: Queue,
        outbox: Outbox,
        links: Links,
        compose: Compose,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._sender = sender
        self._visits = visits
        self._listed = listed
        self._properties = properties
        self._notices = notices
        self._queue = queue
        self._outbox = outbox
        self._links = links
        self._compose = compose
        self._clock = clock
        self._new_id = new_id

    def announce(self, visit_ids: Collection[str]) -> None:
        """These visits have changed. Raises StoreBusy, though some may be in the queue."""
        if self._sender is not None and visit_ids:
            self._queue.send([json.dumps({"visitId": visit_id}) for visit_id in visit_ids])

    def look_ahead(self) -> int:
        """Queues the visits that came near since this was done last; gives their number.

        What was missed is caught up. What is done twice is queued twice, and told once. Raises StoreBusy.
        """
        if self._sender is None:
            return 0
        now = self._clock()
        until, last = now - SETTLED, self._notices.looked_ahead_until()
        since = last if last is not None else until
        messages = [
            json.dumps({"visitId": visit.id, "leadHours": lead // timedelta(hours=1)})
            for lead in self._sender.leads
            for visit in self._starting(max(since + lead, now), until + lead)
        ]
        if messages:
            self._queue.send(messages)
        self._notices.has_looked_ahead(last, until)
        return len(messages)

    def tell(self, visit_id: str, leads: Collection[timedelta] = ()) -> Kind | None:
        """Tells the visitor how the visit stands, if that is news, or that it is near; gives what was told.

        Raises StoreBusy while another is at it, OutcomeUnknown, or whatever the outbox does.
        """
        if self._sender is None or (visit := self._visits.find(visit_id)) is None:
            return None
        notice, now = self._notices.find(visit_id), self._clock()
        address = visit.visitor.email if visit.visitor else None
        if address is None:
            if notice.names_somebody:
                self._notices.forget(visit_id)
            return None
        kind = due(visit, notice, leads, now)
        if kind is None:
            return None
        claimant = self._new_id()
        if not self._notices.claim(visit, notice, claimant, now):
            raise StoreBusy
        # From here on whoever erases ends the claim; what was erased before must not be written to any more.
        if self._visits.get(visit_id).version != visit.version:
            raise StoreBusy
        recipient = recipient_of(visit_id, address)
        try:
            letter = self._letter(kind, visit, ascii_address(address), self._sender)
            self._outbox.send(letter.address, self._compose(letter), {"visit": visit_id, "recipient": recipient})
        except Undeliverable:
            self._notices.stop(visit, Stopped(recipient, NoMoreMail.UNDELIVERABLE))
            return None
        self._notices.record(visit, claimant, Told.of(visit, address, now))
        return kind

    def about(self, visit_id: str) -> Notice:
        """What is known of the mail about a visit to its present visitor. Raises VisitNotFound."""
        visit = self._visits.get(visit_id)
        address = visit.visitor.email if visit.visitor else None
        return self._notices.find(visit_id).to(recipient_of(visit_id, address) if address is not None else None)

    def stop(self, visit_id: str, stopped: Stopped) -> None:
        """No more mail about the visit to an address that does not take it, or does not want it."""
        visit = self._visits.find(visit_id)
        # Nothing is known of an address any more once its visitor was erased.
        if visit is not None and visit.visitor is not None:
            self._notices.stop(visit, stopped)

    def _letter(self, kind: Kind, visit: Visit, address: str, sender: Sender) -> Letter:
        link, unsubscribe = None, None
        if sender.page is not None:
            # In the fragment, which browsers send to nobody.
            link = f"{sender.page}#{self._links.link(visit)}"
        if sender.api is not None and kind is Kind.REMINDER:
            token = quote(self._links.unsubscribe(visit) or "")
            unsubscribe = f"{sender.api.rstrip('/')}/visitor/unsubscribe?token={token}"
        name = self._properties.get(visit.property_id).details.name
        return Letter(kind, visit, name, address, sender, link, unsubscribe)

    def _starting(self, low: datetime, high: datetime) -> Iterator[Visit]:
        """Those that take place and start from the one instant up to the other. Four queries, more where many start."""
        if low >= high:
            return
        filter, after = VisitFilter(Window(low, high), statuses=frozenset({Status.CONFIRMED})), None
        while True:
            page = self._listed.list(filter, after, LOOKED_AT_ONCE)
            yield from page.items
            if (after := page.next) is None:
                return
