"""What the services may rely on, held against the fakes and against DynamoDB alike; then what only DynamoDB can do."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import boto3
import httpx
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib.domain import patience
from chalicelib.domain.availability import ALL_DAY, Availability, Dates, Hours, Opening, Rules
from chalicelib.domain.calendars import KEPT as RENDERING_KEPT
from chalicelib.domain.calendars import RENEWED_WITHIN, Kept, Owner, Rendering, Shared, Shows
from chalicelib.domain.errors import (
    OutcomeUnknown,
    PropertyExists,
    PropertyNotFound,
    SlotTaken,
    StoreBusy,
    TakenInterval,
    Unavailable,
    VersionMismatch,
    VisitExists,
    VisitNotFound,
)
from chalicelib.domain.idempotency import KEPT, AlreadyDone
from chalicelib.domain.intakes import (
    Chunk,
    Claim,
    ClaimLost,
    Counts,
    IntakeNotFound,
    IntakeStatus,
    Manifest,
    RowOutcome,
)
from chalicelib.domain.listing import EVERY_PROPERTY, VisitFilter, Window
from chalicelib.domain.premises import Premises
from chalicelib.domain.properties import Property
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.visitors import Contact
from chalicelib.domain.visits import Cancellation, Origin, Status, Visit, Visitor
from chalicelib.repositories import items
from chalicelib.repositories.agents import DynamoAgents
from chalicelib.repositories.availability import DynamoAvailability
from chalicelib.repositories.calendars import DynamoCalendars
from chalicelib.repositories.idempotency import DynamoIdempotency
from chalicelib.repositories.intakes import DynamoIntakes
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.signing_keys import DynamoSigningKeys, signing_keys_key
from chalicelib.repositories.slots import agent_slot, property_slot
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.services.ports import (
    AgentStore,
    AvailabilityStore,
    CalendarStore,
    IdempotencyStore,
    IntakeStore,
    PropertyStore,
    VisitStore,
)
from tests.builders import (
    NOW,
    TEN,
    a_property,
    a_record,
    a_visit,
    agent_id,
    an_agent,
    minutes,
    property_id,
    utc,
    visit_id,
)
from tests.fakes import (
    FakeAgents,
    FakeAvailability,
    FakeCalendarTokens,
    FakeIdempotencyRecords,
    FakeIntakes,
    FakeProperties,
    FakeVisits,
    Memory,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.integration.conftest import FreshTable

DAY = Window(utc("2027-03-12"), utc("2027-03-13"))

winters = itertools.count(2030, 2)
"""Lists of the whole agency get a winter each: the table is shared with the other tests."""


@dataclass(frozen=True)
class Repositories:
    properties: PropertyStore
    visits: VisitStore
    records: IdempotencyStore
    intakes: IntakeStore
    tokens: CalendarStore
    availability: AvailabilityStore
    agents: AgentStore


@pytest.fixture(params=["fake", "dynamodb"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    if request.param == "fake":
        memory = Memory()
        return Repositories(
            FakeProperties(memory),
            FakeVisits(memory),
            FakeIdempotencyRecords(memory),
            FakeIntakes(memory),
            FakeCalendarTokens(memory),
            FakeAvailability(memory),
            FakeAgents(memory),
        )
    fresh: FreshTable = request.getfixturevalue("table")
    table = Table(fresh.client, fresh.name)
    return Repositories(
        DynamoProperties(table),
        DynamoVisits(table),
        DynamoIdempotency(table),
        DynamoIntakes(table),
        DynamoCalendars(table),
        DynamoAvailability(table),
        DynamoAgents(table),
    )


@pytest.fixture
def properties(repositories: Repositories) -> PropertyStore:
    return repositories.properties


@pytest.fixture
def visits(repositories: Repositories) -> VisitStore:
    return repositories.visits


@pytest.fixture
def house() -> str:
    """The id of a property where nobody has been yet."""
    return property_id()


@pytest.fixture
def agent() -> str:
    return agent_id()


def booked(visits: VisitStore, visit: Visit, capacity: int = 1) -> Visit:
    visits.add(visit, capacity)
    return visit


def next_version(visit: Visit, **changes: Any) -> Visit:
    return replace(visit, version=visit.version + 1, **changes)


def cancelled(visit: Visit) -> Visit:
    return next_version(visit, status=Status.CANCELLED, cancellation=Cancellation("ill", NOW))


def taken(start: str, end: str, holder: Literal["property", "agent"] = "property") -> TakenInterval:
    """An interval on the day of the usual visit."""
    return TakenInterval(utc(f"2027-03-12T{start}"), utc(f"2027-03-12T{end}"), holder)


def at(time: str) -> datetime:
    """A time of day on the day of the usual visit."""
    return utc(f"2027-03-12T{time}")


def conflicts(visits: VisitStore, visit: Visit, capacity: int = 1) -> list[TakenInterval]:
    """The intervals that are in the visit's way."""
    with pytest.raises(SlotTaken) as refused:
        visits.add(visit, capacity)
    return refused.value.intervals


def is_free(visits: VisitStore, visit: Visit, capacity: int = 1) -> bool:
    """Whether the visit's slots can be had; afterwards it has them."""
    try:
        visits.add(visit, capacity)
    except SlotTaken:
        return False
    return True


def walk(visits: VisitStore, filter: VisitFilter, limit: int) -> list[list[Visit]]:
    """Every page of a list."""
    pages = []
    after: str | None = None
    while True:
        page = visits.list(filter, after, limit)
        pages.append(page.items)
        if page.next is None:
            return pages
        after = page.next


def flat(pages: Iterable[list[Visit]]) -> list[Visit]:
    return list(itertools.chain.from_iterable(pages))


# Properties


def test_a_property_is_found_as_it_was_added(properties: PropertyStore) -> None:
    for property in (
        a_property(),
        a_property("~._-" + property_id(), price=Decimal("0.125"), capacity=7, visits_allowed=False, name="Ñandú 🏠"),
    ):
        properties.add(property)
        assert properties.get(property.id) == property


def test_a_property_that_is_not_there_is_not_found(properties: PropertyStore, house: str) -> None:
    with pytest.raises(PropertyNotFound) as refused:
        properties.get(house)
    assert refused.value.property_id == house


def test_a_property_is_added_only_once(properties: PropertyStore, house: str) -> None:
    properties.add(a_property(house, name="First"))
    with pytest.raises(PropertyExists) as refused:
        properties.add(a_property(house, name="Second"))
    assert refused.value.property_id == house
    assert properties.get(house).details.name == "First"


def test_a_property_is_saved_over_the_version_that_was_read_and_over_no_other(
    properties: PropertyStore, house: str
) -> None:
    before = a_property(house)
    properties.add(before)
    after = replace(before, details=replace(before.details, price=Decimal(1)), version=2)
    properties.save(before, after)
    with pytest.raises(VersionMismatch):
        properties.save(before, replace(after, details=replace(before.details, price=Decimal(2))))
    assert properties.get(house) == after


def test_a_property_that_is_not_there_cannot_be_saved(properties: PropertyStore, house: str) -> None:
    missing = a_property(house)
    with pytest.raises(VersionMismatch):
        properties.save(missing, replace(missing, version=2))
    with pytest.raises(PropertyNotFound):
        properties.get(house)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_properties_are_listed_by_id_and_each_exactly_once(properties: PropertyStore, limit: int) -> None:
    ids = {f"{first}{property_id()}" for first in ("~", ".", "-", "_", "A", "z", "0")}
    for id in ids:
        properties.add(a_property(id))
    found: list[Property] = []
    after: str | None = None
    while True:
        page = properties.list(EVERY_PROPERTY, after, limit)
        assert len(page.items) <= limit
        found += page.items
        if page.next is None:
            break
        after = page.next
    listed = [property.id for property in found]
    assert listed == sorted(listed)
    assert [id for id in listed if id in ids] == sorted(ids)


