"""The slot audit: what the slot items of a table hold, compared with what its visits should hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.repositories import items
from chalicelib.repositories.slots import agent_slot, holder, property_slot, slot_quarter, slot_ttl
from chalicelib.repositories.table import deserialized, serialized
from chalicelib.repositories.visits import visit_of

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

SlotKey = tuple[str, str]


def everything(table: FreshTable) -> Iterator[dict[str, Any]]:
    """Every item of the table. The tests may scan; the code may not."""
    for page in table.client.get_paginator("scan").paginate(TableName=table.name, ConsistentRead=True):
        yield from map(deserialized, page["Items"])


def partition(table: FreshTable, pk: str, index: str | None = None) -> Iterator[dict[str, Any]]:
    """The items of one partition of the table or of one of its indexes."""
    name = items.PARTITION_KEYS[index] if index else "pk"
    query: dict[str, Any] = {
        "TableName": table.name,
        "KeyConditionExpression": f"{name} = :pk",
        "ExpressionAttributeValues": serialized({":pk": pk}),
        **({"IndexName": index} if index else {"ConsistentRead": True}),
    }
    for page in table.client.get_paginator("query").paginate(**query):
        yield from map(deserialized, page["Items"])


def slot_audit(found: Iterable[dict[str, Any]]) -> list[str]:
    """One line for each slot that is leaked, lost or immortal among the items found: none when all is well."""
    held: dict[SlotKey, set[str]] = {}
    due: dict[SlotKey, set[str]] = defaultdict(set)
    shown: dict[SlotKey, set[str]] = defaultdict(set)
    wrong: list[str] = []
    slots = {}
    for item in found:
        if item["pk"].startswith("S#"):
            slot = (item["pk"], item["sk"])
            slots[slot] = item
            held[slot] = set(item.get("holders", ()))
        elif item["pk"].startswith("V#"):
            visit = visit_of(item)
            if not visit.holds_slots:
                continue
            for quarter in quarters_within(visit.date, visit.duration_minutes + visit.gap_minutes):
                due[_slot(property_slot(visit.property_id, quarter))].add(holder(visit.id))
            if visit.agent_id is None:
                continue
            for quarter in quarters_within(visit.date, visit.duration_minutes + visit.travel_minutes):
                agents = _slot(agent_slot(visit.agent_id, quarter))
                due[agents].add(holder(visit.id))
                shown[agents].add(visit.property_id)
    for slot in sorted(held.keys() | due.keys()):
        wrong += [f"{slot} is leaked: {visit} does not hold it" for visit in held.get(slot, set()) - due[slot]]
        wrong += [f"{slot} is lost: {visit} should hold it" for visit in due[slot] - held.get(slot, set())]
    for slot, properties in shown.items():
        if properties != {slots.get(slot, {}).get("propertyId")}:
            wrong.append(f"{slot} says {slots.get(slot, {}).get('propertyId')}, its visits are at {properties}")
    for slot, item in slots.items():
        if item.get("ttl") != slot_ttl(slot_quarter({"pk": slot[0], "sk": slot[1]})):
            wrong.append(f"{slot} expires at {item.get('ttl')}")
    return wrong


def quarters_within(start: datetime, minutes: int) -> list[datetime]:
    """The quarter hours that so many minutes touch, reckoned without the code under test."""
    first = start - timedelta(minutes=start.minute % 15)
    return [q for n in range(30) if (q := first + timedelta(minutes=15 * n)) < start + timedelta(minutes=minutes)]


def _slot(key: items.Key) -> SlotKey:
    return key["pk"], key["sk"]
