"""An address as a QR code, for the board in front of a house."""

from __future__ import annotations

from io import BytesIO

import segno


def write_code(address: str) -> bytes:
    """An SVG that a browser and a printer scale as they like; a quarter of it may be dirty and it is still read."""
    picture = BytesIO()
    code = segno.make_qr(address, error="q")
    code.save(picture, kind="svg", xmldecl=False, title=address, light="#fff", omitsize=True)
    return picture.getvalue()
