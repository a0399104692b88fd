"""JSON read as strictly as a contract needs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chalicelib.http.strict_json import DEEPEST, MalformedJson, parse_json


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"{}", {}),
        (b' \n{"a": [1, true, null, "x"]}\t', {"a": [1, True, None, "x"]}),
        (b"0.1", Decimal("0.1")),
        (b"1e2", Decimal(100)),
        (b"-0", 0),
        (b'"\\ud83c\\udfe0"', "🏠"),
        ('"🏠ü"'.encode(), "🏠ü"),
        (b'{"a": {"b": 1}, "b": {"b": 1}}', {"a": {"b": 1}, "b": {"b": 1}}),
        (b'"\\u0000"', "\0"),
    ],
)
def test_json_is_read(raw: bytes, expected: object) -> None:
    assert parse_json(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "line 1"),
        (b"{", "line 1"),
        (b'{\n"a": 1,}', "line 2"),
        (b"[1,]", "line 1|byte 0"),
        (b"{} {}", "Extra data"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"-Infinity", "-Infinity"),
        (b"01", "line 1|byte 0"),
        (b"+1", "line 1|byte 0"),
        (b".5", "line 1|byte 0"),
        (b"1.", "line 1|byte 0"),
        (b"0x10", "line 1|byte 0"),
        (b"'a'", "line 1|byte 0"),
        (b'"a\nb"', "line 1|byte 0"),
        (b'"\\x41"', "line 1|byte 0"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'[{"x": {"a": 1, "a": 2}}]', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b'"\xff"', "byte 1"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM|line 1"),
        ('"a"'.encode("utf-16"), "UTF-8"),
        (b'"\\ud83c"', "surrogate"),
        (b'{"\\udfe0": 1}', "surrogate"),
        (b'["\\udfe0\\ud83c"]', "surrogate"),
        (b"[" * 2000 + b"]" * 2000, "deeper"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "deeper"),
        (b"[" * 60_000, "deeper|line 1"),
        (b"9" * 5000, "digits"),
        (b"0." + b"9" * 5000, "digits"),
        (b"1e" + b"9" * 5000, "digits"),
    ],
)
def test_what_is_not_json_is_malformed_for_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedJson, match=reason):
        parse_json(raw)


def test_the_deepest_nesting_is_allowed_and_one_more_is_not() -> None:
    assert parse_json(b"[" * DEEPEST + b"1" + b"]" * DEEPEST) is not None
    with pytest.raises(MalformedJson):
        parse_json(b"[" * (DEEPEST + 1) + b"1" + b"]" * (DEEPEST + 1))
    assert parse_json(b'"' + b"[{" * 100 + b'"'), "brackets in a text nest nothing"


def test_a_reason_quotes_nothing_of_the_text() -> None:
    for raw in (b'{"name": "Zara"', b'{"Zara": 1, "Zara": 2}', b'{"a": Zara}', b'"Zara\\ud83c"'):
        with pytest.raises(MalformedJson) as refused:
            parse_json(raw)
        assert "Zara" not in str(refused.value)
