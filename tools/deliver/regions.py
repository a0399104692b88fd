"""A stage of `make deploy` in several Regions of an account: Chalice names and remembers things as if there were one.

IAM's roles belong to all Regions, so each Region's have its name at their end. What Chalice remembers of another
Region's deployment lies beside its file while it is at work in this one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from botocore.session import Session


def name_roles(session: Session, stage: str, region: str) -> None:
    """In every call to IAM from now on."""

    def named(**call: Any) -> None:
        params = call["params"]
        name = str(params.get("RoleName", ""))
        if name.startswith(f"visits-{stage}-") and not name.endswith(f"-{region}"):
            params["RoleName"] = f"{name}-{region}"

    session.register("before-parameter-build.iam", named, unique_id=f"roles-{stage}-{region}")


def recall(state: Path, region: str) -> None:
    """Lets Chalice find what it remembers of this Region: nothing, if it was at work in others only."""
    if state.exists() and (there := _region_of(state)) != region:
        state.replace(_beside(state, there))
    if not state.exists() and _beside(state, region).exists():
        _beside(state, region).replace(state)


def _region_of(state: Path) -> str:
    found = re.search(r"arn:[^:\"]+:lambda:([^:\"]+):", state.read_text(encoding="utf-8"))
    return found[1] if found else "nowhere"


def _beside(state: Path, region: str) -> Path:
    return state.with_name(f"{state.stem}.{region}.json")
