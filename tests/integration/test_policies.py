"""Least privilege: the committed policies are the generated ones, and allow what the functions do and nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient

import app as entry
from chalicelib.functions import FUNCTIONS, Function, Queue
from chalicelib.http.guard import by_authorizer
from tests.integration import intake
from tests.integration.api import Api
from tests.integration.intake import Mailbox
from tests.integration.sheets import Desk, desk, sheets_tour
from tests.integration.tour import deliver, notify, relay, remind, tour
from tools.generate import gateway_responses
from tools.generate.policies import STAGES, policy, written
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

Right = tuple[str, str]
"""An action, and the resource by the end of its ARN."""

MEMBERS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
OF_BATCHES = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage"}
LAMBDAS_OWN: dict[Function, set[Right]] = {
    Function.WORKER: {("sqs:ReceiveMessage", "queue"), ("sqs:GetQueueAttributes", "queue")},
    Function.DELIVER: {
        (f"sqs:{action}", "webhook queue") for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    },
    Function.NOTIFY: {
        (f"sqs:{action}", "notice queue") for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    },
    Function.API: {("s3:PutObject", "uploads"), ("s3:ListBucket", "bucket")},
    Function.READER: {
        *((f"sqs:{action}", "sheet queue") for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
        ("s3:ListBucket", "bucket"),
        ("textract:AnalyzeDocument", "*"),
    },
}
"""What Lambda does in a function's name to hand it messages, and to delete them where failures are reported; what is
done with what the API has signed; what tells a missing file from a forbidden one; what a fake does here.
"""
QUEUES = {"-webhooks.fifo": "webhook queue", "-notices": "notice queue", "-sheets": "sheet queue"}
OTHERS = ("DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords", "VerifyDomainIdentity")
"""What the pollers call, which is Lambda's own, and the agency."""
LAMBDAS_CARE = ("Logs", "Traces", "Stream")
"""What Lambda does in a function's name besides."""


def queue_of(name: str) -> str:
    if any(name.endswith(queue.dead_letters) for queue in Queue):
        return "dead letters"
    return next((queue for end, queue in QUEUES.items() if name.endswith(end)), "queue")


class Recorder:
    """Every call to AWS, by the function that made it."""

    def __init__(self) -> None:
        self.now = Function.API
        self.used: dict[str, set[Right]] = {function: set() for function in FUNCTIONS}
        self.keys: dict[str, set[str]] = {function: set() for function in FUNCTIONS}

    def record(self, function: Function, operation: str, given: dict[str, Any]) -> None:
        if "Bucket" in given:
            self.used[function].add((f"s3:{operation}", given["Key"].partition("/")[0]))
        elif "QueueUrl" in given or "QueueName" in given:
            name = given.get("QueueName") or given["QueueUrl"]
            self.used[function].add((f"sqs:{OF_BATCHES.get(operation, operation)}", queue_of(name)))
        elif operation == "SendRawEmail":
            self.used[function].add((f"ses:{operation}", "mail"))
        elif operation == "TransactWriteItems":
            for member in given["TransactItems"]:
                (kind, write) = next(iter(member.items()))
                self.used[function].add((f"dynamodb:{MEMBERS[kind]}", "table"))
                self.keys[function].add((write.get("Key") or write["Item"])["pk"]["S"])
        else:
            self.used[function].add((f"dynamodb:{operation}", given.get("IndexName", "table")))
            self.keys[function] |= {found["pk"]["S"] for found in (given.get("Key"), given.get("Item")) if found}


