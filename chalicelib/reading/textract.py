"""The tables in an answer of Amazon Textract's AnalyzeDocument.

Every position of a table is a CELL that spans nothing; a MERGED_CELL lies over some of them and has their words between
it. What Textract calls a header is not asked: it marks every row of a form as one. Titles inside a table are no rows of
it; titles of sections are. Answers for one page carry no page number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from chalicelib.domain.sheets import CannotRead, Failure, Place
from chalicelib.reading.grids import BLANK, Grid, Line, Merge, Source, Written

_TITLES: Final = frozenset({"TABLE_TITLE", "TITLE"})
_FOOTERS: Final = frozenset({"TABLE_FOOTER", "FOOTER"})
_MOST_CELLS: Final = 20_000

Block = Mapping[str, object]
_Spot = tuple[int, int]


def _no_sense() -> CannotRead:
    return CannotRead(Failure.UNREADABLE, "the recognition of the picture gave no sense: take it anew")


def read_answer(answer: Mapping[str, object]) -> Source:
    """The tables of a picture. Raises CannotRead when it has none."""
    try:
        grids = tuple(_Answer(_blocks(answer)).grids())
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise _no_sense() from None
    if not grids:
        raise CannotRead(
            Failure.NOT_A_TABLE, "no table was found on the picture: photograph the whole sheet from above"
        )
    return Source(grids, True)


def _blocks(answer: Mapping[str, object]) -> Sequence[Block]:
    blocks = answer.get("Blocks")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise _no_sense()
    return blocks


@dataclass
class _Found:
    """A cell on the way to a grid."""

    written: Written
    kinds: frozenset[str]


@dataclass
class _Table:
    cells: dict[_Spot, _Found] = field(default_factory=dict)
    merges: list[Merge] = field(default_factory=list)


class _Answer:
    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self._by_id = {str(block["Id"]): block for block in blocks}
        self._pages: dict[str, int] = {}
        page = 0
        for block in blocks:
            page += block["BlockType"] == "PAGE"
            told = block.get("Page")
            self._pages[str(block["Id"])] = told if isinstance(told, int) else max(page, 1)

    def grids(self) -> Iterator[Grid]:
        for block in self._blocks:
            if block["BlockType"] == "TABLE" and (grid := self._grid(block)):
                yield grid

    def _grid(self, block: Block) -> Grid | None:
        table = _Table()
        for cell in self._related(block, "CHILD"):
            if cell["BlockType"] == "CELL":
                table.cells[_spot(cell)] = _Found(self._written(cell), _kinds(cell))
        for merged in self._related(block, "MERGED_CELL"):
            self._merge(table, merged)
        if not table.cells:
            return None
        rows, columns = (max(spot[side] for spot in table.cells) + 1 for side in (0, 1))
        if rows * columns > _MOST_CELLS:
            raise _no_sense()
        outside = {spot[0] for spot, found in table.cells.items() if found.kinds & (_TITLES | _FOOTERS)}
        lines = [
            Line(
                row + 1,
                tuple(
                    found.written if (found := table.cells.get((row, column))) else BLANK for column in range(columns)
                ),
            )
            for row in range(rows)
            if row not in outside
        ]
        # Merges are counted in rows of the grid, without the rows of titles.
        kept = [row for row in range(rows) if row not in outside]
        merges = [
            Merge(kept.index(merge.row), merge.column, merge.rows, merge.columns)
            for merge in table.merges
            if merge.row in kept
        ]
        return Grid(tuple(lines), "", self._title(block), tuple(merges))

    def _merge(self, table: _Table, merged: Block) -> None:
        """The words between the parts belong to the whole, which stands in its first position."""
        spots = sorted(_spot(part) for part in self._related(merged, "CHILD") if part["BlockType"] == "CELL")
        parts = [table.cells[spot] for spot in spots if spot in table.cells]
        if not parts:
            return
        text = " ".join(part.written.text for part in parts if part.written.text)
        sure = [part.written.confidence for part in parts if part.written.confidence is not None]
        whole = Written(text, None, min(sure, default=None), self._place(merged))
        kinds = _kinds(merged).union(*(part.kinds for part in parts))
        for spot in spots:
            table.cells[spot] = _Found(BLANK if spot != spots[0] else whole, kinds)
        (top, left), (bottom, right) = spots[0], (max(row for row, _ in spots), max(column for _, column in spots))
        table.merges.append(Merge(top, left, bottom - top + 1, right - left + 1))

    def _title(self, table: Block) -> str:
        """What belongs to the table by name, or else what the page says above it."""
        titles = list(self._related(table, *_TITLES))
        if titles:
            return " ".join(self._written(title).text for title in titles)
        here, page = self._place(table), self._pages[str(table["Id"])]
        inside = {str(word["Id"]) for block in self._of_page("TABLE", page) for word in self._words_within(block)}
        above = [
            line
            for line in self._of_page("LINE", page)
            if not any(str(word["Id"]) in inside for word in self._related(line, "CHILD"))
            and (place := self._place(line)) is not None
            and (here is None or place.top < here.top)
        ]
        return " ".join(str(line.get("Text", "")) for line in above)

    def _of_page(self, kind: str, page: int) -> Iterator[Block]:
        return (each for each in self._blocks if each["BlockType"] == kind and self._pages[str(each["Id"])] == page)

    def _words_within(self, table: Block) -> Iterator[Block]:
        cells = self._related(table, "CHILD")
        return chain.from_iterable(self._related(cell, "CHILD") for cell in cells)

    def _related(self, block: Block, *kinds: str) -> Iterator[Block]:
        relations = block.get("Relationships") or ()
        if not isinstance(relations, list | tuple):
            raise _no_sense()
        for relation in relations:
            if relation["Type"] in kinds:
                yield from (self._by_id[id] for id in relation["Ids"] if id in self._by_id)

    def _written(self, block: Block) -> Written:
        texts: list[str] = []
        sure: list[float] = []
        for word in self._related(block, "CHILD"):
            if word["BlockType"] == "WORD":
                texts.append(str(word["Text"]))
            elif word["BlockType"] == "SELECTION_ELEMENT" and word.get("SelectionStatus") == "SELECTED":
                texts.append("X")
            else:
                continue
            confidence = word.get("Confidence")
            if isinstance(confidence, int | float):
                sure.append(round(confidence / 100, 4))
        return Written(" ".join(texts), None, min(sure, default=None), self._place(block))

    def _place(self, block: Block) -> Place | None:
        geometry = block.get("Geometry")
        box = geometry.get("BoundingBox") if isinstance(geometry, dict) else None
        if not isinstance(box, dict):
            return None
        left, top, width, height = (round(float(box[side]), 4) for side in ("Left", "Top", "Width", "Height"))
        return Place(self._pages[str(block["Id"])], left, top, width, height)


def _spot(cell: Block) -> _Spot:
    row, column = cell["RowIndex"], cell["ColumnIndex"]
    if not isinstance(row, int) or not isinstance(column, int) or row < 1 or column < 1:
        raise _no_sense()
    return row - 1, column - 1


def _kinds(block: Block) -> frozenset[str]:
    kinds = block.get("EntityTypes")
    return frozenset(kinds) if isinstance(kinds, list) else frozenset()
