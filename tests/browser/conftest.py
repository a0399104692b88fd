"""What the tests of the console look at: `make run`'s own stack without sample data, and a browser."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import boto3
import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devstack.api import STAGE
from devstack.server import listen
from devstack.stack import Part, Stack, stack
from tests.browser.desk import PATIENCE_SECONDS, Agency, Desk, Desks
from tools.deliver.cloudformation import outputs
from tools.deliver.data_stack import credentials, data_stack_of
from tools.operate.people import Pool
from tools.project import HOST, ROOT

CHROMIUM = ROOT / "build" / "browser" / "chromium"

_weeks = itertools.count(2)
_running = contextlib.ExitStack()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """What runs for the tests of this folder ends with the last of them: it would go on polling all the session."""
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        _running.close()


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Everything that `make run` starts, empty, with the console as it was built last."""
    assert (ROOT / "build" / "console" / "index.html").exists(), "make console builds what is tested here"
    everything = _running.enter_context(stack(0, 0, tmp_path_factory.mktemp("agency")))
    for part in everything.parts:
        part.start()
    _wait_for(everything.url)
    _mail_at_once(everything.aws.endpoint)
    return everything


def _mail_at_once(endpoint: str) -> None:
    """A stage waits five seconds before it tells a visitor of a change, for others that may follow."""
    with contextlib.closing(boto3.client("sqs", **credentials(endpoint))) as sqs:
        url = sqs.get_queue_url(QueueName=f"visits-{STAGE}-notices")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})


@pytest.fixture(scope="session")
def agency(everything: Stack) -> Agency:
    pool = _pool(everything.aws.endpoint)
    agency = Agency(everything.url, everything.key, everything.aws.endpoint, pool)
    return _running.enter_context(contextlib.closing(agency))


@pytest.fixture
def confirming(everything: Stack, agency: Agency) -> Iterator[Agency]:
    """The same agency through another API, which asks for confirmation by mail."""
    api, *_ = everything.parts
    with listen(0) as listener:
        number = listener.fileno()
        command = [str(number) if before == "--listener" else word for before, word in pairwise(["", *api.command])]
        part = Part("api", command, {**api.environment, "BOOKING_CONFIRM_MINUTES": "30"}, (number,))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        part.start()
        try:
            _wait_for(url)
            other = replace(agency, url=url)
            with contextlib.closing(other.http):
                yield other
        finally:
            part.stop()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(url):
        assert time.monotonic() < deadline, "the API did not start"
        time.sleep(0.1)


def _pool(endpoint: str) -> Pool:
    told = outputs(boto3.client("cloudformation", **credentials(endpoint)), data_stack_of(STAGE))
    return Pool(boto3.client("cognito-idp", **credentials(endpoint)), told["UserPool"])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=10, verify=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def browser() -> Browser:
    own = CHROMIUM / "chromium"
    path = os.environ.get("VISITS_CHROMIUM") or str(own)
    assert Path(path).exists(), "make build/browser/.unpacked brings the browser, VISITS_CHROMIUM=<path> names another"
    libraries = f"{CHROMIUM / 'lib'}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    playwright = _running.enter_context(sync_playwright())
    started = playwright.chromium.launch(executable_path=path, env={**os.environ, "LD_LIBRARY_PATH": libraries})
    return _running.enter_context(contextlib.closing(started))


@pytest.fixture
def desks(agency: Agency, browser: Browser) -> Iterator[Desks]:
    """Opens desks, and insists that none of them has complained."""
    opened = Desks(agency, browser)
    yield opened
    opened.close()


@pytest.fixture
def desk(desks: Desks, week: str) -> Desk:
    """The front desk of an agency in Berlin, at the week of the test."""
    return desks.open(f"#/agenda/week/{week}")


@pytest.fixture
def week() -> str:
    """The Monday of a week that no other test uses."""
    today = datetime.now(UTC).date()
    return (today - timedelta(days=today.weekday()) + timedelta(weeks=next(_weeks))).isoformat()
