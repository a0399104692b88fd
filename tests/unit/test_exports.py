"""Exports as files: what people open them with reads back what is stored, and nothing in them acts."""

from __future__ import annotations

import csv
import io
import itertools
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import duckdb
import icalendar
import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.api.exports import text_body
from chalicelib.domain.calendars import Feed, Shows, new_token, opens, token_hash
from chalicelib.domain.errors import ExportTooLarge
from chalicelib.domain.listing import Entry, Page, PropertyFilter, VisitFilter, Window
from chalicelib.domain.properties import Property
from chalicelib.domain.visits import Cancellation, Status, Visit, Visitor
from chalicelib.exports.csv import HEADER, write_csv
from chalicelib.exports.ics import STATUS, write_feed, write_ics
from chalicelib.exports.sheets import write_sheet
from chalicelib.exports.words import STATUS as STATUS_IN_WORDS
from chalicelib.exports.xlsx import COLUMNS, write_xlsx
from chalicelib.reading.grids import Grid, Line, Merge, Written
from chalicelib.services.exports import MOST_BYTES, MOST_PAGES, MOST_ROWS, ONE_BY_ONE, THINGS_OF_PAGE, Exports
from tests.builders import NOW, TEN, a_property, a_visit, details, minutes, utc
from tests.fakes import FakeAgents, FakeProperties, FakeVisits, Memory
from tools.project import ROOT

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0", "＝1+1"]
HOSTILE = [
    *FORMULAS,
    "\r=1+1",
    "'=1+1",
    "''@x",
    "Ada;=1+1",
    "Ada;'=1+1;\t@x\r\n-2",
    "'quoted'",
    'say "hi", then; go\\home',
    "a\r\nb\nc\rd",
    "a\u2028b\u2029c",
    "👩‍👩‍👧 Ünïcödé 東京 " * 6,
    "\u202eright to left\u200f שלום",
    "ä" * 500,
    "_x0041_ stays",
    "https://example.com/?a=1",
    " blanks around ",
    "00123",
    "1e5",
    "TRUE",
    "</si><x>&amp;",
    "\ufffe\uffff",
    "BEGIN:VEVENT",
]


def joined(pieces: Iterable[bytes]) -> bytes:
    return b"".join(pieces)


def in_csv(visits: Iterable[Visit], property: Property | None = None) -> bytes:
    return joined(write_csv(entries(visits, property)))


def in_xlsx(visits: Iterable[Visit], property: Property | None = None) -> bytes:
    return joined(write_xlsx(entries(visits, property)))


def in_ics(visits: Iterable[Visit], property: Property | None = None) -> bytes:
    return joined(write_ics(entries(visits, property)))


def entries(visits: Iterable[Visit], property: Property | None) -> Iterator[Entry]:
    return (Entry(visit, property.details if property else None) for visit in visits)


def full(text: str = "text", **changes: Any) -> Visit:
    """A visit that says the same text wherever it can."""
    return a_visit(
        **{
            "place": text,
            "agent_id": text,
            "visitor": Visitor(text, text, text),
            "notes": text,
            "status": Status.CANCELLED,
            "cancellation": Cancellation(text, NOW),
        }
        | changes
    )


# CSV


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def unguarded(cell: str) -> str:
    """What docs/exports.md tells readers to do: one apostrophe off where it guards the beginning of a formula."""
    return re.sub(r"^'(?='*[\t\r\n])|(^|[;\t\r\n])'(?='*[=+\-@＝＋－＠])", r"\1", cell)


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_gives_back_every_text_and_starts_no_formula(text: str) -> None:
    content = in_csv([full(text)])
    (row,) = rows_of(content)
    for name in ("place", "agentId", "visitorName", "visitorEmail", "visitorPhone", "notes", "cancellationReason"):
        assert not row[name].startswith(tuple("=+-@\t\r\n＝＋－＠"))
        assert unguarded(row[name]) == text
    for line in content.decode().splitlines():
        for cell in re.split("[;\t]", line):  # as a spreadsheet does where the comma is the decimal sign
            assert not cell.startswith(tuple("=+-@＝＋－＠"))


