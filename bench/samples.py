"""Visits to measure with, and the requests of a caller as API Gateway and SQS hand them to a function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from chalicelib.domain.availability import Hours, Opening, Rules
from chalicelib.domain.properties import PropertyDetails
from chalicelib.domain.visits import Status, Visit, Visitor

Event = Mapping[str, Any]

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FIRST: Final = datetime(2027, 3, 28, 8, 0, tzinfo=UTC)
PROPERTY_ID: Final = "lake-house"
VISIT_ID: Final = "01956a3c-0000-7000-8000-000000000000"
HOUSE: Final = PropertyDetails("Lake house", "Seestr. 12, 14467 Potsdam", Decimal("890000"), "EUR", "Europe/Berlin")
VISITOR: Final = Visitor("Ada Example", "ada@example.com", "+49 30 901820")
WHERE: Final = (PROPERTY_ID, FIRST + timedelta(minutes=20), 30, "Europe/Berlin", "At the gate")
VISIT: Final = Visit(VISIT_ID, *WHERE, Status.CONFIRMED, None, VISITOR, None, None, 1, NOW, NOW)
OFFICE: Final = "town-house"
OFFICE_HOURS: Final = Rules(
    Hours(((Opening(9 * 60, 18 * 60),),) * 5 + ((Opening(10 * 60, 14 * 60),), ())), 30, 120, 90, 15
)
"""Nine hours on weekdays, four on Saturdays; half of its time is taken, by visits of half an hour with their gap."""
_TODAY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
MONDAY: Final = _TODAY + timedelta(days=14 - _TODAY.weekday())
TAKEN: Final = [
    (MONDAY + timedelta(days=day, hours=9, minutes=45 * nth + 15 * quarter), str(uuid5(NAMESPACE_OID, f"{day} {nth}")))
    for day in range(6)
    for nth in range(6 if day < 5 else 3)
    for quarter in range(3)
]


def visits(count: int, first: datetime = FIRST, **changes: Any) -> Iterator[Visit]:
    """Visits an hour apart, as much alike as visits are."""
    for n in range(count):
        id = str(uuid5(NAMESPACE_OID, f"{changes} {n}"))
        yield replace(VISIT, id=id, date=first + timedelta(hours=n), **changes)


HEADERS: Final = {
    "Accept": "*/*",
    "Authorization": "Bearer 0123456789abcdef",
    "Content-Type": "application/json",
    "Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
}


def request(method: str, resource: str, body: object = None, **parameters: str) -> Event:
    """The event of a request that changes or makes whatever is there; a query is part of the resource."""
    resource, _, query = resource.partition("?")
    queried = dict(pair.split("=") for pair in query.split("&")) if query else {}
    sent = HEADERS | ({"If-Match": "*"} if method in ("PUT", "PATCH") else {})
    path = resource.format(**parameters)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": queried or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in queried.items()} or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "authorizer": {"principalId": "partner", "keyId": "0123456789abcdef", "scopes": "admin read write"},
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "partner/1.0"},
            "path": "/api" + path,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "resourcePath": resource,
            "stage": "api",
        },
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }


def row(number: int, property_id: str) -> Event:
    """A wish for a visit, no two alike."""
    visitor = {"name": "Ada Example", "email": f"ada{number}@example.com"}
    date = f"{FIRST + number * timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    return WISH | {"propertyId": property_id, "externalId": f"{property_id} {number}", "date": date, "visitor": visitor}


def batch(messages: int, rows: int, property_id: str = PROPERTY_ID) -> Event:
    """Messages of a partner as the event source hands them out."""
    numbers = [range(first, first + rows) for first in range(0, messages * rows, rows)]
    return {
        "Records": [_message(f"{property_id} {n}", [row(m, property_id) for m in numbers[n]]) for n in range(messages)]
    }


def _message(id: str, rows: Sequence[Event]) -> Event:
    return {
        "messageId": id,
        "receiptHandle": id,
        "body": json.dumps({"version": 1, "source": "bench", "visits": rows}),
        "attributes": {"SenderId": "AIDAIENQZJOLO23YVJ4VO", "SentTimestamp": "1795262400000"},
        "messageAttributes": {},
    }


WISH: Final = {
    "propertyId": PROPERTY_ID,
    "date": "2027-03-28T10:20:00+02:00",
    "durationMinutes": 30,
    "place": "At the gate",
    "visitor": {"name": "Ada Example", "email": "ada@example.com", "phone": "+49 30 901820"},
}
BOOK: Final = request("POST", "/visits", WISH)
READ: Final = request("GET", "/visits/{visit_id}", visit_id=VISIT_ID)


def slots(property_id: str, days: int) -> Event:
    """Asks for all of them, from the Monday on."""
    window = f"from={MONDAY:%Y-%m-%dT%H:%M:%SZ}&to={MONDAY + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    return request("GET", f"/properties/{{property_id}}/slots?{window}", property_id=property_id)


WEEK_OF_SLOTS: Final = slots(OFFICE, 7)
MONTH_OF_SLOTS: Final = slots(PROPERTY_ID, 31)
"""Around the clock in steps of 15 minutes: 2,976 starts, as many as there can be."""
