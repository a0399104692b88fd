"""Free slots as they are shown: each start in UTC and by the clock on the property's wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.api.availability import SlotsOutput
from chalicelib.domain.listing import Window
from chalicelib.domain.premises import Premises, Slot
from chalicelib.services.availability import FreeSlots
from tests.builders import a_property


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", "2027-10-30"),
        ("Australia/Lord_Howe", "2027-10-02"),
        ("Pacific/Chatham", "2027-04-03"),
        ("America/St_Johns", "2027-11-06"),
        ("Africa/Cairo", "2027-04-29"),
        ("UTC", "2027-12-31"),
    ],
)
def test_starts_are_written_as_iso_8601_has_them_through_a_change_of_the_clocks(zone: str, change: str) -> None:
    first = datetime.fromisoformat(change).replace(tzinfo=UTC)
    starts = [first + timedelta(minutes=5 * n) for n in range(3 * 24 * 12)]
    premises = Premises(a_property("house", time_zone=zone))
    window = Window(first, first + timedelta(days=3))
    shown = SlotsOutput.of(FreeSlots(premises, window, 30, [Slot(start, 1) for start in starts], None), False)
    assert [slot["start"] for slot in shown.slots] == [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts]
    assert [slot["localStart"] for slot in shown.slots] == [
        start.astimezone(ZoneInfo(zone)).isoformat() for start in starts
    ]
