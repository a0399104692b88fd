"""The table's stream: every change of a visit, a property or an agent becomes an event of the feed.

Lambda hands out the records of an item in order, and a batch that failed again as it was, until it is done
(https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html). So a record that cannot be
read is told of and left out: it must not hold up all others.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chalice.app import DynamoDBEvent

from chalicelib.api.events import detail_of
from chalicelib.domain.events import Change, Event, EventType
from chalicelib.functions import Function
from chalicelib.journal import A_FAULT, described, milliseconds_since, tell
from chalicelib.repositories.changes import event_of, is_silent, sequence_of

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


def relay(event: DynamoDBEvent, services: Services) -> None:
    """Appends what happened to the feed. Raises StoreBusy or OutcomeUnknown: then the batch comes again."""
    started = time.perf_counter()
    records: Sequence[Mapping[str, Any]] = event.to_dict()["Records"]
    about = {"requestId": getattr(event.context, "aws_request_id", "unknown")}
    changes = [Change(sequence_of(record), _read(record, about)) for record in records]
    services.events.append(changes)
    if any(change.event for change in changes):
        services.webhooks.wake()
        services.notices.announce(_worth_a_look(records, changes))
        _tell_the_bus([change.event for change in changes if change.event is not None], services, about)
    line = {
        "event": "relayed",
        **about,
        "records": len(records),
        "events": dict(Counter(change.event.type.value for change in changes if change.event)),
        "durationMs": milliseconds_since(started),
    }
    tell(Function.RELAY, line, {"RelayAge": _age(records, services.clock().timestamp())})


def _worth_a_look(records: Sequence[Mapping[str, Any]], changes: Sequence[Change]) -> set[str]:
    """The visits whose visitors may have to be told, or forgotten. Each once, and none of a silent intake."""
    return {
        str(change.event.data["visitId"])
        for record, change in zip(records, changes, strict=True)
        if change.event is not None
        and "visitId" in change.event.data
        and (change.event.type is EventType.VISIT_ERASED or not is_silent(record))
    }


def _tell_the_bus(events: Sequence[Event], services: Services, about: Mapping[str, object]) -> None:
    """Last, so that nobody waits for it. What it refuses for good must not hold up the feed, which has it."""
    refused = services.event_bus.put([(event, detail_of(event)) for event in events])
    if refused:
        tell(Function.RELAY, {"event": "refused", **about, "codes": dict(Counter(refused))}, A_FAULT, logging.ERROR)


def _read(record: Mapping[str, Any], about: Mapping[str, object]) -> Event | None:
    try:
        return event_of(record)
    except Exception as fault:  # whatever it is, it will be the same the next time
        tell(Function.RELAY, {"event": "unreadable", **about, **described(fault)}, A_FAULT, logging.ERROR)
        return None


def _age(records: Sequence[Mapping[str, Any]], now: float) -> float:
    """How long ago, in seconds, the oldest of the records was written."""
    return round(max(0.0, now - min(float(each["dynamodb"]["ApproximateCreationDateTime"]) for each in records)), 1)
