"""The quarters that visits hold of a property and of an agent, as items."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.slots import QUARTER
from chalicelib.repositories.items import Key

SLOT_KEPT: Final = timedelta(days=30)


def property_slot_day(property_id: str, day: str) -> str:
    return f"S#P#{property_id}#{day}"


def property_slot(property_id: str, quarter: datetime) -> Key:
    return {"pk": property_slot_day(property_id, f"{quarter:%Y-%m-%d}"), "sk": f"{quarter:%H:%M}"}


def agent_slot(agent_id: str, quarter: datetime) -> Key:
    return {"pk": f"S#A#{agent_id}#{quarter:%Y-%m-%d}", "sk": f"{quarter:%H:%M}"}


def slot_quarter(key: Key) -> datetime:
    return datetime.fromisoformat(f"{key['pk'][-10:]}T{key['sk']}:00+00:00")


def slot_ttl(quarter: datetime) -> int:
    return int((quarter + QUARTER + SLOT_KEPT).timestamp())
