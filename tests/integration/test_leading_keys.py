"""The conditions on leading keys, decided by the emulator's own IAM evaluator.

The emulator does not tell its evaluator which items a call is about, so no call through it can show these conditions;
asked directly, with the keys, the evaluator knows them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cicd.iam import Question, decided
from tests.cicd.physical import ACCOUNT, REGION
from tools.generate.policies import FOLDER, STAGES

API_KEY, SIGNING_KEYS, VISIT = "K#0123456789abcdef", "K#:signing", "V#01a1fde2-3842-74ab-9f3d-c68ef60e5394"


def may_read(policy: dict[str, Any], stage: str, *keys: str) -> list[bool]:
    """Whether the policy lets an item with each of the keys be read."""
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/visits-{stage}"
    read = [Question("function", "dynamodb:GetItem", table, {"dynamodb:LeadingKeys": [key]}) for key in keys]
    return list(decided({"function": [policy]}, read).values())


def policy(stage: str, function: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / stage / f"{function}.json").read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", ["api_handler", "work_off_queue"])
def test_api_and_worker_read_everything_but_api_keys_and_only_because_that_is_denied(stage: str, function: str) -> None:
    whole = policy(stage, function)
    assert may_read(whole, stage, API_KEY, SIGNING_KEYS, VISIT) == [False, True, True]
    without = whole | {"Statement": [each for each in whole["Statement"] if each["Sid"] != "NoApiKeys"]}
    assert may_read(without, stage, API_KEY, SIGNING_KEYS, VISIT) == [True, True, True]


@pytest.mark.parametrize("stage", STAGES)
def test_the_authorizer_reads_api_keys_and_nothing_else(stage: str) -> None:
    assert may_read(policy(stage, "bearer_key"), stage, API_KEY, SIGNING_KEYS, VISIT) == [True, False, False]
