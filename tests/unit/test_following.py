"""A corrected address or time zone reaches the upcoming visits of a property, whatever happens at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.listing import Page, VisitFilter
from chalicelib.domain.properties import Property
from chalicelib.domain.visits import ChangeVisit, Status, Visit
from chalicelib.services.following import VISITS_OF_PAGE, Following
from chalicelib.services.idempotency import Idempotency
from chalicelib.services.properties import Properties, Replaced
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Visits
from tests.builders import NOW, TEN, Clock, Ids, a_visit, booking, details, minutes
from tests.fakes import (
    FakeIdempotencyRecords,
    FakeProperties,
    FakeSigningKeys,
    FakeVisits,
    Memory,
    finders,
)

OLD = "Lane 1, Berlin"
NEW = "Lane 10, Berlin"


class Interrupted(FakeVisits):
    """Something happens after a list was read, or in place of a write."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.after_list: list[Callable[[], object]] = []
        self.before_save: list[Callable[[], object]] = []

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        page = super().list(filter, after, limit)
        if self.after_list:
            self.after_list.pop(0)()
        return page

    def save(self, before: Visit, after: Visit) -> None:
        if self.before_save:
            self.before_save.pop(0)()
        super().save(before, after)


@dataclass
class Agency:
    """A property at the old address, and the use cases over the fakes."""

    clock: Clock = field(default_factory=Clock)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.properties, self.visits = FakeProperties(self.memory), Interrupted(self.memory)
        once = Idempotency(FakeIdempotencyRecords(self.memory), Signer(FakeSigningKeys(), self.clock), self.clock)
        self.booking = Visits(
            *finders(self.memory),
            self.visits,
            once,
            self.clock,
            Ids(),
            lambda _: None,
        )
        following = Following(self.visits, self.booking, self.clock)
        self.portfolio = Properties(self.properties, following, once, self.clock, Ids())
        self.portfolio.create("house", details(address=OLD, capacity=50))

    def book(self, place: str | None = None, date: datetime = TEN, status: Status = Status.CONFIRMED) -> str:
        return self.booking.book(booking(place=place, date=date, status=status)).result.id

    def correct(self, address: str = NEW, zone: str = "Europe/Berlin") -> Replaced:
        return self.portfolio.replace("house", details(address=address, time_zone=zone, capacity=50), None)

    def place(self, id: str) -> str:
        return self.booking.get(id).place

    def replaced_alone(self, address: str) -> Property:
        """The property as another request leaves it that has not come to the visits yet."""
        before = self.properties.get("house")
        after = before.replaced(details(address=address, capacity=50), NOW)
        self.properties.save(before, after)
        return after


@pytest.fixture
def agency() -> Agency:
    return Agency()


def test_upcoming_visits_at_the_address_follow_and_no_others_do(agency: Agency) -> None:
    usual, spelled_out, asked = agency.book(), agency.book(OLD), agency.book(status=Status.REQUESTED)
    elsewhere, past, gone = agency.book("Bus stop"), agency.book(date=NOW - minutes(60)), agency.book()
    agency.booking.change_status(gone, Status.CANCELLED, None)
    assert agency.correct().visits_follow
    assert [agency.place(id) for id in (usual, spelled_out, asked)] == [NEW] * 3
    assert [agency.place(id) for id in (elsewhere, past, gone)] == ["Bus stop", OLD, OLD]
    assert agency.booking.get(usual).version == 2
    assert agency.booking.get(elsewhere).version == 1


def test_a_visit_of_before_visits_knew_whether_they_are_at_the_address_follows_too(agency: Agency) -> None:
    visit = agency.book()
    agency.memory.visits[visit] = replace(agency.booking.get(visit), at_address=False)
    agency.correct()
    assert agency.place(visit) == NEW


def test_all_upcoming_visits_follow_however_many_they_are(agency: Agency) -> None:
    many = [a_visit(place=OLD, date=TEN + timedelta(seconds=n)) for n in range(VISITS_OF_PAGE + 1)]
    agency.memory.visits |= {visit.id: visit for visit in many}
    assert agency.correct().visits_follow
    assert {agency.place(visit.id) for visit in many} == {NEW}


