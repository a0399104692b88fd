"""The packaged app on the embedded AWS, deployed by CloudFormation, under IAM.

What is deployed is what `make package` makes, but for what the emulator lacks or does otherwise; each of those has its
function here and says so. Nothing is left out of a policy.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3
import httpx

from chalicelib.functions import FUNCTIONS
from devstack.emulator import Emulator, emulator
from tests.e2e.caller import DAY, PATIENCE_SECONDS
from tests.integration.intake import SCHEDULED
from tests.sheets import an_answer
from tests.textract import standing_in
from tools.deliver.cloudformation import bring_up_to_date, delete, outputs
from tools.deliver.data_stack import any_client, create_data_stack, credentials, data_stack_of, told_to_app
from tools.deliver.gateway_settings import BINARY_TYPES
from tools.deliver.package import ALIAS, ZIP, expanded
from tools.generate.gateway_responses import EXTENSION
from tools.operate.worker import EventSource
from tools.project import REGION

STAGE: Final = "beta"
STACK: Final = f"visits-{STAGE}"
BUCKET: Final = "code"

TEMPLATE_NAMES: Final = {str(function): traits.template_name for function, traits in FUNCTIONS.items()}
ROLES: Final = {str(it): "".join(part.title() for part in f"{it}_role".split("_")) for it in FUNCTIONS}
"""The functions and their roles, as Chalice names them in the template."""

BATCHES: Final = {"sqs:SendMessage": "sqs:SendMessageBatch", "sqs:DeleteMessage": "sqs:DeleteMessageBatch"}
"""On AWS the action on the left covers the call on the right; the emulator asks for an action of that name."""

LEFT: Final = re.compile(r"-work_off_queue\S* (failed processing SQS batch|.*\([1-9]\d* partial failures\))")
"""What the emulator's log says when a batch of the worker's, or part of one, is to come again."""

AGENCY: Final = "agency.example"
"""Who writes to visitors, and to whom the account may send."""

LAMBDAS_BOTO3: Final = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3")
SERVICES: Final = ("dynamodb", "ses", "sqs")

Template = dict[str, Any]
Policy = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """The deployed app: the address of its API, and its account as the operator sees it."""

    aws: Emulator
    api_id: str
    names: Mapping[str, str]
    """The name of each function."""
    roles: Mapping[str, str]
    """The name of each function's role."""

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
        return any_client(self.aws.endpoint, service)

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

    @cached_property
    def dead_letters_url(self) -> str:
        url: str = self.sqs.get_queue_url(QueueName=f"{STACK}-dead")["QueueUrl"]
        return url

    def messages(self, *, dead: bool = False) -> int:
        """How many messages the queue has, or that of the dead letters; handed out or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.dead_letters_url if dead else self.queue_url
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(counts[name]) for name in names)

    @contextlib.contextmanager
    def handing_out_soon_again(self) -> Iterator[None]:
        """What the worker failed for comes again after a second, not after the six minutes that it may take on AWS."""
        usual = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["VisibilityTimeout"])
        self.sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes={"VisibilityTimeout": "1"})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=self.queue_url, Attributes=usual["Attributes"])

    def failures(self) -> int:
        """How often the worker has left something so far. Only the emulator's log says it as soon as it happens."""
        return len(LEFT.findall(self.aws.log.read_text(encoding="utf-8", errors="replace")))

    def denials(self, function: str) -> int:
        """How often the function has told so far that it may not do something; again, only the log says it at once.

        Of a queue that refuses, the app tells as of one that is busy.
        """
        told = rf'(?m)^{{.*("code":"AccessDenied|"kind":"StoreBusy").*"Function":"{function}"'
        return len(re.findall(told, self.aws.log.read_text(encoding="utf-8", errors="replace")))

    @cached_property
    def sheets_bucket(self) -> str:
        return outputs(self.client("cloudformation"), data_stack_of(STAGE))["SheetsBucket"]

    def stored(self, sheet: str) -> list[str]:
        """What the bucket has of a sheet, whose path in the API is given."""
        id = sheet.rpartition("/")[2]
        found = self.client("s3").list_objects_v2(Bucket=self.sheets_bucket).get("Contents", [])
        return [each["Key"] for each in found if id in each["Key"]]

    def mails(self) -> str:
        """All that was sent."""
        return httpx.get(f"{self.aws.endpoint}/_ministack/ses/messages", trust_env=False, verify=False).text

    def tick(self) -> None:
        """What happens every minute."""
        answer = self.functions.invoke(FunctionName=self.names["remind"], Payload=json.dumps(SCHEDULED))
        assert "FunctionError" not in answer, answer["Payload"].read()

    @contextlib.contextmanager
    def worker_paused(self) -> Iterator[None]:
        """Nothing is handed to the worker while the block runs; afterwards what has come is, at once."""
        # The emulator switches at once.
        source = EventSource(self.functions, self.sqs, STAGE, STACK, lambda _: time.sleep(0.05))
        source.bring_to("Disabled")
        try:
            yield
        finally:
            source.bring_to("Enabled")

    def released(self) -> Mapping[str, str]:
        """The version of each function that its callers get."""
        return {
            function: self.functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]
            for function, name in self.names.items()
        }

    def release(self, versions: Mapping[str, str]) -> None:
        """Gives callers these versions from now on, as one does who takes a release back."""
        for function, version in versions.items():
            self.functions.update_alias(
                FunctionName=self.names[function],
                Name=ALIAS,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )

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