def test_csv_leaves_international_telephone_numbers_alone() -> None:
    (row,) = rows_of(in_csv([a_visit(visitor=Visitor("Ada", None, "+49 30 901820"))]))
    assert row["visitorPhone"] == "+49 30 901820"
    (row,) = rows_of(in_csv([a_visit(visitor=Visitor("Ada", None, "+1-2-3"))]))
    assert row["visitorPhone"] == "'+1-2-3"


def test_csv_says_which_property_and_who_conducts_it_behind_the_columns_that_it_always_had() -> None:
    villa = a_property(name="=Villa", address="Seestraße 1, Potsdam")
    (row,) = rows_of(in_csv([a_visit(place="Garden")], villa))
    assert (row["place"], row["propertyName"], row["propertyAddress"]) == ("Garden", "'=Villa", "Seestraße 1, Potsdam")
    (row,) = rows_of(in_csv([a_visit()]))
    assert (row["propertyName"], row["propertyAddress"]) == ("", "")
    assert row["agentName"] == ""
    (row,) = rows_of(joined(write_csv([Entry(a_visit(agent_id="nora"), agent_name="@Nora")])))
    assert (row["agentId"], row["agentName"]) == ("nora", "'@Nora")
    assert HEADER[-4:] == ("updatedAt", "propertyName", "propertyAddress", "agentName")


def test_csv_ends_lines_as_the_rfc_says_and_has_its_header_without_visits() -> None:
    assert in_csv([]) == (",".join(HEADER) + "\r\n").encode()
    lines = in_csv([a_visit()] * 450).split(b"\r\n")
    assert (len(lines), lines[-1]) == (452, b"")
    assert not any(b"\n" in line or b"\r" in line for line in lines)


def test_csv_says_the_instant_and_the_local_time_on_both_sides_of_a_change_of_clocks() -> None:
    visits = [a_visit(date=utc(text)) for text in ("2027-03-28T00:30", "2027-03-28T01:30")]
    autumn = [a_visit(date=utc(text)) for text in ("2027-10-31T00:30", "2027-10-31T01:30")]
    rows = rows_of(in_csv([*visits, *autumn]))
    assert [(row["date"], row["localDate"]) for row in rows] == [
        ("2027-03-28T00:30:00Z", "2027-03-28T01:30:00+01:00"),
        ("2027-03-28T01:30:00Z", "2027-03-28T03:30:00+02:00"),
        ("2027-10-31T00:30:00Z", "2027-10-31T02:30:00+02:00"),
        ("2027-10-31T01:30:00Z", "2027-10-31T02:30:00+01:00"),
    ]


