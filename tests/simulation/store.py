"""A DynamoDB of one table, as the boto client shows it: what AWS documents of conditions, transactions and faults.

- Conditions, ALL_OLD, CancellationReasons in the order of the items, TransactionConflict, ClientRequestToken (ten
  minutes from the end of the first request; the same token while it is under way is TransactionInProgressException,
  with another request IdempotentParameterMismatchException):
  https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
- A write that is answered with status 500 may have been done or not, and throttling:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
- An index lags behind, a strongly consistent read does not:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
- TTL deletes within days, and until then the item is read as any other:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
- What the client does by itself (two attempts, what it retries, how long it pauses):
  https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)

from chalicelib.container import CLIENT
from chalicelib.repositories.items import PARTITION_KEYS, SORT_KEYS
from tests.simulation import expressions
from tests.simulation.expressions import StoredItem, Typed, Unknown, check_placeholders
from tests.simulation.world import Actor, Gone, World

T = TypeVar("T")

ItemKey = tuple[str, str]
Change = tuple[ItemKey, StoredItem | None, StoredItem | None]
"""An item before and after."""

TOKEN_SECONDS: Final = 600.0
_PATIENCE: Final = vars(CLIENT)
CONNECT_SECONDS: Final = float(_PATIENCE["connect_timeout"])
READ_SECONDS: Final = float(_PATIENCE["read_timeout"])
ATTEMPTS: Final = int(_PATIENCE["retries"]["total_max_attempts"])
WHERE: Final = "https://dynamodb.invalid"


class Trouble(StrEnum):
    """What can happen to one request on its way."""

    UNREACHABLE = "cannot connect"
    LOST = "the request is lost"
    DEAF = "done, but the answer is lost"
    RESET = "done, but the connection breaks"
    SLOW = "takes longer than we listen"
    DELAYED = "arrives after we stopped listening"
    FAILED = "status 500, not done"
    FAILED_DONE = "status 500, done"
    THROTTLED = "throttled"
    CONFLICT = "conflict with a transaction"
    DEATH = "the process dies before it is sent"
    DEATH_AFTER = "the process dies while it is done"


class _Refused(ClientError):
    STATUS = 400

    def __init__(self, code: str, **more: object) -> None:
        told = {"HTTPStatusCode": self.STATUS}
        answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": told, **more}
        super().__init__(answer, "Simulated")


class ConditionalCheckFailedException(_Refused): ...


class TransactionCanceledException(_Refused): ...


class TransactionInProgressException(_Refused): ...


class IdempotentParameterMismatchException(_Refused): ...


class TransactionConflictException(_Refused): ...


class ProvisionedThroughputExceededException(_Refused): ...


class InternalServerError(_Refused):
    STATUS = 500


class ThrottlingException(_Refused): ...


EXCEPTIONS: Final = {kind.__name__: kind for kind in _Refused.__subclasses__()}
RETRIED_BY_CLIENT: Final = (
    ConnectTimeoutError,
    ReadTimeoutError,
    ConnectionClosedError,
    InternalServerError,
    ThrottlingException,
    ProvisionedThroughputExceededException,
    TransactionInProgressException,
)
"""Of the above; botocore/retries/standard.py."""


@dataclass
class Token:
    request: object
    ended: float | None = None


class Line:
    """The way of requests to a service and back: what takes how long, and what goes wrong."""

    def __init__(self, world: World, trouble: Callable[[Actor], Trouble | None]) -> None:
        self._world = world
        self._trouble = trouble

    def call(self, what: str, perform: Callable[[], T], busy: Callable[[], Callable[[], None]]) -> T:
        """One call of the client: up to two requests. `busy` marks the request as under way until it is told."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._send(what, perform, busy)
            except RETRIED_BY_CLIENT:
                if attempt == ATTEMPTS:
                    raise
                self._world.pause(self._rng.uniform(0, 1))
        raise AssertionError

    @property
    def _rng(self) -> Random:
        actor = self._world.actor
        assert actor is not None
        return actor.rng

    def _send(self, what: str, perform: Callable[[], T], busy: Callable[[], Callable[[], None]]) -> T:
        world, actor = self._world, self._world.actor
        assert actor is not None
        trouble = self._trouble(actor)
        if trouble is not None:
            world.tell(f"{actor.name}: {what}: {trouble}")
        there = self._rng.uniform(0.001, 0.01)
        match trouble:
            case None:
                world.pause(there)
                try:
                    return perform()
                finally:
                    if not actor.dead:
                        world.pause(there)
            case Trouble.DEATH:
                actor.dead = True
                raise Gone
            case Trouble.DEATH_AFTER:
                world.later(there, self._unheard(perform, actor))
                actor.dead = True
                raise Gone
            case Trouble.UNREACHABLE:
                world.pause(CONNECT_SECONDS)
                raise ConnectTimeoutError(endpoint_url=WHERE)
            case Trouble.LOST | Trouble.DEAF | Trouble.SLOW | Trouble.DELAYED:
                if trouble is Trouble.DEAF:
                    world.later(there, self._unheard(perform, actor))
                elif trouble is not Trouble.LOST:
                    done = busy() if trouble is Trouble.SLOW else lambda: None
                    late = READ_SECONDS + self._rng.choice((-0.5, 0.2, 1, 4, 8, 20))
                    world.later(late, self._unheard(perform, actor, done))
                world.pause(READ_SECONDS)
                raise ReadTimeoutError(endpoint_url=WHERE)
            case Trouble.RESET:
                world.later(there, self._unheard(perform, actor))
                world.pause(3 * there)
                raise ConnectionClosedError(endpoint_url=WHERE)
            case Trouble.FAILED_DONE:
                world.later(there, self._unheard(perform, actor))
                world.pause(3 * there)
                raise InternalServerError("InternalServerError")
        world.pause(2 * there)
        if trouble is Trouble.FAILED:
            raise InternalServerError("InternalServerError")
        if trouble is Trouble.CONFLICT and what in ("put", "update"):
            raise TransactionConflictException("TransactionConflictException")
        if trouble is Trouble.CONFLICT and what == "transact":
            reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * 2]
            raise TransactionCanceledException("TransactionCanceledException", CancellationReasons=reasons)
        raise ThrottlingException("ThrottlingException")

    def _unheard(
        self, perform: Callable[[], T], actor: Actor, done: Callable[[], None] = lambda: None
    ) -> Callable[[], None]:
        """Performs it at the service, whoever may have given up on it."""

        def unheard() -> None:
            done()
            self._world.actor = actor
            try:
                perform()
            except (ClientError, BotoCoreError) as refused:
                self._world.tell(f"{actor.name}: (unheard) refused: {refused}")
            else:
                self._world.tell(f"{actor.name}: (unheard) done")
            finally:
                self._world.actor = None

        return unheard


