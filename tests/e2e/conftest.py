"""What every test here looks at: the package, made once of the project as it was when the tests began."""

from pathlib import Path

import pytest

from devstack.emulator import ROOT
from tools.package import copy_project, package

STAGES = ("dev", "beta", "prod")


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
