"""Who is told of what: the rules, and on the embedded AWS the way from an event to the mail.

CodePipeline is not among what is embedded. So its events are sent by hand, as AWS documents them, and what the state
machine asks it is answered as AWS would, or not at all.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import boto3
import pytest

from devstack.emulator import emulator
from tools.deliver.cloudformation import bring_up_to_date
from tools.deliver.data_stack import any_client, credentials
from tools.generate.templates import PIPELINE

EXECUTION: Final = "12345678-1234-5678-abcd-12345678abcd"
COMMIT: Final = "8cf40f22b935b0f9c1d1b0a1f0b1a2c3d4e5f607"
CHANGE: Final = f"https://eu-central-1.console.aws.amazon.com/codesuite/settings/connections/redirect?Commit={COMMIT}"
NOBODYS_SOURCE: Final = "visits.test"
"""Nobody but AWS may send events whose source begins with `aws.`."""

SECONDS: Final = 20

Event = dict[str, Any]


def event(kind: str, state: str, pipeline: str = "visits", **detail: str) -> Event:
    """An event of CodePipeline, as its user guide has it."""
    return {
        "version": "0",
        "id": "01234567-0123-0123-0123-0123456789ab",
        "detail-type": f"CodePipeline {kind} Execution State Change",
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": "2026-11-21T18:55:43Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:codepipeline:eu-central-1:123456789012:{pipeline}"],
        "detail": {
            "pipeline": pipeline,
            "execution-id": EXECUTION,
            "start-time": "2026-11-21T18:49:39.208Z",
            "state": state,
            "version": 3.0,
            "pipeline-execution-attempt": 1.0,
            **detail,
        },
    }


def execution(kind: str) -> Mapping[str, object]:
    """What CodePipeline knows of an execution: GetPipelineExecution."""
    revision = {"Name": "SourceRepo", "RevisionId": COMMIT, "RevisionSummary": "{}", "RevisionUrl": CHANGE}
    known = {"PipelineName": "visits", "PipelineVersion": 3, "PipelineExecutionId": EXECUTION, "Status": "Failed"}
    return {"PipelineExecution": {**known, "ExecutionType": kind, "ArtifactRevisions": [revision]}}


ANSWERS: Final = {
    "StateMachines": {
        "visits-notices": {"TestCases": {kind: {"LookUp": kind} for kind in ("STANDARD", "ROLLBACK")}},
    },
    "MockedResponses": {kind: {"0": {"Return": execution(kind)}} for kind in ("STANDARD", "ROLLBACK")},
}


@dataclass(frozen=True)
class Notices:
    """The topic, its rules and the state machine on an emulator, and a queue in the place of the mail box."""

    endpoint: str
    mail_box: str
    machine: str

    def client(self, service: str) -> Any:
        return any_client(self.endpoint, service)

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    def happened(self, what: Event) -> None:
        """The event, from whatever sends it here."""
        entry = {"Source": NOBODYS_SOURCE, "DetailType": what["detail-type"], "Detail": json.dumps(what["detail"])}
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def looked_up(self, what: Event, kind: str) -> str:
        """Starts the state machine with the event, as a rule does, where CodePipeline knows the execution; its end."""
        states, deadline = self.client("stepfunctions"), time.monotonic() + SECONDS
        started = states.start_execution(stateMachineArn=f"{self.machine}#{kind}", input=json.dumps(what))
        while (now := states.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
            assert time.monotonic() < deadline, "the state machine does not end"
            time.sleep(0.02)
        return str(now["status"])

    def mail(self) -> tuple[str, str]:
        """The next mail, its subject and its text; waits for it."""
        messages = self._messages(SECONDS)
        assert messages, "no mail"
        notice = json.loads(messages[0]["Body"])
        return notice["Subject"], notice["Message"]

    def is_quiet(self) -> bool:
        return not self._messages(0)

    def _messages(self, seconds: int) -> list[Any]:
        given = self.sqs.receive_message(QueueUrl=self.mail_box, WaitTimeSeconds=seconds).get("Messages", [])
        for message in given:
            self.sqs.delete_message(QueueUrl=self.mail_box, ReceiptHandle=message["ReceiptHandle"])
        return list(given)


def rules() -> dict[str, Any]:
    """The event pattern of each rule, with the pipelines' names in it."""
    resources = template()["Resources"]
    return {
        name: resource["Properties"]["EventPattern"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Events::Rule"
    }


def template() -> Any:
    """pipeline.json, where the pipelines are names instead of resources."""
    text = json.dumps(json.loads(PIPELINE.read_text(encoding="utf-8")))
    pipelines = {
        name: resource["Properties"]["Name"]
        for name, resource in json.loads(text)["Resources"].items()
        if resource["Type"] == "AWS::CodePipeline::Pipeline"
    }
    for reference, name in pipelines.items():
        text = text.replace(f'{{"Ref": "{reference}"}}', f'"{name}"').replace(f"${{{reference}}}", name)
    return json.loads(text)


def of_notices() -> Any:
    """The part of pipeline.json that tells people, asking for events of a source that may be sent by hand."""
    whole = template()
    resources = {
        name: copy.deepcopy(resource)
        for name, resource in whole["Resources"].items()
        if name.startswith(("Notice", "PipelineKey", "PipelineFailed", "PipelineRolledBack"))
    }
    for rule in rules():
        resources[rule]["Properties"]["EventPattern"]["source"] = [NOBODYS_SOURCE]
    return {"Parameters": whole["Parameters"], "Resources": resources}


@pytest.fixture(scope="module")
def notices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notices]:
    answers = tmp_path_factory.mktemp("codepipeline") / "answers.json"
    answers.write_text(json.dumps(ANSWERS), encoding="utf-8")
    with emulator(extra_environment={"SFN_MOCK_CONFIG": str(answers)}) as aws:
        account = credentials(aws.endpoint)
        parameters = {"GithubOwner": "agency", "GithubRepoName": "visits", "NotificationEmail": "team@example.com"}
        body = {"TemplateBody": json.dumps(of_notices())}
        cloudformation = boto3.client("cloudformation", **account)
        bring_up_to_date(cloudformation, "visits-pipeline", body, parameters)
        made = cloudformation.describe_stack_resources(StackName="visits-pipeline")["StackResources"]
        physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made}
        sqs = boto3.client("sqs", **account)
        mail_box = sqs.create_queue(QueueName="mail-box")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=mail_box, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns: Any = boto3.client("sns", **account)
        sns.subscribe(TopicArn=physical["NoticeTopic"], Protocol="sqs", Endpoint=arn)
        yield Notices(aws.endpoint, mail_box, physical["NoticeMachine"])


