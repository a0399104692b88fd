"""Every store as the fakes have it and as DynamoDB does, and DynamoDB alone with a clock of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from chalicelib.domain.calendars import Owner
from chalicelib.repositories.agents import DynamoAgents
from chalicelib.repositories.availability import DynamoAvailability
from chalicelib.repositories.calendars import DynamoCalendars
from chalicelib.repositories.idempotency import DynamoIdempotency
from chalicelib.repositories.intakes import DynamoIntakes
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.public import DynamoPublic
from chalicelib.repositories.sheets import DynamoSheets
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.services.ports import AgentStore, CalendarStore, IntakeStore, PropertyStore, SheetStore, VisitStore
from tests.builders import agent_id, property_id
from tests.fake_sheets import FakeSheets
from tests.fakes import (
    FakeAgents,
    FakeAvailability,
    FakeCalendarTokens,
    FakeIdempotencyRecords,
    FakeIntakes,
    FakeProperties,
    FakePublic,
    FakeVisits,
    Memory,
)
from tests.integration.repositories.stores import Patience, Repositories, Store

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.integration.conftest import FreshTable


@pytest.fixture(params=["fake", "dynamodb"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    if request.param == "fake":
        memory = Memory()
        return Repositories(
            FakeProperties(memory),
            FakeVisits(memory),
            FakeIdempotencyRecords(memory),
            FakeIntakes(memory),
            FakeCalendarTokens(memory),
            FakeAvailability(memory),
            FakeAgents(memory),
            FakePublic(memory),
            FakeSheets(),
        )
    fresh: FreshTable = request.getfixturevalue("table")
    table = Table(fresh.client, fresh.name)
    return Repositories(
        DynamoProperties(table),
        DynamoVisits(table),
        DynamoIdempotency(table),
        DynamoIntakes(table),
        DynamoCalendars(table),
        DynamoAvailability(table),
        DynamoAgents(table),
        DynamoPublic(table),
        DynamoSheets(table),
    )


@pytest.fixture
def properties(repositories: Repositories) -> PropertyStore:
    return repositories.properties


@pytest.fixture
def visits(repositories: Repositories) -> VisitStore:
    return repositories.visits


@pytest.fixture
def house() -> str:
    """The id of a property where nobody has been yet."""
    return property_id()


@pytest.fixture
def agent() -> str:
    return agent_id()


@pytest.fixture
def intakes(repositories: Repositories) -> IntakeStore:
    return repositories.intakes


@pytest.fixture
def sheets(repositories: Repositories) -> SheetStore:
    return repositories.sheets


@pytest.fixture
def agents(repositories: Repositories) -> AgentStore:
    return repositories.agents


@pytest.fixture
def tokens(repositories: Repositories) -> CalendarStore:
    return repositories.tokens


@pytest.fixture(params=["property", "agent"])
def owner(request: pytest.FixtureRequest) -> Owner:
    return Owner(request.param, property_id())


@pytest.fixture
def store(table: FreshTable) -> Iterator[Store]:
    once: Any = {"config": Config(retries={"mode": "standard", "total_max_attempts": 1})}
    client: DynamoDBClient = boto3.client("dynamodb", **table.access | once)
    time = Patience()
    with contextlib.closing(client):
        yield Store(client, Table(client, table.name, time.sleep, time.monotonic), time)
