"""Working off the queue: every row is booked exactly once, whatever happens to messages, workers and the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.availability import Availability, Hours, Rules
from chalicelib.domain.errors import (
    IntakeNotFound,
    InvalidInput,
    StoreBusy,
)
from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.intakes import (
    Chunk,
    ClaimLost,
    IntakeStatus,
    Manifest,
    RowOutcome,
    row_visit_id,
)
from chalicelib.domain.visits import Origin, Status, Visit
from chalicelib.events.intake_queue import Sending, read_message
from tests.agency import LASTS, Agency, some_rows
from tests.builders import NOW, booking, details, visit_body
from tests.fakes import FakeIntakes, FakeVisits, Memory

SECOND = timedelta(seconds=1)
ROW = visit_body(externalId="a-1", visitor={"name": "Ann"})


class Troubled(FakeVisits):
    """Something happens before the next bookings, one after the other."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.before_add: list[Callable[[], object]] = []

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        if self.before_add:
            self.before_add.pop(0)()
        super().add(visit, capacity, once)


class Dying(FakeIntakes):
    """A worker that is gone before it can record what it did, or give anything back."""

    before_finish: Callable[[], object] | None = None

    def finish(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        if self.before_finish:
            self.before_finish()
        super().finish(chunk, manifest, claimant, outcomes)

    def release(self, chunk: Chunk, claimant: str) -> None:
        raise StoreBusy


def busy() -> None:
    raise StoreBusy


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def visits(memory: Memory) -> Troubled:
    return Troubled(memory)


@pytest.fixture
def agency(memory: Memory, visits: Troubled) -> Agency:
    return Agency(memory=memory, visits=visits)


def dying(agency: Agency, before_finish: Callable[[], object] = busy) -> Agency:
    """Another instance, whose worker does not get to its end."""
    intakes = Dying(agency.memory)
    intakes.before_finish = before_finish
    return Agency(clock=agency.clock, memory=agency.memory, queue=agency.queue, intakes=intakes)


def partners(row: str, sender: str = "sender", message: str = "message", source: str = "feed") -> Chunk:
    """A message that a partner puts into the queue itself."""
    text = f'{{"version": 1, "source": "{source}", "visits": [{row}]}}'
    return read_message(text, Sending(message, sender, "0"))


# Rows


def test_every_row_is_booked_and_told_where_its_visit_is(agency: Agency) -> None:
    intake = agency.hand_in(some_rows(27, notes="n"))
    progress = agency.work()
    results = agency.results(intake)
    assert [(told.row, told.external_id, told.result) for told in results] == [
        (n, f"row-{n}", "created") for n in range(27)
    ]
    assert {told.visit_id for told in results} == set(agency.memory.visits)
    assert {visit.notes for visit in agency.memory.visits.values()} == {"n"}
    assert progress.finished == {(intake.manifest.id, 0), (intake.manifest.id, 1)}
    assert (progress.recorded, progress.left) == (results, [])


def test_a_row_that_breaks_a_rule_or_cannot_be_read_is_rejected_and_harms_no_other(agency: Agency) -> None:
    rows = [
        visit_body(),
        visit_body(externalId="same time"),
        visit_body(externalId="no date", date="soon"),
        visit_body("nowhere"),
        *some_rows(2)[1:],
    ]
    intake = agency.hand_in(rows)
    agency.work()
    assert agency.told(intake) == ["created", "slot-taken", "invalid-input", "property-not-found", "created"]
    told = agency.results(intake)[2]
    assert (told.row, told.external_id, told.visit_id) == (2, "no date", None)
    assert "#/date" in repr(told.problem)


def test_nothing_of_a_refused_row_is_kept(agency: Agency) -> None:
    booked = agency.booking.book(booking()).result
    agency.hand_in([ROW])
    assert [outcome.visit_id for outcome in agency.work().recorded] == [None]
    assert agency.memory.visits == {booked.id: booked}
    assert "Ann" not in repr(agency.memory)


def test_rows_without_an_external_id_are_told_apart_by_their_place(agency: Agency) -> None:
    before = agency.properties.get("house")
    agency.properties.save(before, before.replaced(details(capacity=2), NOW))
    intake = agency.hand_in([visit_body()] * 3)
    agency.work()
    assert agency.told(intake) == ["created", "created", "slot-taken"]


# The same row again


def test_a_row_that_was_handed_in_before_is_a_duplicate_and_names_the_visit(agency: Agency) -> None:
    first = agency.hand_in([ROW])
    agency.work()
    agency.keys.rotate()
    agency.clock.advance(timedelta(minutes=6))
    # Equal in meaning: the default spelled out.
    second = agency.hand_in([{**ROW, "durationMinutes": 30, "notes": None}])
    agency.work()
    assert agency.told(second) == ["duplicate"]
    assert agency.results(second)[0] == replace(agency.results(first)[0], result="duplicate")


def test_another_wish_under_an_external_id_that_is_taken_is_rejected(agency: Agency) -> None:
    agency.hand_in([ROW])
    other = agency.hand_in([{**ROW, "date": "2027-03-12T14:00:00Z"}])
    agency.work()
    assert agency.told(other) == ["external-id-reused"]
    assert len(agency.memory.visits) == 1


def test_equal_external_ids_of_different_callers_are_different_rows(agency: Agency) -> None:
    intakes = [agency.hand_in([row], caller=caller) for row, caller in zip(some_rows(2), ("a", "b"), strict=True)]
    same = agency.hand_in([{**some_rows(2)[1], "externalId": "row-0"}], caller="b")
    agency.work()
    assert [agency.told(intake) for intake in (*intakes, same)] == [["created"], ["created"], ["slot-taken"]]


def test_a_row_whose_visitor_was_erased_is_not_booked_again_nor_told_as_booked(agency: Agency) -> None:
    first = agency.hand_in([ROW])
    agency.work()
    agency.booking.erase_visitor(str(agency.results(first)[0].visit_id))
    second = agency.hand_in([ROW])
    agency.work()
    assert (agency.told(first), agency.told(second)) == (["created"], ["external-id-reused"])
    assert "Ann" not in repr(agency.memory)


def test_a_message_that_is_handed_out_again_changes_nothing_and_counts_once(agency: Agency) -> None:
    intake = agency.hand_in([ROW])
    agency.work()
    agency.booking.change_status(str(agency.results(intake)[0].visit_id), Status.CANCELLED, None)
    again = agency.work()
    assert (again.finished, again.recorded, again.left) == ({(intake.manifest.id, 0)}, [], [])
    assert agency.told(intake) == ["created"]
    assert [visit.status for visit in agency.memory.visits.values()] == [Status.CANCELLED]


def test_a_message_that_is_twice_in_a_batch_is_worked_off_once(agency: Agency) -> None:
    agency.hand_in([ROW])
    (chunk,) = agency.waiting()
    assert [told.result for told in agency.work(chunk, chunk).recorded] == ["created"]


# Faults of the store


def test_a_fault_holds_up_its_own_message_only_and_the_rows_behind_it_are_booked(
    agency: Agency, visits: Troubled
) -> None:
    intake = agency.hand_in(some_rows(26))
    visits.before_add += [lambda: None, busy]
    progress = agency.work()
    (left,) = progress.left
    assert (left.chunk.key, type(left.fault)) == ((intake.manifest.id, 0), StoreBusy)
    assert progress.finished == {(intake.manifest.id, 1)}
    assert len(agency.memory.visits) == 25
    # It was given back: any worker may take it up at once.
    assert agency.work(left.chunk).finished == {left.chunk.key}
    assert agency.told(intake) == ["created"] * 26


def test_what_cannot_be_given_back_can_be_had_when_the_claim_has_run_out(agency: Agency) -> None:
    intake = agency.hand_in([ROW])
    (left,) = dying(agency).work().left
    assert isinstance(left.fault, StoreBusy)
    agency.clock.advance(LASTS + 10 * SECOND)
    meanwhile = agency.work()
    assert (meanwhile.finished, meanwhile.left) == (set(), []), "the other worker may be at it still"
    agency.clock.advance(SECOND)
    assert agency.work().finished == {(intake.manifest.id, 0)}


def test_the_fault_is_told_also_when_the_message_cannot_be_given_back(agency: Agency) -> None:
    class Broken(FakeVisits):
        def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
            raise ZeroDivisionError

    agency.hand_in([ROW])
    broken = Agency(
        memory=agency.memory, queue=agency.queue, intakes=Dying(agency.memory), visits=Broken(agency.memory)
    )
    assert [type(left.fault) for left in broken.work().left] == [ZeroDivisionError]


def test_a_visit_booked_by_a_worker_that_died_is_its_rows_even_if_the_house_has_closed_since(agency: Agency) -> None:
    intake = agency.hand_in([ROW])
    dying(agency).work()
    (visit,) = agency.memory.visits.values()
    before = agency.properties.get("house")
    agency.properties.save(before, before.replaced(details(visits_allowed=False), NOW))
    agency.clock.advance(2 * LASTS)
    agency.work()
    assert agency.results(intake) == [RowOutcome(0, "a-1", "created", visit.id)]
    refused = agency.hand_in(some_rows(1))
    agency.work()
    assert agency.told(refused) == ["visits-not-allowed"]


def test_a_worker_that_was_overtaken_decides_nothing_any_more(agency: Agency) -> None:
    intake = agency.hand_in([ROW])

    def overtaken() -> None:
        agency.clock.advance(2 * LASTS)
        agency.work()

    progress = dying(agency, overtaken).work()
    assert [type(left.fault) for left in progress.left] == [ClaimLost]
    assert (progress.finished, progress.recorded) == (set(), [])
    assert agency.told(intake) == ["created"]


def test_two_workers_are_never_at_the_same_message(agency: Agency, visits: Troubled) -> None:
    agency.hand_in([ROW])
    other = Agency(clock=agency.clock, memory=agency.memory, queue=agency.queue)
    seen: list[tuple[object, object]] = []

    def meanwhile() -> None:
        progress = other.work()
        seen.append((progress.finished, progress.left))

    visits.before_add.append(meanwhile)
    assert [told.result for told in agency.work().recorded] == ["created"]
    assert seen == [(set(), [])]


# Time


def test_a_worker_without_time_claims_nothing(agency: Agency) -> None:
    agency.hand_in([ROW])
    progress = agency.work(lasts=timedelta(0))
    assert (progress.finished, progress.left) == (set(), [])
    assert agency.work().finished


def test_a_worker_that_runs_out_of_time_leaves_the_rest_to_another(agency: Agency, visits: Troubled) -> None:
    intake = agency.hand_in(some_rows(3))
    visits.before_add += [lambda: None, lambda: agency.clock.advance(LASTS)]
    (left,) = agency.work().left
    assert isinstance(left.fault, StoreBusy)
    assert len(agency.memory.visits) == 2
    agency.work()
    assert agency.told(intake) == ["created"] * 3


# Other producers


def test_a_partners_message_is_an_intake_that_can_be_looked_up(agency: Agency) -> None:
    chunk = partners('{"propertyId": "house", "date": "2027-03-12T10:00:00Z"}, {}')
    agency.clock.advance(SECOND)
    for _ in range(2):
        agency.work(chunk)
        agency.clock.advance(SECOND)
    intake = agency.desk.look_up(chunk.intake_id)
    assert intake.manifest == Manifest(chunk.intake_id, "queue:sender:feed", 2, 1, sent=True, created_at=NOW + SECOND)
    assert intake.status is IntakeStatus.DONE
    assert agency.told(intake) == ["created", "invalid-input"]


def test_a_message_of_an_intake_that_there_is_not_is_left_and_books_nothing(agency: Agency) -> None:
    agency.hand_in(some_rows(26), caller="partner")
    good, last = agency.waiting()
    forged = [replace(good, intake_id="nowhere"), replace(good, producer="another"), replace(last, number=2)]
    progress = agency.work(*forged)
    assert [(type(left.fault), str(left.fault)) for left in progress.left] == [
        (IntakeNotFound, "nowhere"),
        (IntakeNotFound, good.intake_id),
        (IntakeNotFound, good.intake_id),
    ]
    assert agency.memory.visits == {}


# Dead letters


def test_rows_that_are_given_up_are_rejected_and_say_why(agency: Agency) -> None:
    intake = agency.hand_in([ROW, *some_rows(2)[1:]])
    (chunk,) = agency.waiting()
    assert agency.worker.give_up(chunk)
    assert agency.told(intake) == ["given-up"] * 2
    assert [(told.row, told.external_id) for told in agency.results(intake)] == [(0, "a-1"), (1, "row-1")]
    assert agency.memory.visits == {}
    assert agency.work().recorded == [], "what was given up is never booked"


def test_a_row_that_was_booked_before_its_message_was_given_up_is_told_as_booked(agency: Agency) -> None:
    agency.hand_in([ROW])
    agency.work()
    intake = agency.hand_in([some_rows(2)[1], ROW, {**ROW, "notes": "another"}])
    chunk = agency.waiting()[1]
    dying(agency).work(chunk)
    with pytest.raises(ClaimLost):
        agency.worker.give_up(chunk)
    agency.clock.advance(2 * LASTS)
    assert agency.worker.give_up(chunk)
    assert agency.told(intake) == ["created", "duplicate", "external-id-reused"]


def test_what_is_finished_is_not_given_up(agency: Agency) -> None:
    intake = agency.hand_in([ROW])
    agency.work()
    (chunk,) = agency.waiting()
    assert not agency.worker.give_up(chunk)
    assert agency.told(intake) == ["created"]
    with pytest.raises(IntakeNotFound):
        agency.worker.give_up(replace(chunk, intake_id="nowhere"))


def test_a_partners_message_that_is_given_up_can_be_looked_up_too(agency: Agency) -> None:
    chunk = partners("{}")
    assert agency.worker.give_up(chunk)
    assert agency.desk.look_up(chunk.intake_id).status is IntakeStatus.FAILED


# Rows and hours


def test_rows_pass_the_same_door_and_a_retry_is_told_as_booked_whatever_the_rules_are_by_then(agency: Agency) -> None:
    intake = agency.hand_in([visit_body(), visit_body(date="2027-03-12T14:00:00Z")])
    chunk = agency.waiting()[0]
    row = chunk.rows[0]
    assert not isinstance(row.wish, InvalidInput)
    visit_id = row_visit_id(chunk.producer, None, chunk.intake_id, 0)
    origin = Origin(chunk.intake_id, 0, None)
    # The worker before this one booked the first row and was gone.
    agency.booking.book_row(row.wish, visit_id, origin)
    agency.memory.availability["house"] = Availability("house", Rules(Hours(((),) * 7)), 1, NOW, NOW)
    agency.work()
    assert agency.told(intake) == ["created", "outside-hours"]
