"""Intakes from the first request to the last outcome: what was accepted is booked exactly once, or says why not."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import EndpointConnectionError

from chalicelib.container import new_id, utc_now
from chalicelib.domain.idempotency import KEPT
from chalicelib.domain.intakes import intake_id
from chalicelib.domain.signing_keys import Keyring
from chalicelib.events.batches import Unfinished
from chalicelib.events.intake_queue import Sending, UnreadableMessage, read_message
from chalicelib.http.instants import instant_text
from chalicelib.journal import Failed
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.intakes import manifest_key
from chalicelib.repositories.signing_keys import signing_keys_item, signing_keys_key, signing_keys_of
from chalicelib.repositories.table import deserialized, serialized
from chalicelib.repositories.visits import visit_key
from chalicelib.services.intake_worker import IntakeWorker
from tests.builders import Clock
from tests.integration.api import Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.chaos import Killed
from tests.integration.chaos import answer as answer_of
from tests.integration.intake import Mailbox, Message, answered, handle, hooked, instance, mailbox, partner_message
from tests.integration.metering import contents, metered

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from tests.integration.conftest import FreshTable

FIRST_DAY = datetime(2027, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NDJSON = {"Content-Type": "application/x-ndjson"}
LARGEST_ITEM = 400 * 1024

Row = dict[str, Any]


@pytest.fixture
def box(table: FreshTable) -> Iterator[Mailbox]:
    """A queue of the test's own. Whatever happens, no slot is leaked or lost."""
    with mailbox(table) as box:
        yield box
    assert slot_audit(everything(table)) == []


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the app writes: its logger is Chalice's, which hands nothing on."""
    logger = logging.getLogger("visits")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def api(box: Mailbox, clock: Clock) -> Iterator[Api]:
    with serve(box.table, clock) as api:
        yield api


def row(house: str, hour: int, **details: object) -> Row:
    """A visit of half an hour; equal hours meet."""
    return {"propertyId": house, "date": instant_text(FIRST_DAY + hour * HOUR), **details}


def rows(house: str, count: int, first: int = 0) -> list[Row]:
    return [row(house, first + n, externalId=f"{house}-{first + n}") for n in range(count)]


def hand_in(api: Api, visits: list[Row], key: str | None = None) -> str:
    """Where the intake is."""
    answer = api.post("/intakes", {"visits": visits}, key)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def intake(api: Api, location: str) -> dict[str, Any]:
    answer = api.get(location)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(api: Api, location: str) -> tuple[str, int, int, int, int]:
    found = intake(api, location)
    return (found["status"], *(found["counts"][name] for name in ("total", "created", "duplicate", "rejected")))


def results(api: Api, location: str) -> list[dict[str, Any]]:
    answer = api.get(f"{location}/results", limit=100)
    assert answer.status_code == 200, answer.text
    assert answer.json()["nextCursor"] is None
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def problem_of(result: dict[str, Any]) -> str:
    kind: str = result["problem"]["type"]
    return kind.removeprefix("urn:visits:problem:")


def visits_at(api: Api, house: str) -> list[dict[str, Any]]:
    found = api.get("/visits", propertyId=house, from_=instant_text(FIRST_DAY), limit=100)
    assert found.status_code == 200, found.text
    visits: list[dict[str, Any]] = found.json()["items"]
    return visits


def partners(message_id: str, source: str = "partner") -> str:
    """Where the intake of another producer's message is."""
    return f"/intakes/{intake_id('source', source, message_id)}"


def sqs_of(api: Api) -> SQSClient:
    """The app's own client, for faults to be put in."""
    return cast(SqsQueue, api.services.queue)._client


def sent_to(client: Any, operation: str) -> Any:
    """While open, the list of an operation's requests."""
    return _Recording(client, operation)


class _Recording:
    def __init__(self, client: Any, operation: str) -> None:
        self.requests: list[Any] = []
        self._hook = hooked(client, operation, self._note)

    def _note(self, request: AWSPreparedRequest, **_: object) -> None:
        body: Any = request.body
        self.requests.append(json.loads(body))

    def __enter__(self) -> list[Any]:
        self._hook.__enter__()
        return self.requests

    def __exit__(self, *exception: Any) -> None:
        self._hook.__exit__(*exception)


def down(request: AWSPreparedRequest, **_: object) -> None:
    """A hook: the service cannot be reached."""
    raise EndpointConnectionError(endpoint_url=request.url)


# A batch


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
    box.work()
    assert counts(api, partners(ids[0])) == ("done", 1, 1, 0, 0)


def test_a_row_that_cannot_be_booked_for_now_does_not_keep_those_behind_it_waiting(
    api: Api, box: Mailbox, house: str
) -> None:
    poisoned = api.property("poisoned-row")
    (id,) = box.send(partner_message(row(poisoned, 0), *(row(house, n) for n in range(3))))

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if poisoned.encode() not in cast(bytes, request.body):
            return None
        return answer_of(request, 400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "no"})

    with answered(api.dynamodb, "TransactWriteItems", refuse), pytest.raises(Unfinished, match="1 of 1"):
        handle(box.receive())
    assert len(visits_at(api, house)) == 3
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 4, 0, 0)


