"""Sheets, from their announcement to what became of their rows, without AWS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import (
    InvalidInput,
    NothingToRegister,
    OutcomeUnknown,
    PropertyNotFound,
    SheetFileGone,
    SheetNotFound,
    SheetNotReady,
    SheetRepeated,
    SheetRowNotFound,
    SheetRowRegistered,
    StoreBusy,
    VersionMismatch,
)
from chalicelib.domain.idempotency import KEPT as INTAKES_KEPT
from chalicelib.domain.intakes import RowOutcome
from chalicelib.domain.sheets import (
    GAVE_UP,
    KEPT,
    NOTICED_WITHIN,
    READ_WITHIN,
    UPLOAD_WITHIN,
    CannotRead,
    Failure,
    Field,
    Kind,
    Order,
    Settings,
    Sheet,
    SheetStatus,
    StoredRow,
)
from chalicelib.services.sheet_reader import Notice, Read
from chalicelib.services.sheets import Announced, Reread
from tests.agency import Agency
from tests.builders import NOW, a_property, minutes
from tests.fake_sheets import FakeSheets
from tests.pictures import a_png
from tests.sheets import an_answer

BERLIN = "Europe/Berlin"
SECOND = timedelta(seconds=1)
CLEAN = "house,2027-03-12,10:30,Ada"
NAMED = "Property,Date,Time,Visitor"
DOUBTFUL = "house,2027-03-12,half five,Ben"


@pytest.fixture
def agency() -> Agency:
    return Agency()


def csv(*rows: str, header: str = "propertyId,date,time,visitorName") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def to_come(content: bytes, kind: Kind = Kind.CSV, **changes: Any) -> Sheet:
    usual = Sheet("", "visits", kind, len(content), Settings(BERLIN), "ann", created_at=NOW, since=NOW)
    return replace(usual, **changes)


def announced(agency: Agency, content: bytes, kind: Kind = Kind.CSV, **changes: Any) -> Sheet:
    sheet, _ = agency.services.sheets.announce(Announced(to_come(content, kind, **changes), None))
    agency.files.uploads[sheet.id] = content
    return sheet


def uploaded(agency: Agency, content: bytes, kind: Kind = Kind.CSV, **changes: Any) -> str:
    """The id of a sheet that was announced, uploaded and read."""
    sheet = announced(agency, content, kind, **changes)
    assert agency.services.sheet_reader.read(Notice(sheet.id, "reader")) is Read.READ
    return sheet.id


def photographed(agency: Agency, *rows: str) -> str:
    grid = [["Property", "Date", "Time", "Name"], *(row.split(",") for row in rows)]
    agency.recognition.answer = an_answer(grid)
    return uploaded(agency, a_png(len(agency.files.answers) + 1), Kind.PNG)


def rows_of(agency: Agency, sheet_id: str) -> list[StoredRow]:
    return agency.services.sheets.rows(sheet_id, None, 1000).items


def status_of(agency: Agency, sheet_id: str) -> SheetStatus:
    return agency.services.sheets.get(sheet_id).status


def corrected(
    agency: Agency, sheet_id: str, number: int, versions: frozenset[int] | None = None, **changes: str | None
) -> StoredRow:
    fields = {Field(name): text for name, text in changes.items()}
    return agency.services.sheets.correct(sheet_id, number, fields, versions)


def registered(agency: Agency, sheet_id: str) -> Sheet:
    """The sheet once what was handed in is worked off."""
    agency.services.sheets.register(sheet_id, None)
    agency.work()
    return agency.services.sheets.get(sheet_id)


# Announced


def test_an_announced_sheet_waits_for_its_upload_and_says_where(agency: Agency) -> None:
    agency.clock.advance(minutes(5))
    sheet, upload = agency.services.sheets.announce(Announced(to_come(b"abc"), None))
    assert (sheet.created_at, sheet.since, sheet.status) == (
        agency.clock(),
        agency.clock(),
        SheetStatus.AWAITING_UPLOAD,
    )
    assert upload.fields == {"key": sheet.id}
    assert upload.expires_at == agency.clock() + UPLOAD_WITHIN
    assert agency.services.sheets.get(sheet.id) == sheet


def test_a_sheet_of_a_property_that_is_not_there_is_refused(agency: Agency) -> None:
    settings = Settings(BERLIN, property_id="nowhere")
    with pytest.raises(PropertyNotFound):
        agency.services.sheets.announce(Announced(to_come(b"abc", settings=settings), None))
    assert agency.services.sheets.list(None, 10).items == []
    announced(agency, b"abc", settings=replace(settings, property_id="house"))


def test_bytes_that_came_before_are_told_of_before_they_are_sent(agency: Agency) -> None:
    content = csv(CLEAN)
    digest = hashlib.sha256(content).hexdigest()
    first = uploaded(agency, content)
    assert agency.services.sheets.get(first).digest == digest
    with pytest.raises(SheetRepeated) as refused:
        agency.services.sheets.announce(Announced(to_come(content), digest))
    assert refused.value.sheet_id == first
    known, _ = agency.services.sheets.announce(Announced(to_come(content, repeats=first), digest))
    assert known.repeats == first
    agency.services.sheets.announce(Announced(to_come(b"other"), hashlib.sha256(b"other").hexdigest()))


# Listed and looked at


def test_sheets_are_listed_the_newest_first_in_pages_until_they_expire(agency: Agency) -> None:
    ids = []
    for _ in range(3):
        ids.append(announced(agency, b"abc").id)
        agency.clock.advance(minutes(1))
    page = agency.services.sheets.list(None, 2)
    assert [sheet.id for sheet in page.items] == [ids[2], ids[1]]
    assert [sheet.id for sheet in agency.services.sheets.list(page.next, 2).items] == [ids[0]]
    agency.clock.now = NOW + KEPT
    assert [sheet.id for sheet in agency.services.sheets.list(None, 3).items] == [ids[2], ids[1]]
    with pytest.raises(SheetNotFound):
        agency.services.sheets.get(ids[0])


def test_what_never_came_is_told_as_expired_alone_and_in_lists(agency: Agency) -> None:
    sheet = announced(agency, b"abc")
    agency.clock.advance(UPLOAD_WITHIN + minutes(6))
    assert status_of(agency, sheet.id) is SheetStatus.EXPIRED
    assert [told.status for told in agency.services.sheets.list(None, 1).items] == [SheetStatus.EXPIRED]


def test_a_sheet_is_over_the_second_after_it_was_to_be() -> None:
    waits = to_come(b"abc")
    last = NOW + UPLOAD_WITHIN + NOTICED_WITHIN
    assert waits.at(last) is waits
    assert waits.at(last + SECOND) == replace(waits, status=SheetStatus.EXPIRED, revision=2)
    reading = waits.moved(SheetStatus.READING, NOW)
    assert (reading.revision, reading.since) == (2, NOW)
    last = NOW + READ_WITHIN
    assert reading.at(last) is reading
    assert reading.at(last + SECOND) == replace(
        reading, status=SheetStatus.FAILED, failure=Failure.GAVE_UP, advice=GAVE_UP, revision=3
    )
    told = reading.moved(SheetStatus.REVIEW, NOW)
    assert told.at(last + KEPT) is told


def test_before_it_was_read_a_sheet_has_no_rows(agency: Agency) -> None:
    sheet = announced(agency, csv(CLEAN))
    for look in (
        lambda: agency.services.sheets.rows(sheet.id, None, 10),
        lambda: agency.services.sheets.row(sheet.id, 2),
        lambda: corrected(agency, sheet.id, 2, time="11:00"),
        lambda: agency.services.sheets.register(sheet.id, None),
        lambda: agency.services.sheets.workbook(sheet.id, None),
        lambda: agency.services.sheets.picture(sheet.id),
    ):
        with pytest.raises(SheetNotReady) as refused:
            look()
        assert refused.value.status is SheetStatus.AWAITING_UPLOAD


def test_rows_come_in_pages_each_as_it_was_understood(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN, DOUBTFUL, CLEAN))
    sheet = agency.services.sheets.get(id)
    assert (sheet.status, sheet.contents.rows, sheet.reviewed, sheet.reading) == (SheetStatus.REVIEW, 3, 2, 1)
    first = agency.services.sheets.rows(id, None, 2)
    assert [row.row.number for row in first.items] == [2, 3], "the heading is row 1"
    assert [row.row.number for row in agency.services.sheets.rows(id, first.next, 2).items] == [4]
    assert agency.services.sheets.row(id, 3) == first.items[1]
    for number in (1, 5):
        with pytest.raises(SheetRowNotFound):
            agency.services.sheets.row(id, number)


# Corrected


def test_a_row_is_ready_once_a_person_has_looked_at_it(agency: Agency) -> None:
    id = uploaded(agency, csv(DOUBTFUL))
    (before,) = rows_of(agency, id)
    assert not before.ready
    after = corrected(agency, id, 2, frozenset({before.version}), time="16:30")
    assert after.ready
    assert rows_of(agency, id) == [after]
    assert agency.services.sheets.get(id).reviewed == 1
    assert corrected(agency, id, 2, time="16:30") == after, "nothing changed"
    with pytest.raises(VersionMismatch):
        corrected(agency, id, 2, frozenset({before.version}), time="17:30")
    with pytest.raises(SheetRowNotFound):
        corrected(agency, id, 3, time="17:30")


def test_a_correction_names_a_property_by_its_id_and_what_was_written_is_remembered(agency: Agency) -> None:
    agency.properties.add(a_property("lake", name="Lake house"))
    id = uploaded(agency, csv("the old mill,2027-03-12,10:30,Ada", header=NAMED))
    with pytest.raises(InvalidInput) as refused:
        corrected(agency, id, 2, propertyId="nowhere")
    assert refused.value.errors[0].pointer == "#/propertyId"
    assert corrected(agency, id, 2, propertyId="lake").row.value(Field.PROPERTY) == "lake"
    again = uploaded(agency, csv("the old mill,2027-03-19,10:30,Ada", header=NAMED))
    (row,) = rows_of(agency, again)
    assert row.row.value(Field.PROPERTY) == "lake"


def test_all_properties_of_an_agency_are_known_however_many_pages_they_are(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.services.sheets.PROPERTIES_OF_PAGE", 2)
    names = ("Villa Elm", "Altbau Mitte", "Loft Chicago", "Hafen Hall")
    for n, name in enumerate(names):
        agency.properties.add(a_property(f"p-{n}", name=name, address=f"{name}, Berlin"))
    id = uploaded(agency, csv(*(f"{name},2027-03-12,10:30,Ada" for name in names), header=NAMED))
    assert [row.row.value(Field.PROPERTY) for row in rows_of(agency, id)] == ["p-0", "p-1", "p-2", "p-3"]
    assert [each.id for each in agency.services.sheets.workbook(id, None).properties] == [
        "house", "p-0", "p-1", "p-2", "p-3",
    ]  # fmt: skip
    monkeypatch.setattr("chalicelib.services.sheets.MOST_PROPERTIES", 4)
    assert len(agency.services.sheets.workbook(id, None).properties) == 4


# Read anew


def test_reading_anew_follows_the_settings_and_keeps_what_a_person_has_said(agency: Agency) -> None:
    id = uploaded(agency, csv("house,3/4/2027,10:30,Ada", "house,3/4/2027,half five,Ben"))
    corrected(agency, id, 3, date="2027-04-05", time="16:30")
    before = agency.services.sheets.get(id)
    with pytest.raises(VersionMismatch):
        agency.services.sheets.read_anew(id, Reread(BERLIN, None, {}, None), frozenset({before.revision - 1}))
    agency.clock.advance(minutes(1))
    reread = Reread("Europe/London", Order.MONTH_FIRST, {}, "house")
    after = agency.services.sheets.read_anew(id, reread, frozenset({before.revision}))
    assert after.settings == Settings("Europe/London", Order.MONTH_FIRST, {}, "house")
    assert (after.status, after.since, after.reading) == (SheetStatus.REVIEW, agency.clock(), 2)
    assert after.revision > before.revision
    assert [row.row.value(Field.DATE) for row in rows_of(agency, id)] == ["2027-03-04", "2027-04-05"]
    assert after.reviewed == sum(row.row.reviewed for row in rows_of(agency, id))


def test_settings_by_which_it_cannot_be_read_change_nothing(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    id = uploaded(agency, csv(CLEAN))
    before = agency.services.sheets.get(id)

    def too_much(*_: object) -> None:
        raise CannotRead(Failure.TOO_LARGE, "divide it")

    with monkeypatch.context() as patch:
        patch.setattr(FakeSheets, "write", too_much)
        with pytest.raises(InvalidInput) as refused:
            agency.services.sheets.read_anew(id, Reread(BERLIN, None, {}, None), None)
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [("#/columns", "too-large: divide it")]
    with pytest.raises(PropertyNotFound):
        agency.services.sheets.read_anew(id, Reread(BERLIN, None, {}, "nowhere"), None)
    assert agency.services.sheets.get(id) == before


def test_a_picture_is_read_anew_without_asking_the_recognition_again(agency: Agency) -> None:
    id = photographed(agency, "house,3/4/2027,10:30,Ada")
    agency.services.sheets.read_anew(id, Reread(BERLIN, Order.DAY_FIRST, {}, None), None)
    assert agency.recognition.asked == 1
    assert rows_of(agency, id)[0].row.value(Field.DATE) == "2027-04-03"


@pytest.mark.parametrize("kind", [Kind.CSV, Kind.PNG])
def test_without_its_file_a_sheet_is_not_read_anew_but_still_taken_away(agency: Agency, kind: Kind) -> None:
    id = uploaded(agency, csv(CLEAN)) if kind is Kind.CSV else photographed(agency, CLEAN)
    book = agency.services.sheets.workbook(id, "picture")
    assert book.source is not None
    assert (book.picture is not None) is kind.recognised
    assert agency.services.sheets.workbook(id, None).picture is None
    agency.files.delete(id)
    with pytest.raises(SheetFileGone):
        agency.services.sheets.read_anew(id, Reread(BERLIN, None, {}, None), None)
    without = agency.services.sheets.workbook(id, "picture")
    assert (without.source, without.picture) == (None, None)
    assert without.rows == book.rows == rows_of(agency, id)


def test_a_picture_has_a_link_while_it_is_kept(agency: Agency) -> None:
    id = photographed(agency, CLEAN)
    sheet, link = agency.services.sheets.picture(id)
    assert (sheet.id, link) == (id, f"https://files.example/{id}")
    with pytest.raises(SheetFileGone):
        agency.services.sheets.picture(uploaded(agency, csv(CLEAN)))
    agency.clock.advance(timedelta(days=30))
    with pytest.raises(SheetFileGone):
        agency.services.sheets.picture(id)


# Registered


def test_what_is_ready_becomes_visits_and_the_sheet_says_so(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN, "house,2027-03-12,11:30,Ben"))
    intake = agency.services.sheets.register(id, None)
    assert status_of(agency, id) is SheetStatus.REGISTERING
    assert agency.services.sheets.get(id).intake_id == intake.manifest.id
    assert intake.manifest.producer == "ann"
    (chunk,) = agency.waiting()
    assert len(chunk.rows) == 2
    agency.clock.advance(minutes(1))
    agency.work()
    sheet = agency.services.sheets.get(id)
    assert (sheet.status, sheet.registered, sheet.since) == (SheetStatus.REGISTERED, 2, agency.clock())
    outcomes = [row.outcome for row in rows_of(agency, id)]
    assert [outcome and outcome.result for outcome in outcomes] == ["created", "created"]
    assert {visit.date.isoformat() for visit in agency.memory.visits.values()} == {
        "2027-03-12T09:30:00+00:00",
        "2027-03-12T10:30:00+00:00",
    }


def test_registering_twice_is_one_intake_also_when_it_is_done(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN))
    first = agency.services.sheets.register(id, None)
    assert agency.services.sheets.register(id, None).manifest.id == first.manifest.id
    assert len(agency.queue.messages) == 1
    agency.work()
    assert agency.services.sheets.register(id, None).manifest.id == first.manifest.id
    assert len(agency.memory.visits) == 1
    agency.clock.advance(INTAKES_KEPT)
    with pytest.raises(NothingToRegister):
        agency.services.sheets.register(id, None)


@pytest.mark.parametrize("column", ["visitorName", "externalId"])
def test_what_no_queue_takes_does_not_hold_up_a_sheet(agency: Agency, column: str) -> None:
    """U+FFFE and U+FFFF are no characters, and yet UTF-8 can write them."""
    rows = (f"house,2027-03-12,1{hour}:00,A\ufffe\uffff{hour}" for hour in (0, 1))
    sheet = uploaded(agency, csv(*rows, header=f"propertyId,date,time,{column}"))
    assert agency.services.sheets.register(sheet, None).manifest.rows == 2


def test_where_nothing_is_ready_there_is_nothing_to_register(agency: Agency) -> None:
    with pytest.raises(NothingToRegister):
        agency.services.sheets.register(uploaded(agency, csv(DOUBTFUL)), None)
    assert agency.queue.messages == []


def test_rows_that_are_left_are_registered_later_and_registered_ones_stay_as_they_are(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN, DOUBTFUL))
    sheet = registered(agency, id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REVIEW, 1)
    with pytest.raises(SheetRowRegistered):
        corrected(agency, id, 2, time="11:00")
    corrected(agency, id, 3, time="16:30")
    agency.queue.messages.clear()
    sheet = registered(agency, id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REGISTERED, 2)
    assert len(agency.memory.visits) == 2
    with pytest.raises(SheetNotReady):
        corrected(agency, id, 3, time="17:30")
    with pytest.raises(SheetNotReady):
        agency.services.sheets.read_anew(id, Reread(BERLIN, None, {}, None), None)


def test_a_row_that_was_rejected_can_be_corrected_and_registered(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN, "house,2027-03-12,10:30,Ben"))
    sheet = registered(agency, id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REVIEW, 1)
    (left,) = (row for row in rows_of(agency, id) if not row.registered)
    assert left.outcome is not None
    assert left.outcome.problem is not None
    corrected(agency, id, left.row.number, time="14:00")
    agency.queue.messages.clear()
    assert registered(agency, id).status is SheetStatus.REGISTERED


def test_rows_that_say_the_same_are_counted_and_a_file_that_has_grown_books_nothing_twice(agency: Agency) -> None:
    agency.properties.add(a_property("hall", capacity=5))
    row = "hall,2027-03-12,10:30,Ada"
    registered(agency, uploaded(agency, csv(row, row)))
    agency.queue.messages.clear()
    grown = uploaded(agency, csv(row, row, row, header="propertyId,date,time,visitorName"))
    assert registered(agency, grown).registered == 3
    results = [stored.outcome and stored.outcome.result for stored in rows_of(agency, grown)]
    assert results == ["duplicate", "duplicate", "created"]
    assert len(agency.memory.visits) == 3


def test_equal_rows_of_a_sheet_that_is_registered_in_two_steps_are_two_visits(agency: Agency) -> None:
    agency.properties.add(a_property("hall", capacity=5))
    id = uploaded(agency, csv("hall,2027-03-12,10:30,Ada", "hall,2027-03-12,half noon,Ada"))
    registered(agency, id)
    corrected(agency, id, 3, time="10:30")
    agency.queue.messages.clear()
    assert registered(agency, id).registered == 2
    assert len(agency.memory.visits) == 2


def test_a_visit_is_known_by_its_own_id_by_what_a_file_says_or_by_its_place_in_a_picture(agency: Agency) -> None:
    agency.properties.add(a_property("hall", capacity=5))
    file = uploaded(
        agency, csv("hall,2027-03-12,10:30,A-1", "hall,2027-03-12,11:30,", header="propertyId,date,time,externalId")
    )
    picture = photographed(agency, "hall,12 March 2027,12:30,Ada")
    corrected(agency, picture, 2, propertyId="hall", date="2027-03-12", time="12:30")
    for id in (file, picture):
        registered(agency, id)
        agency.queue.messages.clear()
    (own, said), (placed,) = (
        [row.outcome.external_id for row in rows_of(agency, id) if row.outcome] for id in (file, picture)
    )
    wish = {"date": "2027-03-12T10:30:00Z", "propertyId": "hall"}
    content = hashlib.sha256(json.dumps(wish, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    assert (own, said, placed) == ("A-1", f"row:{content[:48]}:1", f"sheet:{picture}:2")


def test_bytes_that_were_registered_before_are_not_registered_again_unawares(agency: Agency) -> None:
    first = uploaded(agency, csv(CLEAN))
    second = uploaded(agency, csv(CLEAN))
    assert agency.services.sheets.get(second).same_as == first
    with pytest.raises(SheetRepeated) as refused:
        agency.services.sheets.register(second, None)
    assert refused.value.sheet_id == first
    with pytest.raises(SheetRepeated):
        agency.services.sheets.register(second, second)
    agency.services.sheets.register(second, first)
    third = uploaded(agency, csv(CLEAN), repeats=first)
    agency.services.sheets.register(third, None)


# Interrupted, and at once


class Dying(FakeSheets):
    """The process ends, or somebody else is faster, before the sheet knows of its intake."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []

    def save(self, before: Sheet, after: Sheet) -> None:
        if self.faults and after.intake_id is not None:
            raise self.faults.pop(0)
        super().save(before, after)


