"""Pictures without what a camera or a program adds to them: where and when they were taken, by whom, and previews.

A picture is a chain of segments or chunks; those that make the picture are copied, unchanged, and nothing else: also
not what some telephones hang behind the end, such as a film. Sixty lines instead of an imaging library of seven
megabytes, which would decode what strangers send and write it anew with a loss.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from chalicelib.domain.sheets import CannotRead, Failure, Kind
from chalicelib.record import Record

MOST_PIXELS_ACROSS: Final = 10_000
"""What the recognition takes: https://docs.aws.amazon.com/textract/latest/dg/limits-document.html"""

_JPEG: Final = b"\xff\xd8"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs", b"bKGD")
)
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))
_EXIF: Final = b"Exif\0\0"


class Picture(Record):
    content: bytes
    orientation: int = 1
    """How it is to be turned to be upright, as Exif counts: 1 to 8."""


def clean_picture(content: bytes) -> Picture:
    """The picture and nothing else; a PDF as it is, for what it carries cannot be told from its page.

    Raises CannotRead.
    """
    try:
        if content.startswith(_JPEG):
            return _clean_jpeg(content)
        if content.startswith(_PNG):
            return Picture(_PNG + b"".join(_png_chunks(content)))
    except (struct.error, IndexError):
        raise _damaged() from None
    if content.startswith(b"%PDF-"):
        return Picture(content)
    kinds = ", ".join(kind.name for kind in Kind if kind.recognised)
    raise CannotRead(Failure.UNSUPPORTED, f"a picture of a sheet is one of {kinds}")


def _damaged() -> CannotRead:
    return CannotRead(Failure.UNREADABLE, "the picture is damaged or incomplete: send it again")


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MOST_PIXELS_ACROSS:
        raise CannotRead(Failure.TOO_LARGE, f"a picture has {MOST_PIXELS_ACROSS:,} pixels a side at most: make it less")
    if not min(width, height):
        raise _damaged()


def _clean_jpeg(content: bytes) -> Picture:
    kept, orientation, at, framed = [_JPEG], 1, 2, False
    while True:
        if content[at] != 0xFF:
            raise _damaged()
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xD9:
            if not framed:
                raise _damaged()
            return Picture(b"".join([*kept, b"\xff\xd9"]), orientation)
        if marker in _ALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        body = content[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise _damaged()
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", body, 1)
            _check_size(width, height)
            framed = True
        if marker == 0xE1 and body.startswith(_EXIF):
            orientation = _orientation(body[len(_EXIF) :])
        end = at + 2 + length
        if marker == 0xDA:
            end = _end_of_scan(content, end)
        if _makes_the_picture(marker, body):
            kept.append(content[at:end])
        at = end


def _makes_the_picture(marker: int, body: bytes) -> bool:
    """All but the applications' own segments, of which three say how colours are meant, and comments."""
    if marker == 0xE0:
        return body.startswith(b"JFIF\0")
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    if marker == 0xEE:
        return body.startswith(b"Adobe")
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _end_of_scan(content: bytes, at: int) -> int:
    """Where the compressed data end: at a marker that does not belong to them."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise _damaged()
        if content[at + 1] != 0 and content[at + 1] not in _ALONE:
            return at
        at += 2


def _orientation(exif: bytes) -> int:
    """Tag 0x0112 of the first directory (TIFF 6.0); 1 where it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, directory)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, directory + 2 + 12 * entry)
            if tag == 0x0112:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _png_chunks(content: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        (checksum,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[at + 4 : end - 4]) != checksum or (at == len(_PNG)) != (kind == b"IHDR"):
            raise _damaged()
        if kind == b"IHDR":
            _check_size(*struct.unpack_from(">II", content, at + 8))
        if kind in _PNG_KEPT:
            yield content[at:end]
        at = end
