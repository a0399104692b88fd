"""The linters of templates and CI files, which have an environment of their own (tests/cicd/requirements.txt)."""

import os
import subprocess
from pathlib import Path
from typing import Final

from devstack.emulator import ROOT

FOLDER: Final = ROOT / ".venv-lint" / "bin"


def findings(tool: str, *arguments: str | Path) -> str:
    """What the linter finds, as it says it; empty when it is content."""
    quiet = os.environ | {"AWS_DEFAULT_REGION": "eu-central-1", "NO_COLOR": "1"}
    done = subprocess.run([FOLDER / tool, *arguments], capture_output=True, text=True, env=quiet, cwd=ROOT)
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip()
