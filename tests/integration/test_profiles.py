"""The operator's commands with the profiles that operators have: single sign-on, an assumed role, a program's keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from chalicelib.domain.api_keys import Scope
from tests.integration.access import access_to
from tests.integration.intake import partner_message
from tools.deliver.data_stack import create_data_stack, credentials
from tools.project import HOST, REGION, ROOT

START = "https://agency.awsapps.com/start"
PROFILES = ["single-sign-on", "role", "program"]


class Portal(BaseHTTPRequestHandler):
    """The portal of single sign-on: gives the keys of the account to whoever has signed in."""

    def do_GET(self) -> None:
        signed_in = self.headers["x-amz-sso_bearer_token"] == "signed in"
        until = round((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
        keys = {"accessKeyId": "test", "secretAccessKey": "test", "sessionToken": "token", "expiration": until}
        self.send_response(200 if signed_in else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"roleCredentials": keys}).encode() if signed_in else b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    with ThreadingHTTPServer((HOST, 0), Portal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def client(aws: str) -> Any:
    """Of the table of a stage in an account, as far as the tools can tell."""
    create_data_stack(aws, "dev")
    return boto3.client("dynamodb", **credentials(aws))


def home(folder: Path) -> Path:
    """What `aws configure` and `aws sso login` have left there."""
    keys = {"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}
    (folder / "keys.json").write_text(json.dumps(keys))
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    token = {"startUrl": START, "region": REGION, "accessToken": "signed in", "expiresAt": until}
    (cache / f"{sha1(START.encode()).hexdigest()}.json").write_text(json.dumps(token))
    (folder / ".aws" / "config").write_text(f"""
[profile single-sign-on]
sso_start_url = {START}
sso_region = {REGION}
sso_account_id = 000000000000
sso_role_name = Operator
region = {REGION}

[profile role]
role_arn = arn:aws:iam::000000000000:role/Operator
source_profile = program
region = {REGION}

[profile program]
credential_process = cat "{folder / "keys.json"}"
region = {REGION}
""")
    return folder


def tool(aws: str, portal: str, home: Path, profile: str, module: str, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | {
        "HOME": str(home),
        "AWS_PROFILE": profile,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws,
        "AWS_ENDPOINT_URL_SSO": portal,
        "NO_PROXY": HOST,
    }
    command = [sys.executable, "-m", module, "--stage", "dev", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_a_key_is_rotated_with_any_profile(aws: str, portal: str, client: Any, tmp_path: Path, profile: str) -> None:
    """Which reads the table and writes into it; test_keys.py has the other commands."""
    access = access_to(client, "visits-dev")
    key, _ = access.issue(f"partner-{profile}", [Scope.READ])
    rotated = tool(aws, portal, home(tmp_path), profile, "tools.operate.keys", "rotate", "--name", key.name)
    assert access.authenticate(rotated.strip())


def test_dead_letters_are_discarded_with_a_profile(aws: str, portal: str, client: Any, tmp_path: Path) -> None:
    """With one: the queues' client finds its keys as the table's does."""
    sqs = boto3.client("sqs", **credentials(aws))
    dead = sqs.get_queue_url(QueueName="visits-dev-dead")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody=partner_message({"propertyId": "p1", "date": "2028-03-10T10:00:00Z"}))

    discard = ("tools.operate.redrive", "discard", "--queue", "intakes", "--yes")
    told = tool(aws, portal, home(tmp_path), "single-sign-on", *discard)

    assert "1 dead letter discarded" in told
    assert "0 left" in told
