"""What an administrator is told of dead letters: how many there are, and nothing of what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.functions import Queue
from tests.integration.api import Api, serve
from tests.integration.intake import Mailbox, mailbox

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


@pytest.fixture
def box(table: FreshTable) -> Iterator[Mailbox]:
    with mailbox(table) as made:
        yield made


@pytest.fixture
def api(box: Mailbox) -> Iterator[Api]:
    with serve(box.table) as made:
        yield made


def dead_url(box: Mailbox, queue: Queue) -> str:
    return box.sqs.get_queue_url(QueueName=f"{box.table.name}{queue.dead_letters}")["QueueUrl"]


def test_dead_letters_are_counted_by_queue_also_those_that_somebody_looks_at(api: Api, box: Mailbox) -> None:
    for n, queue in enumerate(Queue):
        for number in range(n):
            group: Any = {"MessageGroupId": "w", "MessageDeduplicationId": str(number)} if "fifo" in queue else {}
            box.sqs.send_message(QueueUrl=dead_url(box, queue), MessageBody="ada@example.com", **group)
    box.sqs.receive_message(QueueUrl=dead_url(box, Queue.SHEETS), VisibilityTimeout=60)
    answer = api.get("/dead-letters")
    assert {each["queue"]: each["count"] for each in answer.json()["items"]} == {
        "intakes": 0,
        "webhooks": 1,
        "sheets": 2,
        "notices": 3,
    }
    assert "ada" not in answer.text


def test_without_an_answer_of_the_queues_there_is_no_number(api: Api, box: Mailbox) -> None:
    box.sqs.delete_queue(QueueUrl=dead_url(box, Queue.NOTICES))
    answer = api.get("/dead-letters")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:visits:problem:store-busy"
