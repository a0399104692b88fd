"""The stacks of a stage, SAM's short forms written out."""

import json
from pathlib import Path
from typing import Any

from tests.cicd.physical import Stack
from tools.package import expanded

CANARY = {"DeploymentType": "Canary10Percent5Minutes"}
"""As the pipeline deploys prod; then the release alarms are asked."""


def app(packaged: Path, stage: str, **parameters: str) -> Stack:
    template = json.loads((packaged / f"{stage}.json").read_text(encoding="utf-8"))
    return Stack(expanded(template, parameters), f"visits-{stage}", parameters)


def data(packaged: Path, stage: str) -> Stack:
    template = json.loads((packaged / "data.json").read_text(encoding="utf-8"))
    return Stack(template, f"visits-data-{stage}", {"Stage": stage})


def of_type(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, worked out."""
    return {name: stack.properties(name) for name, resource in stack.resources.items() if resource["Type"] == kind}
