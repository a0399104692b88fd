"""The packaged app on the embedded AWS: `chalice package`, SAM expanded, deployed by CloudFormation, under IAM.

What is deployed is what `make` would ship, but for what the emulator lacks or does otherwise; each of those has its
function here and says so. Nothing is left out of a policy.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3
import httpx
import pytest
from samtranslator.translator.transform import transform

from devstack.data_stack import create_data_stack, credentials
from devstack.emulator import REGION, ROOT, Emulator, emulator
from tools.gateway_responses import EXTENSION

STAGE: Final = "beta"
STACK: Final = f"visits-{STAGE}"
BUCKET: Final = "code"
PATIENCE_SECONDS: Final = 60

ROLES: Final = {"api_handler": "ApiHandlerRole", "bearer_key": "BearerKeyRole", "work_off_queue": "WorkOffQueueRole"}
"""The functions and their roles, as Chalice names them."""

BATCHES: Final = {"sqs:SendMessage": "sqs:SendMessageBatch", "sqs:DeleteMessage": "sqs:DeleteMessageBatch"}
"""On AWS the action on the left covers the call on the right; the emulator asks for an action of that name."""

FAILED: Final = "failed processing SQS batch"

LAMBDAS_BOTO3: Final = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")
SERVICES: Final = ("dynamodb", "sqs")

Template = dict[str, Any]
Policy = dict[str, Any]


class NoManagedPolicies:
    """SAM asks for the names of AWS's own policies. None is used."""

    def load(self) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True)
class Deployment:
    """The deployed app: the address of its API, and its account as the operator sees it."""

    aws: Emulator
    api_id: str
    roles: Mapping[str, str]
    """The name of each function's role."""
    event_source: str
    """The id of what hands messages to the worker."""

    @property
    def host(self) -> str:
        """The gateway's name, as a Host header has it; the emulator listens on one address for all."""
        return f"{self.api_id}.execute-api.{self.aws.endpoint.removeprefix('http://')}"

    @property
    def url(self) -> str:
        """Where the API's paths begin: the stage of the gateway is part of the address."""
        return f"{self.aws.endpoint}/api"

    def client(self, service: str) -> Any:
        """A client of the account's root, which is asked for no permission."""
        return boto3.client(service, **credentials(self.aws.endpoint))  # type: ignore[call-overload] # any service

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    @cached_property
    def functions(self) -> Any:
        return self.client("lambda")

    @cached_property
    def queue_url(self) -> str:
        url: str = self.sqs.get_queue_url(QueueName=STACK)["QueueUrl"]
        return url

    def messages(self) -> int:
        """How many messages the queue has, handed out or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return sum(int(counts[name]) for name in names)

    def failures(self) -> int:
        """How often the worker has failed so far. Only the emulator's log says it as soon as it happens."""
        return self.aws.log.read_text(encoding="utf-8", errors="replace").count(FAILED)

    @contextlib.contextmanager
    def worker_paused(self) -> Iterator[None]:
        """Nothing is handed to the worker while the block runs; afterwards what has come is, at once."""
        self.functions.update_event_source_mapping(UUID=self.event_source, Enabled=False)
        try:
            yield
        finally:
            self.functions.update_event_source_mapping(UUID=self.event_source, Enabled=True)

    def policy(self, function: str) -> tuple[str, Policy]:
        """The name of the inline policy of a function's role, and what is in force."""
        (name,) = self.iam.list_role_policies(RoleName=self.roles[function])["PolicyNames"]
        document = self.iam.get_role_policy(RoleName=self.roles[function], PolicyName=name)["PolicyDocument"]
        return name, json.loads(document) if isinstance(document, str) else document

    def put_policy(self, function: str, name: str, policy: Policy) -> None:
        """Puts the policy into the role and waits until IAM shows it; the emulator asks it anew at every call."""
        text = json.dumps(policy)
        self.iam.put_role_policy(RoleName=self.roles[function], PolicyName=name, PolicyDocument=text)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.policy(function) != (name, policy):
            assert time.monotonic() < deadline, f"{name} is not in force"
            time.sleep(0.05)

    @contextlib.contextmanager
    def as_somebody_with(self, policy: Policy) -> Iterator[Any]:
        """A DynamoDB client that may do what the policy allows."""
        name = f"somebody-{secrets.token_hex(4)}"
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        with contextlib.closing(boto3.client("dynamodb", **credentials(self.aws.endpoint) | own)) as dynamodb:
            yield dynamodb

    @contextlib.contextmanager
    def without(self, function: str, sid: str) -> Iterator[None]:
        """A statement of a function's policy is not there while the block runs."""
        name, whole = self.policy(function)
        rest = [statement for statement in whole["Statement"] if statement["Sid"] != sid]
        assert len(rest) == len(whole["Statement"]) - 1, f"{function} has no statement {sid}"
        try:
            self.put_policy(function, name, whole | {"Statement": rest})
            yield
        finally:
            self.put_policy(function, name, whole)


@contextlib.contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """Packages the app, deploys it with its data to an emulator of its own, and takes everything away at the end."""
    package(folder)
    packaged = json.loads((folder / "sam.json").read_text(encoding="utf-8"))
    with emulator(extra_environment={"AUTH": "true"}) as aws:
        create_data_stack(aws.endpoint, STAGE)
        s3 = boto3.client("s3", **credentials(aws.endpoint))
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=BUCKET, Key="app.zip", Body=(folder / "deployment.zip").read_bytes())
        functions = boto3.client("lambda", **credentials(aws.endpoint))
        layer = functions.publish_layer_version(LayerName="boto3", Content={"ZipFile": boto3_layer()})
        template = for_the_emulator(expanded(packaged), aws.endpoint, layer["LayerVersionArn"])
        stack = create_stack(aws.endpoint, template)
        (api_id,) = [output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "RestAPIId"]
        answer_as_the_template_says(aws.endpoint, api_id, packaged)
        yield _described(aws, api_id)


