"""What is told of a write or a read while DynamoDB is contended, overloaded or silent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.domain import patience
from chalicelib.domain.errors import (
    OutcomeUnknown,
    PropertyExists,
    StoreBusy,
    Unavailable,
    VersionMismatch,
    VisitNotFound,
)
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.listing import VisitFilter
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.table import Table
from tests.builders import a_property, a_record, a_visit
from tests.integration.repositories.faults import (
    CONFLICT,
    NOT_TAKEN,
    OVERLOADED,
    TOLD,
    UNDECIDED,
    Answer,
    cancelled_because,
    faults,
    lost,
    read_timeout,
    refusal,
)
from tests.integration.repositories.stores import DAY, Store, at, booked, cancelled, is_free, next_version

if TYPE_CHECKING:
    pass


CLIENT_WAITS_SECONDS = 3


@pytest.mark.parametrize("fault", OVERLOADED, ids=range(len(OVERLOADED)))
def test_a_booking_outlasts_contention_and_faults_that_pass(store: Store, house: str, fault: Answer) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [fault] * 3) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 4
    assert len(store.patience.pauses) == 3
    assert len({request["ClientRequestToken"] for request in sent}) == 1, "every attempt is the same transaction"
    assert store.visits.get(visit.id) == visit


@pytest.mark.parametrize(("fault", "told"), TOLD, ids=range(len(TOLD)))
def test_after_three_seconds_nothing_was_written_or_it_is_not_known(
    store: Store, house: str, fault: Answer, told: type[Unavailable]
) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", itertools.repeat(fault)), pytest.raises(told) as refused:
        store.visits.add(visit, 1)
    assert refused.value.retry_after_seconds >= 1
    assert 3 < store.patience.now < 3.5
    assert all(0 <= pause <= 0.4 for pause in store.patience.pauses)
    with pytest.raises(VisitNotFound):
        store.visits.get(visit.id)
    assert is_free(store.visits, a_visit(property_id=house))


def test_a_save_and_a_move_outlast_contention_too(store: Store, house: str) -> None:
    visit = booked(store.visits, a_visit(property_id=house))
    moved = next_version(visit, date=at("12:00"))
    with faults(store.client, "TransactWriteItems", [CONFLICT, CONFLICT]):
        store.visits.move(visit, moved, 1)
    with faults(store.client, "PutItem", [refusal("TransactionConflictException")] * 2) as sent:
        noted = next_version(moved, notes="n")
        store.visits.save(moved, noted)
    assert len(sent) == 3
    with faults(store.client, "TransactWriteItems", [CONFLICT, CONFLICT]):
        store.visits.save(noted, cancelled(noted))
    assert store.visits.held_quarters(house, DAY) == {}


def test_a_taken_slot_is_not_final_while_another_slot_is_contended(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    passing = cancelled_because("None", "ConditionalCheckFailed", "TransactionConflict")
    with faults(store.client, "TransactWriteItems", [passing]) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 2


def test_a_recorded_success_is_final_though_a_slot_is_contended(store: Store, house: str) -> None:
    fault = cancelled_because("ConditionalCheckFailed", "None", "TransactionConflict")
    with faults(store.client, "TransactWriteItems", [fault]) as sent, pytest.raises(AlreadyDone):
        store.visits.add(a_visit(property_id=house), 1, a_record())
    assert len(sent) == 1


def test_the_idempotency_record_is_looked_at_before_the_slots(store: Store, house: str) -> None:
    fault = cancelled_because("ConditionalCheckFailed")
    with faults(store.client, "TransactWriteItems", [fault]), pytest.raises(AlreadyDone):
        store.visits.add(a_visit(property_id=house), 1, a_record())
    with faults(store.client, "TransactWriteItems", [fault]), pytest.raises(AlreadyDone):
        store.properties.add(a_property(house), a_record())


def test_what_is_our_own_fault_is_not_the_stores_overload(store: Store, house: str) -> None:
    denied = refusal("AccessDeniedException")
    with faults(store.client, "TransactWriteItems", [denied]) as sent, pytest.raises(ClientError):
        store.visits.add(a_visit(property_id=house), 1)
    assert len(sent) == 1
    invalid = cancelled_because("ValidationError")
    with faults(store.client, "TransactWriteItems", [invalid]) as sent, pytest.raises(ClientError):
        store.visits.add(a_visit(property_id=house), 1)
    assert len(sent) == 1
    with faults(store.client, "GetItem", [denied]), pytest.raises(ClientError):
        store.properties.get(house)


@pytest.mark.parametrize("fault", [*NOT_TAKEN, *UNDECIDED], ids=range(len(NOT_TAKEN + UNDECIDED)))
def test_a_read_that_the_store_cannot_take_says_that_it_is_busy(store: Store, house: str, fault: Answer) -> None:
    with faults(store.client, "GetItem", [fault] * 4):
        with pytest.raises(StoreBusy):
            store.properties.get(house)
        with pytest.raises(StoreBusy):
            store.table.ping()
    store.table.ping()
    filter = VisitFilter(DAY, property_id=house)
    with faults(store.client, "Query", [fault] * 4):
        with pytest.raises(StoreBusy):
            store.visits.list(filter, None, 10)
        with pytest.raises(StoreBusy):
            store.visits.held_quarters(house, DAY)


def test_a_booking_whose_answer_was_lost_is_a_success_and_conflicts_with_nobody(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [lost, lost]) as sent:
        store.visits.add(visit, 1)
    assert len(sent) == 3
    assert store.visits.get(visit.id) == visit
    assert store.visits.held_quarters(house, DAY) == {at("10:00"): 1, at("10:15"): 1}


def slow(store: Store) -> Answer:
    """It is done, but the client has stopped waiting by the time that the answer comes."""

    def answer(request: AWSPreparedRequest) -> AWSResponse | None:
        store.patience.now += CLIENT_WAITS_SECONDS
        return lost(request)

    return answer


@pytest.fixture
def request_under_way() -> Iterator[None]:
    patience.begin()
    yield
    patience.end()


@pytest.mark.usefixtures("request_under_way")
def test_a_commit_that_is_slow_to_answer_is_waited_for_as_long_as_the_request_may_last(
    store: Store, house: str
) -> None:
    visit = a_visit(property_id=house)
    with faults(store.client, "TransactWriteItems", [slow(store)] * 4) as sent:
        store.visits.add(visit, 1)
    assert len({request["ClientRequestToken"] for request in sent}) == 1
    patience.begin()  # the next request
    noted = next_version(visit, notes="n")
    with faults(store.client, "PutItem", [slow(store)] * 4):
        store.visits.save(visit, noted)
    assert store.visits.get(visit.id) == noted


@pytest.mark.usefixtures("request_under_way")
def test_a_commit_that_never_answers_is_not_known_and_never_told_as_none(store: Store, house: str) -> None:
    visit = a_visit(property_id=house)
    with (
        faults(store.client, "TransactWriteItems", itertools.repeat(slow(store))) as sent,
        pytest.raises(OutcomeUnknown),
    ):
        store.visits.add(visit, 1)
    assert len(sent) > 4
    assert store.visits.get(visit.id) == visit


def test_a_refusal_after_silence_is_not_known_where_others_may_have_written_over_it(store: Store, house: str) -> None:
    property = a_property(house)
    store.properties.add(property)

    def overtaken(request: AWSPreparedRequest) -> AWSResponse | None:
        with pytest.raises(ReadTimeoutError):
            lost(request)
        fresh = DynamoProperties(Table(store.client, store.table._name))
        mine = fresh.get(house)
        fresh.save(mine, replace(mine, version=mine.version + 1))
        raise read_timeout(request.url)

    with faults(store.client, "PutItem", [overtaken]), pytest.raises(OutcomeUnknown):
        store.properties.save(property, replace(property, version=2))


def test_a_reschedule_whose_answer_was_lost_is_a_success(store: Store, house: str) -> None:
    visit = booked(store.visits, a_visit(property_id=house))
    moved = next_version(visit, date=at("10:15"))
    with faults(store.client, "TransactWriteItems", [lost]):
        store.visits.move(visit, moved, 1)
    assert store.visits.get(visit.id) == moved
    assert store.visits.held_quarters(house, DAY) == {at("10:15"): 1, at("10:30"): 1}


def test_a_put_whose_answer_was_lost_is_not_taken_for_somebody_elses(store: Store, house: str) -> None:
    property = a_property(house)
    with faults(store.client, "PutItem", [lost, lost]) as sent:
        store.properties.add(property)
    assert len(sent) == 3
    changed = replace(property, version=2)
    with faults(store.client, "PutItem", [lost]):
        store.properties.save(property, changed)
    visit = booked(store.visits, a_visit(property_id=house))
    with faults(store.client, "PutItem", [lost]):
        store.visits.save(visit, next_version(visit, notes="n"))
    assert store.properties.get(house) == changed
    with pytest.raises(VersionMismatch):
        store.properties.save(property, changed)
    with pytest.raises(PropertyExists):
        store.properties.add(property)