def test_where_no_visit_follows_the_list_is_read_once_and_for_other_changes_never(agency: Agency) -> None:
    agency.book("Bus stop")
    reads: list[None] = []
    agency.visits.after_list += [lambda: reads.append(None)] * 3
    agency.portfolio.replace("house", details(address=OLD, name="Villa", capacity=50), None)
    assert len(reads) == 0
    agency.correct()
    assert len(reads) == 1


def test_a_corrected_zone_reaches_visits_wherever_they_take_place(agency: Agency) -> None:
    visits = [agency.book(), agency.book("Bus stop")]
    agency.correct(address=OLD, zone="Europe/Lisbon")
    assert [agency.booking.get(id).time_zone for id in visits] == ["Europe/Lisbon"] * 2
    assert [agency.booking.get(id).date for id in visits] == [TEN] * 2
    assert [agency.place(id) for id in visits] == [OLD, "Bus stop"]


def test_what_else_changes_of_a_property_does_not_touch_its_visits(agency: Agency) -> None:
    visit = agency.book()
    agency.portfolio.replace("house", details(address=OLD, name="Villa", capacity=50), None)
    assert agency.booking.get(visit).version == 1


def test_a_place_given_later_stays_and_one_taken_away_follows(agency: Agency) -> None:
    visit = agency.book()
    agency.booking.change(visit, ChangeVisit(place="Bus stop"), None)
    agency.correct()
    assert agency.place(visit) == "Bus stop"
    agency.booking.change(visit, ChangeVisit(place=None), None)
    agency.correct("Lane 11, Berlin")
    assert agency.place(visit) == "Lane 11, Berlin"


def test_a_place_sent_back_as_it_was_read_follows_still(agency: Agency) -> None:
    visit = agency.book()
    agency.replaced_alone("Lane 5, Berlin")
    agency.booking.change(visit, ChangeVisit(place=OLD, notes="edited"), None)
    agency.correct()
    assert agency.place(visit) == NEW


def test_a_rescheduled_visit_is_at_the_address_that_its_property_has_now(agency: Agency) -> None:
    visit = agency.book()
    agency.replaced_alone(NEW)
    agency.booking.change(visit, ChangeVisit(date=TEN + minutes(60)), None)
    assert agency.place(visit) == NEW


def test_what_is_booked_from_the_old_property_meanwhile_is_found_by_the_second_pass(agency: Agency) -> None:
    agency.book()
    old, late = agency.properties.get("house"), "00000000-0000-7000-8000-00000000beef"
    agency.visits.after_list.append(
        lambda: agency.visits.add(old.receive(booking(date=TEN + minutes(60)), late, NOW), capacity=50)
    )
    assert agency.correct().visits_follow
    assert agency.place(late) == NEW


def test_an_interrupted_correction_says_so_and_goes_on_when_it_is_sent_again(agency: Agency) -> None:
    visits = [agency.book(date=TEN + minutes(60 * n)) for n in range(3)]

    def busy() -> None:
        raise StoreBusy

    agency.visits.before_save += [lambda: None, busy]
    interrupted = agency.correct()
    assert (interrupted.property.details.address, interrupted.visits_follow) == (NEW, False)
    assert [agency.place(id) for id in visits] == [NEW, OLD, OLD]
    again = agency.correct()
    assert (again.property, again.visits_follow) == (interrupted.property, True)
    assert [agency.place(id) for id in visits] == [NEW] * 3


def test_of_two_corrections_at_once_the_later_one_stays(agency: Agency) -> None:
    visit = agency.book()
    # The other request corrects the property once more, and its visits, while ours is about to write the first one.
    agency.visits.before_save.append(lambda: agency.correct("Lane 100, Berlin"))
    agency.correct()
    assert agency.place(visit) == "Lane 100, Berlin"


def test_a_visit_that_changes_meanwhile_keeps_that_change(agency: Agency) -> None:
    visit = agency.book()
    agency.visits.before_save.append(lambda: agency.booking.change(visit, ChangeVisit(notes="ring twice"), None))
    agency.correct()
    assert (agency.place(visit), agency.booking.get(visit).notes) == (NEW, "ring twice")


def test_a_visit_that_has_begun_stays_where_it_was(agency: Agency) -> None:
    visit = agency.book()
    agency.clock.advance(timedelta(days=3))
    agency.correct()
    assert agency.place(visit) == OLD
