"""A key stands for one booking for thirty days, whether it is made at once or handed in to be made later."""

from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.domain.errors import HandedIn, OutcomeUnknown, SlotTaken, StoreBusy
from chalicelib.domain.idempotency import KEPT, AlreadyDone, IdempotencyRecord
from tests.agency import Agency
from tests.builders import NOW, a_key, booking, minutes, visit_body
from tests.fakes import FakeIdempotencyRecords, FakeIntakes

ROW = visit_body()


@pytest.fixture
def agency() -> Agency:
    return Agency()


def test_what_was_handed_in_is_not_booked_at_once_as_well(agency: Agency) -> None:
    intake = agency.hand_in([ROW], a_key())
    agency.booking.book(booking(), a_key("another"))  # somebody else is in the way
    with pytest.raises(HandedIn):
        agency.booking.book(booking(), a_key())
    agency.work()
    assert agency.told(intake) == ["slot-taken"]


def test_what_was_handed_in_and_booked_since_is_the_visit_of_its_key(agency: Agency) -> None:
    intake = agency.hand_in([ROW], a_key())
    agency.work()
    again = agency.booking.book(booking(), a_key())
    assert (again.replayed, [again.result.id]) == (True, [made.visit_id for made in agency.results(intake)])
    assert len(agency.memory.visits) == 1


def test_what_was_booked_at_once_is_not_handed_in_as_well(agency: Agency) -> None:
    agency.booking.book(booking(), a_key())
    with pytest.raises(AlreadyDone):
        agency.hand_in([ROW], a_key())
    assert agency.queue.messages == []


def test_a_key_of_an_intake_stands_for_it_as_long_as_the_intake_is_kept(agency: Agency) -> None:
    first = agency.hand_in([ROW], a_key()).manifest
    agency.clock.advance(KEPT - minutes(1))
    assert agency.hand_in([ROW], a_key()).manifest.id == first.id
    agency.clock.advance(minutes(1))
    second = agency.hand_in([ROW], a_key()).manifest
    assert (second.id != first.id, second.created_at) == (True, NOW + KEPT)
    assert len(agency.queue.messages) == 2


class NeverThere(FakeIdempotencyRecords):
    """Whatever was kept expires before it is read."""

    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        return None


def test_a_key_that_expires_while_rows_are_handed_in_can_be_sent_again(agency: Agency) -> None:
    agency.hand_in([ROW], a_key())
    late = Agency(clock=agency.clock, memory=agency.memory, records=NeverThere(agency.memory))
    with pytest.raises(StoreBusy):
        late.hand_in([ROW], a_key())
    assert late.queue.messages == []


class Unreadable(FakeIdempotencyRecords):
    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        raise StoreBusy


def test_a_refusal_that_may_be_of_an_earlier_success_is_not_told_as_one(agency: Agency) -> None:
    agency.booking.book(booking(), a_key())
    doubtful = Agency(clock=agency.clock, memory=agency.memory, records=Unreadable(agency.memory))
    with pytest.raises(OutcomeUnknown):
        doubtful.booking.book(booking(), a_key())
    with pytest.raises(SlotTaken):  # without a key there is no doubt
        doubtful.booking.book(booking())


def test_the_record_of_an_intake_names_it_and_holds_no_personal_data(agency: Agency) -> None:
    row = visit_body(visitor={"name": "Zara"})
    intake = agency.hand_in([row], a_key(key="zara@example.com", payload=b'{"name": "Zara"}'))
    (record,) = agency.memory.records.values()
    assert (record.intake_id, record.expires_at) == (intake.manifest.id, intake.manifest.expires_at)
    assert "ara" not in repr(record)
    assert "ara" not in repr(FakeIntakes(agency.memory).get(intake.manifest.id, NOW))
