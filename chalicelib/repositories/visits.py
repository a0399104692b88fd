"""Visits and the slots they hold. One public method is one call to DynamoDB; its price is in its docstring.

Units: q is the number of quarter hours that a visit touches with its gap, t with its agent's travel, and a is 1 with an
agent; without one, t and a are 0. c is how many of e-mail address and phone are given. A transaction doubles the write
units of the table, each index adds one; every item here is under one kilobyte unless its notes are long, or more than
50 visits share a quarter hour. The indexes by contact are written only when the contact changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import SlotTaken, TakenInterval, VersionMismatch, VisitExists, VisitNotFound
from chalicelib.domain.slots import intervals
from chalicelib.domain.visitors import Contact, contacts_of
from chalicelib.domain.visits import Awaited, Cancellation, Origin, Party, Status, Visit, Visitor
from chalicelib.repositories import items
from chalicelib.repositories.idempotency import refuse_replay, remember
from chalicelib.repositories.items import (
    SHARDS,
    Item,
    Key,
    loaded,
    present,
    shard_of,
    signature_attributes,
    signature_of,
    stored,
)
from chalicelib.repositories.public import check_rations, deadline, ration
from chalicelib.repositories.slots import (
    agent_slot,
    agent_slot_month,
    holder,
    months_touched,
    property_slot,
    property_slot_month,
    slot_quarter,
    slot_ttl,
)
from chalicelib.repositories.table import ConditionsFailed, Consistency, Group, Range, Table, Write

if TYPE_CHECKING:
    from chalicelib.domain.availability import Span
    from chalicelib.domain.idempotency import IdempotencyRecord
    from chalicelib.domain.listing import Page, VisitFilter, Window
    from chalicelib.domain.public import Rationed

SLOT: Final = "sk, holders, propertyId"
"""What is asked for of a slot. It costs the same units as all of it, and half the time to parse."""


def visit_key(visit_id: str) -> Key:
    return {"pk": f"V#{visit_id}", "sk": "V"}


def visits_of_property(property_id: str) -> str:
    return f"P#{property_id}"


def visits_of_agent(agent_id: str) -> str:
    return f"A#{agent_id}"


def month_shards(month: str) -> tuple[str, ...]:
    return tuple(f"M#{month}#{shard}" for shard in range(SHARDS))


def window_bounds(window: Window) -> tuple[str, str]:
    """The sort keys between which the window's visits lie; at its end, which is not part of it, lies none."""
    return stored(window.start), stored(window.end)


def months_between(low: str, high: str) -> Iterator[str]:
    """Every yyyy-mm that a range of visits' sort keys touches, in order."""
    first, last = (int(bound[:4]) * 12 + int(bound[5:7]) - 1 for bound in (low, high))
    for month in range(first, last + 1):
        yield f"{month // 12:04d}-{month % 12 + 1:02d}"


def visit_item(visit: Visit) -> Item:
    position = f"{stored(visit.date)}#{visit.id}"
    item: Item = {
        **visit_key(visit.id),
        "g1pk": visits_of_property(visit.property_id),
        "g1sk": position,
        "g2pk": f"M#{stored(visit.date)[:7]}#{shard_of(visit.id)}",
        "g2sk": position,
        "id": visit.id,
        "propertyId": visit.property_id,
        "date": stored(visit.date),
        "durationMinutes": visit.duration_minutes,
        "timeZone": visit.time_zone,
        "place": visit.place,
        "atAddress": visit.at_address or None,
        # What was booked before there were notices has none, and stays silent.
        "notify": visit.notify or None,
        "status": str(visit.status),
        "agentId": visit.agent_id,
        "notes": visit.notes,
        "version": visit.version,
        "createdAt": stored(visit.created_at),
        "updatedAt": stored(visit.updated_at),
        "createdBy": visit.created_by,
        "updatedBy": visit.updated_by,
        "gapMinutes": visit.gap_minutes or None,
        "travelMinutes": visit.travel_minutes or None,
    }
    if visit.agent_id is not None:
        item |= {"g3pk": visits_of_agent(visit.agent_id), "g3sk": position}
    item |= contact_attributes(visit.visitor)
    if visit.visitor is not None:
        who = visit.visitor
        item["visitor"] = present({"name": who.name, "email": who.email, "phone": who.phone, "language": who.language})
    if visit.origin is not None:
        item["origin"] = {
            "intakeId": visit.origin.intake_id,
            "row": visit.origin.row,
            **(signature_attributes(visit.origin.content) if visit.origin.content else {}),
        }
    if visit.awaited is not None:
        awaited = visit.awaited
        item["awaited"] = {"whose": str(awaited.whose), "until": stored(awaited.until), "then": str(awaited.then)}
    if visit.cancellation is not None:
        cancelled = visit.cancellation
        item["cancellation"] = present({"reason": cancelled.reason, "at": stored(cancelled.at), "by": cancelled.by})
    return present(item)


