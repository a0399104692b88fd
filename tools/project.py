"""Where the project is, and where its embedded AWS runs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


HOST = "127.0.0.1"


REGION = "eu-central-1"
