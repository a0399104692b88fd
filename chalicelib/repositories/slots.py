"""The quarters that visits hold of a property and of an agent, as items."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from chalicelib.domain.slots import QUARTER, floor_to_quarter

if TYPE_CHECKING:
    from chalicelib.domain.availability import Span
    from chalicelib.repositories.items import Key

SLOT_KEPT: Final = timedelta(days=30)


def property_slot_day(property_id: str, day: str) -> str:
    return f"S#P#{property_id}#{day}"


def agent_slot_day(agent_id: str, day: str) -> str:
    return f"S#A#{agent_id}#{day}"


def property_slot(property_id: str, quarter: datetime) -> Key:
    return {"pk": property_slot_day(property_id, f"{quarter:%Y-%m-%d}"), "sk": f"{quarter:%H:%M}"}


def agent_slot(agent_id: str, quarter: datetime) -> Key:
    return {"pk": agent_slot_day(agent_id, f"{quarter:%Y-%m-%d}"), "sk": f"{quarter:%H:%M}"}


def holder(visit_id: str) -> str:
    """How a slot names a visit that holds it: 96 bits of a digest, since whoever looks for free time reads them all."""
    return urlsafe_b64encode(sha256(visit_id.encode()).digest()[:12]).decode()


def days_touched(spans: Iterable[Span]) -> dict[str, tuple[str, str]]:
    """Each day of UTC that the spans touch, with the first and the last of its quarters that they do."""
    touched: dict[str, tuple[str, str]] = {}
    for start, end in spans:
        first, last = floor_to_quarter(start), end - timedelta(seconds=1)
        for n in range((last.date() - first.date()).days + 1):
            day = first.date() + timedelta(days=n)
            low = f"{first:%H:%M}" if day == first.date() else "00:00"
            high = f"{last:%H:%M}" if day == last.date() else "23:59"
            known = touched.get(day.isoformat(), (low, high))
            touched[day.isoformat()] = min(low, known[0]), max(high, known[1])
    return touched


def slot_quarter(key: Key) -> datetime:
    return datetime.fromisoformat(f"{key['pk'][-10:]}T{key['sk']}:00+00:00")


def slot_ttl(quarter: datetime) -> int:
    return int((quarter + QUARTER + SLOT_KEPT).timestamp())
