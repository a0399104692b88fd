"""Results: complete, in order, for thirty days, and without personal data."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from chalicelib.events.batches import Unfinished
from chalicelib.http.instants import instant_text
from tests.builders import Clock
from tests.integration.api import Api
from tests.integration.audit import everything
from tests.integration.chaos import answer as answer_of
from tests.integration.intake import Mailbox, answered, handle, partner_message
from tests.integration.intakes.rows import FIRST_DAY, HOUR, counts, hand_in, manifest_pk, results, row, rows

if TYPE_CHECKING:
    pass


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
