"""Visits in their store: found, changed, moved and over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chalicelib.domain.errors import SlotTaken, VersionMismatch, VisitExists, VisitNotFound
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.visits import Cancellation, Origin, Status, Visitor
from chalicelib.services.ports import VisitStore
from tests.builders import NOW, TEN, a_visit, agent_id, minutes, property_id
from tests.integration.repositories.stores import DAY, at, booked, cancelled, is_free, next_version, taken

if TYPE_CHECKING:
    pass


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
