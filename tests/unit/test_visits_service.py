"""The use cases of a visit, over the fakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chalicelib.domain.availability import Availability, Rules
from chalicelib.domain.errors import (
    KeyReused,
    PreconditionRequired,
    PropertyNotFound,
    Refused,
    SlotTaken,
    StoreBusy,
    TransitionNotAllowed,
    VersionMismatch,
    VisitNotFound,
    VisitsNotAllowed,
)
from chalicelib.domain.idempotency import KEPT, IdempotencyKey, IdempotencyRecord
from chalicelib.domain.premises import Premises
from chalicelib.domain.visits import Cancellation, ChangeVisit, Origin, Status, Visit, Visitor
from chalicelib.services.idempotency import Idempotency
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import ATTEMPTS, Visits
from tests.builders import NOW, TEN, Clock, Ids, a_key, a_property, an_agent, booking, details, minutes
from tests.fakes import (
    FakeAgents,
    FakeAvailability,
    FakeIdempotencyRecords,
    FakeProperties,
    FakeSigningKeys,
    FakeVisits,
    Memory,
    finders,
)


class BusyVisits(FakeVisits):
    """Somebody else changes the visit just before each of the next writes."""

    rivals = 0

    def save(self, before: Visit, after: Visit) -> None:
        if self.rivals:
            self.rivals -= 1
            stands = self.get(before.id)
            super().save(stands, replace(stands, notes=f"rival {self.rivals}", version=stands.version + 1))
        super().save(before, after)


@dataclass
class Agency:
    """The use cases over the fakes."""

    clock: Clock = field(default_factory=Clock)
    memory: Memory = field(default_factory=Memory)
    keys: FakeSigningKeys = field(default_factory=FakeSigningKeys)
    ids: Ids = field(default_factory=Ids)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.properties = FakeProperties(self.memory)
        self.visits = BusyVisits(self.memory)
        self.records = FakeIdempotencyRecords(self.memory)
        once = Idempotency(self.records, Signer(self.keys, self.clock), self.clock)
        self.booking = Visits(*finders(self.memory), self.visits, once, self.clock, self.ids, self.pauses.append)
        self.properties.add(a_property("house"))


@pytest.fixture
def agency() -> Agency:
    return Agency()


# Booking


def test_a_booked_visit_is_found(agency: Agency) -> None:
    outcome = agency.booking.book(booking(visitor=Visitor("Ann")))
    assert not outcome.replayed
    assert agency.booking.get(outcome.result.id) == outcome.result
    assert outcome.result.id == agency.ids.made[0]
    assert outcome.result.created_at == NOW


def test_a_taken_slot_is_refused_and_nothing_is_kept(agency: Agency) -> None:
    agency.booking.book(booking())
    with pytest.raises(SlotTaken):
        agency.booking.book(booking(date=TEN + minutes(15)))
    assert len(agency.memory.visits) == 1


def test_an_unknown_property_is_not_found(agency: Agency) -> None:
    with pytest.raises(PropertyNotFound):
        agency.booking.book(booking(property_id="nowhere"))


def test_capacity_and_permission_count_as_they_are_now(agency: Agency) -> None:
    before = agency.properties.get("house")
    wide = before.replaced(details(capacity=2), NOW)
    agency.properties.save(before, wide)
    for _ in range(2):
        agency.booking.book(booking())
    with pytest.raises(SlotTaken):
        agency.booking.book(booking())
    agency.properties.save(wide, wide.replaced(details(visits_allowed=False), NOW))
    with pytest.raises(VisitsNotAllowed):
        agency.booking.book(booking(date=TEN + minutes(60)))


# Sending again


def test_the_same_key_books_once(agency: Agency) -> None:
    first = agency.booking.book(booking(), a_key())
    again = agency.booking.book(booking(), a_key())
    assert again.replayed
    assert again.result == first.result
    assert len(agency.memory.visits) == 1


def test_a_replay_shows_the_visit_as_it_is_now(agency: Agency) -> None:
    first = agency.booking.book(booking(), a_key()).result
    cancelled = agency.booking.change_status(first.id, Status.CANCELLED, None)
    assert agency.booking.book(booking(), a_key()).result == cancelled
    assert agency.memory.visits == {first.id: cancelled}, "it is not booked anew"


@pytest.mark.parametrize("change", ["house closed", "slot taken by the visit itself", "date beyond the horizon"])
def test_a_replay_succeeds_whatever_has_changed_since(agency: Agency, change: str) -> None:
    command = booking(date=NOW + timedelta(days=1830)) if "horizon" in change else booking()
    first = agency.booking.book(command, a_key())
    if change == "house closed":
        before = agency.properties.get("house")
        agency.properties.save(before, before.replaced(details(visits_allowed=False), NOW))
    agency.clock.now = NOW - timedelta(hours=1) if "horizon" in change else NOW + timedelta(hours=1)
    again = agency.booking.book(command, a_key())
    assert (again.replayed, again.result.id) == (True, first.result.id)


def test_a_key_with_another_payload_is_refused(agency: Agency) -> None:
    agency.booking.book(booking(), a_key())
    with pytest.raises(KeyReused):
        agency.booking.book(booking(date=TEN + minutes(60)), a_key(payload=b"another"))
    assert len(agency.memory.visits) == 1


@pytest.mark.parametrize("other", [a_key(caller="partner"), a_key(route="POST /properties"), a_key(key="other")])
def test_nobody_meets_the_key_of_another_caller_or_route(agency: Agency, other: IdempotencyKey) -> None:
    agency.booking.book(booking(), a_key())
    assert not agency.booking.book(booking(date=TEN + minutes(60)), other).replayed


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("a", "b c", "d"), ("a b", "c", "d")),
        (("a", "b", '","'), ("a", 'b","', "")),
        (("a\0b", "c", "d"), ("a", "b\0c", "d")),
    ],
)
def test_the_parts_of_a_key_cannot_be_shifted_into_each_other(
    one: tuple[str, str, str], two: tuple[str, str, str]
) -> None:
    assert IdempotencyKey(*one, b"").id != IdempotencyKey(*two, b"").id


def test_a_refusal_is_not_remembered(agency: Agency) -> None:
    in_the_way = agency.booking.book(booking()).result
    with pytest.raises(SlotTaken):
        agency.booking.book(booking(), a_key())
    agency.booking.change_status(in_the_way.id, Status.CANCELLED, None)
    assert not agency.booking.book(booking(), a_key()).replayed


def test_a_key_is_forgotten_after_thirty_days(agency: Agency) -> None:
    agency.booking.book(booking(), a_key())
    agency.clock.advance(KEPT - minutes(1))
    assert agency.booking.book(booking(), a_key()).replayed
    agency.clock.advance(minutes(1))
    later = agency.clock.now + timedelta(days=1)
    assert not agency.booking.book(booking(date=later), a_key()).replayed


def test_a_key_that_expires_while_it_is_looked_at_can_be_sent_again(agency: Agency) -> None:
    agency.booking.book(booking(), a_key())

    class Late(FakeIdempotencyRecords):
        def find(self, record_id: str, now: object) -> IdempotencyRecord | None:
            return None

    once = Idempotency(Late(agency.memory), Signer(agency.keys, agency.clock), agency.clock)
    late = Visits(
        *finders(agency.memory),
        agency.visits,
        once,
        agency.clock,
        agency.ids,
    )
    with pytest.raises(StoreBusy):
        late.book(booking(date=TEN + minutes(60)), a_key())


def test_a_retry_after_the_signing_keys_were_rotated_is_still_a_retry(agency: Agency) -> None:
    first = agency.booking.book(booking(), a_key())
    agency.keys.rotate()
    agency.clock.advance(minutes(6))
    assert agency.booking.book(booking(), a_key()).result == first.result
    with pytest.raises(KeyReused):
        agency.booking.book(booking(), a_key(payload=b"another"))


def test_the_record_holds_no_personal_data(agency: Agency) -> None:
    agency.booking.book(booking(visitor=Visitor("Zara")), a_key(key="zara@example.com", payload=b'{"name": "Zara"}'))
    (record,) = agency.memory.records.values()
    assert "ara" not in repr(record)


# Changing


def test_a_change_names_the_version_it_means(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    changed = agency.booking.change(visit.id, ChangeVisit(notes="n"), frozenset({1, 7}))
    assert (changed.notes, changed.version) == ("n", 2)
    with pytest.raises(VersionMismatch):
        agency.booking.change(visit.id, ChangeVisit(notes="m"), frozenset({1}))
    with pytest.raises(VersionMismatch):
        agency.booking.change(visit.id, ChangeVisit(notes="m"), frozenset())
    assert agency.booking.change(visit.id, ChangeVisit(notes="m"), None).version == 3


def test_what_a_caller_insists_on_is_checked_against_the_visit_before_it_is_written(agency: Agency) -> None:
    def insist(visit: Visit) -> None:
        if visit.notes:
            raise PreconditionRequired("If-Match")

    visit = agency.booking.book(booking()).result
    noted = agency.booking.change(visit.id, ChangeVisit(notes="n"), None, insist)
    with pytest.raises(PreconditionRequired):
        agency.booking.change(visit.id, ChangeVisit(notes="m"), None, insist)
    assert agency.booking.get(visit.id) == noted


def test_a_new_time_is_held_and_the_old_one_is_free(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    agency.booking.change(visit.id, ChangeVisit(date=TEN + minutes(60)), None)
    agency.booking.book(booking())
    with pytest.raises(SlotTaken):
        agency.booking.change(visit.id, ChangeVisit(date=TEN), None)


def test_a_new_agent_must_be_free(agency: Agency) -> None:
    agency.properties.add(a_property("villa"))
    agency.booking.book(booking(property_id="villa", agent_id="ann"))
    visit = agency.booking.book(booking()).result
    with pytest.raises(SlotTaken) as refused:
        agency.booking.change(visit.id, ChangeVisit(agent_id="ann"), None)
    assert [interval.holder for interval in refused.value.intervals] == ["agent"]


def test_a_change_that_changes_nothing_is_not_written(agency: Agency) -> None:
    visit = agency.booking.book(booking(notes="n")).result
    assert agency.booking.change(visit.id, ChangeVisit(notes="n", date=TEN), frozenset({1})) == visit


@pytest.mark.parametrize("id", ["00000000-0000-7000-8000-00000000ffff"])
def test_what_is_not_there_cannot_be_changed(agency: Agency, id: str) -> None:
    attempts: list[Callable[[], Visit]] = [
        lambda: agency.booking.get(id),
        lambda: agency.booking.change(id, ChangeVisit(notes="n"), None),
        lambda: agency.booking.change_status(id, Status.CANCELLED, None),
        lambda: agency.booking.erase_visitor(id),
    ]
    for attempt in attempts:
        with pytest.raises(VisitNotFound):
            attempt()


# Passing on


def test_asking_again_for_a_status_changes_nothing(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    agency.clock.advance(minutes(5))
    first = agency.booking.change_status(visit.id, Status.CANCELLED, "ill")
    assert (first.cancellation, first.updated_at) == (Cancellation("ill", NOW + minutes(5)), NOW + minutes(5))
    agency.clock.advance(minutes(5))
    assert agency.booking.change_status(visit.id, Status.CANCELLED, "other") == first


def test_a_cancelled_visit_frees_its_slots_and_stays_cancelled(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    agency.booking.change_status(visit.id, Status.CANCELLED, None)
    agency.booking.book(booking())
    with pytest.raises(TransitionNotAllowed):
        agency.booking.change_status(visit.id, Status.CONFIRMED, None)


def test_a_rival_is_outlasted_when_no_version_was_named(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    agency.visits.rivals = ATTEMPTS - 1
    after = agency.booking.change_status(visit.id, Status.CANCELLED, None)
    assert (after.status, after.notes, after.version) == (Status.CANCELLED, "rival 0", ATTEMPTS + 1)
    # In between it waits, so that those who met do not meet again at once; and no longer than a caller has patience.
    assert len(agency.pauses) == ATTEMPTS - 1
    assert 0 < sum(agency.pauses) < 6


def test_a_rival_wins_over_a_version_that_was_named(agency: Agency) -> None:
    visit = agency.booking.book(booking()).result
    agency.visits.rivals = 1
    with pytest.raises(VersionMismatch):
        agency.booking.change_status(visit.id, Status.CANCELLED, None, frozenset({1}))
    assert agency.booking.get(visit.id).status is Status.CONFIRMED


def test_against_endless_rivals_the_store_is_busy(agency: Agency) -> None:
    visit = agency.booking.book(booking(visitor=Visitor("Ann"))).result
    agency.visits.rivals = 1000
    with pytest.raises(StoreBusy):
        agency.booking.erase_visitor(visit.id)


# Erasing


def test_erasing_takes_the_visitor_out_and_leaves_the_visit(agency: Agency) -> None:
    visit = agency.booking.book(booking(visitor=Visitor("Ann"), notes="n")).result
    erased = agency.booking.erase_visitor(visit.id)
    assert (erased.visitor, erased.notes, erased.status) == (None, None, Status.CONFIRMED)
    assert erased.updated_at == NOW
    assert "Ann" not in repr(agency.memory)
    assert agency.booking.erase_visitor(visit.id) == erased
    with pytest.raises(Refused):
        agency.booking.erase_visitor(visit.id, frozenset({1}))


# Who did it


def test_a_visit_says_who_booked_it_and_who_changed_it_last(agency: Agency) -> None:
    booked = agency.booking.book(booking(visitor=Visitor("Ann")), by="desk").result
    assert (booked.created_by, booked.updated_by) == ("desk", "desk")
    changed = agency.booking.change(booked.id, ChangeVisit(date=TEN + minutes(60)), None, by="ben")
    assert (changed.created_by, changed.updated_by) == ("desk", "ben")
    agency.properties.save(agency.properties.get("house"), a_property("house", address="Lane 2, Berlin"))
    assert agency.booking.follow(booked.id, "Lane 1, Berlin", by="cem").updated_by == "cem"
    called_off = agency.booking.change_status(booked.id, Status.CANCELLED, "ill", by="dora")
    assert (called_off.updated_by, called_off.cancellation) == ("dora", Cancellation("ill", NOW, "dora"))
    assert agency.booking.erase_visitor(booked.id, by="eve").updated_by == "eve"
    assert agency.booking.get(booked.id).created_by == "desk"


def test_a_row_says_who_handed_it_in(agency: Agency) -> None:
    visit = agency.booking.book_row(booking(), "row-1", Origin("intake", 0, None), by="partner")
    assert (visit.created_by, visit.updated_by) == ("partner", "partner")


# What a visit holds beyond its own time


@pytest.mark.parametrize(
    ("change", "gap", "travel"),
    [
        (ChangeVisit(duration_minutes=15), 15, 30),
        (ChangeVisit(duration_minutes=45), 30, 45),
        (ChangeVisit(date=TEN + minutes(15)), 30, 45),
        (ChangeVisit(agent_id="ben"), 15, 60),
    ],
    ids=["shorter", "longer", "later", "another agent"],
)
def test_only_a_visit_that_is_made_shorter_keeps_what_it_holds(
    agency: Agency, change: ChangeVisit, gap: int, travel: int
) -> None:
    """Gap and travel were longer since."""
    rules, agents = FakeAvailability(agency.memory), FakeAgents(agency.memory)
    before = Availability("house", Rules(gap_minutes=15), 1, NOW, NOW)
    ann = an_agent("ann", travel_minutes=30)
    rules.add(before)
    agents.add(ann)
    agents.add(an_agent("ben", travel_minutes=60))
    visit = agency.booking.book(booking(agent_id="ann", duration_minutes=30)).result
    rules.save(before, replace(before, rules=Rules(gap_minutes=30), version=2))
    agents.save(ann, replace(ann, travel_minutes=45, version=2))
    after = agency.booking.change(visit.id, change, None)
    assert (after.gap_minutes, after.travel_minutes) == (gap, travel)


# Rows that are worked off together


class CountedPremises(FakeAvailability):
    reads = 0

    def premises(self, property_id: str) -> Premises:
        self.reads += 1
        return super().premises(property_id)


def test_a_batch_reads_a_property_once_and_the_next_batch_sees_what_has_changed(agency: Agency) -> None:
    premises = CountedPremises(agency.memory)
    once = Idempotency(agency.records, Signer(agency.keys, agency.clock), agency.clock)
    booking_desk = Visits(
        premises.premises, FakeAgents(agency.memory).get, agency.visits, once, agency.clock, agency.ids
    )
    batch = booking_desk.for_a_batch()
    origin = Origin("intake", 0, Signer(agency.keys, agency.clock).sign("row", b""))
    for n in range(3):
        batch.book_row(booking(date=NOW + timedelta(days=1, hours=n)), f"row-{n}", origin)
    assert premises.reads == 1
    before = agency.properties.get("house")
    agency.properties.save(before, before.replaced(replace(before.details, visits_allowed=False), NOW))
    with pytest.raises(VisitsNotAllowed):
        booking_desk.for_a_batch().book_row(booking(date=NOW + timedelta(days=2)), "row-4", origin)
