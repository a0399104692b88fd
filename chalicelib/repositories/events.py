"""The feed of events in DynamoDB: numbered pages without gaps, each appended by one transaction.

page     E#block / number   the events of one batch of the stream, as JSON
receipt  E#from#first / W   up to which change the page goes that begins with this one, so that none is appended twice
head     E#head / H         the number of the last page, and the first page of each day
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.domain.errors import PositionLost, StoreBusy
from chalicelib.domain.events import KEPT, Change, Event, EventType, Position, Stretch, Told
from chalicelib.repositories.items import Item, Key, loaded, stored
from chalicelib.repositories.table import ConditionsFailed, Table, Write

PAGES_IN_BLOCK: Final = 1000
PAGES_READ_AT_ONCE: Final = 25

HEAD: Final[Key] = {"pk": "E#head", "sk": "H"}

TRIES: Final = 20
"""How often a writer looks for the end of the feed while others append to it."""


def page_key(number: int) -> Key:
    return {"pk": _block(number), "sk": f"{number:015d}"}


def receipt_key(first: int) -> Key:
    return {"pk": f"E#from#{first}", "sk": "W"}


def _block(number: int) -> str:
    return f"E#{number // PAGES_IN_BLOCK}"


def page_item(number: int, events: Sequence[Event], now: datetime) -> Item:
    """Unescaped: with every letter of the longest ids as `\\uXXXX`, a batch would not fit into an item's 400 KB."""
    told = [
        {"id": event.id, "type": event.type, "subject": event.subject, "time": stored(event.time), "data": event.data}
        for event in events
    ]
    return {
        **page_key(number),
        "events": json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=_plain),
        "ttl": int((now + KEPT).timestamp()),
    }


def events_of(item: Item) -> list[Event]:
    return [
        Event(each["id"], EventType(each["type"]), each["subject"], loaded(each["time"]), each["data"])
        for each in json.loads(item["events"])
    ]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return stored(value)
    raise TypeError(f"no member of an event is a {type(value).__name__}")


class DynamoEvents:
    def __init__(self, table: Table) -> None:
        self._table = table

    def append(self, changes: Sequence[Change], now: datetime) -> int:
        """Appends one page, unless that was done before; gives the sequence number up to which the page goes.

        1 read unit; 2 (2 + kilobytes of the page) write units. Raises StoreBusy or OutcomeUnknown.
        """
        key, last = receipt_key(changes[0].sequence), changes[-1].sequence
        events = [change.event for change in changes if change.event is not None]
        for _ in range(TRIES):
            head = self._table.get(HEAD)
            number = _last(head) + 1
            receipt = Write(
                key,
                item={**key, "last": str(last), "ttl": int((now + KEPT).timestamp())},
                condition="attribute_not_exists(pk)",
                decisive=True,
            )
            page = Write(page_key(number), item=page_item(number, events, now))
            try:
                self._table.transact([receipt, page, _advanced(head, number, now)])
            except ConditionsFailed as failed:
                if receipt in failed.writes:
                    return self._reached(key)
                continue  # another writer took the number
            return last
        raise StoreBusy

    def read(self, after: Position, limit: int, now: datetime) -> Stretch:
        """1 read unit for the head, and those of the pages read; consistent. Raises PositionLost."""
        head = self._table.get(HEAD)
        end = Position(_last(head) + 1, 0)
        if after < _oldest(head, now) or after > end:
            raise PositionLost
        told: list[Told] = []
        for number, events in self._pages(after.page, end.page):
            for index, event in enumerate(events, 1):
                if Position(number, index) > after:
                    told.append(Told(event, Position(number, index)))
                if len(told) == limit:
                    return Stretch(told, told[-1].position)
        return Stretch(told, end)

    def oldest(self, now: datetime) -> Position:
        """Where the feed begins. 1 read unit."""
        return _oldest(self._table.get(HEAD), now)

    def end(self) -> Position:
        """Behind the last event. 1 read unit."""
        return Position(_last(self._table.get(HEAD)) + 1, 0)

    def _reached(self, key: Key) -> int:
        receipt = self._table.get(key)
        if receipt is None:  # it has expired in this moment; the batch comes again
            raise StoreBusy
        return int(receipt["last"])

    def _pages(self, first: int, end: int) -> Iterator[tuple[int, list[Event]]]:
        for block in range(first // PAGES_IN_BLOCK, end // PAGES_IN_BLOCK + 1):
            low = max(first, block * PAGES_IN_BLOCK)
            high = min(end, (block + 1) * PAGES_IN_BLOCK) - 1
            if low > high:
                continue
            low_key, high_key = page_key(low)["sk"], page_key(high)["sk"]
            for item in self._table.query(_block(low), low_key, high_key, PAGES_READ_AT_ONCE):
                yield int(item["sk"]), events_of(item)


def _last(head: Item | None) -> int:
    return int(head["lastPage"]) if head else 0


def _advanced(head: Item | None, number: int, now: datetime) -> Write:
    """The head at the page with this number, if it still is where it was read."""
    days: dict[str, Any] = dict(head["days"]) if head else {}
    today = f"{now:%Y-%m-%d}"
    days.setdefault(today, number)
    first_day = f"{now - KEPT:%Y-%m-%d}"
    return Write(
        HEAD,
        item={**HEAD, "lastPage": number, "days": {day: first for day, first in days.items() if day >= first_day}},
        condition="attribute_not_exists(pk)" if head is None else "lastPage = :before",
        values={} if head is None else {":before": number - 1},
    )


def _oldest(head: Item | None, now: datetime) -> Position:
    """The first page of the first day that is kept whole; pages of the days before it are going."""
    if head is None:
        return Position(1, 0)
    kept_from = f"{(now - KEPT + timedelta(days=1)).astimezone(UTC):%Y-%m-%d}"
    days = [int(first) for day, first in head["days"].items() if day >= kept_from]
    return Position(min(days, default=_last(head) + 1), 0)
