"""Private networks: no way out, endpoints that let our calls through and nobody else's, functions where they belong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.session import Session

from chalicelib.functions import FUNCTIONS, Function
from tests.cicd.iam import Question, decided, documents, granted
from tests.cicd.physical import ACCOUNT, REGION, Stack
from tests.cicd.stacks import of_type, release
from tools.deliver.network import INTERFACES, NOWHERE, Network, Placing, inside, placed, stack_of
from tools.deliver.package import expanded
from tools.generate.policies import policy
from tools.generate.templates import NETWORK, written

STAGE: Final = "beta"
EVERYTHING: Final = {"Zones": "3", "Mail": "yes", "Sheets": "yes", "InternalApi": "yes"}

ENDPOINT_OF: Final = {
    "dynamodb": "Table",
    "s3": "Files",
    "sqs": "Queues",
    "ses": "MailService",
    "textract": "Recognition",
}
"""Through which endpoint a service is reached."""
LAMBDAS_OWN: Final = ("logs", "xray")
"""Logs and traces are handed to Lambda, which is in no network of ours."""
OURS: Final = {"aws:PrincipalAccount": ACCOUNT}
THEIRS: Final = "210987654321"


@pytest.fixture(scope="module")
def network() -> Stack:
    template = json.loads(NETWORK.read_text(encoding="utf-8"))
    answers = {name: "aws-cn" if name == "InChina" else "" for name in template["Conditions"]}
    template["Conditions"] = {name: {"Fn::Equals": ["", answer]} for name, answer in answers.items()}
    for name in ("SubnetA", "SubnetB", "SubnetC"):
        for key in ("AvailabilityZone", "CidrBlock"):
            del template["Resources"][name]["Properties"][key]
    return Stack(template, stack_of(STAGE), {"Stage": STAGE, **EVERYTHING})


def test_the_template_is_as_it_is_generated() -> None:
    assert NETWORK.read_text(encoding="utf-8") == written("network"), "make network"


def test_there_is_no_way_to_the_internet_or_to_another_network(network: Stack) -> None:
    kinds = {resource["Type"] for resource in network.resources.values()}
    assert kinds == {
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::VPCEndpoint",
    }
    assert all(subnet["MapPublicIpOnLaunch"] is False for subnet in of_type(network, "AWS::EC2::Subnet").values())
    gateways = [it for it in of_type(network, "AWS::EC2::VPCEndpoint").values() if it["VpcEndpointType"] == "Gateway"]
    assert {it["ServiceName"] for it in gateways} == {f"com.amazonaws.{REGION}.{name}" for name in ("dynamodb", "s3")}


def endpoints(network: Stack) -> dict[str, list[Any]]:
    """The policies of the endpoints, as policies of somebody who calls through them."""
    return {name: [_document(it["PolicyDocument"])] for name, it in of_type(network, "AWS::EC2::VPCEndpoint").items()}


def _document(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "Statement": [_of_somebody(each) for each in document["Statement"]]}


def _of_somebody(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != "Principal"}


def here(resource: str) -> str:
    """An ARN as a policy has it, with our account and Region in it."""
    service = resource.split(":")[2]
    place = ("", "") if service == "s3" else (REGION, ACCOUNT)
    own = f"visits-{STAGE}-sheets-{ACCOUNT}-{REGION}"
    rest = resource.split(":", 5)[5].replace(f"visits-{STAGE}-sheets-*", own).replace("*", "any")
    return ":".join(["arn", "aws", service, *place, rest])


@pytest.mark.parametrize("function", [each for each, traits in FUNCTIONS.items() if inside(traits)])
def test_what_a_function_may_do_the_endpoints_let_through(network: Stack, function: Function) -> None:
    questions = []
    for statement in policy(function, STAGE)["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for action in statement["Action"]:
            service = action.partition(":")[0]
            if statement["Effect"] == "Deny" or service in LAMBDAS_OWN or "Stream" in statement["Sid"]:
                continue
            questions += [
                Question(ENDPOINT_OF[service], action, here(it) if it != "*" else it, OURS) for it in resources
            ]
    assert questions
    refused = [str(question) for question, allowed in decided(endpoints(network), questions).items() if not allowed]
    assert refused == []


STRANGE: Final = {
    "another account's table": ("Table", "dynamodb:PutItem", f"dynamodb:{REGION}:{THEIRS}:table/visits-beta"),
    "another stage's table": ("Table", "dynamodb:GetItem", f"dynamodb:{REGION}:{ACCOUNT}:table/visits-prod"),
    "our table, deleted": ("Table", "dynamodb:DeleteTable", f"dynamodb:{REGION}:{ACCOUNT}:table/visits-beta"),
    "another account's queue": ("Queues", "sqs:SendMessage", f"sqs:{REGION}:{THEIRS}:visits-beta"),
    "another bucket": ("Files", "s3:PutObject", "s3:::somebodys-bucket/uploads/1"),
    "a bucket like ours": ("Files", "s3:PutObject", f"s3:::visits-beta-sheets-{THEIRS}-{REGION}/uploads/1"),
    "another account's sender": ("MailService", "ses:SendRawEmail", f"ses:{REGION}:{THEIRS}:identity/x.example"),
    "another account's API": ("Api", "execute-api:Invoke", f"execute-api:{REGION}:{THEIRS}:a1/api/GET/health"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_the_endpoints_let_nothing_else_through(network: Stack, what: str) -> None:
    endpoint, action, resource = STRANGE[what]
    question = Question(endpoint, action, f"arn:aws:{resource}", OURS)
    assert decided(endpoints(network), [question]) == {question: False}


@pytest.mark.parametrize(
    ("endpoint", "action", "resource"),
    [
        ("Table", "dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/visits-beta"),
        ("Recognition", "textract:AnalyzeDocument", "*"),
    ],
)
def test_nobody_of_another_account_gets_through(network: Stack, endpoint: str, action: str, resource: str) -> None:
    theirs = Question(endpoint, action, resource, {"aws:PrincipalAccount": THEIRS})
    assert decided(endpoints(network), [theirs]) == {theirs: False}


def test_what_talks_outward_can_read_no_visits_and_no_people() -> None:
    outward = [function for function, traits in FUNCTIONS.items() if not inside(traits)]
    assert outward == [Function.AUTHORIZER, Function.DELIVER]
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/visits-{STAGE}"
    asked = [
        Question(function, f"dynamodb:{action}", where, {"dynamodb:LeadingKeys": [key]})
        for function in outward
        for key in ("V#1", "P#1", "A#1", "K#:signing", "M#2027-03", "I#1", "X#1", "T#1")
        for action, where in (("GetItem", table), ("Query", table), ("Query", f"{table}/index/byMonth"))
    ]
    assert not any(decided({each: [policy(each, STAGE)] for each in outward}, asked).values())


# What is deployed there


@pytest.fixture(scope="module")
def internal(packaged: Path) -> Stack:
    template = json.loads((packaged / f"{STAGE}.json").read_text(encoding="utf-8"))
    made = expanded(placed(template, STAGE, Network.INTERNAL))
    return Stack(made, f"visits-{STAGE}", {"Subnets": "a,b", "FunctionsGroup": "group", "ApiEndpoint": "vpce"})


def test_all_functions_but_those_that_talk_outward_are_inside(internal: Stack) -> None:
    for function, traits in FUNCTIONS.items():
        made = internal.properties(traits.template_name)
        assert ("VpcConfig" in made) is inside(traits), function
        if inside(traits):
            assert made["VpcConfig"] == {"SubnetIds": "a,b", "SecurityGroupIds": ["group"]}


def test_lambda_may_connect_a_function_and_the_function_itself_may_not(internal: Stack) -> None:
    own = {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:visits-{STAGE}-notify"}
    questions = {
        Question("NotifyRole", action, "*", context): not context for action in INTERFACES for context in ({}, own)
    }
    assert decided({"NotifyRole": documents(internal, "NotifyRole")}, list(questions)) == questions
    assert not {action for action in granted(internal, "DeliverRole") if action.startswith("ec2:")}


def test_an_internal_api_answers_through_its_endpoint_only(internal: Stack) -> None:
    (api,) = of_type(internal, "AWS::ApiGateway::RestApi").values()
    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": ["vpce"]}
    document = _document(api["Body"]["x-amazon-apigateway-policy"])
    questions = {
        Question("anybody", "execute-api:Invoke", "execute-api:/api/GET/health", {"aws:SourceVpce": endpoint}): allowed
        for endpoint, allowed in (("vpce", True), ("vpce-else", False))
    }
    assert decided({"anybody": [document]}, list(questions)) == questions


def test_a_package_without_a_network_is_as_before(packaged: Path) -> None:
    template = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    for kind in (Network.AS_IT_IS, Network.PUBLIC):
        assert placed(json.loads(json.dumps(template)), "prod", kind) == template


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_the_roles_of_a_release_may_connect_functions_only_where_there_is_a_network(answer: str) -> None:
    stack = release(STAGE, "GitHub", PrivateNetwork=answer)
    bounded = {action for action in granted(stack, "Boundary") if action.startswith("ec2:")}
    asked = {action for action in granted(stack, "AppRole") if action.startswith("ec2:")}
    wanted = answer == "yes"
    assert bounded == (set(INTERFACES) if wanted else set())
    assert asked == ({f"ec2:Describe{it}" for it in ("SecurityGroups", "Subnets", "Vpcs")} if wanted else set())


# By `chalice deploy`


def sent(session: Session, call: str, service: str, **params: Any) -> dict[str, Any]:
    session.get_component("event_emitter").emit(f"before-parameter-build.{service}.{call}", params=params)
    return params


def test_chalice_deploy_puts_functions_where_they_belong() -> None:
    session = Session(include_builtin_handlers=False)
    Placing("dev", {"SubnetIds": ["a"], "SecurityGroupIds": ["g"]}).register(session)
    document = json.dumps({"Statement": []})
    for function, traits in FUNCTIONS.items():
        name = "visits-dev" if function is Function.API else f"visits-dev-{function}"
        for call in ("CreateFunction", "UpdateFunctionConfiguration"):
            assert ("VpcConfig" in sent(session, call, "lambda", FunctionName=name)) is inside(traits)
        role = sent(session, "PutRolePolicy", "iam", RoleName=f"visits-dev-{function}", PolicyDocument=document)
        assert ("CreateNetworkInterface" in role["PolicyDocument"]) is inside(traits)


def test_chalice_deploy_takes_functions_out_again() -> None:
    session = Session(include_builtin_handlers=False)
    Placing("dev", NOWHERE).register(session)
    changed = sent(session, "UpdateFunctionConfiguration", "lambda", FunctionName="visits-dev")
    assert changed["VpcConfig"] == {"SubnetIds": [], "SecurityGroupIds": []}
    role = {"RoleName": "visits-dev-notify", "PolicyDocument": json.dumps({"Statement": []})}
    assert sent(session, "PutRolePolicy", "iam", **role) == role
