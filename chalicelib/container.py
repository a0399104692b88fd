"""Composition root: the only module that makes AWS clients and knows which repository serves which use case."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import boto3
from botocore.config import Config
from uuid6 import uuid7

from chalicelib.repositories.idempotency import DynamoIdempotencyRecords
from chalicelib.repositories.keys import DynamoSigningKeys
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.services.booking import Booking
from chalicelib.services.listing import Listing
from chalicelib.services.once import Once
from chalicelib.services.portfolio import Portfolio
from chalicelib.services.ports import (
    Clock,
    IdempotencyRecords,
    NewId,
    Properties,
    SigningKeys,
    Store,
    Visits,
)
from chalicelib.services.signing import Signer
from chalicelib.settings import Settings

CLIENT = Config(
    # Together with our own three seconds of patience this stays inside the gateway's 29 seconds.
    connect_timeout=2,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=50,
)


@dataclass(frozen=True)
class Services:
    """The use cases, wired."""

    booking: Booking
    portfolio: Portfolio
    listing: Listing
    signer: Signer
    store: Store


def utc_now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_id() -> str:
    return str(uuid7())


def wire(
    properties: Properties,
    visits: Visits,
    records: IdempotencyRecords,
    keys: SigningKeys,
    store: Store,
    clock: Clock = utc_now,
    new_id: NewId = new_id,
) -> Services:
    """Services over the given repositories: the real ones below, the fakes in the tests."""
    signer = Signer(keys, clock)
    once = Once(records, signer, clock)
    return Services(
        booking=Booking(properties, visits, once, clock, new_id),
        portfolio=Portfolio(properties, once, clock, new_id),
        listing=Listing(properties, visits, clock),
        signer=signer,
        store=store,
    )


@cache
def services() -> Services:
    """The services of this instance, made on the first request."""
    settings = Settings.from_environment(os.environ)
    table = Table(boto3.client("dynamodb", config=CLIENT), settings.table_name)
    return wire(
        properties=DynamoProperties(table),
        visits=DynamoVisits(table),
        records=DynamoIdempotencyRecords(table),
        keys=DynamoSigningKeys(table),
        store=table,
    )
