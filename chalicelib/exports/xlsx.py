"""Visits as an Excel workbook (ECMA-376): one sheet of visits with real dates and texts, one of counts.

Excel knows no time zones: times are the wall clock's at the property, a column names the zone, and the start is there
in UTC as well, since one local hour of every autumn comes twice.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from chalicelib.domain.listing import Entry
from chalicelib.domain.visits import Status

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

Cell = str | int | datetime | None

COLUMNS: Final = (
    ("Start", 17),
    ("End", 17),
    ("Time zone", 18),
    ("Start (UTC)", 17),
    ("Minutes", 9),
    ("Status", 12),
    ("Property name", 30),
    ("Property address", 36),
    ("Place", 36),
    ("Visitor", 24),
    ("E-mail", 28),
    ("Phone", 20),
    ("Notes", 40),
    ("Agent", 20),
    ("Property", 38),
    ("Cancelled at", 17),
    ("Cancellation reason", 30),
    ("Visit", 38),
    ("Version", 9),
    ("Created", 17),
    ("Updated", 17),
)
STATUS_COLUMN: Final = [name for name, _ in COLUMNS].index("Status")

DATE_FORMAT: Final = "yyyy-mm-dd hh:mm"
TEXT_FORMAT: Final = "@"

_LINE_END: Final = re.compile("\r\n?")


def write_xlsx(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The workbook, in one piece: a zip archive has its table of contents at the end."""
    # Only here: what other requests need starts without it.
    from xlsxwriter.workbook import Workbook

    file = io.BytesIO()
    # In memory, because visitors' data has no business in a file of the function's disk.
    with Workbook(file, {"in_memory": True}) as workbook:
        counts = _visits(workbook, entries)
        _counts(workbook, counts)
    yield file.getvalue()


def _visits(workbook: Workbook, entries: Iterable[Entry]) -> Counter[tuple[str, Status]]:
    sheet = workbook.add_worksheet("Visits")
    text = workbook.add_format({"num_format": TEXT_FORMAT})
    date = workbook.add_format({"num_format": DATE_FORMAT})
    _header(workbook, sheet, COLUMNS)
    counts: Counter[tuple[str, Status]] = Counter()
    row = 0
    for row, entry in enumerate(entries, 1):
        for column, cell in enumerate(_row(entry)):
            _write(sheet, row, column, cell, text, date)
        counts[entry.visit.property_id, entry.visit.status] += 1
    sheet.autofilter(0, 0, row, len(COLUMNS) - 1)
    if row:
        sheet.data_validation(
            1, STATUS_COLUMN, row, STATUS_COLUMN, {"validate": "list", "source": [str(status) for status in Status]}
        )
        # Telephone numbers and ids are texts on purpose: no green corners.
        sheet.ignore_errors({"number_stored_as_text": f"A2:XFD{row + 1}"})
    return counts


def _counts(workbook: Workbook, counts: Counter[tuple[str, Status]]) -> None:
    sheet = workbook.add_worksheet("Counts")
    _header(workbook, sheet, (("Property", 38), *((str(status), 12) for status in Status), ("Total", 12)))
    text = workbook.add_format({"num_format": TEXT_FORMAT})
    bold = workbook.add_format({"bold": True})
    properties = sorted({property_id for property_id, _ in counts})
    for row, property_id in enumerate(properties, 1):
        sheet.write_string(row, 0, property_id, text)
        numbers = [counts[property_id, status] for status in Status]
        for column, number in enumerate([*numbers, sum(numbers)], 1):
            sheet.write_number(row, column, number)
    last = len(properties) + 1
    sheet.write_string(last, 0, "All", bold)
    totals = [sum(counts[property_id, status] for property_id in properties) for status in Status]
    for column, number in enumerate([*totals, sum(totals)], 1):
        sheet.write_number(last, column, number, bold)


def _header(workbook: Workbook, sheet: Worksheet, columns: Iterable[tuple[str, int]]) -> None:
    style = workbook.add_format({"bold": True, "font_color": "white", "bg_color": "#1F4E78", "valign": "vcenter"})
    for column, (name, width) in enumerate(columns):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, name, style)
    sheet.freeze_panes(1, 0)


def _write(sheet: Worksheet, row: int, column: int, cell: Cell, text: Format, date: Format) -> None:
    """By its type and never by its looks: `write` would make a formula of =1+1 and a link of a web address."""
    match cell:
        case str():
            sheet.write_string(row, column, _LINE_END.sub("\n", cell), text)
        case datetime():
            sheet.write_datetime(row, column, cell.replace(tzinfo=None), date)
        case int():
            sheet.write_number(row, column, cell)


def _row(entry: Entry) -> tuple[Cell, ...]:
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
        visit.property_id,
        cancellation.at.astimezone(zone) if cancellation else None,
        cancellation.reason if cancellation else None,
        visit.id,
        visit.version,
        visit.created_at.astimezone(zone),
        visit.updated_at.astimezone(zone),
    )