def matching(notices: Notices, what: Event) -> list[str]:
    events = notices.client("events")
    return [
        rule
        for rule, pattern in rules().items()
        if events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(what))["Result"]
    ]


def test_alarms_reach_the_topic_through_its_key() -> None:
    """CloudWatch cannot use the key that AWS has for SNS (`alias/aws/sns`), nor one that does not name it."""
    resources = json.loads(PIPELINE.read_text(encoding="utf-8"))["Resources"]
    assert resources["NoticeTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "PipelineKey"}
    key = resources["PipelineKey"]["Properties"]["KeyPolicy"]["Statement"]
    (of_alarms,) = (each for each in key if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"})
    assert of_alarms["Effect"] == "Allow"
    assert set(of_alarms["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}


def test_the_failure_rule_is_for_failures_of_our_pipelines_and_for_nothing_else(notices: Notices) -> None:
    for failed in (
        event("Pipeline", "FAILED"),
        event("Stage", "FAILED", stage="Beta"),
        event("Pipeline", "FAILED", "visits-pull-requests"),
    ):
        assert matching(notices, failed) == ["PipelineFailed"]
    for harmless in (
        event("Pipeline", "STARTED"),
        event("Pipeline", "SUPERSEDED"),
        event("Stage", "SUCCEEDED", stage="Beta"),
        event("Pipeline", "SUCCEEDED", "visits-pull-requests"),
        event("Pipeline", "FAILED", "payroll"),
        event("Action", "FAILED", stage="Beta", action="App"),
    ):
        assert matching(notices, harmless) == []
    assert "PipelineFailed" not in matching(notices, event("Pipeline", "SUCCEEDED"))


def test_a_failed_stage_is_told_also_when_its_commit_cannot_be_looked_up(notices: Notices) -> None:
    """Nobody here answers for CodePipeline: a mail that knows less is better than none."""
    notices.happened(event("Stage", "FAILED", stage="Beta"))
    subject, text = notices.mail()
    assert subject == "Pipeline visits, stage Beta: failed"
    page = "https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/visits/executions"
    assert f"{page}/{EXECUTION}/timeline" in text
    assert "could not be looked up" in text


def test_a_success_is_told_to_nobody(notices: Notices) -> None:
    assert notices.looked_up(event("Pipeline", "SUCCEEDED"), "STANDARD") == "SUCCEEDED"
    assert notices.is_quiet()


def test_the_mail_about_a_failure_names_pipeline_stage_commit_and_links(notices: Notices) -> None:
    assert notices.looked_up(event("Stage", "FAILED", stage="Prod"), "STANDARD") == "SUCCEEDED"
    subject, text = notices.mail()
    assert subject == "Pipeline visits, stage Prod: failed"
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    told = {name: value.strip() for name, value in lines.items()}
    assert (told["Pipeline"], told["Stage"], told["State"]) == ("visits", "Prod", "failed")
    assert (told["Commit"], told["Change"]) == (COMMIT, CHANGE)
    assert told["Execution"].endswith(f"/pipelines/visits/executions/{EXECUTION}/timeline")


def test_a_rollback_that_went_well_is_told_too(notices: Notices) -> None:
    assert matching(notices, event("Pipeline", "SUCCEEDED")) == ["PipelineRolledBack"]
    assert notices.looked_up(event("Pipeline", "SUCCEEDED"), "ROLLBACK") == "SUCCEEDED"
    subject, text = notices.mail()
    assert subject == "Pipeline visits: succeeded"
    assert text.startswith("This was a rollback")
    assert COMMIT in text
