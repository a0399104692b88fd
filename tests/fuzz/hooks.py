"""What schemathesis must be told because no JSON Schema can say it. Loaded by it (SCHEMATHESIS_HOOKS), not by pytest.

Nothing is excluded here. Valid cases are made to keep rules that lie between fields or in the state of the service;
invalid ones stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, HookContext, SerializationContext

from chalicelib.domain.spellings import EMAIL, PHONE

PROPERTIES = json.loads(os.environ.get("FUZZ_PROPERTIES", "[]"))
"""Properties that are there: a booking for a made-up one never gets far."""

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
AVAILABILITY = "PUT /properties/{propertyId}/availability"
REACH = 4 * 365 * 24 * 3600


def _instant(seconds: int, offset: int) -> str:
    return (NOON + timedelta(seconds=seconds)).astimezone(timezone(timedelta(minutes=offset))).isoformat()


# Within five years of now, which a schema cannot say.
schemathesis.openapi.format(
    "date-time", st.builds(_instant, st.integers(-REACH, REACH), st.sampled_from([0, 60, -300, 330, 765]))
)

# schemathesis also asks for texts of the greatest length, of one more and of one less. It filters what is drawn here
# and gives up after hundreds of drawings: so such texts are among them, and zones, none of which is that long, are few.
_EDGES = [limit + more for limit in (64, 128, 200, 254, 500, 2000) for more in (-1, 0, 1)]


def _or_long(usual: st.SearchStrategy[str], long: Callable[[int], str]) -> st.SearchStrategy[str]:
    return usual | st.sampled_from([long(length) for length in _EDGES])


# Formats of ours; what else they take, tests/unit/test_spellings.py says.
_LETTERS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)
_LINES = st.lists(_LETTERS, max_size=3).map(lambda lines: "\n".join(["x", *lines]))
schemathesis.openapi.format("one-line", _or_long(_LETTERS.map("x{}".format), lambda length: "x" * length))
schemathesis.openapi.format("lines", _or_long(_LINES, lambda length: "x\n".ljust(length, "x")))
schemathesis.openapi.format("e-mail", _or_long(st.emails(), lambda length: "@example.com".rjust(length, "a")))
schemathesis.openapi.format(
    "telephone", _or_long(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), "+4930901820".ljust)
)
schemathesis.openapi.format("iana-time-zone", st.sampled_from(sorted(available_timezones())[::40]))

_ROWS = st.lists(
    st.dictionaries(st.text(max_size=10), st.one_of(st.none(), st.booleans(), st.integers(), st.text()), max_size=5),
    min_size=1,
    max_size=5,
)
schemathesis.openapi.format("ndjson", _ROWS.map(lambda rows: "\n".join(json.dumps(row) for row in rows)))


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: SerializationContext, value: Any) -> bytes:
    """Text as it is; what is none, in an array, or an object would be a row and valid after all."""
    return (value if isinstance(value, str) else json.dumps([str(value)])).encode()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    _fit_query(case)
    _fit_headers(case)
    if isinstance(case.body, dict):
        _fit_body(case)


def _fit_query(case: Case[Any]) -> None:
    """Cursors are signed, so none can be made up; a window has an order and a width."""
    query = case.query
    if not query:
        return
    query.pop("cursor", None)
    if "q" in query:
        query["q"] = "house"  # any text is not: of signs alone nothing is looked for
    if "from" in query and "to" in query:
        start, end = sorted(datetime.fromisoformat(str(query[name]).upper()) for name in ("from", "to"))
        widest = timedelta(days=30)
        query["from"] = start.isoformat()
        query["to"] = max(min(end, start + widest), start + timedelta(hours=1)).isoformat()


def _fit_headers(case: Case[Any]) -> None:
    """The same Idempotency-Key with another payload is refused: each payload has its own, and is replayed with it."""
    headers = case.headers
    for name in ("If-Match", "If-None-Match"):
        # schemathesis 4.32 puts a bare 0 here in cases that it calls valid, whatever the pattern says.
        if headers.get(name) == "0":
            headers[name] = '"0"'
    if case.operation.label in ("PUT /properties/{propertyId}", "PUT /agents/{agentId}", AVAILABILITY):
        # One of the two is needed, and only one may be there.
        given = "If-None-Match" if "If-None-Match" in headers else "If-Match"
        headers.pop("If-Match" if given == "If-None-Match" else "If-None-Match", None)
        headers.setdefault(given, "*")
    if "Idempotency-Key" in headers:
        payload = hashlib.sha256(repr(case.body).encode()).hexdigest()
        headers["Idempotency-Key"] = f"{str(headers['Idempotency-Key'])[:100].strip()}.{payload}"


def _fit_body(case: Case[Any]) -> None:
    body: dict[str, Any] = case.body  # type: ignore[assignment] # a dict, just seen
    if case.operation.label == "POST /visits" and PROPERTIES:
        digest = hashlib.sha256(repr(body).encode()).digest()
        if digest[0] < 230:
            body["propertyId"] = PROPERTIES[digest[1] % len(PROPERTIES)]
    if case.operation.label == "POST /intakes":
        # As many as may be are handed in by tests/integration/intakes/test_costs.py: they take 10 ms each.
        del body["visits"][20:]
    if case.operation.label == AVAILABILITY:
        _fit_rules(body)
    if case.operation.label == "PUT /agents/{agentId}" and body.get("availability"):
        _fit_rules(body["availability"])
    if case.operation.label == "POST /visitors/search":
        body.pop("cursor", None)
    if case.operation.label in ("POST /visitors/search", "POST /visitors/erase"):
        _fit_contact(body)
    visitor = body.get("visitor")
    if not isinstance(visitor, dict):
        return
    if case.operation.label == "PATCH /visits/{visitId}":
        # Something stays known of a visitor.
        visitor["name"] = visitor.get("name") or "Ada Lovelace"
    _fit_contact(visitor)


def _fit_contact(person: dict[str, Any]) -> None:
    for name, format, plain in (("email", EMAIL, "ada@example.com"), ("phone", PHONE, "+4930901820")):
        # Where it solves rules between fields, schemathesis 4.32 forgets formats that it was told of.
        if isinstance(person.get(name), str) and not format.fullmatch(person[name]):
            person[name] = plain


def _fit_rules(body: dict[str, Any]) -> None:
    """Openings end later than they begin, spans of dates too, and no date has two."""
    body["dates"] = body.get("dates", [])[:1]
    weekly = body.get("weekly") or {}
    days = [weekly[day] for day in weekly]
    for dates in body["dates"]:
        days.append(dates["open"])
        if dates.get("to") is not None:
            dates["from"], dates["to"] = sorted((dates["from"], dates["to"]))
    for openings in days:
        openings[:] = [sorted(pair) if pair[0] != pair[1] else ["00:00", "24:00"] for pair in openings]
