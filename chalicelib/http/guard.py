"""Who calls and what for: the Authorization header, and the guard around every route that is not public.

The gateway's authorizer only says whether a key or a token is good and whose it is. What its owner may do is decided
here alone, so that neither a lenient development server nor a cached policy nor a slip in the gateway's settings opens
a door.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Final, Literal, ParamSpec

from chalice.app import AuthResponse, Request, Response

from chalicelib.domain.api_keys import ApiKey, Scope
from chalicelib.domain.errors import LinkInvalid
from chalicelib.domain.people import LONGEST_TOKEN, Person
from chalicelib.domain.visitor_links import Link, parse
from chalicelib.http.callers import caller_of, vouched_for
from chalicelib.http.errors import ScopeMissing, Unauthenticated

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit

P = ParamSpec("P")

Access = Literal["public", "visitor", "caller"]
PUBLIC: Final = "public"
"""Declared for a route that anybody may call."""

VISITOR: Final = "visitor"
"""Declared for a route that whoever has the link to a visit may call for it, and nobody else for anything."""

CALLER: Final = "caller"
"""Declared for a route that whoever has a good key or token may call, whatever its scopes."""


LONGEST_HEADER: Final = LONGEST_TOKEN + 100
CACHED_SECONDS: Final = 60
"""How long the gateway remembers what the authorizer said: a revoked key lives on for at most that long."""


def by_authorizer(required: Scope | Access) -> bool:
    """Whether the gateway's authorizer stands before a route that requires this."""
    return required not in (PUBLIC, VISITOR)


def bearer_token(authorization: str) -> str:
    """What is presented as `Authorization: Bearer <token>` (RFC 6750), or an empty text, which never matches."""
    if len(authorization) > LONGEST_HEADER:
        return ""
    scheme, _, token = authorization.strip(" ").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def admission(who: ApiKey | Person | None) -> AuthResponse:
    """What the gateway is told: every route for whoever is known, with their name and scopes; none for others.

    Every route, because the gateway caches the answer by the key or token and would apply it to the next route as well.
    """
    if who is None:
        return AuthResponse(routes=[], principal_id="nobody")
    return AuthResponse(
        routes=["*"],
        principal_id=who.name,
        context=vouched_for(who),
    )


def admitting(
    required: Scope | Access, current: Callable[[], Request], open: Callable[[Link], Visit]
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """What goes around a view that requires this of its caller; `open` finds the visit that a link leads to."""
    if by_authorizer(required):
        return guarded(required, current)
    return by_link(open, current) if required == VISITOR else _to_everybody


def _to_everybody(view: Callable[..., Response]) -> Callable[..., Response]:
    return view


def guarded(
    required: Scope | Access, current: Callable[[], Request]
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Around a view: raises Unauthenticated or ScopeMissing before anything of the request is looked at."""

    def guard(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def admitted(*args: P.args, **kwargs: P.kwargs) -> Response:
            check_caller(current(), required)
            return view(*args, **kwargs)

        return admitted

    return guard


def by_link(
    open: Callable[[Link], Visit], current: Callable[[], Request]
) -> Callable[[Callable[[Visit], Response]], Callable[[], Response]]:
    """Around a view: gives it the visit that the caller has the link to, before anything of the request is looked at.

    Raises Unauthenticated without a link; whatever is wrong with one is one refusal, LinkInvalid.
    """

    def guard(view: Callable[[Visit], Response]) -> Callable[[], Response]:
        @wraps(view)
        def admitted() -> Response:
            shown = current().headers.get("authorization")
            if shown is None:
                raise Unauthenticated
            link = parse(bearer_token(shown))
            if link is None:
                raise LinkInvalid
            return view(open(link))

        return admitted

    return guard


def check_caller(request: Request, required: Scope | Access) -> None:
    """Raises Unauthenticated when no authorizer has vouched for the request, ScopeMissing when the scope is missing."""
    caller = caller_of(request)
    if caller is None:
        raise Unauthenticated
    if isinstance(required, Scope) and required.value not in caller.scopes:
        raise ScopeMissing(required.value)
