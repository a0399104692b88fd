"""The dead letters of all queues, counted without being looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import StoreBusy
from chalicelib.functions import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

LYING: Final = "ApproximateNumberOfMessages"
IN_HAND: Final = "ApproximateNumberOfMessagesNotVisible"
"""Somebody is looking at them, or is sending them again."""
COUNTED: Final[tuple[QueueAttributeNameType, ...]] = (LYING, IN_HAND)


class SqsDeadLetters:
    """The client is made by `connect` when it is first needed; the names of queues begin with `stage_queue`."""

    def __init__(self, connect: Callable[[], SQSClient], stage_queue: str) -> None:
        self._connect = connect
        self._stage_queue = stage_queue

    def count(self) -> Mapping[Queue, int]:
        """About how many lie there. Raises StoreBusy."""
        try:
            return {queue: self._number(url) for queue, url in self._urls.items()}
        except (ClientError, BotoCoreError) as fault:
            raise StoreBusy from fault

    def _number(self, url: str) -> int:
        told = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTED)["Attributes"]
        return sum(int(told[each]) for each in COUNTED)

    @cached_property
    def _client(self) -> SQSClient:
        return self._connect()

    @cached_property
    def _urls(self) -> Mapping[Queue, str]:
        names = {queue: f"{self._stage_queue}{queue.dead_letters}" for queue in Queue}
        return {queue: self._client.get_queue_url(QueueName=name)["QueueUrl"] for queue, name in names.items()}
