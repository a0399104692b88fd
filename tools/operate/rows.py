"""Reads visits from CSV, NDJSON and XLSX, as rows for POST /intakes; writes rejected rows as CSV again.

Only the shape of the file is judged here, what is in a row is for the API to judge. So that what was rejected can be
corrected and imported again, the rejected rows have the columns of the input, and two more that are skipped then.
"""

import csv
import io
import json
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from chalicelib.exports.csv import HEADER
from tools.failure import CannotGoOn

VISITOR: Final = {"visitorName": "name", "visitorEmail": "email", "visitorPhone": "phone"}
COLUMNS: Final = (
    "propertyId",
    "date",
    "durationMinutes",
    "place",
    "status",
    "agentId",
    *VISITOR,
    "notes",
    "externalId",
)
REQUIRED: Final = ("propertyId", "date")
SKIPPED: Final = ("line", "reason")
"""What a file of rejected rows has in addition."""
TOLD: Final = tuple(name for name in HEADER if name not in COLUMNS)
"""What our own export tells beyond that: it is skipped, so that an export can be handed in again."""

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""As `exports.csv` marks it."""


@dataclass(frozen=True)
class Row:
    """A row of the file: where it stands, and the visit as POST /intakes takes it."""

    line: int
    visit: dict[str, Any]


def read_rows(path: Path, zone: ZoneInfo | None = None) -> list[Row]:
    """The rows of a file, by its ending. A date without an offset is taken to be in the zone, if one is given."""
    readers = {".csv": _csv, ".ndjson": _ndjson, ".jsonl": _ndjson, ".xlsx": _xlsx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CannotGoOn(f"{path} is not a CSV, NDJSON or XLSX file: its name must end in {', '.join(readers)}.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CannotGoOn(f"{path} does not exist.") from None
    except OSError as why:
        raise CannotGoOn(f"Cannot read {path}: {why.strerror}.") from None
    rows = list(reader(path, content, zone))
    if not rows:
        raise CannotGoOn(f"{path} has no rows.")
    return rows


def write_rejected(path: Path, rejected: Iterable[tuple[Row, str]]) -> None:
    """The rejected rows with their reasons, safe to open in a spreadsheet: no cell of theirs is a formula there."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *SKIPPED])
        for row, reason in rejected:
            writer.writerow([formula_safe(text) for text in [*_flat(row.visit), str(row.line), reason]])


def formula_safe(text: str) -> str:
    """With an apostrophe in front where a spreadsheet would calculate; reading takes it off again."""
    return f"'{text}" if _FORMULA.match(text) else text


