"""The messages that wake a webhook: its news are delivered, or a test is.

A message is finished when there is nothing left to deliver. Until then it comes again, when the receiver may be tried
again; those behind it for the same webhook wait, so no message is put off for long.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from chalice.app import SQSEvent

from chalicelib.api.events import body_of, trial_of
from chalicelib.domain.errors import Unavailable, WebhookNotFound
from chalicelib.events.batches import BatchResponse, ItemFailure, Unfinished
from chalicelib.functions import Function
from chalicelib.journal import tell, tell_fault
from chalicelib.settings import reports_failures

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

MARGIN: Final = timedelta(seconds=15)
"""What is kept back of the time: a receiver may take ten seconds to answer."""

TICK: Final = timedelta(minutes=1)
"""As long as a message is put off at most. A longer pause ends with the minute's tick: nobody who resumes a webhook
waits behind it.
"""

RENEWED_AFTER: Final = 100
"""So often a message comes again before another takes its place: SQS gives up on one after a thousand times, and while
there is always more to deliver, a receiver that now and then fails would get there.
"""


def deliver(event: SQSEvent, services: Services) -> BatchResponse:
    """Works off a batch; says which messages are to come again, and raises Unfinished where nobody asks for that. All
    behind the first of them in a group come again too.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    context: Any = event.context
    until = services.clock() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - MARGIN
    again: list[ItemFailure] = []
    held: set[str] = set()
    for record in event.to_dict()["Records"]:
        group = str(record["attributes"]["MessageGroupId"])
        if group not in held and _finished(record, services, until):
            continue
        held.add(group)
        again.append({"itemIdentifier": record["messageId"]})
    if again and not reports_failures(os.environ):
        raise Unfinished(len(again), len(again))
    return {"batchItemFailures": again}


def _finished(record: Mapping[str, Any], services: Services, until: datetime) -> bool:
    message = json.loads(record["body"])
    webhook_id = str(message["webhookId"])
    try:
        if message.get("test"):
            services.webhooks.test(webhook_id, trial_of(services.clock()))
            return True
        if int(record["attributes"].get("ApproximateReceiveCount", "1")) >= RENEWED_AFTER:
            services.webhook_queue.wake([webhook_id])
            return True
        round = services.webhooks.deliver(webhook_id, body_of, until)
    except WebhookNotFound:
        return True
    except Unavailable as fault:
        tell_fault(Function.DELIVER, {"event": "delivery", "webhookId": webhook_id}, fault)
        services.webhook_queue.hide(record["receiptHandle"], int(TICK.total_seconds()))
        return False
    line: dict[str, object] = {"event": "delivery", "webhookId": webhook_id}
    if round.disabled:
        tell(Function.DELIVER, {**line, "disabled": round.disabled}, {"WebhooksDisabled": 1}, logging.WARNING)
    if round.pause is None:
        return True
    seconds = int(round.pause.total_seconds())
    tell(Function.DELIVER, {**line, "againInSeconds": seconds})
    if round.pause > TICK:
        return True
    services.webhook_queue.hide(record["receiptHandle"], seconds)
    return False
