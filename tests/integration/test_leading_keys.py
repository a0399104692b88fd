"""The conditions on leading keys, decided by the emulator's own IAM evaluator.

The emulator does not tell its evaluator which items a call is about, so no call through it can show these conditions;
asked directly, with the keys, the evaluator knows them.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.emulator import python_of_emulator

POLICIES = Path(__file__).resolve().parents[2] / ".chalice" / "policies"
API_KEY, SIGNING_KEYS, VISIT = "K#0123456789abcdef", "K#:signing", "V#01a1fde2-3842-74ab-9f3d-c68ef60e5394"

EVALUATE = """
import json, sys
from ministack.core import iam_evaluator as iam
asked = json.load(sys.stdin)
statements = [iam.parse_policy_document(asked["policy"])]
def decision(key):
    context = iam.EvalContext(
        principal_arn="arn:aws:iam::123456789012:role/function", principal_type="AssumedRole",
        principal_account="123456789012", action="dynamodb:GetItem", region="eu-central-1",
        resource_arn="arn:aws:dynamodb:eu-central-1:123456789012:table/visits-" + asked["stage"],
        service_context={"dynamodb:leadingkeys": [key]})
    return iam.evaluate(context, statements).decision == "Allow"
json.dump([decision(key) for key in asked["keys"]], sys.stdout)
"""


def may_read(policy: dict[str, Any], stage: str, *keys: str) -> list[bool]:
    """Whether the policy lets an item with each of the keys be read."""
    asked = json.dumps({"policy": policy, "stage": stage, "keys": keys})
    command = [str(python_of_emulator()), "-c", EVALUATE]
    answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    decisions: list[bool] = json.loads(answer.stdout)
    return decisions


def policy(stage: str, function: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((POLICIES / stage / f"{function}.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("stage", ["dev", "beta", "prod"])
@pytest.mark.parametrize("function", ["api_handler", "work_off_queue"])
def test_api_and_worker_read_everything_but_api_keys_and_only_because_that_is_denied(stage: str, function: str) -> None:
    whole = policy(stage, function)
    assert may_read(whole, stage, API_KEY, SIGNING_KEYS, VISIT) == [False, True, True]
    without = whole | {"Statement": [each for each in whole["Statement"] if each["Sid"] != "NoApiKeys"]}
    assert may_read(without, stage, API_KEY, SIGNING_KEYS, VISIT) == [True, True, True]


@pytest.mark.parametrize("stage", ["dev", "beta", "prod"])
def test_the_authorizer_reads_api_keys_and_nothing_else(stage: str) -> None:
    assert may_read(policy(stage, "bearer_key"), stage, API_KEY, SIGNING_KEYS, VISIT) == [True, False, False]
