"""Our Lambda functions, the one list of them: a new function is an entry here and a handler in `app.py`.

The journal, `.chalice/config.json`, the policies, the alarms and what `make run` polls all follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from chalicelib.record import Record


class Function(StrEnum):
    """A function by the name of its handler; AWS's own names have random ends."""

    API = "api_handler"
    AUTHORIZER = "bearer_key"
    WORKER = "work_off_queue"
    READER = "read_sheet"
    RELAY = "relay"
    DELIVER = "deliver"
    NOTIFY = "notify"
    REMIND = "remind"


class Queue(StrEnum):
    """A queue of the data stack, by what its name has after the stage."""

    INTAKES = ""
    WEBHOOKS = "-webhooks.fifo"
    """What wakes webhooks."""
    SHEETS = "-sheets"
    """What S3 tells of uploaded sheets."""
    NOTICES = "-notices"
    """What may be worth a mail."""

    @property
    def dead_letters(self) -> str:
        """What the name of the queue of its dead letters has after the stage."""
        stem = self.removesuffix(".fifo")
        return f"{stem}-dead{self[len(stem) :]}"


class Traits(Record):
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
    only_changes: tuple[str, ...] = ()
    """Those of them that it may write to, where it may only read the others."""
    only_lists: tuple[str, ...] = ()
    """The partitions of the month index that it may query, where it may not query the indexes as a whole."""
    reads_api_keys: bool = False
    """Whether it may read API keys, and nothing else of the table."""
    queues: Mapping[Queue, tuple[str, ...]] = field(default_factory=dict)
    """What it may do with the queues."""
    counts_dead_letters: bool = False
    """Whether it may see how many dead letters there are, of all queues, and none of them."""
    fed_by: Queue | None = None
    """The queue whose messages are handed to it."""
    sends_mail: bool = False
    puts_events: bool = False
    """Whether it puts events on the event bus of a stage that has one."""
    sheet_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What it may do with the files of sheets, by the folder they lie in."""
    recognises: bool = False
    """Whether it may have pictures recognised, which costs by the page."""
    shifted: bool = False
    """Whether a release shifts traffic to it step by step, and takes it back when its alarms ring."""
    waited_for: bool = False
    """Whether somebody waits for its answer, so that it may begin from a snapshot (SnapStart)."""
    talks_outward: bool = False
    """Whether it calls what no endpoint of a private network leads to, so that it stays outside of one."""
    fed_by_stream: bool = False
    """Whether the records of the table's stream are handed to it."""


SENDS: Final = ("GetQueueUrl", "SendMessage")

HANDED: Final = ("GetQueueUrl", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""What Lambda needs to hand out messages, and what the function acknowledges with."""

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
            waited_for=True,
            queues={Queue.INTAKES: SENDS, Queue.WEBHOOKS: SENDS},
            counts_dead_letters=True,
            # An upload is made with what the API signs, and by the API's permission.
            sheet_files={
                "uploads": ("PutObject", "DeleteObject"),
                "clean": ("GetObject", "DeleteObject"),
                "answers": ("GetObject", "DeleteObject"),
            },
        ),
        Function.AUTHORIZER: Traits(
            "Authorizer",
            "BearerKey",
            timeout_seconds=10,
            memory_mb=512,
            reads_api_keys=True,
            shifted=True,
            waited_for=True,
            # It fetches the keys by which people's tokens are signed.
            talks_outward=True,
        ),
        Function.WORKER: Traits(
            "Worker",
            "WorkOffQueue",
            timeout_seconds=60,
            memory_mb=1769,
            items=("GetItem", "PutItem", "UpdateItem", "Query"),
            queues={Queue.INTAKES: HANDED},
            fed_by=Queue.INTAKES,
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
            queues={Queue.WEBHOOKS: SENDS, Queue.NOTICES: SENDS},
            fed_by_stream=True,
            puts_events=True,
        ),
        # It alone calls addresses that somebody gave us, so it can read nothing of visits, properties or keys.
        Function.DELIVER: Traits(
            "Deliver",
            "Deliver",
            timeout_seconds=60,
            memory_mb=512,
            items=("GetItem", "PutItem", "Query"),
            only_items=(*EVENTS, "W#*"),
            only_changes=("W#*",),
            queues={Queue.WEBHOOKS: (*HANDED, "SendMessage", "ChangeMessageVisibility")},
            fed_by=Queue.WEBHOOKS,
            talks_outward=True,
        ),
        # Shorter than one has a visitor's mail to oneself (`domain.notices.CLAIMED_FOR`).
        Function.NOTIFY: Traits(
            "Notify",
            "Notify",
            timeout_seconds=30,
            memory_mb=512,
            items=("GetItem", "UpdateItem"),
            only_items=("V#*", "P#*", "T#*", "K#:signing"),
            only_changes=("T#*",),
            queues={Queue.NOTICES: ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")},
            fed_by=Queue.NOTICES,
            sends_mail=True,
        ),
        Function.REMIND: Traits(
            "Remind",
            "Remind",
            timeout_seconds=60,
            memory_mb=512,
            # It declines what nobody has answered, and thereby frees the time.
            items=("GetItem", "PutItem", "UpdateItem", "Query"),
            only_items=("T#clock", "E#head", "D#*", "V#*", "S#*"),
            only_changes=("T#clock", "V#*", "S#*"),
            only_lists=("M#*", *WEBHOOK_LIST),
            queues={Queue.WEBHOOKS: SENDS, Queue.NOTICES: SENDS},
        ),
        Function.READER: Traits(
            "Sheet reader",
            "ReadSheet",
            timeout_seconds=120,
            memory_mb=1769,
            # It reads what strangers send, so it can read nothing of visits, visitors or keys.
            items=("GetItem", "PutItem", "UpdateItem", "Query"),
            only_items=("X#*", "XD#*", "XW"),
            only_lists=("PS#*",),
            queues={Queue.SHEETS: ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")},
            fed_by=Queue.SHEETS,
            shifted=True,
            sheet_files={
                "uploads": ("GetObject", "DeleteObject"),
                "clean": ("GetObject", "PutObject", "DeleteObject"),
                "answers": ("GetObject", "PutObject", "DeleteObject"),
            },
            recognises=True,
        ),
    }
)
