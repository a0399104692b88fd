"""The service itself over HTTP."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, Literal

from chalice.app import Request, Response

from chalicelib.http.answers import JSON, json_answer
from chalicelib.http.fields import Output
from chalicelib.http.preconditions import unchanged_since
from chalicelib.services.wired import Services

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.json"


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
