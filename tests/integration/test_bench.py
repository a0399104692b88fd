"""The benchmark: it runs, it says what it must, and what it compares does the same work."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore
import pytest

from bench import builds
from bench.__main__ import QUESTIONS, answered
from bench.builds import BARE, OURS, PEERS, Instance, ours, peer
from bench.report import page
from bench.rows import QUICK
from bench.samples import BOOK, READ, VISIT_ID
from bench.stand_in import StandIn, canned
from tests.integration.conftest import FreshTable
from tests.integration.metering import Call, contents
from tools.project import ROOT

NOWHERE = StandIn(port=9, authorities=Path(botocore.__file__).parent / "cacert.pem")
"""For contenders that are told another address."""


@pytest.fixture(autouse=True)
def _made_already(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our package is the one of the whole run."""

    monkeypatch.setattr(builds, "_package", lambda out: shutil.copytree(packaged, out))


def test_a_quick_run_answers_every_question() -> None:
    found = answered(list(QUESTIONS), QUICK)

    for question, rival, baseline in [("cold", OURS, BARE), ("warm", OURS, BARE), ("intake", "worker", "single puts")]:
        ratios = {one.rival: one.ratio or 0 for one in found[question]}
        assert ratios[baseline] == 1
        assert ratios[rival] > 0
    # Whatever the table holds, a call asks for the same; and that it asks for something was seen.
    assert {one.ratio for one in found["growth"]} == {1}
    assert {one.value for one in found["growth"] if one.figure == "calls"} > {1, 2}
    spike = {one.figure: one.value for one in found["spike"]}
    assert spike["visits"] == spike["accepted"] > 0
    assert (spike["lost"], spike["doubled"]) == (0, 0)
    for rival in ("beside a dead one", "without"):
        told = {one.figure: one.value for one in found["deliveries"] if one.rival == rival}
        assert (told["lost"], told["out of order"], told["forged"]) == (0, 0, 0)
        assert told["posted"] > told["events"] > told["visits"], "nothing went wrong on the way"
        assert told["came again, dropped by id"] > 0
        assert bool(told["tries of the dead one"]) == (rival != "without")
    shown = page(found, QUESTIONS, "make bench QUICK=1")
    assert all(question.title in shown for question in QUESTIONS.values())
    assert shown.count("not measured") == 1, "instructions are not counted in a quick run"


@pytest.mark.parametrize("question", ["cold", "warm", "intake", "growth", "package"])
def test_the_report_that_is_committed_answers_what_the_documentation_rests_on(question: str) -> None:
    shown = (ROOT / "bench" / "results.md").read_text(encoding="utf-8")
    assert f"## {QUESTIONS[question].title}\n" in shown
    assert "mean nothing" not in shown


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
        with Instance(ours() if name == OURS else peer(name), NOWHERE, **environment) as running:
            booked, read = (running.call(event)["result"] for event in (BOOK, READ))
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


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_does_the_same_work_as_we_do(table: FreshTable, name: str) -> None:
    our_calls, our_booking, our_visit = work_of(OURS, table)
    calls, booking, visit = work_of(name, table)
    for told in (our_booking, our_visit):
        for more in ("notify", "createdBy", "updatedBy"):  # a peer sends no mail, and knows no callers
            told.pop(more, None)

    assert our_calls == [
        ("Query", True, [], 1, 0),
        ("TransactWriteItems", False, ["Put", "Update", "Update", "Update"], 0, 12),
        ("GetItem", True, [], 1, 0),
    ]
    # A peer knows no rules: it gets the property alone, at the same price.
    assert calls == [("GetItem", True, [], 1, 0), *our_calls[1:]]
    assert visit == our_visit
    assert visit["id"] == VISIT_ID
    own = ("id", "createdAt", "updatedAt")
    assert booking.keys() == our_booking.keys()
    assert {k: v for k, v in booking.items() if k not in own} == {k: v for k, v in our_booking.items() if k not in own}


@pytest.mark.parametrize("name", PEERS)
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
        with Instance(contender, NOWHERE) as running:
            for body in wrong:
                answer = running.call({**BOOK, "body": json.dumps(body)})["result"]
                assert answer["statusCode"] in (400, 422), (contender.name, body, answer)


def test_a_contender_that_fails_is_no_result() -> None:
    with Instance(peer(BARE), NOWHERE) as running, pytest.raises(AssertionError, match="the instance ended"):
        running.call({**READ, "pathParameters": None})
