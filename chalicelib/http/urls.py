"""Addresses of our own resources as the caller sees them: path-absolute, never built from the Host header."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from chalice.app import Request

from chalicelib.http.instants import instant_text

if TYPE_CHECKING:
    from chalicelib.domain.listing import VisitFilter


def own_prefix(request: Request) -> str:
    """What stands before our own path: the stage behind the gateway, nothing behind a custom domain or locally."""
    full = request.context.get("path", "").rstrip("/")
    own = request.path.rstrip("/")
    segments = full.split("/")
    return "/".join(segments[: len(segments) - own.count("/")])


def url(request: Request, *segments: str, query: dict[str, str | list[str]] | None = None) -> str:
    """The address of one of our resources, each segment percent-encoded."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    return own_prefix(request) + path + (f"?{urlencode(query, doseq=True)}" if query else "")


def same_url(request: Request, query: dict[str, str | list[str]]) -> str:
    """The address that was asked for, with another query."""
    return f"{quote(request.context['path'], safe='/%')}?{urlencode(query, doseq=True)}"


def all_visits_url(request: Request, filter: VisitFilter) -> str:
    """The address of every visit of a property."""
    window = filter.window
    query: dict[str, str | list[str]] = {
        "propertyId": filter.property_id or "",
        "from": instant_text(window.start),
        "to": instant_text(window.end),
    }
    return url(request, "visits", query=query)
