"""Says at the top of a run what its figures rest on; packages the project once for all tests that look at it."""

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.project import ROOT, pinned_python


def pytest_report_header() -> str | None:
    wanted, here = (".".join(map(str, version[:2])) for version in (pinned_python(), sys.version_info))
    if here == wanted:
        return None
    return f"Python {wanted}, which goes to AWS, is not the Python of this environment: packages are built for {here}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: some of every run is waiting."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Under `make coverage` the data is written now: pytest-xdist kills a worker that takes too long to end."""
    if "coverage" in sys.modules and (running := sys.modules["coverage"].Coverage.current()):
        running.save()


# What packages is imported where it is needed: `make smoke`, which comes by here, starts the sooner.


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, which nobody changes while the tests run."""
    from tools.deliver.package import copy_project

    folder = tmp_path_factory.mktemp("snapshot") / "project"
    copy_project(ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def packaged(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make package` makes of it."""
    from tools.deliver.package import package
    from tools.generate.policies import STAGES

    return _made_once("package", tmp_path_factory, lambda out: package(STAGES, out, project=project))


@pytest.fixture(scope="session")
def terraformed(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make terraform` makes of beta."""
    from tools.deliver.terraform import of_package

    return _made_once("terraform", tmp_path_factory, lambda out: of_package("beta", packaged, out))


def _made_once(name: str, tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """A folder that whichever of the test processes needs it first makes for all."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out, made = folder / name, folder / f"{name}.made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(out)
            made.touch()
    return out
