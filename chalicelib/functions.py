"""Our Lambda functions, the one list of them: a new function is an entry here and a handler in `app.py`.

The journal, `.chalice/config.json`, the policies, the alarms and what `make run` polls all follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Function(StrEnum):
    """A function by the name of its handler; AWS's own names have random ends."""

    API = "api_handler"
    AUTHORIZER = "bearer_key"
    WORKER = "work_off_queue"
    RELAY = "relay"
    DELIVER = "deliver"


@dataclass(frozen=True)
class Traits:
    """What a function is called, given and allowed."""

    title: str
    """As a person calls it."""
    template_name: str
    """As Chalice's template does."""
    timeout_seconds: int
    memory_mb: int
    items: tuple[str, ...] = ()
    """What it may do with the table's items, but for API keys."""
    indexes: bool = False
    """Whether it may query the indexes."""
    only_items: tuple[str, ...] = ()
    """The partitions of the table that it may do so in, with wildcards; none means all but those of the API keys."""
    only_lists: tuple[str, ...] = ()
    """The partitions of the month index that it may query, where it may not query the indexes as a whole."""
    reads_api_keys: bool = False
    """Whether it may read API keys, and nothing else of the table."""
    queue: tuple[str, ...] = ()
    """What it may do with the queue."""
    fed_by_queue: bool = False
    """Whether the messages of the queue are handed to it."""
    webhook_queue: tuple[str, ...] = ()
    """What it may do with the queue that wakes webhooks."""
    fed_by_webhook_queue: bool = False
    """Whether the messages of that queue are handed to it."""
    shifted: bool = False
    """Whether a release shifts traffic to it step by step, and takes it back when its alarms ring."""
    fed_by_stream: bool = False
    """Whether the records of the table's stream are handed to it."""


EVENTS: Final = ("E#*",)
"""The partitions of the feed of events."""

WEBHOOK_LIST: Final = ("WS",)

FUNCTIONS: Final[Mapping[Function, Traits]] = MappingProxyType(
    {
        Function.API: Traits(
            "API",
            "APIHandler",
            timeout_seconds=29,  # as long as the gateway waits
            memory_mb=1769,  # one whole processor
            items=("GetItem", "PutItem", "UpdateItem", "Query"),
            indexes=True,
            shifted=True,
            queue=("GetQueueUrl", "SendMessage"),
            webhook_queue=("GetQueueUrl", "SendMessage"),
        ),
        Function.AUTHORIZER: Traits(
            "Authorizer", "BearerKey", timeout_seconds=10, memory_mb=512, reads_api_keys=True, shifted=True
        ),
        Function.WORKER: Traits(
            "Worker",
            "WorkOffQueue",
            timeout_seconds=60,
            memory_mb=1769,
            items=("GetItem", "PutItem", "UpdateItem", "Query"),
            # What Lambda needs to hand out messages, and what the worker acknowledges with.
            queue=("GetQueueUrl", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
            fed_by_queue=True,
            shifted=True,
        ),
        Function.RELAY: Traits(
            "Relay",
            "Relay",
            timeout_seconds=60,
            memory_mb=512,
            items=("GetItem", "PutItem"),
            only_items=EVENTS,
            only_lists=WEBHOOK_LIST,
            webhook_queue=("GetQueueUrl", "SendMessage"),
            fed_by_stream=True,
        ),
        # It alone calls addresses that somebody gave us, so it can read nothing of visits, properties or keys.
        Function.DELIVER: Traits(
            "Deliver",
            "Deliver",
            timeout_seconds=60,
            memory_mb=512,
            items=("GetItem", "PutItem", "Query"),
            only_items=(*EVENTS, "W#*"),
            webhook_queue=(
                "GetQueueUrl",
                "ReceiveMessage",
                "DeleteMessage",
                "GetQueueAttributes",
                "ChangeMessageVisibility",
            ),
            fed_by_webhook_queue=True,
        ),
    }
)