def test_a_property_added_under_an_idempotency_key_is_added_once(repositories: Repositories, house: str) -> None:
    once = a_record()
    repositories.properties.add(a_property(house), once)
    with pytest.raises(AlreadyDone):
        repositories.properties.add(a_property(), once)
    with pytest.raises(AlreadyDone):  # the record counts before the property, which is this request's own
        repositories.properties.add(a_property(house), once)
    assert repositories.records.find(once.id, NOW) == once


def test_a_refused_property_leaves_no_idempotency_record(repositories: Repositories, house: str) -> None:
    once = a_record()
    repositories.properties.add(a_property(house))
    with pytest.raises(PropertyExists):
        repositories.properties.add(a_property(house), once)
    assert repositories.records.find(once.id, NOW) is None


# Availability


def rules_of(house: str, **changes: Any) -> Availability:
    nine = Opening(9 * 60, 24 * 60)
    hours = Hours(((nine, Opening(0, 1)),) * 6 + ((),), (Dates(date(2027, 12, 24), date(2028, 2, 29), (nine,)),))
    return replace(Availability(house, Rules(hours, 45, 90, 0, 15), 1, NOW, NOW), **changes)


def test_a_property_is_found_with_its_rules_or_without(repositories: Repositories, house: str) -> None:
    with pytest.raises(PropertyNotFound):
        repositories.availability.premises(house)
    property = a_property(house)
    repositories.properties.add(property)
    # What else lies beside a property is none of it.
    repositories.tokens.keep(Owner("property", house), Shared(b"hash"), NOW)
    assert repositories.availability.premises(house) == Premises(property)
    for rules in (rules_of(house), rules_of(house, rules=Rules(), version=2), rules_of(house, version=3)):
        if rules.version == 1:
            repositories.availability.add(rules)
        else:
            repositories.availability.save(replace(rules, version=rules.version - 1), rules)
        assert repositories.availability.premises(house) == Premises(property, rules)
    assert repositories.properties.get(house) == property


def test_rules_are_added_once_and_saved_as_they_were_read(repositories: Repositories, house: str) -> None:
    repositories.properties.add(a_property(house))
    before = rules_of(house)
    with pytest.raises(VersionMismatch):
        repositories.availability.save(before, replace(before, version=2))
    repositories.availability.add(before)
    with pytest.raises(VersionMismatch):
        repositories.availability.add(before)
    after = replace(before, version=2)
    repositories.availability.save(before, after)
    with pytest.raises(VersionMismatch):
        repositories.availability.save(before, replace(before, version=2))
    assert repositories.availability.premises(house).availability == after


# Visits: one by one


def test_a_visit_is_found_as_it_was_booked(visits: VisitStore, house: str, agent: str) -> None:
    bare = a_visit(property_id=house)
    full = a_visit(
        property_id=house,
        date=TEN + minutes(60),
        duration_minutes=45,
        place="Côté cour",
        status=Status.REQUESTED,
        agent_id=agent,
        visitor=Visitor("Ann Über", "ann@example.com", "+49 30 1", "de"),
        notify=True,
        notes="two\nlines",
        cancellation=Cancellation(None, NOW),
        origin=Origin("5c1d7c7e-0000-5000-8000-000000000000", 3, Signature("k1", b"content")),
    )
    for visit in (bare, full):
        assert visits.get(booked(visits, visit).id) == visit


def test_a_visit_that_is_not_there_is_not_found(visits: VisitStore) -> None:
    missing = a_visit().id
    with pytest.raises(VisitNotFound) as refused:
        visits.get(missing)
    assert refused.value.visit_id == missing


def test_a_visit_with_a_known_id_exists_whether_or_not_its_slots_are_free(visits: VisitStore, house: str) -> None:
    visit = booked(visits, a_visit(property_id=house))
    for again in (visit, replace(visit, date=TEN + minutes(600))):
        with pytest.raises(VisitExists) as refused:
            visits.add(again, 1)
        assert refused.value.visit_id == visit.id
    assert visits.get(visit.id) == visit


# Slots


def test_visits_that_share_a_quarter_hour_conflict_and_the_quarter_is_named(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("10:20")))
    assert conflicts(visits, a_visit(property_id=house, date=at("10:50"))) == [taken("10:45", "11:00")]


def test_visits_that_meet_on_a_quarter_hour_do_not_conflict(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("10:00")))
    assert is_free(visits, a_visit(property_id=house, date=at("10:30")))
    assert is_free(visits, a_visit(property_id=house, date=at("09:30")))


def test_every_taken_interval_is_named_in_order(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("11:30"), duration_minutes=30))
    booked(visits, a_visit(property_id=house, date=at("10:00"), duration_minutes=15))
    wish = a_visit(property_id=house, date=at("09:00"), duration_minutes=240)
    assert conflicts(visits, wish) == [taken("10:00", "10:15"), taken("11:30", "12:00")]


def test_a_visit_across_midnight_holds_the_slots_of_both_days(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("23:50"), duration_minutes=30))
    late, early = a_visit(property_id=house, date=at("23:45")), a_visit(property_id=house, date=utc("2027-03-13T00:16"))
    midnight = TakenInterval(at("23:45"), utc("2027-03-13T00:15"), "property")
    assert conflicts(visits, late) == [midnight]
    assert conflicts(visits, early) == [TakenInterval(utc("2027-03-13T00:15"), utc("2027-03-13T00:30"), "property")]


def test_other_properties_are_free(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house))
    assert is_free(visits, a_visit(property_id=property_id()))


def test_a_property_takes_as_many_visits_at_once_as_its_capacity(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("10:00")), capacity=2)
    booked(visits, a_visit(property_id=house, date=at("10:15")), capacity=2)
    assert conflicts(visits, a_visit(property_id=house, duration_minutes=60), capacity=2) == [taken("10:15", "10:30")]
    assert is_free(visits, a_visit(property_id=house, duration_minutes=60), capacity=3)


def test_a_lowered_capacity_counts_for_the_next_booking(visits: VisitStore, house: str) -> None:
    for _ in range(3):
        booked(visits, a_visit(property_id=house), capacity=3)
    assert conflicts(visits, a_visit(property_id=house), capacity=1) == [taken("10:00", "10:30")]


def test_a_refused_booking_leaves_nothing_behind(repositories: Repositories, house: str, agent: str) -> None:
    visits, once = repositories.visits, a_record()
    booked(visits, a_visit(property_id=house, date=at("10:45")))
    refused = a_visit(property_id=house, date=at("10:00"), duration_minutes=60, agent_id=agent)
    with pytest.raises(SlotTaken):
        visits.add(refused, 1, once)
    with pytest.raises(VisitNotFound):
        visits.get(refused.id)
    assert repositories.records.find(once.id, NOW) is None
    assert is_free(visits, a_visit(property_id=house, date=at("10:00"), duration_minutes=45))
    assert is_free(visits, a_visit(property_id=property_id(), date=at("10:00"), agent_id=agent))


def test_an_agent_is_in_one_place_at_a_time(visits: VisitStore, house: str, agent: str) -> None:
    booked(visits, a_visit(property_id=house, agent_id=agent))
    elsewhere = property_id()
    assert conflicts(visits, a_visit(property_id=elsewhere, date=at("10:20"), agent_id=agent)) == [
        taken("10:15", "10:30", "agent")
    ]
    assert is_free(visits, a_visit(property_id=elsewhere, date=at("10:30"), agent_id=agent))
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=agent_id()))


def test_an_agent_may_show_one_property_to_several_visitors(visits: VisitStore, house: str, agent: str) -> None:
    booked(visits, a_visit(property_id=house, agent_id=agent), capacity=3)
    assert is_free(visits, a_visit(property_id=house, date=at("10:15"), agent_id=agent), capacity=3)
    # Somebody else's slot too, so the open house is still one property's.
    assert not is_free(visits, a_visit(property_id=property_id(), date=at("10:30"), agent_id=agent))


