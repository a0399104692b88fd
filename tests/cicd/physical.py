"""What CloudFormation would make of a template: parameters filled in, conditions decided, everything with a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

REGION, ACCOUNT, PARTITION = "eu-central-1", "123456789012", "aws"

PSEUDO: Final = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": PARTITION,
    "AWS::URLSuffix": "amazonaws.com",
}


def _here(service: str, rest: str) -> str:
    return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{rest}"


def _everywhere(service: str, rest: str) -> str:
    return f"arn:{PARTITION}:{service}::{ACCOUNT}:{rest}"


def _of_nobody(service: str, rest: str, region: str = "") -> str:
    return f"arn:{PARTITION}:{service}:{region}::{rest}"


ARNS: Final = {
    "AWS::ApiGateway::Deployment": _of_nobody("apigateway", "/restapis/{RestApiId}/deployments/{}", REGION),
    "AWS::ApiGateway::RestApi": _of_nobody("apigateway", "/restapis/{}", REGION),
    "AWS::ApiGateway::Stage": _of_nobody("apigateway", "/restapis/{RestApiId}/stages/{StageName}", REGION),
    "AWS::CloudFront::Distribution": _everywhere("cloudfront", "distribution/{}"),
    "AWS::CloudFront::OriginAccessControl": _everywhere("cloudfront", "origin-access-control/{}"),
    "AWS::CloudFront::ResponseHeadersPolicy": _everywhere("cloudfront", "response-headers-policy/{}"),
    "AWS::CloudWatch::Alarm": _here("cloudwatch", "alarm:{AlarmName}"),
    "AWS::CloudWatch::Dashboard": _everywhere("cloudwatch", "dashboard/{DashboardName}"),
    "AWS::CodeBuild::Project": _here("codebuild", "project/{Name}"),
    "AWS::CodeConnections::Connection": _here("codeconnections", "connection/{}"),
    "AWS::CodeDeploy::Application": _here("codedeploy", "application:{}"),
    "AWS::CodeDeploy::DeploymentGroup": _here("codedeploy", "deploymentgroup:{ApplicationName}/{}"),
    "AWS::CodePipeline::Pipeline": _here("codepipeline", "{Name}"),
    "AWS::Cognito::UserPool": _here("cognito-idp", "userpool/{}"),
    "AWS::Cognito::UserPoolClient": _here("cognito-idp", "userpool/{UserPoolId}"),
    "AWS::Cognito::UserPoolDomain": _here("cognito-idp", "userpool/{UserPoolId}"),
    "AWS::Cognito::UserPoolGroup": _here("cognito-idp", "userpool/{UserPoolId}"),
    "AWS::Cognito::UserPoolResourceServer": _here("cognito-idp", "userpool/{UserPoolId}"),
    "AWS::DynamoDB::Table": _here("dynamodb", "table/{TableName}"),
    "AWS::Events::Rule": _here("events", "rule/{}"),
    "AWS::IAM::ManagedPolicy": _everywhere("iam", "policy/{}"),
    "AWS::IAM::Role": _everywhere("iam", "role/{}"),
    "AWS::KMS::Key": _here("kms", "key/{}"),
    "AWS::Lambda::Alias": _here("lambda", "function:{FunctionName}:{Name}"),
    "AWS::Lambda::EventSourceMapping": _here("lambda", "event-source-mapping:{}"),
    "AWS::Lambda::Function": _here("lambda", "function:{FunctionName}"),
    "AWS::Lambda::Permission": _here("lambda", "function:{FunctionName}"),
    "AWS::Lambda::Version": _here("lambda", "function:{FunctionName}:1"),
    "AWS::Logs::LogGroup": _here("logs", "log-group:{LogGroupName}"),
    "AWS::S3::Bucket": f"arn:{PARTITION}:s3:::{{BucketName}}",
    "AWS::SNS::Topic": _here("sns", "{}"),
    "AWS::SQS::Queue": _here("sqs", "{QueueName}"),
    "AWS::StepFunctions::StateMachine": _here("states", "stateMachine:{}"),
}
"""How the ARN of a resource is made of its properties; `{}` is the name that CloudFormation gives."""

REFERRED_TO_BY_ARN: Final = (
    "AWS::CodeConnections::Connection",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::Alias",
    "AWS::SNS::Topic",
    "AWS::StepFunctions::StateMachine",
)
REFERRED_TO_BY_NAME: Final = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
}

NO_VALUE: Final = object()

Template = dict[str, Any]


class Stack:
    """A template as a stack of that name, with parameters."""

    def __init__(self, template: Template, name: str, parameters: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._template = template
        defaults = {key: str(value.get("Default", "")) for key, value in template.get("Parameters", {}).items()}
        self._parameters = defaults | dict(parameters or {})

    @property
    def resources(self) -> Mapping[str, Template]:
        """Every resource by its name in the template."""
        resources: Mapping[str, Template] = self._template["Resources"]
        return resources

    def makes(self, resource: str) -> bool:
        """Whether its condition holds, if it has one."""
        condition = self.resources[resource].get("Condition")
        return condition is None or self._holds({"Condition": condition})

    def properties(self, resource: str) -> Any:
        return self.value(self.resources[resource].get("Properties", {}))

    def arn(self, resource: str) -> str:
        form = ARNS[self.resources[resource]["Type"]]
        properties = self.resources[resource].get("Properties", {})
        named = {
            key: self.value(properties.get(key, self._given_name(resource))) for key in re.findall(r"{(\w+)}", form)
        }
        # A function is named by its own name, its ARN or its alias's; the ARN that they lead to is the same.
        if function := named.get("FunctionName"):
            named["FunctionName"] = function.rpartition("function:")[2].split(":")[0]
        return form.format(self._given_name(resource), **named)

    def value(self, part: Any) -> Any:
        """A part of the template with nothing of CloudFormation's language left."""
        if isinstance(part, list):
            return [value for each in part if (value := self.value(each)) is not NO_VALUE]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            ((function, argument),) = part.items()
            if function == "Ref":
                return self._reference(argument)
            if function == "Fn::GetAtt":
                return self._attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
            if function == "Fn::Sub":
                return self._substituted(argument)
            if function == "Fn::If":
                condition, then, otherwise = argument
                return self.value(then if self._holds(self._template["Conditions"][condition]) else otherwise)
            if function == "Fn::Join":
                separator, parts = argument
                return separator.join(self.value(parts))
            if function == "Fn::Split":
                separator, text = argument
                return self.value(text).split(separator)
        return {key: value for key, each in part.items() if (value := self.value(each)) is not NO_VALUE}

    def _given_name(self, resource: str) -> str:
        return f"{self.name}-{resource}-1A2B3C4D5E"

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name]
        if self.resources[name]["Type"] in REFERRED_TO_BY_ARN:
            return self.arn(name)
        if named_by := REFERRED_TO_BY_NAME.get(self.resources[name]["Type"]):
            return self.value(self.resources[name]["Properties"][named_by])
        if self.resources[name]["Type"] == "AWS::Lambda::Function":
            return self.arn(name).rpartition(":")[2]
        return self._given_name(name)

    def _attribute(self, resource: str, name: str) -> str:
        return self.arn(resource) if name == "Arn" else f"{self._given_name(resource)}.{name}"

    def _substituted(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        values = {key: self.value(value) for key, value in own.items()}

        def replacement(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in values:
                return str(values[name])
            return str(self._attribute(name, attribute) if attribute else self._reference(name))

        return re.sub(r"\${([^}!]+)}", replacement, text)

    def _holds(self, condition: Any) -> bool:
        ((function, argument),) = condition.items()
        if function == "Fn::Equals":
            left, right = self.value(argument)
            return bool(left == right)
        if function == "Fn::Not":
            return not self._holds(argument[0])
        if function == "Condition":
            return self._holds(self._template["Conditions"][argument])
        decide = {"Fn::And": all, "Fn::Or": any}[function]
        return decide(self._holds(each) for each in argument)
