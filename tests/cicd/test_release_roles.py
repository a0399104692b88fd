"""release.json: what a stage's account needs for releases from GitHub and GitLab, and that its doors are narrow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest

from tests.cicd.iam import Question, allowed, decided, documents, statements
from tests.cicd.physical import ACCOUNT, REGION
from tests.cicd.stacks import app_role, boundary, data_role, pipeline, release
from tools.generate.templates import RELEASE, written

TABLES = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table"
STACKS = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack"


def may(*calls: tuple[str, str, Mapping[str, str]]) -> list[bool]:
    """What the role that jobs take on is allowed."""
    return list(allowed(release("beta", "GitHub"), [Question("ReleaseRole", *call) for call in calls]).values())


def test_the_committed_file_is_what_make_release_roles_writes() -> None:
    assert RELEASE.read_text(encoding="utf-8") == written("release")
    assert len(written("release")) < 51_200, "too long for a call of CloudFormation"


@pytest.mark.parametrize(("ours", "theirs"), [("DataRole", data_role("beta")), ("AppRole", app_role("beta"))])
def test_a_release_may_do_what_the_pipeline_may(ours: str, theirs: str) -> None:
    own = release("beta", "GitHub")
    # The pipeline's bucket has a key of its own.
    keyless = [statement for statement in statements(pipeline(), theirs) if statement["Action"] != "kms:Decrypt"]
    text = json.dumps(keyless)
    for there, here in ((boundary("beta"), "Boundary"), ("ApplicationBucket", "ApplicationBucket")):
        text = text.replace(pipeline().arn(there), own.arn(here))
    assert statements(own, ours) == json.loads(text)


def test_a_job_deploys_the_stacks_of_its_stage_and_only_with_their_roles() -> None:
    change = "cloudformation:CreateChangeSet"
    own = release("beta", "GitHub")
    bucket, role, foreign = own.arn("ApplicationBucket"), own.arn("AppRole"), f"arn:aws:iam::{ACCOUNT}:role/Admin"
    to_cloudformation = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}
    assert (
        may(
            (change, f"{STACKS}/visits-beta/1", {"cloudformation:RoleArn": role}),
            (change, f"{STACKS}/visits-data-beta/1", {"cloudformation:RoleArn": own.arn("DataRole")}),
            ("iam:PassRole", role, to_cloudformation),
            ("s3:PutObject", f"{bucket}/code/1.zip", {}),
            ("dynamodb:DescribeTable", f"{TABLES}/visits-beta", {}),
        )
        == [True] * 5
    )
    assert (
        may(
            (change, f"{STACKS}/visits-beta/1", {}),
            (change, f"{STACKS}/visits-beta/1", {"cloudformation:RoleArn": foreign}),
            (change, f"{STACKS}/visits-prod/1", {"cloudformation:RoleArn": role}),
            (change, f"{STACKS}/visits-release-beta/1", {"cloudformation:RoleArn": role}),
            ("cloudformation:DeleteStack", f"{STACKS}/visits-data-beta/1", {}),
            ("iam:PassRole", role, to_lambda),
            ("iam:PassRole", foreign, to_cloudformation),
            ("s3:PutObject", f"{bucket}/elsewhere", {}),
            ("dynamodb:DescribeTable", f"{TABLES}/visits-prod", {}),
            ("s3:DeleteObject", f"{bucket}/code/1.zip", {}),
        )
        == [False] * 10
    )


def test_what_a_job_has_put_into_the_bucket_stays_as_it_is() -> None:
    own = release("beta", "GitHub")
    together = {"job": [*documents(own, "ReleaseRole"), *documents(own, "ApplicationBucketPolicy")]}
    for name in ("code/0123.zip", "templates/0123.json"):
        place = f"{own.arn('ApplicationBucket')}/{name}"
        new = Question("job", "s3:PutObject", place, {"s3:if-none-match": "*"})
        instead = Question("job", "s3:PutObject", place)
        assert decided(together, [new, instead]) == {new: True, instead: False}


def test_codepipeline_has_a_role_of_its_own_and_no_token_opens_a_door() -> None:
    for_pipeline = release("prod", "CodePipeline", Repository="", IssuerArn="")
    gone = {name for name in for_pipeline.resources if not for_pipeline.makes(name)}
    assert gone == {"Issuer", "ReleaseRole"}
    said = json.loads(RELEASE.read_text(encoding="utf-8"))
    assert said["Outputs"]["RoleArn"]["Condition"] == "ByTokens"
    # A job of GitHub or GitLab is of some repository.
    assert said["Rules"]["TokensAreOfARepository"]["Assertions"][0]["Assert"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "Repository"}, ""]}]
    }


def taken_for_a_repository() -> str:
    pattern: str = json.loads(RELEASE.read_text(encoding="utf-8"))["Parameters"]["Repository"]["AllowedPattern"]
    return pattern


@pytest.mark.parametrize("repository", ["agency@42/visits@4711", "agency/visits", "agency/sales/visits"])
def test_a_repository_is_told_as_its_tokens_tell_it(repository: str) -> None:
    """Those of GitHub that were made or renamed since July 2026 have ids: a name that is free again is not enough."""
    assert re.fullmatch(taken_for_a_repository(), repository)


@pytest.mark.parametrize(
    "pattern", ["agency/*", "*/visits", "agency/visit?", "agency@*/visits@4711", "agency", "a/b:ref:c"]
)
def test_no_pattern_of_repositories_is_trusted(pattern: str) -> None:
    assert not re.fullmatch(taken_for_a_repository(), pattern)


@pytest.mark.parametrize(
    ("provider", "host", "subject"),
    [
        ("GitHub", "token.actions.githubusercontent.com", "repo:agency/visits:environment:beta"),
        ("GitLab", "gitlab.com", "project_path:agency/visits:ref_type:branch:ref:main"),
    ],
)
def test_the_role_trusts_one_repository_and_its_environment_or_branch(provider: str, host: str, subject: str) -> None:
    trust = release("beta", provider).properties("ReleaseRole")["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Federated": "issuer"}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    # Exactly, without patterns: whoever else has a token of the same maker is refused.
    assert statement["Condition"] == {"StringEquals": {f"{host}:aud": "sts.amazonaws.com", f"{host}:sub": subject}}
