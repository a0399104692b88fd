"""Slots: which quarter hours a visit touches."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.slots import QUARTER, floor_to_quarter, intervals, quarters
from tests.builders import utc


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        ("10:00", 15, ["10:00"]),
        ("10:00", 30, ["10:00", "10:15"]),
        ("10:20", 30, ["10:15", "10:30", "10:45"]),
        ("10:14", 5, ["10:00", "10:15"]),
        ("10:10", 5, ["10:00"]),
        ("10:15", 5, ["10:15"]),
        ("23:50", 30, ["23:45", "00:00", "00:15"]),
    ],
)
def test_a_visit_touches_whole_quarter_hours(start: str, minutes: int, expected: list[str]) -> None:
    assert [f"{quarter:%H:%M}" for quarter in quarters(utc(f"2027-03-12T{start}"), minutes)] == expected


def test_a_second_past_the_quarter_touches_the_next() -> None:
    assert len(quarters(utc("2027-03-12T10:00:01"), 15)) == 2


@pytest.mark.parametrize(
    ("date", "next_day"),
    [
        ("2028-02-28", "2028-02-29"),
        ("2028-02-29", "2028-03-01"),
        ("2027-02-28", "2027-03-01"),
        ("2027-12-31", "2028-01-01"),
    ],
)
def test_a_visit_across_midnight_goes_on_on_the_next_day_of_the_calendar(date: str, next_day: str) -> None:
    assert quarters(utc(f"{date}T23:45"), 30) == [utc(f"{date}T23:45"), utc(f"{next_day}T00:00")]


@given(
    start=st.datetimes(
        min_value=utc("2022-01-01").replace(tzinfo=None), max_value=utc("2032-01-01").replace(tzinfo=None)
    ),
    minutes=st.integers(5, 240),
)
def test_quarters_cover_the_visit_and_nothing_beyond_its_first_and_last(start: object, minutes: int) -> None:
    begin = utc(str(start)).replace(microsecond=0)
    end = begin + timedelta(minutes=minutes)
    touched = quarters(begin, minutes)
    assert touched[0] <= begin < touched[0] + QUARTER
    assert touched[-1] < end <= touched[-1] + QUARTER
    assert all(later - earlier == QUARTER for earlier, later in pairwise(touched))
    assert all(quarter == floor_to_quarter(quarter) for quarter in touched)


def test_neighbouring_quarters_join_whatever_their_order() -> None:
    ten, quarter_past, noon = utc("2027-03-12T10:00"), utc("2027-03-12T10:15"), utc("2027-03-12T12:00")
    assert intervals([noon, quarter_past, ten]) == [
        (ten, utc("2027-03-12T10:30")),
        (noon, utc("2027-03-12T12:15")),
    ]
    assert intervals([]) == []
