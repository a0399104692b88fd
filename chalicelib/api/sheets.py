"""Sheets over HTTP: what is uploaded, what was read of it, and what a person makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from chalice.app import CaseInsensitiveMapping, Request, Response
from pydantic import BeforeValidator, Field, StringConstraints

from chalicelib.api.intakes import Problem, accepted
from chalicelib.domain import sheets as domain
from chalicelib.domain.errors import ExportTooLarge, FieldError, InvalidInput
from chalicelib.domain.sheets import (
    MOST_BYTES_OF_PICTURE,
    Failure,
    IssueKind,
    Kind,
    Order,
    RemarkKind,
    Settings,
    Sheet,
    SheetStatus,
    StoredRow,
    Upload,
)
from chalicelib.domain.spellings import UUID
from chalicelib.http import parsing
from chalicelib.http.answers import created, fitting, json_answer, page_answer, tagged
from chalicelib.http.callers import caller_name
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import IfAny, Input, InstantOut, Name, Output, PropertyId, TimeZone, whole
from chalicelib.http.headers import XLSX
from chalicelib.http.preconditions import etag, optional_versions, required_versions
from chalicelib.http.queries import PageQuery, Query, documented, no_query, short_text
from chalicelib.services.exports import MOST_BYTES
from chalicelib.services.sheets import Announced, Reread

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

SheetId = Annotated[str, StringConstraints(pattern=f"^{UUID.pattern}$")]
Written = Annotated[str, StringConstraints(max_length=2000)]
LONGEST_PICTURE: Final = 2_500_000
"""Of a picture in a workbook: with it, in base64, the workbook still passes through Lambda."""

REPEATS: Final = Field(description="The sheet that is known to have the same bytes: without it, they are refused.")


class AnnounceSheetInput(Input):
    """The body of POST /sheets: what is going to be uploaded."""

    name: Name
    content_type: Literal[
        "image/jpeg",
        "image/png",
        "application/pdf",
        "text/csv",
        "application/x-ndjson",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]
    size: Annotated[
        int,
        Field(ge=1, le=MOST_BYTES_OF_PICTURE, description="In bytes, at most: 10 MB of a picture, 5 MB of a file."),
        BeforeValidator(whole),
    ]
    time_zone: Annotated[TimeZone, Field(description="Of the times on the sheet.")]
    property_id: Annotated[PropertyId | None, Field(description="Whose visits those are that name no property.")] = None
    sha256: Annotated[
        Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None,
        Field(description="Of the bytes: if they came before, that is told now and not after the upload."),
    ] = None
    repeats: Annotated[SheetId | None, REPEATS] = None

    def to_announced(self, caller: str) -> Announced:
        """Raises InvalidInput for more bytes than its kind may have."""
        kind = Kind(self.content_type)
        if self.size > kind.most_bytes:
            raise InvalidInput([FieldError("#/size", f"must be {kind.most_bytes:,} at most for {kind}")])
        settings = Settings(self.time_zone, property_id=self.property_id)
        never = datetime.min.replace(tzinfo=UTC)
        sheet = Sheet("", self.name, kind, self.size, settings, caller, never, never, repeats=self.repeats)
        return Announced(sheet, self.sha256)


class ChosenColumn(Input):
    """What a column is: one of the fields of a row, or null for none of them."""

    index: Annotated[int, Field(ge=0, lt=100), BeforeValidator(whole)]
    # Strict, it would have to be one of Python's.
    field: Annotated[domain.Field, Field(strict=False)] | None


class ReadingInput(Input):
    """The body of PUT /sheets/{id}/reading. What is left out is found out again."""

    time_zone: TimeZone
    order: Literal["day-month", "month-day"] | None = None
    columns: Annotated[list[ChosenColumn], Field(max_length=100)] = Field(default_factory=list)
    property_id: PropertyId | None = None

    def to_reread(self) -> Reread:
        columns = {column.index: column.field for column in self.columns}
        return Reread(self.time_zone, Order(self.order) if self.order else None, columns, self.property_id)


class CorrectRowInput(Input):
    """A merge patch of a row. What is sent is read as if it had been typed; `{}` says that the row is right."""

    property_id: Annotated[Written | None, Field(description="The id of a property.")] = None
    date: Written | None = None
    time: Written | None = None
    duration_minutes: Annotated[
        Written | None, BeforeValidator(lambda given: str(given) if type(given) is int else given)
    ] = None
    place: Written | None = None
    status: Written | None = None
    agent_id: Written | None = None
    visitor_name: Written | None = None
    visitor_email: Written | None = None
    visitor_phone: Written | None = None
    notes: Written | None = None
    external_id: Written | None = None

    def to_changes(self) -> Mapping[domain.Field, str | None]:
        given = self.model_dump(by_alias=True, exclude_unset=True)
        return {domain.Field(name): text for name, text in given.items()}


class RegisterSheetInput(Input):
    """The body of POST /sheets/{id}/register."""

    repeats: Annotated[SheetId | None, REPEATS] = None


class ExportSheetQuery(Query):
    """GET /sheets/{id}/export as it was asked."""

    include: Annotated[
        Literal["picture"] | None,
        BeforeValidator(lambda given: short_text(given, 10)),
        documented({"type": "string", "enum": ["picture"]}, "The picture, on a sheet of its own."),
    ] = None


class ColumnOutput(Output):
    index: int
    heading: str
    fields: list[domain.Field]


class RemarkOutput(Output):
    kind: RemarkKind
    text: str


class SheetOutput(Output):
    id: str
    name: str
    status: SheetStatus
    content_type: Kind
    time_zone: str
    order: Order | None = IfAny
    property_id: str | None = IfAny
    rows: int
    reviewed: int
    registered: int
    columns: list[ColumnOutput]
    remarks: list[RemarkOutput]
    failure: Failure | None = IfAny
    advice: str | None = IfAny
    same_as: Annotated[str | None, Field(description="The sheet that had the same bytes first.")] = IfAny
    intake_id: str | None = IfAny
    orientation: Annotated[
        int, Field(ge=1, le=8, description="How its picture is turned to be upright, as Exif counts; 1 is upright.")
    ]
    version: int
    created_at: InstantOut
    expires_at: InstantOut

    @classmethod
    def of(cls, sheet: Sheet) -> SheetOutput:
        contents = sheet.contents
        return cls(
            id=sheet.id,
            name=sheet.name,
            status=sheet.status,
            content_type=sheet.kind,
            time_zone=sheet.settings.time_zone,
            order=sheet.settings.order or contents.order,
            property_id=sheet.settings.property_id,
            rows=contents.rows,
            reviewed=sheet.reviewed,
            registered=sheet.registered,
            columns=[
                ColumnOutput(index=column.index, heading=column.heading, fields=list(column.fields))
                for column in contents.columns
            ],
            remarks=[RemarkOutput(kind=remark.kind, text=remark.text) for remark in contents.remarks],
            failure=sheet.failure,
            advice=sheet.advice,
            same_as=sheet.same_as,
            intake_id=sheet.intake_id,
            orientation=sheet.orientation,
            version=sheet.revision,
            created_at=sheet.created_at,
            expires_at=sheet.expires_at,
        )

    def about(self) -> Mapping[str, str]:
        return {"sheetId": self.id}


class UploadOutput(Output):
    """Where to POST the file, as multipart/form-data: all `fields` as they are, and last the file as `file`."""

    url: str
    fields: dict[str, str]
    expires_at: InstantOut


class AnnouncedSheetOutput(SheetOutput):
    upload: UploadOutput

    @classmethod
    def with_upload(cls, sheet: Sheet, upload: Upload) -> AnnouncedSheetOutput:
        form = UploadOutput(url=upload.url, fields=dict(upload.fields), expires_at=upload.expires_at)
        return cls(**SheetOutput.of(sheet).model_dump(), upload=form)


class SheetPage(Output):
    items: list[SheetOutput]
    next_cursor: str | None


class IssueOutput(Output):
    kind: IssueKind
    hint: str | None = IfAny


class PlaceOutput(Output):
    """Where on the picture, in fractions of its width and height as it is stored."""

    page: int
    left: float
    top: float
    width: float
    height: float


class CellOutput(Output):
    field: domain.Field
    text: Annotated[str, Field(description="As written.")]
    value: Annotated[str | None, Field(description="As understood; absent where it could not be.")] = IfAny
    issues: list[IssueOutput]
    confidence: Annotated[float | None, Field(description="How sure the recognition was, 0 to 1.")] = IfAny
    place: PlaceOutput | None = IfAny
    choices: Annotated[list[str], Field(description="Ids of properties that may be meant, the likeliest first.")]

    @classmethod
    def of(cls, field: domain.Field, cell: domain.Cell) -> CellOutput:
        return cls(
            field=field,
            text=cell.text,
            value=cell.value,
            issues=_issues(cell.issues),
            confidence=cell.confidence,
            place=PlaceOutput(**vars(cell.place)) if cell.place else None,
            choices=list(cell.choices),
        )


class SheetRowOutput(Output):
    row: int
    line: Annotated[int, Field(description="Where it stands in its table.")]
    table: Annotated[str | None, Field(description="The worksheet, where there are several.")] = IfAny
    cells: list[CellOutput]
    issues: list[IssueOutput]
    reviewed: bool
    ready: Annotated[bool, Field(description="Whether it can be registered: reviewed, complete and not registered.")]
    registered: bool
    visit_id: str | None = IfAny
    problem: Annotated[Problem | None, Field(description="Why it could not be registered.")] = IfAny
    version: int

    @classmethod
    def of(cls, stored: StoredRow) -> SheetRowOutput:
        row, outcome = stored.row, stored.outcome
        return cls(
            row=row.number,
            line=row.line,
            table=row.table or None,
            cells=[CellOutput.of(field, cell) for field, cell in row.cells.items()],
            issues=_issues(row.issues),
            reviewed=row.reviewed,
            ready=stored.ready,
            registered=stored.registered,
            visit_id=outcome.visit_id if outcome else None,
            problem=Problem.model_validate(outcome.problem) if outcome and outcome.problem else None,
            version=stored.version,
        )


class SheetRowPage(Output):
    items: list[SheetRowOutput]
    next_cursor: str | None


class PictureOutput(Output):
    url: Annotated[str, Field(description="Good for five minutes, for whoever has it.")]
    orientation: int


def announce(request: Request, services: Services) -> Response:
    body = parsing.parse_body(AnnounceSheetInput, request)
    sheet, upload = services.sheets.announce(body.to_announced(caller_name(request)))
    return created(request, AnnouncedSheetOutput.with_upload(sheet, upload), etag(sheet.revision), "sheets", sheet.id)


def list_all(request: Request, services: Services) -> Response:
    """The newest first."""
    query = PageQuery.parse(parsing.query_values(request))
    cursors = Cursors(services.signer, "sheets", {})

    def page(limit: int) -> SheetPage:
        found = services.sheets.list(cursors.after(query.cursor), limit)
        items = [SheetOutput.of(sheet) for sheet in found.items]
        return SheetPage(items=items, next_cursor=cursors.following(found))

    output = fitting(page, query.limit)
    return page_answer(request, output, output.next_cursor, query.limit)


def get(request: Request, services: Services, sheet_id: str) -> Response:
    no_query(parsing.query_values(request))
    sheet = services.sheets.get(parsing.sheet_id(sheet_id))
    return tagged(request, SheetOutput.of(sheet), etag(sheet.revision))


def rows(request: Request, services: Services, sheet_id: str) -> Response:
    query = PageQuery.parse(parsing.query_values(request))
    chosen = parsing.sheet_id(sheet_id)
    cursors = Cursors(services.signer, "sheet rows", {"sheet": chosen})

    def page(limit: int) -> SheetRowPage:
        found = services.sheets.rows(chosen, cursors.after(query.cursor), limit)
        items = [SheetRowOutput.of(row) for row in found.items]
        return SheetRowPage(items=items, next_cursor=cursors.following(found))

    output = fitting(page, query.limit)
    return page_answer(request, output, output.next_cursor, query.limit)


def get_row(request: Request, services: Services, sheet_id: str, row: str) -> Response:
    no_query(parsing.query_values(request))
    stored = services.sheets.row(parsing.sheet_id(sheet_id), parsing.row_number(row))
    return tagged(request, SheetRowOutput.of(stored), etag(stored.version))


def correct(request: Request, services: Services, sheet_id: str, row: str) -> Response:
    expected = required_versions(request.headers)
    body = parsing.parse_body(CorrectRowInput, request, parsing.MERGE_PATCH)
    chosen, number = parsing.sheet_id(sheet_id), parsing.row_number(row)
    stored = services.sheets.correct(chosen, number, body.to_changes(), expected)
    return json_answer(SheetRowOutput.of(stored), {"ETag": etag(stored.version)})


def read_anew(request: Request, services: Services, sheet_id: str) -> Response:
    expected = optional_versions(request.headers)
    body = parsing.parse_body(ReadingInput, request)
    sheet = services.sheets.read_anew(parsing.sheet_id(sheet_id), body.to_reread(), expected)
    return json_answer(SheetOutput.of(sheet), {"ETag": etag(sheet.revision)})


def register(request: Request, services: Services, sheet_id: str) -> Response:
    body = parsing.parse_body(RegisterSheetInput, request)
    return accepted(request, services.sheets.register(parsing.sheet_id(sheet_id), body.repeats))


def export(request: Request, services: Services, sheet_id: str) -> Response:
    """Raises ExportTooLarge."""
    # Only here: what other requests need starts without it.
    from chalicelib.exports.sheets import write_sheet

    query = ExportSheetQuery.parse(parsing.query_values(request))
    # Accept is disregarded, as for other exports; Chalice has a check of its own for binary answers.
    request.headers = CaseInsensitiveMapping({**request.headers, "accept": "*/*"})
    workbook = services.sheets.workbook(parsing.sheet_id(sheet_id), query.include)
    if workbook.picture is not None and len(workbook.picture) > LONGEST_PICTURE:
        raise InvalidInput([FieldError("?include", "the picture is too large for a workbook: see GET .../picture")])
    grids = workbook.source.grids if workbook.source else ()
    content = write_sheet(workbook.rows, grids, workbook.properties, workbook.picture, workbook.sheet.created_at)
    if len(content) > MOST_BYTES:
        raise ExportTooLarge("bytes", MOST_BYTES)
    return Response(content, headers={"Content-Type": XLSX, "Content-Disposition": 'attachment; filename="sheet.xlsx"'})


def picture(request: Request, services: Services, sheet_id: str) -> Response:
    no_query(parsing.query_values(request))
    sheet, link = services.sheets.picture(parsing.sheet_id(sheet_id))
    return json_answer(PictureOutput(url=link, orientation=sheet.orientation))


def delete(request: Request, services: Services, sheet_id: str) -> Response:
    no_query(parsing.query_values(request))
    services.sheets.delete(parsing.sheet_id(sheet_id))
    return Response("", status_code=204)


def _issues(issues: tuple[domain.Issue, ...]) -> list[IssueOutput]:
    return [IssueOutput(kind=issue.kind, hint=issue.hint) for issue in issues]