def test_a_conflict_with_property_and_agent_names_both(visits: VisitStore, house: str, agent: str) -> None:
    booked(visits, a_visit(property_id=property_id(), date=at("10:15"), agent_id=agent))
    booked(visits, a_visit(property_id=house, date=at("10:30")))
    assert conflicts(visits, a_visit(property_id=house, duration_minutes=60, agent_id=agent)) == [
        taken("10:30", "11:00"),
        taken("10:15", "10:45", "agent"),
    ]


def test_an_agent_who_is_free_again_can_go_elsewhere(visits: VisitStore, house: str, agent: str) -> None:
    first = booked(visits, a_visit(property_id=house, agent_id=agent), capacity=2)
    second = booked(visits, a_visit(property_id=house, agent_id=agent), capacity=2)
    elsewhere = property_id()
    visits.save(first, cancelled(first))
    assert not is_free(visits, a_visit(property_id=elsewhere, agent_id=agent)), "the open house still has a visitor"
    visits.save(second, cancelled(second))
    assert is_free(visits, a_visit(property_id=elsewhere, agent_id=agent))


# Changes


def test_a_saved_visit_is_found_as_it_was_saved(visits: VisitStore, house: str) -> None:
    before = booked(visits, a_visit(property_id=house, visitor=Visitor("Ann"), notes="bell broken"))
    after = next_version(before, visitor=None, notes=None, place="Garden")
    visits.save(before, after)
    assert visits.get(before.id) == after


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.DECLINED, Status.COMPLETED, Status.NO_SHOW])
def test_a_visit_that_is_over_frees_its_slots(visits: VisitStore, house: str, agent: str, status: Status) -> None:
    before = booked(visits, a_visit(property_id=house, agent_id=agent))
    visits.save(before, next_version(before, status=status))
    assert visits.held_quarters(house, DAY) == {}
    assert is_free(visits, a_visit(property_id=house))
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=agent))


def test_a_visit_that_is_confirmed_or_erased_keeps_its_slots(visits: VisitStore, house: str) -> None:
    requested = booked(visits, a_visit(property_id=house, status=Status.REQUESTED))
    confirmed = next_version(requested, status=Status.CONFIRMED)
    visits.save(requested, confirmed)
    visits.save(confirmed, next_version(confirmed, notes=None))
    assert not is_free(visits, a_visit(property_id=house))


def test_a_stale_save_changes_nothing_and_frees_nothing(visits: VisitStore, house: str) -> None:
    first = booked(visits, a_visit(property_id=house))
    second = next_version(first, notes="somebody was here")
    visits.save(first, second)
    with pytest.raises(VersionMismatch):
        visits.save(first, cancelled(first))
    with pytest.raises(VersionMismatch):
        visits.save(first, next_version(first, notes="and here"))
    assert visits.get(first.id) == second
    assert not is_free(visits, a_visit(property_id=house))


def test_a_visit_that_is_not_there_cannot_be_changed(visits: VisitStore, house: str) -> None:
    missing = a_visit(property_id=house)
    with pytest.raises(VersionMismatch):
        visits.save(missing, next_version(missing, notes="x"))
    with pytest.raises(VersionMismatch):
        visits.save(missing, cancelled(missing))
    with pytest.raises(VersionMismatch):
        visits.move(missing, next_version(missing, date=at("12:00")), 1)
    assert visits.held_quarters(house, DAY) == {}


def test_a_visit_holds_and_frees_its_gap_and_its_agents_way(visits: VisitStore, house: str, agent: str) -> None:
    before = booked(visits, a_visit(property_id=house, agent_id=agent, gap_minutes=15, travel_minutes=30))
    assert visits.get(before.id) == before
    assert visits.held_quarters(house, DAY) == {at(q): 1 for q in ("10:00", "10:15", "10:30")}
    assert not is_free(visits, a_visit(property_id=house, date=at("10:30")))
    assert not is_free(visits, a_visit(property_id=property_id(), date=at("10:45"), agent_id=agent))
    # What it holds now is what it was moved with.
    after = next_version(before, date=at("10:15"), gap_minutes=0, travel_minutes=15)
    visits.move(before, after, 1)
    assert visits.held_quarters(house, DAY) == {at("10:15"): 1, at("10:30"): 1}
    whole_day = [(DAY.start, DAY.end)]
    assert visits.whereabouts(agent, whole_day) == {at(q): house for q in ("10:15", "10:30", "10:45")}
    visits.save(after, cancelled(after))
    assert visits.held_quarters(house, DAY) == {}
    assert visits.whereabouts(agent, whole_day) == {}


def test_taken_quarters_are_those_of_the_spans_and_maybe_others_of_their_days(visits: VisitStore, house: str) -> None:
    for hour in ("08:00", "12:00", "18:00"):
        booked(visits, a_visit(property_id=house, date=at(hour)))
    booked(visits, a_visit(property_id=house, date=at("12:15") + DAY.width))
    found = visits.taken_quarters(house, [(at("07:00"), at("08:15")), (at("12:10"), at("12:20") + DAY.width)])
    assert {at("08:00"), at("12:00"), at("12:15"), at("12:15") + DAY.width} <= found.keys()
    assert at("12:30") + DAY.width not in found
    assert visits.taken_quarters(house, []) == {}
    assert visits.whereabouts(house, []) == {}


def test_a_moved_visit_frees_its_old_time_and_holds_the_new_one(visits: VisitStore, house: str, agent: str) -> None:
    before = booked(visits, a_visit(property_id=house, agent_id=agent))
    after = next_version(before, date=at("12:00"))
    visits.move(before, after, 1)
    assert visits.get(before.id) == after
    assert visits.held_quarters(house, DAY) == {at("12:00"): 1, at("12:15"): 1}
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=agent))
    assert not is_free(visits, a_visit(property_id=property_id(), date=at("12:00"), agent_id=agent))


@pytest.mark.parametrize(
    ("date", "duration", "held"),
    [
        ("10:15", 30, ["10:15", "10:30"]),
        ("09:45", 30, ["09:45", "10:00"]),
        ("10:00", 60, ["10:00", "10:15", "10:30", "10:45"]),
        ("10:00", 15, ["10:00"]),
        ("10:05", 20, ["10:00", "10:15"]),
        ("10:10", 5, ["10:00"]),
    ],
)
def test_a_visit_never_conflicts_with_itself(
    visits: VisitStore, house: str, agent: str, date: str, duration: int, held: list[str]
) -> None:
    before = booked(visits, a_visit(property_id=house, agent_id=agent))
    visits.move(before, next_version(before, date=at(date), duration_minutes=duration), 1)
    assert sorted(visits.held_quarters(house, DAY)) == [at(quarter) for quarter in held]


def test_a_visit_does_not_move_to_a_taken_time(visits: VisitStore, house: str) -> None:
    before = booked(visits, a_visit(property_id=house))
    booked(visits, a_visit(property_id=house, date=at("11:00")))
    with pytest.raises(SlotTaken) as refused:
        visits.move(before, next_version(before, date=at("10:45")), 1)
    assert refused.value.intervals == [taken("11:00", "11:15")]
    assert visits.get(before.id) == before
    assert sorted(visits.held_quarters(house, DAY)) == [at(q) for q in ("10:00", "10:15", "11:00", "11:15")]


def test_a_visit_that_keeps_a_quarter_keeps_it_though_the_capacity_was_lowered(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house), capacity=2)
    before = booked(visits, a_visit(property_id=house), capacity=2)
    visits.move(before, next_version(before, duration_minutes=45), 1)
    assert visits.held_quarters(house, DAY) == {at("10:00"): 2, at("10:15"): 2, at("10:30"): 1}


def test_a_stale_move_is_stale_before_its_time_is_taken(visits: VisitStore, house: str) -> None:
    first = booked(visits, a_visit(property_id=house))
    booked(visits, a_visit(property_id=house, date=at("11:00")))
    visits.save(first, next_version(first, notes="somebody was here"))
    with pytest.raises(VersionMismatch):
        visits.move(first, next_version(first, date=at("11:00")), 1)


