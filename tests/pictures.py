"""Small pictures for tests, with what cameras add to them."""

from __future__ import annotations

import struct
import zlib
from typing import Final

GPS: Final = b"52.5200N 13.4050E"


def a_png(shade: int, width: int = 3, height: int = 2, *more: tuple[bytes, bytes]) -> bytes:
    """A grey picture; further chunks before its end."""
    lines = b"".join(b"\0" + bytes([shade % 256]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tEXt", b"Location\0" + GPS), (b"IDAT", zlib.compress(lines)), *more, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(a_chunk(*chunk) for chunk in chunks)


def a_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def a_jpeg(shade: int, orientation: int = 1, width: int = 8, height: int = 8) -> bytes:
    """The segments of a picture, with Exif, a comment and something behind the end."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + GPS
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            _segment(0xE1, exif),
            _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + GPS),
            _segment(0xFE, GPS),
            _segment(0xDB, b"\0" + bytes([1 + shade % 250]) * 64),
            _segment(0xC0, frame),
            _segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0"),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            b"\x12\xff\x00\x34\xff\xd0\x56",
            b"\xff\xd9",
            b"behind the end" + GPS,
        ]
    )


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def a_pdf(pages: int = 1) -> bytes:
    """Blank pages."""
    kids = " ".join(f"{3 + number} 0 R" for number in range(pages))
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        *["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"] * pages,
    ]
    document, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(document))
        document += f"{number} 0 obj\n{body}\nendobj\n".encode()
    lines = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{lines}"
    trailer = f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{len(document)}\n%%EOF\n"
    return document + end.encode() + trailer.encode()
