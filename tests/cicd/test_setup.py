"""The way from python3 and make to an environment: which Python, which uv, and what is said where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tools.project import ROOT, pinned_python

PINNED: Final = "{}.{}".format(*pinned_python())
TOOLS: Final = ("sh", "sed", "sort", "dirname", "cmp", "rm", "cp", "mkdir", "touch")

MANAGERS: Final = {
    "pyenv": ".pyenv/versions/{}.4/bin",
    "uv": ".local/share/uv/python/cpython-{}.4-linux-x86_64-gnu/bin",
    "asdf": ".asdf/installs/python/{}.4/bin",
    "mise": ".local/share/mise/installs/python/{}.4/bin",
}


class Machine:
    """A machine with the tools that every machine has, and what a test puts on it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.project = folder / "the project"
        for made in (self.home, self.bin, self.project / "devstack"):
            made.mkdir(parents=True)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        for script in ("python.sh", "uv.sh", "venv.sh"):
            shutil.copy(ROOT / "devstack" / script, self.project / "devstack")
        shutil.copy(ROOT / "pyproject.toml", self.project)
        shutil.copytree(ROOT / "locks", self.project / "locks")

    def has(self, path: Path, script: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def has_python(self, path: Path, version: str) -> Path:
        """A Python that says it is of this version."""
        pretends = f"import collections, sys; sys.version_info = ({version.replace('.', ', ')}, 4)"
        return self.has(
            path,
            f"""[ "$1" != -V ] || {{ echo "Python {version}.4"; exit; }}
[ "$1" = -c ] || exit 1
shift; code=$1; shift
exec "{sys.executable}" -c "{pretends}
$code" "$@" """,
        )

    def runs(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        surroundings = {"PATH": str(self.bin), "HOME": str(self.home)} | variables
        command = ["sh", str(self.project / "devstack" / script), *arguments]
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, cwd=self.project)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("manager", MANAGERS)
def test_the_pinned_python_is_found_where_only_a_version_manager_has_it(machine: Machine, manager: str) -> None:
    machine.has_python(machine.bin / "python3", "3.11")
    machine.has_python(machine.bin / "python3.12", "3.12")
    there = machine.has_python(machine.home / MANAGERS[manager].format(PINNED) / f"python{PINNED}", PINNED)
    assert machine.runs("python.sh").stdout.strip() == str(there)


def test_the_newest_patch_of_the_pinned_python_is_taken(machine: Machine) -> None:
    for patch in (2, 11, 9):
        place = machine.home / ".pyenv" / "versions" / f"{PINNED}.{patch}" / "bin" / f"python{PINNED}"
        machine.has_python(place, PINNED)
    assert f"/{PINNED}.11/" in machine.runs("python.sh").stdout


def test_where_the_pinned_python_is_not_the_newest_that_fits_is_taken(machine: Machine) -> None:
    machine.has_python(machine.bin / "python3", "3.11")
    there = machine.has_python(machine.home / ".asdf/installs/python/3.12.1/bin/python3.12", "3.12")
    assert machine.runs("python.sh").stdout.strip() == str(there)


def test_a_command_that_does_not_work_is_passed_over(machine: Machine) -> None:
    machine.has(machine.bin / f"python{PINNED}", "echo 'not installed here' >&2; exit 127")
    there = machine.has_python(machine.bin / "python3", "3.11")
    assert machine.runs("python.sh").stdout.strip() == str(there)


@pytest.mark.parametrize("version", ["3.10", "3.15"])
def test_a_python_that_is_too_old_or_too_new_is_not_taken(machine: Machine, version: str) -> None:
    there = machine.has_python(machine.bin / "python3", version)
    assert machine.runs("python.sh").returncode == 1
    named = machine.runs("python.sh", PYTHON=str(there))
    assert (named.returncode, named.stdout) == (1, "")
    assert f"is Python {version}.4; this needs Python 3.11 to 3.14." in named.stderr


def test_a_python_that_is_named_is_taken(machine: Machine) -> None:
    machine.has_python(machine.bin / f"python{PINNED}", PINNED)
    there = machine.has_python(machine.home / "my python", "3.11")
    assert machine.runs("python.sh", PYTHON=str(there)).stdout.strip() == str(there)
    assert machine.runs("python.sh", "3.12", PYTHON=str(there)).returncode == 1


def test_an_installed_uv_is_used_as_it_is(machine: Machine) -> None:
    machine.has(machine.bin / "uv", 'echo "uv $*"')
    assert machine.runs("uv.sh", "pip", "list").stdout == "uv pip list\n"
    assert not (machine.project / ".venv-uv").exists()


def test_a_uv_that_refuses_the_project_is_replaced_by_ours_and_pip_brings_it_once(machine: Machine) -> None:
    machine.has(machine.bin / "uv", 'echo "Required uv version does not match" >&2; exit 2')
    machine.has(machine.bin / "python3", pip := pip_that_installs(machine))
    assert machine.runs("uv.sh", "pip", "list").stdout == "our uv pip list\n"
    machine.has(machine.bin / "python3", pip.replace("*install*)", "*install*) exit 1;;\n*never*)"))
    assert machine.runs("uv.sh", "pip", "list").stdout == "our uv pip list\n"


def pip_that_installs(machine: Machine) -> str:
    """A python3 whose pip puts a uv where it is told to, if it is told what the uv must be."""
    uv = machine.has(machine.home / "uv", 'echo "our uv $*"')
    return f"""case "$*" in
*--version*) ;;
*config*) exit 1 ;;
*install*)
    case "$*" in *--require-hashes*) ;; *) exit 1 ;; esac
    mkdir -p .venv-uv/uv/bin && cp "{uv}" .venv-uv/uv/bin/uv ;;
esac"""


def test_a_machine_with_neither_uv_nor_pip_is_told_what_to_install(machine: Machine) -> None:
    machine.has(machine.bin / "python3", "exit 1")
    done = machine.runs("venv.sh", ".venv", "run")
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_the_index_of_pip_is_uvs_index_too(machine: Machine) -> None:
    machine.has(machine.bin / "uv", 'echo "$UV_DEFAULT_INDEX"')
    machine.has(machine.bin / "python3", "echo https://packages.agency.example/simple")
    configured = machine.runs("uv.sh", "x").stdout
    assert configured == "https://packages.agency.example/simple\n"
    assert machine.runs("uv.sh", "x", UV_DEFAULT_INDEX="https://other.example").stdout == "https://other.example\n"
    assert machine.runs("uv.sh", "x", PIP_INDEX_URL="https://third.example").stdout == "https://third.example\n"


def test_make_without_a_fitting_python_says_which_ones_fit(machine: Machine) -> None:
    machine.has(machine.bin / "uv", '[ "$1" != python ]')
    machine.has_python(machine.bin / "python3", "3.9")
    done = machine.runs("venv.sh", ".venv", "run")
    assert done.returncode == 1
    assert "This needs Python 3.11 to 3.14" in done.stderr


def test_a_run_environment_in_a_folder_with_a_space_is_made_by_the_real_tools(machine: Machine) -> None:
    for tool in ("cat", "python3", "uname", "getconf", "ldd", "ls", "grep"):
        if place := shutil.which(tool):
            (machine.bin / tool).unlink(missing_ok=True)
            (machine.bin / tool).symlink_to(place)
    lock = machine.project / "locks" / "run.txt"
    entries = lock.read_text(encoding="utf-8").split("\nsix==")
    six = "six==" + entries[1].split("\ns3transfer")[0].split("\ntqdm")[0]
    lock.write_text(f"{six}\n", encoding="utf-8")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL", "MAKE"))}
    surroundings |= {"PYTHON": sys.executable, "PATH": os.environ["PATH"]}
    done = machine.runs("venv.sh", ".venv", "run", **surroundings)
    assert done.returncode == 0, done.stderr
    assert (machine.project / ".venv" / ".run").exists()
    python = machine.project / ".venv" / "bin" / "python"
    assert subprocess.run([python, "-c", "import six"]).returncode == 0
