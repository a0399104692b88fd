"""XLSX. calamine reads the values; what it does not tell, and what would harm it, is looked up in the XML before.

It does not tell hidden rows, formulas without a value, errors in cells, and zeros that only a number's format shows. It
makes room for every cell between the first and the last, copies a shared string into each cell that refers to it, and
ends the process where there is no such room: one stray cell is enough. So it is given only what was looked at, in an
archive of our own that nobody can read otherwise.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from xml.parsers import expat

import python_calamine
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from chalicelib.domain import spellings
from chalicelib.domain.sheets import MOST_ROWS, CannotRead, Failure, Issue, IssueKind, Remark, RemarkKind
from chalicelib.reading.grids import BLANK, MOST_COLUMNS, Grid, Merge, Source, Typed, Written, grid_of, too_many_rows
from chalicelib.record import Record

_MOST_UNPACKED: Final = 30 * 1024 * 1024
_MOST_PARTS: Final = 2000
_MOST_DEPTH: Final = 64
_MOST_ELEMENTS: Final = 1_000_000
"""Of a part: a worksheet of a thousand rows and a hundred columns has half of that."""
_MOST_AREA: Final = 500_000
"""Cells of all worksheets together, empty ones included."""
_MOST_TEXT: Final = _MOST_UNPACKED
"""Characters in the cells of all worksheets together, a shared string counted in each cell that refers to it."""
_MOST_SHEETS: Final = 50
_MOST_MERGES: Final = 2000
_LONGEST_NAME: Final = 100
"""Of a worksheet, as it is shown: spreadsheet programs allow 31."""


def _damaged() -> CannotRead:
    advice = "the workbook is damaged: open it in a spreadsheet program and save it again, or as CSV UTF-8"
    return CannotRead(Failure.UNREADABLE, advice)


def _packed_too_tight() -> CannotRead:
    return CannotRead(Failure.TOO_LARGE, "the workbook unpacks to more than can be read: divide it")


def _protected() -> CannotRead:
    return CannotRead(Failure.UNSUPPORTED, "the workbook has a password: save it without one")


def read_workbook(content: bytes) -> Source:
    """The tables of all visible worksheets. Raises CannotRead."""
    parts = _unpacked(content)
    looks = _looked_at(parts)
    try:
        with CalamineWorkbook.from_filelike(_packed(parts)) as book:
            found = list(_sheets(book, looks))
    except python_calamine.PasswordError:
        raise _protected() from None
    except (python_calamine.CalamineError, OSError, ValueError, OverflowError):
        raise _damaged() from None
    grids = tuple(each for each in found if isinstance(each, Grid))
    return Source(grids, False, tuple(each for each in found if isinstance(each, Remark)))


def _unpacked(content: bytes) -> Mapping[str, bytes]:
    """The parts of the archive that are XML. Raises CannotRead for what is none, and for what unpacks to too much."""
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        # The container of programs before 2007, and of workbooks with a password.
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise _protected()
        raise CannotRead(Failure.UNSUPPORTED, "it is an XLS workbook of before 2007: save it as XLSX")
    unpacked: dict[str, bytes] = {}
    left = _MOST_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.infolist()) > _MOST_PARTS:
                raise _packed_too_tight()
            for info in archive.infolist():
                with archive.open(info) as part:
                    # What it says of its size is not taken on trust.
                    data = part.read(left + 1)
                left -= len(data)
                if left < 0:
                    raise _packed_too_tight()
                name = info.filename.lstrip("/")
                if name.endswith((".xml", ".rels")):
                    if name.casefold() in {other.casefold() for other in unpacked}:
                        raise _damaged()
                    unpacked[name] = data
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, KeyError):
        raise _damaged() from None
    if not any(re.search(r"workbook\d*\.xml$", name) for name in unpacked):
        raise CannotRead(Failure.UNSUPPORTED, "it is no XLSX workbook: save it as XLSX or as CSV UTF-8")
    return unpacked


def _packed(parts: Mapping[str, bytes]) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    content.seek(0)
    return content


Attributes = Mapping[str, str]
_At = tuple[int, int]
"""Row and column, counted from 0."""


class _Worksheet:
    """What a worksheet's XML tells beyond its values. Raises CannotRead for one that would not fit."""

    def __init__(self) -> None:
        self.hidden: set[int] = set()
        self.wrong: dict[_At, Written] = {}
        """What is no value, and why."""
        self.styles: dict[_At, int] = {}
        self.strings: list[int] = []
        """Which shared strings its cells refer to."""
        self.characters = 0
        """In its cells, without those strings."""
        self._rows: set[int] = set()
        self._first, self._last, self._columns = 1 << 20, -1, 0
        self._row = -1
        self._at: _At = (-1, -1)
        self._type = self._value = ""
        self._cell = self._formula = self._filled = self._inside = False

    @property
    def area(self) -> int:
        """The cells from column A to the last, in the rows from the first that says something to the last."""
        return max(self._last - self._first + 1, 0) * self._columns

    def start(self, name: str, attributes: Attributes) -> None:
        if self._cell and name in ("row", "c"):
            # Where the outer one is would be forgotten.
            raise _damaged()
        if name == "row":
            self._row = _row(attributes["r"]) if "r" in attributes else self._row + 1
            self._at = (self._row, -1)
            if attributes.get("hidden") in ("1", "true"):
                self.hidden.add(self._row)
        elif name == "c":
            self._at = _position(attributes["r"]) if "r" in attributes else (self._row, self._at[1] + 1)
            self._type, self._value = attributes.get("t", ""), ""
            self._cell, self._formula, self._filled = True, False, False
            if "s" in attributes:
                self.styles[self._at] = _number(attributes["s"], -1)
        self._formula = self._formula or name == "f"
        self._filled = self._filled or name in ("f", "v", "is")
        self._inside = name in ("v", "t")

    def text(self, data: str) -> None:
        if self._cell:
            self.characters += len(data)
        if self._cell and self._inside:
            if self._type == "s":
                self._refer(data)
            self._value = (self._value + data.strip())[:20]

    def _refer(self, index: str) -> None:
        # In pieces, twice, or with a space, calamine would take it for another.
        if self._value or not re.fullmatch(r"[0-9]{1,7}", index):
            raise _damaged()
        self.strings.append(int(index))

    def end(self, name: str) -> None:
        self._inside = False
        if name != "c":
            return
        self._cell = False
        if self._type == "e":
            error = self._value or "#ERROR"
            issue = Issue(IssueKind.FORMULA_ERROR, f"{error} in {_name(self._at)}")
            self.wrong[self._at] = Written(error, issues=(issue,))
        elif self._formula and not self._value and self._type != "str":
            self.wrong[self._at] = Written("", issues=(Issue(IssueKind.NOT_CALCULATED, _name(self._at)),))
        if self._filled or self._type == "e":
            self._make_room()

    def _make_room(self) -> None:
        row, column = self._at
        if self._value or self._formula:
            self._rows.add(row)
        self._first, self._last = min(self._first, row), max(self._last, row)
        self._columns = max(self._columns, column + 1)
        if len(self._rows) > MOST_ROWS + 100:
            raise too_many_rows()
        if self.area > _MOST_AREA:
            where = _name(self._at)
            raise CannotRead(Failure.TOO_LARGE, f"{where} is far from the other cells, too far to be read: clear it")


