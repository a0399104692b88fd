"""Who calls, as the gateway's authorizer says: a key or a person. The only place that reads what it vouched for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Request

from chalicelib.domain.api_keys import ApiKey
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.people import Person


class Caller(Record):
    """Whoever was admitted, and what for: a key by the name that the operator gave it, a person by their id."""

    name: str
    key_id: str
    """The public id of a key; empty for a person."""
    scopes: frozenset[str]


def vouched_for(who: ApiKey | Person) -> dict[str, str]:
    """What the authorizer tells the gateway of a caller, beside the name as the principal."""
    of_key = {"keyId": who.id} if isinstance(who, ApiKey) else {}
    return {**of_key, "scopes": " ".join(sorted(who.scopes))}


def caller_name(request: Request) -> str:
    """The name that idempotency keys, intakes and what was done belong to; without an authorizer everybody's."""
    caller = caller_of(request)
    return caller.name if caller else "anonymous"


def caller_of(request: Request) -> Caller | None:
    """None where no authorizer has vouched for the request."""
    vouched: Any = request.context.get("authorizer")
    if not isinstance(vouched, Mapping) or not vouched.get("principalId"):
        return None
    return Caller(
        name=str(vouched["principalId"]),
        key_id=str(vouched.get("keyId", "")),
        scopes=frozenset(str(vouched.get("scopes", "")).split()),
    )
