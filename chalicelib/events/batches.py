"""What Lambda is told of a batch of messages that was not all finished."""

from __future__ import annotations

from typing import TypedDict


class ItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """What Lambda wants to hear of a batch, in its words; an empty list means that all of it is finished."""

    batchItemFailures: list[ItemFailure]
