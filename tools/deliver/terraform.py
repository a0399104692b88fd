"""`make terraform STAGE=beta`: the package of a stage for those who deploy with Terraform.

`chalice.tf.json` is what Chalice makes, less a data source that says nothing and needs a provider of its own. Beside it
`visits_override.tf.json`, which Terraform lays over it: versions of today, and what the merge template says of API and
functions; and `visits.tf.json`, what Chalice leaves out: the data stack, log groups, the gateway's stage, the alarms,
and the console's stack, into which `make release-console` puts the files.
Zip and alarms are those of `make package`. There is no canary: without CodeDeploy there is no alias to shift.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.deliver.console import TEMPLATE as CONSOLE_TEMPLATE
from tools.deliver.console import TOLD_BY_DATA
from tools.deliver.console import stack_of as console_stack_of
from tools.deliver.data_stack import TEMPLATE as DATA_TEMPLATE
from tools.deliver.data_stack import data_stack_of
from tools.deliver.gateway_settings import BINARY_TYPES, Place, Template
from tools.deliver.package import ZIP, chalice_package, copy_project, package, require_pinned_python
from tools.failure import CannotGoOn
from tools.project import ROOT

VERSIONS: Final = {
    "required_version": ">= 1.5",
    "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.61, < 7"}},
}
"""Chalice's end before Terraform 1.4 and version 5 of the provider."""

WATCHES: Final = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")
OF_RELEASES: Final = "Release"
"""Begins the names of the alarms that stop a canary."""

ADDED: Final = "x-amazon-apigateway-"

HERE: Final = Place(
    "${data.aws_partition.chalice.partition}",
    "${data.aws_region.chalice.name}",
    "${data.aws_caller_identity.chalice.account_id}",
)
CONSOLE_WISHES: Final = {
    "console_domain": "ConsoleDomain",
    "console_certificate_arn": "CertificateArn",
    "booking_parents": "BookingParents",
    "web_acl_arn": "WebAclArn",
}
"""Variables that the console's template has parameters for, with its defaults and explanations."""

SHEETS_ORIGIN: Final = '${var.console_domain == "" ? var.console : "https://${var.console_domain}"}'
"""CloudFront's own name for it is known only when the console's stack is there, which needs the data stack."""

NULL: Final = "${null}"
"""Takes away what is said below; a plain null would say nothing."""

Node = dict[str, Any]

FED: Final = {
    "work_off_queue": "QueueArn",
    "deliver": "WebhookQueueArn",
    "relay": "StreamArn",
    "notify": "NoticeQueueArn",
    "read_sheet": "SheetQueueArn",
}
"""The functions that something hands work to, and the output of the data stack that it is."""


def terraform(stage: str, out: Path) -> None:
    """Writes the folder that `terraform init` and `terraform apply` want. Raises CannotGoOn."""
    with tempfile.TemporaryDirectory(prefix="visits-terraform-") as temporary:
        package([stage], Path(temporary))
        of_package(stage, Path(temporary), out)


