"""The operator's commands for keys, against the local stage's table."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.repositories.signing_keys import DynamoSigningKeys, signing_keys_key
from chalicelib.repositories.table import Table, serialized
from tests.integration.access import access_to
from tools.deliver.data_stack import create_data_stack, credentials
from tools.operate import keys as tool
from tools.project import ROOT

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client(aws: str) -> DynamoDBClient:
    create_data_stack(aws, "local")
    return boto3.client("dynamodb", **credentials(aws))


def keys(aws: str, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    port = str(urlsplit(aws).port)
    command = [sys.executable, "-m", "tools.operate.keys", "--stage", "local", "--aws-port", port, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_key_is_made_listed_rotated_and_revoked(aws: str, client: DynamoDBClient) -> None:
    access = access_to(client, "visits-local")
    made = keys(aws, "create", "--name", "partner", "--scopes", "read,write", "--expires", "90d")
    text = made.stdout.strip()
    key = access.authenticate(text)
    assert made.stdout == f"{text}\n"
    assert key is not None
    assert text not in made.stderr
    assert key.expires_at is not None
    assert (key.name, sorted(key.scopes), (key.expires_at - key.created_at).days) == ("partner", ["read", "write"], 90)
    kept = client.get_item(TableName="visits-local", Key=serialized(signing_keys_key()))
    assert "Item" in kept, "who writes the first mail of a stage may not make what it signs with"

    listed = keys(aws, "list").stdout
    assert key.id in listed
    assert "partner" in listed
    assert text.rpartition("_")[2] not in listed

    rotated = keys(aws, "rotate", "--name", "partner", "--overlap", "1h").stdout.strip()
    assert access.authenticate(rotated)
    assert access.authenticate(text)

    keys(aws, "revoke", "--id", key.id)
    assert access.authenticate(text) is None
    keys(aws, "revoke", "--name", "partner")
    assert access.authenticate(rotated) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--name", "a b", "--scopes", "read"),
        ("create", "--name", "partner", "--scopes", ""),
        ("create", "--name", "partner", "--scopes", "root"),
        ("create", "--name", "partner", "--scopes", "read", "--expires", "soon"),
        ("revoke", "--id", "0123456789abcdef"),
        ("revoke", "--name", ""),
        ("rotate", "--name", "stranger"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    client: DynamoDBClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setattr(tool, "enter", lambda stage, aws_port: None)
    monkeypatch.setattr(tool, "table_of", lambda settings: Table(client, "visits-local"))
    try:
        code: object = tool.main(["--stage", "local", *arguments])
    except SystemExit as refused:
        code = refused.code
    told = capsys.readouterr()
    assert code == 2
    assert told.err.strip()
    assert not told.out


@pytest.mark.parametrize(("module", "action"), [("tools.operate.keys", "list"), ("tools.operate.redrive", "list")])
def test_the_tables_and_queues_of_nobody_are_told_as_that(module: str, action: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    command = [sys.executable, "-m", module, "--stage", "dev", action]
    done = subprocess.run(command, cwd=ROOT, env=kept | nothing, capture_output=True, text=True)
    assert done.returncode == 2
    assert not done.stdout
    assert "There are no AWS credentials here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "silent"), [(["create", "--name", "a", "--scopes", "read"], True), (["list"], False)]
)
def test_what_may_have_been_done_is_not_told_as_none(
    aws: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    silent: bool,
) -> None:
    client = boto3.client("dynamodb", **credentials(aws))

    def unheard(request: AWSPreparedRequest, **_: object) -> None:
        raise ReadTimeoutError(endpoint_url=request.url)

    hook: Any = unheard
    for operation in ("PutItem", "Query"):
        client.meta.events.register(f"before-send.dynamodb.{operation}", hook)
    seconds = itertools.count()
    deaf = Table(client, "visits-local", sleep=lambda _: None, monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr(tool, "enter", lambda stage, aws_port: None)
    monkeypatch.setattr(tool, "table_of", lambda settings: deaf)
    assert tool.main(["--stage", "local", *arguments]) == 2
    told = capsys.readouterr()
    assert ("outcome is unknown" in told.err) == silent
    assert not told.out


def test_signing_keys_are_rotated_in_two_steps(aws: str, client: DynamoDBClient) -> None:
    repository = DynamoSigningKeys(Table(client, "visits-local"))
    before = repository.load()
    assert "is used from" in keys(aws, "rotate-signing").stderr
    after = repository.load()
    assert after.current == before.current
    assert len(after.secrets) == 2
    assert "wait ten minutes" in keys(aws, "rotate-signing", fails=True).stderr
