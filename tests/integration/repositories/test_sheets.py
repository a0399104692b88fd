"""Sheets in their store: claims, corrections, what is known of bytes and of names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import SheetNotFound, StoreBusy, VersionMismatch
from chalicelib.domain.intakes import RowOutcome
from chalicelib.domain.sheets import KEPT, Field, Kind, Reading, Settings, Sheet, SheetStatus, StoredRow
from chalicelib.services.ports import SheetStore
from tests.builders import NOW, visit_id
from tests.integration.repositories.stores import LATER, SECOND
from tests.sheets import read

BEFORE_CLAIM_ENDS = NOW + timedelta(minutes=2)
AFTER_CLAIM = NOW + timedelta(minutes=4)
DAY = "propertyId,date,time\n"


def a_sheet(**changes: Any) -> Sheet:
    usual = Sheet(visit_id(), "visits", Kind.CSV, 100, Settings("Europe/Berlin"), "ann", created_at=NOW, since=NOW)
    return replace(usual, **changes)


def reading(rows: int = 3) -> Reading:
    return read((DAY + "h1-a,2027-03-12,10:30\n" * rows).encode())


def in_review(sheets: SheetStore, rows: int = 3) -> Sheet:
    """A sheet that was read; its rows are 2, 3, ..."""
    sheet = a_sheet(status=SheetStatus.READING)
    sheets.add(sheet)
    return sheets.write(sheet, sheet.moved(SheetStatus.REVIEW, NOW), reading(rows))


def row_of(sheets: SheetStore, sheet: Sheet, number: int) -> StoredRow:
    row = sheets.row(sheet, number)
    assert row is not None
    return row


def now_of(sheets: SheetStore, sheet: Sheet) -> Sheet:
    return sheets.get(sheet.id, NOW)


def test_a_sheet_stands_until_it_expires_and_changes_from_what_it_was(sheets: SheetStore) -> None:
    sheet = a_sheet(repeats="another", settings=Settings("Europe/Berlin", columns={0: Field.DATE, 1: None}))
    with pytest.raises(SheetNotFound):
        sheets.get(sheet.id, NOW)
    sheets.add(sheet)
    assert sheets.get(sheet.id, NOW + KEPT - SECOND) == sheet
    with pytest.raises(SheetNotFound):
        sheets.get(sheet.id, NOW + KEPT)
    begun = sheet.moved(SheetStatus.READING, LATER)
    sheets.save(sheet, begun)
    assert now_of(sheets, sheet) == begun
    for late in (lambda: sheets.save(sheet, begun), lambda: sheets.write(sheet, begun, reading())):
        with pytest.raises(VersionMismatch):
            late()
    assert now_of(sheets, sheet) == begun


def test_a_claim_is_one_s_until_it_ends_or_is_given_back(sheets: SheetStore) -> None:
    sheet = a_sheet()
    sheets.add(sheet)
    assert sheets.claim(sheet, "one", NOW)
    assert not sheets.claim(sheet, "other", BEFORE_CLAIM_ENDS)
    assert sheets.claim(sheet, "one", NOW)
    sheets.release(sheet, "other")
    assert not sheets.claim(sheet, "other", BEFORE_CLAIM_ENDS)
    assert sheets.claim(sheet, "other", AFTER_CLAIM)
    sheets.release(sheet, "other")
    assert sheets.claim(sheet, "one", AFTER_CLAIM)


def test_rows_come_by_number_in_pages(sheets: SheetStore) -> None:
    sheet = in_review(sheets, 120)
    assert now_of(sheets, sheet) == sheet
    assert (sheet.reading, sheet.contents.rows) == (1, 120)
    page = sheets.rows(sheet, 0, 100)
    assert [row.row.number for row in page.items] == list(range(2, 102))
    assert {row.version for row in page.items} == {1}
    assert page.next == "101"
    rest = sheets.rows(sheet, 101, 100)
    assert [row.row.number for row in rest.items] == list(range(102, 122))
    assert rest.next is None
    assert row_of(sheets, sheet, 60) == page.items[58]
    assert sheets.row(sheet, 1) is None
    assert sheets.row(sheet, 122) is None


def test_a_correction_stands_over_what_was_read_and_outlives_a_new_reading(sheets: SheetStore) -> None:
    sheet = in_review(sheets)
    before = row_of(sheets, sheet, 3)
    after = replace(before.row, reviewed=True, issues=())
    changed = sheets.review(sheet, before, after)
    assert (changed.row, changed.version) == (after, 2)
    assert row_of(sheets, sheet, 3) == changed
    assert sheets.corrections(sheet) == {3}
    assert now_of(sheets, sheet).revision == sheet.revision + 1
    with pytest.raises(VersionMismatch):
        sheets.review(sheet, before, after)
    standing = now_of(sheets, sheet)
    anew = sheets.write(standing, standing.moved(SheetStatus.REVIEW, NOW), reading())
    assert anew.reading == 2
    assert row_of(sheets, anew, 3) == changed
    assert row_of(sheets, anew, 2).version == 2
    with pytest.raises(VersionMismatch):
        sheets.review(sheet, row_of(sheets, anew, 2), after)
    with pytest.raises(StoreBusy):
        sheets.rows(sheet, 0, 10)


def test_what_a_person_has_looked_at_is_counted_once(sheets: SheetStore) -> None:
    sheet = in_review(sheets)
    before = row_of(sheets, sheet, 2)
    unseen = replace(before, row=replace(before.row, reviewed=False))
    first = sheets.review(sheet, unseen, replace(before.row, reviewed=True))
    sheets.review(sheet, first, replace(before.row, reviewed=True, line=9))
    assert now_of(sheets, sheet).reviewed == sheet.reviewed + 1


def test_what_is_registered_is_named_and_what_became_of_it_is_added(sheets: SheetStore) -> None:
    sheet = in_review(sheets)
    begun = sheet.moved(SheetStatus.REGISTERING, NOW)
    assert sheets.pending(sheet) == {}
    sheets.begin(sheet, begun, {4: "e-4", 2: "e-2"})
    assert list(sheets.pending(begun).items()) == [(4, "e-4"), (2, "e-2")]
    with pytest.raises(VersionMismatch):
        sheets.begin(sheet, begun, {3: "e-3"})
    with pytest.raises(VersionMismatch):
        sheets.review(sheet, row_of(sheets, sheet, 3), row_of(sheets, sheet, 3).row)
    created = RowOutcome(0, "e-4", "created", "visit")
    settled = begun.moved(SheetStatus.REVIEW, NOW)
    sheets.settle(begun, settled, {4: created})
    with pytest.raises(VersionMismatch):
        sheets.settle(begun, settled, {})
    again = settled.moved(SheetStatus.REGISTERING, NOW)
    sheets.begin(settled, again, {2: "e-2"})
    rejected = RowOutcome(0, "e-2", "rejected", None, {"status": 409})
    sheets.settle(again, again.moved(SheetStatus.REVIEW, NOW), {2: rejected})
    outcomes = [row.outcome for row in sheets.rows(now_of(sheets, sheet), 0, 10).items]
    assert outcomes == [rejected, None, created]


def test_bytes_are_known_by_the_sheet_that_had_them_first_while_it_is_there(sheets: SheetStore) -> None:
    digest = visit_id()
    first, second = a_sheet(digest=digest), a_sheet()
    assert sheets.known(digest, NOW) is None
    assert sheets.first_with(digest, first, NOW) == first.id
    assert sheets.first_with(digest, first, NOW) == first.id
    assert sheets.first_with(digest, second, NOW) == first.id
    assert sheets.known(digest, NOW) == first.id
    assert sheets.known(digest, NOW + KEPT) is None
    sheets.forget(digest, second.id, NOW)
    assert sheets.known(digest, NOW) == first.id
    sheets.forget(digest, first.id, NOW)
    assert sheets.known(digest, NOW) is None
    assert sheets.first_with(digest, first, NOW) == first.id
    sheets.add(first)
    sheets.delete(first.id, NOW)
    assert sheets.first_with(digest, second, NOW) == second.id


def test_what_persons_have_said_of_a_name_is_remembered_the_last_time_counts(sheets: SheetStore) -> None:
    written = visit_id()
    assert written not in sheets.confirmed()
    sheets.confirm(written, "house", NOW)
    sheets.confirm(written, "hall", NOW)
    assert sheets.confirmed()[written] == "hall"


def test_whoever_comes_after_a_sheet_is_deleted_comes_too_late(sheets: SheetStore) -> None:
    sheet = in_review(sheets)
    row = row_of(sheets, sheet, 2)
    with pytest.raises(SheetNotFound):
        sheets.delete(visit_id(), NOW)
    sheets.delete(sheet.id, NOW)
    with pytest.raises(SheetNotFound):
        now_of(sheets, sheet)
    for late in (
        lambda: sheets.save(sheet, sheet.moved(SheetStatus.REVIEW, NOW)),
        lambda: sheets.review(sheet, row, row.row),
        lambda: sheets.begin(sheet, sheet.moved(SheetStatus.REGISTERING, NOW), {2: "e"}),
    ):
        with pytest.raises(VersionMismatch):
            late()
    assert sheet.id not in [each.id for each in sheets.list(None, 1000).items]


def test_lists_begin_with_the_newest(sheets: SheetStore) -> None:
    there = [a_sheet(created_at=NOW + timedelta(hours=n)) for n in range(3)]
    for sheet in there:
        sheets.add(sheet)
    ours = {sheet.id for sheet in there}
    page = sheets.list(None, 2)
    assert [sheet for sheet in page.items if sheet.id in ours] == [there[2], there[1]]
    assert page.next is not None
    assert there[0] in sheets.list(page.next, 100).items
