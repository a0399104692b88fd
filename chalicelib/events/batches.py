"""What Lambda is told of a batch of messages that was not all finished."""

from __future__ import annotations

from typing import TypedDict

from chalicelib.journal import Plain


class ItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """What Lambda wants to hear of a batch, in its words; an empty list means that all of it is finished."""

    batchItemFailures: list[ItemFailure]


class Unfinished(Plain):
    """Raised to the queue for what was not finished, so that it is handed out again."""

    def __init__(self, unfinished: int, total: int) -> None:
        super().__init__(f"{unfinished} of {total} messages are unfinished and will be redelivered")
