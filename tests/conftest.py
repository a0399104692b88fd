"""Says at the top of a run what its figures rest on; packages the project once for all tests that look at it."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

from tools.deliver.package import copy_project, package, pinned_python
from tools.generate.policies import STAGES
from tools.project import ROOT


def pytest_report_header() -> str | None:
    wanted, here = (".".join(map(str, version[:2])) for version in (pinned_python(), sys.version_info))
    if here == wanted:
        return None
    return f"Python {wanted}, which goes to AWS, is not the Python of this environment: packages are built for {here}"


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a good part of every run is waiting."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Under `make coverage` the data is written now: pytest-xdist kills a worker that takes too long to end."""
    if "coverage" in sys.modules and (running := sys.modules["coverage"].Coverage.current()):
        running.save()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, which nobody changes while the tests run."""
    folder = tmp_path_factory.mktemp("snapshot") / "project"
    copy_project(ROOT, folder)
    return folder


@pytest.fixture(scope="session")
def packaged(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `make package` makes of it, by whichever of the test processes needs it first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out = folder / "package"
    with (folder / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "data.json").exists():  # which is written last
            package(STAGES, out, project=project)
    return out
