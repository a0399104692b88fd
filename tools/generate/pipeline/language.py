"""The words of CloudFormation and IAM that the pipeline's template is written in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

SERVICE: Final = "visits"
"""Begins every name: of pipelines, stacks, and through them of all that the stacks make."""

STAGES: Final = ("beta", "prod")

Part = dict[str, Any]
"""A part of a template: a resource, a policy's statement, an intrinsic function."""


def ref(name: str) -> Part:
    return {"Ref": name}


def attribute(resource: str, name: str = "Arn") -> Part:
    return {"Fn::GetAtt": [resource, name]}


def sub(text: str) -> Part:
    return {"Fn::Sub": text}


def arn(service: str, rest: str, *, region: str = "${AWS::Region}", account: str = "${AWS::AccountId}") -> Part:
    """For a policy, of whichever partition: a role reaches its own account only, and a template of ours has to fit."""
    return sub(f"arn:*:{service}:{region}:{account}:{rest}")


def allow(actions: str | Sequence[str], resources: object, when: Mapping[str, object] | None = None) -> Part:
    """A statement of a policy; `when` are its conditions."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **({"Condition": dict(when)} if when else {})}


def deny(actions: str | Sequence[str], resources: object, when: Mapping[str, object]) -> Part:
    """A statement that takes away what others allow."""
    return {**allow(actions, resources, when), "Effect": "Deny"}


def policy(*statements: Part) -> Part:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(service: str, *statements: Part) -> Part:
    """A role that one service takes on, and for this account only, with what it may do in it."""
    own = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    # CloudFormation takes on its roles without naming an account, hence cannot be asked for one.
    condition = {} if service == "cloudformation" else {"Condition": own}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": policy(trust | condition),
            "Policies": [{"PolicyName": "Access", "PolicyDocument": policy(*statements)}],
        },
    }


def unchecked(resource: Part, **why: str) -> Part:
    """The resource, with checkov's checks that do not fit it and why."""
    skip = [{"id": check, "comment": reason} for check, reason in why.items()]
    return resource | {"Metadata": {"checkov": {"skip": skip}}}
