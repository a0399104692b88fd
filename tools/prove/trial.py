"""The throwaway stage `trial`: made from a copy of the project, as `make deploy` makes dev."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import boto3
import httpx
from botocore.session import Session

from chalicelib.container import CLIENT, utc_now
from chalicelib.domain.api_keys import Scope
from chalicelib.functions import FUNCTIONS, Function
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.table import Table
from chalicelib.services.api_keys import ApiKeys
from tools.deliver.cloudformation import outputs
from tools.deliver.console import Console, origin_of
from tools.deliver.data_stack import data_stack_of
from tools.deliver.deploy import Stage, deploy, publish_console, stage_of
from tools.deliver.package import copy_project
from tools.generate.policies import TRIAL, log_group, policy
from tools.prove.sweep import PREFIX, Account

T = TypeVar("T")
Json = dict[str, Any]

PATTERN: Final = "dev"
"""The stage that the trial is made like."""

PATIENCE_SECONDS: Final = 180


class DoesNotHold(Exception):
    """What was seen is not what was claimed."""


class NotTried(Exception):
    """It cannot be tried here, and why."""


def expect(held: bool, seen: str) -> str:
    """What was seen. Raises DoesNotHold with it."""
    if not held:
        raise DoesNotHold(seen)
    return seen


@dataclass(frozen=True)
class Wishes:
    """What the trial is to try beyond what it can in any account."""

    console: str = ""
    """Whether CloudFront too, which takes a quarter of an hour to come and to go."""
    sender: str = ""
    """An address that SES may send from."""
    inbox: str = ""
    """An address that SES receives mail for."""


def trial_of(project: Path, copy: Path) -> Path:
    """A copy of the project that has the stage."""
    copy_project(project, copy)
    file = copy / ".chalice" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    pattern = json.dumps(config["stages"][PATTERN])
    for name in (f'"{PATTERN}"', f"visits-{PATTERN}", f"policies/{PATTERN}/"):
        pattern = pattern.replace(name, name.replace(PATTERN, TRIAL))
    config["stages"][TRIAL] = json.loads(pattern)
    file.write_text(json.dumps(config), encoding="utf-8")
    folder = copy / ".chalice" / "policies" / TRIAL
    folder.mkdir(parents=True)
    for function in FUNCTIONS:
        (folder / f"{function}.json").write_text(json.dumps(policy(function, TRIAL)), encoding="utf-8")
    return copy


class Trial(Account):
    """The deployed trial, for who looks whether a claim holds."""

    def __init__(self, session: Session, project: Path, wishes: Wishes) -> None:
        super().__init__(session)
        self.stage: Stage = stage_of(TRIAL, session, project)
        self.wishes = wishes
        self._address = ""

    def deploy(self) -> None:
        self._address = deploy(self.stage)

    @property
    def emulated(self) -> bool:
        return str(self.stage.cloudformation.meta.endpoint_url).startswith("http://")

    @property
    def data(self) -> Mapping[str, str]:
        """What the data stack says of itself."""
        return outputs(self.stage.cloudformation, data_stack_of(TRIAL))

    @cached_property
    def edge(self) -> httpx.Client:
        """CloudFront with the console, as anybody calls it. Raises NotTried when it was not asked for."""
        if not self.wishes.console:
            raise NotTried("CONSOLE=yes tries it, and takes half an hour more")
        session = boto3.Session(botocore_session=self.stage.session)
        publish_console(self.stage, self._address, Console.of_this_folder(TRIAL), session=session)
        return httpx.Client(base_url=origin_of(self.stage.cloudformation, TRIAL), timeout=60)

    @cached_property
    def table(self) -> Table:
        dynamodb: Any = self.stage.session.create_client("dynamodb", config=CLIENT)
        return Table(dynamodb, PREFIX)

    def new_key(self) -> str:
        """A key that nobody has seen yet, not even the gateway."""
        _, shown = ApiKeys(DynamoApiKeys(self.table), utc_now).issue("prove", frozenset(Scope), timedelta(hours=3))
        return shown.text

    @cached_property
    def http(self) -> httpx.Client:
        url = httpx.URL(self._address)
        headers = {"Authorization": f"Bearer {self.new_key()}"}
        if self.emulated:
            # Its gateway tells APIs apart by a name that leads nowhere.
            behind = httpx.URL(str(self.stage.cloudformation.meta.endpoint_url))
            headers["Host"] = f"{url.host.partition('.')[0]}.execute-api.{behind.netloc.decode()}"
            url = behind.copy_with(path=url.path)
        return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=not self.emulated)

    def answer(self, status: int, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """The answer, if it has this status."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.http.request(method, path, json=body, headers=given)
        if answer.status_code != status:
            raise DoesNotHold(f"{method} {path} is a {answer.status_code}: {answer.text[:200]}")
        return answer

    def problem(self, status: int, method: str, path: str, content: bytes | None = None, **headers: str) -> str:
        """The slug of the problem document that is answered."""
        given = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        answer = self.http.request(method, path, content=content, headers=given)
        kind = answer.headers.get("Content-Type", "no type")
        if (answer.status_code, kind) != (status, "application/problem+json"):
            raise DoesNotHold(f"{method} {path} is a {answer.status_code} of {kind}: {answer.text[:200]}")
        return str(answer.json()["type"]).rpartition("/")[2]

    def house(self) -> str:
        """A new property."""
        body = {"name": "Trial", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
        return str(self.answer(201, "POST", "/properties", body).json()["id"])

    def function(self, function: Function) -> str:
        return log_group(function, TRIAL).rpartition("/")[2]

    def invoke(self, path: str, version: str = "$LATEST") -> Mapping[str, Any]:
        """Calls the API's function itself, as the gateway does; what Lambda says of it too."""
        event = {
            "resource": path,
            "path": path,
            "httpMethod": "GET",
            "headers": {},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {"resourcePath": path, "httpMethod": "GET", "requestId": secrets.token_hex(8)},
            "body": None,
            "isBase64Encoded": False,
        }
        name = self.function(Function.API)
        said: Mapping[str, Any] = self.client("lambda").invoke(
            FunctionName=name, Qualifier=version, LogType="Tail", Payload=json.dumps(event)
        )
        if "FunctionError" in said:
            raise DoesNotHold(f"{name} fails: {said['Payload'].read()[:200]!r}")
        return said

    def configure(self, function: Function, **changes: Any) -> None:
        self.client("lambda").update_function_configuration(FunctionName=self.function(function), **changes)
        self.settled(function)

    def settled(self, function: Function) -> None:
        def done() -> bool | None:
            said = self.client("lambda").get_function_configuration(FunctionName=self.function(function))
            return said.get("LastUpdateStatus", "Successful") == "Successful" or None

        until("Lambda has taken the change", done)

    @contextlib.contextmanager
    def told(self, function: Function, **variables: str) -> Iterator[None]:
        """The function is told something else while the block runs."""
        name = self.function(function)
        usual = self.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        try:
            self.configure(function, Environment={"Variables": usual | variables})
            yield
        finally:
            self.configure(function, Environment={"Variables": usual})

    def queue_url(self) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=PREFIX)["QueueUrl"])


def until(what: str, found: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Looks until it is found. Raises DoesNotHold when that takes too long."""
    deadline, pause = time.monotonic() + seconds, 0.1
    while (it := found()) is None:
        if time.monotonic() > deadline:
            raise DoesNotHold(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 5)
    return it
