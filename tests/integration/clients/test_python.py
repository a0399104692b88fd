"""What openapi-generator makes of the contract for Python; test_client.py has openapi-python-client."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.integration.clients.generators import TOURS, openapi_generator, tour


def test_a_client_of_openapi_generator_does_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    openapi_generator("python", tmp_path, "--package-name", "visits_client")
    tour([sys.executable, TOURS / "openapi_generator.py"], tmp_path, {**service, "PYTHONPATH": str(tmp_path)})
