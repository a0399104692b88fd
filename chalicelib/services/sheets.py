"""The use cases of sheets: upload, look, correct, read anew, register, take away, delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from chalicelib.domain.errors import (
    FieldError,
    IntakeNotFound,
    InvalidInput,
    NothingToRegister,
    OutcomeUnknown,
    PropertyNotFound,
    SheetFileGone,
    SheetNotReady,
    SheetRepeated,
    SheetRowNotFound,
    SheetRowRegistered,
    StoreBusy,
    VersionMismatch,
)
from chalicelib.domain.idempotency import IdempotencyKey
from chalicelib.domain.intakes import Intake, IntakeStatus, RowOutcome, canonical
from chalicelib.domain.listing import EVERY_PROPERTY, Page
from chalicelib.domain.sheets import (
    CannotRead,
    Field,
    Known,
    NamedProperty,
    Order,
    Settings,
    Sheet,
    SheetRow,
    SheetStatus,
    StoredRow,
    Upload,
    confirmations,
)
from chalicelib.record import Record
from chalicelib.services.intakes import Intakes, Submission

if TYPE_CHECKING:
    from chalicelib.domain.properties import Property
    from chalicelib.reading.grids import Source
    from chalicelib.services.ports import Clock, NewId, PropertyStore, SheetFiles, SheetStore

READ_AT_ONCE: Final = 100
PROPERTIES_OF_PAGE: Final = 2500
MOST_PROPERTIES: Final = 10_000
ATTEMPTS: Final = 3

WITH_ROWS: Final = (SheetStatus.REVIEW, SheetStatus.REGISTERING, SheetStatus.REGISTERED)


class Announced(Record):
    """A sheet to come, as its sender describes it."""

    sheet: Sheet
    digest: str | None
    """SHA-256 of its bytes, if the sender says so: then one that came before is told of before it is sent."""


class Reread(Record):
    """How a sheet is to be read from now on."""

    time_zone: str
    order: Order | None
    columns: Mapping[int, Field | None]
    property_id: str | None

    @property
    def settings(self) -> Settings:
        return Settings(self.time_zone, self.order, self.columns, self.property_id)


class Workbook(Record):
    """What is taken away of a sheet."""

    sheet: Sheet
    rows: Sequence[StoredRow]
    source: Source | None
    """The tables as they were written, while the file is kept."""
    properties: Sequence[NamedProperty]
    picture: bytes | None


class Sheets:
    def __init__(
        self,
        sheets: SheetStore,
        files: SheetFiles,
        properties: PropertyStore,
        intakes: Intakes,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._sheets = sheets
        self._files = files
        self._properties = properties
        self._intakes = intakes
        self._clock = clock
        self._new_id = new_id

    def announce(self, announced: Announced) -> tuple[Sheet, Upload]:
        """A sheet that waits for its upload, and where to upload it. Raises SheetRepeated, PropertyNotFound."""
        now = self._clock()
        sheet = replace(announced.sheet, id=self._new_id(), created_at=now, since=now)
        if sheet.settings.property_id is not None:
            self._properties.get(sheet.settings.property_id)
        if announced.digest is not None:
            first = self._sheets.known(announced.digest, now)
            if first is not None and first != sheet.repeats:
                raise SheetRepeated(first)
        self._sheets.add(sheet)
        return sheet, self._files.upload_form(sheet)

    def get(self, sheet_id: str) -> Sheet:
        """Raises SheetNotFound."""
        now = self._clock()
        return self._settled(self._sheets.get(sheet_id, now)).at(now)

    def list(self, after: str | None, limit: int) -> Page[Sheet]:
        """The newest first."""
        now = self._clock()
        page = self._sheets.list(after, limit)
        return Page([self._settled(sheet).at(now) for sheet in page.items if sheet.expires_at > now], page.next)

    def rows(self, sheet_id: str, after: str | None, limit: int) -> Page[StoredRow]:
        """Raises SheetNotReady before it was read."""
        sheet = self._with_rows(sheet_id)
        return self._sheets.rows(sheet, int(after or 0), limit)

    def row(self, sheet_id: str, number: int) -> StoredRow:
        """Raises SheetRowNotFound."""
        return self._row(self._with_rows(sheet_id), number)

    def correct(
        self, sheet_id: str, number: int, changes: Mapping[Field, str | None], versions: frozenset[int] | None
    ) -> StoredRow:
        """A row as a person has looked at it, with what they changed. Raises VersionMismatch, SheetRowRegistered."""
        from chalicelib.reading import corrected

        sheet = self._in_review(sheet_id)
        before = self._row(sheet, number)
        if versions is not None and before.version not in versions:
            raise VersionMismatch
        if before.registered:
            raise SheetRowRegistered(number)
        now = self._clock()
        named = self._named(changes.get(Field.PROPERTY))
        after = corrected(before.row, changes, sheet.settings, Known(named), self._today(sheet))
        if after == before.row:
            return before
        changed = self._sheets.review(sheet, before, after)
        self._remember(after, now)
        return changed

    def read_anew(self, sheet_id: str, reread: Reread, versions: frozenset[int] | None) -> Sheet:
        """Reads the kept file, or the kept answer of the recognition, with other settings; corrections stay.

        Raises VersionMismatch, CannotRead as InvalidInput, or SheetFileGone.
        """
        before = self._in_review(sheet_id)
        if versions is not None and before.revision not in versions:
            raise VersionMismatch
        if reread.property_id is not None:
            self._properties.get(reread.property_id)
        after = replace(before.moved(SheetStatus.REVIEW, self._clock()), settings=reread.settings)
        try:
            return self.write(before, after, self._source(before))
        except CannotRead as why:
            raise InvalidInput([FieldError("#/columns", str(why))]) from why

    def write(self, before: Sheet, after: Sheet, source: Source) -> Sheet:
        """Reads the rows of a source and keeps them. Raises CannotRead or VersionMismatch."""
        from chalicelib.reading import read_rows

        known = Known(tuple(self._all_properties()), self._sheets.confirmed())
        reading = read_rows(source, after.settings, known, self._today(after))
        corrections = self._sheets.corrections(before)
        reviewed = sum(row.reviewed or row.number in corrections for row in reading.rows)
        return self._sheets.write(before, replace(after, reviewed=reviewed), reading)

    def register(self, sheet_id: str, repeats: str | None) -> Intake:
        """An intake of the rows that are ready, the same one when called twice or at once.

        Raises SheetRepeated, NothingToRegister, SheetNotReady.
        """
        for _ in range(ATTEMPTS):
            sheet = self._settled(self._with_rows(sheet_id))
            if sheet.same_as is not None and sheet.same_as not in (sheet.repeats, repeats):
                raise SheetRepeated(sheet.same_as)
            try:
                return self._registered(sheet)
            except VersionMismatch:
                continue  # somebody is at it: look again
        raise StoreBusy

    def workbook(self, sheet_id: str, include: Literal["picture"] | None) -> Workbook:
        """All that is known of it; without the tables as written, and the picture, once its file is gone."""
        sheet = self._with_rows(sheet_id)
        source = picture = None
        with suppress(SheetFileGone):  # after 30 days; the rows are there for 90
            source = self._source(sheet)
            picture = self._files.clean(sheet) if include and sheet.kind.recognised else None
        return Workbook(sheet, self._all_rows(sheet), source, list(self._all_properties()), picture)

    def picture(self, sheet_id: str) -> tuple[Sheet, str]:
        """With a link that is good for some minutes. Raises SheetFileGone when there is none."""
        sheet = self._with_rows(sheet_id)
        if not sheet.kind.recognised or not self._files.keeps(sheet, self._clock()):
            raise SheetFileGone
        return sheet, self._files.link(sheet)

    def delete(self, sheet_id: str) -> None:
        """All of it, at once. Visits that were registered stay. Raises SheetNotFound."""
        self._sheets.delete(sheet_id, self._clock())
        self._files.delete(sheet_id)

    def _with_rows(self, sheet_id: str) -> Sheet:
        sheet = self.get(sheet_id)
        if sheet.status not in WITH_ROWS:
            raise SheetNotReady(sheet.status)
        return sheet

    def _in_review(self, sheet_id: str) -> Sheet:
        sheet = self._with_rows(sheet_id)
        if sheet.status is not SheetStatus.REVIEW:
            raise SheetNotReady(sheet.status)
        return sheet

    def _row(self, sheet: Sheet, number: int) -> StoredRow:
        row = self._sheets.row(sheet, number)
        if row is None:
            raise SheetRowNotFound(number)
        return row

    def _all_rows(self, sheet: Sheet) -> Sequence[StoredRow]:
        page = self._sheets.rows(sheet, 0, READ_AT_ONCE)
        rows = page.items
        while page.next is not None:
            page = self._sheets.rows(sheet, int(page.next), READ_AT_ONCE)
            rows += page.items
        return rows

    def _source(self, sheet: Sheet) -> Source:
        """Raises SheetFileGone, CannotRead."""
        from chalicelib.reading import read_answer, read_file

        if sheet.kind.recognised:
            answer = self._files.answer(sheet.id)
            if answer is None:
                raise SheetFileGone
            return read_answer(answer)
        content = self._files.clean(sheet)
        if content is None:
            raise SheetFileGone
        return read_file(content)

    def _all_properties(self) -> Sequence[NamedProperty]:
        found: list[NamedProperty] = []
        after: str | None = None
        while len(found) < MOST_PROPERTIES:
            page = self._properties.list(EVERY_PROPERTY, after, PROPERTIES_OF_PAGE)
            found += [_named(each) for each in page.items]
            after = page.next
            if after is None:
                break
        return found

    def _named(self, property_id: str | None) -> tuple[NamedProperty, ...]:
        """The property that a correction names: a correction needs no other."""
        try:
            found = self._properties.get(property_id) if property_id else None
        except PropertyNotFound:
            found = None
        return (_named(found),) if found else ()

    def _remember(self, row: SheetRow, now: datetime) -> None:
        from chalicelib.reading.properties import written_key

        for written, property_id in confirmations([row]):
            if key := written_key(written):
                self._sheets.confirm(key, property_id, now)

    def _today(self, sheet: Sheet) -> date:
        return self._clock().astimezone(sheet.settings.zone).date()

    def _registered(self, sheet: Sheet) -> Intake:
        if sheet.status is SheetStatus.REGISTERING:
            if sheet.intake_id is not None:
                return self._intakes.look_up(sheet.intake_id)
            return self._handed_in(sheet, self._all_rows(sheet), self._sheets.pending(sheet))
        rows = self._all_rows(sheet)
        ready = _external_ids(sheet, rows)
        if not ready:
            if sheet.intake_id is None:
                raise NothingToRegister
            try:
                return self._intakes.look_up(sheet.intake_id)
            except IntakeNotFound:
                raise NothingToRegister from None
        begun = replace(sheet.moved(SheetStatus.REGISTERING, self._clock()), intake_id=None)
        self._sheets.begin(sheet, begun, ready)
        return self._handed_in(begun, rows, ready)

    def _handed_in(self, sheet: Sheet, rows: Sequence[StoredRow], pending: Mapping[int, str]) -> Intake:
        """Nothing of a sheet changes while it is being registered: so what is handed in again is the same."""
        zone = sheet.settings.zone
        by_number = {row.row.number: row.row for row in rows}
        texts = [
            canonical({**by_number[number].visit(zone), "externalId": external}) for number, external in pending.items()
        ]
        payload = "\n".join(texts).encode()
        key = IdempotencyKey(sheet.created_by, "POST /sheets/register", f"{sheet.id}:{sheet.revision}", payload)
        intake = self._intakes.hand_in(Submission(sheet.created_by, texts, key))
        with suppress(VersionMismatch):  # the same was done at the same time
            self._sheets.save(sheet, replace(sheet, intake_id=intake.manifest.id, revision=sheet.revision + 1))
        return intake

    def _settled(self, sheet: Sheet) -> Sheet:
        """With what became of the rows that were handed in, once that is known."""
        if sheet.status is not SheetStatus.REGISTERING or sheet.intake_id is None:
            return sheet
        outcomes: dict[int, RowOutcome] = {}
        with suppress(IntakeNotFound):  # nobody looked for a month. Registered again, its rows are found to be booked
            if self._intakes.look_up(sheet.intake_id).status not in (IntakeStatus.DONE, IntakeStatus.FAILED):
                return sheet
            outcomes = self._outcomes(sheet)
        registered = sheet.registered + sum(outcome.result != "rejected" for outcome in outcomes.values())
        status = SheetStatus.REGISTERED if registered == sheet.contents.rows else SheetStatus.REVIEW
        after = replace(sheet.moved(status, self._clock()), registered=registered)
        try:
            self._sheets.settle(sheet, after, outcomes)
        except VersionMismatch:
            return self._sheets.get(sheet.id, self._clock())
        except OutcomeUnknown:
            return sheet
        return after

    def _outcomes(self, sheet: Sheet) -> dict[int, RowOutcome]:
        assert sheet.intake_id is not None
        numbers = list(self._sheets.pending(sheet))
        found: dict[int, RowOutcome] = {}
        after: str | None = None
        while True:
            page = self._intakes.results(sheet.intake_id, after, READ_AT_ONCE)
            found |= {numbers[outcome.row]: outcome for outcome in page.items}
            after = page.next
            if after is None:
                return found


def _named(property: Property) -> NamedProperty:
    details = property.details
    return NamedProperty(property.id, details.name, details.address, details.time_zone)


def _external_ids(sheet: Sheet, rows: Sequence[StoredRow]) -> dict[int, str]:
    """The rows that are ready, each with the id that its visit is known by.

    One of its own counts. A row of a file is known by what it says, so that a file that has grown, or was spelled
    otherwise, books nothing twice; equal rows are counted. A row of a picture is known by its place.
    """
    zone = sheet.settings.zone
    used = {row.outcome.external_id for row in rows if row.registered and row.outcome}
    equal: Counter[str] = Counter()
    found: dict[int, str] = {}
    for stored in rows:
        if not stored.ready:
            continue
        wish = stored.row.visit(zone)
        if own := stored.row.value(Field.EXTERNAL_ID):
            found[stored.row.number] = own
        elif sheet.kind.recognised:
            found[stored.row.number] = f"sheet:{sheet.id}:{stored.row.number}"
        else:
            content = sha256(canonical(wish).encode("utf-8", "surrogatepass")).hexdigest()[:48]
            while (known := f"row:{content}:{equal[content] + 1}") in used:
                equal[content] += 1
            equal[content] += 1
            found[stored.row.number] = known
    return found
