"""`make smoke`: a healthy service passes, again and from several sides at once; a broken one is told in clear lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from chalice.app import Chalice, Response
from chalice.config import Config

import app as entry
from chalicelib.domain.api_keys import Scope
from chalicelib.http.instants import instant_text
from devstack.emulator import free_port
from devstack.server import serving
from devstack.worker import QueueWorker, working
from tests.integration.access import access_to, bearer
from tests.integration.api import Api, serve
from tests.integration.conftest import FreshTable
from tests.integration.intake import mailbox
from tools.operate import smoke
from tools.project import HOST

Run = Callable[..., tuple[int, list[str]]]


@dataclass(frozen=True)
class Site:
    """The API with its worker at its work, and keys for it."""

    api: Api
    table: FreshTable

    @property
    def url(self) -> str:
        return str(self.api.http.base_url).rstrip("/")

    def key(self, *scopes: Scope) -> str:
        headers = bearer(access_to(self.api.dynamodb, self.table.name), scopes or Scope)
        return headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture(scope="module")
def site(table: FreshTable) -> Iterator[Site]:
    with mailbox(table, visibility=30) as box, serve(box.table) as api:
        worker = QueueWorker(entry.app.handler_map["work_off_queue"], box.sqs, box.table.environment["QUEUE_NAME"])
        with working(worker):
            yield Site(api, box.table)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs it as `make smoke` does, without waiting out a whole Retry-After; gives the exit code and the lines."""
    monkeypatch.setattr(smoke, "LONGEST_WAIT_SECONDS", 0.1)

    def run(url: str, key: str = "", patience: float = 5) -> tuple[int, list[str]]:
        monkeypatch.setenv("VISITS_KEY", key)
        capsys.readouterr()
        code = smoke.main(["--url", url, "--patience", str(patience), "--intake-seconds", "30"])
        told = capsys.readouterr()
        return code, [*told.out.splitlines(), *told.err.splitlines()]

    return run


def bad(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("✗")]


def test_a_healthy_service_passes_without_a_key_and_nothing_is_booked(site: Site, run: Run) -> None:
    code, lines = run(site.url)
    assert (code, bad(lines)) == (0, [])
    assert "- nothing was booked: no key (KEY=<api key>)" in lines
    assert lines[-1] == f"7 checks passed, 0 failed: {site.url}"


def test_a_healthy_service_passes_with_a_key_again_and_again_and_nothing_stays_booked(site: Site, run: Run) -> None:
    key = site.key(Scope.READ, Scope.WRITE)
    for _ in range(2):
        code, lines = run(site.url, key)
        assert (code, bad(lines)) == (0, [])
        assert lines[-1] == f"18 checks passed, 0 failed: {site.url}"
        assert key not in "".join(lines)
    assert held(site) == []


def held(site: Site) -> list[str]:
    """Visits of the smoke test that still hold their time."""
    now = datetime.now(UTC)
    years = {"from_": instant_text(now), "to": instant_text(now + timedelta(days=5 * 365))}
    answer = site.api.get("/visits", propertyId=smoke.PROPERTY_ID, **years)
    assert answer.status_code == 200, answer.text
    return [visit["id"] for visit in answer.json()["items"] if visit["status"] in ("requested", "confirmed")]


def test_several_at_once_do_not_disturb_each_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "LONGEST_WAIT_SECONDS", 0.1)
    key = site.key()

    def one(_: int) -> smoke.Report:
        return smoke.smoke(httpx.URL(site.url), key, 10, 60)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(one, range(4)))
    assert [report.failed for report in reports] == [0, 0, 0, 0]
    assert held(site) == []


def test_a_key_that_may_only_read_is_told_before_anything_is_booked(site: Site, run: Run) -> None:
    code, lines = run(site.url, site.key(Scope.READ))
    assert code == 1
    (line,) = bad(lines)
    assert line.startswith(
        "✗ the key is good for reading and writing: expected 201 or 412 for PUT /properties/smoke-test"
    )
    assert line.endswith("got 403 (urn:visits:problem:insufficient-scope)")


def test_an_address_where_nobody_is_is_told_in_a_line(run: Run) -> None:
    code, lines = run(f"http://{HOST}:{free_port()}", "pv_key", patience=0)
    assert code == 1
    (line,) = bad(lines)
    assert f"nobody answers at {HOST}" in line


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org", "https://", "http://[::1"])
def test_what_is_no_address_is_told_in_a_line(run: Run, url: str) -> None:
    code, lines = run(url)
    assert code == 1
    assert len(lines) == 1
    assert "is no address" in lines[0]