def test_another_agent_holds_the_slots_from_then_on(visits: VisitStore, house: str, agent: str) -> None:
    other = agent_id()
    before = booked(visits, a_visit(property_id=house, agent_id=agent))
    after = next_version(before, agent_id=other)
    visits.move(before, after, 1)
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=agent))
    assert not is_free(visits, a_visit(property_id=property_id(), agent_id=other))
    assert visits.held_quarters(house, DAY) == {at("10:00"): 1, at("10:15"): 1}
    nobody = next_version(after, agent_id=None)
    visits.move(after, nobody, 1)
    assert visits.get(before.id) == nobody
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=other))


def test_an_agent_who_is_busy_elsewhere_cannot_take_over(visits: VisitStore, house: str, agent: str) -> None:
    booked(visits, a_visit(property_id=property_id(), date=at("10:15"), agent_id=agent))
    before = booked(visits, a_visit(property_id=house))
    with pytest.raises(SlotTaken) as refused:
        visits.move(before, next_version(before, agent_id=agent), 1)
    assert refused.value.intervals == [taken("10:15", "10:30", "agent")]
    assert visits.get(before.id) == before


def test_time_and_agent_can_change_at_once(visits: VisitStore, house: str, agent: str) -> None:
    other = agent_id()
    before = booked(visits, a_visit(property_id=house, agent_id=agent))
    visits.move(before, next_version(before, agent_id=other, date=at("10:15")), 1)
    assert visits.held_quarters(house, DAY) == {at("10:15"): 1, at("10:30"): 1}
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=agent, duration_minutes=60))
    assert is_free(visits, a_visit(property_id=property_id(), agent_id=other, duration_minutes=15))
    assert not is_free(visits, a_visit(property_id=property_id(), agent_id=other, date=at("10:30")))


# Idempotency records


def test_a_record_is_found_until_it_expires_however_long_it_stays_stored(repositories: Repositories) -> None:
    once = a_record(expires_at=NOW + minutes(10))
    repositories.visits.add(a_visit(property_id=property_id()), 1, once)
    assert repositories.records.find(once.id, NOW + minutes(9)) == once
    assert repositories.records.find(once.id, NOW + minutes(10)) is None
    assert repositories.records.find(a_record().id, NOW) is None


def test_a_retry_is_already_done_rather_than_in_conflict_with_itself(repositories: Repositories, house: str) -> None:
    once = a_record()
    visit = a_visit(property_id=house)
    repositories.visits.add(visit, 1, once)
    for retry in (a_visit(property_id=house), visit):
        with pytest.raises(AlreadyDone):
            repositories.visits.add(retry, 1, once)
    assert repositories.visits.held_quarters(house, DAY) == {at("10:00"): 1, at("10:15"): 1}


def test_an_expired_record_is_replaced(repositories: Repositories, house: str) -> None:
    once = a_record(expires_at=NOW + minutes(10))
    repositories.visits.add(a_visit(property_id=house), 1, once)
    later = a_visit(property_id=house, date=at("12:00"), created_at=NOW + minutes(10))
    again = replace(once, resource_id=later.id, expires_at=NOW + minutes(20))
    repositories.visits.add(later, 1, again)
    assert repositories.records.find(once.id, NOW + minutes(15)) == again


# Held quarters


def test_held_quarters_counts_the_visits_that_hold_each(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("10:20")), capacity=2)
    booked(visits, a_visit(property_id=house, date=at("10:30"), duration_minutes=15), capacity=2)
    gone = booked(visits, a_visit(property_id=house, date=at("15:00")))
    visits.save(gone, cancelled(gone))
    booked(visits, a_visit(property_id=property_id(), date=at("12:00")))
    assert dict(visits.held_quarters(house, DAY)) == {at("10:15"): 1, at("10:30"): 2, at("10:45"): 1}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2027-03-12T10:15", "2027-03-12T10:45", ["10:15", "10:30"]),
        ("2027-03-12T10:20", "2027-03-12T10:31", ["10:15", "10:30"]),
        ("2027-03-12T10:29:59", "2027-03-12T10:30:01", ["10:15", "10:30"]),
        ("2027-03-12T10:30", "2027-03-12T10:30:01", ["10:30"]),
        ("2027-03-12T11:00", "2027-03-12T23:00", []),
        ("2027-03-11T00:00", "2027-03-14T00:00", ["10:00", "10:15", "10:30", "10:45"]),
    ],
)
def test_held_quarters_are_those_that_the_window_touches(
    visits: VisitStore, house: str, start: str, end: str, expected: list[str]
) -> None:
    booked(visits, a_visit(property_id=house, duration_minutes=60))
    found = visits.held_quarters(house, Window(utc(start), utc(end)))
    assert sorted(found) == [at(time) for time in expected]


def test_held_quarters_span_midnight(visits: VisitStore, house: str) -> None:
    booked(visits, a_visit(property_id=house, date=at("23:45"), duration_minutes=60))
    window = Window(at("23:50"), utc("2027-03-13T00:20"))
    quarters = [at("23:45"), utc("2027-03-13T00:00"), utc("2027-03-13T00:15")]
    assert sorted(visits.held_quarters(house, window)) == quarters
    assert sorted(visits.held_quarters(house, Window(at("23:00"), utc("2027-03-13")))) == quarters[:1]


# Lists


def test_a_list_takes_in_its_start_and_leaves_out_its_end(visits: VisitStore, house: str) -> None:
    first, second, third = (
        booked(visits, a_visit(property_id=house, date=at(time))) for time in ("10:00", "11:00", "12:00")
    )
    for window, expected in (
        (Window(at("10:00"), at("12:00")), [first, second]),
        (Window(at("10:00:01"), at("12:00:01")), [second, third]),
        (Window(at("13:00"), at("14:00")), []),
    ):
        assert visits.list(VisitFilter(window, property_id=house), None, 10).items == expected


def test_the_filters_of_a_list_combine(visits: VisitStore, house: str, agent: str) -> None:
    elsewhere = property_id()
    mine = booked(visits, a_visit(property_id=house, agent_id=agent, date=at("10:00")))
    asked = booked(visits, a_visit(property_id=house, agent_id=agent, date=at("11:00"), status=Status.REQUESTED))
    other = booked(visits, a_visit(property_id=elsewhere, agent_id=agent, date=at("12:00")))
    nobody = booked(visits, a_visit(property_id=house, date=at("13:00")))
    gone = booked(visits, a_visit(property_id=house, date=at("14:00")))
    visits.save(gone, gone := cancelled(gone))

    def found(**filter: Any) -> list[Visit]:
        return flat(walk(visits, VisitFilter(DAY, **filter), 10))

    assert found(property_id=house) == [mine, asked, nobody, gone]
    assert found(agent_id=agent) == [mine, asked, other]
    assert found(property_id=house, agent_id=agent) == [mine, asked]
    assert found(property_id=house, statuses=frozenset({Status.CONFIRMED})) == [mine, nobody]
    assert found(property_id=house, statuses=frozenset({Status.CANCELLED, Status.REQUESTED})) == [asked, gone]
    assert found(agent_id=agent, statuses=frozenset({Status.REQUESTED})) == [asked]
    assert found(property_id=house, agent_id=agent, statuses=frozenset({Status.CONFIRMED}), order="desc") == [mine]
    assert found(property_id=property_id()) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("by", ["property", "agent"])
