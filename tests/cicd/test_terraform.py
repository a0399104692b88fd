"""`make terraform`: what it writes is what the AWS provider takes, and is the same service."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.functions import FUNCTIONS
from chalicelib.settings import REPORT_FAILURES, reports_failures
from tests.cicd.provider_schema import FILE, slips
from tools.deliver.console import stack_of
from tools.deliver.package import ZIP
from tools.generate.templates import CONSOLE

STAGE = "beta"
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))

Node = dict[str, Any]


@pytest.fixture(scope="module")
def configuration(terraformed: Path) -> Node:
    """What Terraform reads: all the files, the override laid over the others argument by argument."""
    whole: Node = {}
    for name in ("chalice.tf.json", "visits.tf.json", "visits_override.tf.json"):
        for kind, content in json.loads((terraformed / name).read_text(encoding="utf-8")).items():
            _lay_over(whole.setdefault(kind, {}), content, depth={"resource": 3, "data": 3, "output": 2}.get(kind, 1))
    return whole


@pytest.fixture
def template(packaged: Path) -> Node:
    """What CloudFormation would be given."""
    content: Node = json.loads((packaged / f"{STAGE}.json").read_text(encoding="utf-8"))
    return content


def _lay_over(whole: Node, content: Node, depth: int) -> None:
    for name, value in content.items():
        if depth > 1:
            _lay_over(whole.setdefault(name, {}), value, depth - 1)
        else:
            whole[name] = value


def test_the_provider_knows_every_argument_and_misses_none(configuration: Node) -> None:
    assert list(slips(configuration["resource"], SCHEMA)) == []


@pytest.mark.parametrize(
    ("kind", "argument", "value", "words"),
    [
        ("aws_lambda_function", "memory", 128, "knows no memory"),
        ("aws_lambda_function", "tracing_config", {"modus": "Active"}, "knows no modus"),
        ("aws_lambda_function", "tracing_config", {}, "mode is missing"),
        ("aws_api_gateway_stage", "throttling", 5, "knows no throttling"),
        ("aws_api_gateway_deployment", "stage_name", "api", "knows no stage_name"),
    ],
)
def test_a_wrong_argument_is_found(configuration: Node, kind: str, argument: str, value: object, words: str) -> None:
    resources = json.loads(json.dumps(configuration["resource"]))
    next(iter(resources[kind].values()))[argument] = value
    assert any(words in slip for slip in slips(resources, SCHEMA))


def test_a_missing_argument_is_found(configuration: Node) -> None:
    resources = json.loads(json.dumps(configuration["resource"]))
    del resources["aws_cloudformation_stack"]["data"]["name"]
    assert any("name is missing" in slip for slip in slips(resources, SCHEMA))


def test_it_refers_only_to_what_there_is(configuration: Node) -> None:
    text = json.dumps(configuration)
    mentioned = set(re.findall(r"\b(aws_\w+)\.([\w-]+)\.", text))
    there = {
        (kind, name)
        for part in ("resource", "data")
        for kind in configuration[part]
        for name in configuration[part][kind]
    }
    assert mentioned <= there
    assert {kind for kind, _ in mentioned} >= {"aws_lambda_function", "aws_cloudformation_stack", "aws_caller_identity"}


def test_terraform_and_provider_of_today_are_taken_and_no_other_provider(configuration: Node) -> None:
    wanted = configuration["terraform"]
    assert "<" not in wanted["required_version"]
    assert set(wanted["required_providers"]) == {"aws"}
    assert wanted["required_providers"]["aws"]["version"].endswith("< 7")
    assert "null_data_source" not in configuration["data"]


def test_the_table_is_there_before_what_uses_it(configuration: Node) -> None:
    resources = configuration["resource"]
    data = "${aws_cloudformation_stack.data.outputs"
    for function in resources["aws_lambda_function"].values():
        assert function["environment"]["variables"]["TABLE_NAME"].startswith(data)
        assert function["environment"]["variables"]["STAGE"] == STAGE
    sources = resources["aws_lambda_event_source_mapping"].values()
    assert len(sources) == 5
    assert all(source["event_source_arn"].startswith(data) for source in sources)
    told = {name: it["environment"]["variables"] for name, it in resources["aws_lambda_function"].items()}
    assert all(told[name]["SHEETS_BUCKET"].startswith(data) for name in ("api_handler", "read_sheet"))
    assert resources["aws_cloudformation_stack"]["data"]["lifecycle"] == {"prevent_destroy": True}


def test_functions_are_told_texts_and_the_authorizer_where_people_sign_in(configuration: Node) -> None:
    functions = configuration["resource"]["aws_lambda_function"].values()
    told = [function["environment"]["variables"] for function in functions]
    assert [value for variables in told for value in variables.values() if not isinstance(value, str)] == []
    issuers = {variables["SIGN_IN_ISSUER"] for variables in told if "SIGN_IN_ISSUER" in variables}
    assert issuers == {'${aws_cloudformation_stack.data.outputs["SignInIssuer"]}'}
    assert configuration["variable"]["console"]["default"] == ""
    data = configuration["resource"]["aws_cloudformation_stack"]["data"]
    origin = '${var.console_domain == "" ? var.console : "https://${var.console_domain}"}'
    assert data["parameters"] == {"Stage": STAGE, "SheetsOrigin": origin}


def test_the_console_is_the_stack_that_make_release_console_makes(terraformed: Path, configuration: Node) -> None:
    stack = configuration["resource"]["aws_cloudformation_stack"]["console"]
    template = json.loads((terraformed / "console.json").read_text(encoding="utf-8"))
    assert template == json.loads(CONSOLE.read_text(encoding="utf-8"))
    assert stack["name"] == stack_of(STAGE)
    # Every parameter is told: a template's default would undo what a variable says.
    assert stack["parameters"].keys() == template["Parameters"].keys()
    for name in ("UserPool", "SignInDomain", "UploadsOrigin"):
        assert stack["parameters"][name] == f'${{aws_cloudformation_stack.data.outputs["{name}"]}}'
    # The host of the address that the smoke test is given.
    address = configuration["output"]["EndpointURL"]["value"].removesuffix("/").strip("${}")
    assert stack["parameters"]["ApiDomain"] == f'${{split("/", {address})[2]}}'
    for name, variable in configuration["variable"].items():
        parameters = [key for key, value in stack["parameters"].items() if value == f"${{var.{name}}}"]
        assert [template["Parameters"][each]["Default"] for each in parameters] in ([], [variable["default"]])
    assert configuration["output"]["ConsoleURL"]["value"] == '${aws_cloudformation_stack.console.outputs["Url"]}'
    assert "Url" in template["Outputs"]
    assert len((terraformed / "console.json").read_bytes()) < 51_200, "Terraform hands it over in the call"


def test_the_worker_is_told_what_its_event_source_is_told(configuration: Node) -> None:
    sources = configuration["resource"]["aws_lambda_event_source_mapping"].items()
    reported = [name for name, it in sources if it.get("function_response_types") == [REPORT_FAILURES]]
    assert len(reported) == 4
    functions = configuration["resource"]["aws_lambda_function"]
    told = {name for name, it in functions.items() if reports_failures(it["environment"]["variables"])}
    assert told == {"work_off_queue", "deliver", "notify", "read_sheet"}
    assert all(name.startswith(tuple(told)) for name in reported)


def test_the_relay_is_handed_changes_of_visits_and_properties_only(configuration: Node) -> None:
    sources = configuration["resource"]["aws_lambda_event_source_mapping"].values()
    (patterns,) = [source["filter_criteria"]["filter"] for source in sources if "filter_criteria" in source]
    assert json.loads(patterns[0]["pattern"]) == {"dynamodb": {"Keys": {"sk": {"S": ["V", "P", "A"]}}}}


def test_what_happens_every_minute_has_a_name_of_its_stage(configuration: Node) -> None:
    (rule,) = configuration["resource"]["aws_cloudwatch_event_rule"].values()
    assert rule["name"] == f"visits-{STAGE}-remind-event"
    assert rule["schedule_expression"] == "rate(1 minute)"


def test_two_regions_of_an_account_share_no_role(configuration: Node) -> None:
    roles = [role["name"] for role in configuration["resource"]["aws_iam_role"].values()]
    region = "${data.aws_region.chalice.name}"
    assert all(re.fullmatch(rf"visits-{STAGE}-\w+-{re.escape(region)}", name) for name in roles)
    assert len(set(roles)) == len(FUNCTIONS)
    assert max(len(name.replace(region, "ap-southeast-7")) for name in roles) <= 64, "IAM takes no longer name"


def test_the_gateway_is_set_as_with_cloudformation(configuration: Node, template: Node) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]
    swagger = json.loads(configuration["locals"]["chalice_api_swagger"])
    answers = "x-amazon-apigateway-gateway-responses"
    assert swagger[answers].keys() == api["DefinitionBody"][answers].keys()
    assert swagger["paths"].keys() == api["DefinitionBody"]["paths"].keys()
    (rest_api,) = configuration["resource"]["aws_api_gateway_rest_api"].values()
    assert rest_api["name"] == "visits-beta"
    assert rest_api["binary_media_types"] == api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"]
    throttled = configuration["resource"]["aws_api_gateway_method_settings"].values()
    assert len(throttled) == len(api["MethodSettings"])
    paths = {each["method_path"] for each in throttled}
    assert paths >= {"*/*", "~1intakes/POST", "~1properties~1{property_id}~1calendar.ics/GET"}


def test_functions_are_traced_and_the_gateways_stage_is_not(configuration: Node) -> None:
    resources = configuration["resource"]
    modes = [function["tracing_config"]["mode"] for function in resources["aws_lambda_function"].values()]
    assert modes == ["Active"] * len(FUNCTIONS)
    (stage,) = resources["aws_api_gateway_stage"].values()
    assert stage["xray_tracing_enabled"] is False


def test_the_zip_is_the_one_of_make_package(terraformed: Path, packaged: Path) -> None:
    hashes = [hashlib.sha256((each / ZIP).read_bytes()).hexdigest() for each in (terraformed, packaged)]
    assert hashes[0] == hashes[1]


def test_alarms_and_dashboard_come_along_as_a_stack_that_cloudformation_takes(
    terraformed: Path, template: Node
) -> None:
    watched = json.loads((terraformed / "watch.json").read_text(encoding="utf-8"))["Resources"].keys()
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard")
    wanted = {name for name, each in template["Resources"].items() if each["Type"] in kinds}
    # Those that stop a canary: there is none.
    assert wanted - watched == {name for name in wanted if name.startswith("Release")}
    assert len((terraformed / "watch.json").read_bytes()) < 51_200, "Terraform hands it over in the call"