def test_another_website_at_the_address_is_told(run: Run) -> None:
    app = Chalice(app_name="other")

    @app.route("/health")
    def health() -> Response:
        return Response("<h1>Welcome, Ada</h1>", headers={"Content-Type": "text/html"})

    with serving(app, Config.create(app_name="other")) as url:
        code, lines = run(url, "pv_key", patience=0)
    assert code == 1
    assert bad(lines) == [
        "✗ the service and its store are well: expected application/json from GET /health, got text/html (200)"
    ]
    assert any(line.startswith("- not tried after that: the OpenAPI document is ours") for line in lines)
    assert "Ada" not in "".join(lines)


def json_answer(status: int, text: str) -> Callable[[httpx.Response], httpx.Response]:
    def make(answer: httpx.Response) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return httpx.Response(status, text=text, headers=headers, request=answer.request)

    return make


def without(header: str) -> Callable[[httpx.Response], httpx.Response]:
    def strip(answer: httpx.Response) -> httpx.Response:
        answer.headers.pop(header, None)
        return answer

    return strip


def with_header(header: str, value: str) -> Callable[[httpx.Response], httpx.Response]:
    def add(answer: httpx.Response) -> httpx.Response:
        answer.headers[header] = value
        return answer

    return add


BROKEN = [
    ("GET", "/openapi.json", json_answer(200, "{}"), "expected the title 'Property Visits', got None"),
    ("GET", smoke.NOWHERE, json_answer(403, '{"message":"Forbidden"}'), "expected 404 for GET /smoke-test"),
    ("GET", "/visits", json_answer(200, "{}"), "expected 401 for GET /visits, got 200"),
    ("OPTIONS", "/visits", with_header("Access-Control-Allow-Origin", "*"), "expected no leave for https://foreign"),
    ("GET", smoke.NOWHERE, without("Cache-Control"), "expected the header Cache-Control from GET /smoke-test"),
    ("POST", "/visits", with_header("Location", "/nowhere"), "✗ it is where its link leads: expected 200 for GET"),
    ("POST", "/visits", without("Idempotency-Replayed"), "expected the header Idempotency-Replayed"),
    ("PATCH", "/visits/", json_answer(502, ""), "✗ it moves to another time, seen by its version: expected 200"),
    ("GET", "/visits/export", json_answer(200, "{}"), "✗ it is in the export: expected text/csv"),
    ("GET", "/properties/smoke-test/busy", json_answer(200, '{"busy": [1]}'), "expected the taken times [], got [1]"),
]


LOST = [
    ("POST", "/visits", json_answer(500, "{}"), "✗ a visit is booked: expected 201 for POST /visits, got 500"),
    ("POST", "/visits", json_answer(201, "[]"), "✗ a visit is booked: expected a JSON object from POST /visits"),
    ("GET", "/intakes/", json_answer(200, '{"status": "done"}'), "row: an answer lacks 'links'"),
    ("POST", "/intakes", json_answer(503, "{}"), "✗ an intake is worked off, with a result for each row"),
]
"""What was booked is not known then, and stays: a time of a property that is none."""


@pytest.mark.parametrize(("method", "path", "breaks", "told"), [*BROKEN, *LOST])
def test_what_is_broken_is_told_in_a_line_and_what_was_booked_is_cancelled_all_the_same(
    site: Site,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    breaks: Callable[[httpx.Response], httpx.Response],
    told: str,
) -> None:
    request = httpx.Client.request

    def tampered(self: httpx.Client, asked: str, url: str, **more: Any) -> httpx.Response:
        answer = request(self, asked, url, **more)
        there = answer.request.url.path
        hit = asked == method and (there == path or (path.endswith("/") and there.startswith(path)))
        return breaks(answer) if hit and answer.status_code != 409 else answer

    before = held(site)
    # The tests' own client, which looks afterwards, is a real one.
    with monkeypatch.context() as patch:
        patch.setattr(httpx.Client, "request", tampered)
        code, lines = run(site.url, site.key(), patience=0)
    assert code == 1
    assert any(told in line for line in bad(lines)), lines
    if (method, path, breaks, told) not in LOST:
        assert held(site) == before