class Store:
    """The items, and what was promised about them. `watch` sees every commit, at the moment it is made."""

    def __init__(self, world: World, watch: Callable[[Actor | None, Sequence[Change]], None]) -> None:
        self.world = world
        self.items: dict[str, dict[str, StoredItem]] = defaultdict(dict)
        self.expiring: dict[ItemKey, int] = {}
        self.lag: Callable[[], float] = lambda: 0.0
        self._watch = watch
        self._tokens: dict[str, Token] = {}
        self._indexed: dict[tuple[str, str], dict[ItemKey, StoredItem]] = defaultdict(dict)
        self._shown: dict[ItemKey, tuple[int, StoredItem | None]] = {}
        self._commits = 0

    def find(self, key: ItemKey) -> StoredItem | None:
        return self.items[key[0]].get(key[1]) if key[0] in self.items else None

    def put_by_hand(self, item: StoredItem) -> None:
        """As somebody would who may write to the table."""
        key = (item["pk"]["S"], item["sk"]["S"])
        self._commit([(key, self.find(key), item)])

    def expire(self, latest: Callable[[ItemKey], float]) -> None:
        """Deletes what expired, each item by its own delay."""
        now = self.world.now
        gone = [key for key, ttl in self.expiring.items() if ttl + latest(key) < now]
        self._commit([(key, self.find(key), None) for key in gone], deleting=True)

    # Requests, each at one instant

    def get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        item = self.find(_key(request["Key"]))
        return {"Item": item} if item is not None else {}

    def write(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        change = self._evaluated(kind, request)
        if change is None:
            old = self.find(_key(request.get("Key") or request["Item"]))
            more = {"Item": old} if old and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
            raise ConditionalCheckFailedException("ConditionalCheckFailedException", **more)
        self._commit([change])
        return {}

    def transact(self, members: Sequence[Mapping[str, Any]], token: str) -> dict[str, Any]:
        standing = self._tokens.get(token)
        if standing is not None and (standing.ended is None or self.world.now - standing.ended <= TOKEN_SECONDS):
            if standing.request != members:
                raise IdempotentParameterMismatchException("IdempotentParameterMismatchException")
            if standing.ended is None:
                raise TransactionInProgressException("TransactionInProgressException")
            return {}
        requests = [pair for member in members for pair in member.items()]
        keys = [_key(request.get("Key") or request["Item"]) for _, request in requests]
        if len(set(keys)) < len(keys) or len(keys) > 100:
            raise Unknown("a transaction of more than 100 actions, or of two on one item")
        changes = [self._evaluated(kind, request) for kind, request in requests]
        made = [change for change in changes if change is not None]
        if len(made) < len(changes):
            reasons = [{"Code": "ConditionalCheckFailed" if change is None else "None"} for change in changes]
            for reason, key, (_, request) in zip(reasons, keys, requests, strict=True):
                old = self.find(key)
                asked = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
                if reason["Code"] != "None" and old is not None and asked:
                    reason["Item"] = old  # type: ignore[assignment] # an item beside texts
            raise TransactionCanceledException("TransactionCanceledException", CancellationReasons=reasons)
        self._tokens[token] = Token(members, self.world.now)
        self._commit(made)
        return {}

    def under_way(self, members: Sequence[Mapping[str, Any]], token: str) -> Callable[[], None]:
        """Marks a transaction as under way; gives what ends that."""
        if token in self._tokens:
            return lambda: None
        self._tokens[token] = Token(members)

        def done() -> None:
            if self._tokens[token].ended is None:
                del self._tokens[token]

        return done

    def query(self, request: Mapping[str, Any]) -> dict[str, Any]:
        names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
        texts = [request["KeyConditionExpression"], request.get("FilterExpression", "")]
        check_placeholders(texts, names, values)
        index = request.get("IndexName")
        pk_name, sk_name = (PARTITION_KEYS[index], SORT_KEYS[index]) if index else ("pk", "sk")
        partition: str = values[":pk"]["S"]
        if index and request.get("ConsistentRead"):
            raise Unknown("an index cannot be read consistently")
        found = self._indexed[index, partition].values() if index else self.items[partition].values()
        matches = expressions.condition(texts[0])
        inside = [item for item in found if matches(item, names, values)]
        inside.sort(
            key=lambda item: (item[sk_name]["S"], item["pk"]["S"]), reverse=not request.get("ScanIndexForward", True)
        )
        start = request.get("ExclusiveStartKey")
        if start is not None:
            after = [n for n, item in enumerate(inside) if _key(item) == _key(start)]
            inside = inside[after[0] + 1 :] if after else [i for i in inside if i[sk_name]["S"] > start[sk_name]["S"]]
        limit = request.get("Limit", len(inside) + 1)
        answer: dict[str, Any] = {}
        if len(inside) > limit:
            last = inside[limit - 1]
            answer["LastEvaluatedKey"] = {name: last[name] for name in {"pk", "sk", pk_name, sk_name}}
            inside = inside[:limit]
        kept = expressions.condition(texts[1]) if texts[1] else None
        rows = [item for item in inside if kept is None or kept(item, names, values)]
        return {**answer, "Items": rows, "Count": len(rows), "ScannedCount": len(inside)}

    # What becomes of them

    def _evaluated(self, kind: str, request: Mapping[str, Any]) -> Change | None:
        """The change that a request asks for, or None when its condition does not hold."""
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        condition, update = request.get("ConditionExpression"), request.get("UpdateExpression")
        check_placeholders([text for text in (condition, update) if text], names, values)
        key = _key(request.get("Key") or request["Item"])
        before = self.find(key)
        if condition is not None and not expressions.condition(condition)(before or {}, names, values):
            return None
        match kind:
            case "Put":
                return key, before, dict(request["Item"])
            case "Update":
                after = dict(before) if before is not None else dict(request["Key"])
                for action in expressions.update(update):
                    action(before or request["Key"], after, names, values)
                return key, before, after
            case "Delete":
                return key, before, None
            case "ConditionCheck":
                return key, before, before
        raise Unknown(kind)

    def _commit(self, changes: Sequence[Change], deleting: bool = False) -> None:
        self._commits += 1
        for key, before, after in changes:
            if after is None:
                self.items[key[0]].pop(key[1], None)
                self.expiring.pop(key, None)
            else:
                self.items[key[0]][key[1]] = after
                if "ttl" in after:
                    self.expiring[key] = int(after["ttl"]["N"])
                else:
                    self.expiring.pop(key, None)
            if any(name in (after or {}) or name in (before or {}) for name in PARTITION_KEYS.values()):
                self.world.later(self.lag(), lambda key=key, n=self._commits, after=after: self._show(key, n, after))  # type: ignore[misc] # bound now
        self._watch(None if deleting else self.world.actor, changes)

    def _show(self, key: ItemKey, number: int, item: StoredItem | None) -> None:
        """The indexes hear of a commit: what they heard of a later one stays."""
        heard, old = self._shown.get(key, (0, None))
        if heard > number:
            return
        self._shown[key] = number, item
        for index, name in PARTITION_KEYS.items():
            if old is not None and name in old:
                self._indexed[index, old[name]["S"]].pop(key, None)
            if item is not None and name in item:
                self._indexed[index, item[name]["S"]][key] = item


def _key(item: StoredItem) -> ItemKey:
    return item["pk"]["S"], item["sk"]["S"]


class DynamoClient:
    """What `repositories.table` calls of boto3's client."""

    exceptions = SimpleNamespace(**EXCEPTIONS)

    def __init__(self, store: Store, line: Line) -> None:
        self._store = store
        self._line = line

    def get_item(self, **request: Any) -> dict[str, Any]:
        return self._call("get", lambda: self._store.get_item(request))

    def query(self, **request: Any) -> dict[str, Any]:
        return self._call("query", lambda: self._store.query(request))

    def put_item(self, **request: Any) -> dict[str, Any]:
        return self._call("put", lambda: self._store.write("Put", request))

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._call("update", lambda: self._store.write("Update", request))

    def delete_item(self, **request: Any) -> dict[str, Any]:
        return self._call("delete", lambda: self._store.write("Delete", request))

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        # Ours are written once and never changed, so they need no copy.
        members, token = request["TransactItems"], request["ClientRequestToken"]
        return self._line.call(
            "transact",
            lambda: self._store.transact(members, token),
            lambda: self._store.under_way(members, token),
        )

    def _call(self, what: str, perform: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self._line.call(what, perform, lambda: lambda: None)


def typed(text: str) -> Typed:
    return {"S": text}
