"""What is compared: our built package and the peers', unpacked as Lambda unpacks them, and instances of them.

Everything is made anew in a folder of this run: the boto3 of the runtime with its bytecode, as Lambda's images have it,
and a folder for each contender. A peer is built as its users build it (pip into a folder, or `chalice package`), which
ships no bytecode; it is measured a second time with bytecode made as ours is, so that nobody need ask.
"""

from __future__ import annotations

import compileall
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from types import MappingProxyType
from typing import Any, Final

from bench.stand_in import StandIn
from tools.deliver.package import package
from tools.project import REGION, ROOT

PEERS: Final = ROOT / "bench" / "peers"
STAGE: Final = "prod"

OURS: Final = "ours"
BARE: Final = "bare"

TITLES: Final = {
    OURS: "Property Visits",
    BARE: "bare handler, boto3 client",
    "chalice_tutorial": "Chalice as in its tutorial",
    "powertools": "Powertools, REST resolver",
    "fastapi_mangum": "FastAPI with Mangum",
}
SHARED: Final = {
    BARE: ("visits.py", "rules.py"),
    "chalice_tutorial": ("visits.py", "rules.py"),
    "powertools": ("visits.py", "models.py"),
    "fastapi_mangum": ("visits.py", "models.py"),
}
"""What a peer is made of beside its handler."""
PLAIN_PEERS: Final = tuple(SHARED)
"""All of them, as their users package them."""

_scratch: Final = tempfile.TemporaryDirectory(prefix="visits-bench-")
BUILD: Final = Path(_scratch.name)

OF_THE_RUNTIME: Final = ("boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six", "urllib3")


@dataclass(frozen=True)
class Contender:
    """A package, and the handler in it that Lambda would be told to call."""

    name: str
    folder: Path
    handler: str
    zip_file: Path
    bytecode: bool

    @property
    def title(self) -> str:
        return TITLES[self.name] + (" + bytecode" if self.bytecode and self.name != OURS else "")


@functools.cache
def runtime() -> Path:
    """The boto3 that Lambda brings, with its bytecode."""
    folder = _fresh("runtime")
    for name in OF_THE_RUNTIME:
        found = distribution(name)
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(found.locate_file(file)), folder / file)
    assert compileall.compile_dir(folder, quiet=1)
    return folder


@functools.cache
def ours() -> Contender:
    folder = _fresh(OURS)
    package([STAGE], folder / "package")
    return _unpacked(OURS, folder / "package" / "deployment.zip", "app.app", bytecode=True)


def peer(name: str, bytecode: bool = False) -> Contender:
    """A peer as its users package it, or with bytecode beside its sources."""
    return _with_bytecode(name) if bytecode else _as_packaged(name)


@functools.cache
def _with_bytecode(name: str) -> Contender:
    plain = _as_packaged(name)
    folder = BUILD / f"{name}+bytecode"
    shutil.copytree(plain.folder, folder)
    assert compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return replace(plain, folder=folder, bytecode=True)


@functools.cache
def _as_packaged(name: str) -> Contender:
    folder = _fresh(name)
    if name == "chalice_tutorial":
        return _unpacked(name, _packaged_by_chalice(folder / "package"), "app.app", bytecode=False)
    content = folder / "package"
    wanted = PEERS / name / "requirements.txt"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    into = ["--no-compile", "--no-deps", "--target", str(content), "--requirement", str(wanted)]
    subprocess.run([*pip, *into], check=True, capture_output=True)
    content.mkdir(exist_ok=True)
    for source in (PEERS / name / "handler.py", *(PEERS / shared for shared in SHARED[name])):
        shutil.copy(source, content)
    return _unpacked(name, _zipped(content, folder / "deployment.zip"), "handler.handler", bytecode=False)


def _packaged_by_chalice(project: Path) -> Path:
    """`chalice package` of a project as `chalice new-project` lays it out."""
    (project / ".chalice").mkdir(parents=True)
    (project / "chalicelib").mkdir()
    config = {"version": "2.0", "app_name": "visits", "stages": {"dev": {"api_gateway_stage": "api"}}}
    (project / ".chalice" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("app.py", "requirements.txt"):
        shutil.copy(PEERS / "chalice_tutorial" / name, project)
    (project / "chalicelib" / "__init__.py").touch()
    for shared in SHARED["chalice_tutorial"]:
        # Within `chalicelib` a module is imported by its full name.
        source = (
            (PEERS / shared).read_text(encoding="utf-8").replace("from visits import", "from chalicelib.visits import")
        )
        (project / "chalicelib" / shared).write_text(source, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("chalice")), "package", "."]
    environment = os.environ | {"AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    return project / "deployment.zip"


def _zipped(content: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(content.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(content))
    return target


def _unpacked(name: str, zip_file: Path, handler: str, bytecode: bool) -> Contender:
    folder = BUILD / name / "task"
    with zipfile.ZipFile(zip_file) as archive:
        archive.extractall(folder)
    return Contender(name, folder, handler, zip_file, bytecode)


def _fresh(name: str) -> Path:
    folder = BUILD / name
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class Called:
    """What an instance says of some calls: CPU of all, time of each, and the last result."""

    cpu_ns: int
    ns: Sequence[int]
    result: Any


class Instance:
    """A fresh process that is what Lambda's would be."""

    def __init__(
        self,
        contender: Contender,
        store: StandIn,
        under: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`under` is a command to run it under; the environment is what it has beside that of Lambda."""
        answers, ours_end = os.pipe()
        self.process = subprocess.Popen(
            [*under, sys.executable, "-S", "-P", "-s", str(ROOT / "bench" / "instance.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if under else None,
            env=lambdas_environment(store) | dict(environment),
            cwd=contender.folder,
            pass_fds=(ours_end,),
            text=True,
        )
        os.close(ours_end)
        self._answers = os.fdopen(answers)
        path = [str(contender.folder), str(runtime())]
        self._ask({"path": path, "port": store.port, "answers": ours_end})
        self._handler = contender.handler

    def load(self) -> Called:
        return Called(**self._ask({"load": self._handler}), result=None)

    def call(self, event: Mapping[str, Any], times: int = 1) -> Called:
        return Called(**self._ask({"event": event, "times": times}))

    def profile(self, event: Mapping[str, Any], times: int) -> Mapping[str, float]:
        """Seconds in the functions of every file, under Python's profiler."""
        files: Mapping[str, float] = self._ask({"profile": event, "times": times})["files"]
        return files

    def end(self) -> str:
        """What it wrote about errors, or what it ran under did."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        said = self.process.stderr.read() if self.process.stderr else ""
        self._answers.close()
        self.process.wait()
        return said

    def _ask(self, command: Mapping[str, Any]) -> Any:
        assert self.process.stdin is not None
        print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self._answers.readline()
        assert line, f"the instance ended with {self.process.wait()}"
        return json.loads(line)


@contextlib.contextmanager
def instance(
    contender: Contender, store: StandIn, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Instance]:
    running = Instance(contender, store, environment=environment)
    try:
        yield running
    finally:
        running.end()


def lambdas_environment(store: StandIn) -> dict[str, str]:
    """What Lambda's processes have, with fixed hashes so that instruction counts repeat."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_CA_BUNDLE": str(store.authorities),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2Vj" * 50,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": "visits-bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/visits-bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2027/01/01/[1]0",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "STAGE": STAGE,
        "TABLE_NAME": f"visits-{STAGE}",
        "QUEUE_NAME": f"visits-{STAGE}",
        "CORS_ORIGINS": "",
        "POWERTOOLS_SERVICE_NAME": "visits",
    }
