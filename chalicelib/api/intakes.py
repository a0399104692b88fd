"""Handing in: the envelope of POST /intakes, `Prefer: respond-async`, and the answers about an intake."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

from chalice.app import Request, Response
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
)

from chalicelib.api.wishes import BookVisitInput, RowInput
from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.intakes import BYTES_IN_CHUNK, MOST_ROWS, Intake, IntakeStatus, Result, RowOutcome, canonical
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer, page_answer
from chalicelib.http.callers import caller_name
from chalicelib.http.cursors import Cursors
from chalicelib.http.errors import MalformedRequest
from chalicelib.http.fields import IfAny, Input, InstantOut, Output
from chalicelib.http.headers import PREFERENCE_APPLIED
from chalicelib.http.queries import PageQuery, no_query
from chalicelib.http.sizes import LARGEST_BODY
from chalicelib.http.strict_json import DEEPEST, MalformedJson, parse_json
from chalicelib.http.urls import url
from chalicelib.services.intakes import Submission

if TYPE_CHECKING:
    from chalicelib.domain.idempotency import IdempotencyKey
    from chalicelib.services.wired import Services


def _row(value: object, _: object) -> object:
    """Any object for now, whatever a row should be."""
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


AnyRow = Annotated[RowInput | dict[str, Any], WrapValidator(_row)]


class IntakeInput(Input):
    """The body of POST /intakes. What is in a row is judged when it is worked off."""

    visits: Annotated[list[AnyRow], Field(min_length=1, max_length=MOST_ROWS)]


class CountsOutput(Output):
    total: int
    created: int
    duplicate: int
    rejected: int


class IntakeLinks(Output):
    results: str
    """Where the outcome of every row is, path-absolute."""


class IntakeOutput(Output):
    id: str
    status: IntakeStatus
    counts: CountsOutput
    created_at: InstantOut
    expires_at: InstantOut
    links: IntakeLinks

    @classmethod
    def of(cls, intake: Intake, results: str) -> IntakeOutput:
        counts = intake.counts
        return cls(
            id=intake.manifest.id,
            status=intake.status,
            counts=CountsOutput(
                total=counts.total,
                created=counts.created,
                duplicate=counts.duplicate,
                rejected=counts.rejected,
            ),
            created_at=intake.manifest.created_at,
            expires_at=intake.manifest.expires_at,
            links=IntakeLinks(results=results),
        )

    def about(self) -> Mapping[str, str]:
        return {"intakeId": self.id}


class Problem(Output):
    """Problem details (RFC 9457): what every problem document has, whatever kind of problem it is."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class RowOutcomeOutput(Output):
    row: int
    external_id: str | None = IfAny
    status: Result
    visit_id: str | None = IfAny
    problem: Problem | None = IfAny

    @classmethod
    def of(cls, outcome: RowOutcome) -> RowOutcomeOutput:
        return cls(
            row=outcome.row,
            external_id=outcome.external_id,
            status=outcome.result,
            visit_id=outcome.visit_id,
            problem=Problem.model_validate(outcome.problem) if outcome.problem is not None else None,
        )


class RowOutcomePage(Output):
    items: list[RowOutcomeOutput]
    next_cursor: str | None


NDJSON: Final = "application/x-ndjson"
MEDIA_TYPES: Final = ("application/json", NDJSON)
RETRY_AFTER_SECONDS: Final = 2

DEEPEST_ROW: Final = DEEPEST - 2
"""A line is a row; in its message, as in a JSON body, two more levels are around it."""


def hand_in(request: Request, services: Services) -> Response:
    """Only the envelope is judged here; what is wrong with a row becomes its result.

    Raises what `read_body` does, MalformedRequest or InvalidInput.
    """
    kind = parsing.media_type(request, MEDIA_TYPES)
    raw = parsing.read_body(request, LARGEST_BODY)
    rows = [_meaning(row) for row in (_lines(raw) if kind == NDJSON else _members(raw))]
    key = parsing.key_for(request, [canonical(row) for row in rows])
    return accepted(request, services.intakes.hand_in(_submission(request, rows, key)))


def hand_in_one(request: Request, services: Services, body: BookVisitInput) -> Response:
    """POST /visits with `Prefer: respond-async`: an intake of one. Raises AlreadyDone when it was booked at once."""
    meaning = body.meaning()
    # Booked now or later, the visitor hears of it alike; of a row nobody does unless it says so.
    row = {name: value for name, value in meaning.items() if name != "notify"}
    submission = _submission(request, [row], parsing.key_for(request, meaning))
    intake = services.intakes.hand_in(replace(submission, notify=body.notify))
    return accepted(request, intake, {PREFERENCE_APPLIED: "respond-async"})


def get(request: Request, services: Services, intake_id: str) -> Response:
    """An intake as it stands; while it is under way, with the time to look again."""
    no_query(parsing.query_values(request))
    intake = services.intakes.look_up(parsing.intake_id(intake_id))
    under_way = intake.status in (IntakeStatus.QUEUED, IntakeStatus.RUNNING)
    return json_answer(_output(request, intake), {"Retry-After": str(RETRY_AFTER_SECONDS)} if under_way else None)


def results(request: Request, services: Services, intake_id: str) -> Response:
    """What became of the rows, in pages. Complete once the intake is done or failed."""
    query = PageQuery.parse(parsing.query_values(request))
    chosen = parsing.intake_id(intake_id)
    cursors = Cursors(services.signer, "results", {"intake": chosen})
    page = services.intakes.results(chosen, cursors.after(query.cursor), query.limit)
    following = cursors.following(page)
    output = RowOutcomePage(items=[RowOutcomeOutput.of(outcome) for outcome in page.items], next_cursor=following)
    return page_answer(request, output, following, query.limit)


def accepted(request: Request, intake: Intake, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """202: it is in the queue; where to look, and when."""
    where = {"Location": url(request, "intakes", intake.manifest.id), "Retry-After": str(RETRY_AFTER_SECONDS)}
    return json_answer(_output(request, intake), {**where, **headers}, status=202)


def _submission(request: Request, rows: list[Any], key: IdempotencyKey | None) -> Submission:
    texts = [canonical(row) for row in rows]
    for number, text in enumerate(texts):
        if len(text.encode()) > BYTES_IN_CHUNK:
            raise InvalidInput([FieldError(f"#/visits/{number}", f"must have at most {BYTES_IN_CHUNK:,} bytes")])
    return Submission(caller_name(request), texts, key)


def _meaning(raw: dict[str, Any]) -> dict[str, Any]:
    """The row in the one spelling of what it asks for; one that cannot be read is told of by the worker."""
    try:
        return RowInput.model_validate(raw).meaning()
    except ValidationError:
        return raw


def _members(raw: bytes) -> list[Any]:
    try:
        value = parse_json(raw)
    except MalformedJson as wrong:
        raise MalformedRequest(f"The body is not valid JSON: {wrong}.") from None
    return parsing.validated(IntakeInput, value).visits


def _lines(raw: bytes) -> list[Any]:
    """Newline-delimited JSON: an object a line, empty lines aside."""
    rows = []
    for number, line in enumerate(raw.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(parse_json(line, DEEPEST_ROW))
        except MalformedJson as wrong:
            raise MalformedRequest(f"Line {number} is not valid JSON: {wrong}.") from None
        if len(rows) > MOST_ROWS:
            break
    return parsing.validated(IntakeInput, {"visits": rows}).visits


def _output(request: Request, intake: Intake) -> IntakeOutput:
    return IntakeOutput.of(intake, results=url(request, "intakes", intake.manifest.id, "results"))
