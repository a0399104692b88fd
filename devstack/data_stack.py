"""The table and the queues on the embedded AWS, from the same CloudFormation file that the real AWS gets."""

import json
import time
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from mypy_boto3_cloudformation import CloudFormationClient
from mypy_boto3_dynamodb import DynamoDBClient

from devstack.emulator import REGION, ROOT
from devstack.failure import CannotGoOn

TEMPLATE = ROOT / ".chalice" / "data.json"
# ministack: `test` is the account 000000000000; a key of 12 digits is an account of its own.
ACCOUNT = "test"
QUICK = Config(retries={"max_attempts": 3}, proxies={}, connect_timeout=5, read_timeout=30)


def create_data_stack(endpoint: str, stage: str, account: str = ACCOUNT) -> None:
    """Creates the stage's table and queues, or brings them up to date; the data in them stays."""
    cloudformation: CloudFormationClient = boto3.client("cloudformation", **credentials(endpoint, account))
    name = f"visits-data-{stage}"
    stack = {
        "StackName": name,
        "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
        "Parameters": [{"ParameterKey": "Stage", "ParameterValue": stage}],
    }
    _create_or_update(cloudformation, stack)
    description = _settled(cloudformation, name)
    if description["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        reason = description.get("StackStatusReason", "no reason given")
        raise CannotGoOn(f"The data stack {name} is {description['StackStatus']}: {reason}")
    switch_on_expiry(boto3.client("dynamodb", **credentials(endpoint, account)), f"visits-{stage}")


def create_table(dynamodb: DynamoDBClient, stage: str) -> str:
    """Creates the stage's table alone, without CloudFormation, for tests; returns its name."""
    properties = table_properties(stage)
    dynamodb.create_table(
        TableName=properties["TableName"],
        BillingMode=properties["BillingMode"],
        AttributeDefinitions=properties["AttributeDefinitions"],
        KeySchema=properties["KeySchema"],
        GlobalSecondaryIndexes=properties["GlobalSecondaryIndexes"],
    )
    switch_on_expiry(dynamodb, properties["TableName"])
    name: str = properties["TableName"]
    return name


def table_properties(stage: str) -> dict[str, Any]:
    """The table's properties as the template states them, its name made for this stage."""
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    properties: dict[str, Any] = template["Resources"]["Table"]["Properties"]
    return properties | {"TableName": properties["TableName"]["Fn::Sub"].replace("${Stage}", stage)}


def switch_on_expiry(dynamodb: DynamoDBClient, table: str) -> None:
    """ministack's CloudFormation ignores the template's TTL, so it is switched on afterwards."""
    if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
        ttl = table_properties("any")["TimeToLiveSpecification"]
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)


def _create_or_update(cloudformation: CloudFormationClient, stack: Mapping[str, Any]) -> None:
    try:
        cloudformation.create_stack(**stack)
        return
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
    try:
        cloudformation.update_stack(**stack)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise


def _settled(cloudformation: CloudFormationClient, name: str) -> dict[str, Any]:
    """The stack's description once nothing is in progress any more."""
    deadline = time.monotonic() + 60
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return dict(stack)
        if time.monotonic() > deadline:
            raise CannotGoOn(f"The data stack {name} did not come up within a minute.")
        time.sleep(0.1)


def credentials(endpoint: str, account: str = ACCOUNT) -> dict[str, Any]:
    """What a boto3 client of the embedded AWS is made with."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": account,
        "aws_secret_access_key": account,
        "config": QUICK,
    }
