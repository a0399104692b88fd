"""What TypeScript makes of the contract: types by openapi-typescript with its default options, and typescript-fetch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.integration.clients.generators import MODULES, TOURS, node, openapi_generator, run, tour
from tools.generate.openapi import FILE

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
    "files": ["tour.ts"],
}


def test_types_of_openapi_typescript_do_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    run(node(MODULES / "openapi-typescript/bin/cli.js", FILE, "-o", tmp_path / "contract.d.ts"))
    toured("openapi_fetch.ts", tmp_path, service)


def test_a_client_of_typescript_fetch_does_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    openapi_generator("typescript-fetch", tmp_path / "client")
    toured("typescript_fetch.ts", tmp_path, service)


def toured(name: str, folder: Path, service: Mapping[str, str]) -> None:
    """Compiles the tour strictly beside what was generated, and runs it."""
    shutil.copy(TOURS / name, folder / "tour.ts")
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "tsconfig.json").write_text(json.dumps(COMPILED), encoding="utf-8")
    run(node(MODULES / "typescript/bin/tsc", "-p", folder))
    tour(node(folder / "out" / "tour.js"), folder, service)
