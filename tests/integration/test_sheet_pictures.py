"""Pictures of sheets over HTTP: cleaned, recognised once, and never taken on trust."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import openpyxl
import pytest

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.sheets import Reading, Sheet
from chalicelib.events.sheet_queue import TEST
from chalicelib.reading.pictures import clean_picture
from chalicelib.repositories.sheet_files import S3SheetFiles
from chalicelib.repositories.sheets import DynamoSheets
from tests.builders import property_id
from tests.integration.sheets import Desk, desk, notice
from tests.pictures import GPS, a_jpeg, a_png
from tests.sheets import an_answer

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

HEADER = ["Property", "Date", "Time", "Visitor"]


@pytest.fixture(scope="module")
def office(table: FreshTable) -> Iterator[Desk]:
    with desk(table) as made:
        yield made


@pytest.fixture
def house(office: Desk) -> str:
    """A property that the recognition reads of in one row."""
    id = office.api.property(property_id(), capacity=5)
    office.recognition.asked, office.recognition.faults = 0, []
    office.recognition.answer = an_answer([HEADER, [id, "2028-03-12", "10:30", "Ada"]])
    return id


def test_a_picture_waits_for_a_person_whatever_it_says(office: Desk, house: str) -> None:
    sheet = office.sheet(a_jpeg(1), "jpg")
    (row,) = office.rows(sheet)
    assert not row["reviewed"]
    assert row["cells"][0]["place"]["page"] == 1
    office.api.patch(f"/sheets/{sheet}/rows/{row['row']}", {})
    assert office.registered(sheet)["status"] == "registered"
    assert len(office.visits(house)) == 1


def test_the_picture_is_kept_without_where_it_was_taken(office: Desk, house: str) -> None:
    sheet = office.sheet(a_jpeg(2, orientation=6), "jpg")
    assert sorted(key.partition("/")[0] for key in office.stored() if sheet in key) == ["answers", "clean"]
    told = office.api.get(f"/sheets/{sheet}/picture").json()
    assert told["orientation"] == 6
    picture = httpx.get(told["url"], trust_env=False)
    assert picture.content.startswith(b"\xff\xd8")
    assert GPS not in picture.content
    assert b"behind the end" not in picture.content
    assert office.api.get(f"/sheets/{sheet}/export", include="picture").status_code == 200


def test_notices_that_come_twice_or_for_nothing_change_nothing(office: Desk, house: str) -> None:
    sheet = office.sheet(a_png(3), "png")
    before = office.told(sheet)
    bodies = [
        notice(sheet),
        notice("0" * 8 + "-0000-7000-8000-" + "0" * 12),
        json.dumps({"Service": "Amazon S3", "Event": TEST, "Bucket": office.bucket}),
        json.dumps({"Records": [{"s3": {"object": {"key": "elsewhere/x"}}}]}),
    ]
    for body in bodies:
        office.box.sqs.send_message(QueueUrl=office.queue_url, MessageBody=body)
    office.read()
    assert office.told(sheet) == before
    assert office.recognition.asked == 1
    office.box.sqs.send_message(QueueUrl=office.queue_url, MessageBody="what is this")
    (message,) = office.notices()
    with pytest.raises(Exception, match="1 of 1"):
        office.handle(message)
    (message,) = office.notices()
    office.box.sqs.delete_message(QueueUrl=office.queue_url, ReceiptHandle=message["ReceiptHandle"])


def test_what_is_uploaded_once_it_was_read_is_not_looked_at(office: Desk, house: str) -> None:
    announced = office.announce(a_png(4), "png").json()
    office.send(announced["upload"], a_png(4))
    office.read()
    before = office.told(announced["id"])
    assert office.send(announced["upload"], a_png(5)).status_code == 204
    office.read()
    assert office.told(announced["id"]) == before
    assert f"uploads/{announced['id']}" not in office.stored()


def test_the_last_upload_before_it_is_read_is_the_one_that_is_read(office: Desk, house: str) -> None:
    announced = office.announce(a_png(20, 30, 30), "png").json()
    for shade in (20, 21):
        assert office.send(announced["upload"], a_png(shade, 3, 3)).status_code == 204
    office.read()
    link = office.api.get(f"/sheets/{announced['id']}/picture").json()["url"]
    assert httpx.get(link, trust_env=False).content == clean_picture(a_png(21, 3, 3)).content
    assert office.recognition.asked == 1


def test_what_is_uploaded_while_it_is_read_changes_nothing(
    office: Desk, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = office.announce(a_png(22), "png").json()
    analyse = office.recognition.analyse

    def overwritten_meanwhile(picture: bytes) -> Any:
        office.send(announced["upload"], a_png(23))
        return analyse(picture)

    monkeypatch.setattr(office.recognition, "analyse", overwritten_meanwhile)
    office.send(announced["upload"], a_png(22))
    office.read()
    assert office.told(announced["id"])["status"] == "review"
    assert office.recognition.asked == 1
    assert f"uploads/{announced['id']}" not in office.stored()


def test_two_readers_of_one_upload_ask_the_recognition_once(office: Desk, house: str) -> None:
    sheet = office.upload(a_png(24), "png")
    office.box.sqs.send_message(QueueUrl=office.queue_url, MessageBody=notice(sheet))
    messages = [*office.notices(), *office.notices()]
    assert len(messages) == 2

    def handle(message: Any) -> None:
        with contextlib.suppress(Exception):  # it is told to come back, and does
            office.handle(message)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(handle, messages))
    office.read()
    assert (office.told(sheet)["status"], office.recognition.asked) == ("review", 1)
    assert len(office.rows(sheet)) == 1


def test_a_crash_before_the_rows_are_written_asks_the_recognition_no_second_time(
    office: Desk, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = DynamoSheets.write
    crashes = [RuntimeError("the process ends")]

    def dies_once(self: DynamoSheets, before: Sheet, after: Sheet, reading: Reading) -> Sheet:
        if crashes:
            raise crashes.pop()
        return write(self, before, after, reading)

    monkeypatch.setattr(DynamoSheets, "write", dies_once)
    sheet = office.upload(a_png(6), "png")
    (message,) = office.notices()
    with pytest.raises(Exception, match="1 of 1"):
        office.handle(message)
    assert office.told(sheet)["status"] == "reading"
    office.read()
    assert (office.told(sheet)["status"], office.recognition.asked) == ("review", 1)


@pytest.mark.parametrize(("step", "shade"), [("keep_clean", 12), ("discard_upload", 13), ("keep_answer", 14)])
def test_a_crash_at_any_step_loses_nothing(
    office: Desk, house: str, step: str, shade: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(S3SheetFiles, step)
    crashes = [RuntimeError("the process ends")]

    def dies_once(self: S3SheetFiles, *arguments: Any) -> Any:
        if crashes:
            raise crashes.pop()
        return real(self, *arguments)

    monkeypatch.setattr(S3SheetFiles, step, dies_once)
    sheet = office.upload(a_png(shade), "png")
    (message,) = office.notices()
    with pytest.raises(Exception, match="1 of 1"):
        office.handle(message)
    office.read()
    assert office.told(sheet)["status"] == "review"
    assert f"uploads/{sheet}" not in office.stored()


def test_a_recognition_that_has_no_time_is_asked_again_and_in_the_end_given_up(office: Desk, house: str) -> None:
    office.recognition.faults = [StoreBusy() for _ in range(5)]
    sheet = office.upload(a_png(7), "png")
    for _ in range(5):
        (message,) = office.notices()
        with pytest.raises(Exception, match="1 of 1"):
            office.handle(message)
    told = office.told(sheet)
    assert (told["status"], told["failure"]) == ("failed", "gave-up")
    office.read()
    assert office.recognition.asked == 5


def test_the_same_picture_is_recognised_once(office: Desk, house: str) -> None:
    first = office.sheet(a_png(8), "png")
    again = office.sheet(a_png(8), "png")
    assert office.told(again)["sameAs"] == first
    assert office.recognition.asked == 1


def test_reading_a_picture_anew_asks_nobody(office: Desk, house: str) -> None:
    sheet = office.sheet(a_png(9), "png")
    assert office.api.put(f"/sheets/{sheet}/reading", {"timeZone": "Europe/Lisbon"}).status_code == 200
    assert office.recognition.asked == 1


def test_a_sheet_that_is_deleted_while_it_is_read_stays_deleted(
    office: Desk, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = office.upload(a_png(10), "png")
    analyse = office.recognition.analyse

    def deleted_meanwhile(picture: bytes) -> Any:
        assert office.api.http.delete(f"/sheets/{sheet}").status_code == 204
        return analyse(picture)

    monkeypatch.setattr(office.recognition, "analyse", deleted_meanwhile)
    office.read()
    assert office.api.get(f"/sheets/{sheet}").status_code == 404
    assert not [key for key in office.stored() if sheet in key]


def test_the_table_is_in_the_workbook_as_it_was_photographed(office: Desk, house: str) -> None:
    sheet = office.sheet(a_png(11), "png")
    workbook = openpyxl.load_workbook(io.BytesIO(office.api.get(f"/sheets/{sheet}/export").content))
    assert [cell.value for cell in workbook["Table"][1]] == HEADER
    assert [cell.value for cell in workbook["Table"][2]] == [house, "2028-03-12", "10:30", "Ada"]
