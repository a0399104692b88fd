"""What a start loads: the least, and then what the function's first event asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.samples import BOOK, READ, batch, request
from chalicelib.domain.api_keys import Scope, make_key
from chalicelib.functions import FUNCTIONS, Function
from tools.project import REGION, ROOT

LOADED = """
import contextlib, json, sys
from botocore.exceptions import ClientError
import app
from chalicelib import container

class Refusing:
    def __getattr__(self, name):
        def refuse(**_):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return refuse

Refusing.exceptions = type("Exceptions", (), {"__getattr__": lambda *_: KeyError})()
container._dynamodb = Refusing
handler, event = json.loads(sys.stdin.read())
if handler:
    with contextlib.suppress(Exception):
        getattr(app, handler)(event, None)
print(json.dumps(sorted(sys.modules)))
"""
"""Every call to the store fails at once: by then everything that leads there is loaded."""

_, KEY = make_key("partner", [Scope.READ], datetime(2026, 11, 1, tzinfo=UTC))
VISIT = "01956a3c-0000-7000-8000-000000000000"
SHEET = {"Records": [{"eventName": "ObjectCreated:Post", "s3": {"object": {"key": f"uploads/{VISIT}", "size": 9}}}]}
CHANGE = {"eventID": "1", "dynamodb": {"Keys": {"pk": {"S": "K#1"}, "sk": {"S": "K"}}, "SequenceNumber": "1"}}


def message(body: object) -> Mapping[str, object]:
    return {"Records": [{"messageId": "1", "body": json.dumps(body), "attributes": {}, "messageAttributes": {}}]}


def loaded(handler: str, event: object) -> Sequence[str]:
    """The modules of an instance that has seen this event, or none yet."""
    environment = {"STAGE": "dev", "TABLE_NAME": "visits-dev", "QUEUE_NAME": "visits-dev", "AWS_REGION": REGION}
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        input=json.dumps([handler, event]),
        cwd=ROOT,
        env=environment | {"AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def of(package: str, modules: Sequence[str]) -> set[str]:
    return {each.rpartition(".")[2] for each in modules if each.rpartition(".")[0] == f"chalicelib.{package}"}


def test_the_app_alone_loads_no_subject() -> None:
    modules = loaded("", None)
    assert (of("api", modules), of("events", modules)) == (set(), set())
    assert of("services", modules) == {"wired"}
    assert of("repositories", modules) == {"items", "table"}
    assert "pydantic" not in modules


ONCE = ("idempotency", "signing_keys")


@pytest.mark.parametrize(
    ("event", "subjects", "use_cases"),
    [
        (READ, {"visits", "wishes"}, {"visits", *ONCE}),
        (BOOK, {"visits", "wishes"}, {"visits", *ONCE}),
        (
            request("GET", "/agents/{agent_id}", agent_id="ann"),
            {"agents", "availability", "wishes"},
            {"agents"},
        ),
        (request("GET", "/webhooks"), {"webhooks", "events"}, {"webhooks", "events"}),
        (request("GET", "/health"), {"service"}, set()),
    ],
    ids=["read", "book", "agent", "webhooks", "health"],
)
def test_a_route_loads_its_own_subject(event: Mapping[str, Any], subjects: set[str], use_cases: set[str]) -> None:
    modules = loaded("app", event)
    assert of("api", modules) == subjects
    assert of("services", modules) == use_cases | {"wired"}


LOADS: Mapping[Function, tuple[str, object, set[str], set[str]]] = {
    Function.API: ("app", READ, {"visits", "wishes"}, set()),
    Function.AUTHORIZER: (
        "bearer_key",
        {"type": "TOKEN", "methodArn": "arn:aws:execute-api:r:1:a/api/GET/visits", "authorizationToken": KEY.text},
        set(),
        {"pydantic", "uuid6"},
    ),
    Function.WORKER: ("work_off_queue", batch(1, 1), {"wishes"}, set()),
    Function.READER: ("read_sheet", message(SHEET), set(), {"pydantic"}),
    Function.RELAY: ("relay", {"Records": [CHANGE]}, {"events"}, set()),
    Function.DELIVER: ("deliver", message({"webhookId": VISIT}), {"events"}, set()),
    Function.NOTIFY: ("notify", message({"visitId": VISIT}), set(), {"pydantic"}),
    Function.REMIND: ("remind", {}, set(), {"pydantic"}),
}
"""Every function with an event of its kind: the subjects that load, and libraries that do not."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_loads_what_its_events_need(function: Function) -> None:
    handler, event, subjects, spared = LOADS[function]
    modules = loaded(handler, event)
    assert of("api", modules) == subjects
    assert not spared & {*modules}
