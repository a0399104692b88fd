"""Reads pictures in the environment .venv-ocr: each comes on standard input, its answer goes to standard output.

Before a picture stands its length, in eight bytes, and so before an answer: what AnalyzeDocument answers, as JSON, or
`{"refused": <code of the exception>}`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import pypdfium2

from devstack.textract.blocks import answer_of
from devstack.textract.reader import MOST_SIDE, Reader
from devstack.textract.rules import Picture
from devstack.textract.texts import Texts

DOTS_PER_INCH: Final = 200
MOST_PIXELS_ACROSS: Final = 10_000
"""https://docs.aws.amazon.com/textract/latest/dg/limits-document.html"""


class Refused(Exception):
    """A picture that Textract would not take; the message is the code that it says so with."""


def picture_of(content: bytes) -> Picture:
    """Raises Refused."""
    if content.startswith(b"%PDF-"):
        return _page(content)
    if not content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise Refused("UnsupportedDocumentException")
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        picture = None
    if picture is None or max(picture.shape[:2]) > MOST_PIXELS_ACROSS:
        raise Refused("BadDocumentException")
    return np.asarray(picture, np.uint8)


def _page(content: bytes) -> Picture:
    """The page of a PDF that has one."""
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError:
        raise Refused("BadDocumentException") from None
    if len(document) != 1:
        raise Refused("UnsupportedDocumentException")
    page = document[0]
    largest = max(page.get_size())
    drawn = page.render(scale=min(DOTS_PER_INCH / 72, MOST_SIDE / max(largest, 1)))
    return np.ascontiguousarray(drawn.to_numpy()[:, :, :3])


def _answer(reader: Reader, content: bytes) -> Mapping[str, Any]:
    try:
        return answer_of(reader.read(picture_of(content)), hashlib.sha256(content).hexdigest())
    except Refused as why:
        return {"refused": str(why)}


def _receive(pipe: BinaryIO) -> bytes | None:
    length = int.from_bytes(pipe.read(8))
    return pipe.read(length) if length else None


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print is for people.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    reader = Reader(Texts())
    while (content := _receive(sys.stdin.buffer)) is not None:
        answer = json.dumps(_answer(reader, content)).encode()
        answers.write(len(answer).to_bytes(8) + answer)
        answers.flush()


if __name__ == "__main__":
    main()
