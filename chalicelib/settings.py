"""Typed settings from the environment, checked once at cold start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class Misconfigured(Exception):
    """Environment variables are missing or wrong. Which ones, not what they say: some of them are secrets."""

    def __init__(self, variables: list[str]) -> None:
        super().__init__(f"Missing or invalid: {', '.join(variables)}")
        self.variables = variables


_ALLOWED: Final = {
    "STAGE": re.compile(r"[a-z][a-z0-9-]{0,15}"),
    "TABLE_NAME": re.compile(r".{3,255}"),
    "QUEUE_NAME": re.compile(r".{1,80}"),
}


@dataclass(frozen=True)
class Settings:
    """What a stage is told by `.chalice/config.json`. The AWS region and credentials are botocore's own business."""

    stage: str
    table_name: str
    queue_name: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises Misconfigured."""
        wrong = [name for name, allowed in _ALLOWED.items() if not allowed.fullmatch(environment.get(name, ""))]
        if wrong:
            raise Misconfigured(wrong)
        return cls(environment["STAGE"], environment["TABLE_NAME"], environment["QUEUE_NAME"])


def queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that the worker listens to. Chalice asks while it loads the app, before any settings are checked."""
    return environment.get("QUEUE_NAME", "visits-local")


def webhook_queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that wakes those who deliver webhooks."""
    return f"{queue_of_stage(environment)}-webhooks.fifo"


def stream_of_stage(environment: Mapping[str, str]) -> str:
    """The table's stream, for `chalice deploy`. In a package a parameter of the template takes its place."""
    return environment.get("STREAM_ARN", "stream")


def origins_of_stage(environment: Mapping[str, str]) -> frozenset[str]:
    """The web origins whose pages may read our answers, from a list with commas; usually none."""
    return frozenset(filter(None, (origin.strip() for origin in environment.get("CORS_ORIGINS", "").split(","))))


REPORT_FAILURES: Final = "ReportBatchItemFailures"


def reports_failures(environment: Mapping[str, str]) -> bool:
    """Whether the worker's event source takes a list of failures. Whatever tells it to (`FunctionResponseTypes`) says
    so here as well; if only one of the two were told, messages would be lost.
    """
    return environment.get("FUNCTION_RESPONSE_TYPES") == REPORT_FAILURES


def stage_of(environment: Mapping[str, str]) -> str:
    """The stage, for what must be told even when the settings are wrong."""
    return environment.get("STAGE") or "unknown"


def version_of(environment: Mapping[str, str]) -> str:
    """The published version of the function that this instance runs, as Lambda says it."""
    return environment.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")


def trace_of(environment: Mapping[str, str]) -> str | None:
    """X-Ray's id of the trace that this invocation belongs to: Lambda sets it for each one, if tracing is on."""
    header = environment.get("_X_AMZN_TRACE_ID", "")
    return next((part[5:] for part in header.split(";") if part.startswith("Root=")), None)
