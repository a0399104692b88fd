"""The event bus: what the feed has is put there too, again where that helps, and never in the feed's way."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from chalice.app import DynamoDBEvent

from chalicelib import container
from chalicelib.api.events import body_of, detail_of
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.events import Event, Position, Told, of_visit
from chalicelib.domain.visits import Visitor
from chalicelib.events.table_stream import relay
from chalicelib.repositories.event_bus import EventBridge
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from chalicelib.services.events import NoBus
from tests.agency import Agency
from tests.builders import NOW, a_visit

VISIT = a_visit(visitor=Visitor("Ada Lovelace", "ada@example.com"), notes="Rings twice", notify=True)


def told(count: int) -> list[tuple[Event, str]]:
    events = [of_visit(None, replace(VISIT, id=f"v{n}")) for n in range(count)]
    return [(event, detail_of(event)) for event in events if event is not None]


def refusal(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutEvents")


class Bus:
    """EventBridge, which says of each call what it is told to: an error, or a code for each entry that fails."""

    def __init__(self, *answers: Exception | dict[str, str]) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []
        self.entries: list[dict[str, Any]] = []

    def put_events(self, **given: Sequence[dict[str, Any]]) -> dict[str, Any]:
        entries = given["Entries"]
        self.calls.append([json.loads(entry["Detail"])["data"]["visitId"] for entry in entries])
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        self.entries += entries
        codes = [answer.get(id, "") for id in self.calls[-1]]
        return {"Entries": [{"ErrorCode": code} if code else {"EventId": "e"} for code in codes]}

    def put(self, events: Sequence[tuple[Event, str]]) -> Sequence[str]:
        return EventBridge(lambda: self, "agency", lambda _: None).put(events)


def test_ten_events_go_in_a_call() -> None:
    bus = Bus()
    assert bus.put(told(23)) == []
    assert [len(call) for call in bus.calls] == [10, 10, 3]


def test_an_entry_is_the_event_but_for_its_place_in_the_feed_and_names_nobody() -> None:
    bus = Bus()
    ((event, detail),) = told(1)
    bus.put([(event, detail)])
    (entry,) = bus.entries
    cloud_event = json.loads(body_of(Told(event, Position(3, 1))))
    assert cloud_event.pop("sequence")
    assert entry == {
        "EventBusName": "agency",
        "Source": "visits",
        "DetailType": "visit.booked",
        "Time": VISIT.updated_at,
        "Resources": ["visits/v0"],
        "Detail": json.dumps(cloud_event, separators=(",", ":")),
    }
    for word in ("Ada", "Rings", "example.com"):
        assert word not in detail


def test_of_a_call_that_failed_in_part_that_part_is_sent_again() -> None:
    bus = Bus({"v1": "ThrottlingException", "v3": "InternalFailure"}, {"v3": "ThrottlingException"})
    assert bus.put(told(4)) == []
    assert bus.calls == [["v0", "v1", "v2", "v3"], ["v1", "v3"], ["v3"]]


def test_what_is_refused_for_good_is_told_and_not_sent_again() -> None:
    bus = Bus({"v0": "MalformedDetail", "v1": "ThrottlingException"}, {})
    assert bus.put(told(2)) == ["MalformedDetail"]
    assert bus.calls == [["v0", "v1"], ["v1"]]


@pytest.mark.parametrize(
    "fault",
    [refusal("ThrottlingException"), refusal("InternalFailure", 500), ReadTimeoutError(endpoint_url="events")],
    ids=["throttled", "a fault of AWS", "no answer"],
)
def test_a_call_that_may_succeed_later_is_made_again_and_ends(fault: Exception) -> None:
    assert Bus(fault).put(told(1)) == []
    with pytest.raises(StoreBusy):
        Bus(*[fault] * 100).put(told(1))


def test_a_bus_that_is_gone_refuses_everything() -> None:
    bus = Bus(refusal("ResourceNotFoundException"))
    assert bus.put(told(2)) == ["ResourceNotFoundException"] * 2


# The relay


class Refusing:
    def __init__(self, *codes: str) -> None:
        self.codes = codes
        self.seen: list[str] = []

    def put(self, events: Sequence[tuple[Event, str]]) -> Sequence[str]:
        self.seen += [event.id for event, _ in events]
        if "busy" in self.codes:
            raise StoreBusy
        return self.codes


def relayed(agency: Agency, bus: Refusing) -> None:
    image = serialized(visit_item(VISIT))
    keys = {"pk": image["pk"], "sk": image["sk"]}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": "1", "ApproximateCreationDateTime": NOW.timestamp()}
    event = DynamoDBEvent({"Records": [{"dynamodb": change}]}, None)
    agency.services.event_bus = bus
    relay(event, agency.services)


def test_a_bus_that_is_busy_has_the_batch_again_and_holds_up_nobody_who_was_told() -> None:
    agency, bus = Agency(), Refusing("busy")
    agency.webhooks.register("https://crm.example.com/hook", frozenset())
    for _ in range(2):
        with pytest.raises(StoreBusy):
            relayed(agency, bus)
    assert [[event.id for event in page] for page in agency.events.pages] == [[f"{VISIT.id}.1"]]
    assert agency.webhook_queue.woken
    assert bus.seen == [f"{VISIT.id}.1"] * 2


def test_what_the_bus_refuses_rings_an_alarm_and_is_in_the_feed(caplog: pytest.LogCaptureFixture) -> None:
    agency = Agency()
    with caplog.at_level(logging.INFO, "visits"):
        relayed(agency, Refusing("AccessDeniedException"))
    assert agency.events.pages
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    (refused,) = [line for line in lines if line["event"] == "refused"]
    assert (refused["codes"], refused["Faults"]) == ({"AccessDeniedException": 1}, 1)


@pytest.mark.parametrize(("named", "kind"), [("", NoBus), ("agency", EventBridge)])
def test_a_stage_that_names_no_bus_calls_none(monkeypatch: pytest.MonkeyPatch, named: str, kind: type) -> None:
    environment = {"STAGE": "beta", "TABLE_NAME": "visits-beta", "QUEUE_NAME": "visits-beta", "EVENT_BUS": named}
    for name, value in (environment | {"AWS_DEFAULT_REGION": "eu-central-1"}).items():
        monkeypatch.setenv(name, value)
    assert isinstance(container.services.__wrapped__().event_bus, kind)