def test_duckdb_reads_the_csv_with_types(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_bytes(in_csv([*(full(text) for text in HOSTILE), a_visit(duration_minutes=45)]))
    with duckdb.connect() as connection:
        read = connection.execute("FROM read_csv(?)", [str(file)])
        names = [column[0] for column in read.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in read.fetchall()]
    assert tuple(names) == HEADER
    assert [unguarded(row["place"]) for row in rows[:-1]] == HOSTILE
    assert rows[-1]["durationMinutes"] == 45
    assert rows[-1]["notes"] is None
    assert rows[-1]["date"].replace(tzinfo=rows[-1]["date"].tzinfo or UTC) == TEN


# XLSX


def workbook_of(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def record(sheet: Any, row: int) -> dict[str, Any]:
    return {name: sheet.cell(row, column) for column, (name, *_) in enumerate(COLUMNS, 1)}


def test_xlsx_has_typed_cells_in_the_propertys_zone() -> None:
    visit = a_visit(date=utc("2027-03-28T00:45"), visitor=Visitor("Ada", "ada@example.com", "+49 30 901820"))
    content = in_xlsx([visit])
    cells = record(workbook_of(content)["Visits"], 2)
    assert cells["Start"].value == datetime(2027, 3, 28, 1, 45)  # noqa: DTZ001 - Excel has no zones
    assert cells["End"].value == datetime(2027, 3, 28, 3, 15)  # noqa: DTZ001
    assert cells["Start (UTC)"].value == datetime(2027, 3, 28, 0, 45)  # noqa: DTZ001
    assert [cells[name].is_date for name in ("Start", "End", "Start (UTC)", "Created", "Updated")] == [True] * 5
    assert cells["Time zone"].value == "Europe/Berlin"
    assert (cells["Phone"].value, cells["Phone"].data_type, cells["Phone"].number_format) == ("+49 30 901820", "s", "@")
    assert (cells["Minutes"].value, cells["Minutes"].data_type) == (30, "n")
    assert cells["Notes"].value is None
    (_, row) = python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_name("Visits").to_python()
    assert row[0] == datetime(2027, 3, 28, 1, 45)  # noqa: DTZ001
    assert row[[name for name, *_ in COLUMNS].index("Phone")] == "+49 30 901820"


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\ufffe" not in text])
def test_xlsx_gives_back_every_text_and_has_no_formula_and_no_link(text: str) -> None:
    content = in_xlsx([full(text)])
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    book = workbook_of(content)
    assert not [c for sheet in book for row in sheet for c in row if c.data_type == "f" or c.hyperlink]
    cells = record(book["Visits"], 2)
    read = python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_name("Visits").to_python()[1]
    by_calamine = dict(zip((name for name, *_ in COLUMNS), read, strict=True))
    for name in ("Place", "Agent", "Visitor", "E-mail", "Phone", "Notes", "Cancellation reason"):
        assert cells[name].data_type == "s"
        assert cells[name].value == expected
        assert by_calamine[name] == expected


def test_xlsx_says_which_property() -> None:
    villa = a_property(name="Villa", address="Seestraße 1, Potsdam")
    cells = record(workbook_of(in_xlsx([a_visit(place="Garden", property_id="v1")], villa))["Visits"], 2)
    told = [cells[name].value for name in ("Property name", "Property address", "Place", "Property")]
    assert told == ["Villa", "Seestraße 1, Potsdam", "Garden", "v1"]


def test_xlsx_survives_characters_that_xml_does_not_have() -> None:
    cells = record(workbook_of(in_xlsx([full("a\ufffe\uffffb")]))["Visits"], 2)
    assert cells["Place"].value.startswith("a")
    assert cells["Place"].value.endswith("b")


def test_xlsx_is_ready_to_work_with() -> None:
    book = workbook_of(in_xlsx([a_visit(), a_visit()]))
    sheet = book["Visits"]
    assert [cell.value for cell in sheet[1]] == [name for name, *_ in COLUMNS]
    assert all(cell.font.bold for cell in sheet[1])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:V3"
    (choice,) = sheet.data_validations.dataValidation
    assert (choice.type, str(choice.sqref)) == ("list", "F2:F3")
    assert choice.formula1 == '"' + ",".join(Status) + '"'
    assert sheet.column_dimensions["A"].width >= len("2027-03-12 10:00")


def test_xlsx_counts_by_property_and_status() -> None:
    statuses = [Status.CONFIRMED, Status.CONFIRMED, Status.CANCELLED]
    found = [Entry(a_visit(property_id="b", status=status), details(name="=Villa")) for status in statuses]
    counts = workbook_of(joined(write_xlsx([*found, Entry(a_visit(property_id="-a"))])))["Counts"]
    assert [[cell.value for cell in row] for row in counts] == [
        ["Property", *map(str, Status), "Total", "Property name"],
        ["-a", 0, 1, 0, 0, 0, 0, 1, None],
        ["b", 0, 2, 0, 1, 0, 0, 3, "=Villa"],
        ["All", 0, 3, 0, 1, 0, 0, 4, None],
    ]


# XLSX, on paper


ON_PAPER = [
    "Start", "End", "Status", "Property name", "Property address", "Place", "Visitor", "E-mail", "Phone", "Notes",
    "Agent", "Agent name",
]  # fmt: skip


def shown_columns(sheet: Any) -> list[str]:
    """Those that are on the screen, and so on paper."""
    return [
        cell.value
        for cell in sheet[1]
        if not any(
            column.hidden and column.min <= cell.column <= column.max for column in sheet.column_dimensions.values()
        )
    ]


def test_xlsx_prints_across_the_page_with_numbers_and_the_names_of_the_columns_on_each() -> None:
    for sheet in workbook_of(in_xlsx([a_visit()])):
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.oddFooter.center.text == "Page &P of &N"
        assert sheet.oddFooter.right.text == "Printed &D"
        assert sheet.print_options.gridLines


def test_xlsx_keeps_what_only_programs_want_off_the_paper() -> None:
    sheet = workbook_of(in_xlsx([a_visit()]))["Visits"]
    assert shown_columns(sheet) == ON_PAPER
    berlin, lisbon = a_visit(), a_visit(time_zone="Europe/Lisbon")
    assert sheet.oddFooter.left.text == "Local times, Europe/Berlin"
    mixed = workbook_of(in_xlsx([berlin, lisbon]))["Visits"]
    assert shown_columns(mixed) == ["Start", "End", "Time zone", *ON_PAPER[2:]]
    assert mixed.oddFooter.left.text is None


def test_xlsx_says_on_every_page_which_days_and_which_property() -> None:
    villa = a_property(name="Villa & Söhne", address="Seestraße 1\n14467 Potsdam")
    visits = [a_visit(date=utc(text)) for text in ("2027-05-01T23:30", "2027-03-01T10:00")]
    sheet = workbook_of(in_xlsx(visits, villa))["Visits"]
    assert sheet.oddHeader.left.text.replace("&B", "") == "Visits\n2027-03-01 to 2027-05-02"
    assert sheet.oddHeader.center.text == "Villa && Söhne\nSeestraße 1 14467 Potsdam"
    several = [Entry(visits[0], villa.details), Entry(a_visit(property_id="other"), details())]
    assert workbook_of(joined(write_xlsx(several)))["Visits"].oddHeader.center.text is None


@pytest.mark.parametrize("text", ["&" * 500, "\x01&P\ufffe\ufffd", "👩" * 200, "</oddHeader>"])
def test_no_name_breaks_the_heading(text: str) -> None:
    content = in_xlsx([a_visit()], a_property(name=text, address=text))
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    (heading,) = root.iter("{http://schemas.openxmlformats.org/spreadsheetml/2006/main}oddHeader")
    assert 20 < len((heading.text or "").encode("utf-16-le")) / 2 <= 255
    assert "&P" not in (heading.text or "").replace("&&", "")


def test_xlsx_shows_a_status_in_words_and_keeps_the_apis_in_its_cell() -> None:
    book = workbook_of(in_xlsx([a_visit(status=status) for status in Status]))
    sheet = book["Visits"]
    rules = {
        rule.formula[0]: rule.dxf.numFmt.formatCode
        for area in sheet.conditional_formatting
        for rule in area.rules
        if str(area.sqref) == "F2:F7"
    }
    assert [sheet.cell(row, 6).value for row in range(2, 8)] == list(Status)
    assert [rules[f'"{status}"'] for status in Status] == [f';;;"{STATUS_IN_WORDS[status]}"' for status in Status]
    assert [cell.number_format for cell in book["Counts"][1][1:7]] == [rules[f'"{status}"'] for status in Status]


def test_a_row_is_as_high_as_its_longest_text_is_long() -> None:
    heights = workbook_of(
        in_xlsx(
            [
                a_visit(notes="short"),
                a_visit(notes="Wants to see the cellar and the attic; brings a dog"),
                a_visit(notes="a\nb\n\nc"),
                a_visit(visitor=Visitor("東京" * 10)),
                a_visit(notes="\n" * 1000),
                a_visit(agent_id=None, property_id="long" * 20),
            ]
        )
    )["Visits"].row_dimensions
    assert [heights[row].height for row in range(2, 8)] == [None, 30, 60, 30, 405, None]


def test_xlsx_without_visits_opens() -> None:
    assert workbook_of(in_xlsx([]))["Visits"].max_row == 1


# ICS


def events_of(content: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(content).walk("VEVENT"))


def test_ics_says_when_where_and_what_became_of_it() -> None:
    visit = a_visit(date=utc("2027-03-28T00:45"), duration_minutes=45, version=3, updated_at=NOW + minutes(5))
    (event,) = events_of(in_ics([visit]))
    assert (str(event["UID"]), event["SEQUENCE"], str(event["STATUS"])) == (visit.id, 2, "CONFIRMED")
    assert event["DTSTART"].dt == visit.date
    assert event["DTEND"].dt == visit.date + timedelta(minutes=45)
    assert event["DTSTAMP"].dt == NOW + minutes(5)
    assert str(event["LOCATION"]) == visit.place
    berlin = ZoneInfo("Europe/Berlin")
    assert f"{event['DTSTART'].dt.astimezone(berlin):%H:%M}" == "01:45"
    assert f"{event['DTEND'].dt.astimezone(berlin):%H:%M}" == "03:30"  # the clocks went forward meanwhile


def test_ics_has_a_status_for_every_visit() -> None:
    visits = [a_visit(status=status) for status in Status]
    events = {str(event["UID"]): event for event in events_of(in_ics(visits))}
    told = {
        str(visit.status): [str(events[visit.id].get(name, "")) for name in ("STATUS", "TRANSP", "X-VISITS-STATUS")]
        for visit in visits
    }
    assert told == {
        "requested": ["TENTATIVE", "", ""],
        "confirmed": ["CONFIRMED", "", ""],
        "declined": ["CANCELLED", "TRANSPARENT", "declined"],
        "cancelled": ["CANCELLED", "TRANSPARENT", ""],
        "completed": ["CONFIRMED", "", "completed"],
        "no_show": ["CONFIRMED", "", "no_show"],
    }
    assert STATUS.keys() == set(Status)


def test_ics_says_which_property_and_keeps_the_place_of_the_visit() -> None:
    villa = a_property(name="Villa, by the lake", address="Seestraße 1, Potsdam")
    ann = a_visit(place="By the bus stop", visitor=Visitor("Ann"), agent_id="nora")
    (event,) = events_of(in_ics([ann], villa))
    assert (str(event["SUMMARY"]), str(event["LOCATION"])) == ("Visit: Ann, Villa, by the lake", "By the bus stop")
    description = str(event["DESCRIPTION"]).splitlines()
    assert description == ["Property: Villa, by the lake", "Address: Seestraße 1, Potsdam", "Agent: nora"]
    (nobody,) = events_of(in_ics([a_visit()], villa))
    assert str(nobody["SUMMARY"]) == "Visit: Villa, by the lake"


@pytest.mark.parametrize(
    ("visitor", "shown"),
    [
        (Visitor(None, "ann@example.com"), "Visit: ann@example.com"),
        (Visitor(None, None, "+49 30 1"), "Visit: +49 30 1"),
        (None, "Visit"),
    ],
)
def test_ics_shows_what_there_is_of_a_visitor(visitor: Visitor | None, shown: str) -> None:
    (event,) = events_of(in_ics([a_visit(visitor=visitor)]))
    assert str(event["SUMMARY"]) == shown


def test_a_visit_that_does_not_take_place_says_so_where_status_is_not_shown() -> None:
    visits = [a_visit(status=status, property_id="house") for status in Status]
    for content in (
        in_ics(visits, a_property(name="Villa")),
        joined(write_feed(a_feed(a_property(name="Villa"), visits))),
    ):
        assert [str(event["SUMMARY"]) for event in events_of(content)] == [
            "Visit: Villa",
            "Visit: Villa",
            "Declined: Visit: Villa",
            "Cancelled: Visit: Villa",
            "Visit: Villa",
            "No-show: Visit: Villa",
        ]


@pytest.mark.parametrize("text", HOSTILE)
def test_ics_gives_back_every_text(text: str) -> None:
    (event,) = events_of(in_ics([full(text)]))
    expected = "\n".join(part for line in text.split("\r\n") for part in line.replace("\r", "\n").split("\n"))
    expected = expected.replace("\u2028", "\n").replace("\u2029", "\n")
    assert str(event["LOCATION"]) == expected
    assert str(event["SUMMARY"]) == f"Cancelled: Visit: {expected}"
    assert f"Notes: {expected}" in str(event["DESCRIPTION"])


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=300))
def test_ics_lines_are_folded_between_characters(text: str) -> None:
    content = in_ics([a_visit(place=text)])
    assert content.endswith(b"\r\n")
    for line in content[:-2].split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # raises where a character was cut in two
    expected = text.replace("\u2028", "\n").replace("\u2029", "\n")
    assert str(events_of(content)[0]["LOCATION"]) == expected


