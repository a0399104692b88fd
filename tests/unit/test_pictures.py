"""Pictures lose what a camera adds and nothing of the picture; damaged ones are told of."""

from __future__ import annotations

import random
import zlib

import pytest

from chalicelib.domain.sheets import CannotRead, Failure
from chalicelib.reading.pictures import clean_picture
from tests.pictures import GPS, a_jpeg, a_png


@pytest.mark.parametrize("content", [a_jpeg(1), a_png(1), a_png(1, 3, 2, (b"eXIf", GPS), (b"tIME", bytes(7)))])
def test_nothing_of_a_camera_stays(content: bytes) -> None:
    assert GPS in content
    clean = clean_picture(content).content
    assert GPS not in clean
    assert b"tIME" not in clean
    assert clean_picture(clean).content == clean


def test_the_picture_itself_is_copied_as_it_is() -> None:
    clean = clean_picture(a_jpeg(7)).content
    for kept in (b"JFIF", b"\xff\xdb\0\x43\0" + bytes([8]) * 64, b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9"):
        assert kept in clean
    assert zlib.compress(b"\0\7\7\7\0\7\7\7") in clean_picture(a_png(7)).content


@pytest.mark.parametrize("orientation", range(1, 9))
def test_how_it_is_to_be_turned_is_known(orientation: int) -> None:
    assert clean_picture(a_jpeg(1, orientation)).orientation == orientation


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_no_way_to_turn_it_is_upright(orientation: int) -> None:
    assert clean_picture(a_jpeg(1, orientation)).orientation == 1


@pytest.mark.parametrize("content", [a_jpeg(1, 1, 20_000, 20_000), a_png(1, 20_000, 1)])
def test_more_pixels_than_the_recognition_takes_are_too_large(content: bytes) -> None:
    with pytest.raises(CannotRead) as refused:
        clean_picture(content)
    assert refused.value.failure is Failure.TOO_LARGE


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"II*\0", b"%PD", b"<svg>"])
def test_other_pictures_are_unsupported(content: bytes) -> None:
    with pytest.raises(CannotRead) as refused:
        clean_picture(content)
    assert refused.value.failure is Failure.UNSUPPORTED


@pytest.mark.parametrize("content", [a_jpeg(1), a_png(1)])
def test_a_truncated_picture_is_damaged(content: bytes) -> None:
    end = content.index(b"\xff\xd9") if content.startswith(b"\xff") else len(content) - 1
    for length in range(8, end):
        with pytest.raises(CannotRead):
            clean_picture(content[:length])


def test_no_picture_whatever_breaks_it() -> None:
    rng = random.Random(17)
    for content in (a_jpeg(1), a_png(1)):
        for _ in range(2000):
            broken = bytearray(content)
            for _ in range(rng.randint(1, 4)):
                broken[rng.randrange(2, len(broken))] = rng.randrange(256)
            try:
                clean_picture(bytes(broken))
            except CannotRead:
                continue
