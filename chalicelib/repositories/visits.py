"""Visits and the slots they hold. One public method is one call to DynamoDB; its price is in its docstring.

Units: q is the number of quarter hours a visit touches, a is 1 with an agent and 0 without; a transaction doubles
the write units of the table, each index adds one; every item here is under one kilobyte unless its notes
are long, or more than 25 visits share a quarter hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from chalicelib.domain.errors import SlotTaken, TakenInterval, VersionMismatch, VisitExists, VisitNotFound
from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.listing import Page, VisitFilter, Window
from chalicelib.domain.slots import floor_to_quarter, intervals
from chalicelib.domain.visits import Visit
from chalicelib.repositories import items
from chalicelib.repositories.idempotency import refuse_replay, remember
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write


class DynamoVisits:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, visit_id: str) -> Visit:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(items.visit_key(visit_id))
        if item is None:
            raise VisitNotFound(visit_id)
        return items.visit_of(item)

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        """One transaction: 2 (1 + q + aq, and 1 with an idempotency key) + 2 + a write units."""
        put = Write(
            key=items.visit_key(visit.id),
            item=items.visit_item(visit),
            condition="attribute_not_exists(pk)",
            decisive=True,
        )
        taken = [*_hold_property(visit, visit.quarters, capacity), *_hold_agent(visit, visit.quarters)]
        try:
            self._table.transact([*remember(once, visit.created_at), put, *taken])
        except ConditionsFailed as failed:
            refuse_replay(failed, once)
            if put in failed.writes:
                raise VisitExists(visit.id) from failed
            raise _slot_taken(failed) from failed

    def save(self, before: Visit, after: Visit) -> None:
        """Frees slots in one transaction: 2 (1 + q + aq) + 2 + a write units; 1 + 2 + a when there are none to free."""
        put = _replacement(before, after)
        freed = _free(before, before.quarters) if before.holds_slots and not after.holds_slots else []
        try:
            if freed:
                self._table.transact([put, *freed])
            else:
                self._table.put(put)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        """One transaction over the difference of the old and new quarters: 2 (1 + quarters freed and held) + indexes.

        An index whose sort key changes takes two write units.
        """
        old, new = set(before.quarters), set(after.quarters)
        same_agent = before.agent_id == after.agent_id
        put = _replacement(before, after)
        changes = [
            *_hold_property(after, new - old, capacity),
            *_hold_agent(after, new - old if same_agent else new),
            *_free_property(before, old - new),
            *_free_agent(before, old - new if same_agent else old),
        ]
        try:
            self._table.transact([put, *changes])
        except ConditionsFailed as failed:
            if put in failed.writes:
                raise VersionMismatch from failed
            raise _slot_taken(failed) from failed

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        """One query by property or agent; of the whole agency four for every month that it has to look into."""
        return self._table.page(_range(filter), after, limit).map(items.visit_of)

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        """One query for every day of UTC that the window touches."""
        held: dict[datetime, int] = {}
        first = floor_to_quarter(window.start)
        last = window.end - timedelta(seconds=1)
        for n in range((last.date() - first.date()).days + 1):
            day = first.date() + timedelta(days=n)
            low = f"{first:%H:%M}" if day == first.date() else "00:00"
            high = f"{last:%H:%M}" if day == last.date() else "23:59"
            for slot in self._table.query(items.property_slot_day(property_id, day.isoformat()), low, high):
                if holders := slot.get("holders"):
                    held[items.slot_quarter({"pk": slot["pk"], "sk": slot["sk"]})] = len(holders)
        return held


def _replacement(before: Visit, after: Visit) -> Write:
    return Write(
        key=items.visit_key(after.id),
        item=items.visit_item(after),
        condition="version = :before",
        values={":before": before.version},
    )


def _hold_property(visit: Visit, quarters: Iterable[datetime], capacity: int) -> list[Write]:
    return [
        Write(
            key=items.property_slot(visit.property_id, quarter),
            update="SET #ttl = :ttl ADD holders :visit",
            condition="attribute_not_exists(holders) OR size(holders) < :capacity",
            values={":ttl": items.slot_ttl(quarter), ":visit": {visit.id}, ":capacity": capacity},
        )
        for quarter in sorted(quarters)
    ]


def _hold_agent(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    """An agent is in one place at a time, yet may show one property to several visitors: an open house."""
    if visit.agent_id is None:
        return []
    return [
        Write(
            key=items.agent_slot(visit.agent_id, quarter),
            update="SET #ttl = :ttl, propertyId = :property ADD holders :visit",
            condition="attribute_not_exists(holders) OR propertyId = :property",
            values={
                ":ttl": items.slot_ttl(quarter),
                ":visit": {visit.id},
                ":property": visit.property_id,
            },
        )
        for quarter in sorted(quarters)
    ]


def _free(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    return [*_free_property(visit, quarters), *_free_agent(visit, quarters)]


def _free_property(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    return [_freed(items.property_slot(visit.property_id, q), visit, q) for q in sorted(quarters)]


def _free_agent(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    if visit.agent_id is None:
        return []
    return [_freed(items.agent_slot(visit.agent_id, q), visit, q) for q in sorted(quarters)]


def _freed(slot: items.Key, visit: Visit, quarter: datetime) -> Write:
    """Sets the TTL too: freeing a slot whose item has expired must not leave one that never does."""
    return Write(
        key=slot,
        update="SET #ttl = :ttl DELETE holders :visit",
        values={":ttl": items.slot_ttl(quarter), ":visit": {visit.id}},
    )


def _slot_taken(failed: ConditionsFailed) -> SlotTaken:
    agents = [write for write in failed.writes if ":property" in write.values]
    properties = [write for write in failed.writes if ":capacity" in write.values]
    return SlotTaken(
        [
            *(TakenInterval(*span, "property") for span in _spans(properties)),
            *(TakenInterval(*span, "agent") for span in _spans(agents)),
        ]
    )


def _spans(writes: Iterable[Write]) -> list[tuple[datetime, datetime]]:
    return intervals(items.slot_quarter(write.key) for write in writes)


def _range(filter: VisitFilter) -> Range:
    low, high = items.window_bounds(filter.window)
    conditions: list[str] = []
    names: dict[str, str] = {}
    values: items.Item = {}
    groups: tuple[Group, ...]
    if filter.property_id is not None:
        index = items.BY_PROPERTY
        groups = (Group((items.visits_of_property(filter.property_id),), low, high),)
        if filter.agent_id is not None:
            conditions.append("agentId = :agent")
            values[":agent"] = filter.agent_id
    elif filter.agent_id is not None:
        index = items.BY_AGENT
        groups = (Group((items.visits_of_agent(filter.agent_id),), low, high),)
    else:
        index = items.BY_MONTH
        groups = tuple(
            Group(items.month_shards(month), month, month + items.LAST) for month in items.months_between(low, high)
        )
    if filter.statuses:
        placeholders = {f":status{n}": str(status) for n, status in enumerate(sorted(filter.statuses))}
        conditions.append(f"#status IN ({', '.join(placeholders)})")
        names["#status"] = "status"
        values |= placeholders
    return Range(
        index,
        groups,
        low,
        high,
        descending=filter.order == "desc",
        filter=" AND ".join(conditions) or None,
        filter_names=names,
        filter_values=values,
    )
