"""Files that nobody would upload who means well, or who has looked at them: made small here, large once unpacked."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.pictures import a_jpeg, a_pdf, a_png
from tools.project import ROOT

CASES: Final = sorted((ROOT / "tests" / "files").glob("*.xlsx"))
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
BROKEN: Final = [b"", b"9" * 12, b'"', b"<", b"/>", b"-1", b"NaN", b"1e400", b"&x;", b'r="ZZZ99"', b"s="]
MILLION: Final = 1_000_000


def workbook(**parts: bytes) -> bytes:
    """A good one with other parts: their names with `__` for a slash."""
    there = zipfile.ZipFile(CASES[0])
    content = {name: there.read(name) for name in there.namelist()}
    content |= {f"{name.replace('__', '/')}.xml": part for name, part in parts.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in content.items():
            archive.writestr(name, part)
    return packed.getvalue()


def many_entries() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(40_000):
            archive.writestr(f"xl/{number}", b"")
    return packed.getvalue()


def with_rows(rows: str) -> bytes:
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return workbook(xl__worksheets__sheet1=sheet.encode())


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
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in there.namelist():
                archive.writestr(name, bytes(part) if name == hit else there.read(name))
        yield path, packed.getvalue()
