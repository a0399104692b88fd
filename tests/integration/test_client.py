"""The README's tour, done with a client that openapi-python-client generates from the committed document."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.http.headers import XLSX
from tests.contract import check
from tests.integration.api import Api, serve
from tests.integration.intake import Mailbox, handle, mailbox
from tools.generate.openapi import FILE

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

PACKAGE = "generated_visits_client"
START = (datetime.now(UTC) + timedelta(days=10)).replace(hour=9, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def box(table: FreshTable) -> Iterator[Mailbox]:
    with mailbox(table) as found:
        yield found


@pytest.fixture(scope="module")
def api(box: Mailbox) -> Iterator[Api]:
    with serve(box.table) as served:
        yield served


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Generates the client; gives what imports a module of it."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.json"
    config.write_text(json.dumps({"content_type_overrides": {XLSX: "application/octet-stream"}}), encoding="utf-8")
    command = ["generate", "--path", str(FILE), "--meta", "none", "--output-path", str(folder / PACKAGE)]
    made = subprocess.run(
        [str(Path(sys.executable).parent / "openapi-python-client"), *command, "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    # All it may leave out: this generator knows no newline-delimited JSON.
    assert made.stdout.count("WARNING") <= 1, made.stdout
    assert made.stdout.count("application/x-ndjson") >= made.stdout.count("WARNING"), made.stdout
    sys.path.insert(0, str(folder))
    try:
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def test_the_document_is_served_to_anybody_as_it_is_committed(api: Api) -> None:
    first = httpx.get(f"{api.http.base_url}/openapi.json")
    again = httpx.get(f"{api.http.base_url}/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert first.json() == json.loads(FILE.read_text("utf-8"))
    assert first.headers["Content-Type"] == "application/json"
    assert (again.status_code, again.content) == (304, b"")


@pytest.fixture
def client(api: Api, generated: Callable[[str], Any]) -> Iterator[Any]:
    """The generated client, with a key, and with every answer checked."""
    token = api.http.headers["Authorization"].removeprefix("Bearer ")
    with generated("client").AuthenticatedClient(
        base_url=str(api.http.base_url),
        token=token,
        raise_on_unexpected_status=True,
        httpx_args={"event_hooks": {"response": [check]}},
    ) as made:
        yield made


def test_a_generated_client_does_the_tour(client: Any, box: Mailbox, generated: Callable[[str], Any]) -> None:
    models = generated("models")

    def call(operation: str, *path: str, **arguments: Any) -> Any:
        return generated(f"api.{operation}").sync_detailed(*path, client=client, **arguments)

    registered = call(
        "properties.register_property",
        body=models.RegisterPropertyInput(
            name="House by the lake",
            address="Seestraße 1, 14467 Potsdam",
            price=450000,
            currency=models.Currency.EUR,
            time_zone="Europe/Berlin",
            id="house-by-the-lake",
        ),
    )
    assert registered.status_code == 201
    house = registered.parsed.id

    def booking(number: int) -> Any:
        return models.BookVisitInput(property_id=house, date=START + timedelta(hours=number), place="At the door")

    booked = call("visits.book_visit", body=booking(0), idempotency_key="tour-1")
    again = call("visits.book_visit", body=booking(0), idempotency_key="tour-1")
    taken = call("visits.book_visit", body=booking(0))
    visit = booked.parsed
    assert isinstance(visit, models.Visit)
    assert visit.date == START
    assert again.parsed == visit
    assert again.headers["Idempotency-Replayed"] == "true"
    assert isinstance(taken.parsed, models.SlotTakenProblem)
    assert taken.parsed.conflicts[0].holder == models.SlotTakenProblemConflictsItemHolder.PROPERTY
    for number in range(1, 7):
        assert call("visits.book_visit", body=booking(number)).status_code == 201

    found, cursor = [], None
    while True:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        page = call("visits.list_visits", property_id=house, limit=3, **more).parsed
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [each.date for each in found] == [START + timedelta(hours=number) for number in range(7)]

    patch = models.ChangeVisitInput(date=START + timedelta(days=1))
    moved = call("visits.change_visit", visit.id, body=patch, if_match=booked.headers["ETag"])
    stale = call("visits.change_visit", visit.id, body=patch, if_match=booked.headers["ETag"])
    assert moved.parsed.id == visit.id
    assert moved.parsed.date == START + timedelta(days=1)
    assert isinstance(stale.parsed, models.PreconditionFailedProblem)

    cancelled = call(
        "visits.change_status",
        visit.id,
        body=models.StatusInput(status=models.StatusInputStatus.CANCELLED, reason="Rain"),
        if_match=moved.headers["ETag"],
    )
    assert cancelled.parsed.status == models.Status.CANCELLED
    assert cancelled.parsed.cancellation.reason == "Rain"

    rows = [
        models.RowInput(property_id=house, date=START + timedelta(days=2), external_id="crm-1"),
        models.RowInput(property_id="nowhere", date=START + timedelta(days=3), external_id="crm-2"),
    ]
    intake = call("intakes.hand_in", body=models.IntakeInput(visits=rows))
    assert intake.status_code == 202
    handle(box.receive())
    done = call("intakes.get_intake", intake.parsed.id).parsed
    results = call("intakes.list_results", intake.parsed.id).parsed.items
    assert done.status == models.IntakeStatus.DONE
    assert [result.status for result in results] == [models.RowOutcomeStatus.CREATED, models.RowOutcomeStatus.REJECTED]
    assert results[1].problem.type_ == "urn:visits:problem:property-not-found"

    for format, beginning in (("csv", b"id,"), ("xlsx", b"PK"), ("ics", b"BEGIN:VCALENDAR")):
        export = call("visits.export_visits", format_=models.ExportVisitsFormat(format), property_id=house)
        assert export.status_code == 200
        assert export.parsed.payload.read().startswith(beginning)
