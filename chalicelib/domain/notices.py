"""Notices: what the visitor of a visit is told by mail, and when.

Nothing is told of a change as such. What a visitor was told last is compared with the visit as it stands; where they
differ, the visitor is told how it stands. So neither order nor repetition of the changes matters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from chalicelib.domain.spellings import ascii_domain
from chalicelib.domain.visits import Party, Status, Visit
from chalicelib.record import Record

CLAIMED_FOR: Final = timedelta(seconds=45)
"""How long one has a visitor's mail to oneself: longer than `notify` may run."""

KEPT: Final = timedelta(days=30)
"""How long after a visit it is known what its visitor was told."""

SETTLED: Final = timedelta(minutes=1)
"""How far behind the present reminders are looked for: by then the index has every visit."""


class Kind(StrEnum):
    """The mails there are; each has a template of its name."""

    HELD = "held"
    """Of a visit that its visitor is to confirm."""
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    CHANGED = "changed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REMINDER = "reminder"


NEWS: Final[Mapping[Status, Kind]] = MappingProxyType(
    {
        Status.REQUESTED: Kind.REQUESTED,
        Status.CONFIRMED: Kind.CONFIRMED,
        Status.DECLINED: Kind.DECLINED,
        Status.CANCELLED: Kind.CANCELLED,
    }
)
"""What is told of a status. How a visit went, its visitor knows."""


class Undeliverable(Exception):
    """Mail cannot be sent to this address, now or ever."""


class NoMoreMail(StrEnum):
    """Why an address gets no more mail about a visit."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNDELIVERABLE = "undeliverable"
    """No mail can be addressed to it at all."""


class Sender(Record):
    """In whose name mail is sent, and what goes with it."""

    address: str
    agency: str
    language: str
    """For visitors of whom none is known."""
    leads: tuple[timedelta, ...]
    """How long before a visit its visitor is reminded of it."""
    reply_to: str | None = None
    logo: str | None = None
    page: str | None = None
    """Where visitors see and change their visits; the link adds a fragment to it."""
    api: str | None = None
    """Where the API is, for the mail programs that unsubscribe by themselves."""


class Told(Record):
    """What a visitor was told last, and when. Of the address only a hash is kept."""

    at: datetime
    version: int
    status: Status
    date: datetime
    duration_minutes: int
    time_zone: str
    place: str
    recipient: str

    @classmethod
    def of(cls, visit: Visit, address: str, at: datetime) -> Told:
        return cls(
            at=at,
            version=visit.version,
            status=visit.status,
            date=visit.date,
            duration_minutes=visit.duration_minutes,
            time_zone=visit.time_zone,
            place=visit.place,
            recipient=recipient_of(visit.id, address),
        )

    def still_true(self, visit: Visit) -> bool:
        """Whether somebody who knows this knows when and where the visit is."""
        return (self.date, self.duration_minutes, self.time_zone, self.place) == (
            visit.date,
            visit.duration_minutes,
            visit.time_zone,
            visit.place,
        )


class Stopped(Record):
    """An address that gets no more mail about the visit; another one does."""

    recipient: str
    why: NoMoreMail


class Notice(Record):
    """What is known of the mail about a visit. `version` grows with every change of it, and is 0 before the first."""

    told: Told | None = None
    stopped: Stopped | None = None
    reminders: bool = True
    claimed: bool = False
    """Whether a mail is, or was, under way that is not recorded."""
    version: int = 0

    @property
    def names_somebody(self) -> bool:
        """Whether there is anything in it that erasing would take away."""
        return self.told is not None or self.stopped is not None or self.claimed

    def to(self, recipient: str | None) -> Notice:
        """What of it is about that recipient, and not one before."""
        told = self.told if self.told and self.told.recipient == recipient else None
        return replace(self, told=told, stopped=self.stopped if self.stops(recipient) else None)

    def stops(self, recipient: str | None) -> bool:
        """Whether that recipient gets no more mail."""
        return self.stopped is not None and self.stopped.recipient == recipient


class Letter(Record):
    """A mail to be written: what it says, and in whose name."""

    kind: Kind
    visit: Visit
    property_name: str
    address: str
    sender: Sender
    link: str | None
    """Where the visitor can see and change the visit."""
    unsubscribe: str | None
    """What a mail program posts to for no more reminders."""

    @property
    def language(self) -> str:
        visitor = self.visit.visitor
        return (visitor.language if visitor else None) or self.sender.language


def recipient_of(visit_id: str, address: str) -> str:
    """By what an address is known again beside its visit, and nowhere else."""
    return hashlib.sha256(f"{visit_id} {address}".encode()).hexdigest()[:32]


_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM: Final = re.compile(rf"(?!=\?){_ATOM}(?:\.{_ATOM})*")
"""Without the beginning of an encoded word (RFC 2047), for which a header would take it."""


def ascii_address(address: str) -> str:
    """The address as mail servers without SMTPUTF8, SES among them, take it: with its domain in Punycode.

    Raises Undeliverable, also for a local part that is no dot-atom (RFC 5322): a slip like `ada..b`, as a rule.
    https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html
    """
    local, _, domain = address.rpartition("@")
    if not _DOT_ATOM.fullmatch(local):
        raise Undeliverable
    try:
        return f"{local}@{ascii_domain(domain)}"
    except UnicodeError:
        raise Undeliverable from None


def due(visit: Visit, notice: Notice, leads: Iterable[timedelta], now: datetime) -> Kind | None:
    """What the visitor has to be told now, if anything: news, or else that the visit is near.

    `leads` are the times ahead of it for which somebody found that a reminder may be due.
    """
    address = visit.visitor.email if visit.visitor else None
    if address is None or not visit.notify or visit.date <= now:
        return None
    recipient = recipient_of(visit.id, address)
    if notice.stops(recipient):
        return None
    told = notice.told
    if told is None or told.recipient != recipient or told.status != visit.status:
        return Kind.HELD if visit.awaits(Party.VISITOR) else NEWS.get(visit.status)
    if not told.still_true(visit):
        return Kind.CHANGED if visit.holds_slots else None
    reminded = any(_near(visit, told, lead, now) for lead in leads)
    return Kind.REMINDER if reminded and notice.reminders else None


def _near(visit: Visit, told: Told, lead: timedelta, now: datetime) -> bool:
    """Whether the visit is so near, and was not yet when its visitor heard of it last."""
    return visit.status is Status.CONFIRMED and told.at < visit.date - lead <= now
