"""Visits as CSV (RFC 4180): UTF-8, CRLF, a header row. For programs first; docs/exports.md describes the columns.

What a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection"), also within a text:
where `;` separates lists, as in German, Excel begins a cell behind each. So does what has apostrophes there already:
taking one away always gives back what was there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from chalicelib.domain.listing import Entry

HEADER: Final = (
    "id",
    "propertyId",
    "date",
    "localDate",
    "timeZone",
    "durationMinutes",
    "place",
    "status",
    "agentId",
    "visitorName",
    "visitorEmail",
    "visitorPhone",
    "notes",
    "cancellationReason",
    "cancelledAt",
    "version",
    "createdAt",
    "updatedAt",
    "propertyName",
    "propertyAddress",
    "agentName",
)

ROWS_IN_CHUNK: Final = 200

_FORMULA: Final = re.compile(r"^(?='*[\t\r\n])|(^|[;\t\r\n])(?='*[=+\-@＝＋－＠])")
"""Where one begins: with the text, or behind what may end a cell or a row."""
_PLAIN_NUMBER: Final = re.compile(r"\+[0-9][0-9 ]*")
"""A telephone number in the international form: no spreadsheet can do worse than to show it as a number."""


def write_csv(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The file, some rows at a time."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(HEADER)
    for number, entry in enumerate(entries, 1):
        writer.writerow(_row(entry))
        if number % ROWS_IN_CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _row(entry: Entry) -> tuple[str, ...]:
    visit, details = entry.visit, entry.details
    visitor, cancellation = visit.visitor, visit.cancellation
    return (
        visit.id,
        inert(visit.property_id),
        _utc(visit.date),
        visit.date.astimezone(ZoneInfo(visit.time_zone)).isoformat(timespec="seconds"),
        visit.time_zone,
        str(visit.duration_minutes),
        inert(visit.place),
        str(visit.status),
        inert(visit.agent_id),
        inert(visitor.name) if visitor else "",
        inert(visitor.email) if visitor else "",
        _phone(visitor.phone) if visitor else "",
        inert(visit.notes),
        inert(cancellation.reason) if cancellation else "",
        _utc(cancellation.at) if cancellation else "",
        str(visit.version),
        _utc(visit.created_at),
        _utc(visit.updated_at),
        inert(details.name) if details else "",
        inert(details.address) if details else "",
        inert(entry.agent_name),
    )


def inert(text: str | None) -> str:
    """The text as a cell that no spreadsheet runs."""
    return _FORMULA.sub(r"\1'", text) if text else ""


def _phone(text: str | None) -> str:
    return text if text is not None and _PLAIN_NUMBER.fullmatch(text) else inert(text)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
