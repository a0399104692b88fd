"""What CloudFormation's own handlers ask for, as the schemas of the resource types say it; cfn-lint brings them."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.cicd.linters import FOLDER


@cache
def _schemas() -> Path:
    (found,) = (FOLDER.parent / "lib").glob("python3*/site-packages/cfnlint/data/schemas")
    return found


def permissions(kind: str, handlers: Iterable[str] = ("create", "read", "update", "delete")) -> set[str]:
    """The actions that a role needs for resources of the type; of a type that nobody knows it is a KeyError."""
    provided = json.loads((_schemas() / "providers" / "eu-central-1.json").read_text(encoding="utf-8"))
    schema = json.loads((_schemas() / "resources" / f"{provided[kind]}.json").read_text(encoding="utf-8"))
    asked = schema.get("handlers", {})
    return {action for handler in handlers for action in asked.get(handler, {}).get("permissions", [])}