class _Book(Record):
    worksheets: Mapping[str, _Worksheet]
    """By name."""
    zeros: Mapping[int, int]
    """By style: how many digits its numbers are shown with at least."""
    since_1904: bool


def _looked_at(parts: Mapping[str, bytes]) -> _Book:
    # Every part, whoever may take it for a worksheet.
    looks = {name: _look(data) for name, data in parts.items() if name.endswith(".xml")}
    _check_together(looks.values(), _strings(parts))
    book = _related(parts, "_rels/.rels", "/officeDocument").get("", "xl/workbook.xml")
    folder, _, file = book.rpartition("/")
    targets = _related(parts, f"{folder}/_rels/{file}.rels", "")
    sheets: list[tuple[str, str]] = []
    since_1904: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        if name == "sheet":
            id = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            sheets.append((attributes.get("name", ""), id))
        elif name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            since_1904.append(name)

    _walk(parts.get(book, b""), start)
    worksheets: dict[str, _Worksheet] = {}
    read: set[str] = set()
    for name, id in sheets:
        target = targets.get(id, "")
        found = next((path for path in (target.lstrip("/"), f"{folder}/{target}") if path in looks), None)
        if found is None or found in read:
            raise _damaged()
        read.add(found)
        worksheets[name] = looks[found]
    return _Book(worksheets, _zeros(parts.get(f"{folder}/styles.xml", b"")), bool(since_1904))


