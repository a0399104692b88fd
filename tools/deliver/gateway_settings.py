"""What the merge template says of the API, for one that `chalice deploy` made: Chalice never reads that template there.

Said once, in `.chalice/resources.json`: the gateway's own answers, binary types, name, throttling, traces and access
logs. Of CloudFormation's language it understands what that template needs, with parameters as the stage has them; what
it does not understand is an error. Everything is compared first and only what differs is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from botocore.exceptions import ClientError
from botocore.session import Session

from tools.failure import CannotGoOn
from tools.generate.gateway_responses import EXTENSION

Node = Any
"""JSON of a template."""

NOTHING: Final = object()
"""AWS::NoValue: as if it had not been said."""

BINARY_TYPES: Final = "x-amazon-apigateway-binary-media-types"

METHOD_SETTINGS: Final = {
    "ThrottlingRateLimit": ("throttling/rateLimit", "throttlingRateLimit"),
    "ThrottlingBurstLimit": ("throttling/burstLimit", "throttlingBurstLimit"),
}
"""How the template names a setting, how a change of the stage does, and how the stage shows it."""


@dataclass(frozen=True)
class Place:
    """Where a template would be deployed."""

    partition: str
    region: str
    account: str


class Template:
    """A merge template with its parameters set, as far as settings of an API go."""

    def __init__(self, document: Node, parameters: Mapping[str, str], place: Place) -> None:
        defaults = {name: parameter.get("Default", "") for name, parameter in document.get("Parameters", {}).items()}
        self._names = {
            **defaults,
            **parameters,
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::AccountId": place.account,
            "AWS::NoValue": NOTHING,
        }
        self._conditions: Mapping[str, Node] = document.get("Conditions", {})
        self._resources: Mapping[str, Node] = document["Resources"]
        self._place = place

    @cached_property
    def api(self) -> Mapping[str, Any]:
        """The properties of the API."""
        properties: Mapping[str, Any] = self.value(self._resources["RestAPI"]["Properties"])
        return properties

    @cached_property
    def log_groups(self) -> Mapping[str, Mapping[str, Any]]:
        """The properties of every log group, by its name in the template."""
        return {
            name: self.value(resource["Properties"])
            for name, resource in self._resources.items()
            if resource.get("Type") == "AWS::Logs::LogGroup"
        }

    def value(self, node: Node) -> Any:
        """The node with CloudFormation's functions worked out."""
        match node:
            case {"Ref": str(name)}:
                return self._name(name)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}!]+)\}", lambda found: str(self._name(found[1])), text)
            case {"Fn::If": [str(condition), yes, no]}:
                return self.value(yes if self._holds(self._conditions[condition]) else no)
            case {"Fn::GetAtt": [str(resource), str(attribute)]}:
                return self._name(f"{resource}.{attribute}")
            case dict():
                values = {key: self.value(inner) for key, inner in node.items()}
                return {key: value for key, value in values.items() if value is not NOTHING}
            case list():
                return [value for value in map(self.value, node) if value is not NOTHING]
            case _:
                return node

    def _name(self, name: str) -> Any:
        if name in self._names:
            return self._names[name]
        resource, _, attribute = name.partition(".")
        if resource in self.log_groups:
            group, place = self.log_groups[resource]["LogGroupName"], self._place
            arn = f"arn:{place.partition}:logs:{place.region}:{place.account}:log-group:{group}"
            return arn if attribute == "Arn" else group
        raise CannotGoOn(f"resources.json names {name} in the API's settings, which `make deploy` does not support.")

    def _holds(self, condition: Node) -> bool:
        match condition:
            case {"Fn::Equals": [one, other]}:
                return bool(self.value(one) == self.value(other))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
        raise CannotGoOn(f"resources.json has a condition that `make deploy` does not understand: {condition}")


def apply(session: Session, template: Template, api_id: str, stage: str) -> list[str]:
    """Brings API and stage to what the template says; gives what was changed, in words."""
    gateway: Any = session.create_client("apigateway")
    published = [*_gateway_responses(gateway, template, api_id), *_api(gateway, template, api_id)]
    if published:
        # Only a deployment brings these to the callers.
        gateway.create_deployment(restApiId=api_id, stageName=stage)
    return published + _stage(session, gateway, template, api_id, stage)


