"""What requests cost: every call to DynamoDB as it was made, and what AWS would charge for it.

ministack's read units do not grow with the size of what is read, and of a transaction it counts the writes to the
indexes once for all items, so the prices are computed here from what was sent and what came back.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEXES = {"byProperty": ("g1pk", "g1sk"), "byMonth": ("g2pk", "g2sk"), "byAgent": ("g3pk", "g3sk")}
KEYS_ONLY = {"byEmail": ("g4pk", "pk"), "byPhone": ("g5pk", "pk")}

Stored = dict[str, Any]
"""An item in DynamoDB's own form."""


@dataclass(frozen=True)
class Call:
    """One call to DynamoDB: its operation, what was asked, and what was answered."""

    operation: str
    asked: dict[str, Any]
    answered: dict[str, Any]

    @property
    def consistent(self) -> bool:
        return bool(self.asked.get("ConsistentRead"))

    @property
    def reported(self) -> list[float]:
        """The units that the emulator reports, table by table."""
        consumed = self.answered["ConsumedCapacity"]
        return [c["CapacityUnits"] for c in (consumed if isinstance(consumed, list) else [consumed])]

    @property
    def read_units(self) -> float:
        """A unit reads 4 KB strongly consistently, half a unit eventually; a query rounds up once, for its sum."""
        if self.operation == "GetItem":
            read = size(self.answered.get("Item", {}))
        elif self.operation == "Query":
            assert self.answered["ScannedCount"] == self.answered["Count"], "what a filter drops is charged too"
            read = sum(map(size, self.answered["Items"]))
        else:
            return 0
        units = max(1, math.ceil(read / 4096))
        return units if self.consistent else units / 2

    def write_units(self, before: Mapping[str, Stored], after: Mapping[str, Stored]) -> int:
        """A unit writes 1 KB of the larger of the old and the new item, and a transaction takes two of them.

        An index takes one for every KB that it gains, loses or changes: two when the item moves within the index. It
        follows asynchronously, so that a transaction does not double it.
        """
        if self.operation == "PutItem":
            return self._written(self.asked["Item"], before, after, times=1)
        if self.operation == "TransactWriteItems":
            members = [next(iter(member.values())) for member in self.asked["TransactItems"]]
            return sum(self._written(m.get("Item") or m["Key"], before, after, times=2) for m in members)
        return 0

    @staticmethod
    def _written(key: Stored, before: Mapping[str, Stored], after: Mapping[str, Stored], times: int) -> int:
        name = name_of(key)
        old, new = before.get(name), after.get(name)
        units = times * kilobytes(old, new)
        for partition, sort in INDEXES.values():
            was = (old[partition], old[sort]) if old and partition in old else None
            now = (new[partition], new[sort]) if new and partition in new else None
            if was == now and was is not None:
                units += kilobytes(old, new)
            else:
                units += (kilobytes(old) if was else 0) + (kilobytes(new) if now else 0)
        # What has the keys alone changes with the keys alone.
        for partition, _ in KEYS_ONLY.values():
            was, now = (version.get(partition) if version else None for version in (old, new))
            units += (was is not None) + (now is not None) if was != now else 0
        return units


@dataclass
class Meter:
    """Records the calls of one client, from all its threads."""

    calls: list[Call] = field(default_factory=list)

    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    @property
    def read_units(self) -> float:
        return sum(call.read_units for call in self.calls)


@contextlib.contextmanager
def metered(client: DynamoDBClient) -> Iterator[Meter]:
    """Records what the client does while the block runs."""
    meter = Meter()
    events = client.meta.events

    def ask(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "INDEXES"
        # What is not asked for of an item is charged too, so whole items have to be seen.
        params.pop("ProjectionExpression", None)
        context["asked"] = dict(params)

    def note(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        meter.calls.append(Call(model.name, context["asked"], parsed))

    events.register("before-parameter-build.dynamodb", ask, unique_id="ask")
    events.register("after-call.dynamodb", note, unique_id="note")
    try:
        yield meter
    finally:
        events.unregister("before-parameter-build.dynamodb", unique_id="ask")
        events.unregister("after-call.dynamodb", unique_id="note")


def contents(client: DynamoDBClient, table: str) -> dict[str, Stored]:
    """Every item of the table by its key. The tests may scan; the code may not."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {name_of(item): item for page in pages for item in page["Items"]}


def name_of(item: Stored) -> str:
    return f"{item['pk']['S']} {item['sk']['S']}"


def kilobytes(*versions: Stored | None) -> int:
    return max(math.ceil(size(version) / 1024) for version in versions if version is not None)


def size(item: Stored) -> int:
    """Bytes as DynamoDB counts them: attribute names and values in UTF-8."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Any) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content.lstrip("-").replace(".", "")) // 2 + 2
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(member.encode()) for member in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(member) for name, member in content.items())
        case "L":
            return 3 + sum(1 + _size(member) for member in content)
    raise AssertionError(f"no item of ours has an attribute of type {kind}")