def test_pages_hold_every_visit_exactly_once_in_order(
    visits: VisitStore, house: str, agent: str, order: Literal["asc", "desc"], limit: int, by: str
) -> None:
    made = [
        booked(visits, a_visit(property_id=house, agent_id=agent, date=TEN + minutes(n // 2 * 30)), capacity=2)
        for n in range(7)
    ]
    filter = VisitFilter(DAY, **{f"{by}_id": house if by == "property" else agent}, order=order)  # type: ignore[arg-type]  # one of two filters
    pages = walk(visits, filter, limit)
    expected = sorted(made, key=lambda visit: (visit.date, visit.id), reverse=order == "desc")
    assert flat(pages) == expected
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_the_whole_agency_is_listed_across_months(
    visits: VisitStore, order: Literal["asc", "desc"], limit: int
) -> None:
    year = next(winters)
    starts = [
        datetime(year + (month < 7), month, day, hour, tzinfo=UTC)
        for month in (11, 12, 1, 2)
        for day, hour in ((1, 0), (28, 23))
    ]
    made = [booked(visits, a_visit(property_id=property_id(), date=start)) for start in starts for _ in range(2)]
    window = Window(datetime(year, 11, 1, tzinfo=UTC), datetime(year + 1, 2, 28, 23, tzinfo=UTC))
    pages = walk(visits, VisitFilter(window, order=order), limit)
    expected = sorted(made, key=lambda visit: (visit.date, visit.id), reverse=order == "desc")
    assert flat(pages) == [visit for visit in expected if visit.date < window.end]
    assert all(len(page) <= limit for page in pages)


def test_a_page_goes_on_after_its_position_whatever_was_inserted_or_moved_before_it(
    visits: VisitStore, house: str
) -> None:
    first, second, third = (
        booked(visits, a_visit(property_id=house, date=at(time))) for time in ("10:00", "11:00", "12:00")
    )
    filter = VisitFilter(DAY, property_id=house)
    page = visits.list(filter, None, 2)
    assert page.items == [first, second]
    assert page.next is not None
    booked(visits, a_visit(property_id=house, date=at("09:00")))
    visits.move(second, next_version(second, date=at("08:00")), 1)
    assert visits.list(filter, page.next, 2).items == [third]


# Intakes

SECOND = timedelta(seconds=1)
HOURS = ("10:00", "11:00", "12:00")
LATER = NOW + timedelta(seconds=70)


def a_manifest(**changes: Any) -> Manifest:
    return replace(Manifest(visit_id(), "partner", 50, 2, sent=False, created_at=NOW), **changes)


def a_chunk(manifest: Manifest, number: int = 0) -> Chunk:
    return Chunk(manifest.id, manifest.producer, number, (), foreign=False)


def told(*rows: int, rejected: int = 0) -> list[RowOutcome]:
    """Outcomes of rows that were booked, and of as many before them that were not."""
    refused = [RowOutcome(row, None, "rejected", problem={"status": 409}) for row in range(rejected)]
    return [*refused, *(RowOutcome(row, f"e-{row}", "created", f"visit-{row}") for row in rows)]


@pytest.fixture
def intakes(repositories: Repositories) -> IntakeStore:
    return repositories.intakes


def test_an_intake_stands_until_it_expires_and_is_not_opened_twice(intakes: IntakeStore) -> None:
    manifest = a_manifest()
    id = manifest.id
    with pytest.raises(IntakeNotFound):
        intakes.get(id, NOW)
    assert intakes.open(manifest) == manifest
    assert intakes.open(replace(manifest, rows=1, created_at=NOW + KEPT - SECOND)) == manifest
    assert intakes.get(id, NOW + KEPT - SECOND) == manifest
    for look in (intakes.get, intakes.progress):
        with pytest.raises(IntakeNotFound) as refused:
            look(id, NOW + KEPT)
        assert refused.value.intake_id == id
    intakes.mark_sent(id)
    assert intakes.progress(id, NOW).manifest == replace(manifest, sent=True)
    anew = replace(manifest, rows=1, created_at=NOW + KEPT)
    assert intakes.open(anew) == anew
    assert intakes.get(id, NOW + KEPT) == anew


def test_a_chunk_is_one_workers_until_its_claim_has_run_out_or_was_given_back(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    chunk = a_chunk(manifest)
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "b", LATER, LATER) is Claim.ELSEWHERE
    assert intakes.claim(a_chunk(manifest, 1), manifest, "b", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "b", LATER + SECOND, LATER + SECOND) is Claim.GRANTED
    with pytest.raises(ClaimLost):
        intakes.release(chunk, "a")
    with pytest.raises(ClaimLost):
        intakes.finish(chunk, manifest, "a", told(0))
    intakes.release(chunk, "b")
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.progress(manifest.id, NOW).status is IntakeStatus.QUEUED


def test_what_became_of_a_chunk_is_told_once_it_is_finished(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    first, second = a_chunk(manifest), a_chunk(manifest, 1)
    intakes.claim(second, manifest, "a", NOW, LATER)
    assert intakes.outcomes(manifest.id, None, 10).items == []
    intakes.finish(second, manifest, "a", told(25, 26, 27))
    assert intakes.claim(second, manifest, "b", LATER + SECOND, LATER + SECOND) is Claim.FINISHED
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.RUNNING, Counts(50, 3, 0, 0))
    intakes.claim(first, manifest, "b", NOW, LATER)
    intakes.finish(first, manifest, "b", told(2, 3, rejected=2))
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.DONE, Counts(50, 5, 0, 2))
    everything = [*told(2, 3, rejected=2), *told(25, 26, 27)]
    for limit in (1, 3, 7, 10):
        found: list[RowOutcome] = []
        after: str | None = None
        while True:
            page = intakes.outcomes(manifest.id, after, limit)
            assert len(page.items) <= limit
            found += page.items
            if page.next is None:
                break
            after = page.next
        assert found == everything


def test_a_chunk_is_given_up_unless_it_is_finished(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    first, second = a_chunk(manifest), a_chunk(manifest, 1)
    for chunk in (first, second):
        intakes.claim(chunk, manifest, "a", NOW, LATER)
    intakes.finish(first, manifest, "a", told(0))
    with pytest.raises(ClaimLost):
        intakes.give_up(first, manifest, "b", told(rejected=1))
    with pytest.raises(ClaimLost):
        intakes.give_up(second, manifest, "b", told(rejected=1))
    intakes.give_up(second, manifest, "a", told(rejected=2))
    with pytest.raises(ClaimLost):
        intakes.finish(second, manifest, "b", told(25))
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.FAILED, Counts(50, 1, 0, 2))
    assert intakes.outcomes(manifest.id, None, 10).items == [*told(0), *told(rejected=2)]


# Agents


@pytest.fixture
def agents(repositories: Repositories) -> AgentStore:
    return repositories.agents


def test_an_agent_is_registered_once_and_replaced_as_it_was_read(agents: AgentStore, agent: str) -> None:
    hours = Hours((ALL_DAY,) * 5 + ((), ()), (Dates(NOW.date(), NOW.date()),))
    first = an_agent(agent, email="ann@example.com", language="de", availability=hours, travel_minutes=30)
    assert agents.get(agent) is None
    assert agents.add(first) == first
    assert agents.get(agent) == first
    with pytest.raises(VersionMismatch):
        agents.add(first)
    second = replace(first, name="Anna", availability=None, version=2, updated_at=LATER)
    agents.save(first, second)
    with pytest.raises(VersionMismatch):
        agents.save(first, second)
    assert agents.get(agent) == second


def test_an_agent_who_was_erased_is_gone_and_the_version_goes_on(agents: AgentStore, agent: str) -> None:
    first = agents.add(an_agent(agent))
    agents.erase(first, NOW)
    assert agents.get(agent) is None
    assert agent not in [found.id for found in agents.list(None, 1000).items]
    with pytest.raises(VersionMismatch):
        agents.erase(first, NOW)
    with pytest.raises(VersionMismatch):
        agents.save(first, first)
    again = agents.add(an_agent(agent, name="Bob"))
    assert again.version == 3
    assert agents.get(agent) == again
    with pytest.raises(VersionMismatch):
        agents.add(again)


def test_visits_are_found_by_the_contacts_of_their_visitor_as_long_as_they_have_it(
    visits: VisitStore, house: str
) -> None:
    email, phone = f"{house}@Example.com", "+49 30 " + re.sub("[^0-9]", "", house)
    by_email, by_phone = Contact.of_email(email.upper()), Contact.of_phone(phone.replace("+", "00"))
    booked = [a_visit(property_id=house, date=at(hour), visitor=Visitor(None, email, phone)) for hour in HOURS]
    for visit in (*booked, a_visit(property_id=house, date=at("15:00"), visitor=Visitor("Ada"))):
        visits.add(visit, 1)
    ids = [visit.id for visit in booked]
    for contact in (by_email, by_phone):
        first = visits.of_contact(contact, None, 2)
        assert (first.items, visits.of_contact(contact, first.next, 2).items) == (ids[:2], ids[2:])
    changed = next_version(booked[0], visitor=Visitor(None, "other@example.com", phone))
    visits.save(booked[0], changed)
    assert visits.of_contact(by_email, None, 10).items == ids[1:]
    assert visits.of_contact(by_phone, None, 10).items == ids
    visits.save(changed, next_version(changed, visitor=None))
    assert visits.of_contact(by_phone, None, 10).items == ids[1:]


# Calendar feeds


@pytest.fixture
def tokens(repositories: Repositories) -> CalendarStore:
    return repositories.tokens


@pytest.fixture(params=["property", "agent"])
def owner(request: pytest.FixtureRequest) -> Owner:
    return Owner(request.param, property_id())


def standing(tokens: CalendarStore, owner: Owner) -> Shared:
    shared = tokens.find(owner)
    assert shared is not None
    return shared


def test_a_feed_has_one_token_until_it_is_withdrawn(tokens: CalendarStore, owner: Owner) -> None:
    tokens.remove(owner, NOW)
    assert tokens.find(owner) is None
    tokens.keep(owner, Shared(b"first"), NOW)
    tokens.keep_rendering(owner, Shared(b"first"), Rendering(b"content", NOW))
    tokens.keep(owner, Shared(b"second"), NOW)
    assert tokens.find(owner) == Shared(b"second"), "with nothing kept of the feed"
    tokens.remove(owner, NOW)
    assert tokens.find(owner) is None


def test_one_poll_at_a_time_may_renew_a_feed(tokens: CalendarStore, owner: Owner) -> None:
    assert not tokens.claim(owner, Shared(b"hash"), NOW)
    tokens.keep(owner, Shared(b"hash"), NOW)
    shared = standing(tokens, owner)
    assert not tokens.claim(owner, Shared(b"another"), NOW)
    assert tokens.claim(owner, shared, NOW)
    assert not tokens.claim(owner, shared, NOW + RENEWED_WITHIN - SECOND)
    assert tokens.claim(owner, shared, NOW + RENEWED_WITHIN)


def test_the_newest_rendering_of_a_shared_feed_is_kept(tokens: CalendarStore, owner: Owner) -> None:
    old, new, late = Rendering(b"old", NOW), Rendering(b"new", NOW + SECOND), Rendering(b"late", NOW)
    tokens.keep_rendering(owner, Shared(b"hash"), old)
    assert tokens.find(owner) is None
    tokens.keep(owner, Shared(b"hash"), NOW)
    unread = standing(tokens, owner)
    # A token that is in force no longer keeps nothing; where the pieces lie, nothing of it is read.
    tokens.keep_rendering(owner, Shared(b"another"), Rendering(b"another", NOW - SECOND))
    assert tokens.find(owner) == unread
    for rendering in (old, new, late):
        tokens.keep_rendering(owner, unread, rendering)
    assert tokens.find(owner) == Shared(b"hash", Kept(new.tag, new.as_of, new.as_of + RENDERING_KEPT))
    assert [tokens.rendering(owner, kept.tag) for kept in (old, new, late)] == [None, b"new", None]
    # The same content is not written anew, and the store drops it when it would have.
    again = Rendering(b"new", NOW + 2 * SECOND)
    tokens.keep_rendering(owner, standing(tokens, owner), again)
    assert standing(tokens, owner).kept == Kept(new.tag, again.as_of, new.as_of + RENDERING_KEPT)
    tokens.remove(owner, NOW + 3 * SECOND)
    assert tokens.rendering(owner, new.tag) is None


def test_of_a_feed_that_names_visitors_only_the_tag_is_kept(tokens: CalendarStore, owner: Owner) -> None:
    tokens.keep(owner, Shared(b"hash", shows=Shows.VISITORS), NOW)
    rendering = Rendering(b"Ada", NOW)
    tokens.keep_rendering(owner, standing(tokens, owner), rendering)
    kept = Kept(rendering.tag, NOW, NOW + RENDERING_KEPT)
    assert standing(tokens, owner) == Shared(b"hash", kept, Shows.VISITORS)
    assert tokens.rendering(owner, rendering.tag) is None


# DynamoDB alone: items that are missing


@dataclass
class Patience:
    """A clock that moves only by sleeping."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@dataclass(frozen=True)
class Store:
    """DynamoDB with a client of its own that tries once, so that every retry seen is ours."""

    client: DynamoDBClient
    table: Table
    patience: Patience

    @property
    def visits(self) -> DynamoVisits:
        return DynamoVisits(self.table)

    @property
    def properties(self) -> DynamoProperties:
        return DynamoProperties(self.table)


@pytest.fixture
def store(table: FreshTable) -> Iterator[Store]:
    once: Any = {"config": Config(retries={"mode": "standard", "total_max_attempts": 1})}
    client: DynamoDBClient = boto3.client("dynamodb", **table.access | once)
    time = Patience()
    with contextlib.closing(client):
        yield Store(client, Table(client, table.name, time.sleep, time.monotonic), time)


def slot_item(table: FreshTable, key: items.Key) -> dict[str, Any]:
    found: Any = table.client.get_item(
        TableName=table.name, Key={"pk": {"S": key["pk"]}, "sk": {"S": key["sk"]}}, ConsistentRead=True
    )
    return dict(found.get("Item", {}))


def test_a_slot_expires_thirty_days_after_its_end_whether_held_or_freed(
    store: Store, table: FreshTable, house: str, agent: str
) -> None:
    visit = booked(store.visits, a_visit(property_id=house, agent_id=agent, duration_minutes=15))
    expires = {"N": str(int((at("10:15") + timedelta(days=30)).timestamp()))}
    keys = [property_slot(house, at("10:00")), agent_slot(agent, at("10:00"))]
    assert [slot_item(table, key)["ttl"] for key in keys] == [expires, expires]
    store.visits.save(visit, cancelled(visit))
    for key in keys:
        freed = slot_item(table, key)
        assert freed["ttl"] == expires
        assert "holders" not in freed


@pytest.mark.parametrize("capacity", [1, 2])
def test_what_was_held_by_the_whole_id_keeps_others_out_and_is_freed(
    store: Store, table: FreshTable, house: str, agent: str, capacity: int
) -> None:
    """As every slot was held before holders were short."""
    visits = [
        booked(store.visits, a_visit(property_id=house, agent_id=agent, duration_minutes=15), capacity)
        for _ in range(capacity)
    ]
    keys = [property_slot(house, at("10:00")), agent_slot(agent, at("10:00"))]
    for key in keys:
        table.client.update_item(
            TableName=table.name,
            Key={"pk": {"S": key["pk"]}, "sk": {"S": key["sk"]}},
            UpdateExpression="SET holders = :ids",
            ExpressionAttributeValues={":ids": {"SS": [visit.id for visit in visits]}},
        )
    assert store.visits.held_quarters(house, DAY) == {at("10:00"): capacity}
    assert not is_free(store.visits, a_visit(property_id=house), capacity)
    assert not is_free(store.visits, a_visit(property_id=property_id(), agent_id=agent))
    for visit in visits[1:]:
        store.visits.move(visit, next_version(visit, date=at("11:00")), capacity)
    store.visits.save(visits[0], cancelled(visits[0]))
    assert [slot_item(table, key).get("holders") for key in keys] == [None, None]


def test_freeing_a_slot_whose_item_has_expired_leaves_one_that_expires_too(
    store: Store, table: FreshTable, house: str, agent: str
) -> None:
    visit = booked(store.visits, a_visit(property_id=house, agent_id=agent, duration_minutes=15))
    keys = [property_slot(house, at("10:00")), agent_slot(agent, at("10:00"))]
    for key in keys:
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": key["pk"]}, "sk": {"S": key["sk"]}})
    store.visits.save(visit, cancelled(visit))
    for key in keys:
        assert set(slot_item(table, key)) - {"pk", "sk"} == {"ttl"}
    assert is_free(store.visits, a_visit(property_id=house, agent_id=agent))


# DynamoDB alone: faults

CLIENT_WAITS_SECONDS = 3

Answer = Callable[[AWSPreparedRequest], AWSResponse | None]


class _Raw(BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def refusal(code: str, status: int = 400, **members: object) -> Answer:
    """DynamoDB says no, and has done nothing."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **members})
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(body.encode()))


def between(status: int, page: bytes) -> Answer:
    """What is between us and DynamoDB answers in its place."""
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(page))


