"""Properties: what they say to a booking, and how far ahead one may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib.domain.errors import FieldError, InvalidInput, VisitsNotAllowed
from chalicelib.domain.visits import ChangeVisit, Status, Visit, Visitor
from tests.builders import NOW, TEN, a_property, a_visit, booking, details, minutes, utc


def test_a_booking_gets_the_propertys_zone_and_address() -> None:
    visit = a_property("house", time_zone="Asia/Kathmandu", address="Durbar 1").receive(booking(), "id", NOW)
    assert (visit.time_zone, visit.place, visit.property_id, visit.id) == ("Asia/Kathmandu", "Durbar 1", "house", "id")
    assert (visit.status, visit.version, visit.created_at, visit.updated_at) == (Status.CONFIRMED, 1, NOW, NOW)


def test_a_booking_says_the_rest_itself() -> None:
    command = booking(place="Garden", visitor=Visitor("Ann"), notes="n", agent_id="a", status=Status.REQUESTED)
    visit = a_property().receive(command, "id", NOW)
    assert (visit.place, visit.visitor, visit.notes) == ("Garden", Visitor("Ann"), "n")
    assert (visit.agent_id, visit.status) == ("a", Status.REQUESTED)


def test_a_closed_property_receives_nobody_but_lets_notes_change() -> None:
    closed, visit = a_property(visits_allowed=False), a_visit()
    with pytest.raises(VisitsNotAllowed) as refused:
        closed.receive(booking(), "id", NOW)
    assert refused.value.property_id == closed.id
    with pytest.raises(VisitsNotAllowed):
        closed.revise(visit, ChangeVisit(date=TEN + minutes(15)), NOW)
    assert closed.revise(visit, ChangeVisit(notes="n"), NOW).notes == "n"
    for shorter in (10, 25):
        assert closed.revise(visit, ChangeVisit(duration_minutes=shorter), NOW).duration_minutes == shorter
    later = ChangeVisit(date=TEN + minutes(5), duration_minutes=25)
    assert closed.revise(visit, later, NOW).date == TEN + minutes(5), "it holds the same quarters"


@pytest.mark.parametrize(
    ("days", "allowed"), [(1830, True), (-1830, True), (1831, False), (-1831, False), (36500, False)]
)
def test_a_visit_lies_within_five_years(days: int, allowed: bool) -> None:
    house, date = a_property(), NOW + timedelta(days=days)
    if allowed:
        assert house.receive(booking(date=date), "id", NOW).date == date
        assert house.revise(a_visit(), ChangeVisit(date=date), NOW).date == date
        return
    attempts: list[Callable[[], Visit]] = [
        lambda: house.receive(booking(date=date), "id", NOW),
        lambda: house.revise(a_visit(), ChangeVisit(date=date), NOW),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidInput) as refused:
            attempt()
        why = "must lie between five years ago and five years ahead; check the year"
        assert refused.value.errors == [FieldError("#/date", why)]


def test_an_old_visit_can_be_annotated_though_its_date_lies_beyond_the_horizon() -> None:
    old = a_visit(date=utc("2015-01-01"))
    assert a_property().revise(old, ChangeVisit(notes="n"), NOW).notes == "n"


def test_a_rescheduled_visit_takes_on_the_zone_that_its_property_has_now() -> None:
    moved = a_property(time_zone="Europe/Lisbon")
    assert moved.revise(a_visit(), ChangeVisit(date=TEN + minutes(15)), NOW).time_zone == "Europe/Lisbon"
    assert moved.revise(a_visit(), ChangeVisit(notes="n"), NOW).time_zone == "Europe/Berlin"


def test_a_visit_with_a_place_of_its_own_keeps_it_until_it_is_taken_away() -> None:
    house, visit = a_property(), a_visit(place="Garden")
    moved = house.revise(visit, ChangeVisit(date=TEN + minutes(15)), TEN)
    assert (moved.place, moved.updated_at) == ("Garden", TEN)
    noted = house.revise(visit, ChangeVisit(notes="n", place=None), TEN)
    assert (noted.place, noted.updated_at) == (house.details.address, TEN)


@pytest.mark.parametrize(("given", "missing"), [("price", "currency"), ("currency", "price")])
def test_price_and_currency_go_together(given: str, missing: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        details(**{missing: None})
    assert refused.value.errors == [FieldError(f"#/{missing}", f"goes with '{given}': give both or neither")]


def test_other_details_make_the_next_version_and_the_same_ones_none() -> None:
    house = a_property()
    later = NOW + minutes(1)
    after = house.replaced(details(price=Decimal(1)), later)
    assert (after.version, after.created_at, after.updated_at) == (2, NOW, later)
    assert house.replaced(details(), later) is house
    assert house.replaced(details(price=Decimal("450000.00")), later) is house, "the same price"
