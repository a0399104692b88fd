"""Visits as an Excel workbook (ECMA-376): one sheet of visits with real dates and texts, one of counts.

People print it as it is, programs read it: what only programs want is in columns that are folded away, and a status
stays the API's in its cell, which shows it in words.

Excel knows no time zones: times are the wall clock's at the property, a column names the zone, and the start is there
in UTC as well, since one local hour of every autumn comes twice.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from chalicelib.domain.visits import Status
from chalicelib.exports import words

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

    from chalicelib.domain.listing import Entry
    from chalicelib.domain.properties import PropertyDetails

Cell = str | int | datetime | None

DATE: Final = "yyyy-mm-dd hh:mm"
TIME: Final = "hh:mm"
TEXT: Final = "@"
NUMBER: Final = "0"
IN_WORDS: Final = ';;;"{}"'
"""Shows these words in the place of whatever text a cell has."""


class Column(NamedTuple):
    name: str
    width: int
    shown: str
    folded: bool = False
    """Away from the screen and from paper until somebody unfolds it."""


COLUMNS: Final = (
    Column("Start", 16, DATE),
    Column("End", 7, TIME),
    Column("Time zone", 18, TEXT),
    Column("Start (UTC)", 17, DATE, folded=True),
    Column("Minutes", 9, NUMBER, folded=True),
    Column("Status", 11, TEXT),
    Column("Property name", 24, TEXT),
    Column("Property address", 32, TEXT),
    Column("Place", 32, TEXT),
    Column("Visitor", 22, TEXT),
    Column("E-mail", 26, TEXT),
    Column("Phone", 17, TEXT),
    Column("Notes", 34, TEXT),
    Column("Agent", 12, TEXT),
    Column("Agent name", 18, TEXT),
    Column("Property", 38, TEXT, folded=True),
    Column("Cancelled at", 17, DATE, folded=True),
    Column("Cancellation reason", 30, TEXT, folded=True),
    Column("Visit", 38, TEXT, folded=True),
    Column("Version", 9, NUMBER, folded=True),
    Column("Created", 17, DATE, folded=True),
    Column("Updated", 17, DATE, folded=True),
)
_NAMES: Final = [column.name for column in COLUMNS]
TIME_ZONE: Final = _NAMES.index("Time zone")
STATUS: Final = _NAMES.index("Status")

A4: Final = 9
MARGINS: Final = {"left": 0.4, "right": 0.4, "top": 0.8, "bottom": 0.6}
LONGEST_IN_HEADING: Final = 45
"""Characters of a name or an address there. A heading may have 255, some count twice, and Excel refuses longer ones."""

LINE: Final = 15
"""Points that a line of a row is high; a row may have 409."""
MOST_LINES: Final = 27
LETTERS: Final = 1.2
"""How many go, as a rule, into the width of a digit, which is what columns are measured in."""

_LINE_END: Final = re.compile("\r\n?")


def write_xlsx(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The workbook, in one piece: a zip archive has its table of contents at the end."""
    # Only here: what other requests need starts without it.
    from xlsxwriter.workbook import Workbook

    file = io.BytesIO()
    # In memory, because visitors' data has no business in a file of the function's disk.
    with Workbook(file, {"in_memory": True}) as workbook:
        summary = _visits(workbook, entries)
        _counts(workbook, summary)
    yield file.getvalue()


@dataclass
class _Summary:
    """What the rows say together: for the counts, and for the heading of what is printed."""

    counts: Counter[tuple[str, Status]] = field(default_factory=Counter)
    properties: dict[str, PropertyDetails | None] = field(default_factory=dict)
    zones: set[str] = field(default_factory=set)
    first: date = date.max
    last: date = date.min

    def add(self, entry: Entry, start: datetime) -> None:
        visit = entry.visit
        self.counts[visit.property_id, visit.status] += 1
        self.properties[visit.property_id] = entry.details
        self.zones.add(visit.time_zone)
        self.first, self.last = min(self.first, start.date()), max(self.last, start.date())

    def heading(self, title: str) -> str:
        """The title with the days, and the property if there is but one, in the language of Excel's headings."""
        span = words.SPAN.format(first=self.first, last=self.last) if self.zones else ""
        known = next(iter(self.properties.values())) if len(self.properties) == 1 else None
        property = f"&C{_plain(known.name)}\n{_plain(known.address)}" if known else ""
        return f"&L&B{title}&B\n{span}{property}"

    def footing(self) -> str:
        zone = f"&L{words.LOCAL_TIMES.format(zone=next(iter(self.zones)))}" if len(self.zones) == 1 else ""
        return f"{zone}&C{words.PAGE.format(page='&P', pages='&N')}&R{words.PRINTED.format(date='&D')}"


