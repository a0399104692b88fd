"""A property's calendar feed: who may read it, what it shows, and how old that may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from chalicelib.domain.calendars import Current, Feed, Owner, Rendering, Shared
from chalicelib.domain.errors import FeedNotFound, PropertyNotFound, StoreBusy
from tests.agency import Agency
from tests.builders import NOW, TEN, a_property, a_visit, booking
from tests.fakes import FakeCalendarTokens, Memory

HOUSE = Owner("property", "house")
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def nothing(_: str) -> bool:
    """A calendar program that comes for the first time."""
    return False


@dataclass
class Calendar:
    """The feed of `house` as a calendar program sees it: the ids of its visits, a line each."""

    agency: Agency = field(default_factory=Agency)
    rendered: int = 0
    while_rendering: Callable[[], object] | None = None
    complete: bool | None = None

    def __post_init__(self) -> None:
        self.token = self.agency.feeds.share(HOUSE)

    def render(self, feed: Feed) -> Iterator[bytes]:
        self.rendered += 1
        self.complete = feed.complete
        if self.while_rendering:
            self.while_rendering()
        yield f"{feed.name}:".encode()
        for entry in feed.entries:
            yield b"\n" + entry.visit.id.encode()

    def poll(self, knows: Callable[[str], bool] = nothing) -> Current:
        return self.agency.feeds.read(HOUSE, self.token, self.render, knows)

    def shown(self) -> list[str]:
        content = self.poll().content
        assert content is not None
        house, *visits = content.decode().split("\n")
        assert house == "House:"
        return visits


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


def put_visit(calendar: Calendar, **fields: object) -> str:
    """A visit as it may lie in the store already."""
    visit = a_visit(**fields)
    calendar.agency.memory.visits[visit.id] = visit
    return visit.id


# Who may read it


def refused(calendar: Calendar, property_id: str, token: str) -> bool:
    with pytest.raises(FeedNotFound):
        calendar.agency.feeds.read(Owner("property", property_id), token, calendar.render, nothing)
    return calendar.rendered == 0


def test_only_the_address_that_was_shared_opens_the_feed_and_nobody_hears_why(calendar: Calendar) -> None:
    calendar.agency.properties.add(a_property("villa"))
    assert refused(calendar, "house", calendar.token[:-1])
    assert refused(calendar, "house", "")
    assert refused(calendar, "house", "\ud800")
    assert refused(calendar, "villa", calendar.token)
    assert refused(calendar, "nowhere", calendar.token)
    assert calendar.shown() == []


def test_a_new_address_takes_the_place_of_the_one_before_and_shows_the_present(calendar: Calendar) -> None:
    old = calendar.token
    calendar.shown()
    visit = calendar.agency.booking.book(booking()).result.id
    calendar.token = calendar.agency.feeds.share(HOUSE)
    assert calendar.shown() == [visit]
    calendar.rendered = 0
    assert refused(calendar, "house", old)


def test_a_withdrawn_feed_is_closed_and_withdrawing_it_again_does_no_harm(calendar: Calendar) -> None:
    for _ in range(2):
        calendar.agency.feeds.withdraw(HOUSE)
        assert refused(calendar, "house", calendar.token)


def test_there_is_no_feed_of_a_property_that_is_not_there(calendar: Calendar) -> None:
    for attempt in (calendar.agency.feeds.share, calendar.agency.feeds.withdraw):
        with pytest.raises(PropertyNotFound) as refused:
            attempt(Owner("property", "nowhere"))
        assert refused.value.property_id == "nowhere"


def test_addresses_are_long_and_no_two_are_alike_nor_kept(calendar: Calendar) -> None:
    assert len(calendar.token) == 43
    assert calendar.agency.feeds.share(HOUSE) != calendar.token
    assert calendar.token not in repr(calendar.agency.memory)


# What it shows


def test_it_shows_the_propertys_visits_from_a_month_ago_to_a_year_ahead(calendar: Calendar) -> None:
    first, last = NOW - timedelta(days=31), NOW + timedelta(days=366)
    shown = [put_visit(calendar, date=date) for date in (first, TEN, last - SECOND)]
    for date in (first - SECOND, last):
        put_visit(calendar, date=date)
    put_visit(calendar, property_id="villa")
    assert calendar.shown() == shown
    assert calendar.complete


@pytest.mark.parametrize(("visits", "complete"), [(2000, True), (2001, False)])
def test_it_shows_two_thousand_visits_at_most_and_says_when_there_are_more(
    calendar: Calendar, visits: int, complete: bool
) -> None:
    ids = [put_visit(calendar, date=NOW + n * MINUTE) for n in range(visits)]
    assert calendar.shown() == ids[:2000]
    assert calendar.complete is complete


def test_the_tag_of_a_content_is_the_same_on_every_instance_and_in_every_release(calendar: Calendar) -> None:
    assert calendar.poll() == Current("24c6398d437a09059e5eb8baef2e9995", b"House:")


# How old it may be


def test_a_change_shows_after_five_minutes_and_costs_one_rendering(calendar: Calendar) -> None:
    assert calendar.shown() == []
    visit = calendar.agency.booking.book(booking()).result.id
    calendar.agency.clock.advance(5 * MINUTE)
    assert (calendar.shown(), calendar.rendered) == ([], 1)
    calendar.agency.clock.advance(SECOND)
    assert (calendar.shown(), calendar.rendered) == ([visit], 2)
    calendar.agency.clock.advance(5 * MINUTE)
    assert (calendar.shown(), calendar.rendered) == ([visit], 2)


def test_who_has_the_content_already_is_not_sent_it_again(calendar: Calendar) -> None:
    tag = calendar.poll().tag
    assert calendar.poll(tag.__eq__) == Current(tag, None)
    calendar.agency.clock.advance(6 * MINUTE)
    assert calendar.poll(tag.__eq__) == Current(tag, None), "newly rendered, and still the same"
    calendar.agency.booking.book(booking())
    calendar.agency.clock.advance(6 * MINUTE)
    assert calendar.poll(tag.__eq__).content is not None


def test_one_poll_renews_while_the_others_get_the_one_before(calendar: Calendar) -> None:
    calendar.poll()
    visit = calendar.agency.booking.book(booking()).result.id
    calendar.agency.clock.advance(6 * MINUTE)
    meanwhile: list[list[str]] = []

    def another_poll() -> None:
        calendar.while_rendering = None
        meanwhile.append(calendar.shown())

    calendar.while_rendering = another_poll
    assert calendar.shown() == [visit]
    assert meanwhile == [[]]
    assert calendar.rendered == 2


def test_a_renewal_that_died_is_taken_over_after_half_a_minute(calendar: Calendar) -> None:
    calendar.poll()
    visit = calendar.agency.booking.book(booking()).result.id
    calendar.agency.clock.advance(6 * MINUTE)

    def die() -> None:
        calendar.while_rendering = None
        raise RuntimeError

    calendar.while_rendering = die
    with pytest.raises(RuntimeError):
        calendar.poll()
    calendar.agency.clock.advance(29 * SECOND)
    assert calendar.shown() == []
    calendar.agency.clock.advance(SECOND)
    assert calendar.shown() == [visit]


def test_a_rendering_that_the_store_has_dropped_is_made_and_kept_again(calendar: Calendar) -> None:
    before = calendar.poll()
    FakeCalendarTokens(calendar.agency.memory).lose_rendering(HOUSE)
    calendar.agency.clock.advance(SECOND)
    assert [calendar.poll(), calendar.poll()] == [before, before]
    assert calendar.rendered == 2


class Full(FakeCalendarTokens):
    def keep_rendering(self, owner: Owner, shared: Shared, rendering: Rendering) -> None:
        raise StoreBusy


def test_what_cannot_be_kept_is_answered_all_the_same() -> None:
    memory = Memory()
    calendar = Calendar(Agency(memory=memory, tokens=Full(memory)))
    visit = calendar.agency.booking.book(booking()).result.id
    assert [calendar.shown(), calendar.shown()] == [[visit], [visit]]


def test_nothing_stays_of_a_feed_that_was_withdrawn_while_it_was_rendered(calendar: Calendar) -> None:
    calendar.while_rendering = lambda: calendar.agency.feeds.withdraw(HOUSE)
    calendar.poll()
    assert calendar.agency.memory.feeds == {}
    calendar.rendered = 0
    assert refused(calendar, "house", calendar.token)