def _gateway_responses(gateway: Any, template: Template, api_id: str) -> list[str]:
    """The gateway's own answers."""
    answers = gateway.get_gateway_responses(restApiId=api_id, limit=500)["items"]
    there = {answer["responseType"]: answer for answer in answers}
    changed = []
    for kind, said in template.api["DefinitionBody"][EXTENSION].items():
        wanted = {
            name: said[name] for name in ("statusCode", "responseParameters", "responseTemplates") if name in said
        }
        if any(there.get(kind, {}).get(name) != value for name, value in wanted.items()):
            gateway.put_gateway_response(restApiId=api_id, responseType=kind, **wanted)
            changed.append(kind)
    return [f"{len(changed)} gateway responses"] if changed else []


def _api(gateway: Any, template: Template, api_id: str) -> list[str]:
    """Name and binary types, which belong to the API."""
    said, there = template.api, gateway.get_rest_api(restApiId=api_id)
    operations = []
    if said["Name"] != there["name"]:
        operations.append({"op": "replace", "path": "/name", "value": said["Name"]})
    present = there.get("binaryMediaTypes") or []
    for kind in sorted(set(said["DefinitionBody"][BINARY_TYPES]).symmetric_difference(present)):
        change = "remove" if kind in present else "add"
        operations.append({"op": change, "path": f"/binaryMediaTypes/{kind.replace('/', '~1')}"})
    if operations:
        gateway.update_rest_api(restApiId=api_id, patchOperations=operations)
    return [_plain(operation["path"]) for operation in operations]


def _stage(session: Session, gateway: Any, template: Template, api_id: str, stage: str) -> list[str]:
    """What belongs to the stage, and needs no deployment."""
    there = gateway.get_stage(restApiId=api_id, stageName=stage)
    operations = _method_settings(template.api["MethodSettings"], there.get("methodSettings", {}))
    traced = template.api["TracingEnabled"]
    if traced != there.get("tracingEnabled", False):
        operations["/tracingEnabled"] = str(traced).lower()
    may_log = "cloudwatchRoleArn" in gateway.get_account()
    if may_log:
        log, present = template.api["AccessLogSetting"], there.get("accessLogSettings") or {}
        _make_log_group(session, template, log["DestinationArn"])
        for name, key in (("DestinationArn", "destinationArn"), ("Format", "format")):
            if log[name] != present.get(key):
                operations[f"/accessLogSettings/{key}"] = log[name]
    if operations:
        patch = [{"op": "replace", "path": path, "value": value} for path, value in operations.items()]
        gateway.update_stage(restApiId=api_id, stageName=stage, patchOperations=patch)
    said = [_plain(path) for path in operations]
    if not may_log:
        said.append("no access log: this account has no CloudWatch role for API Gateway (docs/operations.md)")
    return said


def _method_settings(said: list[Mapping[str, Any]], there: Mapping[str, Any]) -> dict[str, str]:
    """The changes of a stage that make its methods' settings what is said."""
    present = {_plain(key): settings for key, settings in there.items()}
    operations = {}
    for setting in said:
        prefix = f"{setting['ResourcePath']}/{setting['HttpMethod']}"
        for name, value in setting.items():
            if name in ("ResourcePath", "HttpMethod"):
                continue
            if name not in METHOD_SETTINGS:
                raise CannotGoOn(f"resources.json sets {name} of a method, which `make deploy` does not support.")
            path, key = METHOD_SETTINGS[name]
            if present.get(_plain(prefix), {}).get(key) != value:
                operations[f"{prefix}/{path}"] = str(value)
    return operations


def _plain(path: str) -> str:
    """A path as a person writes it; the gateway has it as /~1visits~1export/GET and as ~1visits~1export/GET."""
    return path.replace("~1", "/").strip("/")


def _make_log_group(session: Session, template: Template, arn: str) -> None:
    """The access log's group, as the template has it; CloudFormation would make it, Chalice does not."""
    (said,) = (group for group in template.log_groups.values() if arn.endswith(f":log-group:{group['LogGroupName']}"))
    logs: Any = session.create_client("logs")
    try:
        logs.create_log_group(logGroupName=said["LogGroupName"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    logs.put_retention_policy(logGroupName=said["LogGroupName"], retentionInDays=int(said["RetentionInDays"]))
