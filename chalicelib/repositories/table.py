"""The table as the repositories use it: consistent reads, transactions that outlast contention, ordered ranges."""

from __future__ import annotations

import heapq
import time
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from chalicelib.domain import patience
from chalicelib.domain.errors import OutcomeUnknown, StoreBusy, Unavailable
from chalicelib.domain.listing import Page
from chalicelib.record import Record
from chalicelib.repositories.items import PARTITION_KEYS, SORT_KEYS, WRITTEN_BY, Item, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONTENDED_FOR_SECONDS = 3.0
"""How long a write is tried while others are at the same items."""

READ_TRIES = 2

READ_BUDGET = 1000
"""Items that one page may read while it looks for those that match a filter."""

RESERVED_WORDS = ("name", "ttl")
"""Attributes of ours that DynamoDB's expressions know by a placeholder only: #name, #ttl."""

CONDITION_FAILED = "ConditionalCheckFailed"
TRANSIENT = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
BUSY_ERRORS = frozenset(
    {
        "TransactionConflictException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)
"""With these DynamoDB says that it did not take the request."""

SERVERS_FAULT = 500
"""From this status on it does not say whether it did, whatever it calls the fault, or whoever answers in its place."""

IN_PROGRESS = "TransactionInProgressException"
"""Nor with this: an earlier attempt of our own is under way."""


def serialized(item: Mapping[str, Any]) -> dict[str, Any]:
    """In DynamoDB's own form: each value in a dict with its type."""
    return {name: _typed(value) for name, value in item.items()}


def deserialized(item: Mapping[str, Any]) -> Item:
    return {name: _untyped(typed) for name, typed in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case set() | frozenset() if value and all(isinstance(member, str) for member in value):
            return {"SS": sorted(value)}
        case dict():
            return {"M": serialized(value)}
        case list():
            return {"L": [_typed(member) for member in value]}
    raise TypeError(f"unsupported attribute type {type(value).__name__}")


def _untyped(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "B":
            return b64decode(value) if isinstance(value, str) else value
        case "N":
            return Decimal(value)
        case "SS":
            return set(value)
        case "M":
            return deserialized(value)
        case "L":
            return [_untyped(member) for member in value]
    raise TypeError(f"unsupported attribute type {kind}")


class Write(Record):
    """One member of a transaction: put an item whole, or update one; with the condition it depends on."""

    key: Key
    item: Item | None = None
    update: str | None = None
    condition: str | None = None
    values: Item = field(default_factory=dict)
    decisive: bool = False
    """Whether its failed condition counts at once, whatever else is contended."""

    def request(self, table: str) -> dict[str, Any]:
        made: dict[str, Any] = {"TableName": table}
        if self.condition is not None:
            made["ConditionExpression"] = self.condition
        expressions = f"{self.condition} {self.update}"
        if names := {f"#{word}": word for word in RESERVED_WORDS if f"#{word}" in expressions}:
            made["ExpressionAttributeNames"] = names
        if self.values:
            made["ExpressionAttributeValues"] = serialized(self.values)
        if self.item is not None:
            return {"Put": {**made, "Item": serialized(self.item)}}
        return {"Update": {**made, "Key": serialized(self.key), "UpdateExpression": self.update}}


class Consistency(Enum):
    """What a read may miss: nothing, or writes of the last moments, at half the price."""

    STRONG = "strong"
    EVENTUAL = "eventual"


class ConditionsFailed(Exception):
    """A transaction was cancelled, and nothing was written, because of the conditions of these writes."""

    def __init__(self, writes: list[Write], present: Item | None = None) -> None:
        self.writes = writes
        self.present = present or {}
        """The item as it stood, where a single one was to be written."""
        self.after_silence = False
        """Whether an earlier attempt of the same call got no answer, and may be what changed the item."""


class Group(Record):
    """Partitions that are read together and merged; `first` and `last` enclose every sort key in them."""

    partitions: tuple[str, ...]
    first: str
    last: str


class Range(Record):
    """An ordered range of an index: groups one after another, sort keys from `low` to `high` inclusive."""

    index: str
    groups: tuple[Group, ...]
    low: str
    high: str
    descending: bool = False
    filter: str | None = None
    filter_names: Mapping[str, str] = field(default_factory=dict)
    filter_values: Item = field(default_factory=dict)
    keep: Callable[[Item], bool] | None = None
    """A filter that no expression can say."""

    @property
    def is_filtered(self) -> bool:
        return self.filter is not None or self.keep is not None


class _BudgetSpent(Exception):
    """The page has read enough; the next one goes on from where it stands."""


class Table:
    def __init__(
        self,
        client: DynamoDBClient,
        name: str,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        return self._name

    def get(self, key: Key) -> Item | None:
        """One strongly consistent read."""
        found = self._read(self._client.get_item, {"Key": serialized(key), "ConsistentRead": True})
        return deserialized(found["Item"]) if "Item" in found else None

    def ping(self) -> None:
        """Asks for an item that is never there: half a read unit says that the table answers. Raises StoreBusy."""
        self._read(self._client.get_item, {"Key": serialized({"pk": "health", "sk": "health"})})

    def _read(self, operation: Callable[..., Any], request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call that changes nothing, tried twice. Raises StoreBusy."""
        why: BaseException | None = None
        for pause in islice(patience.pauses(), READ_TRIES):
            try:
                with _store_faults():
                    answer: Mapping[str, Any] = operation(TableName=self._name, **request)
                return answer
            except Unavailable as fault:
                why = fault.__cause__
                self._sleep(pause)
        raise StoreBusy from why

    def transact(self, writes: list[Write]) -> None:
        """Writes all or nothing. Raises ConditionsFailed, StoreBusy while it stays contended, or OutcomeUnknown.

        Every attempt carries the same token: DynamoDB takes it for the first one, done or still under way, for ten
        minutes (ClientRequestToken of TransactWriteItems).
        """
        # The request as a dict: its type in the stubs cannot be built member by member.
        request: Any = [write.request(self._name) for write in writes]
        token = str(uuid.uuid4())

        def attempt() -> None:
            try:
                self._client.transact_write_items(TransactItems=request, ClientRequestToken=token)
            except self._client.exceptions.TransactionCanceledException as cancelled:
                failed, transient = _why(cancelled, writes)
                if failed and (not transient or any(write.decisive for write in failed)):
                    raise ConditionsFailed(failed) from cancelled
                if transient:
                    raise StoreBusy from cancelled
                raise

        self._until_settled(attempt)

    def put(self, write: Write) -> None:
        """Puts one item under its condition, at half the price of a transaction.

        Raises ConditionsFailed, StoreBusy or OutcomeUnknown.
        """
        token = str(uuid.uuid4())
        request: Any = write.request(self._name)["Put"]
        request["Item"] |= serialized({WRITTEN_BY: token})
        try:
            self._write_one(self._client.put_item, request, write)
        except ConditionsFailed as failed:
            # The item says that this very call wrote it: the answer to an earlier attempt was lost.
            if failed.present.get(WRITTEN_BY) == token:
                return
            # It may have, and somebody else has written since.
            if failed.after_silence:
                raise OutcomeUnknown from failed
            raise

    def update(self, write: Write) -> None:
        """Updates one item under its condition, which must hold again, or tell, once this very update was made.

        Raises ConditionsFailed, StoreBusy or OutcomeUnknown.
        """
        self._write_one(self._client.update_item, write.request(self._name)["Update"], write)

    def _write_one(self, operation: Callable[..., object], request: Any, write: Write) -> None:
        if write.condition is not None:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"

        def attempt() -> None:
            try:
                operation(**request)
            except self._client.exceptions.ConditionalCheckFailedException as failed:
                response: Any = failed.response
                raise ConditionsFailed([write], deserialized(response.get("Item", {}))) from failed

        self._until_settled(attempt)

    def _until_settled(self, attempt: Callable[[], None]) -> None:
        """Retries with full jitter: for three seconds while others are at the same items, and while it is not known
        whether an attempt was carried out for as long as the request has patience.
        """
        began = self._monotonic()
        patient_until = began + patience.left(without=CONTENDED_FOR_SECONDS)
        contended_until = min(began + CONTENDED_FOR_SECONDS, patient_until)
        silent = False
        for pause in patience.pauses():
            try:
                with _store_faults():
                    attempt()
                return
            except ConditionsFailed as failed:
                failed.after_silence = silent
                raise
            except Unavailable as fault:
                silent = silent or isinstance(fault, OutcomeUnknown)
                if self._monotonic() > (patient_until if silent else contended_until):
                    raise (OutcomeUnknown if silent else StoreBusy) from fault
            self._sleep(pause)

    def query(
        self,
        partition: str,
        low: str,
        high: str,
        limit: int | None = None,
        consistency: Consistency = Consistency.STRONG,
        attributes: str | None = None,
    ) -> Iterator[Item]:
        """The items of one partition of the table itself, between two sort keys; whole unless attributes are named."""
        request: dict[str, Any] = {
            "ConsistentRead": consistency is Consistency.STRONG,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": serialized({":pk": partition, ":low": low, ":high": high}),
        }
        if limit is not None:
            request["Limit"] = limit
        if attributes is not None:
            request["ProjectionExpression"] = attributes
        while True:
            answer = self._read(self._client.query, request)
            yield from map(deserialized, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def page(self, range: Range, after: str | None, limit: int) -> Page[Item]:
        """Items of the range in order, from beyond the sort key `after`, and the sort key reached if more may follow.

        What it reads is bounded by the limit, or by READ_BUDGET with a filter, never by the size of the table.
        """
        items: list[Item] = []
        reached = after
        try:
            for position, item in self._stream(range, after, limit):
                if item is not None and len(items) == limit:
                    return Page(items, reached)
                if item is not None:
                    items.append(item)
                reached = position
        except _BudgetSpent:
            return Page(items, reached)
        return Page(items, None)

    def _stream(self, range: Range, after: str | None, limit: int) -> Iterator[tuple[str, Item | None]]:
        """Items by sort key, between them bare positions up to which everything has been read."""
        low, high = range.low, range.high
        if after is not None:
            low, high = (low, min(high, after)) if range.descending else (max(low, after), high)
        budget = [READ_BUDGET]
        for group in reversed(range.groups) if range.descending else range.groups:
            if group.last <= low or group.first >= high:
                continue
            if budget[0] <= 0:
                raise _BudgetSpent
            shards = [
                self._partition(range, partition, low, high, after, limit, budget, len(group.partitions))
                for partition in group.partitions
            ]
            yield from heapq.merge(*shards, key=lambda found: found[0], reverse=range.descending)
            yield group.first if range.descending else group.last, None

    def _partition(
        self,
        range: Range,
        partition: str,
        low: str,
        high: str,
        after: str | None,
        limit: int,
        budget: list[int],
        siblings: int,
    ) -> Iterator[tuple[str, Item | None]]:
        sort_key = SORT_KEYS[range.index]
        # Of one more than the page takes, this partition's share; `after` itself may come along.
        wanted = -(-(limit + 1) // siblings) + (after is not None)
        request: dict[str, Any] = {
            "IndexName": range.index,
            "KeyConditionExpression": f"{PARTITION_KEYS[range.index]} = :pk AND {sort_key} BETWEEN :low AND :high",
            "ExpressionAttributeValues": serialized(
                {":pk": partition, ":low": low, ":high": high, **range.filter_values}
            ),
            "ScanIndexForward": not range.descending,
            "Limit": wanted,
        }
        if range.is_filtered:
            request["Limit"] = max(2 * wanted, 50)
        if range.filter is not None:
            request["FilterExpression"] = range.filter
            if range.filter_names:
                request["ExpressionAttributeNames"] = dict(range.filter_names)
        while True:
            answer = self._read(self._client.query, request)
            budget[0] -= answer["ScannedCount"]
            for raw in answer["Items"]:
                item = deserialized(raw)
                if item[sort_key] != after:
                    yield item[sort_key], item if range.keep is None or range.keep(item) else None
            if "LastEvaluatedKey" not in answer:
                return
            last = answer["LastEvaluatedKey"]
            yield last[sort_key]["S"], None
            if budget[0] <= 0:
                raise _BudgetSpent
            request["ExclusiveStartKey"] = last


def _why(cancelled: ClientError, writes: list[Write]) -> tuple[list[Write], bool]:
    """The writes whose condition failed, and whether anything failed that may pass by itself."""
    response: Any = cancelled.response
    codes = [reason.get("Code") for reason in response.get("CancellationReasons", [])]
    failed = [write for write, code in zip(writes, codes, strict=False) if code == CONDITION_FAILED]
    return failed, any(code in TRANSIENT for code in codes)


@contextmanager
def _store_faults() -> Iterator[None]:
    """Turns the store's overload into StoreBusy and its silence into OutcomeUnknown, here alone; anything else stays a
    fault of ours.
    """
    patience.check()
    try:
        yield
    except ClientError as fault:
        code, status = fault.response["Error"]["Code"], fault.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= SERVERS_FAULT or code == IN_PROGRESS:
            raise OutcomeUnknown from fault
        if code in BUSY_ERRORS:
            raise StoreBusy from fault
        raise
    except HTTPClientError as fault:  # sent, and not answered
        raise OutcomeUnknown from fault
    except BotoCoreError as fault:  # never sent
        raise StoreBusy from fault