def cancelled_because(*codes: str) -> Answer:
    """A transaction is cancelled, each member for its reason; the last reason goes for all the rest."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        members = len(json.loads(_text(request))["TransactItems"])
        given = [*codes, *itertools.repeat(codes[-1], members - len(codes))]
        return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in given])(request)

    return answer


def silence(fault: Callable[[str], Exception]) -> Answer:
    """Nothing comes back, and nothing was done."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        raise fault(request.url)

    return answer


def lost(request: AWSPreparedRequest) -> AWSResponse | None:
    """It is done, but the answer is lost on its way."""
    done = httpx.post(request.url, headers=_headers(request), content=_text(request))
    assert done.status_code < 500, done.text
    raise _read_timeout(request.url)


def _read_timeout(url: str) -> Exception:
    return ReadTimeoutError(endpoint_url=url)


def _text(request: AWSPreparedRequest) -> str:
    body: Any = request.body
    return body.decode() if isinstance(body, bytes) else str(body)


def _headers(request: AWSPreparedRequest) -> dict[str, str]:
    given: Any = request.headers  # text and bytes
    return {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in given.items()
        if name.lower() != "content-length"
    }


@contextlib.contextmanager
def faults(client: DynamoDBClient, operation: str, answers: Iterable[Answer]) -> Iterator[list[dict[str, Any]]]:
    """The first requests get these answers, all further ones DynamoDB's own; gives every request that was sent."""
    waiting = iter(answers)
    seen: list[dict[str, Any]] = []

    def before_send(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        seen.append(json.loads(_text(request)))
        answer = next(waiting, None)
        return answer(request) if answer else None

    event = f"before-send.dynamodb.{operation}"
    hook: Any = before_send  # in the stubs a hook answers nothing
    client.meta.events.register(event, hook)
    try:
        yield seen
    finally:
        client.meta.events.unregister(event, hook)


CONFLICT = cancelled_because("TransactionConflict")
CANCELLED = [
    CONFLICT,
    cancelled_because("None", "ThrottlingError", "None"),
    cancelled_because("ProvisionedThroughputExceeded"),
]
NOT_TAKEN = [
    refusal("ThrottlingException"),
    refusal("ProvisionedThroughputExceededException"),
    refusal("RequestLimitExceeded"),
    silence(lambda url: ConnectTimeoutError(endpoint_url=url)),
    silence(lambda url: EndpointConnectionError(endpoint_url=url)),
]
UNDECIDED = [
    refusal("TransactionInProgressException"),
    refusal("InternalServerError", 500),
    refusal("ServiceUnavailable", 503),
    refusal("InternalFailure", 500),
    between(503, b"<html>Service Unavailable</html>"),
    between(502, b""),
    silence(_read_timeout),
]
OVERLOADED = [*CANCELLED, *NOT_TAKEN, *UNDECIDED]
TOLD = [*((fault, StoreBusy) for fault in [*CANCELLED, *NOT_TAKEN]), *((fault, OutcomeUnknown) for fault in UNDECIDED)]


@pytest.mark.parametrize("fault", OVERLOADED, ids=range(len(OVERLOADED)))
def test_a_booking_outlasts_contention_and_faults_that_pass(store: Store, house: str, fault: Answer) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [fault] * 3) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 4
    assert len(store.patience.pauses) == 3
    assert len({request["ClientRequestToken"] for request in sent}) == 1, "every attempt is the same transaction"
    assert store.visits.get(visit.id) == visit


