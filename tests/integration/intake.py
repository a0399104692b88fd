"""The queue as the tests drive it: real SQS events for the handler, workers of their own, and what the table says."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import boto3
from chalice.app import SQSEvent

import app as entry
from chalicelib.aws.clients import SENDER, client
from chalicelib.container import over, utc_now
from chalicelib.events.intake_queue import delete_finished
from chalicelib.functions import Queue
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.table import Table
from chalicelib.services.wired import Services

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from chalicelib.services.ports import Clock
    from tests.integration.conftest import FreshTable

LAMBDA_SECONDS = 60
PATIENCE_SECONDS = 60

SCHEDULED = dict.fromkeys(
    ("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources"), ""
)
"""What Chalice looks for in an event of EventBridge."""

Message = Mapping[str, Any]
"""A message as ReceiveMessage gives it."""


@dataclass(frozen=True)
class Mailbox:
    """A queue of a test's own and its dead letters, looked at from outside."""

    table: FreshTable
    """The table, in an environment that names this queue."""
    sqs: SQSClient
    url: str
    dead_url: str

    def send(self, *bodies: str) -> list[str]:
        """Puts messages on the queue; gives the ids that SQS gave them."""
        return [self.sqs.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"] for body in bodies]

    def receive(self, number: int = 10, *, dead: bool = False) -> list[Message]:
        """Up to so many messages; none when none came within a second."""
        found: list[Message] = []
        while len(found) < number:
            answer = self.sqs.receive_message(
                QueueUrl=self.dead_url if dead else self.url,
                MaxNumberOfMessages=min(10, number - len(found)),
                MessageSystemAttributeNames=["All"],
                WaitTimeSeconds=0 if found else 1,
            )
            if not answer.get("Messages"):
                break
            found += answer["Messages"]
        return found

    def give_back(self, messages: Sequence[Message]) -> None:
        """What Lambda does with a batch whose handler has raised, without waiting until they are visible again."""
        entries: Any = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for n, message in enumerate(messages)
        ]
        self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def delete(self, messages: Sequence[Message]) -> None:
        """What Lambda does with a batch whose handler has returned."""
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def waiting(self, *, dead: bool = False) -> int:
        """Messages in the queue, handed out or not."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.dead_url if dead else self.url
        counts: Any = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(counts[name]) for name in names)

    def work(self, until: Callable[[], bool] | None = None) -> None:
        """Delivers as Lambda does, until a condition holds or nothing is left: what raises is handed out again."""
        done = until or (lambda: self.waiting() == 0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"still {self.waiting()} messages, and it does not come to an end"
            messages = self.receive()
            if not messages:
                continue
            try:
                handle(messages)
            except Exception:
                self.give_back(messages)
            else:
                self.delete(messages)


@contextlib.contextmanager
def mailbox(table: FreshTable, visibility: int = 30, receives: int = 2) -> Iterator[Mailbox]:
    """A queue with a dead-letter queue, and the table in an environment that names it."""
    sqs: SQSClient = boto3.client("sqs", **table.access)
    name = f"visits-{secrets.token_hex(4)}"
    dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": receives})
    attributes: Any = {"VisibilityTimeout": str(visibility), "RedrivePolicy": redrive}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    sqs.create_queue(QueueName=f"{table.name}-webhooks.fifo", Attributes={"FifoQueue": "true"})
    sqs.create_queue(QueueName=f"{table.name}-notices")
    for queue in Queue:
        fifo: Any = {"Attributes": {"FifoQueue": "true"}} if queue.endswith(".fifo") else {}
        sqs.create_queue(QueueName=f"{table.name}{queue.dead_letters}", **fifo)
    named = replace(table, environment=table.environment | {"QUEUE_NAME": name})
    with contextlib.closing(sqs):
        yield Mailbox(named, sqs, url, dead_url)


@dataclass(frozen=True)
class LambdaContext:
    """What the handler is told of the time it has left."""

    remaining_seconds: float = LAMBDA_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_seconds * 1000)


def event_of(messages: Sequence[Message]) -> dict[str, Any]:
    """The event that Lambda makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:visits-test",
                "awsRegion": "eu-central-1",
            }
            for message in messages
        ]
    }


def handle(messages: Sequence[Message], remaining_seconds: float = LAMBDA_SECONDS) -> object:
    """The app's own handler, over the services that `serve` has put in; gives what it returns."""
    answer: object = entry.work_off_queue(event_of(messages), LambdaContext(remaining_seconds))
    return answer


@dataclass(frozen=True)
class Instance:
    """A worker's process: clients and services of its own over the shared table and queue."""

    dynamodb: DynamoDBClient
    sqs: SQSClient
    services: Services

    def handle(self, messages: Sequence[Message], remaining_seconds: float = LAMBDA_SECONDS) -> None:
        event = SQSEvent(event_of(messages), cast(Any, LambdaContext(remaining_seconds)))
        delete_finished(event, self.services)


@contextlib.contextmanager
def instance(box: Mailbox, clock: Clock = utc_now) -> Iterator[Instance]:
    """Another worker beside the one that `serve` made."""
    dynamodb: DynamoDBClient = client("dynamodb", **box.table.access)
    sqs: SQSClient = client("sqs", **box.table.access)
    with contextlib.closing(dynamodb), contextlib.closing(sqs):
        yield Instance(dynamodb, sqs, services_over(box.table, dynamodb, sqs, clock))


def services_over(
    table: FreshTable,
    dynamodb: DynamoDBClient,
    sqs: SQSClient,
    clock: Clock,
    store: Table | None = None,
    queue: SqsQueue | None = None,
) -> Services:
    """The services as the container wires them, over these clients, or over a table and a queue made of them."""
    store = store or Table(dynamodb, table.name)
    return over(store, queue or SqsQueue(lambda: sqs, table.environment["QUEUE_NAME"]), clock)


@contextlib.contextmanager
def hooked(client: DynamoDBClient | SQSClient, operation: str, hook: Callable[..., Any]) -> Iterator[None]:
    """Calls the hook before every request of an operation, or of any (`*`), is sent; what it says counts."""
    name = f"before-send.{client.meta.service_model.service_name}.{operation}".removesuffix(".*")
    client.meta.events.register(name, hook)
    try:
        yield
    finally:
        client.meta.events.unregister(name, hook)


@contextlib.contextmanager
def answered(client: DynamoDBClient | SQSClient, operation: str, hook: Callable[..., Any]) -> Iterator[None]:
    """As `hooked`, for a hook that answers in the service's stead: what it answers is not sent as well."""
    client.meta.events.unregister("before-send", unique_id=SENDER)
    with hooked(client, operation, hook):
        yield


def partner_message(*visits: Mapping[str, object], source: str = "partner") -> str:
    """A message as another producer sends it."""
    return json.dumps({"version": 1, "source": source, "visits": visits})


class working:  # noqa: N801 - reads as what it is for: with working(box)
    """Works off the queue beside the block."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        with instance(self._box) as worker:
            while not self._over.wait(0.1):
                if messages := self._box.receive():
                    worker.handle(messages)
