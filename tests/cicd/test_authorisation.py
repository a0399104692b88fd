"""Every policy that we make, held against the IAM service authorisation reference and against IAM's quotas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cicd import stacks
from tests.cicd.authorisation import findings
from tests.cicd.iam import documents
from tests.cicd.physical import ACCOUNT, REGION, Stack
from tools.generate.policies import FOLDER
from tools.generate.templates import STAGES
from tools.project import ROOT

DASHBOARDS: Final = "CloudFormation's handler of dashboards asks for their tags; the reference has none yet"
REASONS: Final[Mapping[str, str]] = {
    "could name its resource: cloudwatch:DescribeAlarms": (
        "CodeDeploy asks for alarms as it likes, which AWS's own role for it leaves open too"
    ),
    "has no resource of its type: cloudwatch:ListTagsForResource": DASHBOARDS,
    "has no resource of its type: cloudwatch:TagResource": DASHBOARDS,
    "has no resource of its type: cloudwatch:UntagResource": DASHBOARDS,
    "names nothing: apigateway /restapis/*": "nobody chooses an API's id; other stacks' are denied by their tag",
    "names nothing: apigateway /tags/*": "these are an API's tags, named by its id",
    "names nothing: cognito-idp userpool/*": "nobody chooses a pool's id; other stacks' are denied by their tag",
    "names nothing: cloudfront distribution/*": "nobody chooses its id; other stacks' are denied by their tag",
    "names nothing: cloudfront origin-access-control/*": "nobody chooses its id, and it has no tags",
    "names nothing: cloudfront response-headers-policy/*": "nobody chooses its id, and it has no tags",
    "names nothing: events event-bus/*": "which bus, only the stage's parameter says; its function's policy names it",
    "names nothing: ses identity/*": "who the agency writes as, only the stage's settings know",
    "names nothing: lambda event-source-mapping:*": (
        "nobody chooses its id; where the action has a condition for it, it is held to the stage's functions"
    ),
}
"""Why a policy does not name what it could, or names what the reference does not know."""

INLINE: Final = 10_240
"""Characters, white space aside, that IAM takes of all inline policies of a role together
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
MANAGED: Final = 6_144
TRUST: Final = 2_048
FULL: Final = 0.9
"""Names in other Regions and partitions are longer than here."""

Json = dict[str, Any]


def policies(part: Any) -> Iterator[Json]:
    """Every policy in a part of a template, whatever it is a policy of."""
    if isinstance(part, dict):
        if isinstance(part.get("Statement"), list):
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from policies(each)


def all_stacks(packaged: Path) -> Iterator[Stack]:
    yield stacks.pipeline()
    for provider in ("GitHub", "GitLab"):
        yield stacks.release("prod", provider)
    for stage in STAGES:
        yield stacks.app(packaged, stage, **stacks.CANARY)
        yield stacks.data(packaged, stage)
        yield stacks.console(stage)


def every_policy(packaged: Path) -> Iterator[tuple[str, Json]]:
    for stack in all_stacks(packaged):
        for name in stack.resources:
            yield from ((f"{stack.name}, {name}", policy) for policy in policies(stack.properties(name)))
    for file in sorted(FOLDER.rglob("*.json")):
        yield str(file.relative_to(ROOT)), json.loads(file.read_text(encoding="utf-8"))


def test_every_grant_means_something_and_names_what_it_can(packaged: Path) -> None:
    checked, found = 0, {}
    for where, policy in every_policy(packaged):
        checked += 1
        found.update({str(finding): where for statement in policy["Statement"] for finding in findings(statement)})
    assert checked > 50
    assert {finding: where for finding, where in found.items() if finding not in REASONS} == {}
    assert REASONS.keys() - found.keys() == set(), "what is explained is no longer so"


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def allow(action: str | list[str], resource: str | list[str], **condition: object) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}


TABLE: Final = arn("dynamodb", "table/visits-prod")
MISTAKES: Final = {
    "an action that does not exist": (allow("dynamodb:TransactWriteItems", TABLE), "there is no action"),
    "an action in the wrong case": (allow("sqs:sendMessage", arn("sqs", "visits-prod")), "there is no action"),
    "a pattern of no action": (allow("kms:Generate*Keys", arn("kms", "key/1")), "there is no action"),
    "an action that takes no resource": (
        allow("codedeploy:StopDeployment", arn("codedeploy", "deploymentgroup:visits-prod-x")),
        "takes no resource",
    ),
    "a resource of another type": (allow("dynamodb:GetItem", f"{TABLE}/stream/1"), "has no resource of its type"),
    "a resource of another service": (allow("sqs:SendMessage", arn("sns", "visits-prod")), "no action takes"),
    "a resource that none of the actions takes": (
        allow(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::visits", "arn:aws:s3:::visits/*"]),
        "no action takes",
    ),
    "everything instead of a name": (allow("dynamodb:GetItem", "*"), "could name its resource"),
    "a name that fits everything": (allow("dynamodb:GetItem", arn("dynamodb", "table/*")), "names nothing"),
    "a condition that the action does not have": (
        allow("sqs:SendMessage", arn("sqs", "x"), StringEquals={"sqs:QueueName": "x"}),
        "takes no such condition",
    ),
    "a condition on a tag that cannot be asked": (
        allow("codedeploy:StopDeployment", "*", StringEquals={"aws:ResourceTag/stage": "prod"}),
        "takes no such condition",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str) -> None:
    statement, kind = MISTAKES[mistake]
    assert {finding.kind for finding in findings(statement)} >= {kind}


@pytest.mark.parametrize(
    "statement",
    [
        allow(["dynamodb:GetItem", "dynamodb:Query"], [TABLE, f"{TABLE}/index/byMonth"]),
        allow("dynamodb:GetItem", "arn:*:dynamodb:*:*:table/visits-prod", StringLike={"dynamodb:LeadingKeys": ["K#?"]}),
        allow("logs:PutLogEvents", "arn:*:logs:*:*:log-group:/aws/lambda/visits-prod:*"),
        allow("xray:PutTraceSegments", "*"),
        allow("iam:PassRole", "arn:*:iam::*:role/visits-*", StringEquals={"iam:PassedToService": "x.amazonaws.com"}),
    ],
)
def test_what_is_right_is_let_pass(statement: Json) -> None:
    assert [str(finding) for finding in findings(statement)] == []


def size(policy: Json) -> int:
    return len("".join(json.dumps(policy, separators=(",", ":")).split()))


def test_every_policy_is_within_the_quotas_of_iam(packaged: Path) -> None:
    sizes: dict[str, float] = {}
    for stack in all_stacks(packaged):
        for name, resource in stack.resources.items():
            own = sum(map(size, documents(stack, name))) if resource["Type"].startswith("AWS::IAM::") else 0
            if resource["Type"] == "AWS::IAM::Role":
                sizes[f"{stack.name}, {name}"] = own / INLINE
                sizes[f"{stack.name}, trust in {name}"] = (
                    size(stack.properties(name)["AssumeRolePolicyDocument"]) / TRUST
                )
            elif resource["Type"] == "AWS::IAM::ManagedPolicy":
                sizes[f"{stack.name}, {name}"] = own / MANAGED
    assert len(sizes) > 40
    assert {name: share for name, share in sizes.items() if share > FULL} == {}