def test_ics_without_visits_is_still_a_calendar() -> None:
    calendar = icalendar.Calendar.from_ical(in_ics([]))
    assert calendar.subcomponents
    assert not calendar.walk("VEVENT")


# The feed


def a_feed(property: Property, visits: list[Visit], shows: Shows = Shows.TIMES) -> Feed:
    entries = [Entry(visit, property.details) for visit in visits]
    return Feed(property.details.name, entries, complete=True, shows=shows)


def test_a_feed_names_property_address_and_place_and_the_visitor_only_where_it_was_shared_so() -> None:
    villa, visitor = a_property(name="Villa"), Visitor("Ada", "ada@example.com", "+49 30 1")
    elsewhere = a_visit(place="Bus stop", visitor=visitor, notes="SECRET")
    at_home = a_visit(place=villa.details.address, visitor=Visitor(email="eve@example.com"))
    nowhere = Entry(a_visit(property_id="gone"))

    def shown(shows: Shows) -> list[tuple[str, ...]]:
        feed = a_feed(villa, [elsewhere, at_home], shows)
        events = events_of(joined(write_feed(replace(feed, entries=[*feed.entries, nowhere]))))
        return [tuple(str(e.get(name, "")) for name in ("SUMMARY", "LOCATION", "DESCRIPTION")) for e in events]

    address = villa.details.address
    plain = [("Visit: Villa", "Bus stop", f"Address: {address}"), ("Visit: Villa", address, "")]
    gone = ("Visit: gone", nowhere.visit.place, "")
    assert shown(Shows.TIMES) == [*plain, gone]
    named = ("Visit: Ada, Villa", "Bus stop", f"Address: {address}\nVisitor: Ada\nPhone: +49 30 1")
    # Whoever left an e-mail address only is not named by it.
    assert shown(Shows.VISITORS) == [named, plain[1], gone]


