"""Files of visits: what people have in CSV, NDJSON and XLSX, and what becomes of it."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from chalicelib.domain.listing import Entry
from chalicelib.domain.visits import Visitor
from chalicelib.exports.csv import write_csv
from chalicelib.http.instants import instant_text
from chalicelib.http.sizes import LARGEST_BODY
from tests.builders import a_property, a_visit, utc
from tools.failure import CannotGoOn
from tools.operate.importer import batches, reason
from tools.operate.rows import COLUMNS, Row, read_rows, write_rejected

BERLIN = ZoneInfo("Europe/Berlin")
DATE = "2029-03-14T10:30:00+01:00"
EXCEL_CELL = datetime(2029, 7, 14, 10, 30)  # noqa: DTZ001 - Excel knows no time zones


def saved(folder: Path, text: str, name: str = "visits.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def visits(path: Path, zone: ZoneInfo | None = None) -> list[dict[str, Any]]:
    return [row.visit for row in read_rows(path, zone)]


def workbook(folder: Path, *rows: list[object]) -> Path:
    path = folder / "visits.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_all_columns_become_a_visit(tmp_path: Path) -> None:
    cells = ["p1", DATE, "45", "Gate", "requested", "a1", "Ada", "ada@example.com", "+49 30 1", 'Tall, "old"', "x-1"]
    path = tmp_path / "visits.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, cells])

    assert visits(path) == [
        {
            "propertyId": "p1",
            "date": DATE,
            "durationMinutes": 45,
            "place": "Gate",
            "status": "requested",
            "agentId": "a1",
            "visitor": {"name": "Ada", "email": "ada@example.com", "phone": "+49 30 1"},
            "notes": 'Tall, "old"',
            "externalId": "x-1",
        }
    ]


def test_empty_cells_and_empty_lines_are_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, f"propertyId,date,place,visitorName\n\np1,{DATE},,\n , ,,\n")
    assert visits(path) == [{"propertyId": "p1", "date": DATE}]


def test_our_own_export_can_be_handed_in_again(tmp_path: Path) -> None:
    visitor = Visitor("＝Ann", "ann@example.com", "+49 30 1")
    visit = a_visit(date=utc(DATE), visitor=visitor, notes="-\n'=1+1", agent_id="nora")
    path = tmp_path / "visits.csv"
    path.write_bytes(b"".join(write_csv([Entry(visit, a_property(name="Villa").details)])))
    assert visits(path) == [
        {
            "propertyId": visit.property_id,
            "date": instant_text(visit.date),
            "durationMinutes": 30,
            "place": visit.place,
            "status": "confirmed",
            "agentId": "nora",
            "visitor": {"name": "＝Ann", "email": "ann@example.com", "phone": "+49 30 1"},
            "notes": "-\n'=1+1",
        }
    ]


@pytest.mark.parametrize(
    "header", ["propertyid,DATE", "Property ID,Date", "property_id, date ", '"property-id","date",']
)
def test_the_header_may_be_written_as_people_write(tmp_path: Path, header: str) -> None:
    assert visits(saved(tmp_path, f"{header}\np1,{DATE}\n")) == [{"propertyId": "p1", "date": DATE}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_a_spreadsheet_saves_can_be_read(tmp_path: Path, delimiter: str) -> None:
    lines = [delimiter.join(["propertyId", "date", "notes"]), delimiter.join(["p1", DATE, "Grün"])]
    path = saved(tmp_path, "\r\n".join(lines), encoding="utf-8-sig")
    assert visits(path) == [{"propertyId": "p1", "date": DATE, "notes": "Grün"}]


def test_a_row_knows_its_line_also_after_a_text_of_several_lines(tmp_path: Path) -> None:
    path = saved(tmp_path, f'propertyId,date,notes\np1,{DATE},"one\ntwo"\np2,{DATE},\n')
    assert [row.line for row in read_rows(path)] == [2, 4]


def test_ndjson_may_be_nested_or_flat(tmp_path: Path) -> None:
    nested = {"propertyId": "p1", "date": DATE, "visitor": {"name": "Ada"}, "durationMinutes": 30}
    flat = {"propertyId": "p1", "date": DATE, "visitorName": "Ada", "durationMinutes": 30}
    path = saved(tmp_path, "\n".join(map(json.dumps, (nested, flat))) + "\n", "visits.ndjson")
    assert visits(path) == [nested, nested]


def test_dates_of_excel_are_in_the_zone_that_was_named(tmp_path: Path) -> None:
    almost = EXCEL_CELL - timedelta(microseconds=5)
    path = workbook(tmp_path, ["propertyId", "date", "durationMinutes"], [17, almost, 30.0], ["p2", DATE, None])
    assert visits(path, BERLIN) == [
        {"propertyId": "17", "date": "2029-07-14T10:30:00+02:00", "durationMinutes": 30},
        {"propertyId": "p2", "date": DATE},
    ]


def test_dates_of_excel_need_a_zone(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["propertyId", "date"], ["p1", EXCEL_CELL])
    with pytest.raises(CannotGoOn, match=r"first in row 2.*ZONE=Europe/Berlin"):
        read_rows(path)


def test_a_day_without_a_time_is_not_taken_for_midnight(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["propertyId", "date"], ["p1", date(2029, 7, 14)])
    assert visits(path, BERLIN) == [{"propertyId": "p1", "date": "2029-07-14"}]


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("2029-07-14 10:30", "2029-07-14T10:30:00+02:00"),
        ("2029-01-14T10:30:00", "2029-01-14T10:30:00+01:00"),
        ("2029-07-14T10:30:00Z", "2029-07-14T10:30:00Z"),
        ("2029-07-14", "2029-07-14"),
        ("14.7.2029 10:30", "14.7.2029 10:30"),
        # The clocks change: at one of these the hour comes twice, at the other never. Only the person knows.
        ("2029-10-28T02:30:00", "2029-10-28T02:30:00"),
        ("2029-03-25T02:30:00", "2029-03-25T02:30:00"),
    ],
)
def test_a_zone_is_for_local_times_only(tmp_path: Path, given: str, understood: str) -> None:
    path = saved(tmp_path, f"propertyId,date\np1,{given}\n")
    assert visits(path, BERLIN)[0]["date"] == understood
    assert visits(path)[0]["date"] == given


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("visits.csv", "propertyId,date,colour\np1,x,red\n", "unknown column 'colour'; known: propertyId, date"),
        ("visits.csv", "propertyId,place\np1,x\n", "has no column date"),
        ("visits.csv", "propertyId,date,Date\np1,x,y\n", "has the column date twice"),
        ("visits.csv", "propertyId,date\np1,x,y\n", "Row 2 of .* more cells than the header"),
        ("visits.csv", 'propertyId,date\np1,"x\n', "Line 2 of .* is not CSV"),
        ("visits.csv", "propertyId,date\n", "has no rows"),
        ("visits.csv", "", "has no rows"),
        ("visits.txt", "propertyId,date\n", "not a CSV, NDJSON or XLSX"),
        ("visits.ndjson", '{"propertyId": "p1"}\n{"a\n', "Line 2 of .* is not valid JSON"),
        ("visits.ndjson", '{"propertyId": NaN}\n', "Line 1 of .* is not valid JSON"),
        ("visits.ndjson", "[]\n", "Line 1 of .* is not a JSON object"),
        ("visits.ndjson", '{"propertyId": "p1", "colour": 1}\n', "line 1: unknown column 'colour'"),
        ("visits.xlsx", "propertyId,date\n", "is not an XLSX file"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(CannotGoOn, match=told):
        read_rows(saved(tmp_path, text, name))


def test_a_file_that_is_not_there_and_one_in_another_encoding_are_told(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match="does not exist"):
        read_rows(tmp_path / "visits.csv")
    with pytest.raises(CannotGoOn, match="CSV UTF-8"):
        read_rows(saved(tmp_path, "propertyId,date,notes\np1,x,Grün\n", encoding="cp1252"))


@pytest.mark.parametrize("text", ["=1+1", "+49 30 1", "-5", "@here", "'=quoted", "plain", "'n Beispiel"])
def test_rejected_rows_are_no_formulas_and_can_be_imported_again(tmp_path: Path, text: str) -> None:
    row = Row(7, {"propertyId": "p1", "date": DATE, "durationMinutes": 30, "visitor": {"name": text}, "notes": text})
    path = tmp_path / "visits.rejected.csv"
    write_rejected(path, [(row, "date: too far away")])

    with path.open(encoding="utf-8-sig", newline="") as file:
        (cells,) = csv.DictReader(file)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells.values())
    assert cells["line"] == "7"
    assert cells["reason"] == "date: too far away"
    assert visits(path) == [row.visit]


def test_intakes_have_a_thousand_rows_at_most_and_a_key_for_each_run() -> None:
    rows = [Row(n, {"propertyId": "p1", "date": str(n)}) for n in range(2001)]
    made, again = list(batches(rows)), list(batches(rows))
    assert [len(batch.rows) for batch in made] == [1000, 1000, 1]
    assert len({batch.key for batch in [*made, *again]}) == 6
    assert [batch.visits for batch in again] == [batch.visits for batch in made]


def test_an_intake_stays_below_what_the_api_takes() -> None:
    rows = [Row(n, {"notes": "x" * 9000}) for n in range(1000)]
    made = list(batches(rows))
    assert sum(len(batch.rows) for batch in made) == 1000
    assert all(len(json.dumps({"visits": batch.visits})) <= LARGEST_BODY for batch in made)


def test_a_reason_says_which_field_or_else_what_happened() -> None:
    errors = [{"pointer": "#/date", "detail": "needs an offset"}, {"pointer": "#", "detail": "must be an object"}]
    assert reason({"detail": "See 'errors'.", "errors": errors}) == "date: needs an offset; row: must be an object"
    assert reason({"title": "Slot taken", "detail": "Taken: 10:00"}) == "Taken: 10:00"


def test_a_duration_as_a_span_of_time_is_so_many_minutes(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["propertyId", "date", "durationMinutes"], ["p1", DATE, timedelta(minutes=45)])
    assert visits(path) == [{"propertyId": "p1", "date": DATE, "durationMinutes": 45}]


def test_a_formula_that_failed_is_named_and_nothing_is_taken(tmp_path: Path) -> None:
    path = workbook(tmp_path, ["propertyId", "date", "visitorName"], ["p1", DATE, "#REF!"])
    with pytest.raises(CannotGoOn, match=r"#REF! in cell C2"):
        read_rows(path)


@pytest.mark.parametrize("value", ["1e999", r'"\ud800"'], ids=["beyond a number", "half a character"])
def test_what_is_json_for_nobody_else_is_refused_by_its_line(tmp_path: Path, value: str) -> None:
    path = tmp_path / "visits.ndjson"
    path.write_text(f'{{"propertyId": "p1", "date": "{DATE}", "notes": {value}}}', encoding="utf-8")
    with pytest.raises(CannotGoOn, match="Line 1 of"):
        read_rows(path)
