"""What the service says of its work: a line of JSON for each request and each batch, of which metrics are made too.

A line goes to standard output whole, so that it may be in CloudWatch's embedded metric format (EMF): counting costs no
call. Ids, kinds and numbers only, never what a caller wrote freely; the message of an exception may quote a request.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError
from chalice.app import AuthResponse

from chalicelib.domain.errors import Refused, Unavailable
from chalicelib.functions import Function
from chalicelib.settings import Misconfigured, stage_of, trace_of, version_of

NAMESPACE: Final = "PropertyVisits"


class Metric(NamedTuple):
    """What is counted, in CloudWatch's words."""

    unit: str
    dimensions: tuple[str, ...]


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "VisitsBooked": Metric("Count", ("Stage",)),
        "BookingConflicts": Metric("Count", ("Stage",)),
        "Replays": Metric("Count", ("Stage",)),
        "KeysRefused": Metric("Count", ("Stage",)),
        "OldestMessageAge": Metric("Seconds", ("Stage",)),
        "RelayAge": Metric("Seconds", ("Stage",)),
        "WebhooksDisabled": Metric("Count", ("Stage",)),
        "MailsSent": Metric("Count", ("Stage",)),
        "MailStopped": Metric("Count", ("Stage",)),
        "IntakeRows": Metric("Count", ("Stage", "Outcome")),
        "ColdStarts": Metric("Count", ("Stage", "Function")),
        "Faults": Metric("Count", ("Stage", "Function")),
        # By which a release is judged: those of the version before are none of its business.
        "FaultsOfVersion": Metric("Count", ("Stage", "Function", "Version")),
    }
)
"""All there are. None is ever told as zero: no data means that there was nothing."""

A_FAULT: Final[Mapping[str, float]] = MappingProxyType({"Faults": 1, "FaultsOfVersion": 1})

_DIRECTIVES: Final = {
    name: {
        "Namespace": NAMESPACE,
        "Dimensions": [metric.dimensions],
        "Metrics": [{"Name": name, "Unit": metric.unit}],
    }
    for name, metric in METRICS.items()
}


class Plain(Exception):
    """An exception whose words are ours alone, so that Lambda may log it."""


class Failed(Plain):
    """In place of a fault that Lambda would log with its message."""

    def __init__(self) -> None:
        super().__init__("failed; see the previous line for the error and its place")


_as_text: Final = json.JSONEncoder(separators=(",", ":")).encode

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)

_cold = True

log = logging.getLogger("visits")
"""Chalice's own as well, for it is the app's name: what Chalice says goes through the formatter below."""


class _Whole(logging.Formatter):
    """Lines as they are, without a prefix: EMF wants the JSON alone. An exception is told without its message."""

    def format(self, record: logging.LogRecord) -> str:
        fault = record.exc_info[1] if record.exc_info else None
        if fault is None:
            return record.getMessage()
        return _line(Function.API, logging.ERROR, {"event": "fault", **described(fault)}, A_FAULT)


_out = logging.StreamHandler(sys.stdout)
_out.setFormatter(_Whole())
log.addHandler(_out)
# Unless whoever started this wants less, as `make run` does.
log.setLevel(log.level or logging.INFO)
# Lambda's own handler, at the root, would say everything twice.
log.propagate = False


def note(**ids: str) -> None:
    """Adds to the line of the request under way whose business it is: `visitId`, `propertyId`, `intakeId`.

    `visitIds` and `agentId` only where they were erased: whoever restores a backup looks for them.
    """
    about = _about.get()
    if about is not None:
        about.update(ids)


def told(answer: AuthResponse) -> AuthResponse:
    """What the authorizer answers. What is refused is worth a line, an admitted one only in a cold start."""
    if not answer.routes:
        tell(Function.AUTHORIZER, {"event": "authorization", "admitted": False}, {"KeysRefused": 1}, logging.WARNING)
    elif _cold:
        ids = {
            "caller": answer.principal_id,
            **{name: answer.context[name] for name in answer.context if name == "keyId"},
        }
        tell(Function.AUTHORIZER, {"event": "authorization", "admitted": True, **ids})
    return answer


@contextmanager
def faults_told(function: Function) -> Iterator[None]:
    """Around what Lambda calls by itself: a fault gets its line, and an exception without its words goes on."""
    try:
        yield
    except Plain:
        raise
    except Exception as fault:
        tell_fault(function, {"event": "fault"}, fault)
        raise Failed from None


def tell_fault(function: Function, members: Mapping[str, object], fault: BaseException) -> None:
    """A line about what went wrong. What is refused, or busy, is part of the business and no fault of ours."""
    expected = isinstance(fault, (Refused, Unavailable))
    level = logging.WARNING if expected else logging.ERROR
    tell(function, {**members, **described(fault)}, {} if expected else A_FAULT, level)


def tell(
    function: Function,
    members: Mapping[str, object],
    metrics: Mapping[str, float] = MappingProxyType({}),
    level: int = logging.INFO,
) -> None:
    """Writes a line, with the metrics in it that it is to count for."""
    log.log(level, _line(function, level, members, metrics))


def described(fault: BaseException) -> dict[str, object]:
    """What went wrong and where, innermost first, without the exception's message."""
    places = reversed(traceback.extract_tb(fault.__traceback__))
    frames = [f"{place.filename}:{place.lineno} {place.name}" for place in places]
    what: dict[str, object] = {"kind": type(fault).__qualname__}
    if isinstance(fault, ClientError):
        what["code"] = fault.response["Error"]["Code"]
    if isinstance(fault, Misconfigured):
        what["variables"] = fault.variables
    return {**what, "frames": frames}


def _line(function: Function, level: int, members: Mapping[str, object], metrics: Mapping[str, float]) -> str:
    global _cold
    cold, _cold = _cold, False
    line: dict[str, Any] = {"level": logging.getLevelName(level), **members, "coldStart": cold}
    trace = trace_of(os.environ)
    if trace:
        line["trace"] = trace
    if cold:
        metrics = {**metrics, "ColdStarts": 1}
    if metrics:
        line |= metrics
        line["Stage"] = stage_of(os.environ)
        line["Function"] = function
        if "FaultsOfVersion" in metrics:
            line["Version"] = version_of(os.environ)
        directives = [_DIRECTIVES[name] for name in metrics]
        line["_aws"] = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": directives}
    return _as_text(line)


def milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
