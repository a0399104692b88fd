"""Sheets over HTTP: from the upload to the visits."""

from __future__ import annotations

import hashlib
import io
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from chalicelib.domain.sheets import Sheet
from chalicelib.http.sizes import passes
from chalicelib.repositories.sheets import DynamoSheets
from tests.builders import Clock, property_id
from tests.hostile_sheets import book_of, shared_strings
from tests.integration.sheets import Desk, csv, desk, notice
from tests.pictures import a_png
from tests.sheets import an_answer

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


@pytest.fixture(scope="module")
def office(table: FreshTable) -> Iterator[Desk]:
    with desk(table) as made:
        yield made


def test_a_clean_file_becomes_visits(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=5)
    sheet = office.sheet(csv(f"{house},2028-03-12,10:30,Ada", f"{house},2028-03-12,11:30,Ben"))
    told = office.told(sheet)
    assert (told["status"], told["rows"], told["reviewed"]) == ("review", 2, 2)
    assert all(row["ready"] for row in office.rows(sheet))
    after = office.registered(sheet)
    assert (after["status"], after["registered"]) == ("registered", 2)
    assert [visit["date"] for visit in office.visits(house)] == ["2028-03-12T09:30:00Z", "2028-03-12T10:30:00Z"]
    assert {row["visitId"] for row in office.rows(sheet)} == {visit["id"] for visit in office.visits(house)}


def test_what_is_doubtful_waits_for_a_person(office: Desk) -> None:
    house = office.api.property(property_id())
    sheet = office.sheet(csv(f"{house},2028-03-12,half five,Ada"))
    (row,) = office.rows(sheet)
    assert not row["ready"]
    assert not row["reviewed"]
    assert office.register(sheet).json()["type"].endswith("nothing-to-register")
    where = f"/sheets/{sheet}/rows/{row['row']}"
    tag = office.api.get(where).headers["ETag"]
    unread = office.api.patch(where, {"time": "half five"}, tag)
    assert unread.json()["errors"][0]["pointer"] == "#/time"
    corrected = office.api.patch(where, {"time": "16:30"}, tag)
    assert corrected.status_code == 200, corrected.text
    assert corrected.json()["ready"]
    assert office.api.patch(where, {"time": "17:30"}, tag).status_code == 412
    assert office.registered(sheet)["status"] == "registered"
    assert [visit["date"] for visit in office.visits(house)] == ["2028-03-12T15:30:00Z"]
    frozen = office.api.patch(where, {"time": "18:30"}, "*")
    assert frozen.json()["type"].endswith("sheet-not-ready")


def test_a_row_of_a_sheet_that_is_half_registered_is_frozen_alone(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=2)
    sheet = office.sheet(csv(f"{house},2028-03-12,10:00,Ada", f"{house},2028-03-12,half five,Ben"))
    assert office.registered(sheet)["status"] == "review"
    booked, left = office.rows(sheet)
    assert (booked["registered"], left["registered"]) == (True, False)
    frozen = office.api.patch(f"/sheets/{sheet}/rows/{booked['row']}", {"time": "11:00"})
    assert frozen.json()["type"].endswith("row-registered")
    office.api.patch(f"/sheets/{sheet}/rows/{left['row']}", {"time": "11:00"})
    assert office.registered(sheet)["registered"] == 2
    assert len(office.visits(house)) == 2


def test_a_rejected_row_says_why_and_is_registered_once_it_is_corrected(office: Desk) -> None:
    house = office.api.property(property_id())
    office.api.visit(house, "2028-03-12T10:00:00Z")
    sheet = office.sheet(csv(f"{house},2028-03-12,11:00,Ada"))
    assert office.registered(sheet)["status"] == "review"
    (row,) = office.rows(sheet)
    assert row["problem"]["type"].endswith("slot-taken")
    office.api.patch(f"/sheets/{sheet}/rows/{row['row']}", {"time": "14:00"})
    assert office.registered(sheet)["status"] == "registered"
    assert len(office.visits(house)) == 2


def test_registering_twice_and_at_once_books_each_row_once(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=10)
    sheet = office.sheet(csv(*[f"{house},2028-03-12,10:00,Ada"] * 3))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: office.register(sheet), range(4)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    office.box.work()
    assert office.register(sheet).json()["id"] == answers[0].json()["id"]
    assert office.told(sheet)["status"] == "registered"
    assert len(office.visits(house)) == 3


