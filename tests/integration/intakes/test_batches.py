"""A batch as Lambda hands it out: what is wrong with one message holds up no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from chalicelib.domain.intakes import intake_id
from chalicelib.events.batches import Unfinished
from chalicelib.journal import Failed
from chalicelib.services.intake_worker import IntakeWorker
from tests.integration.api import Api
from tests.integration.chaos import answer as answer_of
from tests.integration.intake import Mailbox, answered, handle, hooked, partner_message
from tests.integration.intakes.rows import counts, down, partners, problem_of, results, row, sent_to, sqs_of, visits_at

if TYPE_CHECKING:
    pass


def test_one_unreadable_message_and_one_conflict_harm_none_of_the_eight_others(
    api: Api, box: Mailbox, house: str
) -> None:
    good = [partner_message(row(house, hour, externalId=f"good-{hour}")) for hour in range(8)]
    conflicting = partner_message(row(house, 7, externalId="too-late"))
    ids = box.send(*good)
    box.work()
    # Now all of it in one batch, the good ones on another day.
    good = [partner_message(row(house, 24 + hour, externalId=f"next-day-{hour}")) for hour in range(8)]
    ids = box.send(*good[:4], "no JSON", *good[4:], conflicting)
    batch = box.receive()
    assert len(batch) == 10
    with sent_to(api.dynamodb, "TransactWriteItems") as bookings:
        with pytest.raises(Unfinished, match="1 of 10"):
            handle(batch)
        assert len(visits_at(api, house)) == 16
        box.give_back(batch)
        box.work(until=lambda: box.waiting(dead=True) == 1)
    assert len(bookings) == 9, "eight visits and one conflict, each tried once"
    assert box.waiting() == 0
    (dead,) = box.receive(1, dead=True)
    assert dead["Body"] == "no JSON"
    assert [counts(api, partners(id)) for n, id in enumerate(ids) if n not in (4, 9)] == [("done", 1, 1, 0, 0)] * 8
    (rejected,) = results(api, partners(ids[9]))
    assert (rejected["status"], rejected["externalId"], problem_of(rejected)) == ("rejected", "too-late", "slot-taken")
    assert api.get(partners(ids[4])).status_code == 404
    assert {visit["version"] for visit in visits_at(api, house)} == {1}
    assert len(visits_at(api, house)) == 16


def test_a_batch_that_is_all_finished_returns_nothing_and_leaves_deleting_to_lambda(
    api: Api, box: Mailbox, house: str
) -> None:
    box.send(*(partner_message(row(house, hour)) for hour in range(3)))
    batch = box.receive()
    # A returned list of failures would count as success for all where the event source does not expect one.
    with sent_to(sqs_of(api), "DeleteMessageBatch") as deletions:
        assert handle(batch) is None
    assert deletions == []
    assert box.waiting() == 3
    box.delete(batch)
    assert box.waiting() == 0


def test_a_batch_that_is_not_all_finished_raises_and_has_deleted_what_is(api: Api, box: Mailbox, house: str) -> None:
    box.send(partner_message(row(house, 0)), "{}", partner_message(row(house, 1)))
    batch = box.receive()
    with pytest.raises(Unfinished, match="1 of 3"):
        handle(batch)
    assert box.waiting() == 1
    box.give_back(batch)
    box.work(until=lambda: box.waiting(dead=True) == 1)
    assert [message["Body"] for message in box.receive(dead=True)] == ["{}"]


@pytest.fixture
def reporting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event source was told `ReportBatchItemFailures`."""
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", "ReportBatchItemFailures")


