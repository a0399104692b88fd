"""What the cell of a field says, each field by its own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import time
from typing import TYPE_CHECKING, Final

from chalicelib.domain import spellings
from chalicelib.domain.sheets import Field, Issue, IssueKind, Settings
from chalicelib.reading import moments, times
from chalicelib.reading.grids import LONGEST_FACT, Written
from chalicelib.reading.parsed import ABSENT, Parsed, refused
from chalicelib.reading.people import NONE_GIVEN, lost_zero, parse_email, parse_phone
from chalicelib.reading.statuses import parse_status
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.reading.moments import Calendar
    from chalicelib.reading.properties import Properties

_LONGEST: Final[Mapping[Field, int]] = {
    Field.NAME: 200,
    Field.PLACE: 500,
    Field.NOTES: 2000,
    Field.EXTERNAL_ID: 128,
    Field.AGENT: spellings.LONGEST_AGENT_ID,
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class FieldReader(Record):
    """Reads cells, each by the rules of its field."""

    settings: Settings
    properties: Properties
    calendar: Calendar
    country: str | None
    by_id: frozenset[int]
    recognised: bool

    def when(self, cell: Written) -> moments.When:
        if cell.issues:
            return moments.When(Parsed(None, cell.issues))
        if cell.text in NONE_GIVEN:
            return moments.When(ABSENT)
        if len(cell.text) > LONGEST_FACT:
            return moments.When(_too_long())
        return self.calendar.when(cell)

    def until(self, end: Written, beginning: str | None) -> Parsed:
        """How long it is from the beginning, on the same day, to what the cell says."""
        if len(end.text) > LONGEST_FACT:
            return _too_long()
        if end.issues or not end.text or end.text in _DASHES:
            return Parsed(None, end.issues)
        clock = moments.time_of(end)
        if clock.value is None:
            clock = self.calendar.when(end).time or clock
        if clock.value is None or beginning is None:
            return refused(IssueKind.UNREADABLE)
        first, last = (time.fromisoformat(text).replace(tzinfo=None) for text in (beginning, clock.value))
        minutes = (last.hour - first.hour) * 60 + last.minute - first.minute
        if minutes <= 0:
            return refused(IssueKind.OUT_OF_RANGE)
        found = times.minutes_of(minutes * 60)
        return Parsed(found.value, (*clock.issues, *found.issues))

    def parse(self, field: Field, cell: Written, column: int | None) -> Parsed:
        if cell.issues:
            return Parsed(None, cell.issues)
        if not cell.text or cell.text in _DASHES:
            return Parsed(self.settings.property_id) if field is Field.PROPERTY else ABSENT
        if field not in _LONGEST and len(cell.text) > LONGEST_FACT:
            return _too_long()
        if field is Field.PROPERTY:
            return (self.properties.by_id if column in self.by_id else self.properties.find)(spellings.tidy(cell.text))
        if field is Field.PHONE:
            return self._phone(cell)
        if field is Field.EMAIL:
            # Who reads letters may take a small one for a capital; to mail it is all one.
            return parse_email(cell.text.casefold() if self.recognised else cell.text)
        if field in _BY_CELL:
            return _BY_CELL[field](cell)
        return _text(field, cell.text)

    def _phone(self, cell: Written) -> Parsed:
        parsed = parse_phone(cell.text, self.country, sure=not self.recognised)
        number = isinstance(cell.typed, int | float)
        if number and not cell.text.startswith("0") and lost_zero(cell.text, self.country):
            return Parsed(f"0{cell.text}", (*parsed.issues, Issue(IssueKind.ZERO_LOST)))
        return parsed


_DASHES: Final = frozenset({"-", "--", "---", "–", "—"})
_BY_CELL: Final[Mapping[Field, Callable[[Written], Parsed]]] = {
    Field.TIME: moments.time_of,
    Field.DURATION: moments.duration_of,
    Field.STATUS: lambda cell: parse_status(cell.text),
}


def _too_long() -> Parsed:
    return refused(IssueKind.TOO_LONG, str(LONGEST_FACT))


def _text(field: Field, text: str) -> Parsed:
    plain = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = plain.strip() if field is Field.NOTES else spellings.tidy(" ".join(plain.split()))
    if len(plain) > _LONGEST[field]:
        return refused(IssueKind.TOO_LONG, str(_LONGEST[field]))
    return Parsed(plain) if plain else refused(IssueKind.UNREADABLE)
