"""The queue of uploaded sheets: what S3 tells of its bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from chalice.app import SQSEvent

from chalicelib.domain.spellings import UUID
from chalicelib.events.batches import BatchResponse, Unfinished
from chalicelib.functions import Function
from chalicelib.journal import A_FAULT, milliseconds_since, tell, tell_fault
from chalicelib.services.sheet_reader import Notice, Read
from chalicelib.settings import reports_failures

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

TEST: Final = "s3:TestEvent"
"""What S3 sends when its notifications are set up."""
_UPLOAD: Final = re.compile(f"uploads/({UUID.pattern})")


class UnreadableNotice(Exception):
    """A message that S3 did not send."""


def read_sheets(event: SQSEvent, services: Services) -> BatchResponse | None:
    """Reads what was uploaded; what could not be read now is handed out again."""
    records: list[Mapping[str, Any]] = event.to_dict()["Records"]
    unfinished = [record["messageId"] for record in records if not _finished(record, services)]
    if reports_failures(os.environ):
        return {"batchItemFailures": [{"itemIdentifier": id} for id in unfinished]}
    if unfinished:
        # A batch is one message: none that is finished is handed out with it.
        raise Unfinished(len(unfinished), len(records))
    return None


def notices(record: Mapping[str, Any]) -> Iterator[Notice]:
    """The sheets that a message of S3 is about. Raises UnreadableNotice."""
    try:
        message = json.loads(record["body"])
        if message.get("Event") == TEST:
            return
        keys = [unquote_plus(each["s3"]["object"]["key"]) for each in message["Records"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableNotice from None
    attempt = int(record["attributes"].get("ApproximateReceiveCount", "1"))
    for key in keys:
        if found := _UPLOAD.fullmatch(key):
            yield Notice(found[1], record["messageId"], attempt)


def _finished(record: Mapping[str, Any], services: Services) -> bool:
    try:
        outcomes = [_read(notice, services) for notice in notices(record)]
        return all(outcomes)
    except UnreadableNotice:
        tell(Function.READER, {"event": "unreadable", "messageId": record["messageId"]}, A_FAULT, logging.ERROR)
        return False


def _read(notice: Notice, services: Services) -> bool:
    started = time.perf_counter()
    about = {"event": "sheet", "sheetId": notice.sheet_id, "attempt": notice.attempt}
    try:
        outcome = services.sheet_reader.read(notice)
    except Exception as fault:
        tell_fault(Function.READER, about, fault)
        return False
    tell(Function.READER, {**about, "outcome": outcome, "durationMs": milliseconds_since(started)})
    return outcome is not Read.ELSEWHERE
