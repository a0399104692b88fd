"""The workers of `make run`: poll the stage's queues and stream and call the app's handlers as Lambda's pollers would.

`chalice local` has none. The handler gets real events: ids, receipts, receive counts and times are the queue's own.
What it returns from is deleted, but for the failures that it reports; what it raises for is handed out again when the
visibility timeout is over.
"""

import argparse
import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from chalice.local import LambdaContext

from chalicelib.functions import FUNCTIONS, Function
from chalicelib.settings import (
    REPORT_FAILURES,
    notice_queue_of_stage,
    queue_of_stage,
    sheet_queue_of_stage,
    webhook_queue_of_stage,
)
from devstack.api import STAGE, load_app
from devstack.lifeline import ends_with_parent, speaks_to_people
from devstack.stream import StreamPoller
from tools.deliver.data_stack import QUICK
from tools.project import ROOT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

FED: Mapping[Function, Callable[[Mapping[str, str]], str]] = {
    Function.WORKER: queue_of_stage,
    Function.DELIVER: webhook_queue_of_stage,
    Function.READER: sheet_queue_of_stage,
    Function.NOTIFY: notice_queue_of_stage,
}
"""The functions that are handed messages, and the queue of a stage that they come from."""
BATCHES: Mapping[Function, int] = {Function.WORKER: 10, Function.DELIVER: 1, Function.READER: 1, Function.NOTIFY: 10}
POLL_SECONDS = 1
"""How long an empty queue is waited at: as long as a stop may take to be noticed."""

MINUTE: Final = 60

Handler = Callable[[dict[str, Any], Any], object]


class Runs(Protocol):
    def run(self, stop: threading.Event) -> None:
        """Works until it is told to stop."""


class QueueWorker:
    """Works off one queue, a batch at a time."""

    def __init__(
        self,
        handler: Handler,
        sqs: "SQSClient",
        queue: str,
        function: Function = Function.WORKER,
        response_types: Collection[str] = (),
    ) -> None:
        """`response_types` as an event source mapping's `FunctionResponseTypes`."""
        self._function = function
        self._handler = handler
        self._sqs = sqs
        self._name = queue
        self._response_types = response_types
        self._known: tuple[str, str] | None = None

    def run(self, stop: threading.Event) -> None:
        """Works until it is told to stop; the batch under way is finished. A queue that is away is waited for."""
        told = False
        while not stop.is_set():
            try:
                self.work_once(POLL_SECONDS)
                told = False
            except (BotoCoreError, ClientError) as fault:
                if not told and not stop.is_set():
                    _say(f"the queue cannot be reached ({type(fault).__name__}); trying again")
                told = True
                stop.wait(POLL_SECONDS)

    def work_once(self, wait_seconds: int = 0) -> int:
        """Takes what the queue hands out at once, if anything, and works it off; gives the number of messages."""
        url, arn = self._queue()
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCHES[self._function],
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        if finished := self._finished(messages, arn):
            self._delete(url, finished)
        return len(messages)

    def _finished(self, messages: list["MessageTypeDef"], arn: str) -> list["MessageTypeDef"]:
        """Has the messages worked off; gives those that Lambda would delete."""
        if not messages:
            return []
        event = {"Records": [record(message, arn) for message in messages]}
        seconds = FUNCTIONS[self._function].timeout_seconds
        context = LambdaContext(self._function, memory_size=128, max_runtime_ms=seconds * 1000)
        try:
            answer = self._handler(event, context)
        except Exception as fault:
            _say(f"{_told(fault)}; the rest of {len(messages)} is redelivered after the visibility timeout")
            return []
        if REPORT_FAILURES not in self._response_types:
            return messages
        ids = [message["MessageId"] for message in messages]
        failed = failures_of(answer, ids)
        if failed:
            _say(f"{len(failed)} of {len(messages)} messages are redelivered after the visibility timeout")
        return [message for message in messages if message["MessageId"] not in failed]

    def _delete(self, url: str, messages: list["MessageTypeDef"]) -> None:
        self._sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)],
        )

    def _queue(self) -> tuple[str, str]:
        if self._known is None:
            url = self._sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
            self._known = url, found["Attributes"]["QueueArn"]
        return self._known


def failures_of(answer: Any, ids: Collection[str]) -> Collection[str]:
    """Which messages an answer says have failed, as Lambda reads it: nothing said is success for all, and what cannot
    be understood, or names no message of the batch, is failure for all (docs/intake.md cites the page).
    """
    try:
        failed = {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or ()}
    except (AttributeError, KeyError, TypeError):
        return ids
    return failed if failed <= set(ids) else ids


class Ticker:
    """Calls a handler every minute, as a rule of EventBridge does."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def run(self, stop: threading.Event) -> None:
        """Works until it is told to stop."""
        while not stop.wait(MINUTE):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            event = dict.fromkeys(("version", "account", "region", "source", "id"), "") | {
                "detail": {},
                "detail-type": "Scheduled Event",
                "time": now,
                "resources": [],
            }
            try:
                self._handler(event, LambdaContext(Function.REMIND, 128, MINUTE * 1000))
            except Exception as fault:
                _say(_told(fault))


@contextlib.contextmanager
def working(*workers: Runs) -> Iterator[None]:
    """The workers are at it in this process while the block runs, each in a thread of its own."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def record(message: "MessageTypeDef", arn: str) -> dict[str, Any]:
    """A received message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"stringValue": value["StringValue"]} if "StringValue" in value else {}
    return {**kept, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def _told(fault: Exception) -> str:
    """One line without the message of the exception: it may quote a row, and with it personal data."""
    if type(fault).__name__ == "Unfinished":  # by name: the app reloads its modules
        return str(fault)
    ours = [frame for frame in traceback.extract_tb(fault.__traceback__) if frame.filename.startswith(str(ROOT))]
    where = f" at {Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else ""
    return f"the batch failed ({type(fault).__name__}{where})"


def _say(what: str) -> None:
    print(f"  worker: {what}", file=sys.stderr, flush=True)


def main() -> None:
    """A child of `make run`: works until SIGTERM or the parent's end."""
    parser = argparse.ArgumentParser(prog="devstack.worker", description=__doc__)
    parser.add_argument("--aws", required=True, help="endpoint of the embedded AWS")
    arguments = parser.parse_args()
    speaks_to_people("worker: ")
    stop = threading.Event()
    ends_with_parent(stop.set)
    try:
        # The app and what calls it must be told the same.
        told = {"AWS_ENDPOINT_URL": arguments.aws, "FUNCTION_RESPONSE_TYPES": REPORT_FAILURES}
        app, _ = load_app(STAGE, told)
        handlers = app.handler_map
    except Exception:
        # The API shows why; like it, this one restarts when the code changes.
        _say("waiting until the app loads")
        stop.wait()
        return
    sqs = boto3.client("sqs", config=QUICK)
    dynamodb, streams = boto3.client("dynamodb", config=QUICK), boto3.client("dynamodbstreams", config=QUICK)
    queues = [
        QueueWorker(handlers[function], sqs, queue(os.environ), function, (REPORT_FAILURES,))
        for function, queue in FED.items()
    ]
    stream = StreamPoller(handlers[Function.RELAY], dynamodb, streams, os.environ["TABLE_NAME"])
    with working(*queues, stream, Ticker(handlers[Function.REMIND])):
        stop.wait()


if __name__ == "__main__":
    main()
