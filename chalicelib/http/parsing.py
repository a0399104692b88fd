"""From a raw request to typed input: media type, size, JSON, fields, path and query. All refusals, no surprises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import unquote

from chalice.app import Request
from pydantic import ValidationError

from chalicelib.domain import spellings
from chalicelib.domain.agents import ANY_AGENT
from chalicelib.domain.errors import (
    AgentNotFound,
    FieldError,
    IntakeNotFound,
    InvalidInput,
    PropertyNotFound,
    Refused,
    SheetNotFound,
    SheetRowNotFound,
    VisitNotFound,
    WebhookNotFound,
)
from chalicelib.domain.idempotency import IdempotencyKey
from chalicelib.http import problems
from chalicelib.http.callers import caller_name
from chalicelib.http.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType
from chalicelib.http.fields import PROPERTY_ID, PROPERTY_ID_RULE, Input
from chalicelib.http.strict_json import MalformedJson, parse_json
from chalicelib.journal import note

I = TypeVar("I", bound=Input)  # noqa: E741 - the customary name of an input

JSON: Final = ("application/json",)
MERGE_PATCH: Final = (problems.MERGE_PATCH, "application/json")

MOST_BYTES: Final = 64 * 1024
AGENT_ID_RULE: Final = f"must be one line of 1 to {spellings.LONGEST_AGENT_ID} characters, not blank"

_ROW: Final = re.compile("[1-9][0-9]{0,5}")


def parse_body(model: type[I], request: Request, accepted: tuple[str, ...] = JSON) -> I:
    """The body as the model. Raises UnsupportedMediaType, BodyTooLarge, MalformedRequest or InvalidInput."""
    media_type(request, accepted)
    try:
        value = parse_json(read_body(request, MOST_BYTES))
    except MalformedJson as wrong:
        raise MalformedRequest(f"The body is not valid JSON: {wrong}.") from None
    return validated(model, value)


def media_type(request: Request, accepted: tuple[str, ...]) -> str:
    """Which of the accepted media types the body has. Raises UnsupportedMediaType; none given is none accepted."""
    given, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    kind = str(given.strip().lower())
    if kind not in accepted or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise UnsupportedMediaType(accepted)
    return kind


def read_body(request: Request, most_bytes: int) -> bytes:
    """The body as it came. Raises BodyTooLarge, or MalformedRequest when there is none."""
    try:
        raw = request.raw_body
    except ValueError:  # base64 or text that cannot be
        raise MalformedRequest("The body cannot be read.") from None
    raw = raw.encode() if isinstance(raw, str) else raw
    if len(raw) > most_bytes:
        raise BodyTooLarge(most_bytes)
    if not raw.strip():
        raise MalformedRequest("The body is empty; expected JSON.")
    return raw


def validated(model: type[I], value: object) -> I:
    """A JSON value as the model. Raises InvalidInput with a pointer to each thing that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as wrong:
        # The input itself stays out of the answer: it may be personal data.
        found = wrong.errors(include_url=False, include_context=False, include_input=False)
    raise InvalidInput(
        [
            FieldError(_pointer(error["loc"]), _detail(model, error["type"], error["loc"], error["msg"]))
            for error in found
        ]
    )


def property_id(raw: str) -> str:
    """The id in the path of a property. One that cannot be an id is one that is not there."""
    found = _decoded(raw, PROPERTY_ID)
    if found is None:
        raise PropertyNotFound("")
    note(propertyId=found)
    return found


def new_property_id(raw: str) -> str:
    """The id in the path for a property to be. Raises InvalidInput for one that cannot be an id."""
    try:
        return property_id(raw)
    except PropertyNotFound:
        raise InvalidInput([FieldError("#/id", f"the id in the path {PROPERTY_ID_RULE}")]) from None


def visit_id(raw: str) -> str:
    """The id in the path of a visit."""
    return _uuid(raw, "visitId", VisitNotFound(""))


def agent_id(raw: str) -> str:
    """The id in the path of an agent, spelled as visits have it. One that cannot be an id is one that is not there."""
    try:
        return spellings.agent_id(unquote(raw, errors="strict"))
    except ValueError:
        raise AgentNotFound("") from None


def new_agent_id(raw: str) -> str:
    """The id in the path for an agent to be. Raises InvalidInput for one that cannot be an id."""
    try:
        found = agent_id(raw)
    except AgentNotFound:
        raise InvalidInput([FieldError("#/id", f"the id in the path {AGENT_ID_RULE}")]) from None
    if found == ANY_AGENT:
        raise InvalidInput([FieldError("#/id", f"'{ANY_AGENT}' means any agent, and cannot be one's id")])
    return found


def intake_id(raw: str) -> str:
    """The id in the path of an intake."""
    return _uuid(raw, "intakeId", IntakeNotFound(""))


def sheet_id(raw: str) -> str:
    """The id in the path of a sheet."""
    return _uuid(raw, "sheetId", SheetNotFound(""))


def row_number(raw: str) -> int:
    """The number in the path of a row of a sheet. What cannot be one is one that is not there."""
    if _decoded(raw, _ROW) is None:
        raise SheetRowNotFound(None)
    return int(raw)


def webhook_id(raw: str) -> str:
    """The id in the path of a webhook."""
    return _uuid(raw, "webhookId", WebhookNotFound())


def query_values(request: Request) -> Mapping[str, list[str]]:
    """The query, every name with all its values."""
    params = request.query_params
    return {name: params.getlist(name) for name in params} if params is not None else {}


def idempotency_key(request: Request, body: Input) -> IdempotencyKey | None:
    """The Idempotency-Key with its caller, route and payload: what the body means, however it was spelled."""
    return key_for(request, body.meaning())


def key_for(request: Request, meaning: object) -> IdempotencyKey | None:
    """The Idempotency-Key, if there is one, of a request that means this. Raises MalformedRequest."""
    key = key_header(request)
    if key is None:
        return None
    return IdempotencyKey(
        caller=caller_name(request),
        route=f"{request.method} {request.path}",
        key=key,
        payload=json.dumps(meaning, sort_keys=True).encode(),
    )


def key_header(request: Request) -> str | None:
    """The Idempotency-Key as it came. Raises MalformedRequest unless it is 1 to 255 printable ASCII characters."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    key = str(given.strip())
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise MalformedRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return key


def _uuid(raw: str, name: str, absent: Refused) -> str:
    """An id of ours in a path, told in the log under its name. One that cannot be an id is one that is not there."""
    found = _decoded(raw.lower(), spellings.UUID)
    if found is None:
        raise absent
    note(**{name: found})
    return found


def _decoded(raw: str, pattern: re.Pattern[str]) -> str | None:
    """Path parameters arrive percent-encoded, and are decoded once: what is encoded twice is not an id."""
    try:
        decoded = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return None
    return decoded if pattern.fullmatch(decoded) else None


def _pointer(loc: tuple[int | str, ...]) -> str:
    """A JSON pointer as a URI fragment (RFC 6901, section 6)."""
    return "#" + "".join("/" + str(part)[:100].replace("~", "~0").replace("/", "~1") for part in loc)


def _detail(model: type[Input], kind: str, loc: tuple[int | str, ...], message: str) -> str:
    if kind == "extra_forbidden":
        name = str(loc[-1])
        known = model.hints.get(name) if len(loc) == 1 else None
        return f"'{name[:100]}' {known or 'is not a known field'}"
    if kind == "missing":
        return f"'{loc[-1]}' is required"
    if kind == "model_type":
        return "must be a JSON object"
    return message.removeprefix("Value error, ")
