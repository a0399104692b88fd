"""The stand-in for Textract as the product meets it: over HTTP, through botocore, and with real pictures."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import app as entry
from bench.sheets import by_font, measured, pictures
from chalicelib.aws.clients import client
from chalicelib.container import RECOGNITION
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.sheets import CannotRead, Failure
from chalicelib.functions import Function
from chalicelib.reading import read_answer
from chalicelib.repositories.recognition import Textract
from devstack.textract import service
from devstack.textract.service import Child, Refused
from devstack.worker import QueueWorker, working
from tests.integration.sheets import desk
from tests.pictures import a_pdf, a_png
from tests.textract import standing_in
from tools.client import Client
from tools.operate import sheets as tool
from tools.project import REGION, ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

PATIENCE_SECONDS = 300
"""The first picture waits for what reads it to be installed."""

PICTURE = b"\x89PNG of nothing"
TARGET = {"X-Amz-Target": service.TARGET}


def asks(url: str, sleep: Callable[[float], None] = lambda _: None) -> Textract:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return Textract(lambda: client("textract", RECOGNITION, endpoint_url=url, region_name=REGION, **keys), sleep)


def answers(picture: bytes) -> Mapping[str, Any]:
    return {"Blocks": [{"BlockType": "PAGE", "Id": picture.hex()}], "DocumentMetadata": {"Pages": 1}}


def refusing(code: str) -> service.Recognise:
    def refuses(_: bytes) -> Mapping[str, Any]:
        raise Refused(code)

    return refuses


def test_the_picture_arrives_and_the_blocks_come_back() -> None:
    with standing_in(answers) as url:
        assert asks(url).analyse(PICTURE)["Blocks"] == answers(PICTURE)["Blocks"]


@pytest.mark.parametrize(
    ("code", "failure"),
    [("UnsupportedDocumentException", Failure.UNSUPPORTED), ("BadDocumentException", Failure.UNREADABLE)],
)
def test_a_picture_that_is_none_is_told_as_textract_tells_it(code: str, failure: Failure) -> None:
    with standing_in(refusing(code)) as url, pytest.raises(CannotRead) as refused:
        asks(url).analyse(PICTURE)
    assert refused.value.failure is failure


def test_a_picture_beyond_textracts_limit_is_refused() -> None:
    with standing_in(answers) as url, pytest.raises(CannotRead) as refused:
        asks(url).analyse(bytes(service.MOST_BYTES + 1))
    assert refused.value.failure is Failure.TOO_LARGE


def test_who_asks_while_it_is_installed_is_told_to_come_back() -> None:
    with standing_in(refusing(service.BUSY)) as url, pytest.raises(StoreBusy):
        asks(url).analyse(PICTURE)


def test_many_pictures_at_once_are_all_answered_where_one_a_second_is_allowed() -> None:
    """Two functions read at the same time, and a third account of the agency's asks too."""
    asked: list[float] = []
    lock = threading.Lock()

    def one_a_second(picture: bytes) -> Mapping[str, Any]:
        with lock:
            now = time.monotonic()
            if asked and now - asked[-1] < 1:
                raise Refused("ProvisionedThroughputExceededException")
            asked.append(now)
        return answers(picture)

    pictures = [bytes([number]) for number in range(3)]
    with standing_in(one_a_second) as url, ThreadPoolExecutor(len(pictures)) as pool:
        found = list(pool.map(asks(url, time.sleep).analyse, pictures))
    assert [answer["Blocks"] for answer in found] == [answers(picture)["Blocks"] for picture in pictures]
    assert len(asked) == len(pictures), "a picture was paid for twice"


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, {"Document": {"Bytes": "eA=="}, "FeatureTypes": ["TABLES"]}, "UnknownOperationException"),
        (TARGET, {"Document": {"Bytes": "eA=="}, "FeatureTypes": ["FORMS"]}, "InvalidParameterException"),
        (TARGET, {"Document": {"Bytes": "!"}, "FeatureTypes": ["TABLES"]}, "InvalidParameterException"),
        (TARGET, {"Document": {}}, "InvalidParameterException"),
        (TARGET, [], "InvalidParameterException"),
        (TARGET, {"Document": {"Bytes": ""}, "FeatureTypes": ["TABLES"]}, "InvalidParameterException"),
    ],
)
def test_what_textract_does_not_take_is_refused(headers: Mapping[str, str], body: object, code: str) -> None:
    with standing_in(answers) as url:
        answer = httpx.post(url, content=json.dumps(body), headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["__type"]) == (400, code)


def test_what_breaks_inside_is_a_fault_and_tells_nothing() -> None:
    def breaks(_: bytes) -> Mapping[str, Any]:
        raise RuntimeError("Ada Lovelace")

    body = {"Document": {"Bytes": base64.b64encode(PICTURE).decode()}, "FeatureTypes": ["TABLES"]}
    with standing_in(breaks) as url:
        answer = httpx.post(url, json=body, headers=TARGET, trust_env=False)
    assert answer.status_code == 500
    assert "Ada" not in answer.text


# With real pictures


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with contextlib.closing(Child()) as made:
        yield made


def test_photographed_lists_are_read_as_they_are_meant(table: FreshTable, child: Child) -> None:
    """Without rules, sideways, and in a font like handwriting; what reads them is installed if need be."""
    truths = pictures(ROOT / "tests" / "files" / "sheets")
    with standing_in(child.recognise) as url, desk(table, textract=asks(url)) as office:
        worker = QueueWorker(
            entry.app.handler_map[Function.READER], office.box.sqs, office.queue_url.rsplit("/", 1)[1], Function.READER
        )
        key = office.api.http.headers["Authorization"].removeprefix("Bearer ")
        with working(worker), Client(str(office.api.http.base_url), key) as api:
            scores = dict(measured(tool.Desk(api, PATIENCE_SECONDS), truths))
    printed, handwriting = by_font(scores, truths).values()
    assert (printed.whole, handwriting.whole) == (2, 1)
    assert printed.exact / printed.cells >= 0.95
    assert handwriting.exact / handwriting.cells >= 0.7
    assert (printed.silently_wrong, handwriting.silently_wrong) == (0, 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"GIF89a", "UnsupportedDocumentException"),
        (b"\xff\xd8\xff" + bytes(100), "BadDocumentException"),
        (b"%PDF-1.7 and no more", "BadDocumentException"),
        (a_pdf(pages=2), "UnsupportedDocumentException"),
    ],
)
def test_what_textract_cannot_read_the_stand_in_refuses(child: Child, content: bytes, code: str) -> None:
    with pytest.raises(Refused, match=code):
        child.recognise(content)


@pytest.mark.parametrize("content", [a_pdf(), a_png(1), a_png(255, 3000, 10)])
def test_a_page_with_nothing_on_it_has_no_table(child: Child, content: bytes) -> None:
    with pytest.raises(CannotRead) as refused:
        read_answer(child.recognise(content))
    assert refused.value.failure is Failure.NOT_A_TABLE


def test_a_reader_that_died_is_started_again(child: Child) -> None:
    before = child.recognise(a_png(1))
    child.close()
    assert child.recognise(a_png(1)) == before
