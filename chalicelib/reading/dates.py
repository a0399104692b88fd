"""Dates as people write them in English, Spanish, German and French, with a time behind them or without one.

Which of 3/12 and 12/3 is the month is the column's to say: its other dates, a weekday beside the date, or a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Final

from chalicelib.domain.sheets import IssueKind, Order
from chalicelib.reading.grids import LONGEST_FACT, folded
from chalicelib.reading.parsed import DIGITS_MISREAD, Parsed, likest, refused, understood
from chalicelib.record import Record

FAR: Final = timedelta(days=400)
_MONTHS_FIRST: Final = frozenset({"US", "PH", "FM", "MH", "PW", "AS", "GU", "MP", "PR", "VI", "UM"})
"""Where people write 12/3 for 3 December. Canada does both."""


def _words(*lines: str) -> Mapping[str, int]:
    return {word: number for number, line in enumerate(lines, 1) for word in line.split()}


MONTHS: Final = _words(
    "ene enero jan january januar janner janvier janv i",
    "feb febrero february februar feber fevrier fev fevr ii",
    "mar marzo march marz maerz mrz mars iii",
    "abr abril apr april avril avr iv",
    "may mayo mai v",
    "jun junio june juni juin vi",
    "jul julio july juli juillet juil vii",
    "ago agosto aug august aout viii",
    "sep sept septiembre setiembre set september septembre ix",
    "oct octubre october okt oktober octobre x",
    "nov noviembre november novembre xi",
    "dic diciembre dec december dez dezember decembre xii",
)
WEEKDAYS: Final = _words(
    "lunes lun monday mon montag mo lundi",
    "martes mar tuesday tues tue dienstag di mardi",
    "miercoles mie mier wednesday wed weds mittwoch mi mercredi mer",
    "jueves jue thursday thurs thur thu donnerstag do jeudi jeu",
    "viernes vie friday fri freitag fr vendredi ven",
    "sabado sab saturday sat samstag sonnabend sa samedi sam",
    "domingo dom sunday sun sonntag so dimanche dim",
)

_TIME_FOLLOWS: Final = r"(?!\d|\s*(?::|h(?![a-z])|uhr|[ap]\.?\s?m\b)|[.,]\d)"
_YEAR: Final = rf"'?(?P<y>\d{{4}}|\d{{2}}){_TIME_FOLLOWS}"
_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        r"(?P<y>\d{4})\s?([-/.])\s?(?P<m>\d{1,2})\s?\2\s?(?P<d>\d{1,2})(?!\d)",
        r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?!\d)",
        rf"(?P<a>\d{{1,2}})\s?(?P<sep>[-/.|])\s?(?P<b>\d{{1,2}})(?!\d)(?:\s?(?P=sep)\s?{_YEAR})?\.?",
        rf"(?P<a>\d{{1,2}})(?P<sep> )(?P<b>\d{{1,2}}) (?P<y>\d{{4}}){_TIME_FOLLOWS}",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.|o)?\s?(?:de |of |[-/.])?\s?(?P<word>[a-z]{{1,10}})(?![a-z])\.?"
        rf"(?:\s?(?:,|del? |[-/.])?\s?{_YEAR})?",
        rf"(?P<word>[a-z]{{3,10}})\.?\s?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:\s?,?\s?{_YEAR})?",
    )
)
_LEADING: Final = re.compile(
    r"(?:(?:on|el|le|am|den|der)\s+)?(?P<weekday>[a-z]{2,10})\b\.?\s*,?\s*(?:(?:den|the|el|le)\s+)?"
)
_ARTICLE: Final = re.compile(r"(?:on|el|le|am|den|der|the|du)\s+(?=\d)")


class Day(Record):
    """A day as written. The year may be missing; `other` is the day that it is in the other order, if that exists."""

    year: int | None
    month: int
    day: int
    ordered: bool = False
    """Whether the order of day and month was open. Dots and words leave nothing open."""
    weekday: int | None = None
    corrected: bool = False

    @property
    def turned(self) -> Day:
        return Day(self.year, self.day, self.month, self.ordered, self.weekday, self.corrected)

    @property
    def possible(self) -> bool:
        """In a leap year, if there is no year."""
        return _date(self.year or 2024, self.month, self.day) is not None

    def falls_on_its_weekday(self, today: date) -> bool:
        found = self.nearest(today)
        return self.weekday is not None and found is not None and found.isoweekday() == self.weekday

    def nearest(self, today: date) -> date | None:
        """The date; without a year, the nearest to today, and on its weekday if it names one."""
        if self.year is not None:
            return _date(self.year, self.month, self.day)
        found = [_date(year, self.month, self.day) for year in range(today.year - 1, today.year + 2)]
        dates = [each for each in found if each is not None]
        on_weekday = [each for each in dates if each.isoweekday() == self.weekday]
        return min(on_weekday or dates, key=lambda each: abs(each - today), default=None)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def split(text: str) -> tuple[Day, str] | None:
    """The day that a text begins with, and what comes behind it; a numeric day is taken day first."""
    if len(text) > LONGEST_FACT:
        return None
    plain = re.sub(r"\s+", " ", folded(text).replace("’", "'")).strip(" ,;")
    weekday, rest = _weekday(_ARTICLE.sub("", plain, count=1))
    for candidate, corrected in ((rest, False), (_digits_mended(text), True)):
        for form in _FORMS:
            if (found := form.match(candidate)) and (day := _day(found, weekday, corrected)):
                return day, candidate[found.end() :].strip(" ,")
    return None


def _weekday(plain: str) -> tuple[int | None, str]:
    found = _LEADING.match(plain)
    if found and (number := WEEKDAYS.get(found["weekday"])):
        # "mar" is martes, mardi and March: a number without another month behind it makes it the month.
        rest = plain[found.end() :]
        if found["weekday"] not in MONTHS or not re.fullmatch(r"\d{1,2}(?:\s?,?\s?\d{4})?", rest):
            return number, rest
    return None, plain


def _digits_mended(text: str) -> str:
    """With digits for the letters that look like them, in what has no words."""
    tight = text.strip(" ,;")
    return tight.translate(DIGITS_MISREAD) if re.fullmatch(r"[\dOoCDQlI|i!LZzSsB/.\- ]+", tight) else ""


def _day(found: re.Match[str], weekday: int | None, corrected: bool) -> Day | None:
    parts = found.groupdict()
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0) if parts.get("y") else None
    if "word" in parts:
        month, guessed = _month(parts["word"])
        # A single letter is a month only where it stands between dots: 12.V.2026.
        if month is None or (len(parts["word"]) == 1 and not re.search(r"[./-]\s?[ivx]\b", found[0])):
            return None
        return Day(year, month, int(parts["d"]), False, weekday, corrected or guessed)
    if "m" in parts:
        return Day(year, int(parts["m"]), int(parts["d"]), False, weekday, corrected)
    return Day(year, int(parts["b"]), int(parts["a"]), parts["sep"] != ".", weekday, corrected)


def _month(word: str) -> tuple[int | None, bool]:
    if word in MONTHS:
        return MONTHS[word], False
    like = likest(word, [name for name in MONTHS if len(name) > 3], 0.8) if len(word) > 3 else None
    return (MONTHS[like], True) if like else (None, False)


def evidence(days: Iterable[Day], today: date) -> Iterator[Order]:
    """What the days of a column say of its order, each that leaves no choice."""
    for day in days:
        if day.ordered and day.day != day.month:
            first, second = day, day.turned
            if first.possible != second.possible:
                yield Order.DAY_FIRST if first.possible else Order.MONTH_FIRST
            elif day.year and first.falls_on_its_weekday(today) != second.falls_on_its_weekday(today):
                yield Order.DAY_FIRST if first.falls_on_its_weekday(today) else Order.MONTH_FIRST


class ColumnOrder(Record):
    """The order of a column, and whether anybody or anything says so. None: its days contradict each other."""

    order: Order | None
    assumed: bool

    @classmethod
    def of(cls, days: Iterable[Day], told: Order | None, country: str | None, today: date) -> ColumnOrder:
        if told is not None:
            return cls(told, False)
        found = set(evidence(days, today))
        if len(found) == 1:
            return cls(found.pop(), False)
        if found:
            return cls(None, False)
        return cls(Order.MONTH_FIRST if country in _MONTHS_FIRST else Order.DAY_FIRST, True)


def parse(day: Day, column: ColumnOrder, today: date) -> Parsed:
    """The date in ISO 8601, or why there is none."""
    kinds = [IssueKind.CORRECTED] if day.corrected else []
    if day.ordered and day.day != day.month:
        alone = next(evidence([day], today), None)
        order = alone or column.order
        if order is None:
            return refused(IssueKind.AMBIGUOUS)
        if alone is None and column.assumed:
            kinds.append(IssueKind.ORDER_ASSUMED)
        day = day if order is Order.DAY_FIRST else day.turned
    found = day.nearest(today)
    if found is None:
        return refused(IssueKind.NO_SUCH_DATE)
    if day.year is None:
        kinds.append(IssueKind.YEAR_ASSUMED)
    if day.weekday is not None and found.isoweekday() != day.weekday:
        kinds.append(IssueKind.OTHER_WEEKDAY)
    return understood(found.isoformat(), *kinds)
