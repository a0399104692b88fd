"""Exported sheets as programs open them: each cell by its type, and what it says beside what the API says."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

import openpyxl
from python_calamine import CalamineWorkbook

from chalicelib.domain.sheets import Field
from chalicelib.exports.sheets import COLUMNS

Rows = Sequence[Sequence[Any]]


def by_openpyxl(content: bytes) -> Mapping[str, Rows]:
    return {sheet.title: list(sheet.values) for sheet in openpyxl.load_workbook(io.BytesIO(content))}


def by_calamine(content: bytes) -> Mapping[str, Rows]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


OPENED: Final[Sequence[Callable[[bytes], Mapping[str, Rows]]]] = (by_openpyxl, by_calamine)


def assert_workbook(content: bytes, rows: Iterable[Mapping[str, str | None]]) -> None:
    """The first worksheet has what was understood of each row, as a date, a time, a number or a text."""
    expected = [{field: typed(field, value) for field, value in row.items() if value} for row in rows]
    for opened in OPENED:
        sheets = opened(content)
        ids = {name: id for name, _, id in sheets.get("Properties", ())}
        header, *lines = sheets["Visits"]
        assert list(header[: len(COLUMNS)]) == [column.name for column in COLUMNS]
        shown = [
            {column.field: _plain(cell) for column, cell in zip(COLUMNS, line, strict=False)}
            for line in lines
            if any(cell not in (None, "") for cell in line)
        ]
        for each in shown:
            each[Field.PROPERTY] = ids.get(each[Field.PROPERTY], each[Field.PROPERTY])
        assert [
            {field: each[Field(field)] for field in wanted} for each, wanted in zip(shown, expected, strict=True)
        ] == expected


def typed(field: str, value: str) -> object:
    match field:
        case Field.DATE:
            return date.fromisoformat(value)
        case Field.TIME:
            clock = time.fromisoformat(value)
            return clock if clock.tzinfo is None else value
        case Field.DURATION:
            return int(value)
    return value


def _plain(cell: object) -> object:
    """Programs differ in what they make of a day, and of a whole number."""
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date()
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
