"""Pages of other origins (CORS): off, unless the stage names the origins that may read our answers.

Chalice's own `cors=` knows one origin and leaves errors out; here every answer of the app says it, and a preflight is
a route of its own. No credentials: a caller shows a key, never a cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalice.app import Chalice, Request, Response

ASKED: Final = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Prefer"
"""What a page may send beside what every page may."""

SHOWN: Final = (
    "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, Retry-After, WWW-Authenticate"
)
"""What a page may read of an answer's headers beside what every page may."""

REMEMBERED_SECONDS: Final = 600

Answer = Callable[[Request], Response]


def shared_with(origins: frozenset[str]) -> Callable[[Request, Answer], Response]:
    """Middleware: tells the browser that a page of a named origin may read the answer, whatever the answer is."""

    def share(request: Request, get_response: Answer) -> Response:
        response = get_response(request)
        if origins:
            response.headers["Vary"] = "Origin"
            if request.headers.get("origin") in origins:
                response.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
                response.headers["Access-Control-Expose-Headers"] = SHOWN
        return response

    return share


def answer_preflights(app: Chalice, origins: frozenset[str]) -> None:
    """Adds OPTIONS to every address, without a key: a browser asks before it sends one. Call it after all routes."""
    if not origins:
        return
    for path, methods in list(app.routes.items()):
        allowed = ", ".join(methods)

        def preflight(allowed: str = allowed, **_: str) -> Response:
            headers = {
                "Access-Control-Allow-Methods": allowed,
                "Access-Control-Allow-Headers": ASKED,
                "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
            }
            return Response("", status_code=204, headers={**headers})

        app.route(path, methods=["OPTIONS"])(preflight)
