"""What bookings without a key use up, and the answers that they wait for, in DynamoDB.

Hours and contacts are `L#<limit>#<whose> / L`, written in the transaction of the booking. What waits for an answer is
`D#day / until#visit`, so that those whose time has come are one query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import LimitReached, VersionMismatch
from chalicelib.domain.public import Ahead, Hour, Rationed
from chalicelib.repositories import items
from chalicelib.repositories.items import Item, Key, loaded, stored
from chalicelib.repositories.table import ConditionsFailed, Table, Write

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit

KEPT: Final = timedelta(days=1)
DUE_FOR: Final = timedelta(days=366)
"""How late the function that declines may come, and still find what was due."""
DECLINED_UNTIL: Final[Key] = {"pk": "T#clock", "sk": "D"}


def ahead_key(contact: str) -> Key:
    return {"pk": f"L#contact#{contact}", "sk": "L"}


def hour_key(hour: Hour) -> Key:
    return {"pk": f"L#{hour.key}", "sk": "L"}


def deadline_key(until: datetime, visit_id: str) -> Key:
    return {"pk": f"D#{stored(until)[:10]}", "sk": f"{stored(until)}#{visit_id}"}


def ahead_of(contact: str, item: Item) -> Ahead:
    visits = tuple((id, loaded(until)) for id, until in sorted(item["visits"].items()))
    return Ahead(contact, visits, int(item["version"]))


def ration(rationed: Sequence[Rationed]) -> list[Write]:
    """The writes that use it up, on the condition that there is some left."""
    return [_one_more(each) if isinstance(each, Hour) else _replaced(each) for each in rationed]


def _one_more(hour: Hour) -> Write:
    return Write(
        key=hour_key(hour),
        update="SET #ttl = :ttl ADD booked :one",
        condition="attribute_not_exists(booked) OR booked < :most",
        values={":ttl": int((hour.ends + KEPT).timestamp()), ":one": 1, ":most": hour.most},
    )


def _replaced(ahead: Ahead) -> Write:
    last = max(until for _, until in ahead.visits)
    item: Item = {
        **ahead_key(ahead.contact),
        "visits": {id: stored(until) for id, until in ahead.visits},
        "version": ahead.version + 1,
        "ttl": int((last + KEPT).timestamp()),
    }
    if ahead.version == 0:
        return Write(ahead_key(ahead.contact), item=item, condition="attribute_not_exists(pk)")
    return Write(ahead_key(ahead.contact), item=item, condition="version = :before", values={":before": ahead.version})


def check_rations(failed: ConditionsFailed, rationed: Sequence[Rationed], now: datetime) -> None:
    """Raises LimitReached if an hour was used up, VersionMismatch if another booking of a contact came first."""
    keys = [write.key for write in failed.writes]
    for each in rationed:
        if isinstance(each, Hour) and hour_key(each) in keys:
            raise LimitReached(each.limit, int((each.ends - now).total_seconds())) from failed
        if isinstance(each, Ahead) and ahead_key(each.contact) in keys:
            raise VersionMismatch from failed


def deadline(visit: Visit) -> list[Write]:
    """The write by which it is found when its time has come."""
    if visit.awaited is None:
        return []
    key = deadline_key(visit.awaited.until, visit.id)
    ttl = int((visit.awaited.until + DUE_FOR).timestamp())
    return [Write(key, update="SET #ttl = :ttl", values={":ttl": ttl})]


class DynamoPublic:
    def __init__(self, table: Table) -> None:
        self._table = table

    def ahead(self, contact: str) -> Ahead:
        """1 read unit."""
        item = self._table.get(ahead_key(contact))
        return ahead_of(contact, item) if item else Ahead(contact)

    def count(self, ahead: Ahead) -> None:
        """1 write unit."""
        try:
            self._table.put(_replaced(ahead))
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def due(self, since: datetime, until: datetime) -> Iterator[str]:
        """One strongly consistent query a day: 1 read unit when there is nothing."""
        day = since.date()
        while day <= until.date():
            for item in self._table.query(f"D#{day}", stored(since), stored(until) + items.LAST):
                yield item["sk"].partition("#")[2]
            day += timedelta(days=1)

    def declined_until(self) -> datetime | None:
        """1 read unit."""
        item = self._table.get(DECLINED_UNTIL)
        return loaded(item["declined"]) if item else None

    def has_declined(self, last: datetime | None, until: datetime) -> None:
        """1 write unit."""
        advance = Write(
            DECLINED_UNTIL,
            update="SET declined = :until",
            condition="attribute_not_exists(pk)" if last is None else "declined = :last",
            values={":until": stored(until), **({} if last is None else {":last": stored(last)})},
        )
        with suppress(ConditionsFailed):  # another has, or this very call, whose answer was lost
            self._table.update(advance)
