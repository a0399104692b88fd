"""The stores under test, and visits in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from chalicelib.domain.errors import SlotTaken, TakenInterval
from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.domain.visits import Cancellation, Status, Visit
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.services.ports import (
    AgentStore,
    AvailabilityStore,
    CalendarStore,
    IdempotencyStore,
    IntakeStore,
    PropertyStore,
    PublicStore,
    SheetStore,
    VisitStore,
)
from tests.builders import NOW, utc

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


SECOND = timedelta(seconds=1)
HOURS = ("10:00", "11:00", "12:00")
LATER = NOW + timedelta(seconds=70)
DAY = Window(utc("2027-03-12"), utc("2027-03-13"))

winters = itertools.count(2030, 2)
"""Lists of the whole agency get a winter each: the table is shared with the other tests."""


@dataclass(frozen=True)
class Repositories:
    properties: PropertyStore
    visits: VisitStore
    records: IdempotencyStore
    intakes: IntakeStore
    tokens: CalendarStore
    availability: AvailabilityStore
    agents: AgentStore
    public: PublicStore
    sheets: SheetStore


def booked(visits: VisitStore, visit: Visit, capacity: int = 1) -> Visit:
    visits.add(visit, capacity)
    return visit


def next_version(visit: Visit, **changes: Any) -> Visit:
    return replace(visit, version=visit.version + 1, **changes)


def cancelled(visit: Visit) -> Visit:
    return next_version(visit, status=Status.CANCELLED, cancellation=Cancellation("ill", NOW))


def taken(start: str, end: str, holder: Literal["property", "agent"] = "property") -> TakenInterval:
    """An interval on the day of the usual visit."""
    return TakenInterval(utc(f"2027-03-12T{start}"), utc(f"2027-03-12T{end}"), holder)


def at(time: str) -> datetime:
    """A time of day on the day of the usual visit."""
    return utc(f"2027-03-12T{time}")


def conflicts(visits: VisitStore, visit: Visit, capacity: int = 1) -> list[TakenInterval]:
    """The intervals that are in the visit's way."""
    with pytest.raises(SlotTaken) as refused:
        visits.add(visit, capacity)
    return refused.value.intervals


def is_free(visits: VisitStore, visit: Visit, capacity: int = 1) -> bool:
    """Whether the visit's slots can be had; afterwards it has them."""
    try:
        visits.add(visit, capacity)
    except SlotTaken:
        return False
    return True


def walk(visits: VisitStore, filter: VisitFilter, limit: int) -> list[list[Visit]]:
    """Every page of a list."""
    pages = []
    after: str | None = None
    while True:
        page = visits.list(filter, after, limit)
        pages.append(page.items)
        if page.next is None:
            return pages
        after = page.next


def flat(pages: Iterable[list[Visit]]) -> list[Visit]:
    return list(itertools.chain.from_iterable(pages))


@dataclass
class Patience:
    """A clock that moves only by sleeping."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Store:
    """DynamoDB with a client of its own that tries once, so that every retry seen is ours."""

    client: DynamoDBClient
    table: Table
    patience: Patience

    @property
    def visits(self) -> DynamoVisits:
        return DynamoVisits(self.table)

    @property
    def properties(self) -> DynamoProperties:
        return DynamoProperties(self.table)
