"""Sheets for tests: an agency's properties, files with one row, and answers as Textract gives them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date

from chalicelib.domain.sheets import Cell, Field, IssueKind, Known, NamedProperty, Reading, Settings, SheetRow
from chalicelib.reading import read_answer, read_file, read_rows

TODAY = date(2026, 11, 27)
BERLIN = Settings("Europe/Berlin")
AGENCY = Known(
    (
        NamedProperty("h1-a", "Villa Elm", "12 Elm St., Berlin"),
        NamedProperty("h1-b", "Altbau Mitte", "Torstraße 45, 10119 Berlin"),
        NamedProperty("h1-c", "Loft Chicago", "233 S Wacker Drive, Chicago"),
        NamedProperty("h1-cap2", "Hall", "Hafenstr. 3, Hamburg"),
        NamedProperty("es-1", "Ático Alcalá", "C/ Alcalá 45, 3º B, Madrid"),
        NamedProperty("es-2", "Bajo Alcalá", "C/ Alcalá 47, bajo, Madrid"),
    )
)


def read(content: bytes, settings: Settings = BERLIN, known: Known = AGENCY, today: date = TODAY) -> Reading:
    return read_rows(read_file(content), settings, known, today)


def rows_of(text: str, settings: Settings = BERLIN, today: date = TODAY) -> tuple[SheetRow, ...]:
    return read(text.encode(), settings, today=today).rows


def cell_of(heading: str, written: str, field: Field, settings: Settings = BERLIN) -> Cell:
    """What becomes of one cell under a heading, in a row that is fine otherwise."""
    others = {"propertyId": "h1-a", "date": "2027-03-12", "time": "10:30", "notes": "x"}
    columns = {name: text for name, text in others.items() if name != heading} | {heading: written}
    quoted = ['"' + text.replace('"', '""') + '"' for text in columns.values()]
    (row,) = rows_of(f"{','.join(columns)}\n{','.join(quoted)}\n", settings)
    return row.cell(field)


def kinds(cell: Cell) -> list[IssueKind]:
    return [issue.kind for issue in cell.issues]


def marks(row: SheetRow) -> set[tuple[Field | None, IssueKind]]:
    return {(field, issue.kind) for field, issue in row.all_issues}


Block = dict[str, object]


def an_answer(
    *grids: Sequence[Sequence[str]],
    confidence: float = 99.0,
    sure: Mapping[str, float] | None = None,
    above: str = "",
) -> Mapping[str, object]:
    """An answer of AnalyzeDocument with tables of those texts, each cell a tenth wide; `sure` is by word."""
    numbers = itertools.count()
    blocks: list[Block] = []

    def block(kind: str, top: float, left: float, children: Sequence[str] = (), **more: object) -> str:
        box = {"Left": left, "Top": top, "Width": 0.1, "Height": 0.05}
        made: Block = {"Id": f"b{next(numbers)}", "BlockType": kind, "Geometry": {"BoundingBox": box}, **more}
        if children:
            made["Relationships"] = [{"Type": "CHILD", "Ids": list(children)}]
        blocks.append(made)
        return str(made["Id"])

    def written(text: str, top: float, left: float) -> list[str]:
        return [
            block("WORD", top, left, Text=word, Confidence=(sure or {}).get(word, confidence)) for word in text.split()
        ]

    block("PAGE", 0.0, 0.0)
    if above:
        block("LINE", 0.0, 0.0, written(above, 0.0, 0.0), Text=above)
    for number, grid in enumerate(grids):
        cells = []
        for row, texts in enumerate(grid):
            for column, text in enumerate(texts):
                top, left = 0.1 + 0.05 * row, 0.1 * column
                words = written(text, top, left)
                block("LINE", top, left, words, Text=text)
                cells.append(block("CELL", top, left, words, RowIndex=row + 1, ColumnIndex=column + 1))
        block("TABLE", 0.1 + 0.4 * number, 0.0, cells)
    return {"Blocks": blocks}


def photographed(answer: Mapping[str, object], settings: Settings = BERLIN) -> Reading:
    return read_rows(read_answer(answer), settings, AGENCY, TODAY)
