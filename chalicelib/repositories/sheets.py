"""Sheets in DynamoDB: a manifest; the rows as they were read, in compressed pages; each row that somebody changed.

A page is written with the manifest in one transaction and never changed: what a person makes of a row is a small item
over it. So a correction costs little, whatever else the page holds, two people at two rows are in nobody's way, and
what was corrected outlives a new reading, whose rows keep their numbers.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.domain.errors import (
    SheetNotFound,
    StoreBusy,
    VersionMismatch,
)
from chalicelib.domain.intakes import RowOutcome
from chalicelib.domain.listing import Page
from chalicelib.domain.sheets import (
    CannotRead,
    Cell,
    Column,
    Contents,
    Failure,
    Field,
    Issue,
    IssueKind,
    Kind,
    Order,
    Place,
    Reading,
    Remark,
    RemarkKind,
    Settings,
    Sheet,
    SheetRow,
    SheetStatus,
    StoredRow,
)
from chalicelib.record import Record
from chalicelib.repositories.items import BY_MONTH, LAST, Item, Key, loaded, present, stored
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

ROWS_OF_PAGE: Final = 50
MOST_BYTES_OF_PAGE: Final = 100_000
MOST_BYTES: Final = 400_000
"""Of all rows of a sheet, compressed: what a partition of the table takes in a second, once and in a transaction."""
CLAIMED_FOR: Final = timedelta(minutes=3)
CONFIRMED_FOR: Final = timedelta(days=365)
MOST_CONFIRMED: Final = 2000
LONGEST_WRITTEN: Final = 200

CONTENTS: Final = ("!", "W")
"""The sort keys between which all of a sheet lies but its manifest."""

_LIST: Final = "XS"
ALL: Final = Range(BY_MONTH, (Group((_LIST,), "", LAST),), "!", LAST, descending=True)
_CONFIRMED: Final = "XW"


def sheet_key(sheet_id: str) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": "X"}


def rows_key(sheet_id: str, page: int) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": f"R#{page:04}"}


def corrected_key(sheet_id: str, row: int) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": f"C#{row:06}"}


def outcomes_key(sheet_id: str) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": "O"}


def claim_key(sheet_id: str) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": "L"}


def pending_key(sheet_id: str) -> Key:
    return {"pk": f"X#{sheet_id}", "sk": "P"}


def digest_key(digest: str) -> Key:
    return {"pk": f"XD#{digest}", "sk": "D"}


def confirmed_key(written: str) -> Key:
    return {"pk": _CONFIRMED, "sk": written[:LONGEST_WRITTEN]}


def packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def unpacked(content: object) -> Any:
    assert isinstance(content, bytes)
    return json.loads(zlib.decompress(content).decode("utf-8", "surrogatepass"))


def sheet_item(sheet: Sheet) -> Item:
    settings, contents = sheet.settings, sheet.contents
    return present(
        {
            **sheet_key(sheet.id),
            "g2pk": _LIST,
            "g2sk": f"{stored(sheet.created_at)}#{sheet.id}",
            "name": sheet.name,
            "kind": str(sheet.kind),
            "bytes": sheet.size,
            "timeZone": settings.time_zone,
            "dayOrder": settings.order and str(settings.order),
            "chosen": {str(index): str(field or "") for index, field in settings.columns.items()} or None,
            "propertyId": settings.property_id,
            "createdBy": sheet.created_by,
            "createdAt": stored(sheet.created_at),
            "since": stored(sheet.since),
            "phase": str(sheet.status),
            "revision": sheet.revision,
            "reading": sheet.reading,
            "found": packed(contents_data(contents)),
            "reviewed": sheet.reviewed,
            "registered": sheet.registered,
            "failure": sheet.failure and str(sheet.failure),
            "advice": sheet.advice,
            "digest": sheet.digest,
            "sameAs": sheet.same_as,
            "repeats": sheet.repeats,
            "orientation": sheet.orientation,
            "intakeId": sheet.intake_id,
            "ttl": int(sheet.expires_at.timestamp()),
        }
    )


def sheet_of(item: Item) -> Sheet:
    chosen = {int(index): Field(name) if name else None for index, name in item.get("chosen", {}).items()}
    order = item.get("dayOrder")
    return Sheet(
        id=item["pk"].removeprefix("X#"),
        name=item["name"],
        kind=Kind(item["kind"]),
        size=int(item["bytes"]),
        settings=Settings(item["timeZone"], Order(order) if order else None, chosen, item.get("propertyId")),
        created_by=item["createdBy"],
        created_at=loaded(item["createdAt"]),
        since=loaded(item["since"]),
        status=SheetStatus(item["phase"]),
        revision=int(item["revision"]),
        reading=int(item["reading"]),
        contents=contents_of(unpacked(item["found"])),
        reviewed=int(item["reviewed"]),
        registered=int(item["registered"]),
        failure=Failure(item["failure"]) if "failure" in item else None,
        advice=item.get("advice"),
        digest=item.get("digest"),
        same_as=item.get("sameAs"),
        repeats=item.get("repeats"),
        orientation=int(item["orientation"]),
        intake_id=item.get("intakeId"),
    )


def contents_data(contents: Contents) -> Any:
    columns = [[column.index, column.heading, list(column.fields)] for column in contents.columns]
    remarks = [[remark.kind, remark.text] for remark in contents.remarks]
    return [contents.rows, columns, contents.order, remarks, list(contents.pages)]


def contents_of(data: Any) -> Contents:
    rows, columns, order, remarks, pages = data
    return Contents(
        rows,
        tuple(Column(index, heading, tuple(map(Field, fields))) for index, heading, fields in columns),
        Order(order) if order else None,
        tuple(Remark(RemarkKind(kind), text) for kind, text in remarks),
        tuple(pages),
    )


def row_data(row: SheetRow) -> Any:
    cells = {field: _cell_data(cell) for field, cell in row.cells.items()}
    return [row.number, row.line, row.table, cells, _issues_data(row.issues), row.reviewed]


def row_of(data: Any) -> SheetRow:
    number, line, table, cells, issues, reviewed = data
    read = {Field(field): _cell_of(cell) for field, cell in cells.items()}
    return SheetRow(number, line, table, read, _issues_of(issues), reviewed)


def _cell_data(cell: Cell) -> Any:
    place = cell.place and [cell.place.page, cell.place.left, cell.place.top, cell.place.width, cell.place.height]
    return [cell.text, cell.value, _issues_data(cell.issues), cell.confidence, place, list(cell.choices)]


def _cell_of(data: Any) -> Cell:
    text, value, issues, confidence, place, choices = data
    return Cell(text, value, _issues_of(issues), confidence, Place(*place) if place else None, tuple(choices))


def _issues_data(issues: Sequence[Issue]) -> Any:
    return [[issue.kind, issue.hint] for issue in issues]


def _issues_of(data: Any) -> tuple[Issue, ...]:
    return tuple(Issue(IssueKind(kind), hint) for kind, hint in data)


def _outcome_data(outcome: RowOutcome) -> Any:
    return [outcome.row, outcome.external_id, outcome.result, outcome.visit_id, outcome.problem]


class _Pages(Record):
    """Rows in pages that an item can hold."""

    firsts: tuple[int, ...]
    contents: tuple[bytes, ...]

    @classmethod
    def of(cls, rows: Sequence[SheetRow]) -> _Pages:
        """Raises CannotRead when they say more than is kept."""
        firsts: list[int] = []
        contents: list[bytes] = []
        for page in _divided([row_data(row) for row in rows]):
            firsts.append(page[0][0])
            contents.append(packed(page))
        if sum(map(len, contents)) > MOST_BYTES:
            raise CannotRead(Failure.TOO_LARGE, "it has more text than a list of visits needs: divide it")
        return cls(tuple(firsts), tuple(contents))


def _divided(rows: list[Any]) -> Iterator[list[Any]]:
    """By number and, where they have long texts, by size: halved until a page fits."""
    for start in range(0, len(rows), ROWS_OF_PAGE):
        waiting = [rows[start : start + ROWS_OF_PAGE]]
        while waiting:
            page = waiting.pop()
            if len(page) > 1 and len(packed(page)) > MOST_BYTES_OF_PAGE:
                waiting += [page[len(page) // 2 :], page[: len(page) // 2]]
            else:
                yield page


Items = list[StoredRow]


class DynamoSheets:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, sheet_id: str, now: datetime) -> Sheet:
        """One strongly consistent read. TTL deletes days late, so the expiry is checked here."""
        item = self._table.get(sheet_key(sheet_id))
        sheet = sheet_of(item) if item and "phase" in item else None
        if sheet is None or sheet.expires_at <= now:
            raise SheetNotFound(sheet_id)
        return sheet

    def add(self, sheet: Sheet) -> None:
        """2 write units."""
        self._table.put(Write(key=sheet_key(sheet.id), item=sheet_item(sheet), condition="attribute_not_exists(pk)"))

    def save(self, before: Sheet, after: Sheet) -> None:
        """2 write units and 1 for every kilobyte of what was found."""
        try:
            self._table.put(self._over(before, after))
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def list(self, after: str | None, limit: int) -> Page[Sheet]:
        """One query of the month index; a tombstone is not in it."""
        return self._table.page(ALL, after, limit).map(sheet_of)

    def claim(self, sheet: Sheet, claimant: str, now: datetime) -> bool:
        """1 write unit. A claim ends by itself: no reader that died can leave a sheet stuck."""
        claim = Write(
            key=claim_key(sheet.id),
            update="SET claimant = :claimant, claimedUntil = :until, #ttl = :ttl",
            condition="attribute_not_exists(claimant) OR claimant = :claimant OR claimedUntil < :now",
            values={
                ":claimant": claimant,
                ":until": stored(now + CLAIMED_FOR),
                ":now": stored(now),
                ":ttl": int((now + CLAIMED_FOR).timestamp()),
            },
        )
        try:
            self._table.update(claim)
        except ConditionsFailed:
            return False
        return True

    def release(self, sheet: Sheet, claimant: str) -> None:
        """1 write unit."""
        freed = Write(
            key=claim_key(sheet.id),
            update="REMOVE claimant, claimedUntil",
            condition="claimant = :claimant",
            values={":claimant": claimant},
        )
        with suppress(ConditionsFailed):  # it ended before
            self._table.update(freed)

    def write(self, before: Sheet, after: Sheet, reading: Reading) -> Sheet:
        """The sheet with what was read, in one transaction: 2 write units for every kilobyte of its rows, compressed.

        Raises CannotRead when it is too much, VersionMismatch when the sheet is no longer as it was.
        """
        pages = _Pages.of(reading.rows)
        found = Contents(len(reading.rows), reading.columns, reading.order, reading.remarks, pages.firsts)
        number = before.reading + 1
        read = replace(after, reading=number, contents=found)
        items = [
            Write(
                key=rows_key(before.id, page),
                item={**rows_key(before.id, page), "reading": number, "packed": content, "ttl": _ttl(before)},
            )
            for page, content in enumerate(pages.contents)
        ]
        try:
            self._table.transact([self._over(before, read), *items])
        except ConditionsFailed as failed:
            raise VersionMismatch from failed
        return read

    def rows(self, sheet: Sheet, after: int, limit: int) -> Page[StoredRow]:
        """By number, beyond one: a read unit for every 4 kilobytes of the pages they are in, and of their corrections.

        Raises StoreBusy when the sheet was read anew in the meantime.
        """
        firsts = sheet.contents.pages
        page = max(0, bisect_right(firsts, after + 1) - 1)
        read: list[SheetRow] = []
        while page < len(firsts) and len(read) <= limit:
            # Two at most where rows are as long as usual.
            last = min(page + limit // ROWS_OF_PAGE, len(firsts) - 1)
            for item in self._table.query(sheet_key(sheet.id)["pk"], *_between(sheet.id, page, last)):
                if int(item.get("reading", 0)) != sheet.reading:
                    raise StoreBusy
                read += [row for row in map(row_of, unpacked(item["packed"])) if row.number > after]
            page = last + 1
        more = len(read) > limit
        shown = read[:limit]
        return Page(self._as_they_stand(sheet, shown), str(shown[-1].number) if more else None)

    def row(self, sheet: Sheet, number: int) -> StoredRow | None:
        """As `rows`, of one."""
        found = self.rows(sheet, number - 1, 1).items
        return found[0] if found and found[0].row.number == number else None

    def review(self, sheet: Sheet, before: StoredRow, after: SheetRow) -> StoredRow:
        """A row as a person leaves it, while the sheet is as it was read: 4 write units. Raises VersionMismatch."""
        key = corrected_key(sheet.id, after.number)
        changed = StoredRow(after, before.version + 1, before.outcome)
        item = {**key, "version": changed.version, "packed": packed(row_data(after)), "ttl": _ttl(sheet)}
        first = before.version == sheet.reading
        put = Write(
            key=key,
            item=item,
            condition="attribute_not_exists(pk) OR version = :before" if first else "version = :before",
            values={":before": before.version},
        )
        counted = Write(
            key=sheet_key(sheet.id),
            update="SET revision = revision + :one, reviewed = reviewed + :more",
            condition="phase = :review AND reading = :reading",
            values={
                ":one": 1,
                ":more": int(not before.row.reviewed),
                ":review": str(SheetStatus.REVIEW),
                ":reading": sheet.reading,
            },
        )
        try:
            self._table.transact([put, counted])
        except ConditionsFailed as failed:
            raise VersionMismatch from failed
        return changed

    def corrections(self, sheet: Sheet) -> frozenset[int]:
        """The numbers of the rows that somebody has reviewed: 1 read unit for every 4 kilobytes of them."""
        found = self._table.query(sheet_key(sheet.id)["pk"], "C#", "C#~")
        return frozenset(int(item["sk"][2:]) for item in found)

    def begin(self, before: Sheet, after: Sheet, rows: Mapping[int, str]) -> None:
        """Names the rows that are to be registered, by number, with their externalIds. Raises VersionMismatch."""
        key = pending_key(before.id)
        pending = {**key, "packed": packed(list(rows.items())), "ttl": _ttl(before)}
        try:
            self._table.transact([self._over(before, after), Write(key=key, item=pending)])
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def pending(self, sheet: Sheet) -> dict[int, str]:
        """The rows that are being registered, with their externalIds, in the order of their intake."""
        item = self._table.get(pending_key(sheet.id))
        return {int(number): str(external) for number, external in unpacked(item["packed"])} if item else {}

    def settle(self, before: Sheet, after: Sheet, outcomes: Mapping[int, RowOutcome]) -> None:
        """What became of the rows that were registered, beside what became of earlier ones. Raises VersionMismatch."""
        key = outcomes_key(before.id)
        told = {**self.outcomes(before), **outcomes}
        item = {
            **key,
            "packed": packed([[number, _outcome_data(outcome)] for number, outcome in sorted(told.items())]),
            "ttl": _ttl(before),
        }
        try:
            self._table.transact([self._over(before, after), Write(key=key, item=item)])
        except ConditionsFailed as failed:
            raise VersionMismatch from failed

    def outcomes(self, sheet: Sheet) -> dict[int, RowOutcome]:
        """What became of its rows, by number, as far as they were registered: 1 read unit for every 4 kilobytes."""
        item = self._table.get(outcomes_key(sheet.id))
        told = unpacked(item["packed"]) if item and "packed" in item else []
        return {int(number): RowOutcome(*outcome) for number, outcome in told}

    def first_with(self, digest: str, sheet: Sheet, now: datetime) -> str:
        """The sheet that had these bytes first; from now on this one, if there was none. 1 write unit."""
        key = digest_key(digest)
        put = Write(
            key=key,
            item={**key, "sheetId": sheet.id, "ttl": _ttl(sheet)},
            condition="attribute_not_exists(pk) OR #ttl <= :now OR sheetId = :sheet",
            values={":now": int(now.timestamp()), ":sheet": sheet.id},
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            return str(failed.present["sheetId"])
        return sheet.id

    def known(self, digest: str, now: datetime) -> str | None:
        """The sheet that had these bytes first, if one had: 1 read unit."""
        item = self._table.get(digest_key(digest))
        return str(item["sheetId"]) if item and int(item["ttl"]) > now.timestamp() else None

    def forget(self, digest: str, sheet_id: str, now: datetime) -> None:
        """1 write unit."""
        freed = Write(
            key=digest_key(digest),
            update="SET #ttl = :now",
            condition="sheetId = :sheet",
            values={":now": int(now.timestamp()), ":sheet": sheet_id},
        )
        with suppress(ConditionsFailed):  # another had them first
            self._table.update(freed)

    def confirm(self, written: str, property_id: str, now: datetime) -> None:
        """Which property is meant by what was written: 1 write unit."""
        key = confirmed_key(written)
        ttl = int((now + CONFIRMED_FOR).timestamp())
        self._table.put(Write(key=key, item={**key, "propertyId": property_id, "written": written, "ttl": ttl}))

    def confirmed(self) -> Mapping[str, str]:
        """Ids of properties by what was written: 1 read unit for about thirty of them."""
        found = self._table.query(_CONFIRMED, "!", LAST, limit=MOST_CONFIRMED)
        return {item["written"]: item["propertyId"] for item, _ in zip(found, range(MOST_CONFIRMED), strict=False)}

    def delete(self, sheet_id: str, now: datetime) -> None:
        """Nothing of it stays but that it was there, so that a reader under way comes too late.

        2 write units for the sheet and for every page and correction.
        """
        gone = sheet_key(sheet_id)
        manifest = self._table.get(gone)
        if manifest is None:
            raise SheetNotFound(sheet_id)
        ends = int((now + CLAIMED_FOR).timestamp())
        self._table.put(Write(key=gone, item={**gone, "ttl": max(ends, int(manifest["ttl"]))}))
        if "digest" in manifest:
            self.forget(manifest["digest"], sheet_id, now)
        for item in self._table.query(gone["pk"], *CONTENTS):
            key = {"pk": item["pk"], "sk": item["sk"]}
            self._table.put(Write(key=key, item={**key, "ttl": int(now.timestamp())}))

    def _as_they_stand(self, sheet: Sheet, read: Sequence[SheetRow]) -> Items:
        if not read:
            return []
        low, high = (corrected_key(sheet.id, row.number)["sk"] for row in (read[0], read[-1]))
        corrected = {
            int(item["sk"][2:]): StoredRow(row_of(unpacked(item["packed"])), int(item["version"]))
            for item in self._table.query(sheet_key(sheet.id)["pk"], low, high)
        }
        outcomes = self.outcomes(sheet)
        return [
            replace(corrected.get(row.number, StoredRow(row, sheet.reading)), outcome=outcomes.get(row.number))
            for row in read
        ]

    def _over(self, before: Sheet, after: Sheet) -> Write:
        return Write(
            key=sheet_key(before.id),
            item=sheet_item(after),
            condition="revision = :before",
            values={":before": before.revision},
        )


def _between(sheet_id: str, first: int, last: int) -> tuple[str, str]:
    return rows_key(sheet_id, first)["sk"], rows_key(sheet_id, last)["sk"]


def _ttl(sheet: Sheet) -> int:
    return int(sheet.expires_at.timestamp())
