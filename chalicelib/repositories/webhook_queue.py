"""The FIFO queue that wakes those who deliver. Its groups are the webhooks, and the tests of each: a message that is
put off holds up those behind it in its group, and no others.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/interleaving-multiple-ordered-message-groups.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import StoreBusy
from chalicelib.repositories.intake_queue import MOST_IN_BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsWebhookQueue:
    """The client is made by `connect` when it is first needed."""

    def __init__(self, connect: Callable[[], SQSClient], name: str) -> None:
        self._connect = connect
        self._name = name

    def wake(self, webhook_ids: Sequence[str]) -> None:
        """One call for ten webhooks. Raises StoreBusy."""
        self._send([(webhook_id, {"webhookId": webhook_id}) for webhook_id in webhook_ids])

    def test(self, webhook_id: str) -> None:
        """Raises StoreBusy."""
        self._send([(f"{webhook_id}.test", {"webhookId": webhook_id, "test": True})])

    def hide(self, receipt: str, seconds: int) -> None:
        """Has a message handed out again only then. Where that fails, its visibility timeout does."""
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except (ClientError, BotoCoreError):
            return

    def _send(self, messages: Sequence[tuple[str, object]]) -> None:
        for start in range(0, len(messages), MOST_IN_BATCH):
            entries: Any = [
                {
                    "Id": str(n),
                    "MessageBody": json.dumps(message),
                    "MessageGroupId": group,
                    "MessageDeduplicationId": str(uuid.uuid4()),
                }
                for n, (group, message) in enumerate(messages[start : start + MOST_IN_BATCH])
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as fault:
                raise StoreBusy from fault
            if answer.get("Failed"):
                raise StoreBusy

    @cached_property
    def _client(self) -> SQSClient:
        return self._connect()

    @cached_property
    def _url(self) -> str:
        return self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
