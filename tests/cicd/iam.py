"""IAM policies, decided by the evaluator of the emulator, asked directly: many questions at a time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devstack.emulator import python_of_emulator
from tests.cicd.physical import ACCOUNT, REGION, Stack

EVALUATE = """
import json, sys
from ministack.core import iam_evaluator as iam
asked = json.load(sys.stdin)
policies = {
    name: [iam.parse_policy_document(document) for document in documents]
    for name, documents in asked["policies"].items()
}
def decision(name, action, resource, context, limit):
    account = context.pop("aws:principalaccount", asked["account"])
    region = context.pop("aws:requestedregion", asked["region"])
    about = iam.EvalContext(
        principal_arn="somebody", principal_type="AssumedRole", principal_account=account,
        region=region, action=action, resource_arn=resource, service_context=context, secure_transport=True)
    limits = [policies[limit]] if limit else []
    return iam.evaluate(about, policies[name], *limits).decision == "Allow"
json.dump([decision(*question) for question in asked["questions"]], sys.stdout)
"""


@dataclass(frozen=True)
class Question:
    """Whether a role may do something; `context` are the condition keys of the call."""

    role: str
    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict, hash=False)
    boundary: str = ""
    """The policy that bounds the role, if any."""

    def __str__(self) -> str:
        given = ", ".join(f"{key}={value}" for key, value in self.context.items())
        return f"{self.role}: {self.action} on {self.resource}" + (f" ({given})" if given else "")


def allowed(stack: Stack, questions: Sequence[Question]) -> dict[Question, bool]:
    """The answers, from the roles and managed policies of the stack."""
    names = {question.role for question in questions} | {question.boundary for question in questions} - {""}
    return decided({name: documents(stack, name) for name in names}, questions)


def decided(policies: Mapping[str, Sequence[Any]], questions: Sequence[Question]) -> dict[Question, bool]:
    """The answers, from the policies that each role is said to have."""
    asked = {
        "account": ACCOUNT,
        "region": REGION,
        "policies": policies,
        "questions": [
            [question.role, question.action, question.resource, _lower(question.context), question.boundary]
            for question in questions
        ],
    }
    command = [str(python_of_emulator()), "-c", EVALUATE]
    answer = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    return dict(zip(questions, json.loads(answer.stdout), strict=True))


def documents(stack: Stack, name: str) -> list[Any]:
    """The policies of a role, or a managed policy."""
    properties = stack.properties(name)
    if "PolicyDocument" in properties:
        return [properties["PolicyDocument"]]
    apart = [
        stack.properties(policy)["PolicyDocument"]
        for policy, resource in stack.resources.items()
        if resource["Type"] == "AWS::IAM::Policy"
        and {"Ref": name} in resource["Properties"]["Roles"]
        and stack.makes(policy)
    ]
    return [*(inline["PolicyDocument"] for inline in properties.get("Policies", [])), *apart]


def statements(stack: Stack, name: str) -> list[Any]:
    return [statement for document in documents(stack, name) for statement in document["Statement"]]


def granted(stack: Stack, name: str) -> set[str]:
    """Every action that the policies allow for something."""
    allows = (statement for statement in statements(stack, name) if statement["Effect"] == "Allow")
    return {action for statement in allows for action in listed(statement["Action"])}


def listed(value: Any) -> list[Any]:
    """IAM writes one thing without a list."""
    return value if isinstance(value, list) else [value]


def _lower(context: Mapping[str, str | Sequence[str]]) -> dict[str, str | Sequence[str]]:
    return {key.lower(): value for key, value in context.items()}
