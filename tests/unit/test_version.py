"""One version number: in pyproject.toml, the contract, the changelog and, where there is one, the tag."""

import json
import re
import shutil
import subprocess
import tomllib

from tools.project import ROOT


def test_the_version_is_the_same_wherever_it_is_named() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    contract = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    newest = re.search(r"^## (\S+) - (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert contract["info"]["version"] == newest[1] == version
    tags = tags_here()
    assert tags <= {f"v{version}"}
    assert not tags or newest[2] != "unreleased"


def tags_here() -> set[str]:
    """The version tags of this commit; none where the project has come without Git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return set()
    command = [git, "tag", "--points-at", "HEAD", "--list", "v[0-9]*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return set(done.stdout.split())
