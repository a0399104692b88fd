"""An AWS for the tests: an emulator for each test process, a fresh table for each module."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from devstack.data_stack import create_table
from devstack.emulator import REGION, emulator
from tests.integration.persons import nobody_is_logged

_stages = itertools.count(1)


@dataclass(frozen=True)
class FreshTable:
    """An empty table of its own, made from `.chalice/data.json`, and how to reach it."""

    name: str
    client: DynamoDBClient
    environment: dict[str, str]
    """What the app's settings read, as the stage `local` has it in `.chalice/config.json`."""


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The endpoint of an embedded AWS without persistence; each xdist worker has its own."""
    with emulator() as running:
        yield running.endpoint


@pytest.fixture(scope="session")
def account() -> str:
    """The access key of an account that nobody else uses: 12 digits are an account of their own there."""
    return f"{secrets.randbelow(10**11) + 10**11}"


@pytest.fixture(scope="module")
def table(aws: str, account: str) -> FreshTable:
    """An empty table for this test module."""
    stage = f"t{next(_stages)}"
    client: DynamoDBClient = boto3.client(
        "dynamodb",
        endpoint_url=aws,
        region_name=REGION,
        aws_access_key_id=account,
        aws_secret_access_key=account,
    )
    name = create_table(client, stage)
    return FreshTable(
        name,
        client,
        {
            "STAGE": stage,
            "TABLE_NAME": name,
            "QUEUE_NAME": name,
            "AWS_ENDPOINT_URL": aws,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": account,
        },
    )


@pytest.fixture(autouse=True)
def _nobody_is_logged() -> Iterator[None]:
    with nobody_is_logged():
        yield