def _csv(path: Path, content: bytes, zone: ZoneInfo | None) -> Iterator[Row]:
    text = _utf8(path, content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[str] | None = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _header(path, cells)
            else:
                yield _row(path, line, columns, cells, zone)
    except csv.Error as wrong:
        raise CannotGoOn(f"Line {begins} of {path} is not CSV: {wrong}.") from None


def _ndjson(path: Path, content: bytes, zone: ZoneInfo | None) -> Iterator[Row]:
    for line, text in enumerate(_utf8(path, content).split("\n"), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise CannotGoOn(f"Line {line} of {path} is not valid JSON.") from None
        if not isinstance(value, dict):
            raise CannotGoOn(f"Line {line} of {path} is not a JSON object.")
        unknown = sorted(value.keys() - {*COLUMNS, *SKIPPED, "visitor"})
        if unknown:
            raise _unknown(path, unknown, f"line {line}: ")
        yield Row(line, _visit({name: value[name] for name in value if name not in SKIPPED}, zone))


def _xlsx(path: Path, content: bytes, zone: ZoneInfo | None) -> Iterator[Row]:
    try:
        with warnings.catch_warnings():
            # About styles and extensions, which are nothing to us.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError, TypeError, IndexError):
        raise CannotGoOn(
            f"{path} is not an XLSX file that can be read: save it again with a spreadsheet program, or as CSV UTF-8."
        ) from None
    columns: list[str] | None = None
    try:
        for line, cells in _lines(path, book):
            values = [_cell(path, cell) for cell in cells]
            if all(value in (None, "") for value in values):
                continue
            if columns is None:
                columns = _header(path, [str(value or "") for value in values])
                continue
            row = _row(path, line, columns, values, zone)
            if isinstance(row.visit.get("date"), datetime):
                raise CannotGoOn(
                    f"{path} has dates without an offset from UTC (first in row {line}): "
                    "name their time zone, like ZONE=Europe/Berlin."
                )
            yield row
    finally:
        book.close()


def _lines(path: Path, book: Workbook) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows of the first sheet. Other programs' styles can break the library at any of them."""
    if not book.worksheets:
        return
    sheet = book.worksheets[0]
    line = 0
    try:
        sheet.reset_dimensions()  # some programs write wrong ones
        for line, cells in enumerate(sheet.iter_rows(), 1):
            # A style is looked up when it is asked for.
            [cell.number_format for cell in cells if cell.value is not None]
            yield line, cells
    except (TypeError, IndexError, KeyError, ValueError, OSError, BadZipFile):
        raise CannotGoOn(f"{path} cannot be read after row {line}: save it again as XLSX, or as CSV UTF-8.") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _utf8(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CannotGoOn(f"{path} is not in UTF-8: in Excel, save it as 'CSV UTF-8'.") from None


def _delimiter(text: str) -> str:
    """What separates the cells of the header: none of the names has any of these."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    """The columns' names as we write them; upper case, blanks, '_' and '-' in the file make no difference."""
    known = {name.lower(): name for name in (*COLUMNS, *SKIPPED, *TOLD)}
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    columns = [known.get(re.sub(r"[\s_-]", "", cell).lower(), "") for cell in cells]
    unknown = [cell.strip() or "(without a name)" for cell, column in zip(cells, columns, strict=True) if not column]
    if unknown:
        raise _unknown(path, unknown)
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    if twice:
        raise CannotGoOn(f"{path} has the column {twice[0]} twice.")
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise CannotGoOn(f"{path} has no column {' and no column '.join(missing)}.")
    return columns


def _unknown(path: Path, names: Sequence[str], where: str = "") -> CannotGoOn:
    plural = "columns" if len(names) > 1 else "column"
    quoted = ", ".join(f"'{name[:60]}'" for name in names)
    return CannotGoOn(f"{path}: {where}unknown {plural} {quoted}; known: {', '.join(COLUMNS)}.")


def _row(path: Path, line: int, columns: list[str], cells: Sequence[Any], zone: ZoneInfo | None) -> Row:
    if any(value not in (None, "") for value in cells[len(columns) :]):
        raise CannotGoOn(f"Row {line} of {path} has more cells than the header: quote text that contains a separator.")
    given: dict[str, Any] = {}
    for column, value in zip(columns, cells, strict=False):
        value = _unmarked(value.strip()) if isinstance(value, str) else value
        if value in (None, "") or column not in COLUMNS:
            continue
        if column == "durationMinutes":
            given[column] = int(value) if re.fullmatch(r"[0-9]{1,6}", str(value)) else value
        else:
            given[column] = value if column == "date" and isinstance(value, datetime) else str(value)
    return Row(line, _visit(given, zone))


def _unmarked(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _visit(given: dict[str, Any], zone: ZoneInfo | None) -> dict[str, Any]:
    """A row as POST /intakes takes it: the visitor in an object of its own, the date with an offset if it can be."""
    visit = {name: value for name, value in given.items() if name not in VISITOR}
    visitor = {inner: given[name] for name, inner in VISITOR.items() if name in given}
    if visitor:
        visit["visitor"] = visitor
    if zone is not None and "date" in visit:
        visit["date"] = _with_offset(visit["date"], zone)
    return visit


def _with_offset(value: object, zone: ZoneInfo) -> object:
    """A local date and time with the zone's offset; anything else as it is, for the API to judge.

    So is a time that the change of clocks skips or has twice: only the person knows which is meant.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?", value):
        try:
            local = datetime.fromisoformat(value)
        except ValueError:
            return value
    elif isinstance(value, datetime):
        local = value
    else:
        return value
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        return local.isoformat(timespec="seconds")
    return first.isoformat(timespec="seconds")


def _cell(path: Path, cell: Any) -> object:
    """A cell's value as text, whole number or date with a time; a date alone stays one, for the API to refuse."""
    value, number_format = cell.value, getattr(cell, "number_format", "")
    if getattr(cell, "data_type", "") == "e":
        raise CannotGoOn(f"{path} has {value} in cell {cell.coordinate}: correct the formula, or clear the cell.")
    if isinstance(value, timedelta):
        return round(value / timedelta(minutes=1))
    if isinstance(value, datetime):
        # Excel counts in fractions of a day: what was 10:30:00 may come as 10:29:59.999995.
        rounded = (value + timedelta(microseconds=500_000)).replace(microsecond=0)
        alone = rounded.time() == time() and "h" not in number_format.lower()
        return rounded.date().isoformat() if alone else rounded
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _flat(visit: dict[str, Any]) -> Iterator[str]:
    """A visit as the cells of a line, in the order of COLUMNS."""
    visitor = visit.get("visitor")
    inner = visitor if isinstance(visitor, dict) else {}
    for column in COLUMNS:
        value = inner.get(VISITOR[column]) if column in VISITOR else visit.get(column)
        yield "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
