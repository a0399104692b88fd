"""Every route with every kind of key, through the development server; the routes are the app's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

import app as entry
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.errors import StoreBusy
from chalicelib.repositories.api_keys import DynamoApiKeys
from tests.integration.access import KEYS, Headers, access_to, bearer, call, check_door, headers_of
from tests.integration.api import Api, serve

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

ROUTES = sorted(entry.required)


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table) as api:
        del api.http.headers["Authorization"]
        yield api


@pytest.fixture(scope="module")
def headers(api: Api, table: FreshTable) -> dict[str, Headers]:
    return headers_of(api.dynamodb, table.name)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_opens_to_its_scope_and_to_nothing_else(
    api: Api, headers: dict[str, Headers], method: str, path: str
) -> None:
    for key in KEYS:
        check_door(call(api.http, method, path, headers[key]), entry.required[method, path], key)


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_a_method_that_a_route_does_not_have_opens_nothing(api: Api, path: str) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"}
    for method in sorted(methods - {method for method, its_path in ROUTES if its_path == path}):
        assert call(api.http, method, path, {}).status_code in (401, 404, 405), method


@pytest.mark.parametrize(
    "spelling", ["/visits/", "//visits", "/visits/.", "/visits/%2e", "/VISITS", "/visits%2f", "/./visits"]
)
def test_another_spelling_of_an_address_opens_nothing(api: Api, spelling: str) -> None:
    answer = api.http.send(httpx.Request("GET", f"{api.http.base_url}".rstrip("/") + spelling))
    assert answer.status_code in (401, 404)


def test_a_key_that_cannot_be_checked_is_neither_good_nor_bad(
    api: Api, headers: dict[str, Headers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: object, __: str) -> None:
        raise StoreBusy

    monkeypatch.setattr(DynamoApiKeys, "find", busy)
    answer = call(api.http, "GET", "/visits", headers["read"])
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "urn:visits:problem:store-busy"


def test_every_answer_forbids_to_keep_it_to_guess_its_type_and_to_show_it_as_a_page(
    api: Api, headers: dict[str, Headers]
) -> None:
    for path in ("/health", "/visits", "/visits/nothing", "/nowhere"):
        for key in ("read", "no key"):
            answer = call(api.http, "GET", path, headers[key])
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["X-Frame-Options"] == "DENY"


def test_rotated_keys_are_one_caller_whose_retries_are_retries(api: Api, table: FreshTable) -> None:
    access = access_to(api.dynamodb, table.name)
    before = bearer(access, name="feed")
    other = bearer(access, name="another-feed")
    _, shown = access.rotate("feed", timedelta(days=1))
    after = {"Authorization": f"Bearer {shown.text}"}
    house = {"name": "House", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
    once = {"Idempotency-Key": "one"}
    first = api.http.post("/properties", json=house, headers=before | once)
    again = api.http.post("/properties", json=house, headers=after | once)
    assert (again.json()["id"], again.headers["Idempotency-Replayed"]) == (first.json()["id"], "true")
    assert api.http.post("/properties", json=house, headers=other | once).json()["id"] != first.json()["id"]


def test_listed_keys_show_no_secret_and_are_found_without_a_scan(api: Api, table: FreshTable) -> None:
    access = access_to(api.dynamodb, table.name)
    key, shown = access.issue("listed", [Scope.READ])
    while key not in access.all_keys():
        time.sleep(0.01)
    assert shown.secret not in repr(access.all_keys())
