"""A property with the rules by which it is visited: what they say to a visit, and which starts they offer.

Booking and offering ask the same rules here, so that what is offered is what can be booked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from chalicelib.domain.availability import ALWAYS, SECOND, Availability, Closed, Hours, Rules, fitting, inside, joined
from chalicelib.domain.errors import Objection, OutsideHours
from chalicelib.domain.properties import HORIZON, Property
from chalicelib.domain.slots import QUARTER
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.agents import Agent
    from chalicelib.domain.visits import Visit

Judge = Callable[[Sequence[Objection]], None]
"""Decides what becomes of a visit that the rules object to."""


def strictly(objections: Sequence[Objection]) -> None:
    """Raises OutsideHours when there are any."""
    if objections:
        raise OutsideHours(list(objections))


@dataclass
class Leniently:
    """Lets the visit pass, and remembers what spoke against it."""

    overruled: Sequence[Objection] = ()

    def __call__(self, objections: Sequence[Objection]) -> None:
        self.overruled = objections


class Slot(NamedTuple):
    """A start that can be booked. `free` is how many visits still fit in; `agents` who could conduct one, if asked."""

    start: datetime
    free: int
    agents: tuple[str, ...] = ()


class Conductor(Record):
    """An agent as the offer sees one: an id that nobody registered has no details."""

    id: str
    details: Agent | None = None

    def could(self, starts: Sequence[datetime], minutes: int) -> list[datetime]:
        """At which of these starts, which are in order, a visit of so many minutes lies in the hours worked."""
        if not starts or self.details is None or self.details.availability is None:
            return list(starts)
        length, zone = timedelta(minutes=minutes), ZoneInfo(self.details.time_zone)
        works = joined(self.details.availability.between(zone, starts[0], starts[-1] + length))
        return fitting(works, starts, minutes)

    @property
    def travel_minutes(self) -> int:
        return self.details.travel_minutes if self.details is not None else 0


class Wanted(Record):
    """Which starts are asked for: from one instant up to another, for so many minutes, with one of these agents."""

    start: datetime
    end: datetime
    minutes: int
    conductors: tuple[Conductor, ...] | None = None
    """None: nobody is asked to conduct it."""


class Held(Record):
    """What is taken already: how often each quarter of the property, and where each agent is in a quarter."""

    of_property: Mapping[datetime, int]
    of_agents: Mapping[str, Mapping[datetime, str]] = field(default_factory=dict)


class Candidates(Record):
    """Starts that the hours, the notice and the horizon leave; and if there are none, which of them took the last."""

    starts: list[datetime]
    reason: Closed | None


class Premises(Record):
    """A property and its availability; None where nobody has set any, which is open at all times."""

    property: Property
    availability: Availability | None = None

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.property.details.time_zone)

    @cached_property
    def rules(self) -> Rules:
        return self.availability.rules if self.availability is not None else ALWAYS

    def admit(
        self, visit: Visit, agent: Agent | None, now: datetime, judge: Judge, before: Visit | None = None
    ) -> Visit:
        """The visit with what it holds beyond its own time, once the judge has heard what the rules say to it.

        A visit that is only made shorter keeps its gap, and hours that have changed since do not touch it; nor do those
        of an agent who had it already.
        """
        shorter = before is not None and visit.shortens(before)
        same_agent = before is not None and visit.agent_id == before.agent_id
        objections: list[Objection] = []
        gap = before.gap_minutes if before is not None and shorter else self.rules.gap_minutes
        travel = before.travel_minutes if before is not None and shorter and same_agent else _travel(agent)
        if not shorter and self.availability is not None:
            against = self.rules.against(visit.date, visit.duration_minutes, now, self.zone)
            objections += [Objection(reason, "property") for reason in against]
        if agent is not None and agent.availability is not None and not (shorter and same_agent):
            objections += _against_agent(agent.availability, ZoneInfo(agent.time_zone), visit)
        judge(objections)
        return replace(visit, gap_minutes=gap, travel_minutes=travel)

    def candidates(self, wanted: Wanted, now: datetime) -> Candidates:
        """The starts that could be booked if nothing were taken."""
        if not self.property.details.visits_allowed:
            return Candidates([], Closed.CLOSED)
        if wanted.end <= wanted.start:  # all of it is over
            return Candidates([], Closed.NOTICE)
        if wanted.start > now + HORIZON:
            return Candidates([], Closed.HORIZON)
        found = self.rules.fitting(self.zone, wanted.start, wanted.end, wanted.minutes)
        if wanted.conductors is not None:
            found = sorted({start for agent in wanted.conductors for start in agent.could(found, wanted.minutes)})
        if not found:
            return Candidates([], Closed.CLOSED)
        found = found[bisect_left(found, self.rules.notice_ends(now)) :]
        if not found:
            return Candidates([], Closed.NOTICE)
        found = found[: bisect_right(found, now + HORIZON)]
        if self.rules.horizon_days is not None:
            last = self.rules.last_date(now, self.zone)
            found = [start for start in found if start.astimezone(self.zone).date() <= last]
        return Candidates(found, None if found else Closed.HORIZON)

    def check_offered(self, visit: Visit, now: datetime) -> None:
        """Raises OutsideHours for a start that would not be offered if nothing were taken: without rules neither."""
        wanted = Wanted(visit.date, visit.date + SECOND, visit.duration_minutes)
        if not self.candidates(wanted, now).starts:
            raise OutsideHours([])

    def offer(self, wanted: Wanted, starts: Sequence[datetime], held: Held) -> list[Slot]:
        """Those of the candidates, of which there are some, that can be booked as things stand."""
        free_agents: dict[datetime, list[str]] = {}
        for agent in wanted.conductors or ():
            places = held.of_agents[agent.id].items()
            elsewhere = {quarter: 1 for quarter, where in places if where != self.property.id}
            could = agent.could(starts, wanted.minutes)
            taken = _most_held(elsewhere, could, wanted.minutes + agent.travel_minutes)
            for start in compress(could, map(not_, taken)):
                free_agents.setdefault(start, []).append(agent.id)
        if wanted.conductors is not None:
            starts = sorted(free_agents)
        capacity = self.property.details.capacity
        taken = _most_held(held.of_property, starts, wanted.minutes + self.rules.gap_minutes)
        return [
            Slot(start, capacity - count, tuple(free_agents.get(start, ())))
            for start, count in zip(starts, taken, strict=True)
            if count < capacity
        ]


def _most_held(held: Mapping[datetime, int], starts: Sequence[datetime], minutes: int) -> list[int]:
    """For each of the starts, which are in order, the most that is held in a quarter touched in so many minutes."""
    length = timedelta(minutes=minutes)
    most = [0] * len(starts)
    first = 0
    for quarter in sorted(held):
        count, begins, ends = held[quarter], quarter - length, quarter + QUARTER
        while first < len(starts) and starts[first] <= begins:
            first += 1
        n = first
        while n < len(starts) and starts[n] < ends:
            most[n] = max(most[n], count)
            n += 1
    return most


def _travel(agent: Agent | None) -> int:
    return agent.travel_minutes if agent is not None else 0


def _against_agent(hours: Hours, zone: ZoneInfo, visit: Visit) -> list[Objection]:
    end = visit.date + timedelta(minutes=visit.duration_minutes)
    works = inside(joined(hours.between(zone, visit.date, end)), visit.date, end)
    return [] if works else [Objection(Closed.CLOSED, "agent")]
