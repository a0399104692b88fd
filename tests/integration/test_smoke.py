"""`make smoke`: a healthy stage passes, also from several sides at once; what is broken is told in words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from chalice.app import Chalice, Response
from chalice.config import Config

import app as entry
from chalicelib.container import utc_now
from chalicelib.domain.api_keys import Scope
from chalicelib.http.instants import instant_text
from devstack.emulator import free_port
from devstack.server import serving
from devstack.worker import QueueWorker, working
from tests.e2e.guest import PROPERTY_ID
from tests.integration.access import access_to, bearer
from tests.integration.api import Api, serve
from tests.integration.conftest import FreshTable
from tests.integration.intake import mailbox
from tools.deliver.release import smoke_command
from tools.project import HOST, ROOT

LOOKS = 8
TRIES = 6
FOREIGN = ("PYTEST_", "VISITS_")


@dataclass(frozen=True)
class Site:
    """The API with its worker at its work, and keys for it."""

    api: Api
    table: FreshTable

    @property
    def url(self) -> str:
        return str(self.api.http.base_url).rstrip("/")

    def key(self, *scopes: Scope) -> str:
        headers = bearer(access_to(self.api.dynamodb, self.table.name), scopes or (Scope.READ, Scope.WRITE))
        return headers["Authorization"].removeprefix("Bearer ")

    def held(self) -> list[str]:
        """Visits of smoke runs that still hold their time."""
        years = {"from_": instant_text(utc_now()), "to": instant_text(utc_now() + timedelta(days=5 * 365))}
        answer = self.api.get("/visits", propertyId=PROPERTY_ID, status="requested,confirmed", **years)
        assert answer.status_code == 200, answer.text
        return [visit["id"] for visit in answer.json()["items"]]


@pytest.fixture(scope="module")
def site(table: FreshTable) -> Iterator[Site]:
    with mailbox(table) as box, serve(box.table) as api:
        worker = QueueWorker(entry.app.handler_map["work_off_queue"], box.sqs, box.table.environment["QUEUE_NAME"])
        with working(worker):
            yield Site(api, box.table)


def smoke(url: str, key: str = "") -> tuple[int, list[str]]:
    """Runs it as `make smoke` does; gives the exit code and the lines."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    command = [*smoke_command(url), "--patience=0"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | {"VISITS_KEY": key},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line]


def bad(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("✗")]


def test_without_a_key_a_healthy_service_passes_and_nothing_is_booked(site: Site) -> None:
    code, lines = smoke(site.url)
    assert (code, bad(lines)) == (0, [])
    assert lines[-2:] == [
        "- nothing was booked: no key (KEY=<api key>)",
        f"{LOOKS} checks passed, 0 failed: {site.url}",
    ]


def test_with_a_key_a_healthy_service_passes_also_many_times_at_once_and_nothing_stays_booked(site: Site) -> None:
    key = site.key()
    with ThreadPoolExecutor(2) as pool:
        for code, lines in pool.map(lambda _: smoke(site.url, key), range(2)):
            assert (code, bad(lines)) == (0, [])
            assert lines[-1] == f"{LOOKS + TRIES} checks passed, 0 failed: {site.url}"
            assert key not in "".join(lines)
    assert site.held() == []


def test_a_key_that_may_only_read_is_told_before_anything_is_booked(site: Site) -> None:
    code, lines = smoke(site.url, site.key(Scope.READ))
    assert code == 1
    first, *_ = bad(lines)
    assert first.startswith("✗ before a visit is booked once and is where its link leads: PUT /properties/e2e-test")
    assert "got 403" in first


def test_what_is_broken_is_told_in_a_line_and_what_was_booked_is_cancelled_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Ada")

    monkeypatch.setattr(site.api.services.visits, "change", broken)
    code, lines = smoke(site.url, site.key())
    assert code == 1
    (told,) = bad(lines)
    assert told.startswith(
        "✗ a visit moves to another time for who has seen its version: expected 200 for PATCH /visits/"
    )
    assert "got 500" in told
    assert f"{LOOKS + TRIES - 1} checks passed, 1 failed: {site.url}" in lines
    assert "Ada" not in "".join(lines)
    assert "Traceback" not in "".join(lines)
    assert site.held() == []


def test_an_address_where_nobody_is_is_told_in_a_line() -> None:
    code, lines = smoke(f"http://{HOST}:{free_port()}", "pv_key")
    assert code == 1
    assert bad(lines)[0].startswith("✗ the service and its store are well: no answer to GET /health: ConnectError")


def test_another_website_at_the_address_is_told() -> None:
    app = Chalice(app_name="other")

    @app.route("/health")
    def health() -> Response:
        return Response("<h1>Welcome, Ada</h1>", headers={"Content-Type": "text/html"})

    with serving(app, Config.create(app_name="other")) as url:
        code, lines = smoke(url, "pv_key")
    assert code == 1
    assert bad(lines)[0] == "✗ the service and its store are well: GET /health is not about a well service"
    assert "Ada" not in "".join(lines)
