"""Time: instants with any offset, the days on which clocks change, leap days, and zones that are not whole hours."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.slots import quarters
from chalicelib.http.instants import instant_text, parse_instant
from tests.builders import utc


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2027-03-12T10:00:00Z", "2027-03-12T10:00:00Z"),
        ("2027-03-12t10:00:00z", "2027-03-12T10:00:00Z"),
        ("2027-03-12T10:00:00.000Z", "2027-03-12T10:00:00Z"),
        ("2027-03-12T10:00:00.5Z", "2027-03-12T10:00:00Z"),
        ("2027-12-31T23:59:59.999999999Z", "2027-12-31T23:59:59Z"),
        ("2027-03-12T10:00:00+0100", "2027-03-12T09:00:00Z"),
        ("2027-03-12T10:00:00.123-0930", "2027-03-12T19:30:00Z"),
        ("2027-03-12 10:00:00Z", "2027-03-12T10:00:00Z"),
        ("2027-03-12 10:00:00 +0100", "2027-03-12T09:00:00Z"),
        ("2027-03-12T10:00:00+00:00", "2027-03-12T10:00:00Z"),
        ("2027-03-12T10:00:00-00:00", "2027-03-12T10:00:00Z"),
        ("2027-03-12T00:30:00+05:45", "2027-03-11T18:45:00Z"),
        ("2027-03-12T23:30:00-09:30", "2027-03-13T09:00:00Z"),
        ("2028-02-29T23:59:59+01:00", "2028-02-29T22:59:59Z"),
        ("2028-03-01T00:30:00+01:00", "2028-02-29T23:30:00Z"),
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
    ],
)
def test_an_instant_with_an_offset_comes_back_in_utc(given: str, expected: str) -> None:
    assert instant_text(parse_instant(given)) == expected


@pytest.mark.parametrize(
    "given",
    [
        "2027-03-12",
        "2027-03-12T10:00:00",
        "2027-03-12T10:00Z",
        "2027-03-12T10:00:00+01",
        "2027-03-12T10:00:00+010",
        "2027-03-12T10:00:00+2400",
        "2027-03-12T10:00:00.Z",
        "2027-03-12T10:00:00,5Z",
        "2027-03-12T10:00:00  +01:00",
        "2027-03-12  10:00:00Z",
        "2027-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2027-03-12T24:00:00Z",
        "2027-03-12T10:60:00Z",
        "2027-06-30T23:59:60Z",
        "2027-03-12T10:00:00+24:00",
        "2027-03-12T10:00:00+01:00[Europe/Berlin]",
        "٢٠٢٧-03-12T10:00:00Z",
        "-2027-03-12T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "20270312T100000Z",
        " 2027-03-12T10:00:00Z",
        "2027-03-12T10:00:00Z\n",
        "now",
        "",
        1789200000,
        None,
        True,
        ["2027-03-12T10:00:00Z"],
    ],
)
def test_what_is_no_instant_is_refused_with_an_example(given: object) -> None:
    with pytest.raises(ValueError, match=r"2027-03-14T10:30:00\+01:00"):
        parse_instant(given)


def test_a_missing_offset_is_named() -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_instant("2027-03-12T10:00:00")


def local(zone: str, text: str, fold: int = 0) -> datetime:
    """A time on the wall of a place, in UTC; fold 1 is the second of two that look alike."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def test_the_hour_that_comes_twice_has_slots_of_its_own_each_time() -> None:
    first = local("Europe/Berlin", "2027-10-31T02:30")
    second = local("Europe/Berlin", "2027-10-31T02:30", fold=1)
    assert (first, second) == (parse_instant("2027-10-31T02:30:00+02:00"), parse_instant("2027-10-31T02:30:00+01:00"))
    assert not {*quarters(first, 30)} & {*quarters(second, 30)}


def test_across_the_hour_that_does_not_exist_a_visit_keeps_its_length() -> None:
    before, after = parse_instant("2027-03-28T01:45:00+01:00"), parse_instant("2027-03-28T03:00:00+02:00")
    assert quarters(before, 30) == [before, after], "a quarter of an hour before three o'clock, summer time"


def test_a_time_that_no_clock_shows_is_still_an_instant() -> None:
    # 02:30 on the day the clocks go forward, with winter's offset: half past three on the wall.
    assert parse_instant("2027-03-28T02:30:00+01:00") == local("Europe/Berlin", "2027-03-28T03:30")


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("Asia/Kathmandu", "2027-03-12T10:00", "2027-03-12T04:15"),
        ("Asia/Kolkata", "2027-03-12T10:00", "2027-03-12T04:30"),
        ("Australia/Eucla", "2027-03-12T10:00", "2027-03-12T01:15"),
        ("Pacific/Chatham", "2027-01-12T10:00", "2027-01-11T20:15"),
        ("Australia/Lord_Howe", "2027-07-12T10:00", "2027-07-11T23:30"),
        ("Pacific/Kiritimati", "2027-03-12T10:00", "2027-03-11T20:00"),
        ("Pacific/Marquesas", "2027-03-12T10:00", "2027-03-12T19:30"),
    ],
)
def test_a_full_hour_anywhere_is_the_start_of_a_slot(zone: str, text: str, expected: str) -> None:
    instant = local(zone, text)
    assert instant == utc(expected)
    assert quarters(instant, 30)[0] == instant
    assert len(quarters(instant, 30)) == 2


CARRIED = """
import zoneinfo
assert zoneinfo.TZPATH == (), zoneinfo.TZPATH
from chalicelib.api.properties import RegisterPropertyInput
from chalicelib.http.parsing import validated
for zone in ("Europe/Berlin", "Asia/Kathmandu", "Australia/Eucla", "Asia/Kolkata", "America/Nuuk"):
    body = {"name": "n", "address": "a", "price": 1, "currency": "EUR", "timeZone": zone}
    assert validated(RegisterPropertyInput, body).time_zone == zone
    zoneinfo.ZoneInfo(zone)
print("carried")
"""


def test_zones_are_carried_along_and_need_no_files_of_the_system() -> None:
    environment = {**os.environ, "PYTHONTZPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", CARRIED], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "carried\n", done.stderr