@pytest.mark.parametrize(("fault", "told"), TOLD, ids=range(len(TOLD)))
def test_after_three_seconds_nothing_was_written_or_it_is_not_known(
    store: Store, house: str, fault: Answer, told: type[Unavailable]
) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", itertools.repeat(fault)), pytest.raises(told) as refused:
        store.visits.add(visit, 1)
    assert refused.value.retry_after_seconds >= 1
    assert 3 < store.patience.now < 3.5
    assert all(0 <= pause <= 0.4 for pause in store.patience.pauses)
    with pytest.raises(VisitNotFound):
        store.visits.get(visit.id)
    assert is_free(store.visits, a_visit(property_id=house))


def test_a_save_and_a_move_outlast_contention_too(store: Store, house: str) -> None:
    visit = booked(store.visits, a_visit(property_id=house))
    moved = next_version(visit, date=at("12:00"))
    with faults(store.client, "TransactWriteItems", [CONFLICT, CONFLICT]):
        store.visits.move(visit, moved, 1)
    with faults(store.client, "PutItem", [refusal("TransactionConflictException")] * 2) as sent:
        noted = next_version(moved, notes="n")
        store.visits.save(moved, noted)
    assert len(sent) == 3
    with faults(store.client, "TransactWriteItems", [CONFLICT, CONFLICT]):
        store.visits.save(noted, cancelled(noted))
    assert store.visits.held_quarters(house, DAY) == {}


