"""A sheet as an Excel workbook: its visits with real dates and times, the tables as they were written, the picture.

What somebody should look at is shaded, and said in words beside it. A text stays a text, whatever it looks like.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final, NamedTuple

from chalicelib.domain.sheets import OUR_COLUMNS, SURE, Cell, Field, NamedProperty, StoredRow
from chalicelib.domain.visits import Status
from chalicelib.exports.xlsx import NUMBER, TEXT, TIME, on_paper, set_height, write_header, write_typed
from chalicelib.reading.grids import Grid, Written

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

DAY: Final = "yyyy-mm-dd"
TO_CHECK: Final = "#FFF2CC"
NOT_UNDERSTOOD: Final = "#F8CBAD"
LONGEST_TITLE: Final = 28
CHECK_WIDTH: Final = 40
TABLE_WIDTH: Final = 22
PAGE_NUMBER: Final = "&C&P / &N"


class Column(NamedTuple):
    name: str
    width: int
    shown: str
    field: Field


class _Area(NamedTuple):
    """Cells of a table, from the first to the last, both included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def has_several(self) -> bool:
        rows, columns = self.bottom - self.top + 1, self.right - self.left + 1
        return min(self.top, self.left) >= 0 and min(rows, columns) > 0 and rows * columns > 1

    def meets(self, other: _Area) -> bool:
        rows = self.top <= other.bottom and other.top <= self.bottom
        return rows and self.left <= other.right and other.left <= self.right


COLUMNS: Final = (
    Column("Property", 26, TEXT, Field.PROPERTY),
    Column("Date", 12, DAY, Field.DATE),
    Column("Time", 8, TIME, Field.TIME),
    Column("Minutes", 9, NUMBER, Field.DURATION),
    Column("Status", 11, TEXT, Field.STATUS),
    Column("Visitor", 24, TEXT, Field.NAME),
    Column("Phone", 17, TEXT, Field.PHONE),
    Column("E-mail", 26, TEXT, Field.EMAIL),
    Column("Place", 26, TEXT, Field.PLACE),
    Column("Agent", 14, TEXT, Field.AGENT),
    Column("Notes", 34, TEXT, Field.NOTES),
    Column("External id", 20, TEXT, Field.EXTERNAL_ID),
)
CHECK: Final = len(COLUMNS)
SOURCE: Final = CHECK + 1
STATE: Final = CHECK + 2


def write_sheet(
    rows: Sequence[StoredRow],
    grids: Sequence[Grid],
    properties: Sequence[NamedProperty],
    picture: bytes | None,
    created: datetime,
) -> bytes:
    """The workbook; the same bytes for the same sheet, whenever it is asked for."""
    # Only here: what other requests need starts without it.
    from xlsxwriter.workbook import Workbook

    file = io.BytesIO()
    # In memory, because visitors' data has no business in a file of the function's disk.
    with Workbook(file, {"in_memory": True}) as workbook:
        workbook.set_properties({"created": created})
        names = _names(properties)
        _visits(workbook, rows, names)
        for number, grid in enumerate(grids, 1):
            # With their numbers in front, no two of them have one name, whatever theirs are.
            _table(workbook, grid, f"Table {number}" if len(grids) > 1 else "Table")
        if names:
            _properties(workbook, properties, names)
        if picture is not None:
            _picture(workbook.add_worksheet("Picture"), picture)
    return file.getvalue()


def _names(properties: Iterable[NamedProperty]) -> Mapping[str, str]:
    """What a property is called in the workbook, by its id: by its name, if no other has that."""
    known = list(properties)
    times = Counter(each.name for each in known)
    return {each.id: each.name if times[each.name] == 1 else each.id for each in known}


