"""Where the project is, where its embedded AWS runs, and what it is packaged for."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


HOST = "127.0.0.1"


REGION = "eu-central-1"


def pinned_python() -> tuple[int, int]:
    """The one Python that is packaged for, from pyproject.toml."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    major, minor = pyproject["tool"]["visits"]["python"].split(".")
    return int(major), int(minor)
