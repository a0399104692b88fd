"""`make pause STAGE=prod` and `make resume STAGE=prod`: whether a stage's worker is handed messages, or they wait.

The event source mapping is disabled and enabled. Without concurrency the worker would not be left alone: the mapping
goes on receiving, each call that Lambda refuses has used up one of a message's five receives, and in half an hour
everything that waits is among the dead letters (docs/operations.md cites AWS's pages).
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import ClientError

from chalicelib.functions import Function
from chalicelib.settings import REPORT_FAILURES, reports_failures
from tools.failure import CannotGoOn
from tools.operate.refusals import told_in_words
from tools.operate.stages import enter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOCAL: Final = "local"
STATES: Final = {"pause": "Disabled", "resume": "Enabled"}
WAIT_SECONDS: Final = 2
MOST_WAITS: Final = 150
IN_BETWEEN: Final = ("ResourceInUseException", "ResourceConflictException")
"""What Lambda answers while a mapping is still being made, enabled or disabled."""

OK, FAILED, INTERRUPTED = 0, 2, 130


class EventSource:
    """What hands the messages of a stage's queue to its worker: one mapping, as a rule."""

    def __init__(
        self,
        functions: Any,
        sqs: "SQSClient",
        stage: str,
        queue: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._functions = functions
        self._sleep = sleep
        self._worker = f"visits-{stage}-{Function.WORKER}"
        self._mappings = self._found(_arn_of(sqs, queue))
        if not self._mappings:
            raise CannotGoOn(
                f"No event source sends messages of {queue} to {self._worker}. "
                "Is the stage deployed? Are account and region correct?"
            )

    def described(self) -> str:
        each = (f"{mapping['UUID']}, {mapping['State']}" for mapping in self._mappings)
        return f"the event source of {self._worker} ({'; '.join(each)})"

    def bring_to(self, wanted: str) -> None:
        """Asks for the state and waits until it is reached. Asking again does no harm."""
        for mapping in self._mappings:
            if wanted == STATES["resume"]:
                self._refuse_what_loses_messages(mapping)
            self._bring(mapping["UUID"], wanted)

    def _found(self, queue_arn: str) -> list[Mapping[str, Any]]:
        pages = self._functions.get_paginator("list_event_source_mappings").paginate(EventSourceArn=queue_arn)
        every = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        # Of an alias's ARN, too, the seventh part is the function's name.
        return [mapping for mapping in every if mapping["FunctionArn"].split(":")[6] == self._worker]

    def _refuse_what_loses_messages(self, mapping: Mapping[str, Any]) -> None:
        """A worker that reports failures, called by what takes any answer for success."""
        told = self._functions.get_function_configuration(FunctionName=mapping["FunctionArn"])
        reports = reports_failures(told.get("Environment", {}).get("Variables", {}))
        if reports and REPORT_FAILURES not in mapping.get("FunctionResponseTypes", []):
            raise CannotGoOn(
                f"{self._worker} reports partial failures, but its event source ignores them: messages would be lost. "
                "First run: aws lambda update-event-source-mapping "
                f"--uuid {mapping['UUID']} --function-response-types {REPORT_FAILURES}"
            )

    def _bring(self, uuid: str, wanted: str) -> None:
        asked, state = False, ""
        for _ in range(MOST_WAITS):
            state = self._functions.get_event_source_mapping(UUID=uuid)["State"]
            if state == wanted:
                return
            asked = asked or self._ask(uuid, wanted)
            self._sleep(WAIT_SECONDS)
        raise CannotGoOn(f"The event source {uuid} is still {state}, not {wanted}. Run it again to keep waiting.")

    def _ask(self, uuid: str, wanted: str) -> bool:
        """False when Lambda does not take it now."""
        try:
            self._functions.update_event_source_mapping(UUID=uuid, Enabled=wanted == STATES["resume"])
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] in IN_BETWEEN:
                return False
            raise
        return True


def _arn_of(sqs: "SQSClient", queue: str) -> str:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def run(source: EventSource, given: argparse.Namespace) -> int:
    if given.dry_run:
        verb = {"pause": "disable", "resume": "enable"}[given.action]
        print(f"Dry run: would {verb} {source.described()}. Nothing was changed.")
        return OK
    source.bring_to(STATES[given.action])
    if given.action == "pause":
        print(
            f"The worker of {given.stage} is paused. A batch in progress may take another minute.\n"
            f"Messages wait up to 14 days from when they were sent. Continue with: make resume STAGE={given.stage}"
        )
    else:
        print(f"The worker of {given.stage} is running again.")
    return OK


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        if given.stage == LOCAL:
            raise CannotGoOn("The worker of local is part of `make run` and stops with it.")
        queue = enter(given.stage, aws_port=0).queue_name
        with told_in_words():
            # No stubs of Lambda's are installed.
            functions: Any = boto3.client("lambda")
            return run(EventSource(functions, boto3.client("sqs"), given.stage, queue), given)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted; run it again to keep waiting.", file=sys.stderr)
        return INTERRUPTED
    return FAILED


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.operate.worker", description=__doc__)
    parser.add_argument("action", choices=tuple(STATES))
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json, not local")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
