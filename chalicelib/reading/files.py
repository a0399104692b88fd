"""Files of visits, told apart by what is in them: what they are called is the sender's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.domain.sheets import MOST_BYTES_OF_FILE, CannotRead, Failure

if TYPE_CHECKING:
    from chalicelib.reading.grids import Source

_FOREIGN: Final = {
    b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a picture",
    b"\x89PNG": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"7z\xbc\xaf": "a compressed file",
    b"Rar!": "a compressed file",
    b"{\\rtf": "a text document",
    b"BEGIN:VCAL": "a calendar",
}
_PAGE: Final = (b"<!doctype", b"<html", b"<?xml")


def read_file(content: bytes) -> Source:
    """The tables of a CSV, NDJSON or XLSX file. Raises CannotRead."""
    if len(content) > MOST_BYTES_OF_FILE:
        raise CannotRead(Failure.TOO_LARGE, f"a file has {MOST_BYTES_OF_FILE >> 20} MB at most: divide it")
    if not content.strip():
        raise CannotRead(Failure.NOT_A_TABLE, "it is empty")
    for mark, what in _FOREIGN.items():
        if content.startswith(mark):
            raise CannotRead(Failure.UNSUPPORTED, f"it is {what}: a file is CSV, NDJSON or XLSX")
    if content.lstrip()[:200].lower().startswith(_PAGE):
        raise CannotRead(Failure.UNSUPPORTED, "it is a web page or XML: save the table as XLSX or CSV UTF-8")
    return _reader(content)


def _reader(content: bytes) -> Source:
    # Only what the file needs: a library of a megabyte is for workbooks alone.
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        from chalicelib.reading.workbooks import read_workbook

        return read_workbook(content)
    if _is_json(content):
        from chalicelib.reading.json_lines import read_json_lines

        return read_json_lines(content)
    from chalicelib.reading.delimited import read_delimited

    return read_delimited(content)


def _is_json(content: bytes) -> bool:
    beginning = content[:64].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return beginning.startswith((b"{", b"[{", b"[\n", b"[ ", b"[\r")) or beginning == b"["