@pytest.mark.usefixtures("reporting")
def test_where_failures_are_reported_nothing_is_raised_or_deleted_by_hand(api: Api, box: Mailbox, house: str) -> None:
    poisoned = api.property("poisoned-reported")
    good, *others = box.send(partner_message(row(house, 0)), "{}", partner_message(row(poisoned, 0)))
    batch = box.receive()

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        poisons = isinstance(request.body, bytes) and poisoned.encode() in request.body
        return answer_of(request, 400, {"__type": "x#Broken"}) if poisons else None

    with sent_to(sqs_of(api), "*") as calls, answered(api.dynamodb, "Query", refuse):
        answer: Any = handle(batch)
    assert answer.keys() == {"batchItemFailures"}
    assert sorted(failure["itemIdentifier"] for failure in answer["batchItemFailures"]) == sorted(others)
    assert calls == []
    assert box.waiting() == 3
    assert counts(api, partners(good)) == ("done", 1, 1, 0, 0)


@pytest.mark.usefixtures("reporting")
def test_where_failures_are_reported_a_finished_batch_has_none(box: Mailbox, house: str) -> None:
    box.send(*(partner_message(row(house, hour)) for hour in range(3)))
    assert handle(box.receive()) == {"batchItemFailures": []}


@pytest.mark.usefixtures("reporting")
def test_where_failures_are_reported_too_a_fault_around_the_batch_returns_all_of_it(
    box: Mailbox, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    box.send(partner_message(row(house, 0)))
    monkeypatch.setattr(IntakeWorker, "work", broken)
    with pytest.raises(Failed):
        handle(box.receive())


def test_finished_messages_that_cannot_be_deleted_are_no_failure_and_are_not_worked_off_again(
    api: Api, box: Mailbox, house: str
) -> None:
    ids = box.send(partner_message(row(house, 0)), "{}")
    batch = box.receive()
    with hooked(sqs_of(api), "DeleteMessageBatch", down), pytest.raises(Unfinished, match="1 of 2"):
        handle(batch)
    assert box.waiting() == 2
    box.give_back(batch)
    with sent_to(api.dynamodb, "TransactWriteItems") as bookings:
        box.work(until=lambda: box.waiting(dead=True) == 1 and box.waiting() == 0)
    assert bookings == []
    assert counts(api, partners(ids[0])) == ("done", 1, 1, 0, 0)


@pytest.mark.parametrize("boundary", ["Query", "TransactWriteItems", "UpdateItem", "PutItem"])
def test_what_fails_for_one_chunk_only_holds_up_that_chunk(
    api: Api, box: Mailbox, house: str, boundary: str, log: pytest.LogCaptureFixture
) -> None:
    poisoned = api.property("poisoned-" + boundary.lower())
    ids = box.send(
        partner_message(row(poisoned, 0, externalId=poisoned)), *(partner_message(row(house, n)) for n in range(3))
    )
    batch = box.receive()
    marked = (poisoned, intake_id("source", "partner", ids[0]))

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        # Not a fault that passes: as if the item were too large, or the permission missing.
        if not any(mark.encode() in cast(bytes, request.body) for mark in marked):
            return None
        return answer_of(request, 400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no"})

    with answered(api.dynamodb, boundary, refuse), pytest.raises(Unfinished, match="1 of 4"):
        handle(batch)
    assert [counts(api, partners(id)) for id in ids[1:]] == [("done", 1, 1, 0, 0)] * 3
    assert any('"kind":"ClientError"' in record.message for record in log.records), "the operator is told what"
    box.give_back(batch)
    box.work()
    assert counts(api, partners(ids[0])) == ("done", 1, 1, 0, 0)


def test_a_row_that_cannot_be_booked_for_now_does_not_keep_those_behind_it_waiting(
    api: Api, box: Mailbox, house: str
) -> None:
    poisoned = api.property("poisoned-row")
    (id,) = box.send(partner_message(row(poisoned, 0), *(row(house, n) for n in range(3))))
    batch = box.receive()

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if poisoned.encode() not in cast(bytes, request.body):
            return None
        return answer_of(request, 400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no"})

    with answered(api.dynamodb, "TransactWriteItems", refuse), pytest.raises(Unfinished, match="1 of 1"):
        handle(batch)
    assert len(visits_at(api, house)) == 3
    box.give_back(batch)
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 4, 0, 0)
