"""The zip in an interpreter that has what Lambda has, Python and boto3, and nothing else of this machine."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from devstack.emulator import emulator
from tests.e2e.deployment import STACK, STAGE, boto3_layer
from tests.integration.access import access_to, bearer
from tests.integration.intake import event_of, partner_message
from tests.people import ISSUER
from tools.deliver.data_stack import create_data_stack, credentials
from tools.project import REGION

Event = Mapping[str, Any]

BARE_LAMBDA: Final = Path(__file__).with_name("bare_lambda.py")
HOUSE: Final = {
    "id": "lake-house",
    "name": "House",
    "address": "Lane 1",
    "price": 1,
    "currency": "EUR",
    "timeZone": "Europe/Berlin",
}
VISIT: Final = {"propertyId": "lake-house", "date": "2027-03-28T10:20:00+02:00", "place": "At the gate"}


def _variables(settings: dict[str, Any]) -> dict[str, Any]:
    """What a function is told; some of it CloudFormation works out."""
    variables: dict[str, Any] = settings["Environment"]["Variables"]
    return variables


@dataclass(frozen=True)
class Lambda:
    """The unzipped package, the runtime's boto3, and an AWS to call."""

    task: Path
    runtime: Path
    template: Mapping[str, Any]
    endpoint: str

    def call(self, function: str, *events: Event) -> list[Any]:
        """A cold start of a function of the template, and its answers to these events."""
        settings = self.template["Resources"][function]["Properties"]
        aws = credentials(self.endpoint)
        told = {name: it if isinstance(it, str) else "set-by-aws" for name, it in _variables(settings).items()}
        if "SIGN_IN_ISSUER" in told:
            told["SIGN_IN_ISSUER"] = ISSUER
        environment = told | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": aws["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": aws["aws_secret_access_key"],
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
        }
        given = {"folders": [str(self.task), str(self.runtime)], "handler": settings["Handler"], "events": events}
        # Isolated and without site: neither this environment's packages nor the project's folder are found.
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(BARE_LAMBDA)],
            input=json.dumps(given),
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        own = [str(self.task), str(self.runtime), sysconfig.get_path("stdlib"), str(BARE_LAMBDA)]
        assert [file for file in said["files"] if not file.startswith(tuple(own))] == []
        answers: list[Any] = said["answers"]
        return answers


@pytest.fixture(scope="module")
def bare(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lambda]:
    task, runtime = (tmp_path_factory.mktemp(name) for name in ("task", "runtime"))
    zipfile.ZipFile(packaged / "deployment.zip").extractall(task)
    zipfile.ZipFile(io.BytesIO(boto3_layer())).extractall(runtime)
    template = json.loads((packaged / f"{STAGE}.json").read_text(encoding="utf-8"))
    with emulator() as aws:
        create_data_stack(aws.endpoint, STAGE)
        yield Lambda(task, runtime / "python", template, aws.endpoint)


def request(
    method: str, path: str, caller: Mapping[str, str] | None = None, body: object = None, **query: str
) -> Event:
    """What the gateway hands to the function; `caller` is what the authorizer has said."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "path": f"/api{path}",
            "stage": "api",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "192.0.2.1"},
            **({"authorizer": dict(caller)} if caller else {}),
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def test_the_three_functions_answer_with_nothing_but_python_boto3_and_the_zip(bare: Lambda) -> None:
    before = sorted(path for path in bare.task.rglob("*"))
    aws = credentials(bare.endpoint)
    token = bearer(access_to(boto3.client("dynamodb", **aws), STACK), name="partner")["Authorization"]
    arn = f"arn:aws:execute-api:{REGION}:000000000000:a1b2c3/api/POST/visits"
    event = {"type": "TOKEN", "authorizationToken": token, "methodArn": arn}
    (admitted,) = bare.call("BearerKey", event)
    assert admitted["policyDocument"]["Statement"][0]["Effect"] == "Allow"

    partner = {"principalId": admitted["principalId"], **admitted["context"]}
    march = {"propertyId": "lake-house", "from": "2027-03-01T00:00:00Z"}
    answers = bare.call(
        "APIHandler",
        request("GET", "/health"),
        request("GET", "/openapi.json"),
        request("POST", "/properties", partner, HOUSE),
        request("POST", "/visits", partner, VISIT),
        request("POST", "/visits", partner, VISIT),
        request("GET", "/visits/export", partner, format="xlsx", **march),
    )
    assert [answer["statusCode"] for answer in answers] == [200, 200, 201, 201, 409, 200]
    assert json.loads(answers[0]["body"]) == {"status": "ok"}
    assert json.loads(answers[1]["body"])["openapi"].startswith("3.")
    assert json.loads(answers[3]["body"])["timeZone"] == "Europe/Berlin"
    assert base64.b64decode(answers[5]["body"]).startswith(b"PK")

    sqs: Any = boto3.client("sqs", **aws)
    url = sqs.get_queue_url(QueueName=STACK)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=partner_message(VISIT | {"date": "2027-03-29T10:00:00Z"}))
    received = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert bare.call("WorkOffQueue", event_of(received)) == [{"batchItemFailures": []}]
    (listed,) = bare.call("APIHandler", request("GET", "/visits", partner, **march))
    assert [visit["date"] for visit in json.loads(listed["body"])["items"]] == [
        "2027-03-28T08:20:00Z",
        "2027-03-29T10:00:00Z",
    ]

    # The bytecode in the zip was good for every module: Python would have written what it missed.
    assert sorted(path for path in bare.task.rglob("*")) == before
