"""What the tests of the console look at: `make run`'s own stack without sample data, and a browser."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devstack.api import STAGE
from devstack.stack import stack
from tests.browser.desk import PATIENCE_SECONDS, Agency, Desk, Desks
from tools.deliver.cloudformation import outputs
from tools.deliver.data_stack import credentials, data_stack_of
from tools.operate.people import Pool
from tools.project import ROOT

CHROMIUM = ROOT / "build" / "browser" / "chromium"

_weeks = itertools.count(2)


@pytest.fixture(scope="session")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    """Everything that `make run` starts, empty, with the console as it was built last."""
    with running(tmp_path_factory.mktemp("agency")) as agency:
        yield agency


@contextlib.contextmanager
def running(state: Path) -> Iterator[Agency]:
    assert (ROOT / "build" / "console" / "index.html").exists(), "make console builds what is tested here"
    with stack(0, 0, state) as everything:
        for part in everything.parts:
            part.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(everything.url):
            assert time.monotonic() < deadline, "the API did not start"
            time.sleep(0.1)
        pool = _pool(everything.aws.endpoint)
        with contextlib.closing(Agency(everything.url, everything.key, everything.aws.endpoint, pool)) as agency:
            yield agency


def _pool(endpoint: str) -> Pool:
    told = outputs(boto3.client("cloudformation", **credentials(endpoint)), data_stack_of(STAGE))
    return Pool(boto3.client("cognito-idp", **credentials(endpoint)), told["UserPool"])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=10, verify=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    own = CHROMIUM / "chromium"
    path = os.environ.get("VISITS_CHROMIUM") or str(own)
    assert Path(path).exists(), "make build/browser/.unpacked brings the browser, VISITS_CHROMIUM=<path> names another"
    libraries = f"{CHROMIUM / 'lib'}{os.pathsep}{os.environ.get('LD_LIBRARY_PATH', '')}"
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, env={**os.environ, "LD_LIBRARY_PATH": libraries})
        yield started
        started.close()


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
