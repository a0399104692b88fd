"""release.json: what a stage's account needs for releases from GitHub and GitLab, and that its doors are narrow."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from devstack.emulator import python_of_emulator
from tests.cicd.linters import findings
from tools.pipeline.roles import app_role, data_role
from tools.pipeline.template import template as pipeline_template
from tools.release_roles import FILE, written

TEMPLATE = json.loads(FILE.read_text(encoding="utf-8"))
REGION, ACCOUNT = "eu-central-1", "123456789012"
NAMES = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "Stage": "beta",
    "Repository": "agency/visits",
    "Branch": "main",
    "ApplicationBucket.Arn": "arn:aws:s3:::code",
    "DataRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/data",
    "AppRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/app",
    "Boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "BetaBoundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "PipelineKey.Arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "IssuerArn": "issuer",
}
STACKS = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack"

EVALUATE = """
import json, sys
from ministack.core import iam_evaluator as iam
asked = json.load(sys.stdin)
statements = [iam.parse_policy_document(asked["policy"])]
def decision(action, resource, context):
    context = iam.EvalContext(
        principal_arn="arn:aws:iam::123456789012:role/release", principal_type="AssumedRole",
        principal_account="123456789012", action=action, region="eu-central-1", resource_arn=resource,
        service_context={key.lower(): value for key, value in context.items()})
    return iam.evaluate(context, statements).decision == "Allow"
json.dump([decision(*each) for each in asked["calls"]], sys.stdout)
"""


def resolved(node: Any) -> Any:
    """The part with the names of stage beta in place of CloudFormation's functions."""
    match node:
        case {"Ref": name}:
            return NAMES[name]
        case {"Fn::GetAtt": [resource, attribute]}:
            return NAMES[f"{resource}.{attribute}"]
        case {"Fn::Sub": text}:
            for name, value in NAMES.items():
                text = text.replace(f"${{{name}}}", value)
            assert "${" not in text, text
            return text
        case {"Fn::If": ["NewIssuer", _, known]}:
            return resolved(known)
        case dict():
            return {name: resolved(each) for name, each in node.items()}
        case list():
            return [resolved(each) for each in node]
    return node


def policy(role: str, resources: Any = TEMPLATE["Resources"]) -> Any:
    (inline,) = resources[role]["Properties"]["Policies"]
    return resolved(inline["PolicyDocument"])


def may(*calls: tuple[str, str, dict[str, str]]) -> list[bool]:
    """What the role that jobs take on is allowed, by the emulator's IAM evaluator."""
    asked = json.dumps({"policy": policy("ReleaseRole"), "calls": calls})
    command = [str(python_of_emulator()), "-c", EVALUATE]
    answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    decisions: list[bool] = json.loads(answer.stdout)
    return decisions


def test_the_committed_file_is_what_make_release_roles_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == written()
    assert len(written()) < 51_200, "too long for a call of CloudFormation"


def test_linters_find_nothing() -> None:
    assert findings("cfn-lint", "--include-checks", "I", "--template", FILE) == ""
    offline = ("--framework", "cloudformation", "--skip-download", "--compact", "--quiet")
    assert findings("checkov", "--file", FILE, *offline) == ""


@pytest.mark.parametrize(("ours", "theirs"), [("DataRole", data_role("beta")), ("AppRole", app_role("beta"))])
def test_a_release_may_do_what_the_pipeline_may(ours: str, theirs: str) -> None:
    pipeline = policy(theirs, pipeline_template()["Resources"])
    # The pipeline's bucket has a key of its own.
    keyless = [statement for statement in pipeline["Statement"] if statement["Action"] != "kms:Decrypt"]
    assert [(each["Action"], each.get("Condition")) for each in policy(ours)["Statement"]] == [
        (each["Action"], each.get("Condition")) for each in keyless
    ]
    named = json.dumps(policy(ours)["Statement"]).replace("arn:aws:s3:::code", "bucket")
    assert named == json.dumps(keyless).replace("arn:aws:s3:::code", "bucket")


def test_a_job_deploys_the_stacks_of_its_stage_and_only_with_their_roles() -> None:
    change = "cloudformation:CreateChangeSet"
    role, other = NAMES["AppRole.Arn"], f"arn:aws:iam::{ACCOUNT}:role/Admin"
    to_cloudformation = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}
    assert may(
        (change, f"{STACKS}/visits-beta/1", {"cloudformation:RoleArn": role}),
        (change, f"{STACKS}/visits-data-beta/1", {"cloudformation:RoleArn": NAMES["DataRole.Arn"]}),
        ("iam:PassRole", role, to_cloudformation),
        ("s3:PutObject", "arn:aws:s3:::code/code/1.zip", {}),
    ) == [True, True, True, True]
    assert (
        may(
            (change, f"{STACKS}/visits-beta/1", {}),
            (change, f"{STACKS}/visits-beta/1", {"cloudformation:RoleArn": other}),
            (change, f"{STACKS}/visits-prod/1", {"cloudformation:RoleArn": role}),
            (change, f"{STACKS}/visits-release-beta/1", {"cloudformation:RoleArn": role}),
            ("cloudformation:DeleteStack", f"{STACKS}/visits-data-beta/1", {}),
            ("iam:PassRole", role, to_lambda),
            ("iam:PassRole", other, to_cloudformation),
            ("s3:PutObject", "arn:aws:s3:::code/elsewhere", {}),
            ("s3:GetObject", "arn:aws:s3:::code/code/1.zip", {}),
        )
        == [False] * 9
    )


@pytest.mark.parametrize(
    ("which", "host", "subject"),
    [
        (1, "token.actions.githubusercontent.com", "repo:agency/visits:environment:beta"),
        (2, "gitlab.com", "project_path:agency/visits:ref_type:branch:ref:main"),
    ],
)
def test_the_role_trusts_one_repository_and_its_environment_or_branch(which: int, host: str, subject: str) -> None:
    documents = TEMPLATE["Resources"]["ReleaseRole"]["Properties"]["AssumeRolePolicyDocument"]["Fn::If"]
    assert documents[0] == "FromGitHub"
    (statement,) = resolved(documents[which])["Statement"]
    assert statement["Principal"] == {"Federated": "issuer"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    # Exactly, without patterns: whoever else has a token of the same maker is refused.
    assert statement["Condition"] == {"StringEquals": {f"{host}:aud": "sts.amazonaws.com", f"{host}:sub": subject}}
