"""Successful answers, with the headers that belong to each: entity tags, Location, Link."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.domain.visits import Visit
from chalicelib.edge.headers import REPLAYED
from chalicelib.edge.journal import note
from chalicelib.edge.outputs import Output, VisitOutput
from chalicelib.edge.preconditions import etag, unchanged_since
from chalicelib.edge.urls import same_url, url

JSON = "application/json"


def json_answer(output: Output, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    note(**output.about())
    return Response(output.json_text(), status_code=status, headers={"Content-Type": JSON, **(headers or {})})


def tagged(request: Request, output: Output, tag: str) -> Response:
    """The answer to a GET: 304 without a body when the caller has it already."""
    if unchanged_since(request.headers, tag):
        return Response("", status_code=304, headers={"ETag": tag})
    return json_answer(output, {"ETag": tag})


def created(request: Request, output: Output, tag: str, *path: str, replayed: bool = False) -> Response:
    """201 with Location; a replay says so."""
    headers = {"ETag": tag, "Location": url(request, *path)}
    if replayed:
        headers[REPLAYED] = "true"
    return json_answer(output, headers, status=201)


def visit_answer(visit: Visit) -> Response:
    return json_answer(VisitOutput.of(visit), {"ETag": etag(visit.version)})


def no_content(tag: str) -> Response:
    return Response("", status_code=204, headers={"ETag": tag})


def page_answer(request: Request, output: Output, next_query: dict[str, str | list[str]] | None) -> Response:
    """A page; the next one is in the Link header too (RFC 8288)."""
    if next_query is None:
        return json_answer(output)
    return json_answer(output, {"Link": f'<{same_url(request, next_query)}>; rel="next"'})
