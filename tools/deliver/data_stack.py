"""The table and the queues on the embedded AWS, from the same CloudFormation file that the real AWS gets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from tools.deliver.cloudformation import Changes, bring_up_to_date, deployed_template, outputs, waited_for
from tools.deliver.data_changes import goes_back, refuse_losses, refuse_replacements, steps, version
from tools.project import REGION, ROOT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = ROOT / ".chalice" / "data.json"
# ministack: `test` is the account 000000000000; a key of 12 digits is an account of its own.
ACCOUNT = "test"
QUICK = Config(retries={"max_attempts": 3}, proxies={}, connect_timeout=5, read_timeout=30)


def create_data_stack(endpoint: str, stage: str, account: str = ACCOUNT) -> None:
    """Creates the stage's table and queues, or brings them up to date; the data in them stays."""
    own = credentials(endpoint, account)
    dynamodb = boto3.client("dynamodb", **own)
    bring_data_up_to_date(boto3.client("cloudformation", **own), dynamodb, stage, template_of(stage))
    switch_on_expiry(dynamodb, f"visits-{stage}")


def bring_data_up_to_date(
    cloudformation: CloudFormationClient,
    dynamodb: DynamoDBClient,
    stage: str,
    template: dict[str, Any],
    role: str = "",
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The stage's data stack as the template has it; gives what was done, in words. Raises CannotGoOn.

    A template that is older than the deployed one changes nothing: live code may use what came since. One that takes
    something away without saying so is refused. A table that outlived an earlier stack is taken in again.
    New indexes come one after the other, and can be used afterwards.
    """
    name, wanted = data_stack_of(stage), with_names(template, stage)
    stations: Sequence[Mapping[str, Any]] = [wanted]
    if cloudformation.meta.endpoint_url.startswith("http://"):
        _allow_without_tls(wanted["Resources"])
    if before := deployed_template(cloudformation, name):
        deployed = with_names(before, stage)
        if goes_back(deployed, wanted):
            return f"{name} stays at version {version(deployed)}: this release is older, {version(wanted)}"
        refuse_losses(deployed, wanted)
        stations = steps(deployed, wanted)

    def judge(changes: Changes) -> None:
        refuse_replacements(changes, wanted)

    values = {"Stage": stage, **{key: it for key, it in parameters.items() if key in wanted["Parameters"]}}
    for station in stations:
        body = {"TemplateBody": json.dumps(station)}
        bring_up_to_date(cloudformation, name, body, values, adopt_existing=True, role=role, judge=judge)
        _wait_for_indexes(dynamodb, names_of(stage)[0])
    return f"{name} is at version {version(wanted)}"


def _allow_without_tls(resources: dict[str, Any]) -> None:
    """The embedded AWS knows no TLS, without which the policies let nobody at the queues and the bucket."""
    for name, resource in list(resources.items()):
        if not resource["Type"].endswith("Policy"):
            continue
        document = resource["Properties"]["PolicyDocument"]
        document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "EncryptedOnTheWay"]
        if not document["Statement"]:
            del resources[name]


def _wait_for_indexes(dynamodb: DynamoDBClient, table: str) -> None:
    """CloudFormation does not wait until an index has what the table has.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """

    def ready() -> bool | None:
        indexes = dynamodb.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
        return all(index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes) or None

    waited_for(f"A new index of {table}", ready)


def template_of(stage: str) -> dict[str, Any]:
    """The template, with the names of the stage's table and queues."""
    return with_names(json.loads(TEMPLATE.read_text(encoding="utf-8")), stage)


def with_names(template: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """A template with the names of table and queues written out: only so does CloudFormation look for them."""
    document: dict[str, Any] = json.loads(json.dumps(template))
    for resource in document["Resources"].values():
        for key in {"TableName", "QueueName"} & resource["Properties"].keys():
            name = resource["Properties"][key]
            # In one that was deployed they may be written out already.
            resource["Properties"][key] = name if isinstance(name, str) else name["Fn::Sub"].replace("${Stage}", stage)
    return document


def names_of(stage: str) -> tuple[str, list[str]]:
    """The names of the stage's table and of its queues."""
    properties = [resource["Properties"] for resource in template_of(stage)["Resources"].values()]
    (table,) = (each["TableName"] for each in properties if "TableName" in each)
    return table, [each["QueueName"] for each in properties if "QueueName" in each]


def data_stack_of(stage: str) -> str:
    return f"visits-data-{stage}"


TOLD_TO_APP: Final = ("StreamArn", "SignInIssuer")
"""The outputs that the app's template asks for, by the same names."""


def told_to_app(cloudformation: Any, stage: str) -> Mapping[str, str]:
    """What the app's template asks for: the stream of the stage's table, and where people sign in."""
    made = outputs(cloudformation, data_stack_of(stage))
    return {name: made[name] for name in TOLD_TO_APP}


def create_table(dynamodb: DynamoDBClient, stage: str) -> str:
    """Creates the stage's table alone, without CloudFormation, for tests; returns its name.

    Nothing expires in it: a test books by a clock of its own, and the emulator would remove by the real one.
    """
    properties = table_properties(stage)
    dynamodb.create_table(
        TableName=properties["TableName"],
        BillingMode=properties["BillingMode"],
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        GlobalSecondaryIndexes=properties["GlobalSecondaryIndexes"],
        StreamSpecification={
            "StreamEnabled": True,
            "StreamViewType": properties["StreamSpecification"]["StreamViewType"],
        },
    )
    name: str = properties["TableName"]
    return name


def table_properties(stage: str) -> dict[str, Any]:
    """The table's properties as the template states them."""
    properties: dict[str, Any] = template_of(stage)["Resources"]["Table"]["Properties"]
    return properties


def switch_on_expiry(dynamodb: DynamoDBClient, table: str) -> None:
    """ministack's CloudFormation ignores the template's TTL, so it is switched on afterwards."""
    if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
        ttl = table_properties("any")["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)


def credentials(endpoint: str, account: str = ACCOUNT) -> dict[str, Any]:
    """What a boto3 client of the embedded AWS is made with."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": account,
        "aws_secret_access_key": account,
        "config": QUICK,
    }


def any_client(endpoint: str, service: str) -> Any:
    """A client of whichever service, as the root of the embedded AWS, who is asked for no permission."""
    # The stubs know a client by its literal name alone.
    made: Any = boto3.client
    return made(service, **credentials(endpoint))