def test_a_feed_says_nothing_of_the_visitor() -> None:
    visit = full("SECRET", place="Lane 1", property_id="house")
    content = joined(write_feed(a_feed(a_property(name="House, \\1"), [visit])))
    assert b"SECRET" not in content
    calendar: Any = icalendar.Calendar.from_ical(content)
    # Both are TEXT (RFC 7986, section 5.1), which the library does not know and leaves escaped.
    assert {b"NAME:House\\, \\\\1", b"X-WR-CALNAME:House\\, \\\\1"} <= set(content.split(b"\r\n"))
    (event,) = calendar.walk("VEVENT")
    assert (str(event["SUMMARY"]), str(event["LOCATION"])) == ("Cancelled: Visit: House, \\1", "Lane 1")
    assert str(event["STATUS"]) == "CANCELLED"


def test_a_feed_that_ends_early_says_so() -> None:
    feed = replace(a_feed(a_property(), [a_visit()]), complete=False)
    calendar: Any = icalendar.Calendar.from_ical(joined(write_feed(feed)))
    assert "more follow" in str(calendar["DESCRIPTION"])


def test_a_token_is_long_and_opens_only_what_it_was_made_for() -> None:
    token = new_token()
    assert len(token) == 43
    assert token != new_token()
    assert opens(token, token_hash(token))
    assert not opens(token, token_hash(new_token()))
    assert not opens(token, None)
    assert not opens("", bytes(32))