def _look(data: bytes) -> _Worksheet:
    worksheet = _Worksheet()
    _walk(data, worksheet.start, worksheet.end, worksheet.text)
    return worksheet


def _check_together(looks: Iterable[_Worksheet], lengths: Mapping[int, int]) -> None:
    """Raises CannotRead for worksheets that fit one by one, but not together."""
    area = characters = 0
    for look in looks:
        area += look.area
        characters += look.characters + sum(lengths.get(index, 0) for index in look.strings)
    if area > _MOST_AREA or characters > _MOST_TEXT:
        raise _packed_too_tight()


def _strings(parts: Mapping[str, bytes]) -> Mapping[int, int]:
    """How long the shared strings are, by their index: the longest, should several parts have some."""
    found: dict[int, int] = {}
    for data in parts.values():
        if b"sst" in data:
            for index, length in enumerate(_lengths(data)):
                found[index] = max(length, found.get(index, 0))
    return found


def _lengths(part: bytes) -> Sequence[int]:
    lengths: list[int] = []
    inside: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        inside.append(name)
        # calamine makes room for as many as it is told.
        if name == "sst" and _number(attributes.get("uniqueCount", "0"), _MOST_ELEMENTS + 1) > _MOST_ELEMENTS:
            raise _packed_too_tight()
        if name == "si":
            if "si" in inside[:-1]:
                raise _damaged()
            lengths.append(0)

    def text(data: str) -> None:
        if "si" in inside:
            lengths[-1] += len(data)

    _walk(part, start, lambda name: inside.pop(), text)
    return lengths


def _related(parts: Mapping[str, bytes], path: str, kind: str) -> dict[str, str]:
    """The targets of a part's relationships by their ids; of those of one kind, the first without an id."""
    targets: dict[str, str] = {}

    def start(name: str, attributes: Attributes) -> None:
        if name == "Relationship" and attributes.get("Type", "").endswith(kind):
            target = attributes.get("Target", "").replace("\\", "/")
            targets[attributes.get("Id", "")] = target
            if kind:
                targets.setdefault("", target.lstrip("/"))

    _walk(parts.get(path, b""), start)
    return targets


def _zeros(styles: bytes) -> Mapping[int, int]:
    codes: dict[int, str] = {}
    formats: list[int] = []
    inside: list[str] = []

    def start(name: str, attributes: Attributes) -> None:
        inside.append(name)
        if name == "numFmt":
            codes[_number(attributes.get("numFmtId"), -1)] = attributes.get("formatCode", "")
        elif name == "xf" and "cellXfs" in inside:
            formats.append(_number(attributes.get("numFmtId"), -1))

    _walk(styles, start, lambda name: inside.pop())
    widths = {id: len(code) for id, code in codes.items() if re.fullmatch("0{2,20}", code)}
    return {style: widths[id] for style, id in enumerate(formats) if id in widths}


def _walk(
    data: bytes,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], object] = lambda name: None,
    text: Callable[[str], None] = lambda data: None,
) -> None:
    """Goes through XML without building it. Raises CannotRead for what is broken, deep, or declares entities."""
    parser = expat.ParserCreate()
    depth = elements = 0

    def starts(name: str, attributes: Attributes) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > _MOST_DEPTH:
            raise _damaged()
        if elements > _MOST_ELEMENTS:
            raise _packed_too_tight()
        start(name.rpartition(":")[2], attributes)

    def ends(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(":")[2])

    def declares(*_: object) -> None:
        raise _damaged()

    parser.StartElementHandler, parser.EndElementHandler = starts, ends
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, declares
    try:
        if data:
            parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise _damaged() from None


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,7}", text) else otherwise


