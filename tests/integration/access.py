"""Keys for the tests, as the operator would make them, and what each kind of them must be answered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from chalicelib.container import utc_now
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.visits import Visitor
from chalicelib.http.guard import CALLER, PUBLIC, VISITOR, Access
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.properties import DynamoProperties
from chalicelib.repositories.signing_keys import DynamoSigningKeys
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from chalicelib.services.api_keys import ApiKeys
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visitor_links import Links
from tests.builders import a_property, a_visit, property_id
from tests.people import token

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVERYTHING = tuple(Scope)
SCOPES = [str(scope) for scope in Scope]
STRANGERS = ["no key", "garbage", "another scheme", "huge", "expired", "revoked", "wrong secret", VISITOR]
STRANGE_PEOPLE = ["person whose token expired", "person of another client", "person in no group"]
PEOPLE = [f"person in {scope}" for scope in SCOPES]
KEYS = [*STRANGERS, *STRANGE_PEOPLE, *SCOPES, *PEOPLE]

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
        VISITOR: link_to_a_visit(dynamodb, table),
        **{scope: bearer(access, [Scope(scope)], name=f"only-{scope}") for scope in SCOPES},
        "person whose token expired": signed_in(SCOPES, exp=1),
        "person of another client": signed_in(SCOPES, scope="openid email"),
        "person in no group": signed_in([]),
        **{f"person in {scope}": signed_in([scope]) for scope in SCOPES},
    }


def signed_in(scopes: Iterable[str], **claims: Any) -> Headers:
    """What the console sends for a person in the groups of that name."""
    return {"Authorization": f"Bearer {token(scopes, **claims)}"}


def link_to_a_visit(dynamodb: DynamoDBClient, table: str) -> Headers:
    """What the visitor of a visit sends."""
    store = Table(dynamodb, table)
    visit = a_visit(property_id=property_id(), visitor=Visitor("Ada"))
    DynamoProperties(store).add(a_property(visit.property_id))
    DynamoVisits(store).add(visit, 1)
    return {"Authorization": f"Bearer {Links(Signer(DynamoSigningKeys(store), utc_now)).link(visit)}"}


def call(http: httpx.Client, method: str, path: str, headers: Headers) -> httpx.Response:
    """A request that gets as far as the key lets it; no route takes the body, and there is no version to be erased."""
    if method == "DELETE":
        headers = {**headers, "If-Match": '"0"'}
    somewhere = re.sub(r"\{\w+\}", "018f0000-0000-7000-8000-000000000000", path)
    return http.request(method, somewhere, headers=headers, content=b"" if method in ("GET", "HEAD") else b"[]")


def check_door(answer: httpx.Response, wanted: Scope | Access, key: str) -> None:
    """A route that wants this opens to its scope, or to its visitor, and to nothing else."""
    told = f"{answer.request.method} {answer.request.url.path} with {key}: {answer.status_code} {answer.text[:200]}"
    stranger = key in STRANGERS or key in STRANGE_PEOPLE[:2]
    if wanted == PUBLIC or key.removeprefix("person in ") == wanted or (wanted == CALLER and not stranger):
        assert answer.status_code not in (401, 403), told
        return
    expected, slug = (401, "unauthorized") if stranger else (403, "insufficient-scope")
    if wanted == VISITOR and key != "no key":
        expected, slug = 404, "link-invalid"
    assert answer.status_code == expected, told
    assert answer.headers["Content-Type"] == "application/problem+json", told
    if expected != 404:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="visits"')
    assert answer.headers["Cache-Control"] == "no-store"
    if answer.request.method == "HEAD":
        assert not answer.content
        return
    assert answer.json()["type"] == f"urn:visits:problem:{slug}"
    assert answer.json()["status"] == expected
