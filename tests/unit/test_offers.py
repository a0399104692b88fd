"""Offered if and only if bookable: random rules on the days when clocks change, against a brute force of minutes.

The brute force shares no code with what it judges. It walks the minutes of UTC with a wall clock beside it, and knows
neither spans nor quarters nor instants of local times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.agents import Agent
from chalicelib.domain.availability import WEEKDAYS, Availability, Dates, Hours, Opening, Rules
from chalicelib.domain.errors import OutsideHours, SlotTaken
from chalicelib.domain.visits import Status, Visit
from tests.agency import Agency
from tests.builders import a_property, a_visit, an_agent, booking, utc

CHANGES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "Australia/Lord_Howe": ("2027-04-04", "2027-10-03"),  # by half an hour
    "Pacific/Chatham": ("2027-04-04", "2027-09-26"),  # 12:45 from UTC
    "America/St_Johns": ("2027-03-14", "2027-11-07"),  # 3:30 from UTC
    "Asia/Kathmandu": ("2027-03-28",),  # 5:45, and never another
    "Asia/Kolkata": ("2027-10-31",),
    "Australia/Eucla": ("2027-04-04",),
    "Africa/Cairo": ("2027-04-30", "2027-10-29"),  # midnight is skipped
    "Asia/Beirut": ("2027-03-28", "2027-10-31"),
    "America/Santiago": ("2027-04-04", "2027-09-05"),
    "America/Havana": ("2027-03-14", "2027-11-07"),  # midnight comes twice
    "Antarctica/Troll": ("2027-03-28", "2027-10-31"),  # by two hours
    "America/Nuuk": ("2027-03-27", "2027-10-30"),
}
DAYS_CASES = [(zone, date.fromisoformat(day)) for zone, days in CHANGES.items() for day in days]

RULE_SETS = 600
BATCHES = 12

Local = tuple[date, int]
"""A local date and the minutes that a wall clock shows."""


@cache
def wall_clock(zone: str, day: date) -> list[Local]:
    """What the clock on the wall shows in each minute of UTC, from three days before the date to four after it."""
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=3)
    shown = ((first + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(7 * 1440))
    return [(local.date(), local.hour * 60 + local.minute) for local in shown]


@cache
def first_shown(zone: str, day: date) -> dict[Local, int]:
    """The first minute in which the clock shows it."""
    found: dict[Local, int] = {}
    for minute, local in enumerate(wall_clock(zone, day)):
        found.setdefault(local, minute)
    return found


def minute_of(zone: str, around: date, day: date, minutes: int) -> int:
    """When a wall clock shows that time first; where it jumps over it, when one that nobody has set would show it."""
    wanted = (day, minutes) if minutes < 1440 else (day + timedelta(days=1), minutes - 1440)
    shown = first_shown(zone, around)
    back = 0
    while wanted not in shown:
        back += 1
        wanted = (wanted[0], wanted[1] - 1) if wanted[1] else (wanted[0] - timedelta(days=1), 1439)
    return shown[wanted] + back


@dataclass
class Judge:
    """Minutes and nothing else."""

    agency: Agency
    zone: str
    day: date
    rules: Rules
    agent: Agent | None
    capacity: int
    now: int = 0
    openings: dict[date, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.minute(self.agency.clock.now)
        self.openings = self.open_minutes(self.rules.hours, self.zone)
        self.open = set[int]().union(*self.openings.values())
        if self.agent is not None and self.agent.availability is not None:
            self.worked = set[int]().union(*self.open_minutes(self.agent.availability, self.agent.time_zone).values())
        else:
            self.worked = set(range(-10_000, 20_000))

    def minute(self, instant: datetime) -> int:
        origin = datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC) - timedelta(days=3)
        return int((instant - origin).total_seconds()) // 60

    def open_minutes(self, hours: Hours, zone: str) -> dict[date, set[int]]:
        found: dict[date, set[int]] = {}
        for day in (self.day + timedelta(days=n) for n in range(-2, 3)):
            openings = ALL_DAY if hours.weekly is None else hours.weekly[day.isoweekday() - 1]
            for dates in hours.dates:
                if not (day < dates.first or day > dates.last):
                    openings = dates.open
            found[day] = {
                minute
                for opening in openings
                for minute in range(
                    minute_of(zone, self.day, day, opening.opens), minute_of(zone, self.day, day, opening.closes)
                )
            }
        return found

    def objections(self, start: int, minutes: int) -> list[tuple[str, str]]:
        visit = set(range(start, start + minutes))
        wrong = []
        if not visit <= self.open:
            wrong.append(("closed", "property"))
        elif not any(self.on_grid(start, openings) for openings in self.openings.values()):
            wrong.append(("step", "property"))
        if start - self.now < self.rules.notice_minutes:
            wrong.append(("notice", "property"))
        clock = wall_clock(self.zone, self.day)
        if (
            self.rules.horizon_days is not None
            and (clock[start][0] - clock[self.now][0]).days > self.rules.horizon_days
        ):
            wrong.append(("horizon", "property"))
        if not visit <= self.worked:
            wrong.append(("closed", "agent"))
        return wrong

    def on_grid(self, start: int, openings: set[int]) -> bool:
        if start not in openings:
            return False
        opens = start
        while opens - 1 in openings:
            opens -= 1
        return (start - opens) % self.rules.step_minutes == 0

    def taken(self, start: int, minutes: int) -> set[str]:
        found = set()
        for quarter in touched(start, minutes + self.rules.gap_minutes):
            holders = [v for v in self.holding() if v.property_id == "house" and quarter in self.held(v, v.gap_minutes)]
            if len(holders) >= self.capacity:
                found.add("property")
        if self.agent is not None:
            for quarter in touched(start, minutes + self.agent.travel_minutes):
                for v in self.holding():
                    elsewhere = v.agent_id == self.agent.id and v.property_id != "house"
                    if elsewhere and quarter in self.held(v, v.travel_minutes):
                        found.add("agent")
        return found

    def holding(self) -> Iterator[Visit]:
        return (v for v in self.agency.memory.visits.values() if v.status in (Status.REQUESTED, Status.CONFIRMED))

    def held(self, visit: Visit, beyond: int) -> set[int]:
        return touched(self.minute(visit.date), visit.duration_minutes + beyond)


ALL_DAY = (Opening(0, 1440),)


def touched(start: int, minutes: int) -> set[int]:
    """The quarters of an hour, by number."""
    return {minute // 15 for minute in range(start, start + minutes)}


# Random rules


def some_openings(rng: Random) -> tuple[Opening, ...]:
    """Overlapping and touching ones among them, also at odd minutes and to the end of the day."""
    found = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        opens = rng.choice((0, 60, 120, 150, 165, rng.randrange(0, 1425, 15), rng.randrange(0, 1439)))
        closes = rng.choice((1440, opens + 60, opens + 90, opens + 240, rng.randrange(opens + 1, 1441)))
        found.append(Opening(opens, min(closes, 1440)))
    if found and found[0].closes < 1440 and rng.random() < 0.3:
        found.append(Opening(found[0].closes, min(found[0].closes + 120, 1440)))
    return tuple(found)


def some_hours(rng: Random, day: date) -> Hours:
    weekly = None if rng.random() < 0.15 else tuple(some_openings(rng) for _ in WEEKDAYS)
    if rng.random() < 0.5:
        return Hours(weekly)
    first = day + timedelta(days=rng.randrange(-2, 2))
    last = first + timedelta(days=rng.choice((0, 0, 1, 200)))
    spans = [Dates(first, last, some_openings(rng))]
    if rng.random() < 0.5:
        spans.append(Dates(last + timedelta(days=1), last + timedelta(days=1), some_openings(rng)))
    rng.shuffle(spans)
    return Hours(weekly, tuple(spans))


def some_visits(rng: Random, around: datetime) -> list[Visit]:
    """As they may have been booked under any rules."""
    return [
        a_visit(
            property_id=rng.choice(("house", "house", "elsewhere")),
            agent_id=rng.choice((None, "ann", "bob")),
            date=around + timedelta(minutes=5 * rng.randrange(-300, 300)),
            duration_minutes=rng.choice((5, 15, 30, 60, 240)),
            gap_minutes=rng.choice((0, 0, 15, 20, 90)),
            travel_minutes=rng.choice((0, 0, 10, 45)),
            status=rng.choice((Status.CONFIRMED, Status.CONFIRMED, Status.REQUESTED, Status.CANCELLED)),
        )
        for _ in range(rng.randrange(7))
    ]


def some_agency(rng: Random) -> tuple[Judge, int]:
    """Rules, agents, visits and a present; and how long the visit is to be."""
    zone, day = rng.choice(DAYS_CASES)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rules = Rules(
        hours=some_hours(rng, day),
        step_minutes=rng.choice((15, 15, 30, 45, 60, 90)),
        notice_minutes=rng.choice((0, 0, 60, 95, 24 * 60)),
        horizon_days=rng.choice((None, None, 0, 1, 2)),
        gap_minutes=rng.choice((0, 0, 10, 15, 45, 90)),
    )
    agent = None
    if rng.random() < 0.6:
        hours = some_hours(rng, day) if rng.random() < 0.7 else None
        # Near enough for its day of the change to be the same minutes of UTC.
        own_zone = rng.choice((zone, "Europe/Berlin", "Asia/Kathmandu"))
        agent = an_agent("ann", time_zone=own_zone, availability=hours, travel_minutes=rng.choice((0, 15, 20, 60)))
    capacity = rng.randrange(1, 6) if rng.random() < 0.5 else 1
    agency = Agency()
    agency.clock.now = midnight + timedelta(minutes=rng.randrange(-1440, 600))
    agency.memory.properties["house"] = a_property("house", time_zone=zone, capacity=capacity)
    agency.memory.properties["elsewhere"] = a_property("elsewhere", time_zone=zone)
    made = agency.clock.now
    agency.memory.availability["house"] = Availability("house", rules, 1, made, made)
    if agent is not None:
        agency.memory.agents["ann"] = agent
        agency.memory.agents["bob"] = replace(agent, id="bob", availability=None)
    for visit in some_visits(rng, midnight + timedelta(hours=3)):
        agency.memory.visits[visit.id] = visit
    return Judge(agency, zone, day, rules, agent, capacity), rng.choice((5, 15, 30, 30, 50, 60, 120, 240))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_offered_is_what_can_be_booked_and_nothing_else(batch: int) -> None:
    rng = Random(f"offers {batch}")
    for _ in range(RULE_SETS // BATCHES):
        judge, minutes = some_agency(rng)
        agency, agent_id = judge.agency, judge.agent.id if judge.agent else None
        start = datetime(judge.day.year, judge.day.month, judge.day.day, tzinfo=UTC) - timedelta(hours=9)
        start, end = max(start, agency.clock.now), start + timedelta(hours=30)
        if start >= end:
            continue
        found = agency.availability.slots("house", start, end, minutes, agent_id)
        offered = {slot.start for slot in found.slots}
        assert len(offered) == len(found.slots)
        assert [slot.start for slot in found.slots] == sorted(offered)
        first = start.replace(minute=start.minute - start.minute % 15) + timedelta(minutes=15)
        quarters = {first + timedelta(minutes=15 * n) for n in range(4 * 30) if first + timedelta(minutes=15 * n) < end}
        for wanted in sorted(offered | quarters):
            told = outcome(agency, wanted, minutes, agent_id)
            minute = judge.minute(wanted)
            objections = judge.objections(minute, minutes)
            expected: object = objections
            if not objections:
                expected = sorted(judge.taken(minute, minutes)) or "booked"
            assert told == expected, (wanted, judge.zone, judge.rules, judge.agent)
            assert (wanted in offered) == (told == "booked"), (wanted, judge.zone, judge.rules, judge.agent)
        assert (found.reason is None) == bool(offered)


def outcome(agency: Agency, start: datetime, minutes: int, agent_id: str | None) -> object:
    """What comes of booking it; nothing stays."""
    try:
        visit = agency.booking.book(booking(date=start, duration_minutes=minutes, agent_id=agent_id)).result
    except OutsideHours as outside:
        return [(str(objection.reason), objection.holder) for objection in outside.objections]
    except SlotTaken as taken:
        return sorted({interval.holder for interval in taken.intervals})
    del agency.memory.visits[visit.id]
    return "booked"


def test_any_agent_is_each_of_the_agents() -> None:
    rng = Random("any agent")
    some = 0
    while some < 30:
        judge, minutes = some_agency(rng)
        if judge.agent is None:
            continue
        offers, now = judge.agency.availability, judge.agency.clock.now
        end = now + timedelta(days=2)
        each = {
            id: {slot.start for slot in offers.slots("house", now, end, minutes, id).slots} for id in ("ann", "bob")
        }
        anyone = offers.slots("house", now, end, minutes, "any").slots
        assert {slot.start for slot in anyone} == each["ann"] | each["bob"]
        for slot in anyone:
            assert set(slot.agents) == {id for id, starts in each.items() if slot.start in starts}
        some += bool(anyone)


@pytest.mark.parametrize(
    ("rules", "busy", "allowed", "reason"),
    [
        (Rules(Hours(((),) * 7)), False, True, "closed"),
        (Rules(Hours((ALL_DAY,) * 7)), False, False, "closed"),
        (Rules(notice_minutes=3 * 1440), False, True, "notice"),
        (Rules(horizon_days=0), False, True, "horizon"),
        (Rules(), True, True, "taken"),
        (Rules(), False, True, None),
    ],
)
def test_where_nothing_is_offered_the_reason_is_told(
    rules: Rules, busy: bool, allowed: bool, reason: str | None
) -> None:
    agency = Agency()
    agency.memory.properties["house"] = a_property("house", visits_allowed=allowed)
    agency.memory.availability["house"] = Availability("house", rules, 1, agency.clock.now, agency.clock.now)
    start = utc("2027-03-12T09:00:00Z")
    if busy:
        visit = a_visit(date=start, duration_minutes=120)
        agency.memory.visits[visit.id] = visit
    found = agency.availability.slots("house", start, start + timedelta(hours=2), 30, None)
    assert found.reason == reason
    assert bool(found.slots) == (reason is None)
