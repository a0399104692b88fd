"""Sheets in memory: their store, their files, and a recognition that says what it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock

from chalicelib.domain.errors import SheetNotFound, StoreBusy, VersionMismatch
from chalicelib.domain.intakes import RowOutcome
from chalicelib.domain.listing import Page
from chalicelib.domain.sheets import (
    UPLOAD_WITHIN,
    CannotRead,
    Contents,
    Failure,
    Reading,
    Sheet,
    SheetRow,
    SheetStatus,
    StoredRow,
    Upload,
)
from tests.sheets import an_answer

CLAIMED_FOR = timedelta(minutes=3)
FILES_KEPT = timedelta(days=30)


@dataclass
class SheetState:
    """A sheet, the rows as they were read, and what became of them since."""

    sheet: Sheet
    deleted: bool = False
    read: tuple[SheetRow, ...] = ()
    corrected: dict[int, StoredRow] = field(default_factory=dict)
    outcomes: dict[int, RowOutcome] = field(default_factory=dict)
    pending: dict[int, str] = field(default_factory=dict)
    claimant: str | None = None
    claimed_until: datetime | None = None

    def row(self, row: SheetRow) -> StoredRow:
        stands = self.corrected.get(row.number, StoredRow(row, self.sheet.reading))
        return replace(stands, outcome=self.outcomes.get(row.number))


class FakeSheets:
    def __init__(self) -> None:
        self._lock = RLock()
        self._states: dict[str, SheetState] = {}
        self._digests: dict[str, tuple[str, datetime]] = {}
        self._confirmed: dict[str, str] = {}

    def get(self, sheet_id: str, now: datetime) -> Sheet:
        state = self._states.get(sheet_id)
        if state is None or state.deleted or state.sheet.expires_at <= now:
            raise SheetNotFound(sheet_id)
        return state.sheet

    def add(self, sheet: Sheet) -> None:
        self._states[sheet.id] = SheetState(sheet)

    def save(self, before: Sheet, after: Sheet) -> None:
        with self._lock:
            self._as_it_was(before).sheet = after

    def list(self, after: str | None, limit: int) -> Page[Sheet]:
        there = [state.sheet for state in self._states.values() if not state.deleted]
        newest = sorted(there, key=lambda sheet: (sheet.created_at, sheet.id), reverse=True)
        rest = [sheet for sheet in newest if after is None or sheet.id < after]
        return Page(rest[:limit], rest[limit - 1].id if len(rest) > limit else None)

    def claim(self, sheet: Sheet, claimant: str, now: datetime) -> bool:
        with self._lock:
            state = self._states[sheet.id]
            held = state.claimant not in (None, claimant) and state.claimed_until is not None
            if held and state.claimed_until is not None and state.claimed_until >= now:
                return False
            state.claimant, state.claimed_until = claimant, now + CLAIMED_FOR
            return True

    def release(self, sheet: Sheet, claimant: str) -> None:
        with self._lock:
            state = self._states[sheet.id]
            if state.claimant == claimant:
                state.claimant = None

    def write(self, before: Sheet, after: Sheet, reading: Reading) -> Sheet:
        with self._lock:
            state = self._as_it_was(before)
            pages = tuple(row.number for row in reading.rows[:1])
            found = Contents(len(reading.rows), reading.columns, reading.order, reading.remarks, pages)
            state.sheet = replace(after, reading=before.reading + 1, contents=found)
            state.read = reading.rows
            return state.sheet

    def rows(self, sheet: Sheet, after: int, limit: int) -> Page[StoredRow]:
        with self._lock:
            state = self._states[sheet.id]
            if state.sheet.reading != sheet.reading:
                raise StoreBusy
            found = [state.row(row) for row in state.read if row.number > after]
        return Page(found[:limit], str(found[limit - 1].row.number) if len(found) > limit else None)

    def row(self, sheet: Sheet, number: int) -> StoredRow | None:
        found = self.rows(sheet, number - 1, 1).items
        return found[0] if found and found[0].row.number == number else None

    def review(self, sheet: Sheet, before: StoredRow, after: SheetRow) -> StoredRow:
        with self._lock:
            state = self._states[sheet.id]
            now = state.sheet
            stands = state.corrected.get(after.number)
            unchanged = before.version == (stands.version if stands else sheet.reading)
            if state.deleted or now.status is not SheetStatus.REVIEW or now.reading != sheet.reading or not unchanged:
                raise VersionMismatch
            changed = StoredRow(after, before.version + 1, before.outcome)
            state.corrected[after.number] = changed
            reviewed = now.reviewed + (not before.row.reviewed)
            state.sheet = replace(now, revision=now.revision + 1, reviewed=reviewed)
            return changed

    def corrections(self, sheet: Sheet) -> frozenset[int]:
        return frozenset(self._states[sheet.id].corrected)

    def begin(self, before: Sheet, after: Sheet, rows: Mapping[int, str]) -> None:
        with self._lock:
            self.save(before, after)
            self._states[before.id].pending = dict(rows)

    def pending(self, sheet: Sheet) -> Mapping[int, str]:
        return self._states[sheet.id].pending

    def settle(self, before: Sheet, after: Sheet, outcomes: Mapping[int, RowOutcome]) -> None:
        with self._lock:
            self.save(before, after)
            self._states[before.id].outcomes |= outcomes

    def first_with(self, digest: str, sheet: Sheet, now: datetime) -> str:
        with self._lock:
            first = self.known(digest, now)
            if first is None:
                self._digests[digest] = sheet.id, sheet.expires_at
            return first or sheet.id

    def known(self, digest: str, now: datetime) -> str | None:
        first, until = self._digests.get(digest, ("", now))
        return first if until > now else None

    def forget(self, digest: str, sheet_id: str, now: datetime) -> None:
        with self._lock:
            if self.known(digest, now) == sheet_id:
                del self._digests[digest]

    def confirm(self, written: str, property_id: str, now: datetime) -> None:
        self._confirmed[written] = property_id

    def confirmed(self) -> Mapping[str, str]:
        return self._confirmed

    def delete(self, sheet_id: str, now: datetime) -> None:
        with self._lock:
            if sheet_id not in self._states:
                raise SheetNotFound(sheet_id)
            gone = self._states[sheet_id].sheet
            if gone.digest is not None:
                self.forget(gone.digest, sheet_id, now)
            self._states[sheet_id] = SheetState(gone, deleted=True)

    def _as_it_was(self, before: Sheet) -> SheetState:
        state = self._states.get(before.id)
        if state is None or state.deleted or state.sheet.revision != before.revision:
            raise VersionMismatch
        return state


@dataclass
class FakeSheetFiles:
    """What lies where; `faults` are raised by whatever is kept next."""

    uploads: dict[str, bytes] = field(default_factory=dict)
    clean_copies: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Mapping[str, object]] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)

    def upload_form(self, sheet: Sheet) -> Upload:
        return Upload("https://files.example/", {"key": sheet.id}, sheet.created_at + UPLOAD_WITHIN)

    def uploaded(self, sheet: Sheet) -> bytes | None:
        content = self.uploads.get(sheet.id)
        if content is not None and len(content) > sheet.kind.most_bytes:
            raise CannotRead(Failure.TOO_LARGE, "it is too large")
        return content

    def clean(self, sheet: Sheet) -> bytes | None:
        return self.clean_copies.get(sheet.id)

    def keep_clean(self, sheet: Sheet, content: bytes) -> None:
        self._break_down()
        self.clean_copies[sheet.id] = content

    def answer(self, sheet_id: str) -> Mapping[str, object] | None:
        return self.answers.get(sheet_id)

    def keep_answer(self, sheet_id: str, answer: Mapping[str, object]) -> None:
        self._break_down()
        self.answers[sheet_id] = answer

    def keeps(self, sheet: Sheet, now: datetime) -> bool:
        return now < sheet.created_at + FILES_KEPT

    def link(self, sheet: Sheet) -> str:
        return f"https://files.example/{sheet.id}"

    def discard_upload(self, sheet_id: str) -> None:
        self.uploads.pop(sheet_id, None)

    def delete(self, sheet_id: str) -> None:
        for kept in (self.uploads, self.clean_copies, self.answers):
            kept.pop(sheet_id, None)

    def _break_down(self) -> None:
        if self.faults:
            raise self.faults.pop(0)


@dataclass
class FakeRecognition:
    """Answers as Textract does, or fails as it does, and counts how often it was asked."""

    answer: Mapping[str, object] = field(default_factory=lambda: an_answer([["Property", "Date", "Time"]]))
    faults: list[Exception] = field(default_factory=list)
    asked: int = 0

    def analyse(self, picture: bytes) -> Mapping[str, object]:
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return self.answer
