"""schemathesis against the whole app: every check, every operation, valid and invalid requests, and chains of them.

`make test` runs it with few examples; `make fuzz` with as many as FUZZ_EXAMPLES says, and another seed each time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.api import Api, serve
from tests.integration.intake import mailbox, working
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

FOLDER = ROOT / "tests" / "fuzz"
PROPERTIES = ("fuzzed-1", "fuzzed-2", "fuzzed-3")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "3")
SEED = os.environ.get("FUZZ_SEED", "20270314")


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    """The API with a worker behind it, and properties that bookings can be for."""
    with mailbox(table) as box, serve(box.table) as served, working(box):
        for id in PROPERTIES:
            served.property(id, capacity=1000)
        yield served


def test_the_api_keeps_its_contract_whatever_is_sent(api: Api, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    # From a file: at the address of a document it would call everything but that address.
    document.write_bytes(api.http.get("/openapi.json").content)
    run = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(FOLDER / "schemathesis.toml")),
            *("--no-color", "run", str(document), "--url", str(api.http.base_url), "--checks", "all"),
            *("-H", f"Authorization: {api.http.headers['Authorization']}"),
            # One worker: Python 3.11 cannot parse its own sources in two threads at once, which hypothesis does.
            *("--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1"),
            *("--continue-on-failure", "--generation-database", "none", "--no-shrink"),
        ],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
            "FUZZ_PROPERTIES": json.dumps(PROPERTIES),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    paths = api.http.get("/openapi.json").json()["paths"]
    operations = sum(len(methods) for methods in paths.values())
    assert f"Selected: {operations}/{operations}" in run.stdout, run.stdout
    assert re.search(rf"Tested: {operations}\b", run.stdout), run.stdout
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in run.stdout, run.stdout