def test_registering_goes_on_where_it_was_interrupted(office: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are handed in, and the process ends before the sheet knows of it."""
    house = office.api.property(property_id(), capacity=2)
    sheet = office.sheet(csv(f"{house},2028-03-12,10:00,Ada", f"{house},2028-03-12,half five,Ben"))
    save = DynamoSheets.save

    def dies(self: DynamoSheets, before: Sheet, after: Sheet) -> None:
        if after.intake_id is not None:
            raise RuntimeError("the process ends")
        save(self, before, after)

    with monkeypatch.context() as patch:
        patch.setattr(DynamoSheets, "save", dies)
        assert office.register(sheet).status_code == 500
    assert office.told(sheet)["status"] == "registering"
    row = office.rows(sheet)[1]["row"]
    refused = office.api.patch(f"/sheets/{sheet}/rows/{row}", {"time": "11:00"})
    assert refused.json()["sheetStatus"] == "registering"
    office.box.work()
    assert office.registered(sheet)["registered"] == 1
    assert len(office.visits(house)) == 1


def test_the_same_bytes_are_refused_unless_the_sender_knows(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=10)
    content = csv(f"{house},2028-03-12,10:00,Ada")
    first = office.sheet(content)
    told = office.announce(content, sha256=hashlib.sha256(content).hexdigest())
    assert (told.status_code, told.json()["sheetId"]) == (409, first)
    again = office.sheet(content)
    assert office.told(again)["sameAs"] == first
    refused = office.register(again)
    assert (refused.status_code, refused.json()["sheetId"]) == (409, first)
    assert office.register(again, repeats=first).status_code == 202
    known = office.sheet(content, sha256=hashlib.sha256(content).hexdigest(), repeats=first)
    assert office.register(known).status_code == 202
    office.box.work()
    assert len(office.visits(house)) == 1


def test_a_deleted_sheet_leaves_nothing(office: Desk) -> None:
    house = office.api.property(property_id())
    content = csv(f"{house},2028-03-12,10:00,Ada Secretive")
    sheet = office.sheet(content)
    row = office.rows(sheet)[0]["row"]
    office.api.patch(f"/sheets/{sheet}/rows/{row}", {"notes": "private"})
    assert office.api.http.delete(f"/sheets/{sheet}").status_code == 204
    assert office.api.get(f"/sheets/{sheet}").status_code == 404
    assert not [key for key in office.stored() if sheet in key]
    left = office.api.dynamodb.query(
        TableName=office.box.table.name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"X#{sheet}"}},
    )["Items"]
    assert {name for item in left for name in item} <= {"pk", "sk", "ttl", "writtenBy"}
    assert office.api.http.delete(f"/sheets/{sheet}").status_code == 204
    assert office.announce(content, sha256=hashlib.sha256(content).hexdigest()).status_code == 201
    office.box.sqs.send_message(QueueUrl=office.queue_url, MessageBody=notice(sheet))
    office.read()
    assert office.api.get(f"/sheets/{sheet}").status_code == 404


def test_reading_anew_keeps_what_was_reviewed(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=5)
    sheet = office.sheet(csv("03/04/2028,10:00,Ada", "05/04/2028,half five,Ben", header="date,time,visitorName"))
    first, second = office.rows(sheet)
    office.api.patch(f"/sheets/{sheet}/rows/{second['row']}", {"time": "16:30", "propertyId": house})
    wanted = {"timeZone": "Europe/Madrid", "order": "month-day", "propertyId": house}
    stale = office.api.http.put(f"/sheets/{sheet}/reading", json=wanted, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    tag = f'"{office.told(sheet)["version"]}"'
    anew = office.api.http.put(f"/sheets/{sheet}/reading", json=wanted, headers={"If-Match": tag})
    assert (anew.status_code, anew.json()["timeZone"]) == (200, "Europe/Madrid")
    again, kept = office.rows(sheet)
    assert [cell["value"] for cell in again["cells"] if cell["field"] == "date"] == ["2028-03-04"]
    assert [cell["value"] for cell in again["cells"] if cell["field"] == "propertyId"] == [house]
    assert kept["reviewed"]
    assert [cell["value"] for cell in kept["cells"] if cell["field"] == "time"] == ["16:30"]
    stale = office.api.patch(f"/sheets/{sheet}/rows/{first['row']}", {}, f'"{first["version"]}"')
    assert stale.status_code == 412
    gone = office.api.put(f"/sheets/{sheet}/reading", wanted | {"propertyId": "nobody-s"})
    assert gone.json()["type"].endswith("property-not-found")


def test_which_property_was_meant_is_remembered(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=5)
    first = office.sheet(csv("The old mill,2028-03-12,10:00,Ada", header="Property,date,time,visitorName"))
    (row,) = office.rows(first)
    office.api.patch(f"/sheets/{first}/rows/{row['row']}", {"propertyId": house})
    second = office.sheet(csv("the OLD mill,2028-03-13,10:00,Ben", header="Property,date,time,visitorName"))
    (row,) = office.rows(second)
    assert row["ready"], row


def test_many_rows_come_in_pages_and_a_correction_stays_small(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=1000)
    lines = [f"{house},2028-03-{1 + n % 28:02},10:00,Visitor {n}" for n in range(1000)]
    sheet = office.sheet(csv(*lines))
    rows = office.rows(sheet)
    assert [row["line"] for row in rows] == list(range(2, 1002))
    office.api.patch(f"/sheets/{sheet}/rows/{rows[777]['row']}", {"visitorName": "Somebody"})
    changed = office.rows(sheet)
    assert [n for n, row in enumerate(changed) if row != rows[n]] == [777]


@pytest.mark.parametrize(
    ("content", "kind", "failure"),
    [
        (b"", "csv", None),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "csv", "unsupported"),
        (b"nothing of a table", "csv", "not-a-table"),
        (b"propertyId,date\n" + b"p1,2028-01-01\n" * 2000, "csv", "too-large"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "jpg", "unreadable"),
        (b"GIF89a" + bytes(50), "png", "unsupported"),
        (b"PK\x03\x04" + bytes(500), "xlsx", "unreadable"),
        (b'{"propertyId": ' * 1000, "ndjson", None),
    ],
)
def test_a_hostile_upload_is_told_of_and_not_kept(office: Desk, content: bytes, kind: str, failure: str | None) -> None:
    sheet = office.upload(content or b" ", kind)
    office.read()
    told = office.told(sheet)
    assert told["status"] == "failed"
    assert told["advice"]
    assert failure in (None, told["failure"])
    assert not [key for key in office.stored() if sheet in key]
    assert office.api.get(f"/sheets/{sheet}/rows").json()["sheetStatus"] == "failed"


def test_only_what_was_announced_can_be_uploaded(office: Desk) -> None:
    content = csv("p1,2028-03-12,10:00,Ada")
    form = office.announce(content).json()["upload"]
    other = office.announce(content).json()["upload"]
    assert office.send(form, content + b"more").status_code == 400
    assert office.send(form, content, **{"Content-Type": "text/html"}).status_code == 403
    assert office.send(form, content, key=other["fields"]["key"]).status_code == 403
    too_large = office.api.post(
        "/sheets", {"name": "x", "contentType": "text/csv", "size": 6_000_000, "timeZone": "Europe/Berlin"}
    )
    assert too_large.json()["errors"][0]["pointer"] == "#/size"


def test_what_never_comes_is_expired(table: FreshTable) -> None:
    clock = Clock()
    with desk(table, clock) as office:
        sheet = office.announce(b"x").json()["id"]
        assert office.told(sheet)["status"] == "awaiting-upload"
        clock.advance(timedelta(minutes=16))
        assert office.told(sheet)["status"] == "expired"
        clock.advance(timedelta(days=90))
        assert office.api.get(f"/sheets/{sheet}").status_code == 404


def test_sheets_are_listed_the_newest_first(office: Desk) -> None:
    made = [office.announce(b"x").json()["id"] for _ in range(3)]
    listed = office.api.get("/sheets", limit=2).json()
    assert len(listed["items"]) == 2
    following = office.api.get("/sheets", limit=2, cursor=listed["nextCursor"]).json()
    assert {item["id"] for item in [*listed["items"], *following["items"]]} >= set(made[-2:])


def test_the_workbook_has_real_dates_and_can_be_handed_in_again(office: Desk) -> None:
    house = office.api.property(property_id(), name=f"House of {property_id()}", capacity=5)
    sheet = office.sheet(csv(f"{house},2028-03-12,10:30,=1+1", f"{house},2028-03-12,half five or a little later,Ben"))
    answer = office.api.get(f"/sheets/{sheet}/export")
    assert answer.status_code == 200, answer.text
    workbook = openpyxl.load_workbook(io.BytesIO(answer.content))
    visits: Any = workbook["Visits"]
    first, second = list(visits.iter_rows(min_row=2, values_only=True))
    assert (first[1], first[2], first[5]) == (datetime.fromisoformat("2028-03-12"), time(10, 30), "=1+1")
    assert visits["F2"].data_type == "s"
    table: Any = workbook["Table"]
    for printed in (visits, table):
        assert printed.sheet_properties.pageSetUpPr.fitToPage
        assert printed.page_setup.orientation == "landscape"
    assert visits.row_dimensions[2].height is None
    assert visits.row_dimensions[3].height > 15, "what is to check has several lines"
    assert "half five" in second[12]
    assert [cell.value for cell in workbook["Table"][2]][-1] == "=1+1"
    again = office.sheet(answer.content, "xlsx")
    rows = office.rows(again)
    assert [cell["value"] for cell in rows[0]["cells"] if cell["field"] == "propertyId"] == [house]


def test_a_workbook_of_a_registered_picture_comes_back_without_second_visits(office: Desk) -> None:
    house = office.api.property(property_id(), capacity=5)
    office.recognition.answer = an_answer(
        [["Property", "Date", "Time"], [house, "2028-03-12", "10:30"], [house, "2028-03-12", "11:30"]]
    )
    sheet = office.sheet(a_png(7), "png")
    for row in office.rows(sheet):
        office.api.patch(f"/sheets/{sheet}/rows/{row['row']}", {}, "*")
    assert office.registered(sheet)["registered"] == 2
    again = office.sheet(office.api.get(f"/sheets/{sheet}/export").content, "xlsx")
    assert [row["cells"][0]["value"] for row in office.rows(again)] == [house] * 2, (
        "the table as it was is no more rows"
    )
    assert office.registered(again)["registered"] == 2
    assert len(office.visits(house)) == 2


def incompressible(count: int) -> list[str]:
    noise = Random(17)
    return ["".join(noise.choices(string.ascii_letters + string.digits, k=1900)) for _ in range(count)]


def with_notes(house: str, words: list[str]) -> bytes:
    return csv(*[f"{house},2028-03-12,10:00,{word}" for word in words], header="propertyId,date,time,notes")


def test_more_text_than_a_list_of_visits_needs_is_too_large(office: Desk) -> None:
    house = office.api.property(property_id())
    noise = Random(17)
    words = ["".join(noise.choices(string.ascii_letters + string.digits, k=1900)) for _ in range(400)]
    sheet = office.sheet(
        csv(*[f"{house},2028-03-12,10:00,{word}" for word in words], header="propertyId,date,time,notes")
    )
    told = office.told(sheet)
    assert (told["status"], told["failure"]) == ("failed", "too-large")
    assert office.announce(b"x", sha256="1" * 64).status_code == 201


def test_rows_with_long_texts_are_kept_in_more_pages(office: Desk) -> None:
    house = office.api.property(property_id())
    noise = Random(17)
    words = ["".join(noise.choices(string.ascii_letters + string.digits, k=1900)) for _ in range(150)]
    sheet = office.sheet(
        csv(*[f"{house},2028-03-12,10:00,{word}" for word in words], header="propertyId,date,time,notes")
    )
    notes = [cell["text"] for row in office.rows(sheet) for cell in row["cells"] if cell["field"] == "notes"]
    assert notes == words


def test_a_page_ends_where_no_more_would_pass_through_lambda(office: Desk) -> None:
    heads = ["propertyId", "date", "time", *("visitorName", "visitorEmail", "visitorPhone", "place", "notes", "status")]
    # A letter that is twelve in JSON where a runtime escapes it.
    shared = shared_strings(*heads, "\U0001f600" * 2000)
    header = "".join(f'<c t="s"><v>{index}</v></c>' for index in range(len(heads)))
    row = f'<c t="s"><v>{len(heads)}</v></c>' * len(heads)
    rows = f"<sheetData><row>{header}</row>{f'<row>{row}</row>' * 110}</sheetData>"
    sheet = office.sheet(book_of(rows, strings=shared), "xlsx")
    found: list[int] = []
    cursor: dict[str, str] = {}
    while not found or cursor:
        answer = office.api.get(f"/sheets/{sheet}/rows", limit=100, **cursor)
        assert passes(answer.text)
        page = answer.json()
        assert page["items"]
        found += [each["line"] for each in page["items"]]
        cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else {}
    assert found == list(range(2, 112))


def test_two_people_at_two_rows_are_in_nobody_s_way(office: Desk) -> None:
    house = office.api.property(property_id())
    sheet = office.sheet(csv(*[f"{house},2028-03-12,half five,V{n}" for n in range(12)]))
    rows = [row["row"] for row in office.rows(sheet)]

    def correct(row: int) -> int:
        return office.api.patch(f"/sheets/{sheet}/rows/{row}", {"time": "16:30"}, '"1"').status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(correct, rows)) == {200}
        assert sorted(pool.map(correct, [rows[0]] * 3)) == [412, 412, 412]
    assert office.told(sheet)["reviewed"] == 12


def test_of_two_at_one_row_one_wins(office: Desk) -> None:
    house = office.api.property(property_id())
    sheet = office.sheet(csv(f"{house},2028-03-12,half five,Ada"))
    (row,) = office.rows(sheet)

    def correct(hour: int) -> int:
        return office.api.patch(f"/sheets/{sheet}/rows/{row['row']}", {"time": f"{hour}:00"}, '"1"').status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(correct, range(10, 14))) == [200, 412, 412, 412]
