"""The templates that go to CloudFormation: what an operator relies on in them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from chalicelib.domain.intakes import Manifest
from chalicelib.functions import FUNCTIONS
from chalicelib.repositories.intakes import manifest_item
from chalicelib.repositories.sheet_files import FILES_KEPT
from chalicelib.settings import REPORT_FAILURES, reports_failures
from tests.cicd.stacks import CANARY, app, data, of_type
from tools.generate import watch
from tools.generate.policies import STAGES
from tools.project import ROOT

PERSONAL: Final = re.compile(r"\$context\.(identity|path\b|requestOverride|protocol|domainName|authorizer\.claims)")
"""What of a request must not be in the access log: addresses of people, and paths and queries as they were called."""


# What must agree


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("parameters", [{}, CANARY], ids=["at once", "canary"])
def test_the_worker_is_told_what_its_event_source_is_told(
    packaged: Path, stage: str, parameters: dict[str, str]
) -> None:
    """Told alone, the worker would report failures to an event source that takes any answer for success."""
    stack = app(packaged, stage, **parameters)
    sources = of_type(stack, "AWS::Lambda::EventSourceMapping").values()
    reported = {
        source["FunctionName"].removesuffix(":live").rpartition(":")[2]
        for source in sources
        if source.get("FunctionResponseTypes") == [REPORT_FAILURES]
    }
    told = {
        properties["FunctionName"]
        for properties in of_type(stack, "AWS::Lambda::Function").values()
        if reports_failures(properties["Environment"]["Variables"])
    }
    fed = ("work_off_queue", "deliver", "notify", "read_sheet")
    assert told == reported == {f"visits-{stage}-{function}" for function in fed}


def test_without_the_merge_template_neither_is_told() -> None:
    """As `chalice deploy` makes it: Chalice cannot set `FunctionResponseTypes`, and no stage may say that it is set."""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    for stage in (config, *config["stages"].values()):
        for place in (stage, *stage.get("lambda_functions", {}).values()):
            assert not reports_failures(place.get("environment_variables", {}))


# Stages side by side


def test_stages_in_one_account_share_no_name(packaged: Path) -> None:
    names: dict[str, str] = {}
    for stage in STAGES:
        for stack in (app(packaged, stage), data(packaged, stage)):
            for resource, it in stack.resources.items():
                for key in ("FunctionName", "LogGroupName", "AlarmName", "DashboardName", "TableName", "QueueName"):
                    if key in it.get("Properties", {}) and it["Type"] not in (
                        "AWS::Lambda::Alias",
                        "AWS::Lambda::Version",
                    ):
                        name = f"{it['Type']} {stack.properties(resource)[key]}"
                        assert names.setdefault(name, stage) == stage, name
        (api,) = of_type(app(packaged, stage), "AWS::ApiGateway::RestApi").values()
        # CloudWatch tells APIs apart by name alone.
        assert names.setdefault(f"API {api['Name']}", stage) == stage
    assert len({name for name in names if name.startswith("API ")}) == len(STAGES)


# The functions and their gateway


@pytest.mark.parametrize("stage", STAGES)
def test_functions_have_their_memory_and_time_and_are_traced(packaged: Path, stage: str) -> None:
    functions = of_type(app(packaged, stage), "AWS::Lambda::Function")
    sizes = {name: (function["MemorySize"], function["Timeout"]) for name, function in functions.items()}
    assert sizes == {it.template_name: (it.memory_mb, it.timeout_seconds) for it in FUNCTIONS.values()}
    assert {function["TracingConfig"]["Mode"] for function in functions.values()} == {"Active"}
    assert not any("ReservedConcurrentExecutions" in function for function in functions.values())
    # Lambda asks for six times as long, so that a message is not handed out again while it is worked off.
    fed = (
        ("IntakeQueue", "WorkOffQueue"),
        ("WebhookQueue", "Deliver"),
        ("NoticeQueue", "Notify"),
        ("SheetQueue", "ReadSheet"),
    )
    for queue, function in fed:
        hidden = data(packaged, stage).properties(queue)["VisibilityTimeout"]
        assert hidden >= 6 * functions[function]["Timeout"]


def test_the_gateway_compresses_and_takes_answers_of_any_type(packaged: Path) -> None:
    (api,) = of_type(app(packaged, "prod"), "AWS::ApiGateway::RestApi").values()
    assert api["MinimumCompressionSize"] == 1024
    assert api["Body"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert api["Body"]["info"]["title"] == api["Name"]


# What is written down of a request


def test_the_access_log_has_routes_and_times_and_nothing_of_a_person(packaged: Path) -> None:
    (stage,) = of_type(app(packaged, "prod"), "AWS::ApiGateway::Stage").values()
    setting: Any = stage["AccessLogSetting"]
    line = json.loads(setting["Format"])
    assert {"requestId", "method", "route", "status", "latencyMs", "integrationError", "authorizerError"} <= line.keys()
    assert line["route"] == "$context.resourcePath"
    assert [value for value in line.values() if PERSONAL.match(value)] == []
    # A header or a query would have to be asked for like this.
    assert all(re.fullmatch(r"\$context\.[A-Za-z.]+", value) for value in line.values())


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_of_aws_writes_down_addresses_with_their_queries(packaged: Path, stage: str) -> None:
    """Traces of the gateway's stage and its execution log would; the functions' own traces have no address."""
    (gateway,) = of_type(app(packaged, stage), "AWS::ApiGateway::Stage").values()
    assert gateway["TracingEnabled"] is False
    for setting in gateway["MethodSettings"]:
        assert {"LoggingLevel", "DataTraceEnabled"} & setting.keys() == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_log_ends_after_the_days_that_are_said(packaged: Path, stage: str) -> None:
    stack = app(packaged, stage, LogRetentionDays="90")
    groups = {it["LogGroupName"]: str(it["RetentionInDays"]) for it in of_type(stack, "AWS::Logs::LogGroup").values()}
    assert set(groups.values()) == {"90"}
    functions = of_type(stack, "AWS::Lambda::Function").values()
    # The group is there before the function is, and the function may not make it: none is without an end.
    used = {function["LoggingConfig"]["LogGroup"] for function in functions}
    assert used < groups.keys()
    assert used == {f"/aws/lambda/{function['FunctionName']}" for function in functions}


def test_logs_end_after_as_many_days_however_a_stage_is_deployed(packaged: Path) -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    template = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    assert template["Parameters"]["LogRetentionDays"]["Default"] == config["log_retention_in_days"]


# Releases


@pytest.mark.parametrize("stage", STAGES)
def test_a_release_shifts_every_function_and_asks_its_alarms(packaged: Path, stage: str) -> None:
    stack = app(packaged, stage, **CANARY)
    groups = of_type(stack, "AWS::CodeDeploy::DeploymentGroup")
    assert {f"{function}DeploymentGroup" for function in watch.RELEASE} == groups.keys()
    for function, asked in watch.RELEASE.items():
        group: Any = groups[f"{function}DeploymentGroup"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        names = [alarm["Name"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        assert names == [f"visits-{stage}-{alarm.name}" for alarm in asked]
        assert group["AlarmConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_all_at_once_a_fix_comes_through_while_an_alarm_rings(packaged: Path) -> None:
    for group in of_type(app(packaged, "prod"), "AWS::CodeDeploy::DeploymentGroup").values():
        assert group["AlarmConfiguration"] == {}
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"


def test_code_deploy_may_move_our_aliases_and_look_at_alarms_and_nothing_else(packaged: Path) -> None:
    stack = app(packaged, "prod", **CANARY)
    (inline,) = stack.properties("CodeDeployRole")["Policies"]
    said = {statement["Sid"]: statement for statement in inline["PolicyDocument"]["Statement"]}
    functions = [stack.arn(it.template_name) for it in FUNCTIONS.values() if it.shifted]
    aliases = [f"{arn}:live" for arn in functions]
    assert sorted(said["Aliases"]["Resource"]) == sorted(functions + aliases)
    # As AWS's own policy for it has it: whoever may look at some alarms only is refused where others are asked for too.
    assert (said["Alarms"]["Action"], said["Alarms"]["Resource"]) == (["cloudwatch:DescribeAlarms"], "*")
    assert said.keys() == {"Aliases", "Alarms"}


def test_a_version_keeps_the_runtime_that_it_was_tried_with(packaged: Path) -> None:
    """A new one comes with a release, by its canary, and going back goes back to the old one too."""
    functions = of_type(app(packaged, "prod"), "AWS::Lambda::Function").values()
    assert len(functions) == len(FUNCTIONS)
    assert all(it["RuntimeManagementConfig"] == {"UpdateRuntimeOn": "FunctionUpdate"} for it in functions)


@pytest.mark.parametrize("stage", STAGES)
def test_every_role_can_be_bounded(packaged: Path, stage: str) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    bounded = of_type(app(packaged, stage, PermissionsBoundary=boundary), "AWS::IAM::Role")
    assert len(bounded) == len(FUNCTIONS) + 1  # CodeDeploy's
    assert [name for name, role in bounded.items() if role.get("PermissionsBoundary") != boundary] == []
    for role in of_type(app(packaged, stage), "AWS::IAM::Role").values():
        assert "PermissionsBoundary" not in role


# Data


def test_the_data_outlives_its_stack_and_comes_back_to_any_second(packaged: Path) -> None:
    stack = data(packaged, "prod")
    for name, resource in stack.resources.items():
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::SQS::Queue"):
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
    table = stack.properties("Table")
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_what_has_an_end_is_removed_by_the_table(packaged: Path) -> None:
    expiry = data(packaged, "prod").properties("Table")["TimeToLiveSpecification"]
    now = datetime.now(UTC)
    intake = manifest_item(Manifest("id", "partner", 1, 1, sent=True, created_at=now))
    assert expiry["Enabled"] is True
    assert intake[expiry["AttributeName"]] == int((now + timedelta(days=30)).timestamp())


def test_nobody_reaches_the_queues_and_the_bucket_without_tls(packaged: Path) -> None:
    stack = data(packaged, "prod")
    held = [
        stack.arn(name) for name, it in stack.resources.items() if it["Type"] in ("AWS::SQS::Queue", "AWS::S3::Bucket")
    ]
    closed: list[str] = []
    for name, it in stack.resources.items():
        if it["Type"] in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            for statement in stack.properties(name)["PolicyDocument"]["Statement"]:
                if statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
                    said = statement["Resource"]
                    closed += said if isinstance(said, list) else [said]
    assert set(held) <= set(closed)


def test_files_of_sheets_are_private_encrypted_and_end(packaged: Path) -> None:
    bucket = data(packaged, "prod").properties("SheetsBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    rules = {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules == {"uploads/": 1, "clean/": FILES_KEPT.days, "answers/": FILES_KEPT.days, None: None}
    assert "CorsConfiguration" not in bucket