def contact_attributes(visitor: Visitor | None) -> Item:
    """By what the visit is found as that person's; nothing of it stays in an item that is put without the person."""
    return {items.PARTITION_KEYS[_contact_index(c)]: _visits_of_contact(c) for c in contacts_of(visitor)}


def _contact_index(contact: Contact) -> str:
    return items.BY_EMAIL if contact.kind == "email" else items.BY_PHONE


def _visits_of_contact(contact: Contact) -> str:
    return f"{'E' if contact.kind == 'email' else 'T'}#{contact.digest}"


def visit_of(item: Item) -> Visit:
    visitor, cancellation, origin = item.get("visitor"), item.get("cancellation"), item.get("origin")
    return Visit(
        id=item["id"],
        property_id=item["propertyId"],
        date=loaded(item["date"]),
        duration_minutes=int(item["durationMinutes"]),
        time_zone=item["timeZone"],
        place=item["place"],
        status=Status(item["status"]),
        agent_id=item.get("agentId"),
        visitor=_visitor(visitor) if visitor else None,
        notes=item.get("notes"),
        cancellation=_cancellation(cancellation) if cancellation else None,
        version=int(item["version"]),
        created_at=loaded(item["createdAt"]),
        updated_at=loaded(item["updatedAt"]),
        created_by=item.get("createdBy"),
        updated_by=item.get("updatedBy"),
        origin=_origin(origin) if origin else None,
        at_address=item.get("atAddress", False),
        notify=item.get("notify", False),
        gap_minutes=int(item.get("gapMinutes", 0)),
        travel_minutes=int(item.get("travelMinutes", 0)),
        awaited=_awaited(item["awaited"]) if "awaited" in item else None,
    )


def _cancellation(item: Item) -> Cancellation:
    return Cancellation(item.get("reason"), loaded(item["at"]), item.get("by"))


def _awaited(item: Item) -> Awaited:
    return Awaited(Party(item["whose"]), loaded(item["until"]), Status(item["then"]))


def _visitor(item: Item) -> Visitor:
    return Visitor(item.get("name"), item.get("email"), item.get("phone"), item.get("language"))


def _origin(item: Item) -> Origin:
    return Origin(item["intakeId"], int(item["row"]), signature_of(item) if "fingerprint" in item else None)


class DynamoVisits:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, visit_id: str) -> Visit:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(visit_key(visit_id))
        if item is None:
            raise VisitNotFound(visit_id)
        return visit_of(item)

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        """One transaction: 2 (1 + q + t, and 1 with an idempotency key) + 2 + a + c write units."""
        self._add(visit, capacity, once, ())

    def add_rationed(
        self, visit: Visit, capacity: int, once: IdempotencyRecord | None, rationed: Sequence[Rationed]
    ) -> None:
        """The same transaction, with 2 more for each ration, and 2 if the visit waits for an answer."""
        self._add(visit, capacity, once, rationed)

    def _add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None, rationed: Sequence[Rationed]) -> None:
        put = Write(
            key=visit_key(visit.id),
            item=visit_item(visit),
            condition="attribute_not_exists(pk)",
            decisive=True,
        )
        taken = [*_hold_property(visit, visit.property_quarters, capacity), *_hold_agent(visit, visit.agent_quarters)]
        try:
            self._table.transact([*remember(once, visit.created_at), put, *taken, *ration(rationed), *deadline(visit)])
        except ConditionsFailed as failed:
            refuse_replay(failed, once)
            if put in failed.writes:
                raise VisitExists(visit.id) from failed
            check_rations(failed, rationed, visit.created_at)
            raise _slot_taken(failed) from failed

    def save(self, before: Visit, after: Visit) -> None:
        """Frees slots in one transaction: 2 (1 + q + t) + 2 + a write units; 1 + 2 + a when there are none to free.

        If it waits for another answer than before, 2 * 2 + 2 + a.
        """
        put = _replacement(before, after)
        freed = _new_deadline(before, after)
        if before.holds_slots and not after.holds_slots:
            freed = [
                *_free_property(before, before.property_quarters),
                *_free_agent(before, before.agent_quarters),
            ]
        try:
            if freed:
                self._table.transact([put, *freed])
            else:
                self._table.put(put)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        """One transaction over the difference of the old and new quarters: 2 (1 + quarters freed and held) + indexes.

        An index whose sort key changes takes two write units. 2 more if a request has to be answered sooner.
        """
        old, new = set(before.property_quarters), set(after.property_quarters)
        left, joined = set(before.agent_quarters), set(after.agent_quarters)
        if before.agent_id == after.agent_id:
            left, joined = left - joined, joined - left
        put = _replacement(before, after)
        changes = [
            *_hold_property(after, new - old, capacity),
            *_hold_agent(after, joined),
            *_free_property(before, old - new),
            *_free_agent(before, left),
            *_new_deadline(before, after),
        ]
        try:
            self._table.transact([put, *changes])
        except ConditionsFailed as failed:
            if put in failed.writes:
                raise VersionMismatch from failed
            raise _slot_taken(failed) from failed

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        """One query by property or agent; of the whole agency four for every month that it has to look into."""
        return self._table.page(visits_range(filter), after, limit).map(visit_of)

    def of_contact(self, contact: Contact, after: str | None, limit: int) -> Page[str]:
        """One eventually consistent query: half a read unit for some thirty of them."""
        group = Group((_visits_of_contact(contact),), "", items.LAST)
        found = self._table.page(Range(_contact_index(contact), (group,), "V#", f"V#{items.LAST}"), after, limit)
        return found.map(lambda item: str(item["pk"]).removeprefix("V#"))

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        """One strongly consistent query for every month of UTC that the window touches."""
        slots = self._slots(partial(property_slot_month, property_id), [(window.start, window.end)], Consistency.STRONG)
        return {quarter: len(slot["holders"]) for quarter, slot in slots}

    def taken_quarters(self, property_id: str, spans: Sequence[Span]) -> Mapping[datetime, int]:
        """One eventually consistent query for every month of UTC that the spans touch: half a unit for each 4 KB."""
        slots = self._slots(partial(property_slot_month, property_id), spans, Consistency.EVENTUAL)
        return {quarter: len(slot["holders"]) for quarter, slot in slots}

    def whereabouts(self, agent_id: str, spans: Sequence[Span]) -> Mapping[datetime, str]:
        """One eventually consistent query for every month of UTC that the spans touch: half a unit for each 4 KB."""
        slots = self._slots(partial(agent_slot_month, agent_id), spans, Consistency.EVENTUAL)
        return {quarter: slot["propertyId"] for quarter, slot in slots}

    def _slots(
        self, partition: Callable[[str], str], spans: Sequence[Span], consistency: Consistency
    ) -> Iterator[tuple[datetime, Item]]:
        """The quarters that are held between the first and the last that the spans touch in each month, as items."""
        for month, (low, high) in months_touched(spans).items():
            pk = partition(month)
            for slot in self._table.query(pk, low, high, consistency=consistency, attributes=SLOT):
                if slot.get("holders"):
                    yield slot_quarter({"pk": pk, "sk": slot["sk"]}), slot


