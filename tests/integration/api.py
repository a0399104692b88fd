"""The whole API over HTTP in this process, on a table of the emulator, with what the tests may replace."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from chalice.config import Config

import app as entry
from chalicelib.aws.clients import client, signer_of_files
from chalicelib.container import OverTable, utc_now
from chalicelib.domain.public import Terms
from chalicelib.repositories.dead_letters import SqsDeadLetters
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.outbox import SesOutbox
from chalicelib.repositories.sheet_files import S3SheetFiles
from chalicelib.repositories.table import Table
from chalicelib.repositories.token_keys import PublishedKeys
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.repositories.webhook_queue import SqsWebhookQueue
from chalicelib.services.callers import Callers
from chalicelib.services.ports import Receivers
from chalicelib.services.wired import Services
from devstack.server import serving
from tests.agency import SENDER
from tests.contract import check
from tests.integration import persons
from tests.integration.access import access_to, bearer
from tests.people import ISSUER, published
from tools.deliver.data_stack import credentials
from tools.project import REGION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from chalicelib.services.ports import Recognition, SheetFiles
    from tests.integration.conftest import FreshTable

PROPERTY = {"name": "House", "address": "Lane 1", "price": 450000, "currency": "EUR", "timeZone": "Europe/Berlin"}
PATIENCE = httpx.Timeout(60)
TERMS = Terms(page=SENDER.page)


@dataclass(frozen=True)
class Api:
    """The API as its callers see it, and the services behind it."""

    http: httpx.Client
    services: Services
    dynamodb: DynamoDBClient

    def post(self, path: str, body: object, key: str | None = None) -> httpx.Response:
        return self.http.post(path, json=body, headers={"Idempotency-Key": key} if key else {})

    def put(self, path: str, body: object) -> httpx.Response:
        return self.http.put(path, json=body)

    def patch(self, path: str, body: object, match: str = "*") -> httpx.Response:
        return self.http.patch(path, json=body, headers={"If-Match": match})

    def get(self, path: str, **query: object) -> httpx.Response:
        params: Any = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return self.http.get(path, params=params)

    def property(self, id: str, **details: object) -> str:
        """Registers a property; gives back its id."""
        registered = self.post("/properties", PROPERTY | {"id": id} | details)
        assert registered.status_code == 201, registered.text
        return id

    def visit(self, property_id: str, date: str, **details: object) -> dict[str, Any]:
        """Books a visit that nothing is in the way of."""
        booked = self.post("/visits", {"propertyId": property_id, "date": date, **details})
        assert booked.status_code == 201, booked.text
        visit: dict[str, Any] = booked.json()
        return visit


def client_of(table: FreshTable) -> DynamoDBClient:
    """A client as the container makes it, with connections of its own."""
    made: DynamoDBClient = client("dynamodb", **table.access)
    return made


@functools.cache
def bucket_of_nobody(endpoint: str, account: str) -> str:
    """Where files of sheets go that no test looks at."""
    name = "sheets-of-nobody"
    place: Any = {"LocationConstraint": REGION}
    boto3.client("s3", **credentials(endpoint, account)).create_bucket(Bucket=name, CreateBucketConfiguration=place)
    return name


@contextlib.contextmanager
def serve(
    table: FreshTable,
    clock: Callable[[], datetime] = utc_now,
    visits: Callable[[Table], DynamoVisits] = DynamoVisits,
    receivers: Receivers | None = None,
    files: SheetFiles | None = None,
    recognition: Recognition | None = None,
    terms: Terms = TERMS,
) -> Iterator[Api]:
    """The API over the table while the block runs; the clock, the repository of visits and receivers can be others."""
    dynamodb, sqs = client_of(table), client("sqs", **table.access)
    # The authorizer is a Lambda function of its own: what it reads is not what a request reads.
    authorizer = client_of(table)
    store = Table(dynamodb, table.name)
    queue = SqsQueue(lambda: sqs, table.environment["QUEUE_NAME"])
    wakes = SqsWebhookQueue(lambda: sqs, f"{table.name}-webhooks.fifo")
    files = files or S3SheetFiles(
        lambda: client("s3", **table.access),
        lambda: signer_of_files(REGION, ("test", "test")),
        bucket_of_nobody(table.environment["AWS_ENDPOINT_URL"], table.environment["AWS_ACCESS_KEY_ID"]),
    )
    given = OverTable(store, queue, clock)
    given.visits, given.webhook_queue, given.files = visits(store), wakes, files
    given.dead_letters = SqsDeadLetters(lambda: sqs, table.name)
    given.notice_queue = SqsQueue(lambda: sqs, f"{table.name}-notices")
    given.outbox = SesOutbox(lambda: client("ses", **table.access))
    given.sender, given.terms = SENDER, terms
    if receivers is not None:
        given.receivers = receivers
    if recognition is not None:
        given.recognition = recognition
    services = Services(given)
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.closing(dynamodb),
        contextlib.closing(sqs),
        contextlib.closing(authorizer),
    ):
        patch.setattr(entry, "services", lambda: services)
        keys = access_to(authorizer, table.name)
        patch.setattr(entry, "callers", lambda: Callers(keys, ISSUER, PublishedKeys(published)))
        with (
            serving(entry.app, Config.create(app_name="visits")) as url,
            httpx.Client(
                base_url=url,
                timeout=PATIENCE,
                limits=httpx.Limits(max_connections=50),
                verify=False,  # http: the authorities are loaded for nothing, 40 ms each time
                headers=bearer(keys),
                event_hooks={"request": [persons.remember], "response": [check, persons.not_in_results]},
            ) as http,
        ):
            yield Api(http, services, dynamodb)
