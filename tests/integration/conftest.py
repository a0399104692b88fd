"""An AWS for the tests: an emulator for each test process, a fresh table for each module."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from chalicelib.container import CLIENT
from devstack.emulator import emulator
from tests.builders import property_id
from tests.integration.persons import nobody_is_logged
from tools.deliver.data_stack import create_table, credentials
from tools.project import REGION

if TYPE_CHECKING:
    from tests.integration.api import Api

_stages = itertools.count(1)


@dataclass(frozen=True)
class FreshTable:
    """An empty table of its own, made from `.chalice/data.json`, and how to reach it."""

    name: str
    client: DynamoDBClient
    environment: dict[str, str]
    """What the app's settings read, as the stage `local` has it in `.chalice/config.json`."""

    @property
    def access(self) -> dict[str, Any]:
        """What a client of the table's account is made with, set as the container sets it."""
        account = credentials(self.environment["AWS_ENDPOINT_URL"], self.environment["AWS_ACCESS_KEY_ID"])
        return account | {"config": CLIENT}


def fresh_table(endpoint: str, account: str, stage: str) -> FreshTable:
    """Makes one in an account of the emulator."""
    client: DynamoDBClient = boto3.client("dynamodb", **credentials(endpoint, account))
    name = create_table(client, stage)
    environment = {
        "STAGE": stage,
        "TABLE_NAME": name,
        "QUEUE_NAME": name,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": account,
    }
    return FreshTable(name, client, environment)


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
    return fresh_table(aws, account, f"t{next(_stages)}")


@pytest.fixture
def house(api: Api) -> str:
    """A property of the test's own, for one visit at a time; the API is its module's."""
    return api.property(property_id())


@pytest.fixture(autouse=True)
def _nobody_is_logged() -> Iterator[None]:
    with nobody_is_logged():
        yield