# Handed out more than once


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


def manifest_pk(location: str) -> str:
    return manifest_key(location.rsplit("/", 1)[-1])["pk"]


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


# The same wish, and another one under its name


def test_the_same_row_from_another_intake_is_a_duplicate_and_names_the_visit(
    api: Api, box: Mailbox, house: str
) -> None:
    first = hand_in(api, rows(house, 3))
    box.work()
    # The order of fields and the way an instant is written are not what it says.
    again = [{**r, "date": r["date"].replace("Z", "+00:00")} for r in map(dict, map(reversed_members, rows(house, 4)))]
    second = hand_in(api, again)
    assert second != first
    box.work()
    assert counts(api, second) == ("done", 4, 1, 3, 0)
    names = ("externalId", "visitId")
    assert [[r[n] for n in names] for r in results(api, second)[:3]] == [
        [r[n] for n in names] for r in results(api, first)
    ]
    assert len(visits_at(api, house)) == 4


def reversed_members(wish: Row) -> list[tuple[str, Any]]:
    return list(reversed(wish.items()))


def test_another_wish_under_an_external_id_that_is_taken_is_rejected(api: Api, box: Mailbox, house: str) -> None:
    hand_in(api, rows(house, 1))
    box.work()
    second = hand_in(api, [{**rows(house, 1)[0], "notes": "another"}, row(house, 5, externalId=f"{house}-0")])
    box.work()
    assert counts(api, second) == ("done", 2, 0, 0, 2)
    assert [problem_of(result) for result in results(api, second)] == ["external-id-reused"] * 2
    (visit,) = visits_at(api, house)
    assert "notes" not in visit


def test_a_row_whose_visitor_was_erased_never_books_again(api: Api, box: Mailbox, table: FreshTable) -> None:
    house = api.property(f"erased-{new_id()}", capacity=5)
    wish = row(house, 0, externalId=f"{house}-0", visitor={"name": "Zara Geheim"}, notes="Zara bites")
    message = partner_message(wish)
    box.send(message)
    box.work()
    (visit,) = visits_at(api, house)
    assert "fingerprint" in origin_of(table, visit["id"])
    assert api.http.delete(f"/visits/{visit['id']}/visitor").status_code == 204
    origin = origin_of(table, visit["id"])
    assert origin.keys() == {"intakeId", "row"}, "which row it was, and nothing made of what it said"
    # The same content, other content: nobody can tell any more, so neither counts as booked.
    again = [box.send(partner_message(wish))[0], box.send(partner_message({**wish, "notes": "other"}))[0]]
    box.work()
    for message_id in again:
        (told,) = results(api, f"/intakes/{intake_id('source', 'partner', message_id)}")
        assert problem_of(told) == "external-id-reused"
        assert "erased" in told["problem"]["detail"]
    assert [found["id"] for found in visits_at(api, house)] == [visit["id"]]


def origin_of(table: FreshTable, visit_id: str) -> dict[str, Any]:
    item = table.client.get_item(TableName=table.name, Key=serialized(visit_key(visit_id)))["Item"]
    origin: dict[str, Any] = deserialized(item)["origin"]
    return origin


def test_equal_external_ids_of_different_producers_are_different_rows(api: Api, box: Mailbox, house: str) -> None:
    ids = box.send(
        partner_message(row(house, 0, externalId="1"), source="north"),
        partner_message(row(house, 1, externalId="1"), source="south"),
    )
    box.work()
    assert [counts(api, partners(id, s))[2] for id, s in zip(ids, ("north", "south"), strict=True)] == [1, 1]
    assert len(visits_at(api, house)) == 2


def test_a_producer_cannot_occupy_the_external_ids_of_an_api_caller(api: Api, box: Mailbox, house: str) -> None:
    """Whatever source it names: `tests` is the caller's name."""
    (id,) = box.send(partner_message(row(house, 0, externalId="1"), source="tests"))
    box.work()
    assert counts(api, partners(id, "tests"))[2] == 1
    location = hand_in(api, [row(house, 1, externalId="1")])
    box.work()
    assert counts(api, location) == ("done", 1, 1, 0, 0)


def sent_by(message: Message, sender: str) -> Message:
    return {**message, "Attributes": {**message["Attributes"], "SenderId": sender}}


def test_a_producer_cannot_occupy_the_external_ids_of_another(api: Api, box: Mailbox, house: str) -> None:
    """The source is the message's word; the sender is SQS's."""
    ids = box.send(*(partner_message(row(house, n, externalId="1"), source="north") for n in (0, 1, 1)))
    by_id = {message["MessageId"]: message for message in box.receive(3)}
    senders = ("AROATHIEF:north", "AROANORTH:monday", "AROANORTH:tuesday")
    for id, sender in zip(ids, senders, strict=True):
        handle([sent_by(by_id[id], sender)])
    # Another session of the same role is the same producer.
    assert [counts(api, partners(id, "north"))[2:4] for id in ids] == [(1, 0), (1, 0), (0, 1)]


