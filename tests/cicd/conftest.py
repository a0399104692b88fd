"""What is deployed, packaged once for all that look at it."""

from pathlib import Path

import pytest

from tools.deliver.package import package
from tools.generate.policies import STAGES


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with deployment.zip, data.json and a template for each stage."""
    folder = tmp_path_factory.mktemp("package")
    package(STAGES, folder)
    return folder
