"""Reading an upload without AWS: once, whatever is interrupted, told twice or deleted meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest

from chalicelib.domain.errors import SheetNotFound, StoreBusy
from chalicelib.domain.sheets import GAVE_UP, CannotRead, Failure, Kind, Sheet, SheetStatus
from chalicelib.services.sheet_reader import MOST_ATTEMPTS, Notice, Read
from tests.agency import Agency
from tests.builders import minutes
from tests.fake_sheets import CLAIMED_FOR, FakeRecognition, FakeSheetFiles, FakeSheets
from tests.pictures import a_png
from tests.sheets import an_answer
from tests.unit.test_sheets_service import CLEAN, announced, csv, rows_of, status_of

GRID = [["Property", "Date", "Time"], ["house", "12 March 2027", "10:30"]]


@pytest.fixture
def agency() -> Agency:
    return Agency(recognition=FakeRecognition(an_answer(GRID)))


def read(agency: Agency, sheet: Sheet, claimant: str = "reader", attempt: int = 1) -> Read:
    return agency.services.sheet_reader.read(Notice(sheet.id, claimant, attempt))


def kept(agency: Agency, sheet: Sheet) -> tuple[bool, bool, bool]:
    """Whether the upload, its clean copy and an answer of the recognition are there."""
    files = agency.files
    return sheet.id in files.uploads, sheet.id in files.clean_copies, sheet.id in files.answers


def test_a_file_is_read_and_its_copy_takes_the_place_of_the_upload(agency: Agency) -> None:
    content = csv(CLEAN)
    sheet = announced(agency, content)
    agency.clock.advance(minutes(1))
    assert read(agency, sheet) is Read.READ
    told = agency.services.sheets.get(sheet.id)
    assert (told.status, told.since) == (SheetStatus.REVIEW, agency.clock())
    assert (told.digest, told.same_as, told.orientation) == (hashlib.sha256(content).hexdigest(), None, 1)
    assert agency.files.clean_copies[sheet.id] == content
    assert kept(agency, sheet) == (False, True, False)
    assert agency.recognition.asked == 0
    assert len(rows_of(agency, sheet.id)) == 1


def test_a_picture_is_recognised_once_and_the_answer_kept(agency: Agency) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)
    assert read(agency, sheet) is Read.READ
    assert kept(agency, sheet) == (False, True, True)
    again = announced(agency, a_png(1), Kind.PNG)
    assert read(agency, again) is Read.READ
    assert agency.services.sheets.get(again.id).same_as == sheet.id
    assert agency.recognition.asked == 1
    assert kept(agency, again) == (False, True, True)


def test_a_notice_that_comes_again_or_for_nothing_changes_nothing(agency: Agency) -> None:
    sheet = announced(agency, csv(CLEAN))
    read(agency, sheet)
    before = agency.services.sheets.get(sheet.id)
    agency.files.uploads[sheet.id] = csv(CLEAN, CLEAN)
    assert read(agency, sheet) is Read.IGNORED
    assert agency.services.sheets.get(sheet.id) == before
    assert kept(agency, sheet) == (False, True, False)
    agency.files.uploads["unknown"] = b"?"
    assert agency.services.sheet_reader.read(Notice("unknown", "reader")) is Read.IGNORED
    assert agency.files.uploads == {}


def test_what_another_reader_is_at_is_looked_at_later_until_that_one_must_have_died(agency: Agency) -> None:
    sheet = announced(agency, csv(CLEAN))
    assert agency.sheets.claim(sheet, "another", agency.clock())
    assert read(agency, sheet) is Read.ELSEWHERE
    assert status_of(agency, sheet.id) is SheetStatus.AWAITING_UPLOAD
    agency.clock.advance(CLAIMED_FOR + minutes(1))
    assert read(agency, sheet) is Read.READ


def test_whoever_has_read_or_failed_leaves_the_sheet_to_others(agency: Agency) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)
    agency.recognition.faults = [StoreBusy()]
    with pytest.raises(StoreBusy):
        read(agency, sheet, "one")
    assert read(agency, sheet, "other") is Read.READ


@pytest.mark.parametrize(
    ("content", "kind", "failure"),
    [(b"%PDF-1.4", Kind.CSV, Failure.UNSUPPORTED), (b"abc", Kind.PNG, Failure.UNSUPPORTED)],
)
def test_what_cannot_be_read_is_told_with_advice_and_nothing_of_it_is_kept(
    agency: Agency, content: bytes, kind: Kind, failure: Failure
) -> None:
    sheet = announced(agency, content, kind)
    agency.clock.advance(minutes(1))
    assert read(agency, sheet) is Read.FAILED
    told = agency.services.sheets.get(sheet.id)
    assert (told.status, told.failure, told.since) == (SheetStatus.FAILED, failure, agency.clock())
    assert told.advice
    assert kept(agency, sheet) == (False, False, False)


def test_bytes_that_could_not_be_read_may_come_again(agency: Agency) -> None:
    """Once a program that was to blame is mended, the second sheet repeats no first."""
    agency.recognition.answer = {"Blocks": []}
    first = announced(agency, a_png(1), Kind.PNG)
    assert read(agency, first) is Read.FAILED
    agency.recognition.answer = an_answer(GRID)
    second = announced(agency, a_png(1), Kind.PNG)
    assert read(agency, second) is Read.READ
    assert agency.services.sheets.get(second.id).same_as is None


def test_an_upload_that_is_gone_is_asked_for_again(agency: Agency) -> None:
    sheet = announced(agency, csv(CLEAN))
    agency.files.uploads.clear()
    assert read(agency, sheet) is Read.FAILED
    told = agency.services.sheets.get(sheet.id)
    assert (told.failure, told.advice) == (
        Failure.UNREADABLE,
        "what was uploaded is no longer there: send it again",
    )


@pytest.mark.parametrize("attempt", range(1, MOST_ATTEMPTS + 1))
def test_a_fault_is_tried_again_and_given_up_at_the_last_attempt(agency: Agency, attempt: int) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)
    agency.recognition.faults = [RuntimeError()]
    with pytest.raises(RuntimeError):
        read(agency, sheet, attempt=attempt)
    told = agency.services.sheets.get(sheet.id)
    if attempt < MOST_ATTEMPTS:
        assert told.status is SheetStatus.READING
        assert read(agency, sheet, "another") is Read.READ
    else:
        assert (told.status, told.failure, told.advice) == (SheetStatus.FAILED, Failure.GAVE_UP, GAVE_UP)
        assert kept(agency, sheet) == (False, False, False)


@pytest.mark.parametrize("crash", ["keep_clean", "discard_upload", "keep_answer"])
def test_a_crash_at_any_step_is_made_up_for_and_the_recognition_asked_as_seldom_as_can_be(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)

    def dies(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(FakeSheetFiles, crash, dies)
        with pytest.raises(RuntimeError):
            read(agency, sheet)
    assert read(agency, sheet, attempt=2) is Read.READ
    assert agency.recognition.asked == (2 if crash == "keep_answer" else 1)
    assert kept(agency, sheet) == (False, True, True)
    assert agency.services.sheets.get(sheet.id).reading == 1


def test_a_crash_before_the_rows_are_written_reads_the_kept_answer(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)

    def dies(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(FakeSheets, "write", dies)
        with pytest.raises(RuntimeError):
            read(agency, sheet)
    assert kept(agency, sheet) == (False, True, True)
    assert read(agency, sheet, attempt=2) is Read.READ
    assert agency.recognition.asked == 1


class Meanwhile:
    """A recognition during whose work something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    def analyse(self, picture: bytes) -> Mapping[str, object]:
        self._happens()
        return an_answer(GRID)


