"""The use cases of when a property may be visited: its rules, the starts they offer, and when it is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from chalicelib.domain.agents import ANY_AGENT
from chalicelib.domain.availability import Availability, Closed, Rules, Span
from chalicelib.domain.errors import (
    AvailabilityNotFound,
    FieldError,
    InvalidInput,
    OutsideHours,
    SlotTaken,
    VersionMismatch,
    VisitsNotAllowed,
)
from chalicelib.domain.listing import Window, shifted
from chalicelib.domain.premises import Conductor, Held, Premises, Slot, Wanted
from chalicelib.domain.public import nearest
from chalicelib.domain.slots import QUARTER
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.properties import Property
    from chalicelib.domain.visits import Visit
    from chalicelib.services.ports import AgentStore, AvailabilityStore, Clock, PropertyStore, VisitStore

AHEAD = timedelta(days=7)
WIDEST = timedelta(days=31)

AROUND = timedelta(days=3)
"""How far from a time that is not free others are looked for at first."""

NOT_TO_BE_HAD = (OutsideHours, SlotTaken, VisitsNotAllowed)
"""Why a time cannot be booked. Visitors are not told which of these it is."""

MOST_AGENTS = 50
"""Whoever may be free is looked at day by day: more of them at once would be too much for one answer."""

Check = Callable[[Availability], None]
"""Raises what is to be refused once the present rules are known."""


class BusyInterval(Record):
    """Neighbouring quarter hours held by the same number of visits; `free` more would fit in."""

    start: datetime
    end: datetime
    held: int
    free: int


class BusyTimes(Record):
    property: Property
    window: Window
    intervals: list[BusyInterval]


class Engagement(Record):
    """Neighbouring quarter hours in which an agent is held, travel among them, by one property."""

    start: datetime
    end: datetime
    property_id: str


class Engagements(Record):
    agent_id: str
    window: Window
    intervals: list[Engagement]


class FreeSlots(Record):
    """The starts that can be booked; when there are none, why."""

    premises: Premises
    window: Window
    minutes: int
    slots: list[Slot]
    reason: Closed | None


class Availabilities:
    def __init__(
        self,
        properties: PropertyStore,
        availability: AvailabilityStore,
        agents: AgentStore,
        visits: VisitStore,
        clock: Clock,
    ) -> None:
        self._properties = properties
        self._availability = availability
        self._agents = agents
        self._visits = visits
        self._clock = clock

    def premises(self, property_id: str) -> Premises:
        """A property with its rules, if it has any."""
        return self._availability.premises(property_id)

    def get(self, property_id: str) -> Availability:
        """Raises AvailabilityNotFound where nobody has set any rules, PropertyNotFound without the property."""
        found = self._availability.premises(property_id).availability
        if found is None:
            raise AvailabilityNotFound(property_id)
        return found

    def create(self, property_id: str, rules: Rules, check: Check) -> Availability:
        """Sets the first rules of a property. Raises VersionMismatch when it has some."""
        self._availability.premises(property_id)
        now = self._clock()
        availability = Availability(property_id, rules, version=1, created_at=now, updated_at=now)
        check(availability)
        self._availability.add(availability)
        return availability

    def replace(self, property_id: str, rules: Rules, expected: frozenset[int] | None, check: Check) -> Availability:
        """Replaces rules that are as the caller last saw them; visits that are booked stay. Raises VersionMismatch."""
        before = self._availability.premises(property_id).availability
        if before is None or (expected is not None and before.version not in expected):
            raise VersionMismatch
        check(before)
        if rules == before.rules:
            return before
        after = replace(before, rules=rules, version=before.version + 1, updated_at=self._clock())
        self._availability.save(before, after)
        return after

    def slots(
        self, property_id: str, start: datetime | None, end: datetime | None, minutes: int, agent_id: str | None
    ) -> FreeSlots:
        """Every start that can be booked, from now for a week unless told otherwise.

        Raises InvalidInput for more than 31 days at once, or more than a week for any agent.
        """
        window = self._window(start, end, AHEAD if agent_id == ANY_AGENT else WIDEST)
        premises = self._availability.premises(property_id)
        # What has begun cannot be booked, and nothing of it needs to be looked at.
        earliest = max(window.start, self._clock())
        wanted = Wanted(earliest, window.end, minutes, self._conductors(agent_id))
        return self._offered(premises, window, wanted, frozenset())

    def other_slots(self, visit: Visit, earliest: datetime, start: datetime | None, end: datetime | None) -> FreeSlots:
        """Every other start that a visit can be moved to, as long as it lasts and with its agent; none before
        `earliest`. What the visit itself holds is free to it.

        Raises InvalidInput for more than 31 days at once.
        """
        window = self._window(start, end, WIDEST)
        premises = self._availability.premises(visit.property_id)
        conductors = self._conductors(visit.agent_id)
        wanted = Wanted(max(window.start, earliest), window.end, visit.duration_minutes, conductors)
        found = self._offered(premises, window, wanted, frozenset(visit.property_quarters))
        slots = [slot for slot in found.slots if slot.start != visit.date]
        return replace(found, slots=slots, reason=None if slots else found.reason or Closed.TAKEN)

    def _offered(self, premises: Premises, window: Window, wanted: Wanted, own: Collection[datetime]) -> FreeSlots:
        candidates = premises.candidates(wanted, self._clock())
        if not candidates.starts:
            return FreeSlots(premises, window, wanted.minutes, [], candidates.reason)
        slots = premises.offer(wanted, candidates.starts, self._held(premises, wanted, candidates.starts, own))
        return FreeSlots(premises, window, wanted.minutes, slots, None if slots else Closed.TAKEN)

    def busy(self, property_id: str, start: datetime | None, end: datetime | None) -> BusyTimes:
        """When the property is taken, in whole quarter hours, from now for a week unless told otherwise.

        Raises InvalidInput for more than 31 days at once.
        """
        window = self._window(start, end, WIDEST)
        property = self._properties.get(property_id)
        held = self._visits.held_quarters(property_id, window)
        intervals: list[BusyInterval] = []
        for quarter in sorted(held):
            count = held[quarter]
            last = intervals[-1] if intervals else None
            if last and last.end == quarter and last.held == count:
                intervals[-1] = BusyInterval(last.start, quarter + QUARTER, count, last.free)
            else:
                free = max(property.details.capacity - count, 0)
                intervals.append(BusyInterval(quarter, quarter + QUARTER, count, free))
        return BusyTimes(property, window, intervals)

    def engagements(self, agent_id: str, start: datetime | None, end: datetime | None) -> Engagements:
        """When and where an agent is engaged, registered or not, from now for a week unless told otherwise.

        Raises InvalidInput for more than 31 days at once.
        """
        window = self._window(start, end, WIDEST)
        where = self._visits.whereabouts(agent_id, [(window.start, window.end)])
        intervals: list[Engagement] = []
        for quarter in sorted(where):
            last = intervals[-1] if intervals else None
            if last and (last.end, last.property_id) == (quarter, where[quarter]):
                intervals[-1] = replace(last, end=quarter + QUARTER)
            else:
                intervals.append(Engagement(quarter, quarter + QUARTER, where[quarter]))
        return Engagements(agent_id, window, intervals)

    def _window(self, start: datetime | None, end: datetime | None, widest: timedelta) -> Window:
        if start is None:
            start = self._clock() if end is None else shifted(end, -AHEAD)
        window = Window.around(self._clock(), start, end if end is not None else shifted(start, AHEAD))
        if window.width > widest:
            raise InvalidInput([FieldError("?to", f"at most {widest.days} days after 'from'")])
        return window

    def _conductors(self, agent_id: str | None) -> tuple[Conductor, ...] | None:
        if agent_id is None:
            return None
        if agent_id != ANY_AGENT:
            return (Conductor(agent_id, self._agents.get(agent_id)),)
        agents = self._agents.list(None, MOST_AGENTS)
        if agents.next is not None:
            raise InvalidInput(
                [FieldError("?agentId", f"'any' is for up to {MOST_AGENTS} agents: ask for one of them")]
            )
        return tuple(Conductor(agent.id, agent) for agent in agents.items)

    def _held(self, premises: Premises, wanted: Wanted, starts: Sequence[datetime], own: Collection[datetime]) -> Held:
        """What is taken of the quarters that visits at these starts would hold, and is not one's own."""
        of_agents = {
            conductor.id: self._visits.whereabouts(
                conductor.id, _spans(conductor.could(starts, wanted.minutes), wanted.minutes + conductor.travel_minutes)
            )
            for conductor in wanted.conductors or ()
        }
        spans = _spans(starts, wanted.minutes + premises.rules.gap_minutes)
        taken = self._visits.taken_quarters(premises.property.id, spans)
        return Held({quarter: count for quarter, count in taken.items() if quarter not in own}, of_agents)


def free_about(date: datetime, look: Callable[[datetime, datetime], FreeSlots], now: datetime) -> list[datetime]:
    """What is free about a time that is not: near it, or in the month after."""
    start = max(now, min(date, now + timedelta(days=366)) - AROUND)
    for end in (start + 2 * AROUND, start + WIDEST):
        found = nearest(look(start, end).slots, date)
        if found:
            return found
    return []


def _spans(starts: Sequence[datetime], minutes: int) -> list[Span]:
    """The time that visits of so many minutes at these starts, which are in order, would take; neighbours joined."""
    length = timedelta(minutes=minutes)
    apart = [n for n, (start, following) in enumerate(pairwise(starts), 1) if following - start > length]
    runs = pairwise([0, *apart, len(starts)] if starts else [])
    return [(starts[first], starts[beyond - 1] + length) for first, beyond in runs]
