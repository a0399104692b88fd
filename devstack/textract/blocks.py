"""A page as Amazon Textract tells it: a list of blocks that refer to each other.

Every position of a table is a CELL that spans nothing, and a MERGED_CELL lies over those that are one:
https://docs.aws.amazon.com/textract/latest/dg/how-it-works-tables.html
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from devstack.textract.pages import Cell, Corners, Line, Page, Table, Word

THE_PAGE: Final[Corners] = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
SURE: Final = 99.0
"""Of rules and positions, in percent: how sure it is of texts is what the recogniser says."""

Block = dict[str, Any]


def answer_of(page: Page, key: str) -> Mapping[str, Any]:
    """The answer of AnalyzeDocument. The same picture, of which `key` is the digest, has the same ids."""
    return {
        "DocumentMetadata": {"Pages": 1},
        "AnalyzeDocumentModelVersion": "1.0",
        "Blocks": _Blocks(key).of(page),
    }


class _Blocks:
    def __init__(self, key: str) -> None:
        self._key = key
        self._numbers = itertools.count()
        self._made: list[Block] = []
        self._words_of: dict[int, list[str]] = {}
        """A word is one block, in its line as in its cell."""

    def of(self, page: Page) -> list[Block]:
        root = self._block("PAGE", THE_PAGE)
        children = [self._line(line) for line in page.lines]
        for table in page.tables:
            children += self._table(table)
        _relate(root, "CHILD", children)
        return self._made

    def _block(self, kind: str, corners: Corners, **more: object) -> Block:
        id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._key}/{next(self._numbers)}"))
        block: Block = {"BlockType": kind, "Id": id, "Geometry": _geometry(corners), **more}
        self._made.append(block)
        return block

    def _line(self, line: Line) -> str:
        sure = min((word.confidence for word in line.words), default=0.0)
        block = self._block("LINE", line.corners, Text=line.text, Confidence=100 * sure)
        _relate(block, "CHILD", self._words([line]))
        return str(block["Id"])

    def _words(self, lines: Iterable[Line]) -> list[str]:
        ids: list[str] = []
        for line in lines:
            if id(line) not in self._words_of:
                self._words_of[id(line)] = [self._word(word) for word in line.words]
            ids += self._words_of[id(line)]
        return ids

    def _word(self, word: Word) -> str:
        said = {"Text": word.text, "Confidence": 100 * word.confidence, "TextType": "PRINTED"}
        return str(self._block("WORD", word.corners, **said)["Id"])

    def _table(self, table: Table) -> Iterable[str]:
        """The table, its title and its lines, all of which are children of the page."""
        kind = "STRUCTURED_TABLE" if table.ruled else "SEMI_STRUCTURED_TABLE"
        block = self._block("TABLE", table.corners, Confidence=SURE, EntityTypes=[kind])
        yield block["Id"]
        header = _header_row(table)
        cells: list[str] = []
        merged: list[str] = []
        for cell in table.cells:
            of_cell, over_it = self._cell(cell, _entities(cell, header))
            cells += of_cell
            merged += over_it
            yield from (self._line(line) for line in cell.lines)
        _relate(block, "CHILD", cells)
        _relate(block, "MERGED_CELL", merged)
        if table.title:
            title = self._block("TABLE_TITLE", table.title[0].corners, Confidence=SURE)
            _relate(title, "CHILD", self._words(table.title))
            _relate(block, "TABLE_TITLE", [title["Id"]])
            yield title["Id"]
            yield from (self._line(line) for line in table.title)

    def _cell(self, cell: Cell, entities: Mapping[str, object]) -> tuple[list[str], list[str]]:
        """The ids of its positions, and of what lies over them if they are several."""
        at = {"RowIndex": cell.row + 1, "RowSpan": 1, "Confidence": SURE, **entities}
        parts = []
        for number in range(cell.columns):
            corners = _part(cell.corners, number / cell.columns, (number + 1) / cell.columns)
            part = self._block("CELL", corners, **at, ColumnIndex=cell.column + number + 1, ColumnSpan=1)
            _relate(part, "CHILD", self._words(cell.lines) if number == 0 else [])
            parts.append(part["Id"])
        if cell.columns == 1:
            return parts, []
        over = self._block("MERGED_CELL", cell.corners, **at, ColumnIndex=cell.column + 1, ColumnSpan=cell.columns)
        _relate(over, "CHILD", parts)
        return parts, [over["Id"]]


def _relate(block: Block, kind: str, ids: Iterable[str]) -> None:
    if found := list(ids):
        block.setdefault("Relationships", []).append({"Type": kind, "Ids": found})


def _geometry(corners: Corners) -> Mapping[str, Any]:
    inside = [(min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in corners]
    across, down = [x for x, _ in inside], [y for _, y in inside]
    box = {"Left": min(across), "Top": min(down), "Width": max(across) - min(across), "Height": max(down) - min(down)}
    return {"BoundingBox": box, "Polygon": [{"X": x, "Y": y} for x, y in inside]}


def _part(corners: Corners, begin: float, end: float) -> Corners:
    """A part of the width."""
    top_left, top_right, bottom_right, bottom_left = corners

    def at(left: tuple[float, float], right: tuple[float, float], share: float) -> tuple[float, float]:
        return left[0] + (right[0] - left[0]) * share, left[1] + (right[1] - left[1]) * share

    return (
        at(top_left, top_right, begin),
        at(top_left, top_right, end),
        at(bottom_left, bottom_right, end),
        at(bottom_left, bottom_right, begin),
    )


def _header_row(table: Table) -> int | None:
    """The first row that has all columns for itself, and says something."""
    columns = 1 + max((cell.column + cell.columns - 1 for cell in table.cells), default=0)
    for row in sorted({cell.row for cell in table.cells}):
        cells = [cell for cell in table.cells if cell.row == row]
        if len(cells) == columns and any(cell.lines for cell in cells):
            return row
    return None


def _entities(cell: Cell, header: int | None) -> Mapping[str, object]:
    if cell.columns > 1 and (header is None or cell.row < header):
        return {"EntityTypes": ["TABLE_TITLE"]}
    return {"EntityTypes": ["COLUMN_HEADER"]} if cell.row == header else {}
