"""Successful answers, with the headers that belong to each: entity tags, Location, Link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from chalice.app import Request, Response

from chalicelib.http.headers import REPLAYED
from chalicelib.http.preconditions import unchanged_since
from chalicelib.http.sizes import passes
from chalicelib.http.urls import same_url, url
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.http.fields import Output

JSON = "application/json"
P = TypeVar("P", bound="Output")


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


def no_content(tag: str) -> Response:
    return Response("", status_code=204, headers={"ETag": tag})


def fitting(page: Callable[[int], P], limit: int) -> P:
    """The page of `limit` items, or of half as many, and half again, where so many would not pass through Lambda."""
    output = page(limit)
    return output if limit == 1 or passes(output.json_text()) else fitting(page, limit // 2)


def page_answer(
    request: Request,
    output: Output,
    cursor: str | None,
    limit: int,
    filters: Mapping[str, str | list[str]] = MappingProxyType({}),
) -> Response:
    """A page; the next one, by its cursor and the same filters, is in the Link header too (RFC 8288)."""
    if cursor is None:
        return json_answer(output)
    following = same_url(request, {**filters, "limit": str(limit), "cursor": cursor})
    return json_answer(output, {"Link": f'<{following}>; rel="next"'})