# Bounds


class Endless:
    """A store whose list has so many visits; every page of it as large as asked for, or empty."""

    def __init__(self, visits: int, empty_pages: bool = False) -> None:
        self.pages = 0
        self._left = visits
        self._empty = empty_pages

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        self.pages += 1
        count = 0 if self._empty else min(limit, self._left)
        self._left -= count
        return Page([a_visit()] * count, "more" if self._left else None)


ALL = VisitFilter(Window(NOW, NOW + timedelta(days=1)))


def exporting(store: Endless) -> Exports:
    # An export lists visits, and nothing else.
    return Exports(store, FakeProperties(Memory()), FakeAgents(Memory()))  # type: ignore[arg-type] # a store that only lists


def lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    return (entry.visit.id.encode() + b"\n" for entry in entries)


def test_an_export_has_as_many_rows_as_allowed_and_not_one_more() -> None:
    assert exporting(Endless(MOST_ROWS)).export(ALL, lines).count(b"\n") == MOST_ROWS
    store = Endless(10 * MOST_ROWS)
    with pytest.raises(ExportTooLarge) as refused:
        exporting(store).export(ALL, lines)
    assert (refused.value.limit, refused.value.most) == ("rows", MOST_ROWS)
    assert store.pages == 5  # and it stopped reading


