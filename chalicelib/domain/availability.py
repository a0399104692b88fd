"""When a property may be visited: its rules, the time they leave open, and which starts they offer.

Local times become instants once, by the rule of RFC 5545 and Temporal: of a time that occurs twice the first, and one
that is skipped by the offset before the gap. From there on everything is arithmetic in UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.record import Record

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `date.weekday()`."""

DAY_MINUTES: Final = 24 * 60
DAY: Final = timedelta(days=1)
SECOND: Final = timedelta(seconds=1)

Span = tuple[datetime, datetime]
"""From one instant up to, but not including, another; both in UTC."""


class Closed(StrEnum):
    """Why a start is not offered, in the order in which it is told."""

    CLOSED = "closed"
    STEP = "step"
    NOTICE = "notice"
    HORIZON = "horizon"
    TAKEN = "taken"


class Opening(Record):
    """From one local time to another of the same day, in minutes after midnight: 24:00 is 1440."""

    opens: int
    closes: int


ALL_DAY: Final = (Opening(0, DAY_MINUTES),)


class Dates(Record):
    """From the first to the last of these local dates these openings stand in for the weekly ones: none is closed."""

    first: date
    last: date
    open: tuple[Opening, ...] = ()


class Hours(Record):
    """The hours of a property, or those that an agent works: by weekday, from Monday on, but for some dates.

    Without weekly openings every day is open all day. Raises InvalidInput when two entries are for the same date.
    """

    weekly: tuple[tuple[Opening, ...], ...] | None = None
    dates: tuple[Dates, ...] = ()

    def __post_init__(self) -> None:
        wrong = [
            FieldError(f"#/dates/{n}/to", "must not be earlier than 'from'")
            for n, dates in enumerate(self.dates)
            if dates.last < dates.first
        ]
        if not wrong:
            in_order = sorted(enumerate(self.dates), key=lambda entry: entry[1].first)
            wrong = [
                FieldError(f"#/dates/{n}", f"has a date of entry {m} too: put all openings of a date into one entry")
                for (m, before), (n, after) in pairwise(in_order)
                if after.first <= before.last
            ]
        if wrong:
            raise InvalidInput(wrong)

    def on(self, day: date) -> tuple[Opening, ...]:
        """What was said of this local date, neither in order nor joined."""
        for dates in self.dates:
            if dates.first <= day <= dates.last:
                return dates.open
        return ALL_DAY if self.weekly is None else self.weekly[day.weekday()]

    def days(self, zone: ZoneInfo, first: date, last: date) -> list[Span]:
        """The open time of each local date, joined within that date alone: starts step from where one of these opens.

        An opening that lies in a skipped hour may be empty, and then is none.
        """
        day = first
        found: list[Span] = []
        while day <= last:
            spans = ((_instant(day, o.opens, zone), _instant(day, o.closes, zone)) for o in self.on(day))
            found += joined(span for span in spans if span[0] < span[1])
            day += DAY
        return found

    def between(self, zone: ZoneInfo, start: datetime, end: datetime) -> list[Span]:
        """As `days`, of all dates that may have to do with the time between two instants."""
        return self.days(zone, start.astimezone(zone).date() - DAY, end.astimezone(zone).date() + DAY)


class Rules(Record):
    """When and how a property may be visited: its hours, and where in them a visit may start."""

    hours: Hours = Hours()
    step_minutes: int = 15
    """Starts step by so much from the opening."""
    notice_minutes: int = 0
    """So much time must lie between now and the start."""
    horizon_days: int | None = None
    """The start lies on today's local date, or at most so many dates later."""
    gap_minutes: int = 0
    """Held after each visit, for nobody."""

    def notice_ends(self, now: datetime) -> datetime:
        """From when on a visit may start."""
        return now + timedelta(minutes=self.notice_minutes)

    def last_date(self, now: datetime, zone: ZoneInfo) -> date:
        """The last local date on which a visit may start."""
        return date.max if self.horizon_days is None else now.astimezone(zone).date() + self.horizon_days * DAY

    def against(self, start: datetime, minutes: int, now: datetime, zone: ZoneInfo) -> list[Closed]:
        """What speaks against a visit at that time, the most telling first."""
        end = start + timedelta(minutes=minutes)
        days = self.hours.between(zone, start, end)
        if not inside(joined(days), start, end):
            reasons = [Closed.CLOSED]
        else:
            reasons = [] if start in starts(days, self.step_minutes, start, start + SECOND) else [Closed.STEP]
        if start < self.notice_ends(now):
            reasons.append(Closed.NOTICE)
        if start.astimezone(zone).date() > self.last_date(now, zone):
            reasons.append(Closed.HORIZON)
        return reasons

    def fitting(self, zone: ZoneInfo, start: datetime, end: datetime, minutes: int) -> list[datetime]:
        """Every start from `start` up to `end` at which a visit of so many minutes lies inside the hours."""
        days = self.hours.between(zone, start, end + timedelta(minutes=minutes))
        return fitting(joined(days), starts(days, self.step_minutes, start, end), minutes)


ALWAYS: Final = Rules()
"""What counts where nobody has set any rules."""


class Availability(Record):
    """The rules of a property as they stand. `version` grows by one with every change."""

    property_id: str
    rules: Rules
    version: int
    created_at: datetime
    updated_at: datetime


def joined(spans: Iterable[Span]) -> list[Span]:
    """In order, those that overlap or touch made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def inside(spans: Sequence[Span], start: datetime, end: datetime) -> bool:
    """Whether all the time between lies in one of these spans, which are in order and joined."""
    before = bisect_right(spans, start, key=lambda span: span[0]) - 1
    return before >= 0 and end <= spans[before][1]


def fitting(spans: Iterable[Span], starts: Iterable[datetime], minutes: int) -> list[datetime]:
    """Those of the starts, all in order, at which so many minutes lie in one of the spans."""
    length = timedelta(minutes=minutes)
    found: list[datetime] = []
    remaining = iter(spans)
    span = next(remaining, None)
    for start in starts:
        while span is not None and span[1] <= start:
            span = next(remaining, None)
        if span is None:
            break
        if span[0] <= start and start + length <= span[1]:
            found.append(start)
    return found


def starts(days: Iterable[Span], step_minutes: int, start: datetime, end: datetime) -> list[datetime]:
    """The starts in these open times, each stepping from its own opening, from `start` up to `end`; in order."""
    step = timedelta(minutes=step_minutes)
    found: list[datetime] = []
    in_order = True
    for opens, closes in days:
        first = opens if opens >= start else opens + -((opens - start) // step) * step
        steps = range(-((first - min(closes, end)) // step))
        in_order = in_order and (not found or not steps or found[-1] < first)
        found += [first + n * step for n in steps]
    # The clocks can put what opens on one date into what opened on the date before.
    return found if in_order else sorted(set(found))


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant of a local time: of two the first, and a skipped one by the offset before the gap."""
    if minutes == DAY_MINUTES:
        day, minutes = day + DAY, 0
    return datetime.combine(day, time(minutes // 60, minutes % 60), zone).astimezone(UTC)
