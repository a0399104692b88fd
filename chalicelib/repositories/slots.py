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
MONTH: Final = "%Y-%m"
IN_MONTH: Final = "%dT%H:%M"
"""A quarter in its month, of UTC: a month to a partition, so that a week of free time is asked for once."""


def property_slot_month(property_id: str, month: str) -> str:
    return f"S#P#{property_id}#{month}"


def agent_slot_month(agent_id: str, month: str) -> str:
    return f"S#A#{agent_id}#{month}"


def property_slot(property_id: str, quarter: datetime) -> Key:
    return {"pk": property_slot_month(property_id, f"{quarter:{MONTH}}"), "sk": f"{quarter:{IN_MONTH}}"}


def agent_slot(agent_id: str, quarter: datetime) -> Key:
    return {"pk": agent_slot_month(agent_id, f"{quarter:{MONTH}}"), "sk": f"{quarter:{IN_MONTH}}"}


def holder(visit_id: str) -> str:
    """How a slot names a visit that holds it: 96 bits of a digest, since whoever looks for free time reads them all."""
    return urlsafe_b64encode(sha256(visit_id.encode()).digest()[:12]).decode()


def months_touched(spans: Iterable[Span]) -> dict[str, tuple[str, str]]:
    """Each month of UTC that the spans touch, with the first and the last of its quarters that they do."""
    touched: dict[str, tuple[str, str]] = {}
    for start, end in spans:
        first, last = floor_to_quarter(start), end - timedelta(seconds=1)
        months = range(12 * first.year + first.month - 1, 12 * last.year + last.month)
        for n in months:
            month = f"{n // 12:04}-{n % 12 + 1:02}"
            low = f"{first:{IN_MONTH}}" if n == months[0] else "01T00:00"
            high = f"{last:{IN_MONTH}}" if n == months[-1] else "31T23:59"
            known = touched.get(month, (low, high))
            touched[month] = min(low, known[0]), max(high, known[1])
    return touched


def slot_quarter(key: Key) -> datetime:
    return datetime.fromisoformat(f"{key['pk'][-7:]}-{key['sk']}:00+00:00")


def slot_ttl(quarter: datetime) -> int:
    return int((quarter + QUARTER + SLOT_KEPT).timestamp())
