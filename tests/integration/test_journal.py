"""What the operator is told of real requests and batches: a line each, and metrics that agree with what was done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import app as entry
from chalicelib.container import utc_now
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.intakes import OWN_SOURCE
from chalicelib.events.batches import Unfinished
from chalicelib.repositories.table import Table
from chalicelib.services.visits import Visits
from tests.builders import Clock, property_body
from tests.integration.api import Api, serve
from tests.integration.intake import Mailbox, handle, mailbox, partner_message
from tests.integration.metering import metered
from tests.integration.problems import problem
from tests.integration.tour import tour
from tests.journal import Said, listening
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

RUNBOOK = ROOT / "docs" / "runbook.md"


@pytest.fixture
def box(table: FreshTable) -> Iterator[Mailbox]:
    with mailbox(table) as box:
        yield box


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def api(box: Mailbox, clock: Clock) -> Iterator[Api]:
    with serve(box.table, clock) as api:
        yield api


@pytest.fixture
def said(api: Api, house: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Said]:
    """What is said from here on, in an instance that has said something before."""
    monkeypatch.setenv("STAGE", "test")
    with listening() as said:
        yield said


def visit(house: str, hour: int, **details: object) -> dict[str, object]:
    return {"propertyId": house, "date": f"2027-03-12T{hour:02}:00:00Z", **details}


def test_bookings_conflicts_and_replays_are_counted_one_by_one(api: Api, house: str, said: Said) -> None:
    for hour in range(8, 13):
        assert api.post("/visits", visit(house, hour), key=f"{house}-{hour}").status_code == 201
    for hour in range(8, 11):
        assert api.post("/visits", visit(house, hour)).status_code == 409
    for hour in range(8, 10):
        assert api.post("/visits", visit(house, hour), key=f"{house}-{hour}").headers["Idempotency-Replayed"]
    assert api.post("/visits", visit("nowhere", 8)).status_code == 404
    assert api.get("/visits", propertyId=house).status_code == 200
    # Made and in conflict, but no visits.
    for id, status in ((f"{house}-2", 201), (house, 409)):
        assert api.post("/properties", property_body(id=id)).status_code == status
    assert len(said.of("request")) == 5 + 3 + 2 + 1 + 1 + 2, "one line for each request"
    assert said.counted("VisitsBooked", Stage="test") == 5
    assert said.counted("BookingConflicts", Stage="test") == 3
    assert said.counted("Replays", Stage="test") == 2
    assert said.counted("Faults") == 0


def test_a_reschedule_that_meets_a_visit_is_a_conflict_and_one_that_does_not_is_no_booking(
    api: Api, house: str, said: Said
) -> None:
    api.visit(house, "2027-03-12T08:00:00Z")
    moved = api.visit(house, "2027-03-12T10:00:00Z")
    assert api.patch(f"/visits/{moved['id']}", {"date": "2027-03-12T08:00:00Z"}).status_code == 409
    assert api.patch(f"/visits/{moved['id']}", {"date": "2027-03-12T11:00:00Z"}).status_code == 200
    assert (said.counted("VisitsBooked"), said.counted("BookingConflicts")) == (2, 1)


def test_a_line_says_whose_business_it_was(api: Api, house: str, said: Said) -> None:
    booked = api.visit(house, "2027-03-12T08:00:00Z")
    api.post("/visits", visit(house, 8))
    api.get(f"/visits/{booked['id']}")
    api.put(f"/visits/{booked['id']}/status", {"status": "cancelled"})
    api.get(f"/properties/{house}/busy")
    intake = api.post("/intakes", {"visits": [visit(house, 9)]})
    api.get(intake.headers["Location"])
    lost = "00000000-0000-7000-8000-000000000000"
    for collection in ("visits", "intakes"):
        assert api.get(f"/{collection}/{lost}").status_code == 404
    api.get("/visits/zara@geheim.example")
    told = [{name: line.get(name) for name in ("visitId", "propertyId", "intakeId")} for line in said.of("request")]
    both = {"visitId": booked["id"], "propertyId": house, "intakeId": None}
    the_house = {"visitId": None, "propertyId": house, "intakeId": None}
    the_intake = {"visitId": None, "propertyId": None, "intakeId": intake.json()["id"]}
    nothing = dict.fromkeys(both)
    not_there = [nothing | {"visitId": lost}, nothing | {"intakeId": lost}]
    assert told == [both, the_house, both, both, the_house, the_intake, the_intake, *not_there, nothing]
    assert {line["caller"] for line in said.of("request")} == {"tests"}


def test_the_line_and_the_answer_of_a_request_have_the_same_id(api: Api, said: Said) -> None:
    answer = api.get("/properties")
    assert said.of("request")[-1]["requestId"] == answer.headers["x-amzn-RequestId"]


# The queue


def test_rows_are_counted_by_what_became_of_them_and_only_once(api: Api, box: Mailbox, house: str, said: Said) -> None:
    known = visit(house, 8, externalId=f"{house}-known")
    box.send(partner_message(known, visit(house, 9), visit(house, 8), visit(house, 10, place=7)))
    first = box.receive()
    handle(first)
    handle(first)  # handed out twice
    box.delete(first)
    box.send(partner_message(known))
    handle(box.receive())
    rows = {outcome: said.counted("IntakeRows", Stage="test", Outcome=outcome) for outcome in ("created", "duplicate")}
    assert rows == {"created": 2, "duplicate": 1}
    assert said.counted("IntakeRows", Outcome="rejected") == 2
    assert said.counted("VisitsBooked") == 2
    assert [line["rows"] for line in said.of("batch")] == [{"created": 2, "rejected": 2}, {}, {"duplicate": 1}]
    assert {(line["messages"], line["unfinished"], line["level"]) for line in said.of("batch")} == {(1, 0, "INFO")}


def test_the_age_of_a_batch_is_that_of_its_oldest_message_in_seconds(
    box: Mailbox, house: str, clock: Clock, said: Said
) -> None:
    box.send(partner_message(visit(house, 8)), partner_message(visit(house, 9)))
    old, new = sorted(box.receive(2), key=lambda message: message["Attributes"]["SentTimestamp"])
    sent = int(old["Attributes"]["SentTimestamp"])
    young = {**new, "Attributes": {**new["Attributes"], "SentTimestamp": str(sent + 60_000)}}
    clock.now += timedelta(minutes=15)
    expected = clock.now.timestamp() - sent / 1000
    handle([young, old])
    assert said.counted("OldestMessageAge", Stage="test") == pytest.approx(expected, abs=0.1)
    assert 890 < expected < 905


def test_an_unreadable_message_is_told_by_its_id(box: Mailbox, house: str, said: Said) -> None:
    _, bad = box.send(partner_message(visit(house, 8)), '{"visitor": "Zara Geheim"')
    with pytest.raises(Unfinished):
        handle(box.receive())
    (line,) = said.of("unreadable")
    assert (line["messageId"], line["level"]) == (bad, "ERROR")
    (batch,) = said.of("batch")
    assert (batch["messages"], batch["unfinished"], batch["level"]) == (2, 1, "WARNING")
    assert "Zara" not in said.text


@pytest.mark.parametrize(("source", "faults"), [("partner", 0), (OWN_SOURCE, 1)])
def test_what_a_producer_got_wrong_is_no_fault_but_a_message_of_ours_that_we_cannot_read_is(
    box: Mailbox, house: str, said: Said, source: str, faults: int
) -> None:
    """By the faults of its version a release is taken back: not for somebody's junk, but for a reader that we broke."""
    box.send(json.dumps({"version": 2, "source": source, "visits": [visit(house, 8)]}))
    with pytest.raises(Unfinished):
        handle(box.receive())
    assert said.of("unreadable")
    assert said.counted("Faults", Stage="test", Function="work_off_queue") == faults
    assert said.counted("FaultsOfVersion", Stage="test", Function="work_off_queue", Version="$LATEST") == faults


