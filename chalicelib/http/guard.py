"""Who calls and what for: the Authorization header, and the guard around every route that is not public.

The gateway's authorizer only says whether a key is good and whose it is. What a key may do is decided here alone, so
that neither a lenient development server nor a cached policy nor a slip in the gateway's settings opens a door.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, Literal, ParamSpec

from chalice.app import AuthResponse, Request, Response

from chalicelib.domain.api_keys import ApiKey, Scope
from chalicelib.http.callers import caller_of, vouched_for
from chalicelib.http.errors import ScopeMissing, Unauthenticated

P = ParamSpec("P")

Public = Literal["public"]
PUBLIC: Final = "public"
"""Declared for a route that anybody may call."""

LONGEST_HEADER: Final = 200
CACHED_SECONDS: Final = 60
"""How long the gateway remembers what the authorizer said: a revoked key lives on for at most that long."""


def bearer_token(authorization: str) -> str:
    """What is presented as `Authorization: Bearer <token>` (RFC 6750), or an empty text, which never matches."""
    if len(authorization) > LONGEST_HEADER:
        return ""
    scheme, _, token = authorization.strip(" ").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def admission(key: ApiKey | None) -> AuthResponse:
    """What the gateway is told: every route for a good key, and which caller and scopes it stands for; none for others.

    Every route, because the gateway caches the answer by the key and would apply it to the next route as well.
    """
    if key is None:
        return AuthResponse(routes=[], principal_id="nobody")
    return AuthResponse(
        routes=["*"],
        principal_id=key.name,
        context=vouched_for(key),
    )


def guarded(scope: Scope, current: Callable[[], Request]) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Around a view: raises Unauthenticated or ScopeMissing before anything of the request is looked at."""

    def guard(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def admitted(*args: P.args, **kwargs: P.kwargs) -> Response:
            check_scope(current(), scope)
            return view(*args, **kwargs)

        return admitted

    return guard


def check_scope(request: Request, scope: Scope) -> None:
    """Raises Unauthenticated when no authorizer has vouched for the request, ScopeMissing when the scope is missing."""
    caller = caller_of(request)
    if caller is None:
        raise Unauthenticated
    if scope.value not in caller.scopes:
        raise ScopeMissing(scope.value)
