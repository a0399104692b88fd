"""Who calls, as the gateway's authorizer says. The only place that reads what it vouched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalice.app import Request

from chalicelib.domain.api_keys import ApiKey


@dataclass(frozen=True)
class Caller:
    """A key that was admitted: the name that the operator gave it, its public id, and what it is good for."""

    name: str
    key_id: str
    scopes: frozenset[str]


def vouched_for(key: ApiKey) -> dict[str, str]:
    """What the authorizer tells the gateway of a key, beside its name as the principal."""
    return {"keyId": key.id, "scopes": " ".join(sorted(key.scopes))}


def caller_name(request: Request) -> str:
    """The name that idempotency keys and intakes belong to; without an authorizer everybody is the same caller."""
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
