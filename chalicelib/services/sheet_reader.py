"""The use case of reading an upload: checked, cleaned, recognised where it is a picture, and its rows kept.

Whatever is interrupted is done again from where it was: the clean copy is kept before the upload is deleted, and what
the recognition answered before its rows are written. So no picture is recognised twice for one sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import (
    SheetNotFound,
    VersionMismatch,
)
from chalicelib.domain.sheets import (
    GAVE_UP,
    CannotRead,
    Failure,
    Sheet,
    SheetStatus,
)
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.reading.grids import Source
    from chalicelib.services.ports import Clock, Recognition, SheetFiles, SheetStore
    from chalicelib.services.sheets import Sheets

MOST_ATTEMPTS: Final = 5
"""As often as the queue hands a message out (`.chalice/data.json`)."""


class Read(StrEnum):
    """What came of a notice that something was uploaded."""

    READ = "read"
    FAILED = "failed"
    IGNORED = "ignored"
    """There is no such sheet, or it was read before."""
    ELSEWHERE = "elsewhere"
    """Another reader is at it: look again later."""


class Notice(Record):
    """That something was uploaded for a sheet."""

    sheet_id: str
    claimant: str
    attempt: int = 1


class SheetReader:
    def __init__(
        self, sheets: SheetStore, files: SheetFiles, recognition: Recognition, desk: Sheets, clock: Clock
    ) -> None:
        self._sheets = sheets
        self._files = files
        self._recognition = recognition
        self._desk = desk
        self._clock = clock

    def read(self, notice: Notice) -> Read:
        """Reads what was uploaded; notices that come twice, or too late, change nothing. Raises Unavailable."""
        try:
            sheet = self._sheets.get(notice.sheet_id, self._clock())
        except SheetNotFound:
            self._files.delete(notice.sheet_id)
            return Read.IGNORED
        if sheet.status not in (SheetStatus.AWAITING_UPLOAD, SheetStatus.READING):
            # It was read, and what was uploaded since is not looked at.
            self._files.discard_upload(sheet.id)
            return Read.IGNORED
        if not self._sheets.claim(sheet, notice.claimant, self._clock()):
            return Read.ELSEWHERE
        try:
            return self._read(sheet)
        except CannotRead as why:
            return self._failed(sheet, why)
        except VersionMismatch:
            # Deleted in the meantime, or read by another whose claim had ended.
            return self._overtaken(sheet)
        except Exception:
            if notice.attempt < MOST_ATTEMPTS:
                raise
            self._failed(sheet, CannotRead(Failure.GAVE_UP, GAVE_UP))
            raise
        finally:
            self._sheets.release(sheet, notice.claimant)

    def _read(self, sheet: Sheet) -> Read:
        under_way, content = self._taken_in(self._begun(sheet))
        source = self._source(under_way, content)
        self._desk.write(under_way, under_way.moved(SheetStatus.REVIEW, self._clock()), source)
        return Read.READ

    def _begun(self, sheet: Sheet) -> Sheet:
        if sheet.status is SheetStatus.READING:
            return sheet
        begun = sheet.moved(SheetStatus.READING, self._clock())
        self._sheets.save(sheet, begun)
        return begun

    def _taken_in(self, sheet: Sheet) -> tuple[Sheet, bytes]:
        """With its clean copy, in whose place the upload is deleted."""
        content = self._files.clean(sheet)
        if content is not None and sheet.digest is not None:
            self._files.discard_upload(sheet.id)
            return sheet, content
        uploaded = self._files.uploaded(sheet)
        if uploaded is None:
            raise CannotRead(Failure.UNREADABLE, "what was uploaded is no longer there: send it again")
        orientation, clean = _clean(sheet, uploaded)
        known = self._told_apart(sheet, sha256(uploaded).hexdigest())
        self._files.keep_clean(sheet, clean)
        taken = replace(known, orientation=orientation)
        self._sheets.save(sheet, taken)
        self._files.discard_upload(sheet.id)
        return taken, clean

    def _told_apart(self, sheet: Sheet, digest: str) -> Sheet:
        """With the sheet that had the same bytes before, if one had."""
        first = self._sheets.first_with(digest, sheet, self._clock())
        same_as = first if first != sheet.id else None
        return replace(sheet, digest=digest, same_as=same_as, revision=sheet.revision + 1)

    def _source(self, sheet: Sheet, content: bytes) -> Source:
        from chalicelib.reading import read_answer, read_file

        return read_answer(self._answer(sheet, content)) if sheet.kind.recognised else read_file(content)

    def _answer(self, sheet: Sheet, picture: bytes) -> Mapping[str, object]:
        """What is kept, of this sheet or of the one with the same bytes, before the recognition is asked."""
        answer = self._files.answer(sheet.id)
        if answer is not None:
            return answer
        answer = self._files.answer(sheet.same_as) if sheet.same_as else None
        if answer is None:
            answer = self._recognition.analyse(picture)
        self._files.keep_answer(sheet.id, answer)
        return answer

    def _failed(self, sheet: Sheet, why: CannotRead) -> Read:
        """Told, and nothing of it kept."""
        with suppress(VersionMismatch, SheetNotFound):
            before = self._sheets.get(sheet.id, self._clock())
            if before.status in (SheetStatus.AWAITING_UPLOAD, SheetStatus.READING):
                self._sheets.save(before, before.failed(why, self._clock()))
            if before.digest is not None:
                self._sheets.forget(before.digest, sheet.id, self._clock())
        self._files.delete(sheet.id)
        return Read.FAILED

    def _overtaken(self, sheet: Sheet) -> Read:
        try:
            self._sheets.get(sheet.id, self._clock())
        except SheetNotFound:
            self._files.delete(sheet.id)
            return Read.IGNORED
        return Read.ELSEWHERE


def _clean(sheet: Sheet, content: bytes) -> tuple[int, bytes]:
    if not sheet.kind.recognised:
        return 1, content
    from chalicelib.reading.pictures import clean_picture

    picture = clean_picture(content)
    return picture.orientation, picture.content