def test_who_sent_a_message_first_cannot_be_made_up(api: Api, box: Mailbox, house: str) -> None:
    """Not with another's attributes, and not with those that we signed for another message."""
    theirs, mine = (partner_message(row(house, n, externalId="1"), source="north") for n in (0, 1))
    signed = Sending("first", "AROANORTH", "1000").attributes(theirs, api.services.signer)
    (id,) = box.send(mine)
    (message,) = box.receive(1)
    for attributes in (signed, {**signed, "replaySignature": ""}, {**signed, "replaySignature": "k:zz"}):
        sending = Sending.of(id, message["Attributes"], attributes, mine, api.services.signer)
        assert sending == Sending.of(id, message["Attributes"], {}, mine, api.services.signer)
        assert sending.message_id == id
    again = Sending.of("again", message["Attributes"], signed, theirs, api.services.signer)
    assert again == Sending("first", "AROANORTH", "1000")


def test_a_row_that_is_twice_in_one_intake_is_booked_once(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, [rows(house, 1)[0]] * 3)
    box.work()
    assert counts(api, location) == ("done", 3, 1, 2, 0)
    assert len({result["visitId"] for result in results(api, location)}) == 1


def test_rows_without_an_external_id_are_told_apart_by_their_place(api: Api, box: Mailbox) -> None:
    house = api.property("open-for-two", capacity=2)
    location = hand_in(api, [row(house, 0)] * 3)
    batch = box.receive()
    handle(batch)
    handle(batch)
    assert counts(api, location) == ("done", 3, 2, 0, 1)
    assert len(visits_at(api, house)) == 2


# Other producers


def test_rejections_of_another_producers_message_can_be_looked_up(api: Api, box: Mailbox, house: str) -> None:
    api.visit(house, row(house, 5)["date"])
    (id,) = box.send(
        partner_message(
            row(house, 0, externalId="a"),
            row("nowhere", 1, externalId="b"),
            {"externalId": "c", "propertyId": house, "date": "tomorrow"},
            row(house, 5, externalId="d"),
        )
    )
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 1, 0, 3)
    found = results(api, partners(id))
    assert [(r["row"], r["externalId"], r["status"]) for r in found] == [
        (0, "a", "created"),
        (1, "b", "rejected"),
        (2, "c", "rejected"),
        (3, "d", "rejected"),
    ]
    assert [problem_of(r) for r in found[1:]] == ["property-not-found", "invalid-input", "slot-taken"]
    assert found[2]["problem"]["errors"][0]["pointer"] == "#/date"


def test_the_message_of_a_producer_that_runs_ahead_is_understood(api: Api, box: Mailbox, house: str) -> None:
    ahead = json.loads(partner_message(row(house, 0))) | {"traceId": "of a later version"}
    (id,) = box.send(json.dumps(ahead))
    box.work()
    assert counts(api, partners(id)) == ("done", 1, 1, 0, 0)


def test_forged_messages_go_to_the_dead_letters_alone(api: Api, box: Mailbox, house: str) -> None:
    hand_in(api, rows(house, 1))
    (genuine,) = box.receive()
    handle([genuine])
    box.delete([genuine])
    ours = json.loads(genuine["Body"])
    reference = ours["intake"]

    def forged(**changed: object) -> str:
        return json.dumps(ours | {"intake": reference | changed, "visits": [row(house, 9)]})

    no_manifest = forged(id="6f2f4b5e-0000-5000-8000-000000000000")
    forgeries = [
        no_manifest,
        forged(id="x" * 3000),
        forged(id=""),
        forged(producer="somebody else"),
        forged(chunk=1),
        json.dumps(ours | {"source": "partner"}),
        json.dumps({name: value for name, value in ours.items() if name != "intake"}),
        json.dumps(ours | {"version": 2}),
    ]
    ids = box.send(*forgeries, partner_message(row(house, 3)))
    box.work(until=lambda: box.waiting(dead=True) == len(forgeries) and box.waiting() == 0)
    assert Counter(message["Body"] for message in box.receive(20, dead=True)) == Counter(forgeries)
    assert counts(api, partners(ids[-1])) == ("done", 1, 1, 0, 0)
    assert len(visits_at(api, house)) == 2
    assert api.get("/intakes/6f2f4b5e-0000-5000-8000-000000000000").status_code == 404


# Handing in


def test_a_visit_handed_in_with_respond_async_is_an_intake_of_one(api: Api, box: Mailbox, house: str) -> None:
    wish = row(house, 0, visitor={"name": "Ada"})
    for _ in range(2):
        headers = {"Prefer": "wait=5, respond-async", "Idempotency-Key": f"key of {house}"}
        answer = api.http.post("/visits", json=wish, headers=headers)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert int(answer.headers["Retry-After"]) > 0
    location = answer.headers["Location"]
    assert counts(api, location) == ("queued", 1, 0, 0, 0)
    assert int(api.get(location).headers["Retry-After"]) > 0
    box.work()
    assert counts(api, location) == ("done", 1, 1, 0, 0)
    assert "Retry-After" not in api.get(location).headers
    (result,) = results(api, location)
    assert api.get(f"/visits/{result['visitId']}").json()["visitor"] == {"name": "Ada"}


