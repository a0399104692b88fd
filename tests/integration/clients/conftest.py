"""The API for generated clients, with a worker behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from tests.integration.api import serve
from tests.integration.intake import mailbox, working

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


@pytest.fixture(scope="module")
def service(table: FreshTable) -> Iterator[Mapping[str, str]]:
    """The environment of a program that calls the API: where it is, and a key."""
    with mailbox(table) as box, serve(box.table) as served, working(box):
        key = served.http.headers["Authorization"].removeprefix("Bearer ")
        yield os.environ | {"VISITS_URL": str(served.http.base_url).rstrip("/"), "VISITS_KEY": key}
