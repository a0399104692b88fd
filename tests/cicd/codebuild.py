"""CodeBuild as far as our build specs go: their phases in order, in a folder, without Docker.

What a spec says beyond that is refused, rather than passed over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tools.project import ROOT, pinned_python

BUILD_SPEC: Final = "buildspec.yml"
DATA_SPEC: Final = "buildspec.data.yml"
CONSOLE_SPEC: Final = "buildspec.console.yml"
REGIONS_SPEC: Final = "buildspec.regions.yml"
TEST_SPEC: Final = "buildspec.test.yml"

PHASES: Final = ("install", "pre_build", "build")
KNOWN: Final = {"version", "env", "phases", "artifacts"}

NOT_CLONED: Final = (".git", ".state", *(ROOT / ".gitignore").read_text(encoding="utf-8").split())
ENVIRONMENTS: Final = (".venv", ".venv-aws", "console/node_modules")
FOREIGN: Final = ("AWS_", "VISITS_", "MAKE", "MFLAGS", "PYTEST_", "VIRTUAL_ENV")
"""What a build machine does not inherit from the test that plays it."""


@dataclass
class Build:
    """What became of a build."""

    failed: str | None = None
    """The phase that failed."""
    done: list[str] = field(default_factory=list)
    """The phases that went well."""
    said: str = ""
    artifacts: dict[str, Path] = field(default_factory=dict)


def spec_of(folder: Path, name: str) -> Any:
    return YAML(typ="safe").load(folder / name)


def run(folder: Path, spec_name: str, variables: Mapping[str, str]) -> Build:
    """Does what the spec says, in the folder; `variables` are the project's and the action's, and win over its own."""
    spec = spec_of(folder, spec_name)
    assert set(spec) <= KNOWN, f"what does CodeBuild do with {set(spec) - KNOWN}?"
    assert set(spec["phases"]) <= set(PHASES)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = {**inherited, **spec.get("env", {}).get("variables", {}), **variables}
    build = Build()
    for name in (each for each in PHASES if each in spec["phases"]):
        phase = spec["phases"][name]
        assert set(phase) <= {"runtime-versions", "commands"}
        commands = "\n".join(["set -e", *phase["commands"]])
        phase_done = subprocess.run(
            ["bash", "-c", commands],
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        build.said += phase_done.stdout
        if phase_done.returncode:
            build.failed = name
            return build
        build.done.append(name)
    if "artifacts" in spec:
        base = folder / spec["artifacts"].get("base-directory", ".")
        for pattern in spec["artifacts"]["files"]:
            found = [path for path in base.glob(pattern) if path.is_file()]
            assert found, f"there is no artifact {pattern}"
            build.artifacts |= {str(path.relative_to(base)): path for path in found}
    return build


def clean_clone(folder: Path) -> Path:
    """The repository as a build machine gets it: what Git keeps, without Git.

    The environments are borrowed, since `make` installed them before these tests: their content, and marks of our own
    that they are up to date, so that nothing here ever installs anything. Where they run on another Python than the one
    that goes to AWS, the clone says that theirs does: what is packaged is what this machine can package.
    """
    clone = folder / "clone"
    ignored = shutil.ignore_patterns(*(pattern.rstrip("/") for pattern in NOT_CLONED), ".chalice/deploy*")
    shutil.copytree(ROOT, clone, ignore=ignored)
    for name in (each for each in ENVIRONMENTS if (ROOT / each).is_dir()):
        (clone / name).mkdir()
        for part in (ROOT / name).iterdir():
            if part.name.startswith("."):
                (clone / name / part.name).touch()
            else:
                (clone / name / part.name).symlink_to(part)
    pyproject = clone / "pyproject.toml"
    wanted, here = (".".join(map(str, version[:2])) for version in (pinned_python(), sys.version_info))
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(text.replace(f'\npython = "{wanted}"', f'\npython = "{here}"'), encoding="utf-8")
    return clone
