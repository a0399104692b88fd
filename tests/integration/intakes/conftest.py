"""A queue, a clock and an API for each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from chalicelib.container import utc_now
from tests.builders import Clock
from tests.integration.api import Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.intake import Mailbox, mailbox

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


@pytest.fixture
def box(table: FreshTable) -> Iterator[Mailbox]:
    """A queue of the test's own."""
    with mailbox(table) as box:
        yield box


@pytest.fixture(scope="module", autouse=True)
def _no_slot_is_leaked_or_lost(table: FreshTable) -> Iterator[None]:
    yield
    assert slot_audit(everything(table)) == []


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the app writes: its logger is Chalice's, which hands nothing on."""
    logger = logging.getLogger("visits")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def api(box: Mailbox, clock: Clock) -> Iterator[Api]:
    with serve(box.table, clock) as api:
        yield api
