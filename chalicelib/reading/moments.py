"""Cells that say when: a date, a time, or both, as text or as a spreadsheet keeps them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from chalicelib.domain import spellings
from chalicelib.domain.sheets import Cell, Issue, IssueKind, instant, on_the_clock
from chalicelib.reading import dates, times
from chalicelib.reading.parsed import Parsed, refused, understood
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.reading.dates import ColumnOrder, Day
    from chalicelib.reading.grids import Typed, Written

_FIRST_DAY: Final = {False: datetime(1899, 12, 30, tzinfo=UTC), True: datetime(1904, 1, 1, tzinfo=UTC)}
_SERIALS: Final = range(20_000, 90_000)
"""The days of 1954 to 2146, as a spreadsheet counts them."""


class When(Record):
    """What the cell of a date says; the time is None where it says nothing of it."""

    date: Parsed
    time: Parsed | None = None
    time_text: str = ""


class Calendar(Record):
    """What a date is read against: the day of reading, the column's order, the sheet's zone."""

    today: date
    column: ColumnOrder
    zone: ZoneInfo
    far: timedelta
    """From where on a date is more likely a mistake."""
    since_1904: bool = False

    def when(self, cell: Written) -> When:
        """What the cell of a date says."""
        moment = _moment(cell.typed, self.since_1904)
        if isinstance(moment, datetime):
            clock = moment.time()
            text = clock.isoformat("seconds" if clock.second else "minutes")
            return When(self._near(understood(moment.date().isoformat())), understood(text), text)
        if moment is not None:
            return When(self._near(understood(moment.isoformat())))
        found = dates.split(cell.text) or _time_first(cell.text)
        if found is None:
            return When(refused(IssueKind.UNREADABLE))
        day, rest = found
        parsed = self._near(dates.parse(day, self.column, self.today))
        return self._with_time(parsed, rest.strip(" ,|-")) if rest else When(parsed)

    def _with_time(self, day: Parsed, rest: str) -> When:
        offset = times.split_offset(rest)
        rest = rest.removeprefix("t")
        clock = times.parse_time(offset[0] if offset else rest)
        if clock.value is None or day.value is None or offset is None:
            return When(day, clock, rest)
        instant = datetime.fromisoformat(f"{day.value}T{clock.value}{offset[1]}")
        try:
            local = instant.astimezone(self.zone)
        except OverflowError:
            return When(refused(IssueKind.NO_SUCH_DATE))
        said = local.time().isoformat("seconds" if local.second else "minutes")
        doubled = on_the_clock(local.date(), local.time(), self.zone) is not None
        # With its offset, a time that the clocks have twice is one of the two. Written so, 7:20 is no evening either.
        issues = tuple(issue for issue in clock.issues if issue.kind is not IssueKind.MORNING_OR_EVENING)
        value = said + (f"{local:%z}"[:3] + ":" + f"{local:%z}"[3:5] if doubled else "")
        return When(Parsed(local.date().isoformat(), day.issues), Parsed(value, issues), rest)

    def _near(self, day: Parsed) -> Parsed:
        if day.value and abs(date.fromisoformat(day.value) - self.today) > self.far:
            return Parsed(day.value, (*day.issues, Issue(IssueKind.FAR_AWAY)))
        return day


def _time_first(text: str) -> tuple[Day, str] | None:
    """10:30 12/03/2026, 16h le 3 mars: the day, and the time in front of it."""
    words = text.split()
    for count in range(1, min(len(words), 4)):
        found = dates.split(" ".join(words[count:]))
        if found and not found[1] and times.parse_time(clock := " ".join(words[:count])).value:
            return found[0], clock
    return None


def day_of(cell: Written) -> Day | None:
    """The day as far as its text alone says it: evidence for the column's order."""
    found = dates.split(cell.text) if isinstance(cell.typed, str | None) else None
    return found[0] if found else None


def _moment(typed: Typed, since_1904: bool) -> date | datetime | None:
    """Excel counts in fractions of a day: what was 10:30:00 may come as 10:29:59.999995."""
    if isinstance(typed, int | float) and not isinstance(typed, bool) and int(typed) in _SERIALS:
        exact = _FIRST_DAY[since_1904] + timedelta(days=typed)
        rounded = (exact + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=None)
        return rounded if rounded.time() != time() else rounded.date()
    if isinstance(typed, datetime):
        return (typed + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=None)
    return typed if isinstance(typed, date) else None


def time_of(cell: Written) -> Parsed:
    """What the cell of a time says."""
    typed = cell.typed
    if isinstance(typed, datetime):
        typed = typed.time()
    if isinstance(typed, timedelta):
        typed = typed / timedelta(days=1)
    if isinstance(typed, float) and 0 <= typed < 1:
        typed = (_FIRST_DAY[False] + timedelta(days=typed)).time()
    if isinstance(typed, time):
        whole = (datetime.combine(date.min, typed) + timedelta(milliseconds=500)).time().replace(microsecond=0)
        return understood(whole.isoformat("seconds" if whole.second else "minutes"))

    return times.parse_time(spellings.tidy(cell.text))


def duration_of(cell: Written) -> Parsed:
    """What the cell of a duration says, in minutes."""
    typed = cell.typed
    if isinstance(typed, timedelta):
        return times.minutes_of(typed.total_seconds())
    if isinstance(typed, time):
        return times.minutes_of(typed.hour * 3600 + typed.minute * 60 + typed.second)
    if isinstance(typed, float) and 0 < typed < 1:
        return times.minutes_of(typed * 86_400)
    return times.parse_duration(spellings.tidy(cell.text))


def elsewhere(day: Cell, clock: Cell, zone: ZoneInfo, other: str | None) -> Cell:
    """The time, marked if clocks in the other zone show another one then, and nobody wrote which is meant."""
    exact = times.split_offset(clock.text) is not None
    if other is None or exact or day.value is None or clock.value is None:
        return clock
    meant = instant(date.fromisoformat(day.value), time.fromisoformat(clock.value), zone)
    there = meant.astimezone(ZoneInfo(other))
    if there.utcoffset() == meant.astimezone(zone).utcoffset():
        return clock
    return clock.marked(Issue(IssueKind.OTHER_ZONE, f"{there:%H:%M} {other}"))


def on_clock(day: Parsed, clock: Parsed, zone: ZoneInfo) -> Parsed:
    """The time, marked if the zone's clocks skip it on that day or have it twice."""
    if day.value is None or clock.value is None:
        return clock
    kind = on_the_clock(date.fromisoformat(day.value), time.fromisoformat(clock.value), zone)
    return Parsed(clock.value, (*clock.issues, Issue(kind))) if kind else clock


_DITTO: Final = re.compile(r"""["'”“″〃»]{1,2}|-\s*["”]\s*-|id\.|idem|ditto|do\.|dto\.?|dito|s\.\s?o\.|igual""", re.I)


def is_ditto(text: str) -> bool:
    return _DITTO.fullmatch(text.strip()) is not None
