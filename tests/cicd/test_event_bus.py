"""The optional event bus: with one, the relay may put events there and is told so; without one, neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cicd.iam import listed, statements
from tests.cicd.physical import Stack
from tests.cicd.stacks import app, boundary, of_type
from tools.generate.templates import PIPELINE

PUTS = "events:PutEvents"


def buses(stack: Stack) -> dict[str, Any]:
    """The roles that may put events, and where."""
    return {
        name: statement["Resource"]
        for name in of_type(stack, "AWS::IAM::Role")
        for statement in statements(stack, name)
        if PUTS in listed(statement["Action"])
    }


def told(stack: Stack) -> dict[str, str]:
    """The functions that are told of a bus, and of which."""
    functions = of_type(stack, "AWS::Lambda::Function")
    variables = {name: each["Environment"]["Variables"] for name, each in functions.items()}
    return {name: each["EVENT_BUS"] for name, each in variables.items() if each.get("EVENT_BUS")}


def test_a_stage_without_a_bus_has_no_right_and_is_told_of_none(packaged: Path) -> None:
    stack = app(packaged, "prod")
    assert (buses(stack), told(stack)) == ({}, {})


def test_with_a_bus_the_relay_alone_may_put_events_on_it_and_on_no_other(packaged: Path) -> None:
    stack = app(packaged, "prod", EventBus="agency")
    (bus,) = buses(stack).values()
    assert list(buses(stack)) == ["RelayRole"]
    assert bus.endswith(":event-bus/agency")
    assert told(stack) == {"Relay": "agency"}


@pytest.mark.parametrize("stage", ["beta", "prod"])
def test_the_pipeline_passes_the_bus_on_and_its_boundary_lets_it(stage: str) -> None:
    named = {f"{stage.title()}EventBus": "agency", "GithubOwner": "agency", "GithubRepoName": "visits"}
    template = Stack(json.loads(PIPELINE.read_text(encoding="utf-8")), "visits-pipeline", named)
    actions = [action for each in template.properties("AppPipeline")["Stages"] for action in each["Actions"]]
    given = [json.loads(action["Configuration"].get("ParameterOverrides", "{}")) for action in actions]
    passed = [each["EventBus"] for each in given if "EventBus" in each]
    assert dict(zip(("beta", "prod"), passed, strict=True)) == {"beta": "", "prod": "", stage: "agency"}
    assert [each for each in statements(template, boundary(stage)) if PUTS in listed(each["Action"])]


def test_terraform_has_the_same_behind_a_variable(terraformed: Path) -> None:
    ours = json.loads((terraformed / "visits.tf.json").read_text(encoding="utf-8"))
    laid_over = json.loads((terraformed / "visits_override.tf.json").read_text(encoding="utf-8"))
    chalices = json.loads((terraformed / "chalice.tf.json").read_text(encoding="utf-8"))
    assert ours["variable"]["event_bus"]["default"] == ""
    policy = ours["resource"]["aws_iam_role_policy"]["event_bus"]
    assert policy["count"] == '${var.event_bus == "" ? 0 : 1}'
    role = policy["role"].removeprefix("${aws_iam_role.").removesuffix(".id}")
    assert role in chalices["resource"]["aws_iam_role"]
    (statement,) = json.loads(policy["policy"])["Statement"]
    assert (statement["Action"], statement["Resource"].rpartition(":")[2]) == (PUTS, "event-bus/${var.event_bus}")
    functions = laid_over["resource"]["aws_lambda_function"]
    environments = {name: each["environment"]["variables"] for name, each in functions.items()}
    assert {name for name, each in environments.items() if "EVENT_BUS" in each} == {"relay"}
    assert environments["relay"]["EVENT_BUS"] == "${var.event_bus}"
