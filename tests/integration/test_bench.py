"""The benchmark: it runs, it says what it must, and what it compares does the same work."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore
import pytest

from bench import __main__ as bench
from bench.builds import BARE, OURS, PLAIN_PEERS, instance, ours, peer
from bench.report import TARGETS
from bench.stand_in import VISIT_ID, StandIn, canned
from bench.traffic import BOOK, GET
from tests.integration.conftest import FreshTable
from tests.integration.metering import Call, contents
from tools.project import ROOT

NOWHERE = StandIn(port=9, authorities=Path(botocore.__file__).parent / "cacert.pem")
"""For contenders that are told another address."""

WANTED = [
    "cold_cpu_vs_bare",
    "book_cpu_vs_bare",
    "get_cpu_vs_bare",
    "worker_rows_vs_sequential_5ms",
    "worker_write_units_vs_booking",
    "zip_bytes",
]
PEERS = ["chalice_tutorial", "powertools", "fastapi_mangum"]


def test_a_quick_run_answers_every_question(tmp_path: Path) -> None:
    bench.main(["--quick", "--out", str(tmp_path)])

    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    assert all(rows[name].keys() == {"name", "value", "unit"} and rows[name]["value"] > 0 for name in WANTED)
    assert rows["growth_calls_measured"]["value"] > 20
    assert rows["growth_calls_and_units_changed"]["value"] == 0
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "its figures mean nothing" in page
    for target in TARGETS:
        assert f"`{target.row}`" in page
    for question in bench.QUESTIONS:
        assert (tmp_path / f"{question}.svg").stat().st_size > 1000, f"the plot of {question}"


def test_the_report_that_is_committed_has_every_figure_that_was_asked_for() -> None:
    rows = {row["name"]: row["value"] for row in json.loads((ROOT / "bench" / "results.json").read_text())["rows"]}
    asked = {*(target.row for target in TARGETS), *(name for name in WANTED), "cold_vs_bare"}
    ratios = ("cold_vs_bare", "book_cpu_vs_bare", "get_cpu_vs_bare")
    assert asked | {f"{peer}_{ratio}" for peer in PEERS for ratio in ratios} <= rows.keys()
    page = (ROOT / "bench" / "results.md").read_text(encoding="utf-8")
    assert "quick run" not in page
    assert all(f"({question}.svg)" in page for question in bench.QUESTIONS)


@contextlib.contextmanager
def recording(endpoint: str, calls: list[Call]) -> Iterator[str]:
    """An address in front of the emulator that writes down what is asked of DynamoDB and what it says."""

    class Recorder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            kept = ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            with urllib.request.urlopen(urllib.request.Request(endpoint, asked, headers)) as response:
                answered = response.read()
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            calls.append(Call(operation, json.loads(asked), json.loads(answered)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def work_of(name: str, table: FreshTable) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """What a contender asks of the store to book and to read, what that costs, and what it answers."""
    for item in canned().values():
        table.client.put_item(TableName=table.name, Item=item)
    before, calls = contents(table.client, table.name), list[Call]()
    with recording(table.environment["AWS_ENDPOINT_URL"], calls) as address:
        environment = table.environment | {"AWS_ENDPOINT_URL": address}
        with instance(ours() if name == OURS else peer(name), NOWHERE, environment) as running:
            running.load()
            booked, read = running.call(BOOK).result, running.call(GET).result
    after = contents(table.client, table.name)
    made = [
        (
            call.operation,
            call.consistent,
            [next(iter(member)) for member in call.asked.get("TransactItems", [])],
            call.read_units,
            call.write_units(before, after),
        )
        for call in calls
    ]
    for added in after.keys() - before.keys():
        pk, sk = added.split(" ")
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    assert (booked["statusCode"], read["statusCode"]) == (201, 200), (booked, read)
    return made, json.loads(booked["body"]), json.loads(read["body"])


@pytest.mark.parametrize("name", PLAIN_PEERS)
def test_a_peer_does_the_same_work_as_we_do(table: FreshTable, name: str) -> None:
    our_calls, our_booking, our_visit = work_of(OURS, table)
    calls, booking, visit = work_of(name, table)

    assert our_calls == [
        ("Query", True, [], 1, 0),
        ("TransactWriteItems", False, ["Put", "Update", "Update", "Update"], 0, 10),
        ("GetItem", True, [], 1, 0),
    ]
    # A peer knows no rules: it gets the property alone, at the same price.
    assert calls == [("GetItem", True, [], 1, 0), *our_calls[1:]]
    assert visit == our_visit
    assert visit["id"] == VISIT_ID
    own = ("id", "createdAt", "updatedAt")
    assert booking.keys() == our_booking.keys()
    assert {k: v for k, v in booking.items() if k not in own} == {k: v for k, v in our_booking.items() if k not in own}


@pytest.mark.parametrize("name", PLAIN_PEERS)
def test_a_peer_refuses_what_we_refuse(name: str) -> None:
    wrong = [
        {"propertyId": "lake-house", "date": "2027-03-28T10:20:00"},
        {"propertyId": "lake house", "date": "2027-03-28T10:20:00Z"},
        {"propertyId": "lake-house", "date": "2027-03-28T10:20:00Z", "place": ""},
        {"propertyId": "lake-house", "date": "2027-03-28T10:20:00Z", "durationMinutes": 4},
        {"propertyId": "lake-house", "date": "2027-03-28T10:20:00Z", "visitor": {"name": "A", "email": "nobody"}},
        {"propertyId": "lake-house", "date": "2027-03-28T10:20:00Z", "unknown": 1},
    ]
    for contender in (ours(), peer(name)):
        with instance(contender, NOWHERE) as running:
            running.load()
            for body in wrong:
                answer = running.call({**BOOK, "body": json.dumps(body)}).result
                assert answer["statusCode"] in (400, 422), (contender.title, body, answer)


def test_a_contender_that_fails_is_no_result(table: FreshTable) -> None:
    with instance(peer(BARE), NOWHERE) as running:
        running.load()
        with pytest.raises(AssertionError, match="the instance ended"):
            running.call({**GET, "pathParameters": None})