@pytest.fixture(scope="module")
def recorded(table: FreshTable) -> Iterator[Recorder]:
    """What the functions did on a walk through everything."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch, desk(table) as office:
        api, box = office.api, office.box
        authorizer = entry.callers()._keys._keys._table._client  # type: ignore[attr-defined] # whose calls are whose
        box_client: Any = box.sqs
        send = BaseClient._make_api_call  # type: ignore[attr-defined] # the one place that all calls pass

        def make_api_call(self: Any, operation: str, given: dict[str, Any]) -> Any:
            if self not in (box_client, office.s3) and operation not in OTHERS:
                recorder.record(Function.AUTHORIZER if self is authorizer else recorder.now, operation, given)
            return send(self, operation, given)

        def handle(*given: Any) -> object:
            recorder.now = Function.WORKER
            # Another function, another instance: it does not know what the API has looked up.
            patch.setattr(api.services.queue, "_known_url", None)
            try:
                return intake.handle(*given)
            finally:
                recorder.now = Function.API

        def by(function: Function, work: Callable[[Mailbox], None]) -> Callable[[Mailbox], None]:
            def worked(box: Mailbox) -> None:
                recorder.now = function
                api.services.webhook_queue.__dict__.pop("_url", None)
                patch.setattr(api.services.notices._queue, "_known_url", None)
                try:
                    work(box)
                finally:
                    recorder.now = Function.API

            return worked

        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        patch.setattr("tests.integration.tour.handle", handle)
        patch.setattr("tests.integration.tour.relay", by(Function.RELAY, relay))
        patch.setattr("tests.integration.tour.deliver", by(Function.DELIVER, deliver))
        patch.setattr("tests.integration.tour.notify", by(Function.NOTIFY, notify))
        patch.setattr("tests.integration.tour.remind", by(Function.REMIND, remind))
        read = entry.read_sheet

        def read_sheet(*given: Any) -> object:
            recorder.now = Function.READER
            try:
                answer: object = read(*given)
                return answer
            finally:
                recorder.now = Function.API

        patch.setattr(entry, "read_sheet", read_sheet)
        go(api, box, office)
        yield recorder


def go(api: Api, box: Mailbox, office: Desk) -> None:
    answers = tour(api, box, {"name": "Ada", "email": "ada@example.com", "phone": "+1 555 0100"})
    answers += sheets_tour(office)
    walked = {(answer.request.method, answer.request.url.path) for answer in answers}
    for method, path in (route for route in entry.required if route[0] != "HEAD"):
        shape = re.sub(r"\{\w+\}", "[^/]+", path)
        assert any(m == method and re.fullmatch(shape, p) for m, p in walked), f"the tour leaves out {method} {path}"


def allowed(function: Function) -> set[Right]:
    """What a policy allows, logs and traces aside."""
    rights = set()
    for statement in policy(function, "dev")["Statement"]:
        if statement["Effect"] == "Allow" and statement["Sid"] not in LAMBDAS_CARE:
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                kind = kind_of(resource)
                rights |= {(action, kind or resource.rpartition("/")[2]) for action in statement["Action"]}
    return rights


def kind_of(resource: str) -> str | None:
    """None for what the end of the name tells."""
    if ":sqs:" in resource:
        return queue_of(resource)
    if ":ses:" in resource:
        return "mail"
    if ":s3:" in resource:
        return resource.split("/")[1] if "/" in resource else "bucket"
    return "table" if ":table/" in resource and "/index/" not in resource else None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_does_and_nothing_more(recorded: Recorder, function: Function) -> None:
    used = recorded.used[function] | LAMBDAS_OWN.get(function, set())
    assert used - allowed(function) == set(), "done, and not allowed"
    assert allowed(function) - used == set(), "allowed, and never done"


@pytest.mark.parametrize(
    ("function", "own"),
    [
        (Function.DELIVER, {"W#*"}),  # it calls strangers, and forges no event
        (Function.NOTIFY, {"T#*"}),  # nor does who writes mail change a visit, or the keys that sign links
        (Function.REMIND, {"T#clock", "V#*", "S#*"}),
    ],
)
def test_what_a_function_only_reads_it_cannot_write(function: Function, own: set[str]) -> None:
    writable = {
        key
        for statement in policy(function, "prod")["Statement"]
        if {"dynamodb:PutItem", "dynamodb:UpdateItem"} & set(statement["Action"])
        for key in statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }
    assert writable == own


def test_only_the_authorizer_touches_api_keys_and_touches_nothing_else(recorded: Recorder) -> None:
    api_key = re.compile("K#.{16}")
    assert all(api_key.fullmatch(key) for key in recorded.keys["bearer_key"])
    for function in ("api_handler", "work_off_queue", "read_sheet"):
        assert recorded.keys[function]
        assert not [key for key in recorded.keys[function] if api_key.fullmatch(key) or key == "KS"]


def test_the_committed_policies_are_the_generated_ones() -> None:
    folder = ROOT / ".chalice" / "policies"
    assert {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.json")} == dict(written())


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_statement_is_wider_than_it_must_be(stage: str, function: Function) -> None:
    for statement in policy(function, stage)["Statement"]:
        assert "*" not in "".join(statement["Action"])
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            if statement["Effect"] == "Allow" and statement["Sid"] not in LAMBDAS_CARE:
                if statement["Sid"] == "Recognition":  # of what is sent, whatever it is
                    continue
                name = resource.split(":", 5)[5]
                if ":s3:" in resource:
                    # Account and Region follow, and the objects of one folder; buckets of others are not meant.
                    assert re.fullmatch(rf"visits-{stage}-sheets-\*(/[a-z]+/\*)?", name)
                    assert statement["Condition"]["StringEquals"].keys() == {"aws:ResourceAccount"}
                    continue
                # Who the agency writes as, a file that is the same for every agency cannot say.
                if name != "identity/*":
                    assert "*" not in name
                    ends = {end for queue in Queue for end in (queue, queue.dead_letters)}
                    assert {f"visits-{stage}{end}" for end in ends} & {*name.split("/")}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_writes_its_own_log_and_traces_and_no_others(stage: str, function: Function) -> None:
    said = {statement["Sid"]: statement for statement in policy(function, stage)["Statement"]}
    name = f"visits-{stage}" if function == "api_handler" else f"visits-{stage}-{function}"
    assert said["Logs"]["Resource"] == f"arn:*:logs:*:*:log-group:/aws/lambda/{name}:*"
    # A group that a function made would keep its logs for ever; in dev `make deploy` sees to that.
    assert ("logs:CreateLogGroup" in said["Logs"]["Action"]) == (stage == "dev")
    assert said["Traces"]["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]


# The packaged template


@pytest.fixture(scope="module")
def template(packaged: Path) -> dict[str, Any]:
    """What `make package` makes for prod."""
    made: dict[str, Any] = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    return made


def test_the_packaged_gateway_asks_our_authorizer_on_every_route_that_is_not_public(template: dict[str, Any]) -> None:
    """Chalice leaves an authorizer named `api_key` out without a word."""
    definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    (name, scheme) = next(iter(definition["securityDefinitions"].items()))
    assert scheme["name"] == "Authorization"
    assert scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] == 60
    routes = {
        (method.upper(), path): entry for path, all in definition["paths"].items() for method, entry in all.items()
    }
    assert routes.keys() == entry.required.keys()
    for route, description in routes.items():
        wanted: list[object] | None = [{name: []}] if by_authorizer(entry.required[route]) else None
        assert description.get("security") == wanted, route


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_packaged_with_its_own_policy(template: dict[str, Any], function: Function) -> None:
    role = "".join(part.capitalize() for part in function.split("_")) + "Role"
    (inline,) = template["Resources"][role]["Properties"]["Policies"]
    assert inline["PolicyDocument"] == policy(function, "prod")
    roles = {name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}
    properties = [resource["Properties"] for resource in template["Resources"].values()]
    of_functions = {given["Role"]["Fn::GetAtt"][0] for given in properties if "Role" in given}
    assert len(of_functions) == len(FUNCTIONS)
    assert roles - of_functions == {"CodeDeployRole"}


def test_the_gateway_speaks_as_the_app_does() -> None:
    text = gateway_responses.MERGE_TEMPLATE.read_text(encoding="utf-8")
    assert gateway_responses.written(text) == text, "run make policies"


def test_every_answer_of_the_gateway_is_a_problem_document(template: dict[str, Any]) -> None:
    answers = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][gateway_responses.EXTENSION]
    assert {"UNAUTHORIZED", "ACCESS_DENIED", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for kind, answer in answers.items():
        document = json.loads(answer["responseTemplates"]["application/json"])
        headers = {name.rpartition(".")[2]: value for name, value in answer["responseParameters"].items()}
        assert document["type"].startswith("urn:visits:problem:")
        assert headers["Content-Type"] == "'application/problem+json'"
        assert headers["X-Content-Type-Options"] == "'nosniff'"
        assert headers["Cache-Control"] == "'no-store'"
        # A text of the gateway's ends at its last quote: those inside stay.
        assert headers["Content-Security-Policy"] == "'default-src 'none'; frame-ancestors 'none''"
        assert headers["X-Frame-Options"] == "'DENY'"
        if not kind.startswith("DEFAULT"):
            assert answer["statusCode"] == str(document["status"])
        if answer.get("statusCode") == "401":
            assert headers["WWW-Authenticate"].startswith("'Bearer")
        if answer.get("statusCode") in ("429", "503"):
            assert headers["Retry-After"] == "'1'"


def test_the_stage_and_the_expensive_calls_are_throttled(template: dict[str, Any]) -> None:
    """Each in a bucket of its own: whoever has the address of a feed cannot take the calls of all others with it."""
    whole, *settings = template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    assert (whole["ResourcePath"], whole["HttpMethod"]) == ("/*", "*")
    limits = {}
    for setting in settings:
        assert setting["ResourcePath"].startswith("/~1"), "as CloudFormation spells a path"
        path = setting["ResourcePath"].removeprefix("/").replace("~1", "/")
        limits[setting["HttpMethod"], path] = setting
    assert limits.keys() <= entry.required.keys()
    assert {route for route, scope in entry.required.items() if not by_authorizer(scope)} <= limits.keys()
    assert {
        ("POST", "/intakes"),
        ("GET", "/intakes/{intake_id}"),
        ("GET", "/intakes/{intake_id}/results"),
        ("GET", "/visits/export"),
    } <= limits.keys()
    for (method, path), setting in limits.items():
        if method == "GET":
            assert limits["HEAD", path] == {**setting, "HttpMethod": "HEAD"}, "a HEAD costs what its GET costs"
    for setting in settings:
        assert 0 < setting["ThrottlingRateLimit"] <= whole["ThrottlingRateLimit"] / 8
        assert 0 < setting["ThrottlingBurstLimit"] <= whole["ThrottlingBurstLimit"] / 8


def test_people_are_invited_and_never_sign_up() -> None:
    pool = json.loads((ROOT / ".chalice" / "data.json").read_text())["Resources"]["People"]["Properties"]
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["MfaConfiguration"] == "OPTIONAL"


def test_data_is_encrypted_where_it_rests() -> None:
    resources = json.loads((ROOT / ".chalice" / "data.json").read_text())["Resources"]
    tables = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::DynamoDB::Table"]
    queues = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::SQS::Queue"]
    assert tables
    assert queues
    assert all(table["SSESpecification"]["SSEEnabled"] for table in tables)
    assert all(queue["SqsManagedSseEnabled"] for queue in queues)
