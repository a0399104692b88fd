"""Builders: things as they usually are, of which a test names only what it is about."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from chalice.app import Request

from chalicelib.domain.agents import Agent
from chalicelib.domain.idempotency import KEPT, IdempotencyKey, IdempotencyRecord
from chalicelib.domain.properties import Property, PropertyDetails
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.visits import BookVisit, Status, Visit

NOW = datetime(2027, 3, 10, 12, 0, tzinfo=UTC)
"""The present in the tests: a Wednesday, before the clocks of Europe change."""

TEN = datetime(2027, 3, 12, 10, 0, tzinfo=UTC)
"""When a visit usually begins."""

_numbers = itertools.count(1)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Ids:
    """Ids that sort by the order in which they were made, as the real ones do."""

    made: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        self.made.append(visit_id())
        return self.made[-1]


def unchecked(_: object) -> None:
    """Whoever asks may do that."""


class NotAllowed(Exception):
    pass


def forbidden(_: object) -> None:
    raise NotAllowed


def utc(text: str) -> datetime:
    """The instant that a text like 2027-03-12T10:00+01:00 names; without an offset it is UTC."""
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def visit_id() -> str:
    return f"00000000-0000-7000-8000-{next(_numbers):012x}"


def property_id() -> str:
    """The id of a property that no other test knows."""
    return f"house-{next(_numbers)}"


def agent_id() -> str:
    return f"agent-{next(_numbers)}"


def details(**changes: Any) -> PropertyDetails:
    return replace(PropertyDetails("House", "Lane 1, Berlin", Decimal(450000), "EUR", "Europe/Berlin"), **changes)


def a_property(id: str | None = None, **changes: Any) -> Property:
    return Property(id or property_id(), details(**changes), version=1, created_at=NOW, updated_at=NOW)


def an_agent(id: str | None = None, **changes: Any) -> Agent:
    """An agent of Berlin who works at any time and needs no time to travel."""
    return replace(Agent(id or agent_id(), "Ann", "Europe/Berlin", created_at=NOW, updated_at=NOW), **changes)


def booking(**changes: Any) -> BookVisit:
    return replace(BookVisit(property_id="house", date=TEN), **changes)


def a_visit(**changes: Any) -> Visit:
    """A confirmed visit of half an hour, without agent, visitor and notes."""
    usual = Visit(
        id=visit_id(),
        property_id="house",
        date=TEN,
        duration_minutes=30,
        time_zone="Europe/Berlin",
        place="Lane 1, Berlin",
        status=Status.CONFIRMED,
        agent_id=None,
        visitor=None,
        notes=None,
        cancellation=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(usual, **changes)


def a_key(key: str = "key", payload: bytes = b"payload", **changes: Any) -> IdempotencyKey:
    return replace(IdempotencyKey("anonymous", "POST /visits", key, payload), **changes)


def a_record(expires_at: datetime = NOW + KEPT, **changes: Any) -> IdempotencyRecord:
    usual = IdempotencyRecord(f"{next(_numbers):064x}", "resource", Signature("k1", b"fingerprint"), expires_at)
    return replace(usual, **changes)


def property_body(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "name": "House",
        "address": "Lane 1, Berlin",
        "price": 450000,
        "currency": "EUR",
        "timeZone": "Europe/Berlin",
    }
    return usual | changes


def visit_body(property_id: str = "house", date: str = "2027-03-12T10:00:00Z", **changes: Any) -> dict[str, Any]:
    return {"propertyId": property_id, "date": date} | changes


def event(
    method: str,
    resource: str,
    path: str | None = None,
    *,
    stage: str = "",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, list[str]] | None = None,
    parameters: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> dict[str, Any]:
    """What the gateway hands to the app; `stage` is what stands before the path there, /api for example."""
    path = path or resource
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "requestContext": {
            "requestId": "request-1",
            "httpMethod": method,
            "resourcePath": resource,
            "path": stage + path,
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {"principalId": "tests", "scopes": "read write admin"},
        },
        "headers": dict(headers or {}),
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
        "pathParameters": dict(parameters or {}),
        "multiValueQueryStringParameters": dict(query) if query else None,
        "stageVariables": None,
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def request(method: str, resource: str, path: str | None = None, **changes: Any) -> Request:
    """A request as our routes see it."""
    return Request(event(method, resource, path, **changes), None)
