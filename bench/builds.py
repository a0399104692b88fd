"""What is compared: our built package and the peers', unpacked as Lambda unpacks them, and instances of them.

A peer is built as its users build it (pip into a folder), which ships no bytecode; it is measured again with bytecode.
"""

from __future__ import annotations

import compileall
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Final, Self

from bench.stand_in import StandIn
from tools.project import REGION, ROOT

BENCH: Final = ROOT / "bench"
STAGE: Final = "prod"
OURS: Final = "ours"
BARE: Final = "bare"
PEERS: Final = (BARE, "chalice_tutorial", "powertools")
OF_THE_RUNTIME: Final = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")

_scratch: Final = tempfile.TemporaryDirectory(prefix="visits-bench-")
BUILD: Final = Path(_scratch.name)


@dataclass(frozen=True)
class Contender:
    """An unpacked package, and the handler in it that Lambda would be told to call."""

    name: str
    folder: Path
    handler: str

    @property
    def zip_file(self) -> Path:
        return self.folder.with_name("deployment.zip")


@functools.cache
def runtime() -> Path:
    """The boto3 that Lambda brings, with its bytecode."""
    folder = BUILD / "runtime"
    for found in map(distribution, OF_THE_RUNTIME):
        for file in (file for file in found.files or () if ".." not in file.parts and file.suffix != ".pyc"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            # The 2,000 descriptions of services stay where they are.
            put = shutil.copy if file.suffix == ".py" else os.symlink
            put(str(found.locate_file(file)), folder / file)
    assert compileall.compile_dir(folder, quiet=1)
    return folder


@functools.cache
def ours() -> Contender:
    _package(BUILD / OURS)
    return _unpacked(OURS, "app.app")


def _package(out: Path) -> None:
    # Not above: SAM's library takes half a second to load, and processes that measure something else come by here.
    from tools.deliver.package import package

    package([STAGE], out)


@functools.cache
def peer(name: str) -> Contender:
    """A peer as its users package it."""
    content = BUILD / name / "package"
    content.mkdir(parents=True)
    for source in (BENCH / "peers" / name / "handler.py", *(BENCH / "peers").glob("*.py")):
        shutil.copy(source, content)
    if (wanted := BENCH / "peers" / name / "requirements.txt").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        subprocess.run([*pip, "--no-deps", f"--target={content}", f"--requirement={wanted}"], check=True)
    shutil.make_archive(str(content.with_name("deployment")), "zip", content)
    return _unpacked(name, "handler.handler")


def _unpacked(name: str, handler: str) -> Contender:
    made = Contender(name, BUILD / name / "task", handler)
    shutil.unpack_archive(made.zip_file, made.folder)
    return made


@functools.cache
def with_bytecode(plain: Contender) -> Contender:
    folder = plain.folder.with_name("task+bytecode")
    shutil.copytree(plain.folder, folder)
    assert compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return replace(plain, folder=folder, name=f"{plain.name} + bytecode")


@functools.cache
def loader() -> Contender:
    """Our package, with a handler beside it that puts one visit after the other."""
    folder = BUILD / "loader"
    shutil.copytree(ours().folder, folder)
    (folder / "bench").mkdir()
    for name in ("__init__.py", "loader.py", "samples.py"):
        shutil.copy(BENCH / name, folder / "bench")
    return Contender("single puts", folder, "bench.loader.handler")


class Instance:
    """A fresh process that is what Lambda's would be, `own` in its environment, under a command such as a profiler."""

    def __init__(self, contender: Contender, store: StandIn, under: Sequence[str] = (), **own: str) -> None:
        answers, its_end = os.pipe()
        self._process = subprocess.Popen(
            [*under, sys.executable, "-S", "-P", "-s", str(BENCH / "instance.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if under else None,
            env={**lambdas_environment(store), **own},
            cwd=contender.folder,
            pass_fds=(its_end,),
            text=True,
        )
        os.close(its_end)
        self._answers = os.fdopen(answers)
        path = [str(contender.folder), str(runtime())]
        self._ask({"handler": contender.handler, "path": path, "port": store.port, "answers": its_end})

    def call(self, event: Mapping[str, Any] | None, times: int = 1) -> Any:
        """CPU and time of the calls, and the last result; the first call, or none at all, loads the handler."""
        return self._ask({"event": event, "times": times if event else 0})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> str:
        """What was written about errors where it runs under a command."""
        assert self._process.stdin
        self._process.stdin.close()
        said = self._process.stderr.read() if self._process.stderr else ""
        self._answers.close()
        self._process.wait()
        return said

    def _ask(self, command: Mapping[str, Any]) -> Any:
        assert self._process.stdin
        print(json.dumps(command), file=self._process.stdin, flush=True)
        line = self._answers.readline()
        assert line, f"the instance ended with {self._process.wait()}"
        return json.loads(line)


def lambdas_environment(store: StandIn) -> Mapping[str, str]:
    """What Lambda's processes have that matters, with fixed hashes so that instruction counts repeat."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "TZ": ":UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_CA_BUNDLE": str(store.authorities),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2Vj" * 50,
        "AWS_LAMBDA_FUNCTION_NAME": "visits-bench",
        "STAGE": STAGE,
        "TABLE_NAME": f"visits-{STAGE}",
        "QUEUE_NAME": f"visits-{STAGE}",
        "CORS_ORIGINS": "",
    }