class _Styles:
    """One of each kind, with and without a shade."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._made: dict[tuple[str, str], Format] = {}

    def of(self, shown: str, shade: str = "") -> Format:
        if (shown, shade) not in self._made:
            colour = {"bg_color": shade} if shade else {}
            style = {"num_format": shown, "align": "left", "valign": "top", "text_wrap": shown == TEXT, **colour}
            self._made[shown, shade] = self._workbook.add_format(style)
        return self._made[shown, shade]


def _visits(workbook: Workbook, rows: Sequence[StoredRow], names: Mapping[str, str]) -> None:
    sheet = workbook.add_worksheet("Visits")
    styles = _Styles(workbook)
    write_header(workbook, sheet, [*(column.name for column in COLUMNS), *OUR_COLUMNS])
    for line, stored in enumerate(rows, 1):
        row = stored.row
        for number, column in enumerate(COLUMNS):
            cell = row.cell(column.field)
            if column.field is Field.EXTERNAL_ID and stored.registered and stored.outcome:
                # So that the same row, when the workbook comes back, is no second visit.
                cell = replace(cell, value=stored.outcome.external_id)
            style = styles.of(column.shown, _shade(cell))
            write_typed(sheet, line, number, _value(column.field, cell, names), style)
        to_check = _to_check(stored)
        write_typed(sheet, line, CHECK, to_check, styles.of(TEXT))
        texts = [(row.cell(column.field).text, column.width) for column in COLUMNS]
        set_height(sheet, line, [*texts, (to_check, CHECK_WIDTH)])
        write_typed(sheet, line, SOURCE, f"{row.table} {row.line}".strip(), styles.of(TEXT))
        write_typed(sheet, line, STATE, _state(stored), styles.of(TEXT))
    for number, column in enumerate(COLUMNS):
        sheet.set_column(number, number, column.width)
    sheet.set_column(CHECK, CHECK, CHECK_WIDTH)
    sheet.set_column(SOURCE, STATE, 12)
    on_paper(sheet, "", PAGE_NUMBER)
    if rows:
        sheet.autofilter(0, 0, len(rows), STATE)
        sheet.ignore_errors({"number_stored_as_text": f"A2:XFD{len(rows) + 1}"})
        _validated(sheet, len(rows), len(names))


def _validated(sheet: Worksheet, last: int, properties: int) -> None:
    """What a cell takes, as the API does."""
    statuses = [Status.REQUESTED.value, Status.CONFIRMED.value]
    rules: dict[Field, dict[str, object]] = {
        Field.DATE: {
            "validate": "date",
            "criteria": "between",
            "minimum": date(2000, 1, 1),
            "maximum": date(2099, 12, 31),
        },
        Field.TIME: {"validate": "time", "criteria": "between", "minimum": time(0, 0), "maximum": time(23, 59)},
        Field.DURATION: {"validate": "integer", "criteria": "between", "minimum": 5, "maximum": 240},
        Field.STATUS: {"validate": "list", "source": statuses},
    }
    if properties:
        rules[Field.PROPERTY] = {"validate": "list", "source": f"=Properties!$A$2:$A${properties + 1}"}
    for number, column in enumerate(COLUMNS):
        if rule := rules.get(column.field):
            sheet.data_validation(1, number, last, number, {**rule, "ignore_blank": True})


def _between(kind: str, least: object, most: object) -> dict[str, object]:
    return {"validate": kind, "criteria": "between", "minimum": least, "maximum": most}


def _shade(cell: Cell) -> str:
    if not cell.issues:
        return ""
    return TO_CHECK if cell.value is not None else NOT_UNDERSTOOD


def _value(field: Field, cell: Cell, names: Mapping[str, str]) -> str | int | datetime | date | time | None:
    """As understood, by its type; as written where it was not."""
    if cell.value is None:
        return cell.text or None
    match field:
        case Field.DATE:
            return date.fromisoformat(cell.value)
        case Field.TIME:
            clock = time.fromisoformat(cell.value)
            # Which of the two that the clocks show, Excel's times cannot say.
            return clock if clock.tzinfo is None else cell.value
        case Field.DURATION:
            return int(cell.value)
        case Field.PROPERTY:
            return names.get(cell.value, cell.value)
    return cell.value


def _to_check(stored: StoredRow) -> str:
    told = []
    for field, issue in stored.row.all_issues:
        kind = issue.kind.replace("-", " ") + (f" ({issue.hint})" if issue.hint else "")
        written = stored.row.cell(field).text if field else ""
        told.append(f"{field}: {kind}" + (f", written “{written}”" if written else "") if field else kind)
    if stored.outcome and stored.outcome.problem:
        told.append(str(stored.outcome.problem.get("detail", "")))
    return "\n".join(told)


def _state(stored: StoredRow) -> str:
    if stored.registered:
        return "registered"
    return "reviewed" if stored.row.reviewed else "to review"


def _table(workbook: Workbook, grid: Grid, title: str) -> None:
    """As it was written, all of it text; what the recognition was not sure of is shaded."""
    sheet = workbook.add_worksheet(f"{title} {_sheet_name(grid.name)}".strip())
    styles = _Styles(workbook)
    for number, line in enumerate(grid.lines):
        set_height(sheet, number, [(written.text, TABLE_WIDTH) for written in line.cells])
        for column, written in enumerate(line.cells):
            if written.text:
                sheet.write_string(number, column, written.text, styles.of(TEXT, _doubt(written)))
    for top, left, bottom, right in _merged(grid):
        cells = grid.lines[top].cells
        whole = cells[left] if left < len(cells) else Written("")
        style = styles.of(TEXT, _doubt(whole))
        sheet.merge_range(top, left, bottom, right, "", style)
        sheet.write_string(top, left, whole.text, style)
    sheet.set_column(0, max(grid.width - 1, 0), TABLE_WIDTH)
    on_paper(sheet, "", PAGE_NUMBER)


def _merged(grid: Grid) -> Sequence[_Area]:
    """The cells that are one, as far as the table goes, and none of them twice.

    A file may say anything: that a whole worksheet is one cell, which has seventeen billion.
    """
    found: list[_Area] = []
    last_row, last_column = len(grid.lines) - 1, grid.width - 1
    for merge in grid.merges:
        bottom, right = merge.row + merge.rows - 1, merge.column + merge.columns - 1
        area = _Area(merge.row, merge.column, min(bottom, last_row), min(right, last_column))
        if area.has_several and not any(map(area.meets, found)):
            found.append(area)
    return found


def _doubt(written: Written) -> str:
    return TO_CHECK if written.confidence is not None and written.confidence < SURE else ""


def _sheet_name(name: str) -> str:
    """Of what Excel takes for one."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in "[]:*?/\\'")[: LONGEST_TITLE - 8]


def _properties(workbook: Workbook, properties: Sequence[NamedProperty], names: Mapping[str, str]) -> None:
    """What there is to choose from."""
    sheet = workbook.add_worksheet("Properties")
    style = _Styles(workbook).of(TEXT)
    write_header(workbook, sheet, ["Property", "Address", "Id"])
    for line, each in enumerate(properties, 1):
        for column, text in enumerate((names[each.id], each.address, each.id)):
            sheet.write_string(line, column, text, style)
    sheet.set_column(0, 2, 36)


def _picture(sheet: Worksheet, picture: bytes) -> None:
    image = {"image_data": io.BytesIO(picture), "description": "The sheet as it was sent"}
    sheet.insert_image(0, 0, "picture", {**image, "x_scale": 0.4, "y_scale": 0.4})
