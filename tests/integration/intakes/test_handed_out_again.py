"""Messages that are handed out more than once, to several workers, or to one that dies or runs out of time."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest

from chalicelib.events.batches import Unfinished
from tests.builders import Clock
from tests.integration.api import Api
from tests.integration.audit import everything
from tests.integration.chaos import Killed
from tests.integration.intake import Mailbox, handle, hooked, instance
from tests.integration.intakes.rows import (
    counts,
    hand_in,
    intake,
    manifest_pk,
    problem_of,
    results,
    rows,
    sent_to,
    visits_at,
)

if TYPE_CHECKING:
    pass


def test_a_finished_message_that_is_handed_out_again_changes_nothing(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, rows(house, 30))
    batch = box.receive()
    assert handle(batch) is None
    before = results(api, location)
    with sent_to(api.dynamodb, "TransactWriteItems") as bookings:
        assert handle(batch) is None
    assert bookings == []
    assert results(api, location) == before
    assert counts(api, location) == ("done", 30, 30, 0, 0)
    assert len(visits_at(api, house)) == 30


def test_a_chunk_that_is_twice_in_a_batch_is_worked_off_once_and_acknowledged_twice(
    api: Api, box: Mailbox, house: str
) -> None:
    location = hand_in(api, rows(house, 5))
    (message,) = box.receive(1)
    box.send(message["Body"], "{}")
    (twin, unreadable) = box.receive(2)
    assert twin["MessageId"] != message["MessageId"]
    with sent_to(api.dynamodb, "TransactWriteItems") as bookings, pytest.raises(Unfinished, match="1 of 3"):
        handle([message, twin, unreadable])
    assert len(bookings) == 5
    assert box.waiting() == 1
    assert counts(api, location) == ("done", 5, 5, 0, 0)


def test_two_workers_with_the_same_chunk_at_once_do_not_both_work_on_it(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    location = hand_in(api, rows(house, 5))
    batch = box.receive()
    reached, go_on = threading.Event(), threading.Event()

    def pause(**_: object) -> None:
        reached.set()
        assert go_on.wait(30)

    with instance(box, clock) as first, instance(box, clock) as second, ThreadPoolExecutor(1) as pool:
        with hooked(first.dynamodb, "TransactWriteItems", pause):
            working = pool.submit(first.handle, batch)
            try:
                assert reached.wait(30)
                meanwhile = sent_to(second.dynamodb, "TransactWriteItems")
                with meanwhile as bookings, pytest.raises(Unfinished, match="1 of 1"):
                    second.handle(batch)
                assert bookings == []
            finally:
                go_on.set()
            working.result(30)
        second.handle(batch)
    assert counts(api, location) == ("done", 5, 5, 0, 0)
    assert len(visits_at(api, house)) == 5


@pytest.mark.parametrize("boundary", ["TransactWriteItems", "UpdateItem"])
def test_what_a_killed_worker_began_another_finishes_once_its_claim_has_run_out(
    api: Api, box: Mailbox, house: str, clock: Clock, boundary: str
) -> None:
    """Killed while it books, or with every row booked, before it could record what became of them."""
    location = hand_in(api, rows(house, 5))
    batch = box.receive()
    calls, dead = Counter[str](), False

    def kill(event_name: str, **_: object) -> None:
        nonlocal dead
        operation = event_name.rsplit(".", 1)[-1]
        calls[operation] += 1
        # The first UpdateItem is the claim. Whoever is dead does nothing any more.
        dead = dead or (operation == boundary and calls[operation] > (1 if boundary == "UpdateItem" else 2))
        if dead:
            raise Killed

    with instance(box, clock) as doomed, hooked(doomed.dynamodb, "*", kill), pytest.raises(Killed):
        doomed.handle(batch)
    booked = len(visits_at(api, house))
    assert booked == (5 if boundary == "UpdateItem" else 2)
    clock.now += timedelta(seconds=61)
    with pytest.raises(Unfinished):
        handle(batch)
    assert counts(api, location) == ("queued", 5, 0, 0, 0)
    clock.now += timedelta(seconds=2)
    handle(batch)
    assert counts(api, location) == ("done", 5, 5, 0, 0)
    assert len(visits_at(api, house)) == 5


def test_a_row_booked_before_the_worker_died_is_created_even_if_the_property_has_closed_since(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    location = hand_in(api, rows(house, 2))
    batch = box.receive()

    def kill(request: AWSPreparedRequest, **_: object) -> None:
        if b"finishedBy = " in cast(bytes, request.body):
            raise Killed

    with instance(box, clock) as doomed, hooked(doomed.dynamodb, "UpdateItem", kill), pytest.raises(Killed):
        doomed.handle(batch)
    assert len(visits_at(api, house)) == 2
    closed = api.get(f"/properties/{house}").json()
    body = {name: closed[name] for name in ("name", "address", "price", "currency", "timeZone")}
    answer = api.http.put(f"/properties/{house}", json=body | {"visitsAllowed": False}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    clock.now += timedelta(minutes=5)
    handle(batch)
    assert counts(api, location) == ("done", 2, 2, 0, 0)
    refused = hand_in(api, rows(house, 1, first=5))
    box.work(until=lambda: intake(api, refused)["status"] == "done")
    assert [problem_of(result) for result in results(api, refused)] == ["visits-not-allowed"]


def test_a_worker_that_has_lost_its_claim_decides_nothing_any_more(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    """It was held up for so long that another has finished; what it then would record does not count."""
    location = hand_in(api, rows(house, 3))
    batch = box.receive()

    def overtaken(request: AWSPreparedRequest, **_: object) -> None:
        if b"finishedBy = " in cast(bytes, request.body):
            clock.now += timedelta(minutes=5)
            handle(batch)

    with instance(box, clock) as slow, hooked(slow.dynamodb, "UpdateItem", overtaken), pytest.raises(Unfinished):
        slow.handle(batch)
    told = [item for item in everything(box.table) if item["pk"] == manifest_pk(location) and "outcomes" in item]
    assert len(told) == 2
    assert counts(api, location) == ("done", 3, 3, 0, 0)
    assert [result["row"] for result in results(api, location)] == [0, 1, 2], "the late worker's word does not count"


def test_a_worker_without_time_gives_everything_back_and_claims_nothing(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    location = hand_in(api, rows(house, 3))
    batch = box.receive()
    with pytest.raises(Unfinished, match="1 of 1"):
        handle(batch, remaining_seconds=8)
    assert visits_at(api, house) == []
    handle(batch)
    assert counts(api, location) == ("done", 3, 3, 0, 0)


def test_a_worker_that_runs_out_of_time_gives_back_what_is_left_for_another_to_take_at_once(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    location = hand_in(api, rows(house, 25))
    batch = box.receive()
    lock, booked = threading.Lock(), 0

    def time_flies(**_: object) -> None:
        nonlocal booked
        with lock:
            booked += 1
            if booked == 3:
                clock.now += timedelta(seconds=52)

    with instance(box, clock) as late:
        with hooked(late.dynamodb, "TransactWriteItems", time_flies), pytest.raises(Unfinished, match="1 of 1"):
            late.handle(batch)
        # Those that had begun are finished, no other is begun.
        assert 3 <= len(visits_at(api, house)) < 25
        assert counts(api, location) == ("queued", 25, 0, 0, 0)
    # The clock stands: the claim, had it not been given back, would hold for ten seconds more.
    handle(batch)
    assert counts(api, location) == ("done", 25, 25, 0, 0)
    assert len(visits_at(api, house)) == 25
