"""Files that people really have: each kind of fault that was reported, with the value that is right."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest
import xlsxwriter

from chalicelib.domain.listing import Entry
from chalicelib.domain.sheets import MOST_ROWS, CannotRead, Failure, Field, IssueKind, RemarkKind
from chalicelib.domain.visits import Visitor
from chalicelib.exports.csv import write_csv
from chalicelib.exports.xlsx import write_xlsx
from tests.builders import a_property, a_visit, utc
from tests.hostile_sheets import DEADLY, book_of, shared_strings
from tests.sheets import BERLIN, kinds, marks, read, rows_of
from tools.project import ROOT

FILES = ROOT / "tests" / "files"
ANN = {"propertyId": "h1-a", "visitor": {"name": "Ann"}}

VISITS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "c01_sep_line.csv": [{"propertyId": "h1-b", "date": "2029-04-01T08:00:00Z", "visitor": {"name": "Ann"}}],
    "c02_german_dates.csv": [{"propertyId": "h1-b", "date": "2029-04-02T08:00:00Z", "visitor": {"name": "Jörg"}}],
    "c07b_corrected.csv": [
        {
            "propertyId": "h1-b",
            "date": "2029-04-07T09:00:00Z",
            "visitor": {"name": "Ann"},
            "notes": "first line of\nsecond line",
            "externalId": "ext-7",
        },
        {
            "propertyId": "h1-b",
            "date": "2029-04-07T11:00:00Z",
            "visitor": {"name": "Ben"},
            "notes": "ok",
            "externalId": "ext-8",
        },
    ],
    "c10_only_email.csv": [
        {"propertyId": "h1-b", "date": "2029-04-10T09:00:00Z", "visitor": {"email": "lead@example.com"}},
        {"propertyId": "h1-b", "date": "2029-04-10T10:00:00Z", "visitor": {"phone": "+4930901820"}},
    ],
    "c12_short_rows_trailing_space.csv": [
        {"propertyId": "h1-b", "date": "2029-04-13T09:00:00Z"},
        {"propertyId": "h1-b", "date": "2029-04-13T10:00:00Z", "visitor": {"name": "Ann"}, "notes": "ok"},
    ],
    "g02_space_quote.csv": [
        {
            "propertyId": "h1-cap2",
            "date": "2029-11-08T10:00:00Z",
            "visitor": {"name": "Ann Example"},
            "notes": "Bring keys",
        }
    ],
    "n01_nulls.ndjson": [
        {"propertyId": "h1-b", "date": "2029-04-11T09:00:00Z"},
        {"propertyId": "h1-b", "date": "2029-04-11T11:00:00Z", "visitor": {"name": "Ann"}},
    ],
    "w24a.csv": [
        {"propertyId": "h1-c", "date": "2029-08-01T10:00:00Z", "visitor": {"name": "Ann"}, "externalId": "p-1"}
    ],
    "x01_duration_timespan.xlsx": [{"propertyId": "h1-a", "date": "2029-03-01T09:00:00Z", "durationMinutes": 45}],
    "x07_empty_fill.xlsx": [{"propertyId": "h1-a", "date": "2029-03-04T09:00:00Z"}],
    "x09_strict.xlsx": [{"propertyId": "h1-a", "date": "2029-03-04T09:00:00Z"}],
    "x33_style_index.xlsx": [{"propertyId": "h1-a", "date": "2029-03-04T09:00:00Z"}],
    "x16_x000D.xlsx": [{"propertyId": "h1-a", "date": "2029-03-10T09:00:00Z", "notes": "First line\nsecond"}],
    "x20_text_dates.xlsx": [
        {"propertyId": "h1-a", "date": "2029-03-14T09:00:00Z"},
        {"propertyId": "h1-a", "date": "2029-03-14T10:00:00Z"},
        {"propertyId": "h1-a", "date": "2029-03-14T11:00:00Z"},
    ],
    "x21_status_words.xlsx": [
        {"propertyId": "h1-a", "date": "2029-03-15T09:00:00Z"},
        {"propertyId": "h1-a", "date": "2029-03-15T10:00:00Z"},
    ],
    "x24_two_sheets.xlsx": [
        {"propertyId": "h1-a", "date": "2029-07-04T08:00:00Z"},
        {"propertyId": "h1-a", "date": "2029-07-11T08:00:00Z"},
    ],
}
"""What is right without anybody having to look."""


def file(name: str) -> bytes:
    return (FILES / name).read_bytes()


def workbook(*rows: Sequence[object]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("name", VISITS)
def test_what_a_file_says_without_doubt_needs_nobody_to_look(name: str) -> None:
    reading = read(file(name))
    assert [row.visit(BERLIN.zone) for row in reading.rows] == VISITS[name]
    assert all(row.reviewed and row.complete for row in reading.rows)


def test_a_float_is_minutes_but_no_telephone_number() -> None:
    ann, ben = read(file("c04_pandas_floats.csv")).rows
    assert (ann.value(Field.DURATION), ann.clean) == ("30", True)
    assert (ben.value(Field.PHONE), ben.reviewed) == (None, False)
    assert kinds(ben.cell(Field.PHONE)) == [IssueKind.UNREADABLE]


def test_a_row_cut_by_a_line_break_is_a_problem_and_the_others_are_not() -> None:
    first, second, other = read(file("c07_unquoted_newline.csv")).rows
    assert (None, IssueKind.CUT) in marks(first) & marks(second)
    assert (first.reviewed, second.reviewed, other.reviewed) == (False, False, True)


def test_telephone_numbers_are_normalised_and_what_stands_beside_them_is_marked() -> None:
    cells = [row.cell(Field.PHONE) for row in read(file("c08_nbsp_zwsp.csv")).rows]
    assert [cell.value for cell in cells] == [
        "+4930901820",
        "+493090182012",
        "+4930901820",
        "+4930901820 x12",
        "+4930901820",
        "+4930901820",
        "+4930901820",
    ]
    marked = [[], [], [], [], [IssueKind.REMARK], [], [IssueKind.SEVERAL]]
    assert [kinds(cell) for cell in cells] == marked


def test_mail_addresses_are_repaired_and_marked() -> None:
    rows = read(file("c09_emails.csv")).rows
    names = ["ann", "ben", "cem", "dee", "eli", "fay", "o'gil", "hal"]
    assert [row.value(Field.EMAIL) for row in rows] == [f"{name}@example.com" for name in names]
    assert [row.reviewed for row in rows] == [name == "o'gil" for name in names]


def test_iso_dates_without_colon_seconds_or_with_a_zone_in_brackets() -> None:
    rows = read(file("c13_dates_iso_forms.csv")).rows
    starts = [start for row in rows if (start := row.start(BERLIN.zone))]
    assert starts == [datetime.fromisoformat(f"2029-04-14T{hour}:00:00Z") for hour in range(10, 18)]
    assert [row.number for row in rows if not row.reviewed] == [4], "a quarter of a second is no time of a visit"


def test_the_same_visit_spelled_otherwise_is_the_same_wish() -> None:
    plain, spelled = (read(file(name)).rows[0].visit(BERLIN.zone) for name in ("d02a.csv", "d02b.csv"))
    assert plain == spelled


def test_a_cancelled_visit_keeps_its_status_and_id() -> None:
    moved, cancelled = (row.visit(BERLIN.zone) for row in read(file("w24b.csv")).rows)
    assert (moved["externalId"], moved.get("status")) == ("p-1", None)
    assert (cancelled["externalId"], cancelled["status"]) == ("p-2", "cancelled")


def test_an_error_in_a_cell_is_named_and_never_a_name() -> None:
    for row in read(file("x05_lookup_na.xlsx")).rows:
        assert row.value(Field.NAME) is row.value(Field.AGENT) is None
        hints = [issue.hint for _, issue in row.all_issues]
        assert hints == [f"#N/A in C{row.line}", f"#REF! in D{row.line}"]
        assert not row.reviewed
        assert not row.complete


def test_a_formula_that_nobody_calculated_is_told() -> None:
    (row,) = read(file("x06_formula_nocache.xlsx")).rows
    assert marks(row) == {(Field.NAME, IssueKind.NOT_CALCULATED), (Field.PHONE, IssueKind.NOT_CALCULATED)}
    assert not row.complete


def test_hidden_worksheets_are_told_and_not_read() -> None:
    reading = read(file("x14_hidden_first.xlsx"))
    assert [row.value(Field.PROPERTY) for row in reading.rows] == ["h1-a"]
    assert [(remark.kind, remark.text) for remark in reading.remarks] == [(RemarkKind.TABLE_HIDDEN, "Lists")]


def test_a_hidden_row_is_shown_and_not_taken_on_trust() -> None:
    shown, hidden = read(file("x18_hidden_row.xlsx")).rows
    assert (shown.reviewed, hidden.reviewed) == (True, False)
    assert marks(hidden) == {(None, IssueKind.HIDDEN)}


def test_zeros_that_only_the_format_shows_stay() -> None:
    ann, ben = read(file("x15_phone_zero_format.xlsx")).rows
    assert (ann.value(Field.PHONE), ben.value(Field.PHONE)) == ("0030901820", "4930901820")


def test_a_day_without_a_time_is_a_problem_in_any_format() -> None:
    for row in read(file("x23_dateonly_locale_CH.xlsx")).rows:
        assert row.start(BERLIN.zone) is None
        assert marks(row) == {(Field.TIME, IssueKind.MISSING)}


def test_every_worksheet_is_read_and_named() -> None:
    rows = read(file("x24_two_sheets.xlsx")).rows
    assert [(row.table, row.line) for row in rows] == [("Week 27", 2), ("Week 28", 2)]
    assert len({row.number for row in rows}) == 2


def test_our_own_export_can_be_handed_in_again() -> None:
    rows = read(file("rt_export.csv")).rows
    assert all(row.reviewed for row in rows)
    assert [row.start(BERLIN.zone) for row in rows][:2] == [utc("2029-07-02T22:00Z"), utc("2029-07-04T08:00Z")]
    assert rows[5].value(Field.NAME) == "True"
    assert rows[6].visit(BERLIN.zone)["visitor"] == {"name": "'t Hooft", "phone": "+4930901820"}


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_an_export_comes_back_as_it_was(write: Callable[[Iterable[Entry]], Iterable[bytes]]) -> None:
    visitor = Visitor("=Ann", "ann@example.com", "+4930901820")
    visit = a_visit(
        property_id="h1-a", date=utc("2029-07-04T08:00Z"), visitor=visitor, notes="-\n'=1+1", agent_id="nora"
    )
    content = b"".join(write([Entry(visit, a_property(name="Villa Elm").details)]))
    (row,) = read(content).rows
    wish = row.visit(BERLIN.zone)
    assert wish["propertyId"] == "h1-a"
    assert wish["date"] == "2029-07-04T08:00:00Z"
    assert wish["visitor"] == {"name": "=Ann", "email": "ann@example.com", "phone": "+4930901820"}
    assert (wish["notes"], wish["agentId"]) == ("-\n'=1+1", "nora")


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15", "mac-roman", "cp850"],
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^"])
def test_any_encoding_and_separator(encoding: str, separator: str) -> None:
    lines = [
        ["Fecha", "Hora", "Inmueble", "Visitante", "Teléfono"],
        ["14/03/2027", "10:30", "C/ Alcalá 45, 3º B, Madrid", "Íñigo Muñoz Peña", "612 345 678"],
        ["15/03/2027", "17:00", "es-2", "Jürgen Größe", "+49 30 901820"],
    ]
    text = "\r\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines)
    reading = read(text.encode(encoding))
    assert [row.value(Field.NAME) for row in reading.rows] == ["Íñigo Muñoz Peña", "Jürgen Größe"]
    assert [row.value(Field.PROPERTY) for row in reading.rows] == ["es-1", "es-2"]
    assert [row.value(Field.DATE) for row in reading.rows] == ["2027-03-14", "2027-03-15"]


@pytest.mark.parametrize("declared", ['sep="', "sep=", '"sep="', 'sep=""'])
def test_a_separator_that_can_be_none_is_not_believed(declared: str) -> None:
    rows = rows_of(f"{declared}\r\npropertyId;date\r\nh1-a;14.03.2027 10:00\r\n")
    assert [(row.line, row.value(Field.PROPERTY), row.value(Field.DATE)) for row in rows] == [(3, "h1-a", "2027-03-14")]


def test_json_in_an_array_nested_or_broken_in_one_line() -> None:
    visit = {"propertyId": "h1-a", "date": "2027-03-14T10:00:00Z", "visitor": {"name": "Ann"}, "durationMinutes": 45}
    for text in (json.dumps(visit), json.dumps([visit]), json.dumps([visit], indent=1)):
        (row,) = rows_of(text)
        assert row.visit(BERLIN.zone) == visit
        assert row.reviewed
    good, broken = rows_of(json.dumps(visit) + '\n{"propertyId": "h1')
    assert good.reviewed
    assert (None, IssueKind.NO_JSON) in marks(broken)


def test_a_workbook_keeps_times_and_durations_in_their_own_way() -> None:
    header = ["Property ref", "Datum", "Uhrzeit", "Dauer", "Name"]
    clock, minutes = time(9, 30), timedelta(minutes=90)
    (row,) = read(workbook(header, ["h1-a", date(2027, 3, 14), clock, minutes, 4711])).rows
    assert row.visit(BERLIN.zone) == {
        "propertyId": "h1-a",
        "date": "2027-03-14T08:30:00Z",
        "durationMinutes": 90,
        "visitor": {"name": "4711"},
    }


def test_days_counted_from_1904() -> None:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True, "date_1904": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["propertyId", "date"])
        sheet.write_row(1, 0, ["h1-a"])
        sheet.write_datetime(
            1, 1, datetime.fromisoformat("2027-03-14T10:00:00"), book.add_format({"num_format": "d.m.yy h:mm"})
        )
        sheet.write_row(2, 0, ["h1-a", 44998.5])
    dated, bare = read(content.getvalue()).rows
    assert dated.start(BERLIN.zone) == utc("2027-03-14T09:00Z")
    assert bare.start(BERLIN.zone) == utc("2027-03-14T11:00Z")


def test_a_zero_that_a_spreadsheet_dropped_is_put_back_and_marked() -> None:
    (row,) = read(workbook(["propertyId", "date", "Telefon"], ["h1-a", "14.03.2027 10:00", 30901820])).rows
    cell = row.cell(Field.PHONE)
    assert (cell.value, kinds(cell)) == ("030901820", [IssueKind.ZERO_LOST])


def test_a_cell_over_several_rows_is_in_each_of_them() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Date", "Time", "Property"], ["14.03.2027", "10:00", "h1-a"], [None, "11:00", "h1-a"]):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    content = io.BytesIO()
    book.save(content)
    assert [row.value(Field.DATE) for row in read(content.getvalue()).rows] == ["2027-03-14"] * 2


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)
HUGE = "propertyId,date\n" + "h1-a,2027-03-14T10:00Z\n" * (MOST_ROWS + 1)


def archive(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(f"{name.replace('__', '/')}.xml", data)
    return content.getvalue()


def sheet_xml(xml: str) -> bytes:
    """A workbook whose first worksheet is that XML."""
    good = zipfile.ZipFile(io.BytesIO(workbook(["propertyId", "date"], ["h1-a", "14.03.2027 10:00"])))
    parts = {name: good.read(name) for name in good.namelist()}
    parts["xl/worksheets/sheet1.xml"] = xml.encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return content.getvalue()


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DEEP = f'<worksheet xmlns="{MAIN}">' + "<a>" * 200_000 + "</a>" * 200_000 + "</worksheet>"
LAUGHS = f'<!DOCTYPE x [<!ENTITY a "{"ha" * 100}">]><worksheet xmlns="{MAIN}"><sheetData/></worksheet>'
MILLION = (
    f'<worksheet xmlns="{MAIN}"><sheetData>' + "<row><c><v>1</v></c></row>" * 1_000_000 + "</sheetData></worksheet>"
)
STRAY = (
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    '<row r="1048576"><c r="XFD1048576"{}</c></row></sheetData></worksheet>'
)
"""With any of these contents the far cell would make the library ask for terabytes, which ends the process."""


@pytest.mark.parametrize(
    ("content", "failure"),
    [
        (b"", Failure.NOT_A_TABLE),
        (b" \n\n ", Failure.NOT_A_TABLE),
        (b"just a letter to a friend", Failure.NOT_A_TABLE),
        (b"propertyId,date\n", Failure.NOT_A_TABLE),
        (b"a,b\n1,2\n", Failure.NOT_A_TABLE),
        (b"[]", Failure.NOT_A_TABLE),
        (b"{}\n{}", Failure.NOT_A_TABLE),
        (b"{" * 100_000, Failure.NOT_A_TABLE),
        (b"[" * 100_000, Failure.NOT_A_TABLE),
        (b'propertyId,date\n"h1-a,2027-03-14T10:00Z\n' + b"x" * 60_000, Failure.NOT_A_TABLE),
        (b"\x00\x01\x02\x03" * 100, Failure.UNREADABLE),
        (b"PK\x03\x04 and nothing more", Failure.UNREADABLE),
        (workbook(["propertyId", "date"], ["h1-a", "x"])[:3000], Failure.UNREADABLE),
        (sheet_xml(DEEP), Failure.UNREADABLE),
        (sheet_xml(LAUGHS), Failure.UNREADABLE),
        (sheet_xml("<worksheet><sheetData><row"), Failure.UNREADABLE),
        (PICTURE, Failure.UNSUPPORTED),
        (b"%PDF-1.7 ...", Failure.UNSUPPORTED),
        (b"BEGIN:VCALENDAR\r\n", Failure.UNSUPPORTED),
        (b"<!DOCTYPE html><table><tr><td>date</td></tr></table>", Failure.UNSUPPORTED),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Failure.UNSUPPORTED),
        (b"\xd0\xcf\x11\xe0" + bytes(512) + "EncryptedPackage".encode("utf-16-le"), Failure.UNSUPPORTED),
        (archive(readme=b"not a workbook"), Failure.UNSUPPORTED),
        (archive(word__document=b"<document/>"), Failure.UNSUPPORTED),
        (b"propertyId,date\n" + b"x" * (5 * 1024 * 1024), Failure.TOO_LARGE),
        (HUGE.encode(), Failure.TOO_LARGE),
        (archive(xl__workbook=bytes(80_000_000)), Failure.TOO_LARGE),
        (sheet_xml(MILLION), Failure.TOO_LARGE),
        (sheet_xml(STRAY.format("><v>1</v>")), Failure.TOO_LARGE),
        (sheet_xml(STRAY.format(' t="e">')), Failure.TOO_LARGE),
        (sheet_xml(STRAY.format(' t="str"><v></v>')), Failure.TOO_LARGE),
        (sheet_xml(STRAY.format("><is><t> </t></is>")), Failure.TOO_LARGE),
        (sheet_xml(STRAY.replace("XFD1048576", "A99999999").format("><v>1</v>")), Failure.UNREADABLE),
        (sheet_xml(STRAY.replace('r="XFD1048576"', "").format("><v>1</v>")), Failure.TOO_LARGE),
    ],
    ids=range(34),
)
def test_what_cannot_be_read_is_refused_with_advice(content: bytes, failure: Failure) -> None:
    with pytest.raises(CannotRead) as refused:
        read(content)
    assert refused.value.failure is failure
    assert refused.value.advice


def test_a_workbook_that_shares_its_texts_is_read_whole() -> None:
    notes = "How to get there. " * 100
    texts = ["propertyId", "date", "notes", "h1-a", "14.03.2027 10:00", notes]
    header, row = ("".join(f'<c t="s"><v>{index}</v></c>' for index in indexes) for indexes in ([0, 1, 2], [3, 4, 5]))
    sheet = f"<sheetData><row>{header}</row>{f'<row>{row}</row>' * MOST_ROWS}</sheetData>"
    reading = read(book_of(sheet, strings=shared_strings(*texts)))
    assert [row.value(Field.NOTES) for row in reading.rows] == [notes.strip()] * MOST_ROWS


READ_DEADLY = """
import resource
from chalicelib.domain.sheets import CannotRead
from chalicelib.functions import FUNCTIONS, Function
from tests.hostile_sheets import DEADLY
from tests.sheets import read
reader = FUNCTIONS[Function.READER]
resource.setrlimit(resource.RLIMIT_AS, (reader.memory_mb << 20, reader.memory_mb << 20))
resource.setrlimit(resource.RLIMIT_CPU, (reader.timeout_seconds // 2, reader.timeout_seconds // 2))
for name, content in DEADLY.items():
    try:
        read(content())
    except CannotRead as why:
        print(f"{name}: {why.failure}", flush=True)
"""


def test_a_file_made_to_end_its_reader_is_refused_instead() -> None:
    """In a process of its own, which could otherwise take the tests along."""
    done = subprocess.run([sys.executable, "-c", READ_DEADLY], cwd=ROOT, capture_output=True, text=True)
    refused = dict(line.split(": ") for line in done.stdout.splitlines())
    assert done.returncode == 0, (list(refused)[-1:], done.stderr[-500:])
    assert refused.keys() == DEADLY.keys()
    assert {*refused.values()} <= {Failure.TOO_LARGE, Failure.UNREADABLE}


def test_only_who_reads_sheets_loads_the_reader() -> None:
    heavy = "chalicelib.reading", "phonenumbers", "python_calamine"
    code = f"import sys, app; assert not {{*{heavy}}} & {{*sys.modules}}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_thousand_rows_are_read() -> None:
    assert len(rows_of("\n".join(HUGE.splitlines()[:-1]))) == MOST_ROWS