@pytest.mark.parametrize("fault", [RuntimeError, VersionMismatch])
def test_registering_goes_on_where_it_was_interrupted(fault: type[Exception]) -> None:
    sheets = Dying()
    agency = Agency(sheets=sheets)
    id = uploaded(agency, csv(CLEAN, DOUBTFUL))
    sheets.faults = [fault()]
    try:
        agency.services.sheets.register(id, None)
    except RuntimeError:
        assert fault is RuntimeError
    assert status_of(agency, id) is SheetStatus.REGISTERING
    assert agency.services.sheets.get(id).intake_id is None
    with pytest.raises(SheetNotReady):
        corrected(agency, id, 3, time="16:30")
    sheet = registered(agency, id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REVIEW, 1)
    assert len(agency.memory.visits) == 1
    assert len(agency.queue.messages) == 1


def test_whoever_registers_while_the_sheet_changes_looks_again_and_gives_up_in_the_end(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = uploaded(agency, csv(CLEAN))
    begin, left = FakeSheets.begin, [2]

    def overtaken(self: FakeSheets, before: Sheet, after: Sheet, rows: Mapping[int, str]) -> None:
        if left[0]:
            left[0] -= 1
            raise VersionMismatch
        begin(self, before, after, rows)

    monkeypatch.setattr(FakeSheets, "begin", overtaken)
    agency.services.sheets.register(id, None)
    assert len(agency.queue.messages) == 1
    other = uploaded(agency, csv("house,2027-03-12,15:30,Ada"))
    left[0] = 3
    with pytest.raises(StoreBusy):
        agency.services.sheets.register(other, None)
    assert left == [0]


@pytest.mark.parametrize("fault", [VersionMismatch, OutcomeUnknown])
def test_what_became_of_the_rows_is_told_once_it_is_kept(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    id = uploaded(agency, csv(CLEAN))
    agency.services.sheets.register(id, None)
    agency.work()

    def refused(*_: object) -> None:
        raise fault()

    with monkeypatch.context() as patch:
        patch.setattr(FakeSheets, "settle", refused)
        assert status_of(agency, id) is SheetStatus.REGISTERING
    assert status_of(agency, id) is SheetStatus.REGISTERED


def test_an_intake_that_nobody_looked_at_in_time_is_registered_again_and_books_nothing_twice(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN))
    agency.services.sheets.register(id, None)
    agency.work()
    agency.clock.advance(INTAKES_KEPT)
    sheet = agency.services.sheets.get(id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REVIEW, 0)
    assert len(agency.memory.visits) == 1


def test_more_rows_than_a_page_of_results_are_all_told(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.sheets.READ_AT_ONCE", 2)
    id = uploaded(agency, csv(*(f"house,2027-03-{day},10:30,Ada" for day in range(12, 17))))
    sheet = registered(agency, id)
    assert (sheet.status, sheet.registered) == (SheetStatus.REGISTERED, 5)
    assert all(row.outcome == RowOutcome(n, row.outcome.external_id, "created", row.outcome.visit_id)
               for n, row in enumerate(rows_of(agency, id)) if row.outcome)  # fmt: skip
    assert len(agency.services.sheets.workbook(id, None).rows) == 5


def test_a_deleted_sheet_leaves_nothing_but_its_visits(agency: Agency) -> None:
    id = uploaded(agency, csv(CLEAN))
    registered(agency, id)
    agency.services.sheets.delete(id)
    with pytest.raises(SheetNotFound):
        agency.services.sheets.get(id)
    assert id not in agency.files.clean_copies
    assert len(agency.memory.visits) == 1
    with pytest.raises(SheetNotFound):
        agency.services.sheets.delete("unknown")
    assert uploaded(agency, csv(CLEAN)) != id
