"""In-memory repositories: what `services/ports.py` asks for, without AWS. The contract suite holds them to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Literal, TypeVar

from chalicelib.domain.errors import (
    PropertyExists,
    PropertyNotFound,
    SlotTaken,
    TakenInterval,
    VersionMismatch,
    VisitExists,
    VisitNotFound,
)
from chalicelib.domain.idempotency import AlreadyDone, IdempotencyRecord
from chalicelib.domain.listing import Page, VisitFilter, Window
from chalicelib.domain.properties import Property
from chalicelib.domain.signing_keys import Keyring
from chalicelib.domain.slots import floor_to_quarter, intervals
from chalicelib.domain.visits import Visit

T = TypeVar("T")


@dataclass
class Memory:
    """What the fakes share, as the repositories share a table; the lock makes every write all or nothing."""

    lock: RLock = field(default_factory=RLock)
    properties: dict[str, Property] = field(default_factory=dict)
    visits: dict[str, Visit] = field(default_factory=dict)
    records: dict[str, IdempotencyRecord] = field(default_factory=dict)

    def refuse_replay(self, once: IdempotencyRecord | None, now: datetime) -> None:
        earlier = self.records.get(once.id) if once else None
        if earlier and earlier.expires_at > now:
            raise AlreadyDone

    def remember(self, once: IdempotencyRecord | None) -> None:
        if once:
            self.records[once.id] = once


class FakeProperties:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, property_id: str) -> Property:
        with self._memory.lock:
            if property_id not in self._memory.properties:
                raise PropertyNotFound(property_id)
            return self._memory.properties[property_id]

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        with self._memory.lock:
            self._memory.refuse_replay(once, property.created_at)
            if property.id in self._memory.properties:
                raise PropertyExists(property.id)
            self._memory.properties[property.id] = property
            self._memory.remember(once)

    def save(self, before: Property, after: Property) -> None:
        with self._memory.lock:
            stands = self._memory.properties.get(before.id)
            if stands is None or stands.version != before.version:
                raise VersionMismatch
            self._memory.properties[after.id] = after

    def list(self, after: str | None, limit: int) -> Page[Property]:
        with self._memory.lock:
            found = list(self._memory.properties.values())
        return _page(found, lambda property: property.id, after, limit, "asc")


class FakeVisits:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, visit_id: str) -> Visit:
        with self._memory.lock:
            if visit_id not in self._memory.visits:
                raise VisitNotFound(visit_id)
            return self._memory.visits[visit_id]

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        with self._memory.lock:
            self._memory.refuse_replay(once, visit.created_at)
            if visit.id in self._memory.visits:
                raise VisitExists(visit.id)
            self._check_free(visit, visit.quarters, visit.quarters, capacity)
            self._memory.visits[visit.id] = visit
            self._memory.remember(once)

    def save(self, before: Visit, after: Visit) -> None:
        with self._memory.lock:
            self._check_version(before)
            self._memory.visits[after.id] = after

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        with self._memory.lock:
            self._check_version(before)
            new = set(after.quarters) - set(before.quarters)
            same_agent = before.agent_id == after.agent_id
            self._check_free(after, new, new if same_agent else after.quarters, capacity)
            self._memory.visits[after.id] = after

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        with self._memory.lock:
            found = [
                visit
                for visit in self._memory.visits.values()
                if filter.window.start <= visit.date < filter.window.end
                and filter.property_id in (None, visit.property_id)
                and filter.agent_id in (None, visit.agent_id)
                and (not filter.statuses or visit.status in filter.statuses)
            ]
        return _page(found, lambda visit: f"{visit.date:%Y-%m-%dT%H:%M:%SZ}#{visit.id}", after, limit, filter.order)

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        with self._memory.lock:
            return Counter(
                quarter
                for visit in self._holding()
                if visit.property_id == property_id
                for quarter in visit.quarters
                if floor_to_quarter(window.start) <= quarter < window.end
            )

    def _holding(self) -> Iterable[Visit]:
        return (visit for visit in self._memory.visits.values() if visit.holds_slots)

    def _check_version(self, before: Visit) -> None:
        stands = self._memory.visits.get(before.id)
        if stands is None or stands.version != before.version:
            raise VersionMismatch

    def _check_free(
        self, visit: Visit, at_property: Collection[datetime], of_agent: Collection[datetime], capacity: int
    ) -> None:
        others = [other for other in self._holding() if other.id != visit.id]
        held = Counter(q for other in others if other.property_id == visit.property_id for q in other.quarters)
        elsewhere = {
            quarter
            for other in others
            if other.agent_id == visit.agent_id is not None and other.property_id != visit.property_id
            for quarter in other.quarters
        }
        full = [quarter for quarter in at_property if held[quarter] >= capacity]
        busy = [quarter for quarter in of_agent if quarter in elsewhere]
        if full or busy:
            raise SlotTaken([*_taken(full, "property"), *_taken(busy, "agent")])


class FakeIdempotencyRecords:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        with self._memory.lock:
            record = self._memory.records.get(record_id)
        return record if record and record.expires_at > now else None

    def add(self, record: IdempotencyRecord, now: datetime) -> None:
        with self._memory.lock:
            earlier = self._memory.records.get(record.id)
            if earlier is not None and earlier.expires_at > now:
                raise AlreadyDone
            self._memory.records[record.id] = record


@dataclass
class FakeSigningKeys:
    """Starts with one key; `rotate` makes the next one the current, and `forget` takes the old ones away."""

    keyring: Keyring = field(default_factory=lambda: Keyring("k1", {"k1": b"secret of k1"}))

    def load(self) -> Keyring:
        return self.keyring

    def rotate(self) -> None:
        name = f"k{len(self.keyring.secrets) + 1}"
        self.keyring = Keyring(name, {**self.keyring.secrets, name: f"secret of {name}".encode()})

    def forget(self) -> None:
        current = self.keyring.current
        self.keyring = Keyring(current, {current: self.keyring.secrets[current]})


def _page(
    found: list[T], position: Callable[[T], str], after: str | None, limit: int, order: Literal["asc", "desc"]
) -> Page[T]:
    descending = order == "desc"
    ordered = sorted(found, key=position, reverse=descending)
    if after is not None:
        ordered = [item for item in ordered if (position(item) < after if descending else position(item) > after)]
    items = ordered[:limit]
    return Page(items, position(items[-1]) if len(ordered) > limit else None)


def _taken(quarters: Iterable[datetime], holder: Literal["property", "agent"]) -> Iterable[TakenInterval]:
    return (TakenInterval(start, end, holder) for start, end in intervals(quarters))