def _new_deadline(before: Visit, after: Visit) -> list[Write]:
    return deadline(after) if after.awaited != before.awaited else []


def _replacement(before: Visit, after: Visit) -> Write:
    return Write(
        key=visit_key(after.id),
        item=visit_item(after),
        condition="version = :before",
        values={":before": before.version},
    )


def _hold_property(visit: Visit, quarters: Iterable[datetime], capacity: int) -> list[Write]:
    return [
        Write(
            key=property_slot(visit.property_id, quarter),
            update="SET #ttl = :ttl ADD holders :visit",
            condition="attribute_not_exists(holders) OR size(holders) < :capacity",
            values={":ttl": slot_ttl(quarter), ":visit": {holder(visit.id)}, ":capacity": capacity},
        )
        for quarter in sorted(quarters)
    ]


def _hold_agent(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    """An agent is in one place at a time, yet may show one property to several visitors: an open house.

    The way there is held for the property too, so that the next visit of the same one may begin on it.
    """
    if visit.agent_id is None:
        return []
    return [
        Write(
            key=agent_slot(visit.agent_id, quarter),
            update="SET #ttl = :ttl, propertyId = :property ADD holders :visit",
            condition="attribute_not_exists(holders) OR propertyId = :property",
            values={
                ":ttl": slot_ttl(quarter),
                ":visit": {holder(visit.id)},
                ":property": visit.property_id,
            },
        )
        for quarter in sorted(quarters)
    ]


def _free_property(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    return [_freed(property_slot(visit.property_id, q), visit, q) for q in sorted(quarters)]


def _free_agent(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    if visit.agent_id is None:
        return []
    return [_freed(agent_slot(visit.agent_id, q), visit, q) for q in sorted(quarters)]


def _freed(slot: items.Key, visit: Visit, quarter: datetime) -> Write:
    """Sets the TTL too: freeing a slot whose item has expired must not leave one that never does.

    Slots held before holders were short have the id itself.
    """
    return Write(
        key=slot,
        update="SET #ttl = :ttl DELETE holders :visit",
        values={":ttl": slot_ttl(quarter), ":visit": {holder(visit.id), visit.id}},
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
    return intervals(slot_quarter(write.key) for write in writes)


def visits_range(filter: VisitFilter) -> Range:
    low, high = window_bounds(filter.window)
    conditions: list[str] = []
    names: dict[str, str] = {}
    values: items.Item = {}
    groups: tuple[Group, ...]
    if filter.property_id is not None:
        index = items.BY_PROPERTY
        groups = (Group((visits_of_property(filter.property_id),), low, high),)
        if filter.agent_id is not None:
            conditions.append("agentId = :agent")
            values[":agent"] = filter.agent_id
    elif filter.agent_id is not None:
        index = items.BY_AGENT
        groups = (Group((visits_of_agent(filter.agent_id),), low, high),)
    else:
        index = items.BY_MONTH
        groups = tuple(Group(month_shards(month), month, month + items.LAST) for month in months_between(low, high))
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
