"""The service runs in any partition of AWS (aws, aws-cn, aws-us-gov): nothing that we ship or deploy names one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tools.generate.policies import STAGES
from tools.project import ROOT

LITERAL: Final = re.compile(r"arn:aws[a-z-]*:")

DEPLOYED: Final = ("pipeline.json", "release.json", ".chalice/**/*.json")
SOURCES: Final = ("app.py", "chalicelib/**/*.py", "tools/**/*.py", "devstack/**/*.py")


def naming_one(files: list[Path]) -> list[str]:
    """Every line with a literal partition, by its file."""
    return [
        f"{file.name}: {line.strip()[:120]}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if LITERAL.search(line)
    ]


@pytest.mark.parametrize("pattern", [*DEPLOYED, *SOURCES])
def test_no_file_of_the_repository_names_a_partition(pattern: str) -> None:
    files = [file for file in ROOT.glob(pattern) if "deployments" not in file.parts and "deployed" not in file.parts]
    assert files
    assert naming_one(files) == []


def test_no_packaged_template_names_a_partition(packaged: Path) -> None:
    assert naming_one([packaged / f"{name}.json" for name in ("data", *STAGES)]) == []


def test_terraform_asks_which_partition_it_is(terraformed: Path) -> None:
    files = sorted(terraformed.glob("*.json"))
    assert len(files) == 6
    assert naming_one(files) == []