def test_an_export_stops_writing_when_it_is_too_large() -> None:
    written = itertools.count(1)

    def huge(entries: Iterable[Entry]) -> Iterator[bytes]:
        return (bytes(next(written) and 1_000_000) for _ in entries)

    with pytest.raises(ExportTooLarge) as refused:
        exporting(Endless(MOST_ROWS)).export(ALL, huge)
    assert (refused.value.limit, refused.value.most) == ("bytes", MOST_BYTES)
    assert next(written) == 6  # the fifth megabyte was one too many
    assert len(exporting(Endless(1)).export(ALL, lambda _: [bytes(MOST_BYTES)])) == MOST_BYTES


def test_an_export_does_not_look_for_ever_for_what_matches_a_filter() -> None:
    store = Endless(1, empty_pages=True)
    with pytest.raises(ExportTooLarge) as refused:
        exporting(store).export(ALL, lines)
    assert (refused.value.limit, refused.value.most) == ("pages", MOST_PAGES)
    assert store.pages == MOST_PAGES


class CountingProperties(FakeProperties):
    """How often a property is read by itself, and how often a page of them."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.gets: list[str] = []
        self.pages = 0

    def get(self, property_id: str) -> Property:
        self.gets.append(property_id)
        return super().get(property_id)

    def list(self, filter: PropertyFilter, after: str | None, limit: int) -> Page[Property]:
        self.pages += 1
        return super().list(filter, after, limit)


def names_in_an_export(properties: int, visits: int, unknown: int = 0) -> tuple[list[str], CountingProperties]:
    """The names that an export tells, of visits spread over properties, and what was read for them."""
    memory = Memory()
    for n in range(properties):
        memory.properties[f"p{n:05}"] = a_property(f"p{n:05}", name=f"name of p{n:05}")
    for n in range(visits):
        visit = a_visit(property_id=f"p{n % (properties + unknown):05}", date=NOW + timedelta(seconds=n))
        memory.visits[visit.id] = visit
    read = CountingProperties(memory)

    def names(entries: Iterable[Entry]) -> Iterator[bytes]:
        for entry in entries:
            known = entry.visit.property_id in memory.properties
            assert (entry.details is not None) is known
            yield (entry.details.name if entry.details else "-").encode() + b"\n"

    told = Exports(FakeVisits(memory), read, FakeAgents(memory)).export(ALL, names).decode().splitlines()
    return told, read


def test_an_export_reads_each_of_a_few_properties_once() -> None:
    names, read = names_in_an_export(properties=3, visits=5000, unknown=1)
    assert names[:5] == ["name of p00000", "name of p00001", "name of p00002", "-", "name of p00000"]
    assert (read.gets, read.pages) == (["p00000", "p00001", "p00002", "p00003"], 0)


def test_an_export_over_many_properties_goes_through_their_list() -> None:
    names, read = names_in_an_export(properties=ONE_BY_ONE + 1, visits=3000, unknown=1)
    assert names[ONE_BY_ONE : ONE_BY_ONE + 2] == [f"name of p{ONE_BY_ONE:05}", "-"]
    assert (read.gets, read.pages) == ([f"p{ONE_BY_ONE + 1:05}"], 1)


def test_an_export_finds_every_name_on_however_many_pages_they_are() -> None:
    few, read = names_in_an_export(properties=ONE_BY_ONE, visits=ONE_BY_ONE)
    assert (len(read.gets), read.pages) == (ONE_BY_ONE, 0)
    many, read = names_in_an_export(properties=THINGS_OF_PAGE + 1, visits=THINGS_OF_PAGE + 1)
    assert (read.gets, read.pages) == ([], 2)
    assert "-" not in {*few, *many}


def test_what_an_export_reads_for_names_is_bounded() -> None:
    _, read = names_in_an_export(properties=10, visits=6000, unknown=6000)
    assert (len(read.gets), read.pages) == (ONE_BY_ONE, 1)


def test_text_that_lambda_would_blow_up_is_too_large() -> None:
    assert text_body(b"x" * MOST_BYTES)
    with pytest.raises(ExportTooLarge):
        text_body(("д" * 1_900_000).encode())  # 3.8 MB, but 11.4 MB as \u0434


def test_requests_that_export_no_workbook_start_without_what_writes_them() -> None:
    loaded = "import sys, app; print([name for name in sys.modules if name.startswith('xlsxwriter')])"
    ran = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# Sheets, whose tables are what strangers sent


def table(name: str = "", *merges: Merge) -> Grid:
    lines = (Line(number, (Written(f"a{number}"), Written(f"b{number}"))) for number in (1, 2, 3))
    return Grid(tuple(lines), name, merges=merges)


def taken_away(*grids: Grid) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(write_sheet([], grids, [], None, NOW)))


@pytest.mark.parametrize("names", [("2 x", "x"), ("2", ""), ("x", "X"), ("1 x", *["x"] * 11)], ids=str)
def test_tables_of_any_names_are_taken_away_together(names: tuple[str, ...]) -> None:
    titles = taken_away(*map(table, names)).sheetnames
    assert len(titles) == 1 + len(names)


@pytest.mark.parametrize(
    ("merges", "shown"),
    [
        ([Merge(0, 0, 2, 1), Merge(0, 0, 2, 2)], {"A1:A2"}),
        ([Merge(0, 0, 1_048_576, 16_384)], {"A1:B3"}),
        ([Merge(-2, 0, 2, 2), Merge(1, 1, 0, 0), Merge(7, 7, 2, 2), Merge(0, 1, 1, 1)], set()),
        ([Merge(0, 0, 1, 2), Merge(1, 0, 2, 1), Merge(1, 1, 5, 1)], {"A1:B1", "A2:A3", "B2:B3"}),
    ],
    ids=["one over the other", "as large as a worksheet", "outside of the table", "side by side"],
)
def test_cells_that_are_said_to_be_one_are_so_within_their_table(merges: list[Merge], shown: set[str]) -> None:
    sheet = taken_away(table("", *merges))["Table"]
    assert {str(merged) for merged in sheet.merged_cells.ranges} == shown
    assert sheet["A1"].value == "a1"