@dataclass(frozen=True)
class Account:
    """An AWS account of one's own, with the data of the stage, to which the app can be deployed again and again."""

    aws: Emulator
    layer: str
    """The boto3 of AWS's runtime, which the emulator's has not."""
    textract: str
    """The address of a Textract, which the emulator has not."""

    def client(self, service: str) -> Any:
        """A client of the account's root, which is asked for no permission."""
        return any_client(self.aws.endpoint, service)

    @cached_property
    def cloudformation(self) -> Any:
        return self.client("cloudformation")

    def stacks(self) -> list[str]:
        """The names of the stacks that there are."""
        found = self.cloudformation.describe_stacks()["Stacks"]
        return sorted(stack["StackName"] for stack in found if stack["StackStatus"] != "DELETE_COMPLETE")

    def deploy(self, made: Path) -> Deployment:
        """Brings the app's stack up to date with what `make package` made, by a change set."""
        packaged = json.loads((made / f"{STAGE}.json").read_text(encoding="utf-8"))
        code = self._stored("code/{}.zip", (made / ZIP).read_bytes())
        for function in _of("AWS::Serverless::Function", packaged["Resources"]):
            function["CodeUri"] = code
        template = for_the_emulator(expanded(packaged), self.aws.endpoint, self.layer, self.textract)
        able = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        # CloudFormation takes one of this size from a bucket only.
        place = self._stored("templates/{}.json", json.dumps(template).encode())
        where = {"TemplateURL": f"{self.aws.endpoint}/{place['Bucket']}/{place['Key']}"}
        parameters = told_to_app(self.cloudformation, STAGE)
        outputs = bring_up_to_date(self.cloudformation, STACK, where, parameters, capabilities=able)
        answer_as_the_template_says(self.aws.endpoint, outputs["RestAPIId"], packaged)
        return self._described(outputs["RestAPIId"])

    def delete(self, stack: str) -> None:
        delete(self.cloudformation, stack)

    def _stored(self, name: str, content: bytes) -> Mapping[str, str]:
        """Where it is in the account's bucket, under a name made of the content."""
        place = {"Bucket": BUCKET, "Key": name.format(hashlib.sha256(content).hexdigest())}
        self.client("s3").put_object(**place, Body=content)
        return place

    def _described(self, api_id: str) -> Deployment:
        resources = self.cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        names = {function: physical[name] for function, name in TEMPLATE_NAMES.items()}
        roles = {function: physical[role] for function, role in ROLES.items()}
        return Deployment(self.aws, api_id, names, roles)


@contextlib.contextmanager
def account() -> Iterator[Account]:
    """An emulator of one's own, taken away at the end with everything in it."""
    photographed = an_answer([["Property", "Date", "Time", "Visitor"], ["The old mill", DAY, "10:00", "Ada"]])
    with (
        standing_in(lambda _: photographed) as textract,
        emulator(extra_environment={"AUTH": "true", "LOG_LEVEL": "INFO"}) as aws,
    ):
        create_data_stack(aws.endpoint, STAGE)
        any_client(aws.endpoint, "ses").verify_domain_identity(Domain=AGENCY)
        s3 = boto3.client("s3", **credentials(aws.endpoint))
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        functions = boto3.client("lambda", **credentials(aws.endpoint))
        layer = functions.publish_layer_version(LayerName="boto3", Content={"ZipFile": boto3_layer()})
        yield Account(aws, layer["LayerVersionArn"], textract)