def _described(aws: Emulator, api_id: str) -> Deployment:
    account = credentials(aws.endpoint)
    resources = boto3.client("cloudformation", **account).describe_stack_resources(StackName=STACK)["StackResources"]
    physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
    (source,) = boto3.client("lambda", **account).list_event_source_mappings()["EventSourceMappings"]
    roles = {function: physical[role] for function, role in ROLES.items()}
    return Deployment(aws, api_id, roles, source["UUID"])


def package(folder: Path) -> None:
    """`chalice package` of what is in the project now.

    From a copy of it, because Chalice keeps its packages in the project and another test may be packaging there.
    """
    project = folder / "project"
    (project / ".chalice").mkdir(parents=True)
    for name in ("app.py", "requirements.txt", ".chalice/config.json", ".chalice/resources.json"):
        shutil.copy(ROOT / name, project / name)
    for name in ("chalicelib", ".chalice/policies"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    chalice = str(Path(sys.executable).with_name("chalice"))
    command = [chalice, "package", "--stage", STAGE, "--template-format", "json"]
    merged = ["--merge-template", ".chalice/resources.json", str(folder)]
    foreign = ("AWS_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *merged], cwd=project, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    # It also ends well when a dependency could not be installed, and only says so.
    assert done.returncode == 0, said
    assert "Could not install" not in said, said


def expanded(packaged: Template) -> Template:
    """What CloudFormation makes of the packaged template: SAM's short forms are written out."""
    template = json.loads(json.dumps(packaged))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://{BUCKET}/app.zip"
    defaults = {name: parameter.get("Default", "") for name, parameter in template.get("Parameters", {}).items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        result: Template = transform(template, defaults, NoManagedPolicies())
    return result


def for_the_emulator(template: Template, endpoint: str, layer: str) -> Template:
    """The template without what the emulator lacks, and with what it needs beyond AWS."""
    resources: dict[str, Any] = template["Resources"]
    # It knows no CodeDeploy, which only shifts traffic.
    for name in [name for name, resource in resources.items() if "CodeDeploy" in name + resource["Type"]]:
        del resources[name]
    for resource in resources.values():
        resource.pop("UpdatePolicy", None)
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            variables["AWS_ENDPOINT_URL"] = endpoint
            resource["Properties"]["Layers"] = [layer]
        if resource["Type"] == "AWS::IAM::Role":
            for inline in resource["Properties"].get("Policies", []):
                for statement in inline["PolicyDocument"]["Statement"]:
                    if statement["Effect"] == "Allow":
                        statement["Action"] += [BATCHES[action] for action in statement["Action"] if action in BATCHES]
    return template


def boto3_layer() -> bytes:
    """The boto3 that AWS's runtime has of its own and the emulator's has not: beside the package, not within."""
    installed = Path(boto3.__file__).parents[1]
    files = [installed / "six.py", *(file for name in LAMBDAS_BOTO3 for file in sorted((installed / name).rglob("*")))]
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        for file in files:
            name = file.relative_to(installed)
            if file.suffix != ".pyc" and file.is_file() and _is_used(name):
                archive.write(file, Path("python") / name)
    return layer.getvalue()


def _is_used(file: Path) -> bool:
    """Of botocore's descriptions, 30 MB, only those of the services that the app calls."""
    described = file.parts[:2] == ("botocore", "data") and len(file.parts) > 3
    return not described or file.parts[2] in SERVICES


def create_stack(endpoint: str, template: Template) -> Mapping[str, Any]:
    cloudformation: Any = boto3.client("cloudformation", **credentials(endpoint))
    able = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template), Capabilities=able)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        stack: Mapping[str, Any] = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        assert time.monotonic() < deadline, "the stack does not come up"
        time.sleep(0.1)
    failed = [
        (event["LogicalResourceId"], event.get("ResourceStatusReason"))
        for event in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        if "FAILED" in event["ResourceStatus"]
    ]
    assert stack["StackStatus"] == "CREATE_COMPLETE", (stack.get("StackStatusReason"), failed)
    return stack


def answer_as_the_template_says(endpoint: str, api_id: str, packaged: Template) -> None:
    """The gateway's own answers are part of the API's definition; the emulator's import of it loses them."""
    gateway: Any = boto3.client("apigateway", **credentials(endpoint))
    definition = packaged["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for kind, answer in definition[EXTENSION].items():
        # What is no text is a header for a stage that names an origin. This one names none.
        plain = {name: value for name, value in answer["responseParameters"].items() if isinstance(value, str)}
        status = {"statusCode": answer["statusCode"]} if "statusCode" in answer else {}
        gateway.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            responseParameters=plain,
            responseTemplates=answer["responseTemplates"],
            **status,
        )
    gateway.create_deployment(restApiId=api_id, stageName="api")


@contextlib.contextmanager
def caller(deployment: Deployment, headers: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Somebody who calls the deployed API."""
    with httpx.Client(
        base_url=deployment.url,
        headers={"Host": deployment.host, **headers},
        timeout=PATIENCE_SECONDS,
        trust_env=False,
    ) as http:
        yield http
