"""CSV as programs and people save it: any separator, any encoding that Europe has used."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from chalicelib.domain import spellings
from chalicelib.domain.sheets import CannotRead, Failure, Remark, RemarkKind
from chalicelib.reading.grids import BLANK, MOST_COLUMNS, Grid, Source, Written, grid_of
from chalicelib.reading.headers import heading

SEPARATORS: Final = ",;\t|^~:"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ONE_BYTE: Final = ("cp1252", "iso8859-15", "mac-roman", "cp850", "cp437", "cp1250")
_LETTERS: Final = frozenset("áéíóúüñàâçèêëîïôùûœäößæåøìòãõÁÉÍÓÚÜÑÀÂÇÈÊËÎÏÔÙÛŒÄÖÅØẞ")
_SIGNS: Final = frozenset("ºª€¿¡–—’‘“”„«»°·½…\u00a0\u00ad")
_GUARD: Final = re.compile(r"^'(?='*[\t\r\n])|(^|[;\t\r\n])'(?='*[=+\-@＝＋－＠])")
"""The apostrophe that `exports.csv` puts in front of what a spreadsheet would run."""
_LONGEST_CELL: Final = 50_000
_SAMPLE_LINES: Final = 40
_SAMPLE_BYTES: Final = 50_000


def read_delimited(content: bytes) -> Source:
    """The table of a CSV file. Raises CannotRead."""
    text, remarks = decoded(content)
    # A program that declares nothing, or what cannot be a separator, has not said what it is.
    declared = re.match(r'"?sep=([^"\r\n]?)"*[,;\t]*\r?\n', text)
    body = text[declared.end() :] if declared else text
    separator = (declared and declared[1]) or _separator(body)
    rows = _rows(body, separator, 2 if declared else 1)
    grid: Grid = grid_of((line, cells, ()) for line, cells in rows)
    return Source((grid,), False, remarks)


def decoded(content: bytes) -> tuple[str, tuple[Remark, ...]]:
    """The text, and a remark where the encoding had to be assumed. Raises CannotRead for what is no text."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _text(content[len(mark) :], encoding), ()
    if wide := _wide(content):
        return _text(content, wide), ()
    try:
        return _text(content, "utf-8"), ()
    except CannotRead:
        pass
    if b"\0" in content:
        raise CannotRead(Failure.UNREADABLE, "it is not text: save it as CSV UTF-8")
    odd = b"\n".join(re.findall(rb"[^\n]*[\x80-\xff][^\n]*", content))[:_SAMPLE_BYTES]
    encoding = max(_ONE_BYTE, key=lambda name: _plausible(odd, name))
    return _text(content, encoding), (Remark(RemarkKind.ENCODING_ASSUMED, encoding),)


def _wide(content: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: every other byte of mostly Latin text is zero."""
    sample = content[:4000]
    if len(sample) < 8 or sample.count(0) < len(sample) // 4:
        return None
    zeros = [sample[start::4].count(0) * 4 > len(sample) * 0.7 for start in range(4)]
    wide = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return wide.get((zeros[0], zeros[1], zeros[2], zeros[3]))


def _text(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise CannotRead(Failure.UNREADABLE, "its encoding is broken: save it as CSV UTF-8") from None
    if "\0" in text:
        raise CannotRead(Failure.UNREADABLE, "it is not text: save it as CSV UTF-8")
    return text


def _plausible(content: bytes, encoding: str) -> int:
    """How much of what is not ASCII would be letters and signs of our languages, where letters stand."""
    text = content.decode(encoding, "replace")
    odd = re.finditer(r"(.?)([^\x00-\x7f])(.?)", text)
    return sum(_worth(found[1], found[2], found[3]) for found in odd)


def _worth(before: str, letter: str, behind: str) -> int:
    if letter in _LETTERS:
        # Capitals stand first or among capitals: "MÉxico" is another encoding's "México".
        return -1 if letter.isupper() and before.islower() else 3
    if letter in _SIGNS:
        return -1 if before.isalpha() and behind.isalpha() and letter not in "’\u00ad" else 1
    return -3


def _separator(text: str) -> str:
    """What parts the most headings that we know; where that is a draw, the most cells."""
    sample = "\n".join(text.splitlines()[:_SAMPLE_LINES])
    return max(SEPARATORS, key=lambda separator: (*_parts(sample, separator), -SEPARATORS.index(separator)))


def _parts(sample: str, separator: str) -> tuple[int, int]:
    try:
        rows = [cells for _, cells in _rows(sample, separator, 1)]
    except CannotRead:
        return 0, 0
    headings = [sum(bool(heading(cell.text).fields) for cell in cells) for cells in rows if len(cells) > 1]
    widths = sorted(len(cells) for cells in rows)
    return max(headings, default=0), widths[len(widths) // 2] if widths else 0


def _rows(text: str, separator: str, first: int) -> Iterator[tuple[int, Sequence[Written]]]:
    # Quotes that never end make one cell of the rest: more than any cell has is a mistake.
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    line = first
    try:
        for cells in reader:
            # One more than a table has, so that a row with too many cells shows.
            yield line, [_written(cell) for cell in cells[: MOST_COLUMNS + 1]]
            line = first + reader.line_num
    except csv.Error:
        raise CannotRead(
            Failure.NOT_A_TABLE, f"line {line} does not end: a quotation mark that opens a text must close it"
        ) from None


def _written(cell: str) -> Written:
    return Written(_GUARD.sub(r"\1", spellings.tidy(cell).strip())) if cell else BLANK
