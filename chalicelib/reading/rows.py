"""The one reader of rows: grids in, visits to look at out, whatever the grids came from.

Nothing here fails: what cannot be understood is a cell without a value, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import zip_longest
from typing import Final

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.properties import HORIZON
from chalicelib.domain.sheets import (
    MOST_ROWS,
    OUR_COLUMNS,
    REQUIRED,
    CannotRead,
    Cell,
    Column,
    Failure,
    Field,
    Issue,
    IssueKind,
    Known,
    Order,
    Reading,
    Remark,
    RemarkKind,
    Settings,
    SheetRow,
)
from chalicelib.reading import dates, guessing, moments
from chalicelib.reading.countries import country_of
from chalicelib.reading.dates import ColumnOrder
from chalicelib.reading.fields import FieldReader
from chalicelib.reading.grids import BLANK, LONGEST_FACT, Grid, Line, Source, Written, joined, too_many_rows
from chalicelib.reading.headers import Header, find_header
from chalicelib.reading.moments import Calendar
from chalicelib.reading.parsed import ABSENT, Parsed, refused
from chalicelib.reading.properties import Properties
from chalicelib.reading.second_look import second_look
from chalicelib.record import Record

_LONGEST_TITLE: Final = 500
_LONGEST_TEXT: Final = 2000
_NOT_A_TABLE: Final = "no table of visits was found: the first row names the columns, such as property, date, time"


def read_rows(source: Source, settings: Settings, known: Known, today: date) -> Reading:
    """All rows of all tables that look like visits. Raises CannotRead when there are none, or too many."""
    properties = Properties(known)
    rows: list[SheetRow] = []
    remarks = [*source.remarks]
    columns: tuple[Column, ...] = ()
    order: Order | None = None
    before: Header | None = None
    number = 1
    grids = [*map(joined, source.grids)]
    # A workbook of ours has the visits as they were understood, and the table as it was written beside them.
    ours = [grid for grid in grids if _is_ours(grid)]
    remarks += [Remark(RemarkKind.TABLE_NOT_READ, grid.name) for grid in grids if ours and grid not in ours]
    for grid in ours or grids:
        header = find_header(grid, settings.columns) or _continued(grid, before) or _guessed(grid, settings, properties)
        if header is None:
            if any(not line.empty for line in grid.lines):
                remarks.append(Remark(RemarkKind.TABLE_NOT_READ, grid.name))
        else:
            reader = _TableReader(grid, header, source, settings, properties, today)
            rows += reader.rows(number)
            remarks += reader.remarks()
            columns, order = columns or header.columns, order or reader.order
            before = header
        number += len(grid.lines)
        if len(rows) > MOST_ROWS:
            raise too_many_rows()
    if not rows:
        raise CannotRead(Failure.NOT_A_TABLE, _NOT_A_TABLE)
    return Reading(tuple(rows), columns, order, tuple(remarks))


def _is_ours(grid: Grid) -> bool:
    return bool(grid.lines) and tuple(cell.text for cell in grid.lines[0].cells[-len(OUR_COLUMNS) :]) == OUR_COLUMNS


def _continued(grid: Grid, before: Header | None) -> Header | None:
    """The next page of a table has no header of its own."""
    return replace(before, line=-1) if before and len(before.columns) == grid.width and grid.lines else None


def _guessed(grid: Grid, settings: Settings, properties: Properties) -> Header | None:
    columns = guessing.columns(grid, settings, properties)
    return Header(-1, columns, frozenset(), guessed=True) if columns else None


class _Above(Record):
    """What ditto marks and blanks may stand for: the row above, and a line that is nothing but a day."""

    cells: Mapping[Field, Cell]
    day: Written | None = None


class _TableReader:
    """Reads the rows of one table."""

    def __init__(
        self, grid: Grid, header: Header, source: Source, settings: Settings, properties: Properties, today: date
    ) -> None:
        self._grid, self._header, self._settings, self._properties = grid, header, settings, properties
        self._recognised = source.recognised
        self._body = [line for line in grid.lines[header.line + 1 :] if not line.empty and not header.repeated_by(line)]
        above = [" ".join(cell.text for cell in line.filled) for line in grid.lines[: max(header.line, 0)]]
        self._title = " ".join(filter(None, [grid.title, *above]))[:_LONGEST_TITLE]
        self._country = country_of(settings.time_zone)
        days = [moments.day_of(self._written(line, Field.DATE)) for line in self._body]
        found = [day for day in days if day is not None]
        column = ColumnOrder.of(found, settings.order, self._country, today)
        self.order = column.order if any(day.ordered for day in found) else None
        far = dates.FAR if source.recognised else HORIZON
        self._fields = FieldReader(
            settings,
            properties,
            Calendar(today, column, settings.zone, far, grid.since_1904),
            self._country,
            header.by_id,
            source.recognised,
        )
        self._day_of_title = self._title_day()

    def remarks(self) -> Iterator[Remark]:
        if self._title:
            yield Remark(RemarkKind.TITLE, self._title)
        for column in self._header.columns:
            if column.heading and not column.fields and column.index in self._header.strange:
                yield Remark(RemarkKind.COLUMN_NOT_READ, column.heading)

    def rows(self, first: int) -> list[SheetRow]:
        """The rows, numbered from `first` for the grid's first line."""
        numbers = {id(line): first + index for index, line in enumerate(self._grid.lines)}
        rows: list[SheetRow] = []
        lines: list[Line] = []
        above = _Above({}, self._day_of_title)
        for line, following in zip_longest(self._body, self._body[1:]):
            if (day := self._section_day(line, following)) is not None:
                above = replace(above, day=day)
                continue
            cells = self._cells(line, above)
            above = replace(above, cells=cells)
            rows.append(SheetRow(numbers[id(line)], line.number, self._grid.name, cells, self._issues(line)))
            lines.append(line)
        for index in self._cut(lines, rows):
            rows[index] = replace(rows[index], issues=(*rows[index].issues, Issue(IssueKind.CUT)))
        return second_look(rows) if self._recognised else [replace(row, reviewed=row.clean) for row in rows]

    def _issues(self, line: Line) -> tuple[Issue, ...]:
        beyond = any(cell.text for cell in line.cells[len(self._header.columns) :])
        return (
            *line.issues,
            *([Issue(IssueKind.TOO_MANY_CELLS)] if beyond else []),
            *([Issue(IssueKind.NO_HEADER)] if self._header.guessed else []),
        )

    def _cut(self, lines: list[Line], rows: list[SheetRow]) -> set[int]:
        """Rows that a line break outside quotes has cut: short ones, of which the second does not begin a visit."""
        width = len(self._header.columns)
        return {
            index
            for second in range(1, len(lines))
            if not self._recognised
            and max(len(lines[second - 1].cells), len(lines[second].cells)) < width
            and rows[second].value(Field.DATE) is None
            for index in (second - 1, second)
        }

    def _title_day(self) -> Written | None:
        """The day that the title names, if it names one and the table has none."""
        if Field.DATE in self._header.fields:
            return None
        words = self._title.split()
        found = {}
        for start in range(len(words)):
            text = " ".join(words[start : start + 6])
            if (day := dates.split(text)) and day[0].year:
                found[day[0].year, day[0].month, day[0].day] = text[: len(text) - len(day[1])].strip()
        return Written(next(iter(found.values()))) if len(found) == 1 else None

    def _section_day(self, line: Line, following: Line | None) -> Written | None:
        """A line that says nothing but a day, for lines below it that say none."""
        if len(line.filled) != 1 or following is None or not self._written(following, Field.DATE).empty:
            return None
        (cell,) = line.filled
        found = dates.split(cell.text)
        return cell if found and not found[1] else None

    def _written(self, line: Line, field: Field) -> Written:
        """The cell of a field; of several columns for one, such as first name and surname, all that is filled."""
        cells = [
            line.cells[column.index]
            for column in self._header.columns
            if field in column.fields and column.index < len(line.cells)
        ]
        filled = [cell for cell in cells if not cell.empty]
        if len(filled) < 2:
            return filled[0] if filled else next(iter(cells), BLANK)
        sure = [cell.confidence for cell in filled if cell.confidence is not None]
        issues = tuple(issue for cell in filled for issue in cell.issues)
        text = " ".join(cell.text for cell in filled)
        return Written(text, None, min(sure, default=None), filled[0].place, issues)

    def _cells(self, line: Line, above: _Above) -> dict[Field, Cell]:
        there = [field for field in Field if field in self._header.fields or field in REQUIRED]
        written = _apart({field: self._written(line, field) for field in there}, self._header)
        cells = {field: self._cell(field, written[field], above) for field in there if field not in _MOMENT}
        cells |= self._moment(written, above)
        zone = self._properties.zone(cells[Field.PROPERTY].value)
        cells[Field.TIME] = moments.elsewhere(cells[Field.DATE], cells[Field.TIME], self._settings.zone, zone)
        if self._header.index_of(Field.DURATION) in self._header.ends:
            end = written[Field.DURATION]
            cells[Field.DURATION] = self._shown(Field.DURATION, end, self._fields.until(end, cells[Field.TIME].value))
        return {field: cells[field] for field in Field if field in cells}

    def _cell(self, field: Field, written: Written, above: _Above) -> Cell:
        if moments.is_ditto(written.text) and field is not Field.EXTERNAL_ID:
            return _ditto(written, above.cells.get(field))
        return self._shown(field, written, self._fields.parse(field, written, self._header.index_of(field)))

    def _moment(self, written: Mapping[Field, Written], above: _Above) -> dict[Field, Cell]:
        """Date and time: in a cell each, or both in one."""
        day, clock = written[Field.DATE], written[Field.TIME]
        day_cell, said = self._day(day, clock, above)
        if self._header.shared(Field.DATE, Field.TIME):
            clock = BLANK
        if moments.is_ditto(clock.text):
            return {Field.DATE: day_cell, Field.TIME: _ditto(clock, above.cells.get(Field.TIME))}
        if clock.empty and said.time is not None:
            clock, parsed = replace(day, text=said.time_text, issues=()), said.time
        else:
            parsed = self._fields.parse(Field.TIME, clock, None)
            if said.time is not None and said.time.value is None:
                day_cell = day_cell.marked(Issue(IssueKind.REMARK))
            elif said.time is not None and parsed.value not in (None, said.time.value):
                parsed = refused(IssueKind.AMBIGUOUS)
        parsed = moments.on_clock(Parsed(day_cell.value), parsed, self._settings.zone)
        return {Field.DATE: day_cell, Field.TIME: self._shown(Field.TIME, clock, parsed)}

    def _day(self, day: Written, clock: Written, above: _Above) -> tuple[Cell, moments.When]:
        """The cell of the date, and what it says of the time."""
        over = above.cells.get(Field.DATE)
        if moments.is_ditto(day.text):
            return _ditto(day, over), _SILENT
        if day.empty and above.day is not None:
            said = self._fields.when(above.day)
            return self._shown(Field.DATE, above.day, said.date).marked(Issue(IssueKind.FROM_TITLE)), said
        if day.empty and self._recognised and over is not None and over.value and not clock.empty:
            # On paper a day is written once, in front of its first visit.
            return _ditto(day, over), _SILENT
        said = self._fields.when(day)
        return self._shown(Field.DATE, day, said.date), said

    def _shown(self, field: Field, written: Written, parsed: Parsed) -> Cell:
        """A cell for a person: marked where the recognition was not sure, and where something has to be said."""
        issues = [*parsed.issues]
        unsure = written.confidence is not None and written.confidence < self._settings.sure
        if unsure and written.text:
            issues.append(Issue(IssueKind.UNSURE))
        if field in REQUIRED and parsed.value is None and not issues:
            issues.append(Issue(IssueKind.MISSING))
        return Cell(
            written.text[:_LONGEST_TEXT], parsed.value, tuple(issues), written.confidence, written.place, parsed.choices
        )


