"""The relay of `make run`: reads the table's stream and calls the app's handler as Lambda's poller would.

A batch that the handler raises for comes again, and nothing behind it before. Each start begins with the oldest record
that the stream still has.
"""

import base64
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from chalice.local import LambdaContext

from chalicelib.functions import FUNCTIONS, Function

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT_SECONDS = FUNCTIONS[Function.RELAY].timeout_seconds
BATCH = 100
POLL_SECONDS = 1.0
SORT_KEYS = ("V", "P", "A")
"""Of the items whose records the event source mapping lets through."""

Handler = Callable[[dict[str, Any], Any], object]


class StreamPoller:
    """Hands out the stream of one table, a batch at a time, each shard in order."""

    def __init__(self, handler: Handler, dynamodb: "DynamoDBClient", streams: Any, table: str) -> None:
        self._handler = handler
        self._dynamodb = dynamodb
        self._streams = streams
        self._table = table
        self._arn: str | None = None
        self._iterators: dict[str, str | None] = {}

    def run(self, stop: threading.Event) -> None:
        """Works until it is told to stop. A stream that is away is waited for."""
        while not stop.is_set():
            try:
                handed_out = self.work_once()
            except (BotoCoreError, ClientError):
                handed_out, self._arn, self._iterators = 0, None, {}
            if not handed_out:
                stop.wait(POLL_SECONDS)

    def work_once(self) -> int:
        """Hands out the next batch of every shard; gives the number of records."""
        if self._arn is None:
            self._arn = self._dynamodb.describe_table(TableName=self._table)["Table"]["LatestStreamArn"]
        shards = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        return sum(self._of_shard(self._arn, shard["ShardId"]) for shard in shards)

    def _of_shard(self, arn: str, shard: str) -> int:
        if shard not in self._iterators:
            first = self._streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
            self._iterators[shard] = first["ShardIterator"]
        iterator = self._iterators[shard]
        if iterator is None:
            return 0
        answer = self._streams.get_records(ShardIterator=iterator, Limit=BATCH)
        records = [as_lambda_has_it(record, arn) for record in answer["Records"]]
        wanted = [record for record in records if record["dynamodb"]["Keys"]["sk"]["S"] in SORT_KEYS]
        if wanted:
            try:
                self._handler({"Records": wanted}, LambdaContext(Function.RELAY, 128, TIMEOUT_SECONDS * 1000))
            except Exception as fault:
                print(f"relay: {type(fault).__name__}; {len(wanted)} records come again", flush=True)
                return 0
        self._iterators[shard] = answer.get("NextShardIterator")
        return len(records)


def as_lambda_has_it(record: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A record of GetRecords in JSON: bytes in base64, instants as numbers."""
    plain: dict[str, Any] = _plain(record)
    return {**plain, "eventSourceARN": arn}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {name: _plain(member) for name, member in value.items()}
        case list() | set():
            return [_plain(member) for member in value]
    return value.timestamp() if hasattr(value, "timestamp") else value
