"""What TypeScript makes of the contract: types by openapi-typescript with its default options, and typescript-fetch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.clients.generators import MODULES, TOURS, node, openapi_generator, run, tour
from tools.generate.openapi import FILE

CLIENTS = ("openapi_fetch", "typescript_fetch")
COMPILED = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "lib": ["es2022", "dom", "dom.iterable"],
        "module": "node16",
        "types": [],
        "skipLibCheck": True,
        "outDir": "out",
        "rootDir": ".",
    },
    "files": [f"{name}.ts" for name in CLIENTS],
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both tours, compiled strictly beside what was generated."""
    folder = tmp_path_factory.mktemp("typescript")
    run(node(MODULES / "openapi-typescript/bin/cli.js", FILE, "-o", folder / "contract.d.ts"))
    openapi_generator("typescript-fetch", folder / "client")
    for name in CLIENTS:
        shutil.copy(TOURS / f"{name}.ts", folder)
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "tsconfig.json").write_text(json.dumps(COMPILED), encoding="utf-8")
    run(node(MODULES / "typescript/bin/tsc", "-p", folder))
    return folder


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_in_typescript_does_the_tour(service: Mapping[str, str], compiled: Path, name: str) -> None:
    tour(node(compiled / "out" / f"{name}.js"), compiled, service)
