"""Webhooks over a FIFO queue, in which a message that is invisible holds up all of its group.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/interleaving-multiple-ordered-message-groups.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest
from chalice.app import SQSEvent

from chalicelib.domain.webhooks import Answer
from chalicelib.events import webhook_queue
from chalicelib.functions import Function
from chalicelib.repositories.webhook_queue import SqsWebhookQueue
from chalicelib.settings import REPORT_FAILURES
from devstack.worker import QueueWorker
from tests.agency import Agency
from tests.builders import property_id
from tests.unit.test_webhooks import URL, got, happen
from tools.deliver.data_stack import credentials

HOURS = Answer("503", 503, retry_after_seconds=6 * 60 * 60)
"""A receiver that wants to be left alone for long."""
A_MINUTE = Answer("503", 503, retry_after_seconds=60)


class Office:
    """A webhook, its queue and those who deliver; the clock of the service stands still."""

    def __init__(self, sqs: Any) -> None:
        name = f"{property_id()}.fifo"
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", "VisibilityTimeout": "360"})
        self.queue = SqsWebhookQueue(lambda: sqs, name)
        self.agency = Agency(wakes=self.queue)
        self.hook = self.agency.webhooks.register(URL, frozenset()).id
        self._worker = QueueWorker(self._handle, sqs, name, Function.DELIVER, (REPORT_FAILURES,))

    def fails(self, answer: Answer) -> None:
        """The receiver does not take the first event."""
        happen(self.agency, 1)
        self.agency.receivers.answers = [answer]
        self.agency.webhooks.wake()
        self.work()

    def resume(self) -> None:
        self.agency.webhooks.go_on_from(self.hook, self.agency.webhooks.get(self.hook).position)

    def work(self, wait_seconds: int = 0) -> None:
        """Works off what the queue hands out, until it hands out nothing for so long."""
        while self._worker.work_once(wait_seconds):
            pass

    @property
    def posted(self) -> list[str]:
        """Ids of events; a test has another each time."""
        return ["test" if id.startswith("test.") else id for id in got(self.agency)]

    def _handle(self, event: dict[str, Any], context: Any) -> object:
        return webhook_queue.deliver(SQSEvent(event, context), self.agency.services)


@pytest.fixture
def office(aws: str, account: str, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", REPORT_FAILURES)
    return Office(boto3.client("sqs", **credentials(aws, account)))


def test_a_webhook_that_is_resumed_does_not_wait_for_the_end_of_its_pause(office: Office) -> None:
    office.fails(HOURS)
    happen(office.agency, 2)
    office.resume()
    office.work()
    assert office.posted == ["e1", "e1", "e2"]


def test_a_webhook_that_is_resumed_in_a_short_pause_goes_on_with_the_try_that_it_was_waiting_for(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.domain.webhooks.FIRST_PAUSE", timedelta(seconds=1))
    office.fails(Answer("503", 503, retry_after_seconds=1))
    happen(office.agency, 2)
    office.resume()
    while len(office.posted) < 3:
        office.work(wait_seconds=1)
    office.work()
    assert office.posted == ["e1", "e1", "e2"]


@pytest.mark.parametrize("answer", [HOURS, A_MINUTE])
def test_a_test_is_sent_while_the_receiver_is_left_alone(office: Office, answer: Answer) -> None:
    office.fails(answer)
    office.agency.webhooks.ask_for_test(office.hook)
    office.work()
    assert office.posted == ["e1", "test"]


def test_a_receiver_that_was_left_alone_for_hours_is_tried_again_by_the_tick(office: Office) -> None:
    office.fails(HOURS)
    happen(office.agency, 2)
    office.agency.clock.advance(timedelta(hours=5, minutes=59))
    office.agency.webhooks.wake_those_behind()
    office.work()
    assert office.posted == ["e1"]
    office.agency.clock.advance(timedelta(minutes=1))
    office.agency.webhooks.wake_those_behind()
    office.work()
    assert office.posted == ["e1", "e1", "e2"]


def test_what_a_receiver_that_is_left_alone_was_woken_for_before_does_not_try_it_again(office: Office) -> None:
    """The list of webhooks is a moment behind: whoever reads it wakes one that has just failed."""
    happen(office.agency, 1)
    office.agency.receivers.answers = [HOURS]
    office.queue.wake([office.hook] * 3)
    office.work()
    assert office.posted == ["e1"]


def test_a_webhook_is_resumed_and_tested_after_it_was_disabled(office: Office) -> None:
    office.fails(Answer("410", 410))
    office.agency.webhooks.ask_for_test(office.hook)
    office.work()
    office.resume()
    office.work()
    assert office.posted == ["e1", "test", "e1"]


def test_what_a_webhook_that_was_removed_left_in_the_queue_is_no_longer_there(office: Office) -> None:
    office.fails(HOURS)
    office.agency.webhooks.ask_for_test(office.hook)
    office.agency.webhooks.remove(office.hook)
    office.work()
    assert office.posted == ["e1"]