def for_the_emulator(template: Template, endpoint: str, layer: str, textract: str) -> Template:
    """The template without what the emulator lacks, and with what it needs beyond AWS."""
    resources: dict[str, Any] = template["Resources"]
    without_code_deploy(resources)
    without_metric_math(resources)
    allow_batches(resources)
    allow_mail(resources)
    binary_types_beside_the_definition(resources)
    for function in _of("AWS::Lambda::Function", resources):
        given = {"AWS_ENDPOINT_URL": endpoint, "MAIL_FROM": f"visits@{AGENCY}", "AGENCY_NAME": "Agency"}
        told = {"AWS_ENDPOINT_URL_TEXTRACT": textract, "VISITOR_PAGE_URL": f"https://{AGENCY}/book.html"}
        function["Environment"]["Variables"] |= given | told
        function["Layers"] = [layer]
    return template


def without_code_deploy(resources: dict[str, Any]) -> None:
    """The emulator has none: a new version takes over at once, and nothing watches it."""
    for name in [name for name, resource in resources.items() if "CodeDeploy" in name + resource["Type"]]:
        del resources[name]
    for resource in resources.values():
        resource.pop("UpdatePolicy", None)


def without_metric_math(resources: dict[str, Any]) -> None:
    """The emulator has alarms on a single metric only."""
    alarms = [name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    for name in alarms:
        if "Metrics" in resources[name]["Properties"]:
            del resources[name]


def allow_batches(resources: dict[str, Any]) -> None:
    for role in _of("AWS::IAM::Role", resources):
        for inline in role.get("Policies", []):
            for statement in inline["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":
                    statement["Action"] += [BATCHES[action] for action in statement["Action"] if action in BATCHES]


def allow_mail(resources: dict[str, Any]) -> None:
    """AWS asks for the identity that writes; the emulator knows none in this call, and asks for everything."""
    for role in _of("AWS::IAM::Role", resources):
        for inline in role.get("Policies", []):
            for statement in inline["PolicyDocument"]["Statement"]:
                if statement["Action"] == ["ses:SendRawEmail"]:
                    statement["Resource"] = "*"


def binary_types_beside_the_definition(resources: dict[str, Any]) -> None:
    """The emulator's import of the definition loses them; as a property of the API it knows them."""
    for api in _of("AWS::ApiGateway::RestApi", resources):
        api["BinaryMediaTypes"] = api["Body"][BINARY_TYPES]


def _of(kind: str, resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def boto3_layer() -> bytes:
    """The boto3 that AWS's runtime has of its own and the emulator's has not: beside the package, not within."""
    installed = Path(boto3.__file__).parents[1]
    files = [installed / "six.py", *(file for name in LAMBDAS_BOTO3 for file in sorted((installed / name).rglob("*")))]
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        for file in files:
            name = file.relative_to(installed)
            if not file.is_file() or not _is_used(name):
                continue
            if file.suffix == ".pyc":
                archive.writestr(str(Path("python") / name), unchecked(file.read_bytes()))
            else:
                archive.write(file, Path("python") / name)
    return layer.getvalue()


def unchecked(bytecode: bytes) -> bytes:
    """Taken as it is (PEP 552): where a layer is unpacked, the files have other times than those it was made for."""
    return bytecode[:4] + (1).to_bytes(4, "little") + bytes(8) + bytecode[16:]


def _is_used(file: Path) -> bool:
    """Of botocore's descriptions, 30 MB, only those of the services that the app calls."""
    described = file.parts[:2] == ("botocore", "data") and len(file.parts) > 3
    return not described or file.parts[2] in SERVICES


def answer_as_the_template_says(endpoint: str, api_id: str, packaged: Template) -> None:
    """The gateway's own answers are part of the API's definition; the emulator's import of it loses them."""
    gateway: Any = boto3.client("apigateway", **credentials(endpoint))
    definition = packaged["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for kind, answer in definition[EXTENSION].items():
        status = {"statusCode": answer["statusCode"]} if "statusCode" in answer else {}
        gateway.put_gateway_response(
            restApiId=api_id,
            responseType=kind,
            responseParameters=answer["responseParameters"],
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
        verify=False,
    ) as http:
        yield http
