"""Handing an intake in: what is accepted is sent whole or not known to be none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.integration.api import Api
from tests.integration.audit import everything
from tests.integration.chaos import answer as answer_of
from tests.integration.intake import Mailbox, answered, handle, hooked
from tests.integration.intakes.rows import (
    NDJSON,
    counts,
    down,
    failing_after,
    hand_in,
    problem_of,
    results,
    row,
    rows,
    sent_to,
    sqs_of,
)

if TYPE_CHECKING:
    pass


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
    handle(some := box.receive(3))
    box.give_back(some)
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
