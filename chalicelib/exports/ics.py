"""Visits as a calendar (RFC 5545), by a writer of our own: docs/decisions.md says why.

Times are instants in UTC, which every calendar program shows in its user's zone, so no VTIMEZONE is needed. There is a
METHOD in invitations alone: with one, CalDAV servers refuse a file (RFC 4791, section 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from chalicelib.domain.calendars import Feed, Shows
from chalicelib.domain.visits import Status, Visit
from chalicelib.exports import words

if TYPE_CHECKING:
    from chalicelib.domain.listing import Entry

WIDEST_LINE: Final = 75
"""Octets of a line without its end (RFC 5545, section 3.1)."""

STATUS: Final[Mapping[Status, str]] = MappingProxyType(
    {
        Status.REQUESTED: "TENTATIVE",
        Status.CONFIRMED: "CONFIRMED",
        Status.DECLINED: "CANCELLED",
        Status.CANCELLED: "CANCELLED",
        # What became of an appointment is not for calendars to say: the time was kept for it.
        Status.COMPLETED: "CONFIRMED",
        Status.NO_SHOW: "CONFIRMED",
    }
)

PREFIX: Final[Mapping[Status, str]] = MappingProxyType(
    {status: f"{words.STATUS[status]}: " for status in (Status.CANCELLED, Status.DECLINED, Status.NO_SHOW)}
)
"""In front of the summary: many calendar programs show nothing of STATUS."""

AFTERWARDS: Final = frozenset({Status.DECLINED, Status.COMPLETED, Status.NO_SHOW})
"""What STATUS does not tell from others."""

BEGIN: Final = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Property Visits//Visits 1//EN", "CALSCALE:GREGORIAN")
END: Final = ("END:VCALENDAR",)
NOTHING: Final = (
    # A calendar has at least one component (RFC 5545, section 3.6), also when there is no visit.
    "BEGIN:VTIMEZONE",
    "TZID:Etc/UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "END:STANDARD",
    "END:VTIMEZONE",
)

_LINE_END: Final = re.compile("\r\n|[\r\n\u2028\u2029]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def write_ics(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The visits with all that is known of them, one event at a time."""
    events = (_event(entry.visit, _marked(entry.visit, _summary(entry)), _description(entry)) for entry in entries)
    return _calendar((), events)