def _plain(text: str) -> str:
    """As a heading can have it: one short line, in which & begins no command."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return (line if len(line) <= LONGEST_IN_HEADING else f"{line[: LONGEST_IN_HEADING - 1]}…").replace("&", "&&")


def _visits(workbook: Workbook, entries: Iterable[Entry]) -> _Summary:
    sheet = workbook.add_worksheet("Visits")
    formats = [
        workbook.add_format(
            {
                "num_format": column.shown,
                "align": "left",
                "valign": "top",
                "text_wrap": column.shown == TEXT and not column.folded,
            }
        )
        for column in COLUMNS
    ]
    write_header(workbook, sheet, [column.name for column in COLUMNS])
    summary = _Summary()
    row = 0
    for row, entry in enumerate(entries, 1):
        cells = _row(entry)
        for column, cell in enumerate(cells):
            write_typed(sheet, row, column, cell, formats[column])
        shown = zip(cells, COLUMNS, strict=True)
        set_height(sheet, row, [(cell, it.width) for cell, it in shown if isinstance(cell, str) and not it.folded])
        summary.add(entry, cells[0])
    for column, (_, width, _, folded) in enumerate(COLUMNS):
        away = folded or (column == TIME_ZONE and len(summary.zones) < 2)
        sheet.set_column(column, column, width, None, {"hidden": True, "level": 1} if away else {})
    sheet.autofilter(0, 0, row, len(COLUMNS) - 1)
    if row:
        _statuses(workbook, sheet, row)
        # Telephone numbers and ids are texts on purpose: no green corners.
        sheet.ignore_errors({"number_stored_as_text": f"A2:XFD{row + 1}"})
    on_paper(sheet, summary.heading(words.VISITS), summary.footing())
    return summary


def set_height(sheet: Worksheet, row: int, texts: Iterable[tuple[str, int]]) -> None:
    """For texts in columns of a width, roughly: Excel finds out by itself, other programs print one over the other."""
    lines = [sum(ceil(_wide(line) / width / LETTERS) for line in text.splitlines()) for text, width in texts]
    if (most := max(lines, default=1)) > 1:
        sheet.set_row(row, LINE * min(most, MOST_LINES))


def _wide(text: str) -> int:
    """In letters: the signs of East Asia are two of them wide. An empty line is a line."""
    if text.isascii():
        return len(text) or 1
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _statuses(workbook: Workbook, sheet: Worksheet, last: int) -> None:
    """To choose from, and in words: the cell has the API's, whoever reads or changes it."""
    where = (1, STATUS, last, STATUS)
    sheet.data_validation(*where, {"validate": "list", "source": [str(status) for status in Status]})
    for status, shown in words.STATUS.items():
        style = workbook.add_format({"num_format": IN_WORDS.format(shown)})
        sheet.conditional_format(*where, {"type": "cell", "criteria": "==", "value": f'"{status}"', "format": style})


def _counts(workbook: Workbook, summary: _Summary) -> None:
    sheet = workbook.add_worksheet("Counts")
    names = ["Property", *map(str, Status), "Total", "Property name"]
    write_header(workbook, sheet, names)
    for column, status in enumerate(Status, 1):
        sheet.write_string(0, column, status, _header_style(workbook, IN_WORDS.format(words.STATUS[status])))
    sheet.set_column(0, 0, 38)
    sheet.set_column(1, len(names) - 2, 12)
    sheet.set_column(len(names) - 1, len(names) - 1, 30)
    text = workbook.add_format({"num_format": TEXT, "indent": 1})
    bold = workbook.add_format({"bold": True})
    properties = sorted(summary.properties)
    for row, property_id in enumerate(properties, 1):
        sheet.write_string(row, 0, property_id, text)
        numbers = [summary.counts[property_id, status] for status in Status]
        for column, number in enumerate([*numbers, sum(numbers)], 1):
            sheet.write_number(row, column, number)
        if details := summary.properties[property_id]:
            write_typed(sheet, row, len(names) - 1, details.name, text)
    last = len(properties) + 1
    sheet.write_string(last, 0, "All", bold)
    totals = [sum(summary.counts[property_id, status] for property_id in properties) for status in Status]
    for column, number in enumerate([*totals, sum(totals)], 1):
        sheet.write_number(last, column, number, bold)
    on_paper(sheet, summary.heading(words.COUNTS), summary.footing())


def write_header(workbook: Workbook, sheet: Worksheet, names: Iterable[str]) -> None:
    style = _header_style(workbook, TEXT)
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, style)
    sheet.freeze_panes(1, 0)


def _header_style(workbook: Workbook, shown: str) -> Format:
    return workbook.add_format(
        {"num_format": shown, "bold": True, "font_color": "white", "bg_color": "#1F4E78", "valign": "vcenter"}
    )


def on_paper(sheet: Worksheet, heading: str, footing: str) -> None:
    """Across the page, as many pages long as it takes, each with the names of the columns and its number."""
    sheet.set_paper(A4)
    sheet.set_landscape()
    sheet.set_margins(**MARGINS)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.hide_gridlines(0)
    sheet.set_header(heading)
    sheet.set_footer(footing)


def write_typed(sheet: Worksheet, row: int, column: int, cell: Cell | date | time, style: Format) -> None:
    """By its type and never by its looks: `write` would make a formula of =1+1 and a link of a web address."""
    match cell:
        case str():
            sheet.write_string(row, column, _LINE_END.sub("\n", cell), style)
        case datetime():
            sheet.write_datetime(row, column, cell.replace(tzinfo=None), style)
        case date():
            sheet.write_datetime(row, column, datetime.combine(cell, time.min), style)
        case time():
            sheet.write_number(row, column, (cell.hour * 60 + cell.minute) / (24 * 60), style)
        case int():
            sheet.write_number(row, column, cell, style)


def _row(entry: Entry) -> tuple[datetime, *tuple[Cell, ...]]:
    visit, details = entry.visit, entry.details
    zone = ZoneInfo(visit.time_zone)
    visitor, cancellation = visit.visitor, visit.cancellation
    return (
        visit.date.astimezone(zone),
        (visit.date + timedelta(minutes=visit.duration_minutes)).astimezone(zone),
        visit.time_zone,
        visit.date.astimezone(UTC),
        visit.duration_minutes,
        str(visit.status),
        details.name if details else None,
        details.address if details else None,
        visit.place,
        visitor.name if visitor else None,
        visitor.email if visitor else None,
        visitor.phone if visitor else None,
        visit.notes,
        visit.agent_id,
        entry.agent_name,
        visit.property_id,
        cancellation.at.astimezone(zone) if cancellation else None,
        cancellation.reason if cancellation else None,
        visit.id,
        visit.version,
        visit.created_at.astimezone(zone),
        visit.updated_at.astimezone(zone),
    )