@pytest.mark.parametrize(
    ("fault", "faults", "level"), [(RuntimeError("Zara Geheim"), 1, "ERROR"), (StoreBusy(), 0, "WARNING")]
)
def test_a_chunk_that_is_left_is_a_fault_unless_the_store_is_only_busy(
    box: Mailbox,
    house: str,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    faults: int,
    level: str,
) -> None:
    def fail(*_: object) -> None:
        raise fault

    box.send(partner_message(visit(house, 8)))
    with monkeypatch.context() as patch:
        patch.setattr(Visits, "book_row", fail)
        with pytest.raises(Unfinished):
            handle(box.receive())
    (line,) = said.of("chunk-left")
    assert (line["kind"], line["chunk"], line["level"]) == (type(fault).__name__, 0, level)
    assert line["intakeId"] in said.of("batch")[0]["intakeIds"]
    assert said.counted("Faults", Stage="test", Function="work_off_queue") == faults
    assert said.counted("IntakeRows") == 0
    assert "Zara" not in said.text


def test_lambda_never_sees_the_words_of_what_fails_around_a_batch(
    box: Mailbox, house: str, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def services() -> Any:
        raise RuntimeError("Zara Geheim")

    box.send(partner_message(visit(house, 8)))
    batch = box.receive()
    monkeypatch.setattr(entry, "services", services)
    with pytest.raises(Exception, match="the previous line") as raised:
        handle(batch)
    assert "Zara" not in f"{raised.value}{said.text}"
    assert said.counted("Faults", Function="work_off_queue") == 1


# Health


def test_health_costs_half_a_read_unit(api: Api) -> None:
    with metered(api.dynamodb) as meter:
        assert api.get("/health").status_code == 200
    assert meter.operations() == ["GetItem"]
    assert meter.read_units == 0.5


def test_health_says_what_is_wrong_to_the_operator_and_nothing_to_the_caller(
    api: Api, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table's name that is none: the caller gets a problem, the line has AWS's own code."""
    monkeypatch.setattr(api.services.store, "_name", "visits-nowhere")
    assert isinstance(api.services.store, Table)
    document = problem(api.get("/health"), 500, "internal-error")
    (line,) = said.of("request")
    assert (line["kind"], line["code"]) == ("ResourceNotFoundException", "ResourceNotFoundException")
    assert "visits-nowhere" not in f"{document}{said.text}"


# What is documented


def test_the_runbook_knows_every_member_of_a_line_and_every_metric(api: Api, box: Mailbox, said: Said) -> None:
    tour(api, box, {"name": "Zara Geheim", "email": "zara@geheim.example", "phone": "+49 30 7357357"})
    section = RUNBOOK.read_text().partition("\n## What the service says\n")[2]
    known = set(re.findall(r"`([A-Za-z]+)`", section))
    for line in said.lines:
        assert line.keys() - {"_aws"} <= known, json.dumps(line)
        assert line["event"] in known
    assert {"request", "batch", "rows", "unreadable"} <= {line["event"] for line in said.lines}
    assert said.counted("VisitsBooked") > 0, "every line of the tour is valid EMF too"