def of_package(stage: str, made: Path, out: Path) -> None:
    """Writes that folder for what `make package` has made. Raises CannotGoOn."""
    with tempfile.TemporaryDirectory(prefix="visits-terraform-") as temporary:
        copy_project(ROOT, Path(temporary, "project"))
        _without_retention(Path(temporary, "project", ".chalice", "config.json"))
        # Its zip is of no use, so no libraries are fetched for it.
        Path(temporary, "project", "requirements.txt").write_text("", encoding="utf-8")
        chalice_package(Path(temporary, "project"), stage, Path(temporary, "chalice"), "--pkg-format", "terraform")
        chalices: Node = json.loads(Path(temporary, "chalice", "chalice.tf.json").read_text(encoding="utf-8"))
    packaged: Node = json.loads((made / f"{stage}.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made / ZIP, out / ZIP)
    shutil.copyfile(DATA_TEMPLATE, out / "data.json")
    shutil.copyfile(CONSOLE_TEMPLATE, out / "console.json")
    del chalices["data"]["null_data_source"], chalices["terraform"]["required_providers"]["null"]
    for name, content in {
        "chalice.tf.json": chalices,
        "visits_override.tf.json": _override(stage, chalices, packaged),
        "visits.tf.json": _ours(stage, packaged),
        "watch.json": _watch(packaged),
    }.items():
        # Nobody reads the template, and what is handed over in a call may have 51,200 bytes.
        indent = 2 if name.endswith(".tf.json") else None
        separators = None if indent else (",", ":")
        (out / name).write_text(json.dumps(content, indent=indent, separators=separators) + "\n", encoding="utf-8")


def _without_retention(config: Path) -> None:
    """For Terraform Chalice knows no log groups and refuses what makes them; ours are in visits.tf.json."""
    settings = json.loads(config.read_text(encoding="utf-8"))
    for stage in settings["stages"].values():
        for place in (stage, *stage.get("lambda_functions", {}).values()):
            place.pop("log_retention_in_days", None)
    settings.pop("log_retention_in_days", None)
    config.write_text(json.dumps(settings), encoding="utf-8")


# What is laid over Chalice's


def _override(stage: str, chalices: Node, packaged: Node) -> Node:
    api = _worked_out(packaged).api
    swagger = json.loads(chalices["locals"]["chalice_api_swagger"])
    functions = {
        name: _settings(_function_of(packaged, function["handler"]))
        for name, function in chalices["resource"]["aws_lambda_function"].items()
    }
    sources = {name: _source(packaged, name) for name in chalices["resource"]["aws_lambda_event_source_mapping"]}
    # An account has one set of roles for all its Regions.
    roles = {
        name: {"name": f"{role['name']}-{HERE.region}"} for name, role in chalices["resource"]["aws_iam_role"].items()
    }
    # Chalice gives them the same name in every stage.
    rules = {name: {"name": f"visits-{stage}-{name}"} for name in chalices["resource"]["aws_cloudwatch_event_rule"]}
    rest_api = {
        "name": api["Name"],
        "binary_media_types": api["DefinitionBody"][BINARY_TYPES],
        "minimum_compression_size": api["MinimumCompressionSize"],
    }
    deployment = {
        # The stage is a resource of its own (visits.tf.json); only that has settings.
        "stage_name": NULL,
        "stage_description": NULL,
        "triggers": {"definition": "${sha1(local.chalice_api_swagger)}"},
    }
    return {
        "terraform": VERSIONS,
        "locals": {"chalice_api_swagger": json.dumps(swagger | api["DefinitionBody"])},
        "resource": {
            "aws_iam_role": roles,
            "aws_lambda_function": functions,
            "aws_lambda_event_source_mapping": sources,
            "aws_cloudwatch_event_rule": rules,
            "aws_api_gateway_rest_api": {"rest_api": rest_api},
            "aws_api_gateway_deployment": {"rest_api": deployment},
        },
        "output": {"EndpointURL": {"value": "${aws_api_gateway_stage.api.invoke_url}/"}},
    }


def _worked_out(packaged: Node) -> Template:
    """The packaged template as Terraform would say it; of the API's definition only what the merge template adds."""
    document = json.loads(json.dumps(packaged))
    properties = document["Resources"]["RestAPI"]["Properties"]
    added = {name: part for name, part in properties["DefinitionBody"].items() if name.startswith(ADDED)}
    properties["DefinitionBody"] = added
    return Template(document, {}, HERE)


def _function_of(packaged: Node, handler: str) -> Node:
    """The packaged function of a handler; Chalice names it otherwise for Terraform."""
    resources = packaged["Resources"].values()
    (properties,) = [each["Properties"] for each in resources if each["Properties"].get("Handler") == handler]
    return dict(properties)


def _settings(packaged: Node) -> Node:
    """What the merge template adds to a function; what the data stack has by reference, so that it comes first."""
    variables = packaged["Environment"]["Variables"]
    named = {"TABLE_NAME": "TableName", "SHEETS_BUCKET": "SheetsBucket", "SIGN_IN_ISSUER": "SignInIssuer"}
    told = {
        name: f'${{aws_cloudformation_stack.data.outputs["{output}"]}}'
        for name, output in named.items()
        if name in variables
    }
    if "EVENT_BUS" in variables:
        told["EVENT_BUS"] = "${var.event_bus}"
    return {
        "tracing_config": {"mode": packaged["Tracing"]},
        "logging_config": {
            "log_format": "Text",
            "log_group": f"${{aws_cloudwatch_log_group.{packaged['LoggingConfig']['LogGroup']['Ref']}.name}}",
        },
        "environment": {"variables": variables | told},
    }


def _source(packaged: Node, name: str) -> Node:
    """What feeds a function, by the name that Chalice gives it: an output of the data stack, as in the template."""
    function = next(each for each in FED if name.startswith(each))
    (event,) = _function_of(packaged, f"app.{function}")["Events"].values()
    told: Node = {"event_source_arn": f'${{aws_cloudformation_stack.data.outputs["{FED[function]}"]}}'}
    if types := event["Properties"].get("FunctionResponseTypes"):
        told["function_response_types"] = types
    if criteria := event["Properties"].get("FilterCriteria"):
        told["filter_criteria"] = {"filter": [{"pattern": each["Pattern"]} for each in criteria["Filters"]]}
    return told


# What stands beside it


def _ours(stage: str, packaged: Node) -> Node:
    template = _worked_out(packaged)
    api, groups = template.api, template.log_groups
    logs = api["AccessLogSetting"]
    return {
        "variable": {
            "alarm_topic_arn": {"type": "string", "default": "", "description": "An SNS topic for alarms."},
            "event_bus": {"type": "string", "default": "", "description": "An event bus of EventBridge for events."},
            "console": {"type": "string", "default": "", "description": "The console's address: its pages upload."},
            **_console_variables(),
        },
        "output": {"ConsoleURL": {"value": '${aws_cloudformation_stack.console.outputs["Url"]}'}},
        "resource": {
            "aws_cloudformation_stack": {
                "data": {
                    "name": data_stack_of(stage),
                    "template_body": '${file("${path.module}/data.json")}',
                    "parameters": {"Stage": stage, "SheetsOrigin": SHEETS_ORIGIN},
                    # With it would go nothing that holds data, but the next apply would meet what it left behind.
                    "lifecycle": {"prevent_destroy": True},
                },
                "console": _console(stage),
                "watch": {
                    "name": f"visits-watch-{stage}",
                    "template_body": '${file("${path.module}/watch.json")}',
                    "parameters": {"Stage": stage, "AlarmTopicArn": "${var.alarm_topic_arn}"},
                },
            },
            "aws_iam_role_policy": {"event_bus": _bus_policy()},
            "aws_cloudwatch_log_group": {
                name: {"name": group["LogGroupName"], "retention_in_days": group["RetentionInDays"]}
                for name, group in groups.items()
            },
            "aws_api_gateway_stage": {
                "api": {
                    "rest_api_id": "${aws_api_gateway_rest_api.rest_api.id}",
                    "deployment_id": "${aws_api_gateway_deployment.rest_api.id}",
                    "stage_name": api["StageName"],
                    "xray_tracing_enabled": api["TracingEnabled"],
                    "access_log_settings": {"destination_arn": logs["DestinationArn"], "format": logs["Format"]},
                    "depends_on": [f"aws_cloudwatch_log_group.{name}" for name in groups],
                }
            },
            "aws_api_gateway_method_settings": {
                f"settings_{number}": _method_settings(settings)
                for number, settings in enumerate(api["MethodSettings"])
            },
        },
    }


def _console_variables() -> Node:
    parameters = json.loads(CONSOLE_TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
    return {
        name: {"type": "string", "default": said["Default"], "description": said["Description"]}
        for name, said in ((name, parameters[parameter]) for name, parameter in CONSOLE_WISHES.items())
    }


def _console(stage: str) -> Node:
    """Bucket, distribution and client, by the template that all ways of deploying have."""
    told = {name: f'${{aws_cloudformation_stack.data.outputs["{name}"]}}' for name in TOLD_BY_DATA}
    wishes = {parameter: f"${{var.{name}}}" for name, parameter in CONSOLE_WISHES.items()}
    api = '${split("/", aws_api_gateway_stage.api.invoke_url)[2]}'
    return {
        "name": console_stack_of(stage),
        "template_body": '${file("${path.module}/console.json")}',
        "parameters": {"Stage": stage, "ApiDomain": api, **told, **wishes},
    }


def _bus_policy() -> Node:
    """What the packaged template has as a policy of its own: there while a bus is named."""
    statement = {"Effect": "Allow", "Action": "events:PutEvents"}
    bus = f"arn:{HERE.partition}:events:{HERE.region}:{HERE.account}:event-bus/${{var.event_bus}}"
    return {
        "count": '${var.event_bus == "" ? 0 : 1}',
        "name": "EventBus",
        "role": "${aws_iam_role.relay_role.id}",
        "policy": json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": bus}]}),
    }


def _method_settings(settings: Mapping[str, Any]) -> Node:
    names = {
        "ThrottlingRateLimit": "throttling_rate_limit",
        "ThrottlingBurstLimit": "throttling_burst_limit",
    }
    path = {name: settings[name] for name in ("ResourcePath", "HttpMethod")}
    if unknown := settings.keys() - names.keys() - path.keys():
        raise CannotGoOn(
            f"The merge template sets {', '.join(sorted(unknown))}, which `make terraform` does not support."
        )
    return {
        "rest_api_id": "${aws_api_gateway_rest_api.rest_api.id}",
        "stage_name": "${aws_api_gateway_stage.api.stage_name}",
        "method_path": f"{path['ResourcePath'].removeprefix('/')}/{path['HttpMethod']}",
        "settings": {names[name]: value for name, value in settings.items() if name in names},
    }


def _watch(packaged: Node) -> Node:
    """Alarms and dashboard as CloudFormation has them; what they refer to is known by its name here."""
    resources = {
        name: resource
        for name, resource in packaged["Resources"].items()
        if resource["Type"] in WATCHES and not name.startswith(OF_RELEASES)
    }
    text = json.dumps(resources)
    conditions = {name: each for name, each in packaged["Conditions"].items() if f'"{name}"' in text}
    text += json.dumps(conditions)
    parameters = {name: each for name, each in packaged["Parameters"].items() if _mentions(text, name)}
    for name in packaged["Resources"]:
        if name not in resources and _mentions(text, name):
            parameters[name] = {"Type": "String", "Default": _name_of(packaged, name)}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Property Visits: alarms and dashboard of a stage deployed by Terraform.",
        "Parameters": parameters,
        "Conditions": conditions,
        "Resources": resources,
    }


def _name_of(packaged: Node, resource: str) -> str:
    """What a `Ref` to the resource gives."""
    properties = packaged["Resources"][resource]["Properties"]
    (name,) = [properties[each] for each in ("FunctionName", "LogGroupName") if each in properties]
    return str(_worked_out(packaged).value(name))


def _mentions(text: str, name: str) -> bool:
    return f'"Ref": "{name}"' in text or f"${{{name}}}" in text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make terraform", description="Packages a stage for Terraform.")
    parser.add_argument("stage", help="a stage of .chalice/config.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    given = parser.parse_args(arguments)
    try:
        require_pinned_python()
        terraform(given.stage, given.out)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    print(f"{given.out}: terraform -chdir={given.out} init, then plan and apply")
    return 0


if __name__ == "__main__":
    sys.exit(main())
