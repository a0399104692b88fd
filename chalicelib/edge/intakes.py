"""Handing in: the envelope of POST /intakes, `Prefer: respond-async`, and the answers about an intake."""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

from chalice.app import Request, Response
from pydantic import ValidationError

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.idempotency import IdempotencyKey
from chalicelib.domain.intakes import BYTES_IN_CHUNK, MOST_ROWS, Intake, IntakeStatus
from chalicelib.edge.answers import json_answer, page_answer
from chalicelib.edge.cursors import Cursor, Cursors
from chalicelib.edge.errors import MalformedRequest
from chalicelib.edge.inputs import BookVisitInput, IntakeInput, RowInput
from chalicelib.edge.json import DEEPEST, MalformedJson, parse_json
from chalicelib.edge.messages import canonical
from chalicelib.edge.outputs import IntakeOutput, RowOutcomeOutput, RowOutcomePage
from chalicelib.edge.parsing import caller, key_for, media_type, query_values, read_body, validated
from chalicelib.edge.queries import PageQuery
from chalicelib.edge.sizes import LARGEST_BODY
from chalicelib.edge.urls import url
from chalicelib.services.intake import IntakeDesk, Submission
from chalicelib.services.signing import Signer

NDJSON: Final = "application/x-ndjson"
MEDIA_TYPES: Final = ("application/json", NDJSON)
RETRY_AFTER_SECONDS: Final = 2

DEEPEST_ROW: Final = DEEPEST - 2
"""A line is a row; in its message, as in a JSON body, two more levels are around it."""


def submission(request: Request) -> Submission:
    """The rows of POST /intakes. Only the envelope is judged here; what is wrong with a row becomes its result.

    Raises what `read_body` does, MalformedRequest or InvalidInput.
    """
    kind = media_type(request, MEDIA_TYPES)
    raw = read_body(request, LARGEST_BODY)
    rows = [_meaning(row) for row in (_lines(raw) if kind == NDJSON else _members(raw))]
    return _submission(request, rows, key_for(request, [canonical(row) for row in rows]))


def submission_of_one(request: Request, body: BookVisitInput) -> Submission:
    """POST /visits with `Prefer: respond-async`: an intake of one."""
    meaning = body.meaning()
    return _submission(request, [meaning], key_for(request, meaning))


def prefers_async(request: Request) -> bool:
    """Whether `Prefer` (RFC 7240) says respond-async; other preferences are not ours to honour."""
    given = request.headers.get("prefer", "")
    return any(re.split("[;=]", token.strip())[0].strip().lower() == "respond-async" for token in given.split(","))


def accepted(request: Request, intake: Intake, preference: str | None = None) -> Response:
    """202: it is in the queue; where to look, and when."""
    headers = {"Location": url(request, "intakes", intake.manifest.id), "Retry-After": str(RETRY_AFTER_SECONDS)}
    if preference is not None:
        headers["Preference-Applied"] = preference
    return json_answer(_output(request, intake), headers, status=202)


def intake_answer(request: Request, intake: Intake) -> Response:
    """An intake as it stands; while it is under way, with the time to look again."""
    under_way = intake.status in (IntakeStatus.QUEUED, IntakeStatus.RUNNING)
    return json_answer(_output(request, intake), {"Retry-After": str(RETRY_AFTER_SECONDS)} if under_way else None)


def results_answer(request: Request, desk: IntakeDesk, signer: Signer, intake_id: str) -> Response:
    """What became of the rows, in pages. Complete once the intake is done or failed."""
    query = PageQuery.parse(query_values(request))
    cursors = Cursors(signer, "results", {"intake": intake_id})
    after = cursors.read(query.cursor).after if query.cursor is not None else None
    page = desk.results(intake_id, after, query.limit)
    following = cursors.make(Cursor(page.next)) if page.next is not None else None
    return page_answer(
        request,
        RowOutcomePage(items=[RowOutcomeOutput.of(outcome) for outcome in page.items], next_cursor=following),
        {"limit": str(query.limit), "cursor": following} if following else None,
    )


def _submission(request: Request, rows: list[Any], key: IdempotencyKey | None) -> Submission:
    texts = [canonical(row) for row in rows]
    for number, text in enumerate(texts):
        if len(text.encode()) > BYTES_IN_CHUNK:
            raise InvalidInput([FieldError(f"#/visits/{number}", f"may have {BYTES_IN_CHUNK:,} bytes at most")])
    return Submission(caller(request), texts, key)


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
    return validated(IntakeInput, value).visits


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
    return validated(IntakeInput, {"visits": rows}).visits


def _output(request: Request, intake: Intake) -> IntakeOutput:
    return IntakeOutput.of(intake, results=url(request, "intakes", intake.manifest.id, "results"))
