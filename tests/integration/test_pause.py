"""`make pause` and `make resume`: the event source of a stage's worker, and only that, is switched off and on."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.settings import REPORT_FAILURES
from tools.deliver.data_stack import credentials
from tools.failure import CannotGoOn
from tools.operate import worker
from tools.operate.worker import EventSource
from tools.project import REGION, ROOT

WORKER = "visits-dev-work_off_queue"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:{WORKER}"
QUEUE = f"arn:aws:sqs:{REGION}:123456789012:visits-dev"
ID = "6ac17907-248b-5d3c-b478-782b01bb9704"
TOLD = {"FUNCTION_RESPONSE_TYPES": REPORT_FAILURES}


# On the emulator, which switches at once


@dataclass(frozen=True)
class Stage:
    """The queue `visits-dev`, and what it calls."""

    functions: Any
    sqs: Any
    mappings: dict[str, str] = field(default_factory=dict)
    """The mapping of each function."""

    def add(self, function: str, variables: dict[str, str], *response_types: str) -> None:
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("app.py", "def f(event, context): raise RuntimeError")
        self.functions.create_function(
            FunctionName=function,
            Runtime="python3.11",
            Handler="app.f",
            Role="arn:aws:iam::123456789012:role/worker",
            Code={"ZipFile": zipped.getvalue()},
            Environment={"Variables": variables},
        )
        url = self.sqs.get_queue_url(QueueName="visits-dev")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        made = self.functions.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, FunctionResponseTypes=list(response_types)
        )
        self.mappings[function] = made["UUID"]

    def state(self, function: str = WORKER) -> str:
        found: str = self.functions.get_event_source_mapping(UUID=self.mappings[function])["State"]
        return found

    def run(self, action: str, dry_run: bool = False) -> int:
        given = argparse.Namespace(action=action, stage="dev", dry_run=dry_run)
        at_once: list[float] = []
        return worker.run(EventSource(self.functions, self.sqs, "dev", "visits-dev", at_once.append), given)


@pytest.fixture
def stage(aws: str, account: str) -> Iterator[Stage]:
    connect: Any = boto3.client
    functions, sqs = (connect(service, **credentials(aws, account)) for service in ("lambda", "sqs"))
    sqs.create_queue(QueueName="visits-dev")
    made = Stage(functions, sqs)
    yield made
    for function, mapping in made.mappings.items():
        functions.delete_event_source_mapping(UUID=mapping)
        functions.delete_function(FunctionName=function)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="visits-dev")["QueueUrl"])


def test_pause_and_resume_switch_the_event_source_of_the_worker_alone(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.add(WORKER, TOLD, REPORT_FAILURES)
    stage.add("visits-dev-work_off_queue_too", {})
    for _ in range(2):  # again does no harm
        assert stage.run("pause") == worker.OK
        assert (stage.state(), stage.state("visits-dev-work_off_queue_too")) == ("Disabled", "Enabled")
    assert "Continue with: make resume STAGE=dev" in capsys.readouterr().out
    for _ in range(2):
        assert stage.run("resume") == worker.OK
        assert stage.state() == "Enabled"
    assert "The worker of dev is running again." in capsys.readouterr().out


@pytest.mark.parametrize(("action", "before"), [("pause", "Enabled"), ("resume", "Disabled")])
def test_a_dry_run_changes_nothing(stage: Stage, capsys: pytest.CaptureFixture[str], action: str, before: str) -> None:
    stage.add(WORKER, {})
    if before == "Disabled":
        stage.run("pause")
    assert stage.run(action, dry_run=True) == worker.OK
    assert stage.state() == before
    told = capsys.readouterr().out
    assert "Dry run: would" in told
    assert f"{stage.mappings[WORKER]}, {before}" in told


def test_a_worker_whose_reports_nobody_reads_is_not_let_loose(stage: Stage) -> None:
    """Its event source would take the report for success and delete what the worker has left."""
    stage.add(WORKER, TOLD)
    stage.run("pause")
    with pytest.raises(CannotGoOn, match=f"--function-response-types {REPORT_FAILURES}"):
        stage.run("resume")
    assert stage.state() == "Disabled"
    stage.functions.update_event_source_mapping(UUID=stage.mappings[WORKER], FunctionResponseTypes=[REPORT_FAILURES])
    stage.run("resume")
    assert stage.state() == "Enabled"


@pytest.mark.parametrize("response_types", [(), (REPORT_FAILURES,)])
def test_a_worker_that_raises_is_right_with_any_event_source(stage: Stage, response_types: tuple[str, ...]) -> None:
    stage.add(WORKER, {}, *response_types)
    stage.run("pause")
    stage.run("resume")
    assert stage.state() == "Enabled"


def test_a_queue_that_calls_nothing_is_told(stage: Stage) -> None:
    with pytest.raises(CannotGoOn, match=f"No event source sends messages of visits-dev to {WORKER}"):
        stage.run("pause")


# As AWS's documentation has it: a change takes a while, and another one meanwhile is refused


@dataclass
class Scripted:
    """Lambda and SQS that answer what is written down, in this order and nothing else."""

    functions: Any
    stub: Stubber
    source: EventSource
    naps: list[float]

    def is_now(self, state: str) -> None:
        self.stub.add_response("get_event_source_mapping", {"State": state}, {"UUID": ID})

    def takes(self, enabled: bool) -> None:
        self.stub.add_response("update_event_source_mapping", {}, {"UUID": ID, "Enabled": enabled})

    def refuses(self, code: str) -> None:
        self.stub.add_client_error("update_event_source_mapping", code, expected_params={"UUID": ID, "Enabled": False})


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    connect: Any = boto3.client
    functions, sqs = (connect(service, **credentials("http://127.0.0.1:9")) for service in ("lambda", "sqs"))
    naps: list[float] = []
    with Stubber(functions) as stub, Stubber(sqs) as queues:
        queues.add_response("get_queue_url", {"QueueUrl": "url"}, {"QueueName": "visits-dev"})
        attributes = {"QueueUrl": "url", "AttributeNames": ["QueueArn"]}
        queues.add_response("get_queue_attributes", {"Attributes": {"QueueArn": QUEUE}}, attributes)
        # Through its alias, as the packaged app is called, and on a second page.
        found = {"UUID": ID, "FunctionArn": f"{ARN}:live", "State": "Enabled"}
        first = {"EventSourceMappings": [], "NextMarker": "more"}
        stub.add_response("list_event_source_mappings", first, {"EventSourceArn": QUEUE})
        more = {"EventSourceArn": QUEUE, "Marker": "more"}
        stub.add_response("list_event_source_mappings", {"EventSourceMappings": [found]}, more)
        yield Scripted(functions, stub, EventSource(functions, sqs, "dev", "visits-dev", naps.append), naps)
        stub.assert_no_pending_responses()


def test_it_waits_until_the_event_source_has_stopped(scripted: Scripted) -> None:
    scripted.is_now("Enabled")
    scripted.takes(enabled=False)
    for _ in range(3):
        scripted.is_now("Disabling")
    scripted.is_now("Disabled")
    scripted.source.bring_to("Disabled")
    assert len(scripted.naps) == 4


@pytest.mark.parametrize("code", worker.IN_BETWEEN)
def test_one_that_is_still_being_changed_is_asked_again(scripted: Scripted, code: str) -> None:
    scripted.is_now("Enabling")
    scripted.refuses(code)
    scripted.is_now("Enabled")
    scripted.takes(enabled=False)
    scripted.is_now("Disabled")
    scripted.source.bring_to("Disabled")


def test_one_that_does_not_stop_is_told(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_WAITS", 2)
    scripted.is_now("Enabled")
    scripted.takes(enabled=False)
    scripted.is_now("Disabling")
    with pytest.raises(CannotGoOn, match=f"{ID} is still Disabling, not Disabled"):
        scripted.source.bring_to("Disabled")


# The command


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("local", "The worker of local is part of `make run`"),
        ("prod", "AWS cannot be reached"),
        ("$(touch stolen)", "There is no stage '$(touch stolen)' in .chalice/config.json"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence_and_fails(stage: str, told: str) -> None:
    own = {**credentials("http://127.0.0.1:9"), "aws_access_key_id": "test"}
    environment = {
        "AWS_ENDPOINT_URL": own["endpoint_url"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run(
        ["make", "-s", "pause", f"STAGE={stage}"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (ROOT / "stolen").exists()
