"""Requests that no friendly program sends: each gets its problem document, and nothing of it comes back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.builders import NOW, Clock, property_id, visit_body
from tests.integration.api import Api, serve
from tests.integration.problems import problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

JSON = {"Content-Type": "application/json"}
TEN_THOUSAND = "x" * 10_000


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, Clock(NOW)) as api:
        yield api


@pytest.fixture(scope="module")
def house(api: Api) -> str:
    return api.property(property_id())


def everything_ours(answer: httpx.Response) -> str:
    """All that comes back, headers included."""
    return f"{answer.headers} {answer.text}"


MALFORMED = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "half an object": b'{"propertyId": "h"',
    "two values": b"{} {}",
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "comment": b"{} // no",
    "NaN": b'{"price": NaN}',
    "Infinity": b'{"price": -Infinity}',
    "a member twice": b'{"date": "2027-03-12T10:00:00Z", "date": "2027-03-13T10:00:00Z"}',
    "a nested member twice": b'{"visitor": {"name": "A", "name": "B"}}',
    "2,000 arrays deep": b"[" * 2000 + b"]" * 2000,
    "2,000 objects deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "100,000 open brackets": b"[" * 60_000,
    "33 deep": b'{"notes": ' + b"[" * 33 + b"]" * 33 + b"}",
    "invalid UTF-8": b'{"place": "\xff\xfe"}',
    "overlong UTF-8": b'{"place": "\xc0\xaf"}',
    "UTF-8 surrogates": b'{"place": "\xed\xa0\x80"}',
    "UTF-16": '{"place": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half a surrogate pair": b'{"place": "\\ud83c"}',
    "half a pair as a name": b'{"\\udc00": 1}',
    "a raw line end in a string": b'{"place": "a\nb"}',
    "a number of 5,000 digits": b'{"durationMinutes": ' + b"9" * 5000 + b"}",
    "a fraction of 5,000 digits": b'{"durationMinutes": 0.' + b"9" * 5000 + b"}",
    "a zero byte": b'{"place": "\x00"}',
    "a form": b"propertyId=h&date=2027-03-12",
    "XML": b"<visit/>",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_json_is_malformed(api: Api, body: bytes) -> None:
    problem(api.http.post("/visits", content=body, headers=JSON), 400, "malformed-request")
    problem(api.http.post("/properties", content=body, headers=JSON), 400, "malformed-request")


STRANGE: dict[str, dict[str, object]] = {
    "a place of 10,000 characters": {"place": TEN_THOUSAND},
    "a huge number": {"durationMinutes": 10**100},
    "a negative number": {"durationMinutes": -(2**63)},
    "a field name of 10,000 characters": {TEN_THOUSAND: 1},
    "a header in a place": {"place": "x\r\nSet-Cookie: a=b"},
    "a header in a property id": {"propertyId": "x\r\nSet-Cookie: a=b"},
    "a header in a field name": {"a\r\nSet-Cookie: b": 1},
    "a zero byte in a place": {"place": "a\x00b"},
    "an escape in a name": {"visitor": {"name": "\x1b[31m"}},
    "a zero byte in notes": {"notes": "\x00"},
    "a line separator in a place": {"place": "a\u2028b"},
    "an array for a string": {"place": ["x"]},
    "an object for an id": {"propertyId": {"$ne": None}},
    "a path for an id": {"propertyId": "../../etc/passwd"},
    "a key of the table for an id": {"propertyId": "h#2027-03-12"},
    "a prototype": {"__proto__": {"status": "confirmed"}},
    "a dunder": {"__class__": "x"},
    "many unknown fields": {f"field{n}": n for n in range(500)},
}


@pytest.mark.parametrize("changes", STRANGE.values(), ids=STRANGE.keys())
def test_what_says_too_much_is_invalid_and_is_not_repeated(api: Api, house: str, changes: dict[str, object]) -> None:
    answer = api.post("/visits", visit_body(house) | changes)
    problem(answer, 422, "invalid-input")
    assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie: a" not in answer.text
    assert len(answer.content) < 100_000


def test_a_body_beyond_64_kilobytes_is_too_large(api: Api) -> None:
    body = json.dumps({"notes": "x" * 65_536}).encode()
    problem(api.http.post("/visits", content=body, headers=JSON), 413, "body-too-large")
    problem(api.http.post("/visits", content=b" " * 65_537, headers=JSON), 413, "body-too-large")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "*/*",
        "application/merge-patch+json",
    ],
)
def test_a_body_of_another_type_or_of_none_is_not_taken(api: Api, house: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = api.http.post("/visits", content=json.dumps(visit_body(house)), headers=headers)
    problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_by_any_spelling_is_taken(api: Api, content_type: str) -> None:
    body = json.dumps(visit_body(api.property(property_id())))
    assert api.http.post("/visits", content=body, headers={"Content-Type": content_type}).status_code == 201


@pytest.mark.parametrize("path", ["/", "/nope", "/visits/a/b/c", "/visit", "/Visits", "/visits//status", "/.env"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_address_where_nothing_is(api: Api, method: str, path: str) -> None:
    answer = api.http.request(method, path)
    problem(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/visits", {"GET", "POST"}),
        ("PUT", "/properties", {"GET", "POST"}),
        ("POST", "/visits/x", {"GET", "PATCH"}),
        ("DELETE", "/visits/x", {"GET", "PATCH"}),
        ("GET", "/visits/x/status", {"PUT"}),
        ("GET", "/visits/x/visitor", {"DELETE"}),
        ("PATCH", "/properties/x", {"GET", "PUT"}),
        ("POST", "/health", {"GET"}),
        ("TRACE", "/visits", {"GET", "POST"}),
        ("BREW", "/visits", {"GET", "POST"}),
    ],
)
def test_a_method_that_the_address_does_not_know(api: Api, method: str, path: str, allowed: set[str]) -> None:
    answer = raw(api, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) >= allowed


TRICKS = [
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e",
    "a%2fb",
    "a%5cb",
    "%00",
    "%0d%0aSet-Cookie:%20a=b",
    "%ff%fe",
    "%c0%ae",
    "%",
    "%zz",
    "%e2%80%ae",
    "a%20b",
    "a%23b",
    "a%3fb",
    "*",
    "{property_id}",
    "%7Bproperty_id%7D",
    "a;b=c",
    "x" * 5000,
]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_path_that_plays_tricks_leads_nowhere(api: Api, trick: str) -> None:
    for kind, address in (("property", f"/properties/{trick}"), ("visit", f"/visits/{trick}")):
        answer = raw(api, f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        problem(answer, 404, f"{kind}-not-found")
        assert "Set-Cookie" not in everything_ours(answer)
    answer = raw(api, f"GET /properties/{trick}/busy HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    problem(answer, 404, "property-not-found")


def test_an_encoded_id_is_the_id(api: Api) -> None:
    api.property("tilde~1")
    assert api.http.get("/properties/tilde%7e1").json()["id"] == "tilde~1"
    assert api.http.get("/properties/%74ilde~1").json()["id"] == "tilde~1"


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "Idempotency-Key", "Content-Type", "X-Request-Id"])
@pytest.mark.parametrize("value", ['"xyzzy"', "xyzzy", 'W/"xyzzy", xyzzy', "xyzzy" * 300])
def test_no_header_of_the_caller_comes_back(api: Api, house: str, name: str, value: str) -> None:
    for answer in (
        api.http.get(f"/properties/{house}", headers={name: value}),
        api.http.post("/visits", content=b"{}", headers={"Content-Type": "application/json"} | {name: value}),
        api.http.patch("/visits/x", content=b"{}", headers={"Content-Type": "application/json"} | {name: value}),
        api.http.put(f"/properties/{house}", content=b"{}", headers=JSON | {name: value}),
    ):
        assert answer.status_code < 500, answer.text
        assert "xyzzy" not in everything_ours(answer)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize(
    "query",
    [
        "from=%0d%0aSet-Cookie:%20a=b",
        "cursor=%0d%0aSet-Cookie:%20a=b",
        "agentId=%00",
        "agentId=%0d%0aSet-Cookie:%20a=b",
        "agentId=%ff",
        "agentId=%ed%a0%80",
        "%0d%0aSet-Cookie=b",
        "limit[]=1",
        "&&&=&",
        "status=confirmed&status=nope",
        "order=" + "x" * 5000,
        "a=1&" * 500,
    ],
)
def test_no_query_is_a_fault_or_comes_back_in_a_header(api: Api, query: str) -> None:
    for path in ("/visits", "/properties"):
        answer = raw(api, f"GET {path}?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.status_code in (200, 400, 422)
        assert "Set-Cookie" not in answer.headers
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code


def test_what_a_query_says_of_an_agent_goes_round_through_the_link_unharmed(api: Api) -> None:
    agent = 'a&b=c <x>; rel="evil" ü'
    house = api.property(property_id())
    for hour in (10, 11):
        api.visit(house, f"2027-03-12T{hour}:00:00Z", agentId=agent)
    first = api.get("/visits", agentId=agent, limit=1)
    link = first.headers["Link"]
    assert link.count("<") == link.count(">") == 1
    assert link.endswith('>; rel="next"')
    second = api.http.get(link[1 : link.index(">")])
    assert (second.status_code, len(second.json()["items"])) == (200, 1)


def raw(api: Api, request: bytes) -> httpx.Response:
    """The answer to bytes as they are, which no client would send."""
    address = urlsplit(str(api.http.base_url))
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as connection:
        ours = f"\r\nConnection: close\r\nAuthorization: {api.http.headers['Authorization']}\r\nHost"
        connection.sendall(request.replace(b"\r\nHost", ours.encode(), 1))
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers: Any = [tuple(line.split(": ", 1)) for line in lines]
    return httpx.Response(int(status_line.split()[1]), headers=headers, content=body)
