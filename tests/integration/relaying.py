"""The relay over a table's stream, at work when a test says so."""

from __future__ import annotations

from typing import Any

import boto3

import app as entry
from devstack.stream import StreamPoller
from tests.integration.conftest import FreshTable
from tools.deliver.data_stack import credentials


def poller_of(table: FreshTable) -> StreamPoller:
    keys = {name: table.environment[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID")}
    # The stubs know a client by its literal name alone.
    make: Any = boto3.client
    streams = make("dynamodbstreams", **credentials(*keys.values()))
    return StreamPoller(lambda event, context: entry.relay(event, context), table.client, streams, table.name)
