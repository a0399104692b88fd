"""What the tests here look at: the package, made once of the project as it was when the tests began, and deployed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.domain.api_keys import Scope
from tests.e2e.address import address_of
from tests.e2e.caller import Stage
from tests.e2e.deployment import STACK, Deployment, account
from tests.integration.access import access_to
from tools.deliver.package import copy_project, package
from tools.project import ROOT

STAGES = ("dev", "beta", "prod")
KEY = "VISITS_KEY"
SCOPES = (Scope.READ, Scope.WRITE)
"""What the key of a pipeline is good for."""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, which nobody changes while the tests run."""
    folder = tmp_path_factory.mktemp("snapshot") / "project"
    copy_project(ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make package` makes of it."""
    out = tmp_path_factory.mktemp("package")
    package(STAGES, out, project=project)
    return out


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--url", help="test_address.py: the stage to try (key: VISITS_KEY), instead of one on the emulator"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Says at once that there is nothing to try, or nothing to try it with."""
    url = config.getoption("--url", default=None)
    if url is None:
        return
    if not re.match("https?://[^/]", url):
        raise pytest.UsageError(f"'{url}' is not a URL: it must begin with https:// and name a host")
    if not os.environ.get(KEY, "").strip():
        raise pytest.UsageError(
            f"it books and cancels: that takes a key with the scopes read and write (KEY= or {KEY}=)"
        )


@pytest.fixture(scope="module")
def deployment(made: Path) -> Iterator[Deployment]:
    with account() as own:
        yield own.deploy(made)


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage that `make e2e` was pointed to; in `make test` the package, deployed on the emulator."""
    url = request.config.getoption("--url", default=None)
    if url:
        yield Stage(url, os.environ[KEY].strip())
        return
    deployment: Deployment = request.getfixturevalue("deployment")
    _, shown = access_to(deployment.client("dynamodb"), STACK).issue("e2e", SCOPES)
    with address_of(deployment) as address:
        yield Stage(address, shown.text)
