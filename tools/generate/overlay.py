"""What the merge template lays over each function of Chalice's template, by the list in `chalicelib/functions.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from chalicelib.functions import FUNCTIONS, Function, Traits
from chalicelib.settings import REPORT_FAILURES
from tools.generate.gateway_responses import MERGE_TEMPLATE

Node = dict[str, Any]

BOUNDARY: Final[Node] = {
    "PermissionsBoundary": {"Fn::If": ["BoundsRoles", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
}

WATCHED_ITEMS: Final = ("V", "P", "A")
"""The sort keys of the items whose changes are events; the records of all others are filtered out, free of charge."""


def overlay() -> dict[str, Node]:
    """The functions, their log groups and their roles."""
    found: dict[str, Node] = {}
    for function, traits in FUNCTIONS.items():
        handler = "".join(part.capitalize() for part in function.split("_"))
        group = f"{handler}LogGroup"
        found[traits.template_name] = {"Properties": _function(function, traits, group)}
        found[group] = {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/{_name(function)}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        }
        found[f"{handler}Role"] = {"Properties": BOUNDARY}
        if traits.puts_events:
            found[f"{handler}BusPolicy"] = _bus_policy(f"{handler}Role")
    return found


def _name(function: Function) -> str:
    return "visits-${Stage}" if function is Function.API else f"visits-${{Stage}}-{function}"


def _function(function: Function, traits: Traits, group: str) -> Node:
    properties: Node = {
        "FunctionName": {"Fn::Sub": _name(function)},
        "Tracing": "Active",
        "LoggingConfig": {"LogGroup": {"Ref": group}},
        "AutoPublishAlias": "live",
        "AutoPublishAliasAllProperties": True,
        "RuntimeManagementConfig": {"UpdateRuntimeOn": "FunctionUpdate"},
    }
    if traits.waited_for:
        properties["SnapStart"] = {"ApplyOn": {"Fn::If": ["StartsFromSnapshots", "PublishedVersions", "None"]}}
    told: Node = {}
    if traits.sheet_files:
        told["SHEETS_BUCKET"] = {"Fn::Sub": "visits-${Stage}-sheets-${AWS::AccountId}-${AWS::Region}"}
    if traits.puts_events:
        told["EVENT_BUS"] = {"Ref": "EventBus"}
    if traits.reads_api_keys:
        told["SIGN_IN_ISSUER"] = {"Ref": "SignInIssuer"}
    if traits.fed_by is not None:
        told["FUNCTION_RESPONSE_TYPES"] = REPORT_FAILURES
        source: Node = {"FunctionResponseTypes": [REPORT_FAILURES]}
        properties["Events"] = {f"{traits.template_name}SqsEventSource": {"Properties": source}}
    if traits.fed_by_stream:
        source = {"Stream": {"Ref": "StreamArn"}, "FilterCriteria": {"Filters": [{"Pattern": _watched()}]}}
        properties["Events"] = {f"{traits.template_name}DynamodbEventSource": {"Properties": source}}
    if told:
        properties["Environment"] = {"Variables": told}
    if traits.shifted:
        properties["DeploymentPreference"] = {
            "Type": {"Ref": "DeploymentType"},
            "Role": {"Fn::GetAtt": ["CodeDeployRole", "Arn"]},
        }
    return properties


def _bus_policy(role: str) -> Node:
    """Apart, since a policy file knows no parameters: without a bus there is no right."""
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBus}"
    statement = {"Sid": "EventBus", "Effect": "Allow", "Action": "events:PutEvents", "Resource": {"Fn::Sub": bus}}
    return {
        "Type": "AWS::IAM::Policy",
        "Condition": "HasEventBus",
        "Properties": {
            "PolicyName": "EventBus",
            "Roles": [{"Ref": role}],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        },
    }


def _watched() -> str:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html"""
    return json.dumps({"dynamodb": {"Keys": {"sk": {"S": list(WATCHED_ITEMS)}}}})


def written(before: str) -> str:
    """The merge template with the functions as they should be; everything else in it stays."""
    template = json.loads(before)
    ours = overlay()
    rest = {name: it for name, it in template["Resources"].items() if name not in ours}
    template["Resources"] = ours | rest
    return json.dumps(template, indent=2) + "\n"


def main(file: Path = MERGE_TEMPLATE) -> None:
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