def test_a_taken_slot_is_not_final_while_another_slot_is_contended(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    passing = cancelled_because("None", "ConditionalCheckFailed", "TransactionConflict")
    with faults(store.client, "TransactWriteItems", [passing]) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 2


def test_a_recorded_success_is_final_though_a_slot_is_contended(store: Store, house: str) -> None:
    fault = cancelled_because("ConditionalCheckFailed", "None", "TransactionConflict")
    with faults(store.client, "TransactWriteItems", [fault]) as sent, pytest.raises(AlreadyDone):
        store.visits.add(a_visit(property_id=house), 1, a_record())
    assert len(sent) == 1


def test_the_idempotency_record_is_looked_at_before_the_slots(store: Store, house: str) -> None:
    fault = cancelled_because("ConditionalCheckFailed")
    with faults(store.client, "TransactWriteItems", [fault]), pytest.raises(AlreadyDone):
        store.visits.add(a_visit(property_id=house), 1, a_record())
    with faults(store.client, "TransactWriteItems", [fault]), pytest.raises(AlreadyDone):
        store.properties.add(a_property(house), a_record())


def test_what_is_our_own_fault_is_not_the_stores_overload(store: Store, house: str) -> None:
    denied = refusal("AccessDeniedException")
    with faults(store.client, "TransactWriteItems", [denied]) as sent, pytest.raises(ClientError):
        store.visits.add(a_visit(property_id=house), 1)
    assert len(sent) == 1
    invalid = cancelled_because("ValidationError")
    with faults(store.client, "TransactWriteItems", [invalid]) as sent, pytest.raises(ClientError):
        store.visits.add(a_visit(property_id=house), 1)
    assert len(sent) == 1
    with faults(store.client, "GetItem", [denied]), pytest.raises(ClientError):
        store.properties.get(house)


@pytest.mark.parametrize("fault", [*NOT_TAKEN, *UNDECIDED], ids=range(len(NOT_TAKEN + UNDECIDED)))
def test_a_read_that_the_store_cannot_take_says_that_it_is_busy(store: Store, house: str, fault: Answer) -> None:
    with faults(store.client, "GetItem", [fault] * 4):
        with pytest.raises(StoreBusy):
            store.properties.get(house)
        with pytest.raises(StoreBusy):
            store.table.ping()
    store.table.ping()
    filter = VisitFilter(DAY, property_id=house)
    with faults(store.client, "Query", [fault] * 4):
        with pytest.raises(StoreBusy):
            store.visits.list(filter, None, 10)
        with pytest.raises(StoreBusy):
            store.visits.held_quarters(house, DAY)


def test_a_booking_whose_answer_was_lost_is_a_success_and_conflicts_with_nobody(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [lost, lost]) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 3
    assert store.visits.get(visit.id) == visit
    assert store.visits.held_quarters(house, DAY) == {at("10:00"): 1, at("10:15"): 1}


def slow(store: Store) -> Answer:
    """It is done, but the client has stopped waiting by the time that the answer comes."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        store.patience.now += CLIENT_WAITS_SECONDS
        return lost(request)

    return answer


@pytest.fixture
def request_under_way() -> Iterator[None]:
    patience.begin()
    yield
    patience.end()


@pytest.mark.usefixtures("request_under_way")
def test_a_commit_that_is_slow_to_answer_is_waited_for_as_long_as_the_request_may_last(
    store: Store, house: str
) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [slow(store)] * 4) as sent:
        store.visits.add(visit, 1)
    assert len({request["ClientRequestToken"] for request in sent}) == 1
    noted = next_version(visit, notes="n")
    with faults(store.client, "PutItem", [slow(store)] * 4):
        store.visits.save(visit, noted)
    assert store.visits.get(visit.id) == noted


@pytest.mark.usefixtures("request_under_way")
def test_a_commit_that_never_answers_is_not_known_and_never_told_as_none(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    with (
        faults(store.client, "TransactWriteItems", itertools.repeat(slow(store))) as sent,
        pytest.raises(OutcomeUnknown),
    ):
        store.visits.add(visit, 1)
    assert len(sent) > 4
    assert store.visits.get(visit.id) == visit


def test_a_refusal_after_silence_is_not_known_where_others_may_have_written_over_it(store: Store, house: str) -> None:
    property = a_property(house)
    store.properties.add(property)

    def overtaken(request: AWSPreparedRequest) -> AWSResponse | None:
        with pytest.raises(ReadTimeoutError):
            lost(request)
        fresh = DynamoProperties(Table(store.client, store.table._name))
        mine = fresh.get(house)
        fresh.save(mine, replace(mine, version=mine.version + 1))
        raise _read_timeout(request.url)

    with faults(store.client, "PutItem", [overtaken]), pytest.raises(OutcomeUnknown):
        store.properties.save(property, replace(property, version=2))


def test_a_reschedule_whose_answer_was_lost_is_a_success(store: Store, house: str) -> None:
    visit = booked(store.visits, a_visit(property_id=house))
    moved = next_version(visit, date=at("10:15"))
    with faults(store.client, "TransactWriteItems", [lost]):
        store.visits.move(visit, moved, 1)
    assert store.visits.get(visit.id) == moved
    assert store.visits.held_quarters(house, DAY) == {at("10:15"): 1, at("10:30"): 1}


def test_a_put_whose_answer_was_lost_is_not_taken_for_somebody_elses(store: Store, house: str) -> None:
    property = a_property(house)
    with faults(store.client, "PutItem", [lost, lost]) as sent:
        store.properties.add(property)
    assert len(sent) == 3
    changed = replace(property, version=2)
    with faults(store.client, "PutItem", [lost]):
        store.properties.save(property, changed)
    visit = booked(store.visits, a_visit(property_id=house))
    with faults(store.client, "PutItem", [lost]):
        store.visits.save(visit, next_version(visit, notes="n"))
    assert store.properties.get(house) == changed
    with pytest.raises(VersionMismatch):
        store.properties.save(property, changed)
    with pytest.raises(PropertyExists):
        store.properties.add(property)


# DynamoDB alone: the signing keys


def test_all_instances_share_the_signing_keys(store: Store) -> None:
    first, second = DynamoSigningKeys(store.table).load(), DynamoSigningKeys(store.table).load()
    assert first == second
    assert first.secrets[first.current] not in (b"", b"\0" * 32)


def test_two_instances_that_make_the_keys_at_once_agree(store: Store, table: FreshTable) -> None:
    key = {"pk": {"S": signing_keys_key()["pk"]}, "sk": {"S": signing_keys_key()["sk"]}}
    table.client.delete_item(TableName=table.name, Key=key)
    other: list[Any] = []

    def in_between(request: AWSPreparedRequest) -> AWSResponse | None:
        other.append(DynamoSigningKeys(Table(table.client, table.name)).load())
        return None

    with faults(store.client, "PutItem", [in_between]):
        mine = DynamoSigningKeys(store.table).load()
    assert [mine] == other


# DynamoDB alone: what AWS would refuse and the emulator may let pass

_KEYS = {"pk", "sk", *items.PARTITION_KEYS.values(), *items.SORT_KEYS.values()}


def test_the_expressions_are_such_as_dynamodb_takes(store: Store, house: str, agent: str) -> None:
    sent: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        sent.append(params)

    store.client.meta.events.register("provide-client-params.dynamodb.*", note)
    store.properties.add(a_property(house), a_record())
    store.properties.list(EVERY_PROPERTY, None, 1)
    visit = a_visit(property_id=house, agent_id=agent)
    store.visits.add(visit, 1, a_record())
    store.visits.move(visit, moved := next_version(visit, date=at("10:15"), agent_id=agent_id()), 1)
    store.visits.save(moved, cancelled(moved))
    statuses = frozenset({Status.CONFIRMED, Status.CANCELLED})
    for filter in (
        VisitFilter(DAY),
        VisitFilter(DAY, statuses=statuses, order="desc"),
        VisitFilter(DAY, property_id=house, agent_id=agent, statuses=statuses),
        VisitFilter(DAY, agent_id=agent, statuses=statuses),
    ):
        store.visits.list(filter, None, 1)
    store.visits.held_quarters(house, DAY)
    queries = [params for params in sent if "KeyConditionExpression" in params]
    transactions = [params["TransactItems"] for params in sent if "TransactItems" in params]
    assert len(queries) >= 8
    assert len(transactions) == 4
    for query in queries:
        _check_key_condition(query["KeyConditionExpression"])
        attributes = _attributes(query.get("FilterExpression", ""), query.get("ExpressionAttributeNames", {}))
        assert not attributes & _KEYS, f"a filter on a key attribute: {query['FilterExpression']}"
        _check_used(query, ("KeyConditionExpression", "FilterExpression"))
    for members in transactions:
        keys = []
        for kind, member in (pair for members_of in members for pair in members_of.items()):
            key = member.get("Key") or member["Item"]
            keys.append((key["pk"]["S"], key["sk"]["S"]))
            _check_used(member, ("ConditionExpression", "UpdateExpression"))
            if kind == "Update":
                _check_update(member["UpdateExpression"])
        assert len(keys) == len(set(keys)), "an item appears twice in a transaction"
        assert len(keys) <= 100


def _check_key_condition(expression: str) -> None:
    assert re.fullmatch(r"\w+ = :\w+ AND \w+ BETWEEN :\w+ AND :\w+", expression), expression


def _attributes(expression: str, names: dict[str, str]) -> set[str]:
    words = set(re.findall(r"(?<![:\w#])#?\w+", expression)) - {"AND", "IN", "OR", "NOT"}
    return {names.get(word, word) for word in words}


def _check_used(params: dict[str, Any], expressions: Iterable[str]) -> None:
    """AWS refuses names and values that no expression uses, and expressions whose names and values are not given."""
    text = " ".join(params.get(name) or "" for name in expressions)
    given = {*params.get("ExpressionAttributeNames", {}), *params.get("ExpressionAttributeValues", {})}
    assert given == set(re.findall(r"[:#]\w+", text)), text


def _check_update(expression: str) -> None:
    """No two clauses of an update may touch the same path."""
    clauses = re.split(r"\b(?:SET|ADD|DELETE|REMOVE)\b", expression)[1:]
    paths = [re.split(r"[ =]", part.strip())[0] for clause in clauses for part in clause.split(",")]
    assert len(paths) == len(set(paths)), f"overlapping paths: {expression}"
    assert not set(paths) & _KEYS
