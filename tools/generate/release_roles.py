"""`make release-roles`: release.json, what `make release` needs in the account of a stage, one stack for each stage.

A bucket for code and templates, the roles with which CloudFormation deploys, and the role that jobs of GitHub or GitLab
take on with the token that these make for them. That one may only hand a template to CloudFormation. The rest is what
pipeline.json has for the same purpose, so that a release is allowed the same things whoever starts it.
"""

import json
from typing import Any, Final

from tools.generate.pipeline.language import SERVICE, Part, allow, arn, attribute, policy, ref, sub
from tools.generate.pipeline.roles import app_role, boundary, data_role, hands_over, waits_for_indexes
from tools.generate.pipeline.template import template as pipeline_template
from tools.project import ROOT

FILE: Final = ROOT / "release.json"

MODEL: Final = "beta"
"""The stage of pipeline.json whose roles are taken; they are the same for every stage but for the names."""

HOSTS: Final = {"GitHub": "token.actions.githubusercontent.com", "GitLab": "gitlab.com"}
"""Who makes the tokens. A GitLab of one's own has a host of its own: name it here, and make release.json anew."""

AUDIENCE: Final = "sts.amazonaws.com"


def stack_of(stage: str) -> str:
    return f"{SERVICE}-release-{stage}"


def template() -> Part:
    pipeline = pipeline_template()["Resources"]
    app = _for_any_stage(pipeline[app_role(MODEL)])
    # The bucket below is encrypted with AWS's key, which asks for no permission of its own.
    statements = app["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements[:] = [statement for statement in statements if statement["Action"] != "kms:Decrypt"]
    bucket = pipeline["ApplicationBucket"]
    rule: Part = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    bucket["Properties"]["BucketEncryption"] = {"ServerSideEncryptionConfiguration": [rule]}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Property Visits: what releasing a stage needs in its account. Written by make release-roles.",
        "Parameters": _parameters(),
        "Conditions": {
            "FromGitHub": {"Fn::Equals": [ref("Provider"), "GitHub"]},
            "NewIssuer": {"Fn::Equals": [ref("IssuerArn"), ""]},
        },
        "Resources": {
            "ApplicationBucket": bucket,
            "ApplicationBucketPolicy": pipeline["ApplicationBucketPolicy"],
            "Boundary": _for_any_stage(pipeline[boundary(MODEL)]),
            "DataRole": _for_any_stage(pipeline[data_role(MODEL)]),
            "AppRole": app,
            "Issuer": _issuer(),
            "ReleaseRole": _release_role(),
        },
        "Outputs": {
            "RoleArn": {"Description": "AWS_ROLE_ARN of the environment", "Value": attribute("ReleaseRole")},
            "Bucket": {"Value": ref("ApplicationBucket")},
            "DataRoleArn": {"Value": attribute("DataRole")},
            "AppRoleArn": {"Value": attribute("AppRole")},
            "BoundaryArn": {"Value": ref("Boundary")},
        },
    }


def _for_any_stage(part: Part) -> Part:
    """The part with the stack's stage in place of the model's. Names are all within Fn::Sub, where this can stand."""
    text = json.dumps(part).replace(boundary(MODEL), "Boundary")
    for separator in ("-", "/"):
        text = text.replace(f"{SERVICE}{separator}{MODEL}", f"{SERVICE}{separator}${{Stage}}")
    made: Part = json.loads(text)
    if "Description" in made["Properties"]:
        made["Properties"]["Description"] = f"The most that a role of a stage of {SERVICE} may do"
    return made


def _parameters() -> Part:
    return {
        "Stage": {"Type": "String", "AllowedValues": ["dev", "beta", "prod"]},
        "Provider": {"Type": "String", "AllowedValues": list(HOSTS), "Description": "Where the code is."},
        "Repository": {
            "Type": "String",
            # No pattern: a star would let foreign repositories in.
            "AllowedPattern": "{0}(/{0})+".format("[A-Za-z0-9_.-]+(@[0-9]+)?"),
            "Description": "As tokens say it. GitHub: owner@id/name@id (owner/name of old); GitLab: group/project.",
        },
        "Branch": {
            "Type": "String",
            "Default": "main",
            "AllowedPattern": "[A-Za-z0-9_./-]+",
            "Description": "At GitLab: the protected branch that is released to the stage (develop for dev).",
        },
        "IssuerArn": {
            "Type": "String",
            "Default": "",
            "Description": "The OIDC provider, if the account has it; there can be only one of each.",
        },
    }


def _issuer() -> Part:
    hosts = [f"https://{HOSTS[name]}" for name in ("GitHub", "GitLab")]
    return {
        "Type": "AWS::IAM::OIDCProvider",
        "Condition": "NewIssuer",
        # The other stages of the account use it too.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"Url": {"Fn::If": ["FromGitHub", *hosts]}, "ClientIdList": [AUDIENCE]},
    }


def _release_role() -> Part:
    """What a job may do: hand our stacks' templates to CloudFormation, with the roles above and no other."""
    stacks = [arn("cloudformation", f"stack/{SERVICE}{kind}-${{Stage}}/*") for kind in ("-data", "")]
    roles = [attribute("DataRole"), attribute("AppRole")]
    statements = [
        *hands_over(stacks, roles),
        waits_for_indexes(arn("dynamodb", f"table/{SERVICE}-${{Stage}}")),
        # SAM's short forms are written out by AWS's own transform.
        allow(
            "cloudformation:CreateChangeSet", arn("cloudformation", "transform/Serverless-2016-10-31", account="aws")
        ),
        allow("cloudformation:DescribeStacks", arn("cloudformation", f"stack/{SERVICE}-release-${{Stage}}/*")),
        # CloudFormation reads a template with the rights of who asks for the change.
        allow(
            ["s3:GetObject", "s3:PutObject"],
            [sub(f"${{ApplicationBucket.Arn}}/{kind}/*") for kind in ("code", "templates")],
        ),
    ]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": f"Releases a stage of {SERVICE}, from one repository",
            # A canary of half an hour, and what comes before and after it.
            "MaxSessionDuration": 7200,
            "AssumeRolePolicyDocument": {"Fn::If": ["FromGitHub", _trusts("GitHub"), _trusts("GitLab")]},
            "Policies": [{"PolicyName": "Access", "PolicyDocument": policy(*statements)}],
        },
    }


def _trusts(provider: str) -> Part:
    """GitHub names the environment, which admits only its branches; GitLab names the branch."""
    host = HOSTS[provider]
    subject = {
        "GitHub": "repo:${Repository}:environment:${Stage}",
        "GitLab": "project_path:${Repository}:ref_type:branch:ref:${Branch}",
    }[provider]
    issuer: dict[str, Any] = {"Fn::If": ["NewIssuer", ref("Issuer"), ref("IssuerArn")]}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": issuer},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:aud": AUDIENCE, f"{host}:sub": sub(subject)}},
    }
    return policy(statement)


def written() -> str:
    return json.dumps(template(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
