"""What comes after a snapshot (SnapStart): processes that begin with the same memory are instances of their own.

A restored instance is not told that it is one, as a forked process is, in which Python seeds its generator anew. So the
generator is put back here to what it was when the snapshot was made, and the clock is put forward.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.domain.api_keys import Scope
from tests.integration.access import access_to
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

RESTORED_TWICE = """
import json, os, random, sys
from itertools import islice
from pathlib import Path

def all_sockets():
    links = (os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink() and file.exists())
    return {link for link in links if link.startswith("socket:")}

inherited = all_sockets()

import app as entry
from chalicelib import container
from chalicelib.domain import calendars, patience, webhooks

EVENT = {
    "resource": "/health", "path": "/health", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
    "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None, "body": None,
    "requestContext": {"resourcePath": "/health", "httpMethod": "GET", "requestId": "r"}, "isBase64Encoded": False,
}

def sockets():
    return sorted(all_sockets() - inherited)

def instance():
    random.setstate(generator)
    answered = entry.app(EVENT, None)
    return {
        "status": answered["statusCode"],
        "sockets": sockets(),
        "ids": [container.new_id() for _ in range(3)],
        "pauses": list(islice(patience.pauses(), 3)),
        "secrets": [webhooks.new_secret().hex(), calendars.new_token()],
    }

generator, id_before = random.getstate(), container.new_id()
found = {"before": sockets(), "id": id_before, "instances": []}
for _ in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(instance()).encode())
        os._exit(0)
    os.close(writing)
    found["instances"].append(json.loads(os.fdopen(reading).read()))
Path(sys.argv[1]).write_text(json.dumps(found))
"""

A_DAY_LATER = """
import json, os, sys, time
from datetime import datetime, timedelta
from pathlib import Path

ahead, running = 0, time.monotonic
time.monotonic = lambda: running() + ahead

class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=ahead)

from chalicelib import container
from chalicelib.repositories import signing_keys, token_keys
from tests.people import published

container.datetime = signing_keys.datetime = Clock

def fetch():
    fetched.append(1)
    return published()

fetched, pool = [], token_keys.PublishedKeys(fetch)
services, callers = container.services(), container.callers()

def seen():
    pool.find("a key that the pool has not")
    return {
        "now": container.utc_now().timestamp(),
        "signs with": services.signer.sign("snapshots", b"").key_id,
        "lets in": callers.authenticate(sys.argv[2]) is not None,
        "asked the pool": len(fetched),
    }

before = seen()
rotated = signing_keys.DynamoSigningKeys(services.store).rotate()
found = {"before": before, "at once": seen(), "new key": rotated.waiting[0], "instances": []}
for _ in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        ahead = 24 * 60 * 60
        os.write(writing, json.dumps(seen()).encode())
        os._exit(0)
    os.close(writing)
    found["instances"].append(json.loads(os.fdopen(reading).read()))
Path(sys.argv[1]).write_text(json.dumps(found))
"""


def went_on(script: str, table: FreshTable, said: Path, *given: str) -> dict[str, Any]:
    """What the script found out about its instances."""
    subprocess.run(
        [sys.executable, "-c", script, str(said), *given],
        cwd=ROOT,
        env=os.environ | table.environment | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def restored(table: FreshTable, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two instances did that were restored from one snapshot."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("only Linux tells a process's sockets there")
    return went_on(RESTORED_TWICE, table, tmp_path_factory.mktemp("snapshot") / "said.json")


def test_a_snapshot_has_no_connection(restored: dict[str, Any]) -> None:
    assert restored["before"] == []


def test_restored_instances_answer_over_connections_of_their_own(restored: dict[str, Any]) -> None:
    one, other = restored["instances"]
    assert (one["status"], other["status"]) == (200, 200)
    assert one["sockets"]
    assert not {*one["sockets"]} & {*other["sockets"]}


@pytest.mark.parametrize("drawn", ["ids", "pauses", "secrets"])
def test_restored_instances_draw_nothing_alike(restored: dict[str, Any], drawn: str) -> None:
    one, other = restored["instances"]
    assert len({*one[drawn], *other[drawn]}) == len(one[drawn]) + len(other[drawn])


def test_ids_after_a_restore_come_after_those_before(restored: dict[str, Any]) -> None:
    for instance in restored["instances"]:
        assert min(instance["ids"]) > restored["id"]


def test_instances_restored_a_day_later_know_that_it_is_a_day_later(table: FreshTable, tmp_path: Path) -> None:
    """Whatever a snapshot remembers, of keys and of when it asked last, is older than it says."""
    _, shown = access_to(table.client, table.name).issue("snapshots", [Scope.READ], timedelta(hours=1))
    found = went_on(A_DAY_LATER, table, tmp_path / "said.json", shown.text)
    before, at_once = found["before"], found["at once"]
    assert at_once | {"now": before["now"]} == before
    assert (before["lets in"], before["asked the pool"]) == (True, 1)
    for instance in found["instances"]:
        assert instance["now"] - before["now"] >= timedelta(days=1).total_seconds()
        assert instance["signs with"] == found["new key"] != before["signs with"]
        assert (instance["lets in"], instance["asked the pool"]) == (False, 2)
