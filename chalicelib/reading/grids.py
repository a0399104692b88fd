"""Grids: tables as they were written, before anybody asks what they mean. Every source of sheets makes these."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final

from chalicelib.domain.sheets import MOST_ROWS, CannotRead, Failure, Issue, Place, Remark
from chalicelib.record import Record

Typed = str | int | float | bool | datetime | date | time | timedelta | None

MOST_COLUMNS: Final = 100
_MOST_LINES: Final = 1 << 20
"""Empty ones included: no spreadsheet has more."""
LONGEST_FACT: Final = 300
"""Of a text that can be a date, a number, an address: nobody needs longer ones, and reading them could take ages."""


def too_many_rows() -> CannotRead:
    return CannotRead(Failure.TOO_LARGE, f"a sheet has {MOST_ROWS:,} rows at most: divide it")


class Written(Record):
    """A cell as written. `typed` is what a spreadsheet knows beyond its text."""

    text: str
    typed: Typed = None
    confidence: float | None = None
    place: Place | None = None
    issues: tuple[Issue, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.text and not self.issues


BLANK: Final = Written("")


class Line(Record):
    """A row of a grid, with the number that a person finds it by."""

    number: int
    cells: tuple[Written, ...]
    issues: tuple[Issue, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.issues and all(cell.empty for cell in self.cells)

    @property
    def filled(self) -> Sequence[Written]:
        return [cell for cell in self.cells if not cell.empty]


class Merge(Record):
    """Cells that are one: row and column of the first, counted from 0, and how many they are each way."""

    row: int
    column: int
    rows: int
    columns: int


class Grid(Record):
    lines: tuple[Line, ...]
    name: str = ""
    """The worksheet's; empty where there is only one table."""
    title: str = ""
    """What it says above the table."""
    merges: tuple[Merge, ...] = ()
    since_1904: bool = False
    """Whether days are counted from 1904: workbooks of old Macs."""

    @property
    def width(self) -> int:
        return max((len(line.cells) for line in self.lines), default=0)


class Source(Record):
    """All tables of an upload. Somebody typed a file; a picture was recognised, and is never taken on trust."""

    grids: tuple[Grid, ...]
    recognised: bool
    remarks: tuple[Remark, ...] = ()


def grid_of(rows: Iterable[tuple[int, Sequence[Written], tuple[Issue, ...]]], name: str = "") -> Grid:
    """A grid of numbered rows, each with its own issues. Raises CannotRead when there are too many."""
    lines: list[Line] = []
    filled = 0
    for number, cells, issues in rows:
        line = Line(number, tuple(cells), issues)
        filled += not line.empty
        # One for the header, some for titles and repeated headers: the reader of rows counts exactly.
        if filled > MOST_ROWS + 100 or len(lines) == _MOST_LINES:
            raise too_many_rows()
        lines.append(line)
    return Grid(tuple(lines), name)


def joined(grid: Grid) -> Grid:
    """With what stands in a cell that spans several rows in each of them: the day of three visits, say."""
    if not grid.merges:
        return grid
    rows = [list(line.cells) for line in grid.lines]
    for merge in grid.merges:
        column = merge.column
        if merge.columns == 1 and 0 <= merge.row < len(rows) and column < len(rows[merge.row]):
            first = rows[merge.row][column]
            for row in rows[merge.row + 1 : merge.row + merge.rows]:
                if column < len(row) and row[column].empty:
                    row[column] = first
    return replace(
        grid, lines=tuple(replace(line, cells=tuple(cells)) for line, cells in zip(grid.lines, rows, strict=True))
    )


def folded(text: str) -> str:
    """Without case and accents, as people compare words: Straße is strasse, Día is dia."""
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("\u2044", "/"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold().replace("\u2044", "/")
