"""Handing in many visits at once, and looking up what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.domain.errors import (
    IntakeNotFound,
    KeyReused,
    OutcomeUnknown,
    StoreBusy,
)
from chalicelib.domain.idempotency import KEPT
from chalicelib.domain.intakes import (
    BYTES_IN_CHUNK,
    ROWS_IN_CHUNK,
    Intake,
    IntakeStatus,
    Manifest,
    chunks,
    intake_id,
    queue_producer,
    row_visit_id,
)
from tests.agency import Agency, some_rows
from tests.builders import NOW, a_key, minutes, visit_body
from tests.fakes import FakeIntakes

ROW = visit_body()


@pytest.fixture
def agency() -> Agency:
    return Agency()


def counts(intake: Intake) -> tuple[IntakeStatus, int, int, int, int]:
    told = intake.counts
    return intake.status, told.total, told.created, told.duplicate, told.rejected


# Into the queue


def test_every_row_is_in_the_queue_in_order_in_messages_of_at_most_25(agency: Agency) -> None:
    rows = [visit_body(externalId=f"é{n}") for n in range(2 * ROWS_IN_CHUNK + 1)]
    intake = agency.hand_in(rows, caller="partner")
    messages = [json.loads(text) for text in agency.queue.messages]
    reference = {"id": intake.manifest.id, "producer": "partner"}
    assert [{**message, "visits": len(message["visits"])} for message in messages] == [
        {"version": 1, "source": "api", "intake": {**reference, "chunk": n, "firstRow": 25 * n}, "visits": size}
        for n, size in enumerate((25, 25, 1))
    ]
    assert [row for message in messages for row in message["visits"]] == rows


def test_a_message_carries_200_kb_of_rows_counted_in_bytes() -> None:
    half = '"' + "é" * (BYTES_IN_CHUNK // 4 - 2) + 'x"'  # and a comma
    assert len(half.encode()) == BYTES_IN_CHUNK // 2 - 1
    longer, huge = half[:-1] + 'x"', '"' + "x" * BYTES_IN_CHUNK + '"'

    def sizes(*rows: str) -> list[int]:
        return [len(message.rows) for message in chunks("intake", "partner", rows)]

    assert sizes(half, half, half) == [2, 1]
    assert sizes(half, longer, half) == [1, 1, 1]
    assert sizes(huge, huge, "1", "2") == [1, 1, 2], "a row that is larger is a message of its own"
    assert sizes() == []


def test_what_was_handed_in_can_be_looked_up_at_once(agency: Agency) -> None:
    intake = agency.hand_in([ROW] * 30, caller="partner")
    assert intake.manifest == Manifest(intake.manifest.id, "partner", 30, 2, sent=False, created_at=NOW)
    found = agency.desk.look_up(intake.manifest.id)
    assert counts(found) == (IntakeStatus.QUEUED, 30, 0, 0, 0)
    assert found.manifest.sent


def test_without_a_key_each_call_is_an_intake_of_its_own(agency: Agency) -> None:
    first, second = agency.hand_in([ROW]), agency.hand_in([ROW])
    assert first.manifest.id != second.manifest.id
    assert len(agency.queue.messages) == 2


def test_derived_ids_stay_what_they_are_from_release_to_release() -> None:
    """Messages that lie in the queue during a deployment, and rows that come again, are known by them."""
    assert intake_id("source", "feed", "message") == "cab2848e-fd2a-5ed0-860d-b59e24e8d3ab"
    assert row_visit_id("partner", "ä-1", "intake", 3) == "2dcd8794-2b57-5af6-a42d-f08734602d98"
    assert row_visit_id("partner", None, "intake", 3) == "15dd287d-29ad-5810-bb7a-752e791b373c"
    assert queue_producer("feed", "sender") == "queue:sender:feed"


# Sending again


def test_the_same_key_is_the_same_intake_and_queues_nothing_twice(agency: Agency) -> None:
    first = agency.hand_in([ROW], a_key())
    again = agency.hand_in([ROW], a_key())
    assert again == agency.desk.look_up(first.manifest.id)
    assert (len(agency.queue.messages), len(agency.memory.manifests)) == (1, 1)
    agency.work()
    assert counts(agency.hand_in([ROW], a_key())) == (IntakeStatus.DONE, 1, 1, 0, 0)


def test_the_same_key_with_other_rows_is_refused_and_nothing_is_queued(agency: Agency) -> None:
    agency.hand_in([ROW], a_key())
    with pytest.raises(KeyReused):
        agency.hand_in([ROW, ROW], a_key(payload=b"another"))
    assert len(agency.queue.messages) == 1


@pytest.mark.parametrize("taken", [0, 2])
def test_a_queue_that_broke_down_leaves_it_open_and_the_same_request_completes_it(agency: Agency, taken: int) -> None:
    rows = some_rows(60)
    agency.queue.takes = taken
    with pytest.raises(OutcomeUnknown) as unknown:
        agency.hand_in(rows, a_key())
    agency.queue.takes = None
    completed = agency.hand_in(rows, a_key())
    assert completed.manifest.id == unknown.value.intake_id
    agency.work()
    assert counts(agency.desk.look_up(completed.manifest.id)) == (IntakeStatus.DONE, 60, 60, 0, 0)
    agency.queue.messages.clear()
    agency.hand_in(rows, a_key())
    assert agency.queue.messages == []


def test_rows_that_are_queued_but_not_known_to_be_are_not_told_as_none(agency: Agency) -> None:
    class Forgetful(FakeIntakes):
        def mark_sent(self, intake_id: str) -> None:
            raise StoreBusy

    with pytest.raises(OutcomeUnknown) as unknown:
        Agency(memory=agency.memory, queue=agency.queue, intakes=Forgetful(agency.memory)).hand_in([ROW], a_key())
    assert agency.hand_in([ROW], a_key()).manifest.id == unknown.value.intake_id
    agency.work()
    assert len(agency.memory.visits) == 1


class Overtaken(FakeIntakes):
    """Another request comes first, between the opening of an intake and the binding of its key."""

    other: Callable[[], object] | None = None

    def open(self, manifest: Manifest) -> Manifest:
        other, self.other = self.other, None
        if other:
            other()
        return super().open(manifest)


def test_of_two_requests_with_one_key_at_once_one_is_queued_and_both_get_it(agency: Agency) -> None:
    intakes = Overtaken(agency.memory)
    slow = Agency(memory=agency.memory, queue=agency.queue, intakes=intakes)
    first: list[Intake] = []
    intakes.other = lambda: first.append(agency.hand_in([ROW], a_key()))
    assert slow.hand_in([ROW], a_key()).manifest.id == first[0].manifest.id
    assert len(agency.queue.messages) == 1
    intakes.other = lambda: agency.hand_in([ROW], a_key("k2", b"another"))
    with pytest.raises(KeyReused):
        slow.hand_in([ROW], a_key("k2"))


# Looking up


def not_found(agency: Agency, id: str) -> bool:
    looks: list[Callable[[], object]] = [lambda: agency.desk.look_up(id), lambda: agency.desk.results(id, None, 1)]
    for look in looks:
        with pytest.raises(IntakeNotFound) as refused:
            look()
        assert refused.value.intake_id == id
    return True


def test_an_intake_that_is_not_there_is_not_found(agency: Agency) -> None:
    assert not_found(agency, "nowhere")


def test_an_intake_is_kept_for_thirty_days(agency: Agency) -> None:
    id = agency.hand_in([ROW]).manifest.id
    agency.clock.advance(KEPT - minutes(1))
    assert agency.desk.look_up(id).manifest.expires_at == NOW + KEPT
    assert agency.desk.results(id, None, 1).items == []
    agency.clock.advance(minutes(1))
    assert not_found(agency, id)


def test_an_intake_is_queued_then_running_then_done(agency: Agency) -> None:
    rows = some_rows(28)
    id = agency.hand_in([*rows, rows[0], {}, {}]).manifest.id
    first, second = agency.waiting()
    assert counts(agency.desk.look_up(id)) == (IntakeStatus.QUEUED, 31, 0, 0, 0)
    agency.work(first)
    assert counts(agency.desk.look_up(id)) == (IntakeStatus.RUNNING, 31, 25, 0, 0)
    agency.work(second)
    assert counts(agency.desk.look_up(id)) == (IntakeStatus.DONE, 31, 28, 1, 2)


def test_an_intake_of_which_a_part_was_given_up_has_failed_once_the_rest_is_done(agency: Agency) -> None:
    id = agency.hand_in(some_rows(26)).manifest.id
    first, second = agency.waiting()
    agency.worker.give_up(first)
    assert counts(agency.desk.look_up(id)) == (IntakeStatus.RUNNING, 26, 0, 0, 25)
    agency.work(second)
    assert counts(agency.desk.look_up(id)) == (IntakeStatus.FAILED, 26, 1, 0, 25)


def test_results_come_in_pages_in_the_order_of_the_rows(agency: Agency) -> None:
    intake = agency.hand_in(some_rows(27))
    first, second = agency.waiting()
    agency.work(second, first)
    pages, after = [], None
    while True:
        page = agency.desk.results(intake.manifest.id, after, 10)
        pages.append([outcome.row for outcome in page.items])
        after = page.next
        if after is None:
            break
    assert pages == [list(range(10)), list(range(10, 20)), list(range(20, 27))]
