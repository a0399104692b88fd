"""What calls to DynamoDB cost as AWS charges them, whatever the size of the table: told from the items they touch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import boto3

from chalicelib.aws.clients import client
from devstack.emulator import emulator
from tests.integration.conftest import FreshTable, fresh_table
from tests.integration.metering import Call, Stored, kilobytes, name_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ACCOUNT: Final = "424242424242"


@dataclass(frozen=True)
class EmptyTable:
    """A table on an emulator of its own: a client as the container makes it, and how to reach both."""

    client: DynamoDBClient
    reached: FreshTable

    @property
    def name(self) -> str:
        return self.reached.name


@contextlib.contextmanager
def empty_table() -> Iterator[EmptyTable]:
    with emulator() as aws:
        table = fresh_table(aws.endpoint, ACCOUNT, "bench")
        sqs: Any = boto3.client("sqs", **table.access)
        sqs.create_queue(QueueName=table.name)
        lean = client("dynamodb", **table.access)
        with contextlib.closing(sqs), contextlib.closing(table.client), contextlib.closing(lean):
            yield EmptyTable(lean, table)


@dataclass(frozen=True)
class Entry:
    """A call, and the items that it touched as they were before and after."""

    call: Call
    before: Mapping[str, Stored]
    after: Mapping[str, Stored]

    @property
    def write_units(self) -> float:
        if self.call.operation == "UpdateItem":
            # None of the items that are updated alone is in an index.
            name = name_of(self.call.asked["Key"])
            return kilobytes(self.before.get(name), self.after.get(name))
        # What a cancelled transaction would have made is charged, too: at least a unit for each item.
        made = {name_of(key): key for _, key in _written(self.call.asked)} | dict(self.after)
        return self.call.write_units(self.before, made)


@dataclass
class Ledger:
    """Every call of a client, in order."""

    entries: list[Entry] = field(default_factory=list)

    def operations(self) -> tuple[str, ...]:
        return tuple(entry.call.operation for entry in self.entries)

    @property
    def read_units(self) -> float:
        return sum(entry.call.read_units for entry in self.entries)

    @property
    def write_units(self) -> float:
        return sum(entry.write_units for entry in self.entries)


@contextlib.contextmanager
def recorded(table: EmptyTable, client: DynamoDBClient | None = None) -> Iterator[Ledger]:
    """Records what the table's client, or another, does while the block runs; the written items are looked at too."""
    ledger = Ledger()
    events = (client or table.client).meta.events

    def look(asked: Mapping[str, Any]) -> dict[str, Stored]:
        found = (_read(table.reached.client, *place) for place in _written(asked))
        return {name_of(item): item for item in found if item}

    def ask(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = dict(params)
        context["before"] = look(params)

    def note(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        asked = context["asked"]
        ledger.entries.append(Entry(Call(model.name, asked, parsed), context["before"], look(asked)))

    events.register("before-parameter-build.dynamodb", ask, unique_id="ledger asks")
    events.register("after-call.dynamodb", note, unique_id="ledger notes")
    try:
        yield ledger
    finally:
        events.unregister("before-parameter-build.dynamodb", unique_id="ledger asks")
        events.unregister("after-call.dynamodb", unique_id="ledger notes")


def _written(asked: Mapping[str, Any]) -> Iterator[tuple[str, Stored]]:
    """Table and key of every item that a request writes."""
    members = [next(iter(member.values())) for member in asked.get("TransactItems", ())]
    if "Item" in asked or "UpdateExpression" in asked:
        members.append(asked)
    for member in members:
        whole = member.get("Item") or member["Key"]
        yield member["TableName"], {name: whole[name] for name in ("pk", "sk")}


def _read(client: DynamoDBClient, table: str, key: Any) -> Any:
    return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
