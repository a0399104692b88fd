"""The use cases of looking, over the fakes: what comes up, and when a property is taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.errors import FieldError, InvalidInput, PropertyNotFound
from chalicelib.domain.listing import Page, VisitFilter, Window
from chalicelib.domain.visits import Status, Visit
from chalicelib.services.availability import Availabilities, BusyInterval
from chalicelib.services.listing import UPCOMING_PAGES, Listing
from tests.builders import NOW, TEN, Clock, a_property, a_visit, minutes
from tests.fakes import FakeAgents, FakeAvailability, FakeProperties, FakeVisits, Memory

DAY = timedelta(days=1)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def listing(memory: Memory) -> Listing:
    return Listing(FakeVisits(memory), Clock())


@pytest.fixture
def availability(memory: Memory) -> Availabilities:
    return Availabilities(
        FakeProperties(memory), FakeAvailability(memory), FakeAgents(memory), FakeVisits(memory), Clock()
    )


def standing(memory: Memory, *visits: Visit, capacity: int = 1) -> list[Visit]:
    """The visits as they stand, however they came about."""
    memory.properties["house"] = a_property("house", capacity=capacity)
    memory.visits.update((visit.id, visit) for visit in visits)
    return list(visits)


def busy(
    availability: Availabilities, start: datetime | None = TEN, end: datetime | None = TEN + DAY
) -> list[BusyInterval]:
    return availability.busy("house", start, end).intervals


def test_neighbouring_quarters_with_the_same_holders_are_one_interval(
    memory: Memory, availability: Availabilities
) -> None:
    standing(memory, a_visit(date=TEN), a_visit(date=TEN + minutes(30)))
    assert busy(availability) == [BusyInterval(TEN, TEN + minutes(60), held=1, free=0)]


def test_an_interval_ends_where_the_number_of_holders_changes(memory: Memory, availability: Availabilities) -> None:
    standing(memory, a_visit(duration_minutes=60), a_visit(date=TEN + minutes(20), duration_minutes=5), capacity=3)
    assert busy(availability) == [
        BusyInterval(TEN, TEN + minutes(15), held=1, free=2),
        BusyInterval(TEN + minutes(15), TEN + minutes(30), held=2, free=1),
        BusyInterval(TEN + minutes(30), TEN + minutes(60), held=1, free=2),
    ]


def test_what_is_apart_stays_apart(memory: Memory, availability: Availabilities) -> None:
    standing(memory, a_visit(), a_visit(date=TEN + minutes(45)))
    assert [interval.start for interval in busy(availability)] == [TEN, TEN + minutes(45)]


def test_an_interval_goes_on_across_midnight(memory: Memory, availability: Availabilities) -> None:
    late = TEN.replace(hour=23, minute=45)
    standing(memory, a_visit(date=late))
    assert busy(availability) == [BusyInterval(late, late + minutes(30), held=1, free=0)]


def test_more_visits_than_the_capacity_leave_nothing_free_rather_than_less(
    memory: Memory, availability: Availabilities
) -> None:
    standing(memory, a_visit(), a_visit(), capacity=1)
    assert [(interval.held, interval.free) for interval in busy(availability)] == [(2, 0)]


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (None, None, Window(NOW, NOW + 7 * DAY)),
        (TEN, None, Window(TEN, TEN + 7 * DAY)),
        (None, TEN, Window(TEN - 7 * DAY, TEN)),
        (TEN, TEN + 31 * DAY, Window(TEN, TEN + 31 * DAY)),
    ],
)
def test_busy_looks_a_week_ahead_unless_told_otherwise(
    memory: Memory, availability: Availabilities, start: datetime | None, end: datetime | None, window: Window
) -> None:
    standing(memory)
    found = availability.busy("house", start, end)
    assert (found.window, found.property) == (window, memory.properties["house"])


def test_busy_looks_at_31_days_at_most(memory: Memory, availability: Availabilities) -> None:
    standing(memory)
    with pytest.raises(InvalidInput) as refused:
        busy(availability, TEN, TEN + 31 * DAY + minutes(1))
    assert refused.value.errors == [FieldError("?to", "at most 31 days after 'from'")]


def test_busy_of_a_property_that_is_not_there(availability: Availabilities) -> None:
    with pytest.raises(PropertyNotFound):
        busy(availability)


def test_upcoming_visits_are_the_next_twenty_that_hold_their_slots(memory: Memory, listing: Listing) -> None:
    past, gone = a_visit(date=NOW - minutes(1)), a_visit(status=Status.CANCELLED)
    starting, asked = a_visit(date=NOW), a_visit(date=TEN, status=Status.REQUESTED)
    elsewhere = a_visit(property_id="villa")
    later = [a_visit(date=TEN + n * DAY) for n in range(1, 30)]
    standing(memory, *reversed(later), past, gone, asked, starting, elsewhere)
    assert listing.upcoming("house") == [starting, asked, *later[:18]]


def test_a_list_looks_around_the_present_unless_told_otherwise(listing: Listing) -> None:
    for start, end in ((None, None), (TEN, None), (None, TEN), (TEN, TEN + DAY)):
        assert listing.window(start, end) == Window.around(NOW, start, end)


def test_all_visits_of_a_property_are_those_within_the_horizon(memory: Memory, listing: Listing) -> None:
    visits = standing(memory, a_visit(date=NOW - 1830 * DAY + minutes(1)), a_visit(date=NOW + 1830 * DAY - minutes(1)))
    first = listing.visits(listing.all_visits_of("house"), None, 1)
    assert [*first.items, *listing.visits(listing.all_visits_of("house"), first.next, 10).items] == visits


class Paged(FakeVisits):
    """Pages as the table has them: each reads so many visits, whether they match the filter or not."""

    pages = 0

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        self.pages += 1
        read = super().list(replace(filter, statuses=frozenset()), after, 1000)
        kept = [visit for visit in read.items if visit.status in filter.statuses]
        return Page(kept[:limit], read.next)


def test_upcoming_visits_are_found_behind_a_thousand_cancelled_ones(memory: Memory) -> None:
    cancelled = [a_visit(date=TEN + timedelta(seconds=n), status=Status.CANCELLED) for n in range(1500)]
    first, *later = ours = [a_visit(date=TEN - DAY), *(a_visit(date=TEN + n * DAY) for n in range(1, 30))]
    standing(memory, first, *cancelled, *later)
    paged = Paged(memory)
    assert Listing(paged, Clock()).upcoming("house") == ours[:20]
    assert paged.pages == 2


def test_upcoming_visits_are_not_looked_for_for_ever(memory: Memory) -> None:
    cancelled = [a_visit(date=TEN + timedelta(seconds=n), status=Status.CANCELLED) for n in range(6000)]
    standing(memory, *cancelled, a_visit(date=TEN + DAY))
    paged = Paged(memory)
    assert Listing(paged, Clock()).upcoming("house") == []
    assert paged.pages == UPCOMING_PAGES
