"""The queue worker of `make run`: real events for the app's handler, and what becomes of the messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import app as entry
from chalicelib.settings import REPORT_FAILURES
from devstack.worker import QueueWorker, failures_of
from tests.integration.api import serve
from tests.integration.intake import Mailbox, mailbox, partner_message
from tools.deliver.data_stack import create_data_stack, credentials
from tools.project import REGION, ROOT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from tests.integration.conftest import FreshTable

PATIENCE_SECONDS = 60


@pytest.fixture
def box(table: FreshTable) -> Iterator[Mailbox]:
    with mailbox(table, receives=3) as made:
        yield made


class Handler:
    """Stands in for the app's: keeps what it is called with, raises as often as it is told, then gives an answer."""

    def __init__(self, faults: int = 0, answer: object = None) -> None:
        self.calls: list[tuple[dict[str, Any], Any]] = []
        self.faults = faults
        self.answer = answer

    def __call__(self, event: dict[str, Any], context: Any) -> object:
        self.calls.append((event, context))
        if len(self.calls) <= self.faults:
            raise RuntimeError("quotes Ada Lovelace")
        return self.answer


def worker(box: Mailbox, handler: Handler, *response_types: str) -> QueueWorker:
    return QueueWorker(handler, box.sqs, box.url.rsplit("/", 1)[1], response_types=response_types)


def test_the_handler_gets_the_event_that_lambda_would_send(box: Mailbox) -> None:
    handler = Handler()
    sent = box.sqs.send_message(
        QueueUrl=box.url,
        MessageBody="hello",
        MessageAttributes={"originalMessageId": {"DataType": "String", "StringValue": "first"}},
    )
    assert worker(box, handler).work_once(1) == 1

    ((event, context),) = handler.calls
    (record,) = event["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["receiptHandle"]
    assert record["body"] == "hello"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId"} <= record["attributes"].keys()
    assert record["messageAttributes"]["originalMessageId"]["stringValue"] == "first"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].startswith(f"arn:aws:sqs:{REGION}:")
    assert record["eventSourceARN"].endswith(box.url.rsplit("/", 1)[1])
    assert record["awsRegion"] == REGION
    assert 0 < context.get_remaining_time_in_millis() <= 60_000
    assert context.aws_request_id


def test_a_batch_is_ten_messages_and_gone_when_the_handler_returns(box: Mailbox) -> None:
    box.send(*map(str, range(12)))
    handler = Handler()
    assert worker(box, handler).work_once(1) == 10
    assert box.waiting() == 2


def test_what_the_handler_raises_for_comes_again_and_is_told_without_what_is_in_it(
    box: Mailbox, capfd: pytest.CaptureFixture[str]
) -> None:
    box.send("one")
    handler = Handler(faults=1)
    working = worker(box, handler)
    working.work_once(1)
    assert box.waiting() == 1
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1
    assert "RuntimeError" in told[0]
    assert "Ada" not in told[0]

    time_out(box, handler.calls[-1][0])
    assert working.work_once(1) == 1
    assert box.waiting() == 0
    counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event, _ in handler.calls]
    assert counts == ["1", "2"]


def test_reported_failures_come_again_and_the_rest_is_gone(box: Mailbox, capfd: pytest.CaptureFixture[str]) -> None:
    _, kept = box.send("one", "two")
    handler = Handler(answer={"batchItemFailures": [{"itemIdentifier": kept}]})
    worker(box, handler, REPORT_FAILURES).work_once(1)
    assert "1 of 2 messages are redelivered" in capfd.readouterr().err
    assert box.waiting() == 1
    time_out(box, handler.calls[-1][0])
    (again,) = box.receive()
    assert again["MessageId"] == kept


def test_a_list_of_failures_is_success_for_a_mapping_that_was_not_told_to_expect_it(box: Mailbox) -> None:
    """As on AWS: why the worker must know what its event source was told."""
    (id,) = box.send("one")
    worker(box, Handler(answer={"batchItemFailures": [{"itemIdentifier": id}]})).work_once(1)
    assert box.waiting() == 0


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_an_answer_without_failures_is_success_for_all(answer: object) -> None:
    assert not failures_of(answer, ["a", "b"])


@pytest.mark.parametrize(
    "failure",
    [
        {"itemIdentifier": ""},
        {"itemIdentifier": None},
        {"itemIdentifier": {}},
        {"itemIdentifier": "of another batch"},
        {"itemidentifier": "a"},
        "a",
    ],
)
def test_a_failure_that_names_no_message_is_failure_for_all(failure: object) -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "a"}, failure]}
    assert set(failures_of(answer, ["a", "b"])) == {"a", "b"}