_MOMENT: Final = frozenset({Field.DATE, Field.TIME})
_SILENT: Final = moments.When(ABSENT)


def _ditto(written: Written, above: Cell | None) -> Cell:
    if above is None or above.value is None:
        return Cell(written.text, None, (Issue(IssueKind.NOTHING_ABOVE),), written.confidence, written.place)
    issues = (Issue(IssueKind.DITTO), *(issue for issue in above.issues if issue.kind is not IssueKind.UNSURE))
    return Cell(written.text, above.value, tuple(dict.fromkeys(issues)), written.confidence, written.place)


_PEOPLE: Final[Mapping[Field, re.Pattern[str]]] = {
    Field.EMAIL: re.compile(r"\S+@\S+"),
    Field.PHONE: re.compile(r"\(?\+?\d[\d ()/.-]{5,}\d"),
    Field.NAME: re.compile(r".+", re.S),
}


def _apart(written: Mapping[Field, Written], header: Header) -> dict[Field, Written]:
    """With what one column says of a person divided among the fields that it is for: 'Contact', 'Name and phone'."""
    found = dict(written)
    for column in header.columns:
        shared = [field for field in _PEOPLE if field in column.fields]
        if len(shared) < 2:
            continue
        left = written[shared[0]].text[:LONGEST_FACT]
        for field in shared:
            part = _PEOPLE[field].search(left)
            left = f"{left[: part.start()]} {left[part.end() :]}" if part else left
            text = part[0].strip(" ,;/|-\n") if part else ""
            # The brackets around what was taken out of a name.
            if field is Field.NAME and ("()" in text or text.count("(") != text.count(")")):
                text = text.strip(" ()")
            found[field] = replace(written[field], text=text)
        rest, last = left.strip(" ,;/|-()\n"), shared[-1]
        if rest and not found[last].text:
            # What is neither is not lost: it is a telephone number or a name that cannot be read.
            found[last] = replace(found[last], text=rest)
    return found


