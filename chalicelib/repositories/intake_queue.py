"""The SQS standard queue, for those who send to it and for the worker that acknowledges."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain import patience
from chalicelib.domain.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MOST_IN_BATCH = 10
MOST_BYTES_IN_BATCH = 256 * 1024
ATTEMPTS = 8

T = TypeVar("T")


class SqsQueue:
    """The client is made by `connect` when it is first needed."""

    def __init__(
        self, connect: Callable[[], SQSClient], name: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._connect = connect
        self._name = name
        self._sleep = sleep
        self._known_url: str | None = None

    @cached_property
    def _client(self) -> SQSClient:
        return self._connect()

    def send(self, messages: Sequence[str]) -> None:
        """One call for up to ten messages; those that SQS did not take are sent again.

        Raises StoreBusy, though some may be in the queue.
        """
        for batch in _batches(messages):
            self._send(batch)

    def delete(self, receipts: Sequence[str]) -> None:
        """One call for up to ten messages. A message that stays is handed out again, which does no harm."""
        for start in range(0, len(receipts), MOST_IN_BATCH):
            batch = receipts[start : start + MOST_IN_BATCH]
            entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(batch)]
            try:
                self._client.delete_message_batch(QueueUrl=self._url(), Entries=entries)  # type: ignore[arg-type] # plain dicts
            except (ClientError, BotoCoreError, StoreBusy):
                continue

    def _send(self, batch: list[str]) -> None:
        waiting = dict(enumerate(batch))
        for pause in islice(patience.pauses(), ATTEMPTS):
            patience.check()
            entries = [{"Id": str(n), "MessageBody": body} for n, body in waiting.items()]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url(), Entries=entries)  # type: ignore[arg-type] # plain dicts
                for sent in answer.get("Successful", []):
                    waiting.pop(int(sent["Id"]), None)
            except (ClientError, BotoCoreError, StoreBusy):
                pass
            if not waiting:
                return
            self._sleep(pause)
        raise StoreBusy

    def _url(self) -> str:
        if self._known_url is None:
            try:
                self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
            except (ClientError, BotoCoreError) as fault:
                raise StoreBusy from fault
        return self._known_url


def _batches(messages: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for message in messages:
        weight = len(message.encode())
        if batch and (len(batch) == MOST_IN_BATCH or size + weight > MOST_BYTES_IN_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += weight
    if batch:
        yield batch
