"""What the tests here look at: the package, deployed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.domain.api_keys import Scope
from tests.e2e.address import address_of
from tests.e2e.caller import Stage
from tests.e2e.words import InWords
from tests.integration.access import access_to

if TYPE_CHECKING:
    from tests.e2e.deployment import Deployment

KEY = "VISITS_KEY"
LEFT = "what cannot be deleted stays: properties e2e-test and e2e-test-calendar, cancelled visits, intakes (30 days)"
NOTHING = "nothing was booked: no key (KEY=<api key>)"
SCOPES = (Scope.READ, Scope.WRITE)
"""What the key of a pipeline is good for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--url", help="test_address.py: the stage to try (key: VISITS_KEY), instead of one on the emulator"
    )
    parser.addoption(
        "--patience", type=float, default=30, help="seconds until a stage that was deployed a moment ago has to answer"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Says at once that there is nothing to try, or nothing to try it with."""
    url = config.getoption("--url", default=None)
    if url is None:
        return
    if not re.fullmatch(r"https?://[^/\s]\S*", url):
        raise pytest.UsageError(f"'{url}' is not a URL: it must begin with https:// and name a host")
    if config.option.markexpr == "smoke":
        config.pluginmanager.register(InWords(config, url, LEFT if key() else NOTHING))
    elif not key():
        raise pytest.UsageError(
            f"it books and cancels: that takes a key with the scopes read and write (KEY= or {KEY}=)"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a key a smoke run only looks."""
    if config.getoption("--url", default=None) and not key():
        items[:] = [item for item in items if "guest" not in getattr(item, "fixturenames", ())]


def key() -> str:
    return os.environ.get(KEY, "").strip()


@pytest.fixture(scope="module")
def deployment(packaged: Path) -> Iterator[Deployment]:
    # Only here, for `make smoke`, which deploys nothing, to start the sooner.
    from tests.e2e.deployment import account

    with account() as own:
        yield own.deploy(packaged)


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage that `make e2e` was pointed to; in `make test` the package, deployed on the emulator."""
    url = request.config.getoption("--url", default=None)
    if url:
        yield Stage(url, key())
        return
    from tests.e2e.deployment import STACK

    deployment: Deployment = request.getfixturevalue("deployment")
    _, shown = access_to(deployment.client("dynamodb"), STACK).issue("e2e", SCOPES)
    with address_of(deployment.url, deployment.host) as address:
        yield Stage(address, shown.text)
