"""Files that nobody would upload who means well, or who has looked at them: made small here, large once unpacked."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.pictures import a_jpeg, a_pdf, a_png
from tools.project import ROOT

CASES: Final = sorted((ROOT / "tests" / "files").glob("*.xlsx"))
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
BROKEN: Final = [b"", b"9" * 12, b'"', b"<", b"/>", b"-1", b"NaN", b"1e400", b"&x;", b'r="ZZZ99"', b"s="]
MILLION: Final = 1_000_000


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return packed.getvalue()


def workbook(**parts: bytes) -> bytes:
    """A good one with other parts: their names with `__` for a slash."""
    there = zipfile.ZipFile(CASES[0])
    content = {name: there.read(name) for name in there.namelist()}
    return zipped(content | {f"{name.replace('__', '/')}.xml": part for name, part in parts.items()})


def many_entries() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"xl/{number}", b"")
    return packed.getvalue()


def with_rows(rows: str) -> bytes:
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return workbook(xl__worksheets__sheet1=sheet.encode())


RELATED: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
BOOK: Final = f'<Relationship Id="r" Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/>'
LONG: Final = "a" * MILLION


def book_of(*worksheets: str, listed: Sequence[int] = (), strings: str = "<sst></sst>") -> bytes:
    """A workbook of those worksheets and shared strings. `listed` says which it names: each once, unless told."""
    listed = listed or range(len(worksheets))
    sheets = "".join(f'<sheet name="{at}" sheetId="{at + 1}" r:id="r{id}"/>' for at, id in enumerate(listed))
    related = "".join(
        f'<Relationship Id="r{id}" Type="{RELATED}/worksheet" Target="worksheets/{id}.xml"/>'
        for id in range(len(worksheets))
    )
    return zipped(
        {
            "_rels/.rels": f"<Relationships>{BOOK}</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f"<Relationships>{related}</Relationships>",
            "xl/sharedStrings.xml": strings,
            **{
                f"xl/worksheets/{id}.xml": f'<worksheet xmlns="{MAIN}">{content}</worksheet>'
                for id, content in enumerate(worksheets)
            },
        }
    )


def rows_of_cells(cell: str, columns: int = 1, rows: int = 1) -> str:
    return f"<sheetData>{('<row>' + cell * columns + '</row>') * rows}</sheetData>"


def shared_strings(*texts: str) -> str:
    return f'<sst xmlns="{MAIN}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>'


def between(first: str, last: str, inside: str = "") -> str:
    """A worksheet of two cells."""
    cells = "".join(
        f'<row r="{cell.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}"><c r="{cell}">{more}<v>1</v></c></row>'
        for cell, more in ((first, ""), (last, inside))
    )
    return f"<sheetData>{cells}</sheetData>"


def far_row(number: str) -> str:
    """A worksheet of a cell, and of a row of many."""
    cell = "<c><v>1</v></c>"
    return f'<sheetData><row>{cell}</row><row r="{number}">{cell * 16_000}</row></sheetData>'


OVERLAPPING: Final = '<mergeCell ref="A1:A500000"/>' * 1000
BACKWARDS: Final = '<mergeCell ref="A500000:A1"/>' * 1000
SHARED: Final = '<c t="s"><v>1</v></c>'

DEADLY: Final[dict[str, Callable[[], bytes]]] = {
    "a long string in each cell": lambda: book_of(rows_of_cells(SHARED, 100, 50), strings=shared_strings("", LONG)),
    "a long string of many runs": lambda: book_of(
        rows_of_cells(SHARED, 100, 50),
        strings=f'<sst xmlns="{MAIN}"><si/><si>{f"<r><t>{LONG[:1000]}</t></r>" * 1000}</si></sst>',
    ),
    "a long string in each of many worksheets": lambda: book_of(
        *[rows_of_cells(SHARED, 2, 50)] * 50, strings=shared_strings("", LONG)
    ),
    "the number of a string in pieces": lambda: book_of(
        rows_of_cells('<c t="s"><v>1<!-- -->0</v></c>', 100, 50), strings=shared_strings("", LONG)
    ),
    "strings in strings": lambda: book_of(
        rows_of_cells(SHARED, 100, 50), strings=f'<sst xmlns="{MAIN}"><si><si/></si><si><t>{LONG}</t></si></sst>'
    ),
    "four billion strings": lambda: book_of(
        rows_of_cells(SHARED), strings=shared_strings("", "a").replace("<sst ", '<sst uniqueCount="4294967295" ')
    ),
    "a far cell with a near one in it": lambda: book_of(between("A1", "XFD1048576", '<is><c r="A1"></c></is>')),
    "a far cell with a row in it": lambda: book_of(between("A1", "XFD1048576", '<is><row r="1"></row></is>')),
    "a far row in many digits": lambda: book_of(far_row("00000001048576")),
    "a far row by the name of a cell": lambda: book_of(far_row("A1048576")),
    "far down in a far column": lambda: book_of(between("CV1", "CV500000")),
    "many tall worksheets": lambda: book_of(*[between("A1", "A500000")] * 50),
    "a worksheet under many names": lambda: book_of(
        rows_of_cells(f'<c t="inlineStr"><is><t>{LONG}</t></is></c>', 25), listed=[0] * 50
    ),
    "cells that overlap": lambda: book_of(
        f"{between('A1', 'A500000')}<mergeCells>{OVERLAPPING}{BACKWARDS}</mergeCells>"
    ),
    "lines of empty cells": lambda: b"date,time\n" + b",\n" * 2_500_000,
}
"""What has ended the process that read it, or has taken all of its time. To be read in a process of its own."""


def a_large_png(side: int) -> bytes:
    """A black square that takes some kilobytes, and as many bytes as it has pixels once it is decoded."""
    packer = zlib.compressobj(1)
    line = bytes(side + 1)
    data = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


HOSTILE: Final[dict[str, Callable[[], bytes]]] = {
    "a million rows.csv": lambda: b"p,d\n" + b"x,y\n" * MILLION,
    "a million columns.csv": lambda: b"date,time\n" + b"," * MILLION,
    "a line of 5 MB.csv": lambda: b"date,time\n" + b"x" * 5_000_000,
    "quotes that never end.csv": lambda: b"date,time\n" + b'"' * 2_000_001,
    "zeros.csv": lambda: bytes(2_000_000),
    "deep.ndjson": lambda: b'{"date":' * 200_000,
    "a number without end.ndjson": lambda: b'{"propertyId":"h1-a","date":' + b"9" * 100_000 + b"}",
    "half a letter.ndjson": lambda: json.dumps({"propertyId": "h1-a", "date": "\ud800", "time": "10:00"}).encode(),
    "a bomb.xlsx": lambda: workbook(xl__worksheets__sheet1=bytes(200_000_000)),
    "strings without end.xlsx": lambda: workbook(xl__sharedStrings=b" " * 200_000_000),
    "a million rows.xlsx": lambda: with_rows("<row><c><v>1</v></c></row>" * MILLION),
    "a far cell.xlsx": lambda: with_rows('<row r="9"><c r="XFD1048576"><v>1</v></c></row>'),
    "deep.xlsx": lambda: with_rows("<a>" * MILLION),
    "many entries.xlsx": many_entries,
    "20,000 pixels.png": lambda: a_large_png(20_000),
    "65,535 pixels.jpg": lambda: a_jpeg(1, width=65_535, height=65_535),
    "half.png": lambda: a_png(1)[:60],
    "half.jpg": lambda: a_jpeg(1)[:200],
    "no picture.jpg": lambda: b"\xff\xd8" + bytes(1000),
    "100 pages.pdf": lambda: a_pdf(100),
    "no pdf.pdf": lambda: b"%PDF-1.7\n" + bytes(1000),
    "a workbook by another name.csv": lambda: CASES[0].read_bytes()[:2000],
    "a picture by another name.xlsx": lambda: a_png(1),
}
"""By a name that says what it is."""


def mutated_workbooks(count: int, seed: int = 17) -> Iterator[tuple[Path, bytes]]:
    """Archives that are whole, with something broken in one of their parts."""
    chance = random.Random(seed)
    for _ in range(count):
        path = chance.choice(CASES)
        there = zipfile.ZipFile(path)
        hit = chance.choice([name for name in there.namelist() if name.endswith(".xml")])
        part = bytearray(there.read(hit))
        at = chance.randrange(len(part))
        broken = chance.choice(
            [b"", b"9" * 12, b'"', b"<", b"/>", b"-1", b"NaN", b"1e400", b"&x;", b'r="ZZZ99"', b"s="]
        )
        part[at : at + chance.randrange(30)] = broken
        yield path, zipped({name: bytes(part) if name == hit else there.read(name) for name in there.namelist()})
