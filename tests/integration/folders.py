"""A copy of the project that deploys to an emulator, as somebody's folder deploys to their account."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.utils import OSUtils

from devstack.emulator import emulator
from tests.e2e.deployment import boto3_layer
from tools.deliver.data_stack import any_client
from tools.deliver.package import ZIP, copy_project
from tools.project import REGION, ROOT

BRIDGE = ROOT / "tests" / "integration" / "gateway_import.py"


@dataclass
class Folder:
    """A copy of the project, and the account that it deploys to."""

    path: Path
    endpoint: str
    layer: str
    """The boto3 that the real runtime has of its own."""
    stage: str = "dev"
    region: str = REGION

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True)

    def keys(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`make key` and its like; a stage whose functions are told of an endpoint is one on this machine."""
        port = str(urlsplit(self.endpoint).port)
        return self.run("tools.operate.keys", "--stage", self.stage, "--aws-port", port, *arguments)

    def deploy(self, status: int = 0) -> str:
        return self._tool(status, "deploy")

    def delete(self, *options: str, status: int = 0) -> str:
        return self._tool(status, "delete", *options)

    def _tool(self, status: int, action: str, *options: str) -> str:
        done = self.run("gateway_import", action, "--stage", self.stage, *options)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def has_packaged(self, packaged: Path) -> None:
        """What Chalice would make of the folder as it is, and takes a while for, is there already."""
        name_of = LambdaDeploymentPackager(OSUtils(), Mock(), Mock()).deployment_package_filename
        kept = Path(name_of(str(self.path), "python{}.{}".format(*sys.version_info)))
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(packaged / ZIP, kept)

    @property
    def environment(self) -> Mapping[str, str]:
        """As somebody has it who works with this account."""
        foreign = ("AWS_", "PYTHONPATH", "VISITS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": self.region,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @property
    def api_id(self) -> str:
        state = json.loads((self.path / ".chalice" / "deployed" / f"{self.stage}.json").read_text(encoding="utf-8"))
        (api,) = [each for each in state["resources"] if each["resource_type"] == "rest_api"]
        return str(api["rest_api_id"])

    @property
    def url(self) -> str:
        """Where the emulator's gateway has the API: its name tells them apart, as on AWS."""
        return f"http://{self.api_id}.execute-api.{self.endpoint.removeprefix('http://')}/api"

    def client(self, service: str) -> Any:
        return any_client(self.endpoint, service)


@contextlib.contextmanager
def folder_in(place: Path) -> Iterator[Folder]:
    """The copy, and an emulator of its own, while the block runs."""
    with emulator() as aws:
        functions = any_client(aws.endpoint, "lambda")
        layer = functions.publish_layer_version(LayerName="boto3", Content={"ZipFile": boto3_layer()})
        made = Folder(place / "project", aws.endpoint, layer["LayerVersionArn"])
        copy_project(ROOT, made.path)
        for name in ("tools", "devstack"):
            shutil.copytree(ROOT / name, made.path / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(BRIDGE, made.path)
        on_the_emulator(made.path, aws.endpoint, made.layer, made.stage)
        yield made


def on_the_emulator(project: Path, endpoint: str, layer: str, stage: str) -> None:
    """Tells the functions where their AWS is, and gives them the boto3 that the real runtime has of its own."""
    file = project / ".chalice" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["stages"][stage]["environment_variables"]["AWS_ENDPOINT_URL"] = endpoint
    config["stages"][stage]["layers"] = [layer]
    file.write_text(json.dumps(config), encoding="utf-8")