@pytest.mark.parametrize("later_first", [True, False], ids=["handed in, then at once", "at once, then handed in"])
def test_a_key_books_one_visit_whether_now_or_later(api: Api, box: Mailbox, house: str, later_first: bool) -> None:
    wish, key = row(house, 0), {"Idempotency-Key": f"either-{later_first}"}
    later = key | {"Prefer": "respond-async"}
    if later_first:
        location = api.http.post("/visits", json=wish, headers=later).headers["Location"]
        waiting = api.http.post("/visits", json=wish, headers=key)
        assert (waiting.status_code, waiting.json()["type"]) == (409, "urn:visits:problem:handed-in")
        box.work()
        assert counts(api, location) == ("done", 1, 1, 0, 0)
        again = api.http.post("/visits", json=wish, headers=key)
    else:
        assert api.http.post("/visits", json=wish, headers=key).status_code == 201
        again = api.http.post("/visits", json=wish, headers=later)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert [visit["id"] for visit in visits_at(api, house)] == [again.json()["id"]]
    other = api.http.post("/visits", json=wish | {"notes": "other"}, headers=later)
    assert (other.status_code, other.json()["type"]) == (422, "urn:visits:problem:idempotency-key-reused")


def test_lines_may_begin_with_a_byte_order_mark(api: Api, house: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(row(house, 0)).encode()
    answer = api.http.post("/intakes", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 202, answer.text


def test_a_visit_that_cannot_be_one_is_refused_at_once_also_with_respond_async(
    api: Api, box: Mailbox, house: str
) -> None:
    wish = row(house, 0) | {"durationMinutes": 1}
    answer = api.http.post("/visits", json=wish, headers={"Prefer": "respond-async"})
    assert answer.status_code == 422
    assert box.waiting() == 0


def test_another_preference_books_at_once(api: Api, box: Mailbox, house: str) -> None:
    answer = api.http.post("/visits", json=row(house, 0), headers={"Prefer": "return=minimal"})
    assert answer.status_code == 201
    assert "Preference-Applied" not in answer.headers


def test_rows_may_come_a_line_each(api: Api, box: Mailbox, house: str) -> None:
    lines = "\n".join(map(json.dumps, rows(house, 30))) + "\n\n"
    answer = api.http.post("/intakes", content=lines, headers=NDJSON)
    assert answer.status_code == 202, answer.text
    box.work()
    assert counts(api, answer.headers["Location"]) == ("done", 30, 30, 0, 0)


@pytest.mark.parametrize(
    "value",
    [
        "1e400",
        "-1e999",
        "30.5",
        "1" * 400,
        '"\\uffff\\ufffe"',
        "[" * 28 + "1" + "]" * 28,
        '"\\u0000 \\u2028 \\ud83c\\udfe0"',
    ],
    ids=["beyond a float", "below a float", "fraction", "long", "no character", "deep", "odd characters"],
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_a_strange_value_is_one_rejected_row_and_no_dead_letter(
    api: Api, box: Mailbox, house: str, value: str, kind: str
) -> None:
    """What is accepted must be readable again: a chunk that is not takes up to 24 other rows with it."""
    strange = json.dumps(row(house, 0) | {"place": 0}).replace('"place": 0', f'"place": {{"a": {value}}}')
    lines = [json.dumps(row(house, 1)), strange, json.dumps(row(house, 2))]
    body = "\n".join(lines) if kind in NDJSON.values() else f'{{"visits": [{",".join(lines)}]}}'
    answer = api.http.post("/intakes", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 202, answer.text
    (message,) = box.receive()
    # What SQS does not take (AWS documentation of SendMessage); the emulator takes everything.
    assert not {"\ufffe", "\uffff"} & set(message["Body"])
    handle([message])
    assert counts(api, answer.headers["Location"]) == ("done", 3, 2, 0, 1)


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_rows_nested_too_deep_for_a_message_are_refused_when_they_are_handed_in(
    api: Api, box: Mailbox, house: str, kind: str
) -> None:
    line = json.dumps(row(house, 0) | {"place": 0}).replace('"place": 0', f'"place": {"[" * 30 + "1" + "]" * 30}')
    body = line if kind in NDJSON.values() else f'{{"visits": [{line}]}}'
    answer = api.http.post("/intakes", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text


def failing_after(calls: int) -> Any:
    """A hook: the service takes so many calls and then cannot be reached."""
    seen = 0

    def hook(request: AWSPreparedRequest, **_: object) -> None:
        nonlocal seen
        seen += 1
        if seen > calls:
            down(request)

    return hook


def test_a_half_sent_intake_is_not_known_to_be_none_and_completed_by_the_same_request(
    api: Api, box: Mailbox, house: str
) -> None:
    visits, key = rows(house, 300), "half-sent"  # twelve chunks: two calls
    with hooked(sqs_of(api), "SendMessageBatch", failing_after(1)):
        unknown = api.post("/intakes", {"visits": visits}, key)
    assert unknown.status_code == 503
    assert problem_of({"problem": unknown.json()}) == "outcome-unknown"
    assert int(unknown.headers["Retry-After"]) > 0
    assert counts(api, f"/intakes/{unknown.json()['intakeId']}") == ("queued", 300, 0, 0, 0)
    assert box.waiting() == 10
    # Some are worked off before the caller comes again.
    handle(box.receive(3))
    location = hand_in(api, visits, key)
    assert location.endswith(unknown.json()["intakeId"])
    assert box.waiting() > 12
    box.work()
    assert counts(api, location) == ("done", 300, 300, 0, 0)
    stored = [item for item in everything(box.table) if item.get("propertyId") == house and item["pk"][:2] == "V#"]
    assert len(stored) == 300
    assert hand_in(api, visits, key) == location
    assert box.waiting() == 0, "what is complete is not sent again"


def test_a_queue_that_is_down_is_503_and_nothing_of_it_remains_but_the_promise_to_resume(
    api: Api, box: Mailbox, house: str
) -> None:
    with hooked(sqs_of(api), "SendMessageBatch", down):
        refused = api.post("/intakes", {"visits": rows(house, 1)})
    assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
    assert box.waiting() == 0
    location = hand_in(api, rows(house, 1))
    box.work()
    assert counts(api, location) == ("done", 1, 1, 0, 0)


def test_messages_that_sqs_did_not_take_are_sent_again_and_only_those(api: Api, box: Mailbox, house: str) -> None:
    refused = 3

    def take_some(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        nonlocal refused
        if not refused:
            return None
        sent = json.loads(cast(bytes, request.body))
        taken, left = sent["Entries"][:-refused], sent["Entries"][-refused:]
        refused -= 1
        failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in left]
        successful = [{"Id": e["Id"], "MessageId": box.send(e["MessageBody"])[0]} for e in taken]
        return answer_of(request, 200, {"Successful": successful, "Failed": failed})

    sqs = sqs_of(api)
    with sent_to(sqs, "SendMessageBatch") as calls, answered(sqs, "SendMessageBatch", take_some):
        location = hand_in(api, rows(house, 250))
    assert [len(call["Entries"]) for call in calls] == [10, 3, 2, 1]
    assert box.waiting() == 10
    box.work()
    assert counts(api, location) == ("done", 250, 250, 0, 0)


def test_a_key_that_came_with_other_rows_is_refused(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, rows(house, 2), "the-key")
    answer = api.post("/intakes", {"visits": rows(house, 3)}, "the-key")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:visits:problem:idempotency-key-reused"
    assert hand_in(api, rows(house, 2), "the-key") == location
    assert box.waiting() == 1


def rotate(box: Mailbox) -> None:
    """Another current key; the old one still verifies."""
    key = serialized(signing_keys_key())
    keyring = signing_keys_of(deserialized(box.table.client.get_item(TableName=box.table.name, Key=key)["Item"]))
    fresh = f"k{len(keyring.secrets)}"
    rotated = Keyring(fresh, {**keyring.secrets, fresh: fresh.encode() * 16})
    box.table.client.put_item(TableName=box.table.name, Item=serialized(signing_keys_item(rotated)))


def test_the_same_key_is_the_same_intake_though_the_signing_keys_were_rotated(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    visits, key = rows(house, 300), "rotated"
    with hooked(sqs_of(api), "SendMessageBatch", failing_after(1)):
        assert api.post("/intakes", {"visits": visits}, key).status_code == 503
    rotate(box)
    clock.now += timedelta(minutes=6)  # by then every instance has the new keys
    location = hand_in(api, visits, key)
    box.work()
    assert counts(api, location) == ("done", 300, 300, 0, 0)
    manifests = [i for i in everything(box.table) if i["sk"] == "N" and i["rows"] == 300 and house_of(box, i) == house]
    assert len(manifests) == 1
    rotate(box)
    clock.now += timedelta(minutes=6)
    assert hand_in(api, visits, key) == location
    # A wish signed with the first key is recognised in another intake.
    other = hand_in(api, visits[:1])
    box.work()
    assert counts(api, other) == ("done", 1, 0, 1, 0)


def house_of(box: Mailbox, manifest: dict[str, Any]) -> str:
    """The property of an intake's first visit."""
    stored = list(everything(box.table))
    visit = next(i["outcomes"][0]["visitId"] for i in stored if i["pk"] == manifest["pk"] and "outcomes" in i)
    return next(str(i["propertyId"]) for i in stored if i["pk"] == f"V#{visit}")


# Results


def test_results_come_in_pages_complete_and_in_the_order_of_the_rows(api: Api, box: Mailbox, house: str) -> None:
    visits = rows(house, 60)
    visits[30] = {"externalId": "wrong"}
    location = hand_in(api, visits)
    messages = box.receive()
    # Chunks finish in any order.
    handle(messages[::-1])
    seen: list[dict[str, Any]] = []
    answer = api.get(f"{location}/results", limit=7)
    while True:
        page = answer.json()
        seen += page["items"]
        if page["nextCursor"] is None:
            assert "Link" not in answer.headers
            break
        assert len(page["items"]) == 7
        assert answer.links["next"]["url"].startswith("/")
        assert parse_qs(urlsplit(answer.links["next"]["url"]).query)["cursor"] == [page["nextCursor"]]
        answer = follow(api, answer)
    assert [result["row"] for result in seen] == list(range(60))
    assert [result["externalId"] for result in seen] == [visit["externalId"] for visit in visits]
    assert Counter(result["status"] for result in seen) == {"created": 59, "rejected": 1}
    assert all(("visitId" in result) == (result["status"] == "created") for result in seen)


def follow(api: Api, answer: httpx.Response) -> httpx.Response:
    following = api.http.get(answer.links["next"]["url"])
    assert following.status_code == 200, following.text
    return following


def test_a_page_that_the_rows_fill_exactly_is_the_last(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, rows(house, 50))
    box.work()
    assert api.get(f"{location}/results", limit=50).json()["nextCursor"] is None


def test_a_cursor_of_one_intake_is_no_cursor_of_another(api: Api, box: Mailbox, house: str) -> None:
    first, second = hand_in(api, rows(house, 3)), hand_in(api, rows(house, 3, first=10))
    box.work()
    cursor = api.get(f"{first}/results", limit=2).json()["nextCursor"]
    assert api.get(f"{first}/results", limit=2, cursor=cursor).status_code == 200
    assert api.get(f"{second}/results", limit=2, cursor=cursor).status_code == 400


def test_an_intake_is_running_while_some_of_its_chunks_are_finished(api: Api, box: Mailbox, house: str) -> None:
    location = hand_in(api, rows(house, 60))
    messages = box.receive()
    assert counts(api, location)[0] == "queued"
    handle(messages[1:2])
    assert counts(api, location) == ("running", 60, 25, 0, 0)
    assert [result["row"] for result in results(api, location)] == list(range(25, 50))
    handle(messages)
    assert counts(api, location) == ("done", 60, 60, 0, 0)


def test_a_row_costs_what_a_booking_costs_and_its_part_of_the_chunk(
    api: Api, box: Mailbox, house: str, table: FreshTable
) -> None:
    # The keys that sign a row's origin are made once for a table, and read once by an instance.
    hand_in(api, [row(house, 100)])
    box.work()
    hand_in(api, [row(house, hour) | {"durationMinutes": 30} for hour in range(25)])
    before = contents(table.client, table.name)
    with metered(api.dynamodb) as meter:
        box.work()
    after = contents(table.client, table.name)
    bookings = [call for call in meter.calls if call.operation == "TransactWriteItems"]
    # Two for the visit and for each quarter, and one for each of two indexes: as in test_units.
    assert [call.write_units(before, after) for call in bookings] == [2 * (1 + 2) + 2] * 25
    others = Counter(call.operation for call in meter.calls if call not in bookings)
    reads = {"GetItem": 1, "Query": 1}  # the manifest; the property and its hours
    writes = {"UpdateItem": 2, "PutItem": 1}  # the claim and its end; the outcomes of all rows
    assert others == reads | writes


def test_a_poll_of_an_intake_costs_a_few_units_however_much_there_is_to_tell(
    api: Api, box: Mailbox, house: str
) -> None:
    location = hand_in(api, [row(house, 0) | {"durationMinutes": 0, "notes": 0, "place": 0}] * 1000)
    box.work()
    with metered(api.dynamodb) as poll:
        assert counts(api, location) == ("done", 1000, 0, 0, 1000)
    assert poll.operations() == ["Query"]
    assert poll.read_units <= 3
    with metered(api.dynamodb) as page:
        api.get(f"{location}/results", limit="100")
    assert page.read_units > 5 * poll.read_units, "what is told of a tenth of the rows"


def test_two_wishes_without_a_key_are_two_visits_queued_or_not(api: Api, box: Mailbox) -> None:
    house = api.property(new_id(), capacity=2)
    wish = row(house, 0)

    def book() -> None:
        assert api.http.post("/visits", json=wish, headers={"Prefer": "respond-async"}).status_code == 202
        box.work()

    book()
    book()
    first, second = visits_at(api, house)
    assert api.put(f"/visits/{first['id']}/status", {"status": "cancelled"}).status_code == 200
    book()
    held = [visit["id"] for visit in visits_at(api, house) if visit["status"] == "confirmed"]
    assert len(held) == 2
    assert second["id"] in held
    assert first["id"] not in held


def test_two_intakes_without_a_key_are_two_and_external_ids_tell_their_rows_apart(
    api: Api, box: Mailbox, house: str
) -> None:
    first, second = (hand_in(api, rows(house, 2)) for _ in range(2))
    assert first != second
    box.work()
    assert sorted(counts(api, location) for location in (first, second)) == [
        ("done", 2, 0, 2, 0),
        ("done", 2, 2, 0, 0),
    ]


@pytest.mark.parametrize("removed", [True, False], ids=["removed by then", "still lying about"])
def test_a_key_that_has_expired_is_a_new_key_and_loses_no_row(
    api: Api, box: Mailbox, house: str, clock: Clock, removed: bool
) -> None:
    key = f"weekly of {house}"
    first = hand_in(api, [row(house, 0), row(house, 2)], key)
    box.work()
    clock.now += KEPT + timedelta(days=1)
    if removed:
        for item in everything(box.table):
            if "ttl" in item and item["ttl"] <= clock.now.timestamp():
                gone = serialized({"pk": item["pk"], "sk": item["sk"]})
                box.table.client.delete_item(TableName=box.table.name, Key=gone)
    second = hand_in(api, [row(house, 24), row(house, 26)], key)
    assert second != first
    box.work()
    assert counts(api, second) == ("done", 2, 2, 0, 0)
    assert {visit["date"] for visit in visits_at(api, house)} == {row(house, hour)["date"] for hour in (0, 2, 24, 26)}


def test_a_key_that_expires_while_it_is_looked_at_can_be_sent_again(
    api: Api, box: Mailbox, house: str, clock: Clock
) -> None:
    key = f"of the last second of {house}"
    body = {"visits": [row(house, 0)]}
    first = hand_in(api, body["visits"], key)
    box.work()
    expiry = clock.now + KEPT
    clock.now = expiry - timedelta(seconds=1)

    def expire(**_: object) -> None:
        """The key is still good when it is read, and its intake no more."""
        clock.now = expiry

    with hooked(api.dynamodb, "GetItem", expire):
        busy = api.post("/intakes", body, key)
    assert (busy.status_code, busy.json()["type"]) == (503, "urn:visits:problem:store-busy")
    assert hand_in(api, body["visits"], key) != first


@pytest.mark.parametrize("later_first", [True, False], ids=["handed in first", "at once first"])
def test_a_key_stands_for_one_booking_for_thirty_days_whichever_way_it_comes(
    api: Api, box: Mailbox, house: str, clock: Clock, later_first: bool
) -> None:
    def send(hour: int, later: bool) -> httpx.Response:
        headers = {"Idempotency-Key": f"one of {house}", **({"Prefer": "respond-async"} if later else {})}
        answer = api.http.post("/visits", json=row(house, hour), headers=headers)
        box.work()
        return answer

    assert send(0, later_first).status_code == (202 if later_first else 201)
    for hours in (25, 24 * 28):
        clock.now += timedelta(hours=hours)
        for later in (True, False):
            refused = send(24, later)
            assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (422, "idempotency-key-reused")
    clock.now += timedelta(days=2)
    assert send(24, not later_first).status_code == (201 if later_first else 202)
    assert {visit["date"] for visit in visits_at(api, house)} == {row(house, hour)["date"] for hour in (0, 24)}


SPELLED_OUT = {
    "a default": {"durationMinutes": 30, "status": "confirmed"},
    "nulls": {"notes": None, "agentId": None, "place": None},
    "a null of the visitor": {"visitor": {"name": "Ada", "email": None}},
    "another offset": {"date": "2027-03-01T02:00:00+02:00"},
}


@pytest.mark.parametrize("spelling", SPELLED_OUT.values(), ids=SPELLED_OUT)
def test_the_same_wish_spelled_otherwise_is_the_same(
    api: Api, box: Mailbox, house: str, spelling: dict[str, object]
) -> None:
    wish = row(house, 0, visitor={"name": "Ada"})
    key = f"of {house}"
    booked = api.post("/visits", wish, key)
    again = api.post("/visits", wish | spelling, key)
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, "true"), again.text
    assert again.json()["id"] == booked.json()["id"]
    other = api.property(new_id())
    named = wish | {"propertyId": other, "externalId": other}
    first = hand_in(api, [named], key)
    assert hand_in(api, [named | spelling], key) == first
    box.work()
    later = hand_in(api, [named | spelling])
    box.work()
    assert counts(api, later) == ("done", 1, 0, 1, 0)


def test_an_intake_is_forgotten_after_thirty_days(api: Api, box: Mailbox, house: str, clock: Clock) -> None:
    location = hand_in(api, rows(house, 1))
    box.work()
    clock.now += timedelta(days=30) - timedelta(minutes=1)
    assert counts(api, location) == ("done", 1, 1, 0, 0)
    clock.now += timedelta(minutes=2)
    for path in (location, f"{location}/results"):
        assert api.get(path).status_code == 404
    entries = [item for item in everything(box.table) if item["pk"] == manifest_pk(location)]
    assert len(entries) == 3
    assert {item["ttl"] for item in entries} == {entries[0]["ttl"]}


# What must not be there


def test_no_personal_data_outlives_the_visit_and_its_message(
    api: Api, box: Mailbox, house: str, log: pytest.LogCaptureFixture
) -> None:
    log.set_level(logging.DEBUG, "visits")
    person = {"name": "Marker Person", "email": "marker@example.com", "phone": "+49 30 7777777"}
    secret = ("Marker", "marker@", "7777777", "secret-note", "Secret Place")
    told = {"visitor": person, "notes": "secret-note"}
    visits = [
        row(house, 0, externalId="good", **told),
        row(house, 9, externalId="taken", **told),
        row(house, 1, externalId="wrong", notes="secret-note", visitor=person | {"email": "marker@ example"}),
        row(house, 2, externalId="wrong-too", notes=["secret-note"], place={"Secret Place": 1}, visitor="Marker"),
        row(house, 3, externalId="good", **told),
        row("nowhere", 3, externalId="lost", place="Secret Place", **told),
    ]
    api.visit(house, instant_text(FIRST_DAY + 9 * HOUR))
    location = hand_in(api, visits, "personal")
    intake = box.receive()
    handle(intake)
    box.delete(intake)
    box.send(partner_message(*visits), partner_message(*visits)[:-1])
    with pytest.raises(Unfinished) as raised:
        handle(box.receive())

    def no_answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        return answer_of(request, 400, {"__type": "x#ValidationException", "message": f"invalid: {request.body!r}"})

    (id,) = box.send(partner_message(row(house, 4, externalId="faulty", **told)))
    faulty = [message for message in box.receive() if message["MessageId"] == id]
    with answered(api.dynamodb, "TransactWriteItems", no_answer), pytest.raises(Unfinished) as raised_too:
        handle(faulty)
    kept = [str(item) for item in everything(box.table) if not item["pk"].startswith("V#")]
    assert len(kept) > 4
    said = [*kept, *log.messages, log.text, str(raised.value), str(raised_too.value)]
    said += [api.get(location).text, api.get(f"{location}/results").text]
    assert "external-id-reused" in said[-1]
    for text in said:
        assert not [word for word in secret if word in text], text


def test_a_row_with_hundreds_of_wrong_fields_has_a_result_of_bounded_size(api: Api, box: Mailbox, house: str) -> None:
    wrong = {f"{n:03}\U0001f3e0" * 25: n for n in range(300)}
    (id,) = box.send(partner_message(*([row(house, 0, **wrong)] * 4)))
    box.work()
    assert counts(api, partners(id)) == ("done", 4, 0, 0, 4)
    problem = results(api, partners(id))[0]["problem"]
    assert problem["type"] == "urn:visits:problem:invalid-input"
    assert 1 <= len(problem["errors"]) <= 5
    assert len(json.dumps(problem)) < 3000


def test_the_outcomes_of_the_fullest_message_fit_into_an_item(api: Api, box: Mailbox, house: str) -> None:
    """A hundred rows, the most that another producer may send at once, all with long ids and as wrong as can be."""
    wrong: dict[str, object] = {c * 100: 1 for c in ("\U0001f3e0", "\U0001f3e1")}
    fullest = [row(house, 0, externalId=f"{n:03}" + "\U0001f3e0" * 125, **wrong) for n in range(100)]
    body = json.dumps({"version": 1, "source": "partner", "visits": fullest}, ensure_ascii=False)
    assert len(body.encode()) < 256 * 1024
    (id,) = box.send(body)
    box.work()
    assert counts(api, partners(id)) == ("done", 100, 0, 0, 100)
    (chunk,) = [i for i in everything(box.table) if i["pk"] == manifest_pk(partners(id)) and "outcomes" in i]
    assert len(json.dumps(serialized(chunk), ensure_ascii=False, default=str).encode()) < LARGEST_ITEM


SENDING = Sending("0", "AIDAEXAMPLE", "0")


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", "NaN", '{"version": 1}', partner_message(), '{"version":1,"source":"a b","visits":[{}]}'],
)
def test_what_is_no_message_is_unreadable(body: str) -> None:
    with pytest.raises(UnreadableMessage):
        read_message(body, SENDING)


def test_a_message_of_more_rows_than_allowed_is_unreadable() -> None:
    assert len(read_message(partner_message(*[{}] * 100), SENDING).rows) == 100
    with pytest.raises(UnreadableMessage):
        read_message(partner_message(*[{}] * 101), SENDING)


def test_messages_are_read_by_their_id(api: Api, box: Mailbox, house: str) -> None:
    """Sent again by its producer, a message has another id and an intake of its own; its rows are duplicates."""
    body = partner_message(row(house, 0, externalId="again"))
    ids = box.send(body, body)
    messages: list[Message] = box.receive()
    handle(messages)
    assert sorted(counts(api, partners(id))[2:] for id in ids) == [(0, 1, 0), (1, 0, 0)]