def _row(number: str) -> int:
    row = _number(number, 0)
    if row < 1:
        # calamine reads some of what is none: 00000009, A9.
        raise _damaged()
    return row - 1


def _position(name: str) -> _At:
    found = re.fullmatch(r"([A-Za-z]{1,3})([0-9]{1,7})", name)
    if found is None:
        raise _damaged()
    column = 0
    for letter in found[1].upper():
        column = column * 26 + ord(letter) - 64
    return _row(found[2]), column - 1


def _name(at: _At) -> str:
    row, column = at
    letters = ""
    column += 1
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _sheets(book: CalamineWorkbook, looks: _Book) -> Iterator[Grid | Remark]:
    """The visible worksheets, and which are not read."""
    for meta in book.sheets_metadata[:_MOST_SHEETS]:
        shown = meta.name[:_LONGEST_NAME]
        if meta.typ != SheetTypeEnum.WorkSheet:
            continue
        if meta.visible != SheetVisibleEnum.Visible:
            yield Remark(RemarkKind.TABLE_HIDDEN, shown)
            continue
        sheet = book.get_sheet_by_name(meta.name)
        lines = list(_lines(sheet, looks.worksheets.get(meta.name, _Worksheet()), looks.zeros))
        first = lines[0][0] - 1 if lines else 0
        merges = tuple(
            Merge(top - first, left, bottom - top + 1, right - left + 1)
            for (top, left), (bottom, right) in (sheet.merged_cell_ranges or ())[:_MOST_MERGES]
            if top <= bottom
        )
        if sum(min(merge.rows, len(lines)) for merge in merges if merge.columns == 1) > _MOST_AREA:
            # More than there are cells: they overlap, which no spreadsheet program allows.
            raise _damaged()
        grid = grid_of(lines, shown if len(book.sheet_names) > 1 else "")
        yield replace(grid, merges=merges, since_1904=looks.since_1904)
    for name in book.sheet_names[_MOST_SHEETS:]:
        yield Remark(RemarkKind.TABLE_NOT_READ, name[:_LONGEST_NAME])


def _lines(
    sheet: CalamineSheet, look: _Worksheet, zeros: Mapping[int, int]
) -> Iterator[tuple[int, Sequence[Written], tuple[Issue, ...]]]:
    """The rows from the first that says something, each with its number."""
    top, left = sheet.start or (0, 0)
    values = dict(enumerate(sheet.to_python(skip_empty_area=True), top)) if sheet.start else {}
    widths = {row: left + len(cells) for row, cells in values.items()}
    for row, column in look.wrong:
        widths[row] = max(widths.get(row, 0), column + 1)
    for row in range(min(widths, default=0), max(widths, default=-1) + 1):
        cells = []
        for column in range(min(widths.get(row, 0), MOST_COLUMNS)):
            here = values.get(row, [])
            value = here[column - left] if left <= column < left + len(here) else None
            digits = zeros.get(look.styles.get((row, column), -1), 0)
            cells.append(look.wrong.get((row, column)) or _written(value, digits))
        hidden = row in look.hidden and not all(cell.empty for cell in cells)
        yield row + 1, cells, (Issue(IssueKind.HIDDEN),) if hidden else ()


def _written(value: Typed, digits: int) -> Written:
    """A value as it is shown: a number with `digits` at least."""
    match value:
        case None | "":
            return BLANK
        case bool():
            return Written(str(value).upper())
        case float() if not math.isfinite(value):
            return Written(str(value))
        case int() | float() if float(value).is_integer() and abs(value) < 10**15:
            return Written(str(int(value)).zfill(digits), value)
        case datetime():
            return Written(value.isoformat(" ", "minutes"), value)
        case date():
            return Written(value.isoformat(), value)
        case time():
            return Written(value.isoformat("minutes"), value)
        case timedelta():
            minutes = round(value / timedelta(minutes=1))
            return Written(f"{minutes // 60}:{minutes % 60:02}", value)
        case str():
            return Written(spellings.tidy(value.replace("\r\n", "\n").replace("\r", "\n")).strip())
    return Written(str(value), value)
