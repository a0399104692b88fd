"""Keys for the tests, as the operator would make them, and what each kind of them must be answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from chalicelib.container import utc_now
from chalicelib.domain.api_keys import Scope
from chalicelib.http.guard import PUBLIC, Public
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.table import Table
from chalicelib.services.api_keys import ApiKeys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVERYTHING = tuple(Scope)
SCOPES = [str(scope) for scope in Scope]
STRANGERS = ["no key", "garbage", "another scheme", "huge", "expired", "revoked", "wrong secret"]
KEYS = [*STRANGERS, *SCOPES]

Headers = dict[str, str]


def access_to(dynamodb: DynamoDBClient, table: str) -> ApiKeys:
    """The keys of a table. By the real clock: a key is good or not whatever the clock of a test says."""
    return ApiKeys(DynamoApiKeys(Table(dynamodb, table)), utc_now)


def bearer(access: ApiKeys, scopes: Iterable[Scope] = EVERYTHING, name: str = "tests") -> dict[str, str]:
    """The header of a caller with a new key."""
    _, shown = access.issue(name, scopes)
    return {"Authorization": f"Bearer {shown.text}"}


def headers_of(dynamodb: DynamoDBClient, table: str) -> dict[str, Headers]:
    """What each kind of caller in KEYS sends."""
    access = access_to(dynamodb, table)
    expired, _ = made = access.issue("expired", Scope)
    DynamoApiKeys(Table(dynamodb, table)).end(expired, utc_now() - timedelta(seconds=1))
    revoked = access.issue("revoked", Scope)
    access.revoke(revoked[0].id)
    _, good = access.issue("good", Scope)
    return {
        "no key": {},
        "garbage": {"Authorization": "Bearer pv_' OR 1=1 --"},
        "another scheme": {"Authorization": f"Basic {good.text}"},
        "huge": {"Authorization": "Bearer " + "A" * 8000},
        "expired": {"Authorization": f"Bearer {made[1].text}"},
        "revoked": {"Authorization": f"Bearer {revoked[1].text}"},
        "wrong secret": {"Authorization": f"Bearer {good.text[:-9]}{good.text[-9:].swapcase()}"},
        **{scope: bearer(access, [Scope(scope)], name=f"only-{scope}") for scope in SCOPES},
    }


def call(http: httpx.Client, method: str, path: str, headers: Headers) -> httpx.Response:
    """A request that gets as far as the key lets it; the body is one that no route takes."""
    somewhere = re.sub(r"\{\w+\}", "018f0000-0000-7000-8000-000000000000", path)
    return http.request(method, somewhere, headers=headers, content=b"" if method in ("GET", "HEAD") else b"[]")


def check_door(answer: httpx.Response, wanted: Scope | Public, key: str) -> None:
    """A route that wants this opens to its scope and to nothing else."""
    if wanted == PUBLIC or key == wanted:
        assert answer.status_code not in (401, 403), answer.text
        return
    expected, slug = (401, "unauthorized") if key in STRANGERS else (403, "insufficient-scope")
    assert answer.status_code == expected, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="visits"')
    assert answer.headers["Cache-Control"] == "no-store"
    if answer.request.method == "HEAD":
        assert not answer.content
        return
    assert answer.json()["type"] == f"urn:visits:problem:{slug}"
    assert answer.json()["status"] == expected
