"""Slots: the UTC quarter hours that a visit occupies, and the arithmetic on them.

Quarters of UTC also fit zones with 15, 30 and 45 minute offsets, and know nothing of daylight saving.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

QUARTER = timedelta(minutes=15)


def floor_to_quarter(instant: datetime) -> datetime:
    """The quarter hour in which the instant lies."""
    return instant.replace(minute=instant.minute - instant.minute % 15, second=0, microsecond=0)


def quarters(start: datetime, duration_minutes: int) -> list[datetime]:
    """Every quarter hour that a visit touches, in order: 10:20 for 30 minutes touches 10:15, 10:30 and 10:45."""
    end = start + timedelta(minutes=duration_minutes)
    touched = []
    quarter = floor_to_quarter(start)
    while quarter < end:
        touched.append(quarter)
        quarter += QUARTER
    return touched


def intervals(starts: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Neighbouring quarters joined into (start, end) pairs, in order."""
    joined: list[tuple[datetime, datetime]] = []
    for start in sorted(starts):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], start + QUARTER)
        else:
            joined.append((start, start + QUARTER))
    return joined
