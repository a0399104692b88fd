"""The service itself over HTTP, and who calls it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from chalice.app import Request, Response
from pydantic import Field

from chalicelib.domain.api_keys import Scope
from chalicelib.http import parsing
from chalicelib.http.answers import JSON, json_answer
from chalicelib.http.callers import caller_of
from chalicelib.http.errors import Unauthenticated
from chalicelib.http.fields import Output
from chalicelib.http.preconditions import unchanged_since
from chalicelib.http.queries import no_query

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.json"


class CallerOutput(Output):
    name: Annotated[str, Field(description="The name of an API key, or the id of a person, as in `createdBy`.")]
    kind: Literal["key", "person"]
    scopes: list[Scope]


def caller(request: Request) -> Response:
    no_query(parsing.query_values(request))
    caller = caller_of(request)
    if caller is None:
        raise Unauthenticated
    scopes = [scope for scope in Scope if scope.value in caller.scopes]
    return json_answer(CallerOutput(name=caller.name, kind="key" if caller.key_id else "person", scopes=scopes))


class HealthOutput(Output):
    status: Literal["ok"]


def health(services: Services) -> Response:
    services.store.ping()
    return json_answer(HealthOutput(status="ok"))


def contract(request: Request) -> Response:
    """The OpenAPI document, generated from the routes by `make openapi`."""
    text, tag = _document()
    if unchanged_since(request.headers, tag):
        return Response("", status_code=304, headers={"ETag": tag})
    return Response(text, status_code=200, headers={"Content-Type": JSON, "ETag": tag})


@cache
def _document() -> tuple[str, str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return text, f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
