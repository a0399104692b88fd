"""The FIFO queue that wakes those who deliver. Its groups are the webhooks: one that waits holds up itself alone.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagegroupid-property.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import StoreBusy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsWebhookQueue:
    """The client is made by `connect` when it is first needed."""

    def __init__(self, connect: Callable[[], SQSClient], name: str) -> None:
        self._connect = connect
        self._name = name

    def wake(self, webhook_ids: Sequence[str]) -> None:
        """One call a webhook. Raises StoreBusy."""
        for webhook_id in webhook_ids:
            self._send(webhook_id, {"webhookId": webhook_id})

    def test(self, webhook_id: str) -> None:
        """Raises StoreBusy."""
        self._send(webhook_id, {"webhookId": webhook_id, "test": True})

    def hide(self, receipt: str, seconds: int) -> None:
        """Has a message handed out again only then. Where that fails, its visibility timeout does."""
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)
        except (ClientError, BotoCoreError):
            return

    def _send(self, webhook_id: str, message: object) -> None:
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps(message),
                MessageGroupId=webhook_id,
                MessageDeduplicationId=str(uuid.uuid4()),
            )
        except (ClientError, BotoCoreError) as fault:
            raise StoreBusy from fault

    @cached_property
    def _client(self) -> SQSClient:
        return self._connect()

    @cached_property
    def _url(self) -> str:
        return self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
