"""The requests that are measured, as API Gateway's proxy integration hands them to a function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from bench.stand_in import PROPERTY_ID, TOKEN, VISIT_ID

Event = Mapping[str, Any]

HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Authorization": f"Bearer {TOKEN.text}",
    "CloudFront-Forwarded-Proto": "https",
    "Content-Type": "application/json",
    "Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
    "User-Agent": "partner/1.0",
    "X-Amzn-Trace-Id": "Root=1-67400000-0123456789abcdef01234567",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}


def request(
    method: str,
    resource: str,
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Event:
    sent = HEADERS | dict(headers or {})
    return {
        "resource": resource,
        "path": resource.format(**(path or {})),
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": dict(path) if path else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "authorizer": {"principalId": "partner", "keyId": TOKEN.id, "scopes": "admin read write"},
            "domainName": HEADERS["Host"],
            "extendedRequestId": "ABCDEFGHIJKLMNO=",
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "partner/1.0"},
            "path": "/api" + resource.format(**(path or {})),
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "requestTime": "21/Nov/2026:12:00:00 +0000",
            "requestTimeEpoch": 1795262400000,
            "resourceId": "abc123",
            "resourcePath": resource,
            "stage": "api",
        },
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }


_VISIT: Final = {"visit_id": VISIT_ID}

BOOK: Final = request(
    "POST",
    "/visits",
    body={
        "propertyId": PROPERTY_ID,
        "date": "2027-03-28T10:20:00+02:00",
        "durationMinutes": 30,
        "place": "At the gate",
        "visitor": {"name": "Ada Example", "email": "ada@example.com", "phone": "+49 30 901820"},
    },
)
GET: Final = request("GET", "/visits/{visit_id}", path=_VISIT)
LIST: Final = request(
    "GET", "/visits", query={"propertyId": PROPERTY_ID, "from": "2027-03-01T00:00:00Z", "limit": "50"}
)
RESCHEDULE: Final = request(
    "PATCH",
    "/visits/{visit_id}",
    path=_VISIT,
    body={"date": "2027-03-28T11:20:00+02:00"},
    headers={"If-Match": '"1"'},
)
AUTHORIZE: Final = {
    "type": "TOKEN",
    "authorizationToken": f"Bearer {TOKEN.text}",
    "methodArn": "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/api/POST/visits",
}
