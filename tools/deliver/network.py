"""`NETWORK=private`: a stage's functions in the network of `.chalice/network.json`; with `internal` its API too.

What talks outward stays outside. Without NETWORK a stage stays where it is; `public` takes it out again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from chalicelib.functions import FUNCTIONS, Function, Traits
from tools.deliver.cloudformation import bring_up_to_date, describe, outputs
from tools.failure import CannotGoOn
from tools.generate.policies import log_group
from tools.generate.templates import NETWORK

Node = dict[str, Any]

INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda needs of the function's role to connect it: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"""

NOWHERE: Final[Node] = {"SubnetIds": [], "SecurityGroupIds": []}


class Network(StrEnum):
    AS_IT_IS = ""
    PUBLIC = "public"
    PRIVATE = "private"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Place:
    """Where functions are in a network, and where an internal API is called."""

    subnets: str
    group: str
    api: str | None

    @property
    def vpc_config(self) -> Node:
        return {"SubnetIds": self.subnets.split(","), "SecurityGroupIds": [self.group]}


def stack_of(stage: str) -> str:
    return f"visits-network-{stage}"


def inside(traits: Traits) -> bool:
    return not traits.talks_outward


def place_of(cloudformation: Any, stage: str) -> Place | None:
    """Where the stage is, or None while it is in no network of its own."""
    status = (describe(cloudformation, stack_of(stage)) or {}).get("StackStatus", "")
    if not status or status.startswith("DELETE"):
        return None
    told = outputs(cloudformation, stack_of(stage))
    return Place(told["Subnets"], told["FunctionsGroup"], told.get("ApiEndpoint"))


def make(cloudformation: Any, stage: str, wanted: Network, given: Mapping[str, str]) -> Place:
    """Makes the stage's network, or brings it up to date; what is not given stays as it was."""
    template = json.loads(NETWORK.read_text(encoding="utf-8"))
    if unknown := sorted(given.keys() - template["Parameters"].keys()):
        known = ", ".join(sorted(template["Parameters"]))
        raise CannotGoOn(f"A network has no parameter {', '.join(unknown)}; there are: {known}.")
    before = (describe(cloudformation, stack_of(stage)) or {}).get("Parameters", [])
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in before}
    api = {"InternalApi": "yes" if wanted is Network.INTERNAL else "no"}
    body = {"TemplateBody": json.dumps(template)}
    bring_up_to_date(cloudformation, stack_of(stage), body, {**kept, **given, **api, "Stage": stage})
    placed = place_of(cloudformation, stage)
    assert placed is not None
    return placed


def connecting(stage: str) -> list[Node]:
    """What a role needs so that Lambda connects its function; the function itself may do nothing of it."""
    own = {"ArnLike": {"lambda:SourceFunctionArn": f"arn:*:lambda:*:*:function:visits-{stage}*"}}
    network: Node = {"Action": list(INTERFACES), "Resource": "*"}
    return [
        {"Sid": "Network", "Effect": "Allow", **network},
        {"Sid": "NoNetwork", "Effect": "Deny", **network, "Condition": own},
    ]


class Placing:
    """What `chalice deploy` is to send beyond what it knows; for the events of its session."""

    def __init__(self, stage: str, vpc_config: Node) -> None:
        self._stage, self._vpc_config = stage, vpc_config
        self._functions = {
            log_group(function, stage).rpartition("/")[2] for function, traits in FUNCTIONS.items() if inside(traits)
        }
        # A Region's name follows (tools/deliver/regions.py).
        self._roles = tuple(f"visits-{stage}-{function}" for function, traits in FUNCTIONS.items() if inside(traits))

    def register(self, session: Any) -> None:
        for call in ("CreateFunction", "UpdateFunctionConfiguration"):
            session.register(f"before-parameter-build.lambda.{call}", self._function)
        session.register("before-parameter-build.iam.PutRolePolicy", self._role)

    def _function(self, params: Node, **_: object) -> None:
        if params["FunctionName"].rpartition(":")[2] in self._functions:
            params["VpcConfig"] = self._vpc_config

    def _role(self, params: Node, **_: object) -> None:
        if params["RoleName"].startswith(self._roles) and self._vpc_config != NOWHERE:
            document = json.loads(params["PolicyDocument"])
            document["Statement"] += connecting(self._stage)
            params["PolicyDocument"] = json.dumps(document)


def placed(template: Node, stage: str, network: Network) -> Node:
    """A packaged template for a stage in its network; where that is, `make release` tells it."""
    if network in (Network.AS_IT_IS, Network.PUBLIC):
        return template
    parameters, resources = template["Parameters"], template["Resources"]
    parameters["Subnets"] = {"Type": "List<AWS::EC2::Subnet::Id>", "Description": "Of the network stack."}
    parameters["FunctionsGroup"] = {"Type": "AWS::EC2::SecurityGroup::Id", "Description": "Of the network stack."}
    for function, traits in FUNCTIONS.items():
        if inside(traits):
            place = {"SubnetIds": {"Ref": "Subnets"}, "SecurityGroupIds": [{"Ref": "FunctionsGroup"}]}
            resources[traits.template_name]["Properties"]["VpcConfig"] = place
            (inline,) = resources[_role_name(function)]["Properties"]["Policies"]
            inline["PolicyDocument"]["Statement"] += connecting(stage)
    if network is Network.INTERNAL:
        parameters["ApiEndpoint"] = {"Type": "String", "Description": "Of the network stack."}
        api = resources["RestAPI"]["Properties"]
        api["EndpointConfiguration"] = {"Type": "PRIVATE", "VPCEndpointIds": [{"Ref": "ApiEndpoint"}]}
        api["DefinitionBody"]["x-amazon-apigateway-policy"] = _only_through({"Ref": "ApiEndpoint"})
    return template


def _role_name(function: Function) -> str:
    return "".join(part.capitalize() for part in f"{function}_role".split("_"))


def _only_through(endpoint: Node) -> Node:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-resource-policies-examples.html"""
    call: Node = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": endpoint}}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **call}, {"Effect": "Deny", **call, "Condition": elsewhere}],
    }
