"""The stacks of a stage, SAM's short forms written out, and those that deploy them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.cicd.physical import Stack
from tools.deliver.package import expanded
from tools.deliver.release import stack_of
from tools.generate.templates import CONSOLE, PIPELINE, RELEASE

FURTHER = ("us-east-1", "ap-southeast-2")
"""Regions after the pipeline's own."""

CANARY = {"DeploymentType": "Canary10Percent5Minutes"}
"""As the pipeline deploys prod; then the release alarms are asked."""


@cache
def app(packaged: Path, stage: str, **parameters: str) -> Stack:
    """Written out once for all tests that ask for the same: a tenth of a second each."""
    template = json.loads((packaged / f"{stage}.json").read_text(encoding="utf-8"))
    return Stack(expanded(template, parameters), f"visits-{stage}", parameters)


def data(packaged: Path, stage: str) -> Stack:
    template = json.loads((packaged / "data.json").read_text(encoding="utf-8"))
    return Stack(template, f"visits-data-{stage}", {"Stage": stage})


@cache
def pipeline() -> Stack:
    """With all that it can have: prod in further Regions too."""
    parameters = {"GithubOwner": "agency", "GithubRepoName": "visits", "Regions": " ".join(FURTHER)}
    return Stack(json.loads(PIPELINE.read_text(encoding="utf-8")), "visits-pipeline", parameters)


def release(stage: str, provider: str, **more: str) -> Stack:
    """What `make release` has in the account of a stage, where the tokens are trusted already."""
    parameters = {"Stage": stage, "Provider": provider, "Repository": "agency/visits", "IssuerArn": "issuer", **more}
    return Stack(json.loads(RELEASE.read_text(encoding="utf-8")), stack_of(stage), parameters)


def boundary(stage: str) -> str:
    """What the pipeline's template calls the boundary of a stage's roles; and so on."""
    return f"{stage.title()}Boundary"


def data_role(stage: str) -> str:
    return f"{stage.title()}DataRole"


def app_role(stage: str) -> str:
    return f"{stage.title()}AppRole"


def console(stage: str) -> Stack:
    parameters = {"Stage": stage, "UserPool": "eu-central-1_Ab1"}
    return Stack(json.loads(CONSOLE.read_text(encoding="utf-8")), f"visits-console-{stage}", parameters)


def console_role(stage: str) -> str:
    return f"{stage.title()}ConsoleRole"


def data_release_role(stage: str) -> str:
    return f"{stage.title()}DataReleaseRole"


def of_type(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, worked out."""
    return {name: stack.properties(name) for name, resource in stack.resources.items() if resource["Type"] == kind}
