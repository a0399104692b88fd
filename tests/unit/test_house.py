"""The rules of the house that no single module can keep: who imports whom, and who makes AWS clients."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app as entry
from chalicelib.functions import FUNCTIONS, Function
from tools.project import ROOT

OPERATED = sorted(path for folder in ("tools", "devstack") for path in (ROOT / folder).rglob("*.py"))
SHIPPED = [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(modules: set[str], package: str) -> set[str]:
    return {module for module in modules if module == package or module.startswith(f"{package}.")}


def test_imports_run_one_way() -> None:
    """The contracts are in pyproject.toml."""
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_entry_points_reach_storage_only_through_the_container() -> None:
    # import-linter knows packages only, and app.py is none.
    reached = imports(ROOT / "app.py")
    assert not within(reached, "chalicelib.repositories")
    assert not within(reached, "boto3") | within(reached, "botocore")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_container_makes_aws_clients(path: Path) -> None:
    # Who may ask `aws` for one is in pyproject.toml: the container alone.
    if path != ROOT / "chalicelib" / "aws" / "clients.py":
        assert not {"boto3", "boto3.session", "botocore.session"} & imports(path)


@pytest.mark.parametrize("path", OPERATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_tools_reach_aws_by_boto3_and_so_with_any_profile(path: Path) -> None:
    # The clients of the run time know neither single sign-on nor STS.
    run_time = {"chalicelib.aws.clients.client", "chalicelib.container.api_keys", "chalicelib.container.services"}
    assert not run_time & imports(path)


def test_every_function_is_in_the_list_and_configured_as_it_says() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    assert config["lambda_functions"] == {
        function: {"lambda_timeout": traits.timeout_seconds, "lambda_memory_size": traits.memory_mb}
        for function, traits in FUNCTIONS.items()
    }
    for name, stage in config["stages"].items():
        files = {function: of["iam_policy_file"] for function, of in stage.get("lambda_functions", {}).items()}
        assert files in ({}, {function: f"policies/{name}/{function}.json" for function in FUNCTIONS})
    app = entry.app
    handlers: list[Any] = [*app.event_sources, *app.builtin_auth_handlers, *app.pure_lambda_functions]
    assert {*FUNCTIONS} == {Function.API, *(handler.name for handler in handlers)}


def test_garbage_is_collected_again_once_the_app_is_loaded() -> None:
    loads = "import gc, app; assert gc.isenabled() and gc.get_freeze_count() > 10_000, 'never again'"
    done = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_whoever_turns_an_alias_back_clears_the_weights_of_its_canary() -> None:
    """UpdateAlias keeps the routing that it is not told of: a tenth of the calls would go on to the new version."""
    documents = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    texts = [path.read_text(encoding="utf-8").replace("\\\n", " ") for path in documents]
    commands = [line for text in texts for line in text.splitlines() if "aws lambda update-alias" in line]
    assert commands
    assert [line for line in commands if "--routing-config AdditionalVersionWeights={}" not in line] == []


BUILDS_ROUTES = ("route", "register")
"""What makes entry points of the others in app.py, and is none."""


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(first: ast.stmt, last: ast.stmt) -> int:
    return (last.end_lineno or last.lineno) - first.lineno + 1


def test_no_function_is_longer_than_a_screen() -> None:
    """Of what ships and of the tools: longer ones do more than one thing, or are data that belongs into a table."""
    bench = sorted((ROOT / "bench").rglob("*.py"))
    long = {
        f"{path.relative_to(ROOT)}: {function.name}": lines(function, function)
        for path in (*SHIPPED, *OPERATED, *bench)
        for function in functions(path)
        if lines(function, function) > 60
    }
    assert long == {}


def test_an_entry_point_is_three_lines_at_most() -> None:
    entry_points = [function for function in functions(ROOT / "app.py") if function.name not in BUILDS_ROUTES]
    bodies = {
        function.name: function.body[1 if ast.get_docstring(function) else 0 :] or function.body
        for function in entry_points
    }
    assert len(bodies) > 20
    assert {name: len(body) for name, body in bodies.items() if lines(body[0], body[-1]) > 3} == {}
