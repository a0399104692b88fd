"""schemathesis against the whole app: every check, every operation, valid and invalid requests, and chains of them.

`make test` runs it with few examples; `make fuzz` with as many as FUZZ_EXAMPLES says, and another seed each time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.api import Api, serve
from tests.integration.intake import Mailbox, instance, mailbox
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

FOLDER = ROOT / "tests" / "fuzz"
PROPERTIES = ("fuzzed-1", "fuzzed-2", "fuzzed-3")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "5")
SEED = os.environ.get("FUZZ_SEED", "20270314")


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    """The API with a worker behind it, and properties that bookings can be for."""
    with mailbox(table) as box, serve(box.table) as served, working(box):
        for id in PROPERTIES:
            served.property(id, capacity=1000)
        yield served


class working:  # noqa: N801 - reads as what it is for: with working(box)
    """Works off the queue beside the block."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        with instance(self._box) as worker:
            while not self._over.wait(0.1):
                if messages := self._box.receive():
                    worker.handle(messages)


def test_the_api_keeps_its_contract_whatever_is_sent(api: Api, tmp_path: Path) -> None:
    run = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(FOLDER / "schemathesis.toml")),
            *("--no-color", "run", f"{api.http.base_url}/openapi.json", "--checks", "all"),
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