_EXACT_TIME: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?[+-](?:0\d|1[0-4]):[0-5]\d")
"""Which of the two that the clocks show, only a person knows: 02:30+02:00."""


def corrected(
    row: SheetRow, changes: Mapping[Field, str | None], settings: Settings, known: Known, today: date
) -> SheetRow:
    """The row as a person has looked at it: what they wrote is read like a cell that was typed.

    Raises InvalidInput for what cannot be understood even so.
    """
    column = ColumnOrder.of((), settings.order, country_of(settings.time_zone), today)
    calendar = Calendar(today, column, settings.zone, timedelta(days=365 * 100))
    # A correction names the property by its id, as the column of an export does: here, the only one.
    column_of_ids = 0
    by_id = frozenset({column_of_ids})
    properties = Properties(known)
    fields = FieldReader(settings, properties, calendar, country_of(settings.time_zone), by_id, False)
    cells = {**row.cells}
    wrong: list[FieldError] = []
    for field, text in changes.items():
        written = Written(text or "")
        if field is Field.TIME and _EXACT_TIME.fullmatch(written.text):
            parsed = Parsed(written.text)
        else:
            parsed = fields.when(written).date if field is Field.DATE else fields.parse(field, written, column_of_ids)
        if text and parsed.value is None:
            kinds = ", ".join(issue.kind for issue in parsed.issues)
            wrong.append(FieldError(f"#/{field}", f"cannot be read: {kinds}"))
        cells[field] = replace(row.cell(field), value=parsed.value, issues=(), choices=())
    if wrong:
        raise InvalidInput(wrong)
    if Field.PROPERTY in changes and Field.TIME not in changes and Field.TIME in cells:
        zone = properties.zone(cells[Field.PROPERTY].value)
        cells[Field.TIME] = moments.elsewhere(row.cell(Field.DATE), cells[Field.TIME], settings.zone, zone)
    return replace(row, cells={field: cells[field] for field in Field if field in cells}, issues=(), reviewed=True)
