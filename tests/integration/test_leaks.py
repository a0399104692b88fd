"""Personal data is in the visit and in messages under way, and nowhere else, whatever is done with it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.container import utc_now
from chalicelib.events.batches import Unfinished
from chalicelib.functions import Queue
from chalicelib.journal import Failed
from chalicelib.services.intake_worker import IntakeWorker
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Visits
from tests.fakes import FakeSigningKeys
from tests.integration.api import Api, serve
from tests.integration.audit import everything
from tests.integration.intake import Mailbox, handle, mailbox, partner_message
from tests.integration.tour import tour
from tools.operate.redrive import DeadLetterQueue

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

PERSON = {"name": "Zyxwin Markerperson", "email": "zyxwin@marker.example", "phone": "+49 30 7357357"}
NOTES = "zyxwin-notes"
MARKERS = ("zyxwin", "marker", "7357357")


@dataclass
class Aftermath:
    """Everything that is left after a walk through the API, and everything that was said on the way."""

    answers: list[httpx.Response]
    said: str
    items: list[dict[str, Any]]
    box: Mailbox
    secrets: list[str]


@pytest.fixture(scope="module")
def after(table: FreshTable) -> Iterator[Aftermath]:
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    loggers = [logging.getLogger(name) for name in (None, "visits", "devstack.server", "devstack.gateway")]
    levels = [logger.level for logger in loggers]
    with mailbox(table) as box, serve(box.table) as api, contextlib.redirect_stdout(said):
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
        try:
            answers = tour(api, box, PERSON, NOTES)
            answers += _faults(api, box)
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
        key = api.http.headers["Authorization"].removeprefix("Bearer ")
        yield Aftermath(answers, said.getvalue(), list(everything(box.table)), box, [key, key.split("_", 2)[2]])


def _faults(api: Api, box: Mailbox) -> list[httpx.Response]:
    """What fails inside while it holds a person's data."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"while writing {PERSON}")

    body = {"propertyId": "tour-house", "date": "2027-03-20T09:00:00Z", "visitor": PERSON, "notes": NOTES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.services.visits, "book", broken)
        answer = api.post("/visits", body)
    assert answer.status_code == 500
    box.send(partner_message(body))
    batch = box.receive()
    for of, call, raised in ((Visits, "book_row", Unfinished), (IntakeWorker, "work", Failed)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(of, call, broken)
            with pytest.raises(raised):
                handle(batch)
    unreadable = api.http.post("/visits", content=json.dumps(body)[:-2], headers={"Content-Type": "application/json"})
    assert unreadable.status_code == 400
    return [answer, unreadable]


def leaked(text: str) -> list[str]:
    return [marker for marker in MARKERS if marker in text.lower()]


def test_the_walk_has_met_every_kind_of_answer(after: Aftermath) -> None:
    assert {200, 201, 202, 204, 400, 409, 422, 428, 500} <= {answer.status_code for answer in after.answers}
    assert [answer for answer in after.answers if leaked(answer.text)], "who may read gets the data"


def test_logs_and_metrics_name_nobody(after: Aftermath) -> None:
    for event in ("request", "batch", "rows", "chunk-left", "unreadable", "fault"):
        assert f'"event":"{event}"' in after.said, f"the walk has met every kind of line, but not {event}"
    assert after.said.count('"kind":"RuntimeError"') == 3, "what failed over HTTP, in a row and in a batch"
    assert not leaked(after.said), after.said


def test_logs_show_no_key(after: Aftermath) -> None:
    assert "/visits" in after.said
    assert not [secret for secret in after.secrets if secret in after.said]


def test_problems_and_results_name_nobody(after: Aftermath) -> None:
    for answer in after.answers:
        if answer.status_code >= 400 or "/intakes" in answer.request.url.path:
            assert not leaked(answer.text), answer.text


def test_what_is_shown_without_a_visitor_names_nobody(after: Aftermath) -> None:
    shown = [a for a in after.answers if a.request.url.path.endswith(("/busy", "/calendar.ics", "/health"))]
    assert len(shown) >= 3
    assert not [answer.text for answer in shown if leaked(answer.text)]


def test_no_header_names_anybody(after: Aftermath) -> None:
    assert not [answer.headers for answer in after.answers if leaked(str(answer.headers))]


def test_of_the_table_only_visits_name_anybody(after: Aftermath) -> None:
    kinds = {item["pk"].partition("#")[0] for item in after.items}
    assert {"V", "S", "I", "N", "K", "P"} <= kinds
    for item in after.items:
        if not item["pk"].startswith("V#"):
            assert not leaked(str(item)), item
    assert [item for item in after.items if item["pk"].startswith("V#") and leaked(str(item))]


def test_what_was_erased_is_gone_from_the_table(after: Aftermath) -> None:
    erased = next(a for a in after.answers if a.request.method == "DELETE" and a.request.url.path.endswith("/visitor"))
    visit = erased.request.url.path.split("/")[2]
    kept = [item for item in after.items if visit in str(item)]
    assert kept
    assert not [item for item in kept if leaked(str(item))]


def test_a_message_has_nobody_in_its_attributes(after: Aftermath) -> None:
    for dead in (False, True):
        for message in after.box.receive(dead=dead):
            assert not leaked(str(message["Attributes"]) + str(message.get("MessageAttributes")))


def test_the_listing_of_dead_letters_names_nobody(after: Aftermath) -> None:
    waiting = after.box.url, after.box.dead_url
    body = json.dumps({"version": 1, "source": "partner", "visits": [{"visitor": PERSON, "notes": NOTES}]})
    for text in (body, body[:-1]):
        after.box.sqs.send_message(QueueUrl=waiting[1], MessageBody=text)
    queue, signer = after.box.table.environment["QUEUE_NAME"], Signer(FakeSigningKeys(), utc_now)
    letters = DeadLetterQueue(after.box.sqs, Queue.INTAKES, queue, signer, wait_seconds=1).look()
    assert len(letters) >= 2
    for letter in letters:
        assert not leaked(f"{letter} {letter.line(())}")


def test_api_keys_are_kept_as_hashes(after: Aftermath) -> None:
    for item in after.items:
        assert not [secret for secret in after.secrets if secret in str(item)]
