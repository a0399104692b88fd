"""GET /visits/export: which file is asked for, and how it travels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from chalice.app import CaseInsensitiveMapping, Request, Response
from pydantic import BeforeValidator

from chalicelib.api.listing import VisitFilters
from chalicelib.domain.errors import ExportTooLarge
from chalicelib.domain.listing import VisitFilter
from chalicelib.exports.csv import write_csv
from chalicelib.exports.ics import write_ics
from chalicelib.exports.xlsx import write_xlsx
from chalicelib.http import parsing
from chalicelib.http.headers import BINARY_TYPES, XLSX
from chalicelib.http.queries import documented, short_text
from chalicelib.http.sizes import LARGEST_BODY, passes
from chalicelib.record import Record
from chalicelib.services.exports import MOST_BYTES, Write

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

ExportFormat = Literal["csv", "xlsx", "ics"]


EXPORT_FORMATS: Final[tuple[ExportFormat, ...]] = get_args(ExportFormat)


def _export_format(given: object) -> str:
    text = short_text(given, 10)
    if text not in EXPORT_FORMATS:
        raise ValueError(f"must be one of {', '.join(EXPORT_FORMATS)}")
    return text


class ExportQuery(VisitFilters):
    """GET /visits/export as it was asked."""

    format: Annotated[
        ExportFormat,
        BeforeValidator(_export_format),
        documented({"type": "string", "enum": list(EXPORT_FORMATS)}, "The file format."),
    ]


CALENDAR: Final = "text/calendar; charset=utf-8"
assert MOST_BYTES <= LARGEST_BODY, "a workbook answers in base64"


class Format(Record):
    content_type: str
    file_name: str
    write: Write


FORMATS: Final[Mapping[ExportFormat, Format]] = MappingProxyType(
    {
        "csv": Format("text/csv; charset=utf-8; header=present", "visits.csv", write_csv),
        "xlsx": Format(XLSX, "visits.xlsx", write_xlsx),
        "ics": Format(CALENDAR, "visits.ics", write_ics),
    }
)

MEDIA_TYPES: Final = (
    XLSX,
    *(each.content_type.partition(";")[0] for each in FORMATS.values() if each.content_type != XLSX),
)
"""The binary one first: most generated clients read every file as the first says."""


def take_away(request: Request, services: Services) -> Response:
    """Raises InvalidInput or ExportTooLarge.

    `format` decides and Accept is disregarded (RFC 9110, section 12.5.1): generated clients ask for problem+json here.
    Chalice has a check of its own for binary answers, so it is told that anything goes.
    """
    query = ExportQuery.parse(parsing.query_values(request))
    format = FORMATS[query.format]
    request.headers = CaseInsensitiveMapping({**request.headers, "accept": "*/*"})
    window = services.listing.window(query.start, query.end)
    filter = VisitFilter(window, query.property_id, query.agent_id, query.statuses, query.order)
    content = services.exports.export(filter, format.write)
    return Response(
        content if format.content_type in BINARY_TYPES else text_body(content),
        headers={
            "Content-Type": format.content_type,
            "Content-Disposition": f'attachment; filename="{format.file_name}"',
        },
    )


def text_body(content: bytes) -> str:
    """Text for the answer. Raises ExportTooLarge for what would not pass through Lambda."""
    text = content.decode()
    if not passes(text):
        raise ExportTooLarge("bytes", MOST_BYTES)
    return text
