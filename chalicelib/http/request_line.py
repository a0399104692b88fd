"""One line in the journal for every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from chalice.app import Request, Response

from chalicelib.functions import Function
from chalicelib.http.callers import caller_of
from chalicelib.http.headers import REPLAYED
from chalicelib.http.problems import Problem, request_id
from chalicelib.journal import A_FAULT, _about, described, milliseconds_since, tell


def one_line_each(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Middleware, the outermost: one line for every request, whatever came of it."""
    started = time.perf_counter()
    about: dict[str, str] = {}
    under_way = _about.set(about)
    try:
        response = get_response(request)
    finally:
        _about.reset(under_way)
    status, route = response.status_code, request.context["resourcePath"]
    members: dict[str, object] = {
        "event": "request",
        "requestId": request_id.get(),
        "method": request.method,
        "route": route,
        "status": status,
        "durationMs": milliseconds_since(started),
        **_caller(request),
        **about,
    }
    if isinstance(response, Problem):
        members["problem"] = response.slug
        if response.fault is not None:
            members |= described(response.fault)
    level = logging.INFO if status < 500 else logging.WARNING if status == 503 else logging.ERROR
    tell(Function.API, members, _counts(response, route), level)
    return response


def _counts(response: Response, route: str) -> Mapping[str, float]:
    """The metrics that an answer counts for."""
    if response.status_code == 500:
        return A_FAULT
    if isinstance(response, Problem):
        return {"BookingConflicts": 1} if response.slug == "slot-taken" else {}
    if REPLAYED in response.headers:
        return {"Replays": 1}
    return {"VisitsBooked": 1} if response.status_code == 201 and route == "/visits" else {}


def _caller(request: Request) -> dict[str, str]:
    caller = caller_of(request)
    if caller is None:
        return {}
    return {"caller": caller.name, **({"keyId": caller.key_id} if caller.key_id else {})}
