"""Events: what happened to visits, properties and agents, told to whoever follows. Ids, times and status; no person.

An event is a change from one version to the next, so nothing that writes has to remember to tell of it. Its id is that
of the version it led to: whoever sees it twice knows it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from chalicelib.domain.visits import Status, Visit
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.agents import Agent
    from chalicelib.domain.properties import Property

KEPT: Final = timedelta(days=30)
"""How long the feed can be read back."""

MOST_IN_PAGE: Final = 100
"""Events that are appended at once: those of one batch of the stream."""


class EventType(StrEnum):
    VISIT_BOOKED = "visit.booked"
    VISIT_RESCHEDULED = "visit.rescheduled"
    VISIT_CONFIRMED = "visit.confirmed"
    VISIT_DECLINED = "visit.declined"
    VISIT_CANCELLED = "visit.cancelled"
    VISIT_COMPLETED = "visit.completed"
    VISIT_NO_SHOW = "visit.no_show"
    VISIT_CHANGED = "visit.changed"
    VISIT_ERASED = "visit.erased"
    PROPERTY_REGISTERED = "property.registered"
    PROPERTY_CHANGED = "property.changed"
    AGENT_REGISTERED = "agent.registered"
    AGENT_CHANGED = "agent.changed"
    AGENT_ERASED = "agent.erased"


class Event(Record):
    """One change. `data` has ids, times, numbers and statuses only."""

    id: str
    type: EventType
    subject: str
    time: datetime
    data: Mapping[str, object]


class Change(Record):
    """A record of the table's stream: where it is in its shard, and what it says, if it is worth an event."""

    sequence: int
    event: Event | None


@dataclass(frozen=True, order=True)
class Position:
    """A place in the feed: behind the first `index` events of a page. Pages are numbered from 1 without gaps."""

    page: int
    index: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError for what `str` has not made."""
        if not re.fullmatch(r"[0-9]{1,15}\.[0-9]{1,3}", text):
            raise ValueError
        page, index = (int(part) for part in text.split("."))
        return cls(page, index)

    def __str__(self) -> str:
        """In the order of the feed, also as text (the CloudEvents extension `sequence`)."""
        return f"{self.page:015d}.{self.index:03d}"


class Told(Record):
    """An event and the position behind it."""

    event: Event
    position: Position


class Stretch(Record):
    """Some events in order, and where to go on, whether or not there is more already."""

    told: Sequence[Told]
    next: Position


def of_visit(before: Visit | None, after: Visit) -> Event | None:
    """What happened to a visit between two versions; None if it is the same version."""
    if before is not None and before.version == after.version:
        return None
    data: dict[str, object] = {
        "visitId": after.id,
        "propertyId": after.property_id,
        "status": after.status.value,
        "date": after.date,
        "durationMinutes": after.duration_minutes,
        "timeZone": after.time_zone,
        "version": after.version,
    }
    if after.agent_id is not None:
        data["agentId"] = after.agent_id
    if before is not None and before.moves_to(after):
        data |= {"previousDate": before.date, "previousDurationMinutes": before.duration_minutes}
    if before is not None and before.agent_id is not None and before.agent_id != after.agent_id:
        data["previousAgentId"] = before.agent_id
    return Event(f"{after.id}.{after.version}", _type(before, after), f"visits/{after.id}", after.updated_at, data)


def _type(before: Visit | None, after: Visit) -> EventType:
    if before is None:
        return EventType.VISIT_BOOKED
    if before.status != after.status and after.status is not Status.REQUESTED:
        return EventType(f"visit.{after.status}")
    if before.moves_to(after):
        return EventType.VISIT_RESCHEDULED
    if tells_of_a_person(before) and not tells_of_a_person(after):
        return EventType.VISIT_ERASED
    return EventType.VISIT_CHANGED


def tells_of_a_person(visit: Visit) -> bool:
    """Whether anything is left that erasing would take away."""
    return visit != visit.erased(visit.updated_at)


def of_property(before: Property | None, after: Property) -> Event | None:
    """What happened to a property between two versions; None if it is the same version."""
    if before is not None and before.version == after.version:
        return None
    data: dict[str, object] = {
        "propertyId": after.id,
        "capacity": after.details.capacity,
        "timeZone": after.details.time_zone,
        "visitsAllowed": after.details.visits_allowed,
        "publicBooking": after.details.public_booking.value,
        "version": after.version,
    }
    type = EventType.PROPERTY_REGISTERED if before is None else EventType.PROPERTY_CHANGED
    return Event(f"{after.id}.{after.version}", type, f"properties/{after.id}", after.updated_at, data)


def of_agent(agent_id: str, version: int, time: datetime, before: Agent | None, after: Agent | None) -> Event:
    """What happened to an agent with that version; None stands for nobody, or nobody any more.

    An agent can have the id of a property, and in any script: so the event's has the path, percent-encoded.
    """
    if after is None:
        type = EventType.AGENT_ERASED
    else:
        type = EventType.AGENT_REGISTERED if before is None else EventType.AGENT_CHANGED
    subject = f"agents/{quote(agent_id, safe='')}"
    return Event(f"{subject}.{version}", type, subject, time, {"agentId": agent_id, "version": version})
