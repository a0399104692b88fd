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
