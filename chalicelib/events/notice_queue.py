"""The messages that may be worth a mail: a visit has changed or is near, or an address has sent mail back.

    {"visitId"}   {"visitId", "leadHours"}   {"visitId", "recipient", "stop": "bounced" | "complained"}

They name nobody. Several about a visit are one look at it.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalice.app import SQSEvent

from chalicelib.domain.notices import NoMoreMail, Stopped
from chalicelib.domain.spellings import UUID
from chalicelib.events.batches import BatchResponse, Unfinished
from chalicelib.functions import Function
from chalicelib.journal import A_FAULT, tell, tell_fault
from chalicelib.settings import reports_failures

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


class Unreadable(ValueError):
    """A message that is none of ours."""


@dataclass
class _Matter:
    """What a batch has of one visit."""

    message_ids: list[str] = field(default_factory=list)
    leads: set[timedelta] = field(default_factory=set)
    stopped: list[Stopped] = field(default_factory=list)
    changed: bool = False

    def add(self, message_id: str, message: Mapping[str, Any]) -> None:
        """Raises Unreadable."""
        match message:
            case {"recipient": str(recipient), "stop": "bounced" | "complained" as why}:
                self.stopped.append(Stopped(recipient, NoMoreMail(why)))
            case {"leadHours": int(hours)}:
                self.leads.add(timedelta(hours=hours))
            case {"visitId": _, **rest} if not rest:
                self.changed = True
            case _:
                raise Unreadable
        self.message_ids.append(message_id)


def notify(event: SQSEvent, services: Services) -> BatchResponse:
    """Works off a batch; says which messages are to come again, and raises Unfinished where nobody asks for that.

    What cannot be read comes again until it is dead.
    """
    matters, unfinished = _read(event.to_dict()["Records"])
    for visit_id, matter in matters.items():
        try:
            _attend_to(visit_id, matter, services)
        except Exception as fault:  # one visit does not hold up the next
            tell_fault(Function.NOTIFY, {"event": "notice", "visitId": visit_id}, fault)
            unfinished += matter.message_ids
    if unfinished and not reports_failures(os.environ):
        raise Unfinished(len(unfinished), len(event.to_dict()["Records"]))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unfinished]}


def _attend_to(visit_id: str, matter: _Matter, services: Services) -> None:
    line = {"event": "notice", "visitId": visit_id}
    for stopped in matter.stopped:
        services.notices.stop(visit_id, stopped)
        tell(Function.NOTIFY, {**line, "stopped": stopped.why}, {"MailStopped": 1}, logging.WARNING)
    if matter.changed or matter.leads:
        kind = services.notices.tell(visit_id, matter.leads)
        tell(Function.NOTIFY, {**line, "told": kind}, {"MailsSent": 1} if kind else {})


def _read(records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, _Matter], list[str]]:
    """What there is of each visit, and the ids of the messages that cannot be read."""
    matters: dict[str, _Matter] = {}
    unreadable: list[str] = []
    for record in records:
        message_id = str(record["messageId"])
        try:
            message = json.loads(record["body"])
            visit_id = message["visitId"]
            if not re.fullmatch(UUID, visit_id):
                raise Unreadable
            matters.setdefault(visit_id, _Matter()).add(message_id, message)
        except (ValueError, TypeError, KeyError):
            tell(Function.NOTIFY, {"event": "unreadable", "messageId": message_id}, A_FAULT, logging.ERROR)
            unreadable.append(message_id)
    return matters, unreadable