def test_a_sheet_that_is_deleted_while_it_is_read_stays_deleted(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)
    meanwhile = Meanwhile(lambda: agency.services.sheets.delete(sheet.id))
    monkeypatch.setattr(agency.recognition, "analyse", meanwhile.analyse)
    assert read(agency, sheet) is Read.IGNORED
    assert kept(agency, sheet) == (False, False, False)
    with pytest.raises(SheetNotFound):
        agency.services.sheets.get(sheet.id)


def test_whose_claim_ended_is_overtaken_and_says_so(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = announced(agency, a_png(1), Kind.PNG)

    def another_reads() -> None:
        agency.clock.advance(CLAIMED_FOR + minutes(1))
        with monkeypatch.context() as patch:
            patch.setattr(agency.recognition, "analyse", lambda _: an_answer(GRID))
            assert read(agency, sheet, "another") is Read.READ

    meanwhile = Meanwhile(another_reads)
    monkeypatch.setattr(agency.recognition, "analyse", meanwhile.analyse)
    assert read(agency, sheet, "slow") is Read.ELSEWHERE
    told = agency.services.sheets.get(sheet.id)
    assert (told.status, told.reading) == (SheetStatus.REVIEW, 1)
    assert kept(agency, sheet) == (False, True, True)


def test_too_large_an_upload_is_refused_before_it_is_looked_at(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = announced(agency, csv(CLEAN))

    def too_large(*_: object) -> None:
        raise CannotRead(Failure.TOO_LARGE, "divide it")

    monkeypatch.setattr(FakeSheetFiles, "uploaded", too_large)
    assert read(agency, sheet) is Read.FAILED
    assert agency.services.sheets.get(sheet.id).failure is Failure.TOO_LARGE
