"""pyproject.toml is the one list of dependencies: what is installed and what ships follow from it, from any index."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

from tools.project import ROOT

LOCKS: Final = sorted((ROOT / "locks").glob("*.txt"))
SHIPS: Final = ROOT / "requirements.txt"
OWN: Final = ("app", "chalicelib", "devstack", "tests", "tools")

OWNERS: Final = packages_distributions()
"""The distributions that bring what can be imported."""

ENTRANCES: Final = {
    "run": (
        "devstack.run",
        "devstack.stack",
        "devstack.seed",
        "tools.operate.importer",
        "tools.operate.keys",
        "tools.operate.redrive",
        "app",
    ),
    "deliver": (
        "tools.deliver.deploy",
        "tests.conftest",
        "tests.e2e.conftest",
        "tests.e2e.test_address",
        "tools.deliver.package",
        "tools.deliver.release",
        "tools.deliver.terraform",
    ),
}
"""What make starts in an environment that has only this group."""


def pins(lock: Path) -> dict[str, str]:
    """The version of each package that a lock names."""
    return dict(re.findall(r"^([\w.-]+)==([^ \n]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_locks_are_what_make_lock_makes_of_pyproject(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(SHIPS, tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    subprocess.run(["sh", ROOT / "devstack" / "lock.sh", tmp_path], check=True)
    for lock in (*LOCKS, SHIPS):
        made = tmp_path / lock.relative_to(ROOT)
        assert made.read_text(encoding="utf-8") == lock.read_text(encoding="utf-8"), "run `make lock`"


@pytest.mark.parametrize("lock", [*LOCKS, SHIPS], ids=lambda lock: lock.stem)
def test_a_lock_pins_contents_and_names_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text, "whoever has an index of their own could not install it"
    assert pins(lock)
    assert text.count("==") - text.count(" == ") >= len(pins(lock))
    for entry in re.split(r"\n(?=[\w.-]+==)", text)[1:]:
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("group", ["run", "deliver", "dev", "mutate"])
def test_what_shares_an_environment_agrees_on_every_version(group: str) -> None:
    everything = pins(ROOT / "locks" / "mutate.txt")
    assert pins(ROOT / "locks" / f"{group}.txt").items() <= everything.items()
    assert pins(SHIPS).items() <= pins(ROOT / "locks" / f"{group}.txt").items()


@pytest.mark.parametrize("group", ENTRANCES)
def test_a_group_has_whatever_its_commands_import(group: str) -> None:
    names = {name.lower().replace("_", "-") for name in pins(ROOT / "locks" / f"{group}.txt")}
    lacking = {
        (module, top)
        for module, top in imported(ENTRANCES[group])
        if not {owner.lower().replace("_", "-") for owner in OWNERS.get(top, [])} & names
    }
    assert lacking == set()


def imported(entrances: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every library that a module imports which is reached from the entrances, and that module."""
    seen: set[str] = set()
    waiting = list(entrances)
    while waiting:
        module = waiting.pop()
        if module in seen or not (file := file_of(module)):
            continue
        seen.add(module)
        for name in imports(ast.parse(file.read_text(encoding="utf-8")).body):
            top = name.split(".")[0]
            if top in OWN:
                waiting += [name, name.rpartition(".")[0]]
            elif top in OWNERS:
                yield module, top


def file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imports(body: list[ast.stmt]) -> Iterator[str]:
    """What code imports when it runs, within functions too; what only a type checker reads is left out."""
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