@pytest.mark.parametrize("told", [(), (REPORT_FAILURES,)], ids=["not told", "told"])
def test_the_app_loses_nothing_whichever_way_its_mapping_was_told(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", ",".join(told))
    with serve(box.table) as api:
        house = api.property(f"told-{len(told)}")
        box.send("no JSON", partner_message({"propertyId": house, "date": "2029-03-14T10:30:00Z"}))
        name = box.table.environment["QUEUE_NAME"]
        batches: list[dict[str, Any]] = []

        def handler(event: dict[str, Any], context: Any) -> object:
            batches.append(event)
            return entry.app.handler_map["work_off_queue"](event, context)

        working = QueueWorker(handler, box.sqs, name, response_types=told)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not box.waiting(dead=True):
            assert time.monotonic() < deadline, "what cannot be read was lost"
            working.work_once(1)
            time_out(box, batches[-1])
        assert box.waiting() == 0
        found = api.get("/visits", propertyId=house, from_="2029-03-14T00:00:00Z").json()["items"]
        assert len(found) == 1


def test_it_stops_after_the_batch_under_way(box: Mailbox) -> None:
    stop = threading.Event()
    begun = threading.Event()

    class Slow(Handler):
        def __call__(self, event: dict[str, Any], context: Any) -> object:
            begun.set()
            stop.wait(PATIENCE_SECONDS)
            return super().__call__(event, context)

    handler = Slow()
    box.send("one")
    thread = threading.Thread(target=worker(box, handler).run, args=(stop,))
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    stop.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert len(handler.calls) == 1
    assert box.waiting() == 0


def test_the_process_works_off_the_local_stage_and_ends_on_sigterm(aws: str) -> None:
    create_data_stack(aws, "local")
    sqs: SQSClient = boto3.client("sqs", **credentials(aws))
    url = sqs.get_queue_url(QueueName="visits-local")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=partner_message({"propertyId": "p1", "date": "2029-03-14T10:30:00Z"}))
    command = [sys.executable, "-m", "devstack.worker", "--aws", aws]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until_empty(sqs, url)
        child.terminate()
        _, told = child.communicate(timeout=PATIENCE_SECONDS)
    finally:
        child.kill()
        sqs.close()
    assert child.returncode == 0
    assert told == b""


def test_the_queue_keeps_messages_for_two_weeks_and_hides_them_for_six_timeouts(aws: str) -> None:
    create_data_stack(aws, "local")
    sqs: SQSClient = boto3.client("sqs", **credentials(aws))
    main, dead = (
        sqs.get_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], AttributeNames=["All"])[
            "Attributes"
        ]
        for name in ("visits-local", "visits-local-dead")
    )
    sqs.close()
    assert int(main["VisibilityTimeout"]) >= 6 * 60
    assert main["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert json.loads(main["RedrivePolicy"])["deadLetterTargetArn"] == dead["QueueArn"]
    assert json.loads(dead["RedriveAllowPolicy"])["sourceQueueArns"] == [main["QueueArn"]]


def test_the_process_reports_what_cannot_be_read_and_deletes_the_rest(aws: str) -> None:
    create_data_stack(aws, "local")
    sqs: SQSClient = boto3.client("sqs", **credentials(aws))
    url = sqs.get_queue_url(QueueName="visits-local")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="no JSON")
    sqs.send_message(QueueUrl=url, MessageBody=partner_message({"propertyId": "p1", "date": "2029-03-14T10:30:00Z"}))
    command = [sys.executable, "-m", "devstack.worker", "--aws", aws]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until_empty(sqs, url, but=1)
        child.terminate()
        _, told = child.communicate(timeout=PATIENCE_SECONDS)
    finally:
        child.kill()
        sqs.purge_queue(QueueUrl=url)
        sqs.close()
    assert re.fullmatch(r"  worker: 1 of [12] messages are redelivered after the visibility timeout\n", told.decode())


def time_out(box: Mailbox, event: dict[str, Any]) -> None:
    """What a batch has left in the queue is handed out again at once."""
    box.give_back([{"ReceiptHandle": record["receiptHandle"]} for record in event["Records"]])


def wait_until_empty(sqs: SQSClient, url: str, but: int = 0) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())) > but:
        assert time.monotonic() < deadline, "the worker left the message in the queue"
        time.sleep(0.05)
