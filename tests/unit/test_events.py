"""Events: their types, and the published schema, to which all of them keep."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest

from chalicelib.api.events import EventOutput, body_of
from chalicelib.domain.events import (
    MOST_IN_PAGE,
    Event,
    EventType,
    Position,
    Told,
    of_agent,
    of_property,
    of_visit,
)
from chalicelib.domain.spellings import LONGEST_AGENT_ID
from chalicelib.domain.visits import Status, Visit, Visitor
from chalicelib.repositories.events import events_of, page_item
from tests.builders import NOW, a_property, a_visit, an_agent
from tools.generate import schemas

VALIDATOR = jsonschema_rs.Draft202012Validator(schemas.event_schema(), validate_formats=True)

MOST_BYTES_OF_ITEM = 400 * 1024
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

BEFORE = a_visit(status=Status.REQUESTED, visitor=Visitor("Ada Lovelace", "ada@example.com"), agent_id="ann")


def then(**changes: Any) -> Event | None:
    """What is told of the visit when this changes."""
    return of_visit(BEFORE, replace(BEFORE, version=2, **changes))


EVERY: list[Event | None] = [
    of_visit(None, BEFORE),
    then(date=BEFORE.date + timedelta(hours=1), duration_minutes=60, agent_id="bob"),
    *(then(status=status) for status in Status if status is not Status.REQUESTED),
    then(notes="Rings twice", agent_id=None),
    then(visitor=None),
    of_property(None, a_property("house")),
    of_property(a_property("house"), replace(a_property("house"), version=2)),
    of_agent("ann", 1, NOW, None, an_agent("ann")),
    of_agent("ann", 2, NOW, an_agent("ann"), an_agent("ann", version=2)),
    of_agent("ann", 3, NOW, an_agent("ann", version=2), None),
]
EVENTS = [event for event in EVERY if event is not None]


def told(event: Event) -> dict[str, Any]:
    """As a receiver gets it."""
    body: dict[str, Any] = json.loads(body_of(Told(event, Position(7, 1))))
    return body


def test_there_is_one_of_each_type() -> None:
    assert {event.type for event in EVENTS} == set(EventType)


def test_a_visits_event_says_what_it_is_now_and_what_it_was_before() -> None:
    booked = of_visit(None, BEFORE)
    now = {
        "visitId": BEFORE.id,
        "propertyId": "house",
        "status": "requested",
        "date": BEFORE.date,
        "durationMinutes": 30,
        "timeZone": "Europe/Berlin",
        "version": 1,
        "agentId": "ann",
    }
    assert booked == Event(f"{BEFORE.id}.1", EventType.VISIT_BOOKED, f"visits/{BEFORE.id}", NOW, now)
    later, moved = NOW + timedelta(hours=1), BEFORE.date + timedelta(days=1)
    after = then(date=moved, duration_minutes=60, agent_id="bob", updated_at=later)
    assert after == Event(
        f"{BEFORE.id}.2",
        EventType.VISIT_RESCHEDULED,
        f"visits/{BEFORE.id}",
        later,
        {
            **now,
            "date": moved,
            "durationMinutes": 60,
            "version": 2,
            "agentId": "bob",
            "previousDate": BEFORE.date,
            "previousDurationMinutes": 30,
            "previousAgentId": "ann",
        },
    )
    alone = then(agent_id=None)
    assert alone is not None
    assert alone.data == {name: value for name, value in now.items() if name != "agentId"} | {
        "version": 2,
        "previousAgentId": "ann",
    }


@pytest.mark.parametrize(
    ("changes", "type"),
    [
        ({"status": Status.CONFIRMED, "date": BEFORE.date + timedelta(days=1)}, "visit.confirmed"),
        ({"date": BEFORE.date + timedelta(days=1), "visitor": None}, "visit.rescheduled"),
        ({"duration_minutes": 45}, "visit.rescheduled"),
        ({"visitor": None}, "visit.erased"),
        ({"visitor": Visitor("Ada Lovelace", None)}, "visit.changed"),
        ({"agent_id": "bob"}, "visit.changed"),
    ],
)
def test_the_type_is_the_weightiest_thing_that_happened(changes: dict[str, Any], type: str) -> None:
    told = then(**changes)
    assert told is not None
    assert told.type == type


def test_a_request_that_is_made_of_a_booked_visit_is_a_change() -> None:
    confirmed = replace(BEFORE, status=Status.CONFIRMED)
    told = of_visit(confirmed, replace(confirmed, status=Status.REQUESTED, version=2))
    assert told is not None
    assert told.type is EventType.VISIT_CHANGED


def test_a_booked_visit_that_is_asked_for_at_another_time_is_rescheduled() -> None:
    confirmed = replace(BEFORE, status=Status.CONFIRMED)
    moved = replace(confirmed, status=Status.REQUESTED, date=BEFORE.date + timedelta(days=1), version=2)
    told = of_visit(confirmed, moved)
    assert told is not None
    assert (told.type, told.data["status"]) == (EventType.VISIT_RESCHEDULED, "requested")


def test_a_propertys_event_says_what_whoever_books_needs() -> None:
    house = a_property("house", capacity=3, visits_allowed=False)
    data = {
        "propertyId": "house",
        "capacity": 3,
        "timeZone": "Europe/Berlin",
        "visitsAllowed": False,
        "publicBooking": "off",
        "version": 1,
    }
    assert of_property(None, house) == Event("house.1", EventType.PROPERTY_REGISTERED, "properties/house", NOW, data)
    changed = replace(house, version=2, updated_at=NOW + timedelta(hours=1))
    assert of_property(house, changed) == Event(
        "house.2",
        EventType.PROPERTY_CHANGED,
        "properties/house",
        NOW + timedelta(hours=1),
        data | {"version": 2},
    )
    assert of_property(house, replace(house, updated_at=NOW + timedelta(hours=1))) is None


@pytest.mark.parametrize("text", ["0.0", "7.12", "123456789012345.999"])
def test_a_position_is_read_as_it_is_written(text: str) -> None:
    page, index = text.split(".")
    position = Position.parse(text)
    assert position == Position(int(page), int(index)) == Position.parse(str(position))
    assert len(str(position)) == 19


@pytest.mark.parametrize(
    "text", ["", "7", "7.", ".7", "7.1.2", "-1.0", "7.1234", "1234567890123456.0", "٧.١", "7.1\n", " 7.1"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        Position.parse(text)


def test_an_agents_event_is_nobody_elses_and_fits_into_a_header() -> None:
    event = of_agent("Žofie/1", 1, NOW, None, an_agent("Žofie/1"))
    assert (event.id, event.subject) == ("agents/%C5%BDofie%2F1.1", "agents/%C5%BDofie%2F1")
    assert event.data == {"agentId": "Žofie/1", "version": 1}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.type))
def test_every_event_keeps_to_the_published_schema_and_names_nobody(event: Event) -> None:
    body = told(event)
    assert not list(VALIDATOR.iter_errors(body))
    assert "Ada" not in json.dumps(body)
    assert "Rings" not in json.dumps(body)


def without(member: str, body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != member}


@pytest.mark.parametrize("member", EventOutput.model_json_schema(mode="serialization")["required"])
def test_what_lacks_a_member_does_not_validate(member: str) -> None:
    assert not VALIDATOR.is_valid(without(member, told(EVENTS[0])))


def test_the_data_of_a_property_is_none_of_a_visit() -> None:
    visit, property = told(EVENTS[0]), told(next(e for e in EVENTS if e.type is EventType.PROPERTY_CHANGED))
    assert not VALIDATOR.is_valid(visit | {"data": property["data"]})
    assert not VALIDATOR.is_valid(property | {"data": visit["data"]})
    agent = told(EVENTS[-1])
    assert not VALIDATOR.is_valid(agent | {"data": property["data"]})
    assert not VALIDATOR.is_valid(visit | {"data": agent["data"]})
    assert not VALIDATOR.is_valid(visit | {"type": "visit.painted"})
    assert not VALIDATOR.is_valid(visit | {"time": "yesterday"})


@pytest.mark.parametrize("kind", ["agents", "visits"])
def test_the_longest_events_of_a_batch_fit_into_one_item(kind: str) -> None:
    """One that does not would come again for a day, and hold up all events and mails behind it."""
    ann, bob = "\N{HOUSE BUILDING}" * LONGEST_AGENT_ID, "\N{OFFICE BUILDING}" * LONGEST_AGENT_ID
    longest = {
        "agents": of_agent(ann, 1_000_000, NOW, None, an_agent(ann)),
        "visits": of_visit(replace(BEFORE, agent_id=ann), replace(BEFORE, agent_id=bob, version=1_000_000)),
    }[kind]
    assert longest is not None
    item = page_item(10**14, [longest] * MOST_IN_PAGE, NOW)
    assert [event.id for event in events_of(item)] == [longest.id] * MOST_IN_PAGE
    assert sum(len(name) + len(str(value).encode()) for name, value in item.items()) < MOST_BYTES_OF_ITEM


def test_a_version_that_is_no_other_is_no_event() -> None:
    again: Visit = replace(BEFORE, notes="Rings twice")
    assert of_visit(BEFORE, again) is None
