"""Slots: which visits exclude one another, what is held, and when a slot's item goes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.domain.errors import SlotTaken, TakenInterval, VisitNotFound
from chalicelib.domain.listing import Window
from chalicelib.repositories import items
from chalicelib.repositories.slots import agent_slot, property_slot
from chalicelib.services.ports import VisitStore
from tests.builders import NOW, a_record, a_visit, agent_id, property_id, utc
from tests.integration.repositories.stores import (
    DAY,
    Repositories,
    Store,
    at,
    booked,
    cancelled,
    conflicts,
    is_free,
    next_version,
    taken,
)

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


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