def write_feed(feed: Feed) -> Iterator[bytes]:
    """A calendar for whoever has its address: when and where, and nobody's words or reasons."""
    heading = [
        f"NAME:{_text(feed.name)}",
        f"X-WR-CALNAME:{_text(feed.name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    if not feed.complete:
        last = feed.entries[-1].visit.date
        remark = _text(f"Only the first {len(feed.entries)} visits, up to {last:%Y-%m-%d}; more follow.")
        heading += [f"DESCRIPTION:{remark}", f"X-WR-CALDESC:{remark}"]
    return _calendar(heading, (_event(entry.visit, *_shown(entry, feed.shows)) for entry in feed.entries))


def _shown(entry: Entry, shows: Shows) -> tuple[str, str]:
    """Summary and description of a visit in a feed: the property and, if the meeting place is another, its address."""
    visit, details = entry.visit, entry.details
    visitor = visit.visitor if shows is Shows.VISITORS else None
    facts = (
        ("Address", details.address if details and details.address != visit.place else None),
        ("Visitor", visitor.name if visitor else None),
        ("Phone", visitor.phone if visitor else None),
    )
    who = f"{visitor.name}, " if visitor and visitor.name else ""
    summary = f"Visit: {who}{details.name if details else visit.property_id}"
    return _marked(visit, summary), _told(facts)


def write_invitation(visit: Visit, summary: str, organizer: str, name: str, attendee: str) -> bytes:
    """What a visitor's calendar program takes from a mail (RFC 5546, RFC 6047): the visit as it stands, or gone.

    A later version has a higher SEQUENCE under the same UID. Nobody is asked to answer.
    """
    method = method_of(visit)
    people = (
        f"ORGANIZER;CN={_parameter(name)}:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:{attendee}",
    )
    return b"".join(_calendar((f"METHOD:{method}",), [_event(visit, summary, None, people)]))


def method_of(visit: Visit) -> str:
    return "CANCEL" if STATUS[visit.status] == "CANCELLED" else "REQUEST"


def _calendar(heading: Iterable[str], events: Iterable[Iterable[str]]) -> Iterator[bytes]:
    yield _lines((*BEGIN, *heading))
    any_event = False
    for event in events:
        any_event = True
        yield _lines(event)
    yield _lines(END if any_event else (*NOTHING, *END))


def _event(visit: Visit, summary: str, description: str | None, people: Iterable[str] = ()) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    # An id for the life of the visit, and a UUID, as RFC 7986 asks for.
    yield f"UID:{visit.id}"
    # When the event last changed (section 3.8.7.2), so that the same visit is the same text.
    yield f"DTSTAMP:{_utc(visit.updated_at)}"
    yield f"SEQUENCE:{visit.version - 1}"
    yield f"DTSTART:{_utc(visit.date)}"
    yield f"DTEND:{_utc(visit.date + timedelta(minutes=visit.duration_minutes))}"
    yield f"STATUS:{STATUS[visit.status]}"
    if STATUS[visit.status] == "CANCELLED":
        yield "TRANSP:TRANSPARENT"  # the time is free again
    if visit.status in AFTERWARDS:
        yield f"X-VISITS-STATUS:{visit.status}"
    yield f"SUMMARY:{_text(summary)}"
    yield f"LOCATION:{_text(visit.place)}"
    yield from people
    if description:
        yield f"DESCRIPTION:{_text(description)}"
    yield "END:VEVENT"


def _marked(visit: Visit, summary: str) -> str:
    return PREFIX.get(visit.status, "") + summary


def _summary(entry: Entry) -> str:
    """Who comes, and to which property: what a calendar program shows of an event at a glance."""
    visitor = entry.visit.visitor
    shown = (visitor.shown_as if visitor else None, entry.details.name if entry.details else None)
    facts = ", ".join(fact for fact in shown if fact is not None)
    return f"Visit: {facts}" if facts else "Visit"


def _description(entry: Entry) -> str:
    """What an agent wants to see beside the time. In words: ATTENDEE would make calendar programs send invitations."""
    visit, details = entry.visit, entry.details
    visitor, cancellation = visit.visitor, visit.cancellation
    facts = (
        ("Property", details.name if details else visit.property_id),
        ("Address", details.address if details else None),
        ("E-mail", visitor.email if visitor else None),
        ("Phone", visitor.phone if visitor else None),
        ("Agent", entry.agent_name or visit.agent_id),
        ("Cancelled because", cancellation.reason if cancellation else None),
        ("Notes", visit.notes),
    )
    return _told(facts)


def _told(facts: Iterable[tuple[str, str | None]]) -> str:
    return "\n".join(f"{name}: {fact}" for name, fact in facts if fact is not None)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """A TEXT value (section 3.3.11): escaped, and without the control characters that it cannot have."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return _CONTROL.sub("", _LINE_END.sub(r"\\n", escaped))


def _parameter(text: str) -> str:
    """A parameter's value (section 3.2), which cannot have double quotes at all."""
    return '"' + _CONTROL.sub("", _LINE_END.sub(" ", text)).replace('"', "'") + '"'


def _lines(lines: Iterable[str]) -> bytes:
    return b"".join(_folded(line.encode()) for line in lines)


def _folded(line: bytes) -> bytes:
    """The line with its end, folded where it is too long, never inside a character."""
    parts = []
    width = WIDEST_LINE
    while len(line) > width:
        cut = width
        while line[cut] & 0xC0 == 0x80:  # goes on with a character that began before
            cut -= 1
        parts.append(line[:cut])
        line = line[cut:]
        width = WIDEST_LINE - 1  # the space that says that a line goes on is part of it
    return b"\r\n ".join([*parts, line]) + b"\r\n"
