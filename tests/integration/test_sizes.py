"""The largest bodies: what passes here passes through API Gateway and Lambda, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from chalice.local import LambdaContext

from chalicelib.api.exports import text_body
from chalicelib.http.sizes import LARGEST_BODY, MOST_BYTES_ENCODED, MOST_BYTES_OF_PAYLOAD
from devstack.gateway import Call, Match, event_of
from tests.integration.api import Api, serve
from tests.integration.intake import mailbox
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

MOST_BYTES_OF_HEAD = 10_240
"""Of the request line and the headers: API Gateway's quota for REST APIs."""


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with mailbox(table) as box, serve(box.table) as api:
        yield api


def filled(start: bytes, filler: bytes, end: bytes, size: int) -> bytes:
    """A body of exactly so many bytes."""
    room = size - len(start) - len(end)
    return start + filler * (room // len(filler)) + b" " * (room % len(filler)) + end


JSON = (b'{"visits": [{"notes": "', b'"}]}')
LINES = (b'{"notes": "', b'"}\n')


@pytest.mark.parametrize(
    "filler", [b"x", b'\\"', "д".encode(), b"\\u0434"], ids=["plain", "quotes", "letters", "escapes"]
)
@pytest.mark.parametrize(("kind", "around"), [("application/json", JSON), ("application/x-ndjson", LINES)])
def test_every_body_up_to_the_limit_reaches_the_app_and_none_beyond(
    api: Api, kind: str, around: tuple[bytes, bytes], filler: bytes
) -> None:
    headers = {"Content-Type": kind, "X-Long": '"' * 9_000}
    start, end = around
    taken = api.http.post("/intakes", content=filled(start, filler, end, LARGEST_BODY), headers=headers)
    # It was read: what is too long is the row.
    assert pointers(taken) == ["#/visits/0"]
    for size in (LARGEST_BODY + 1, 4_720_000, 5_242_880, 10_485_760):
        refused = api.http.post("/intakes", content=filled(start, filler, end, size), headers=headers)
        assert problem(refused, 413, "body-too-large")["detail"] == "The body must not exceed 4,500,000 bytes."


def test_the_contract_and_the_gateway_name_the_limit(api: Api) -> None:
    document = api.http.get("/openapi.json").json()
    assert f"{LARGEST_BODY:,} bytes" in document["paths"]["/intakes"]["post"]["description"]


@pytest.mark.parametrize("name", ["a", '"', "abcdefghij"])
@pytest.mark.parametrize("value", ["", '"' * 10, '"' * 5000])
def test_the_largest_body_fits_beside_the_largest_head(name: str, value: str) -> None:
    """As headers and in the query, in which a few letters grow most."""
    headers: dict[str, list[str]] = {}
    query: list[str] = []
    number = 0
    while sum(len(key) + len(value) for key in headers) < MOST_BYTES_OF_HEAD:
        headers[f"{name}{number:x}"] = [value]
        query.append(f"{number:x}={value}")
        number += 1
    everything = "&".join(query)[:MOST_BYTES_OF_HEAD]
    match = Match("/intakes", {})
    context = LambdaContext("api", 128)
    for call in (
        Call("POST", "/intakes", "", headers, b"x" * LARGEST_BODY),
        Call("POST", "/intakes", everything, {}, b"x" * LARGEST_BODY),
    ):
        event: dict[str, Any] = event_of(call, match, context)
        # A context as AWS makes it is a kilobyte or two; the authorizer adds a name and scopes.
        assert len(json.dumps(event)) + 8_192 <= MOST_BYTES_OF_PAYLOAD


def test_the_largest_answer_fits() -> None:
    text = text_body(b"x" * (MOST_BYTES_ENCODED - 2))
    assert len(json.dumps({"body": text, "headers": {"X": "x" * MOST_BYTES_OF_HEAD}})) < MOST_BYTES_OF_PAYLOAD
