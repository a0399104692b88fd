"""Reads JSON as strictly as a contract needs: RFC 8259 and I-JSON (RFC 7493), nothing that Python adds to it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

DEEPEST = 32


class MalformedJson(ValueError):
    """Not JSON. The message says why in terms of the text, without quoting it."""


def parse_json(raw: bytes, deepest: int = DEEPEST) -> Any:
    """Any JSON value; numbers with a fraction are exact Decimals.

    Raises MalformedJson for invalid UTF-8, NaN and Infinity, a member given twice, half a surrogate pair, nesting
    deeper than that, and numbers beyond reason.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise MalformedJson(f"the body is not UTF-8 (byte {wrong.start})") from None
    try:
        value = json.loads(text, parse_float=_exact, parse_constant=_no_constant, object_pairs_hook=_members_once)
    except json.JSONDecodeError as wrong:
        raise MalformedJson(f"{wrong.msg} at line {wrong.lineno}, column {wrong.colno}") from None
    except RecursionError:
        raise MalformedJson(f"nested deeper than {deepest} levels") from None
    except MalformedJson:
        raise
    except ValueError:  # an integer of thousands of digits
        raise MalformedJson("a number has too many digits") from None
    if text.count("[") + text.count("{") > deepest and _deeper_than(value, deepest):
        raise MalformedJson(f"nested deeper than {deepest} levels")
    if "\\u" in text and _has_lone_surrogate(value):
        raise MalformedJson("unpaired surrogate")
    return value


def _exact(number: str) -> Decimal:
    if len(number) > 100:
        raise MalformedJson("a number has too many digits")
    return Decimal(number)


def _no_constant(name: str) -> Any:
    raise MalformedJson(f"{name} is not JSON")


def _members_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise MalformedJson("an object has the same member twice")
    return made


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
    return bool(level)


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
