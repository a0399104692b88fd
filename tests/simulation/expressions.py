"""DynamoDB's expressions, as far as our repositories use them. Anything else is a loud failure.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

Typed = Mapping[str, Any]
"""A value in DynamoDB's own form: its type and itself."""
StoredItem = Mapping[str, Typed]
Names = Mapping[str, str]
Values = Mapping[str, Typed]
Operand = Callable[[StoredItem, Names, Values], Typed | None]
Condition = Callable[[StoredItem, Names, Values], bool]
Action = Callable[[StoredItem, dict[str, Typed], Names, Values], None]

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z_][A-Za-z0-9_]*|<>|<=|>=|[=<>(),+-])")
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Unknown(AssertionError):
    """The simulation does not know this. It is to learn it, or the request is wrong."""


def plain(typed: Typed) -> Any:
    ((kind, value),) = typed.items()
    return Decimal(value) if kind == "N" else frozenset(value) if kind == "SS" else value


def check_placeholders(texts: list[str], names: Names, values: Values) -> None:
    """DynamoDB takes no placeholder that is not used, or not given."""
    used = _placeholders(tuple(texts))
    if used != names.keys() | values.keys():
        raise Unknown(f"placeholders {sorted(used ^ (names.keys() | values.keys()))} of {texts}")


@cache
def _placeholders(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(token for text in texts for token in _tokens(text) if token[0] in "#:")


@cache
def _tokens(text: str) -> tuple[str, ...]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unknown(f"{text[position:]!r} of {text!r}")
        found.append(match[1])
        position = match.end()
    return tuple(found)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [*_tokens(text), ""]
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position]

    def take(self, wanted: str | None = None) -> str:
        token = self.tokens[self.position]
        if wanted is not None and token.upper() != wanted:
            raise Unknown(f"{token!r} where {wanted!r} should be in {self.text!r}")
        self.position += 1
        return token

    def takes(self, word: str) -> bool:
        if self.peek().upper() == word:
            self.position += 1
            return True
        return False

    def either(self) -> Condition:
        parts = [self.both()]
        while self.takes("OR"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda i, n, v: any(part(i, n, v) for part in parts)

    def both(self) -> Condition:
        parts = [self.single()]
        while self.takes("AND"):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else lambda i, n, v: all(part(i, n, v) for part in parts)

    def single(self) -> Condition:
        if self.takes("NOT"):
            negated = self.single()
            return lambda i, n, v: not negated(i, n, v)
        if self.takes("("):
            inner = self.either()
            self.take(")")
            return inner
        if self.peek() in ("attribute_exists", "attribute_not_exists", "begins_with", "contains"):
            return self.function()
        left = self.operand()
        if self.takes("BETWEEN"):
            low = self.operand()
            self.take("AND")
            high = self.operand()
            return lambda i, n, v: (
                _compared(">=", left(i, n, v), low(i, n, v)) and _compared("<=", left(i, n, v), high(i, n, v))
            )
        if self.takes("IN"):
            members = self.operands()
            return lambda i, n, v: any(_compared("=", left(i, n, v), member(i, n, v)) for member in members)
        sign = self.take()
        right = self.operand()
        if sign == "<>":
            return lambda i, n, v: not _compared("=", left(i, n, v), right(i, n, v))
        if sign not in _COMPARED:
            raise Unknown(f"{sign!r} in {self.text!r}")
        return lambda i, n, v: _compared(sign, left(i, n, v), right(i, n, v))

    def function(self) -> Condition:
        name = self.take()
        path, *rest = self.operands()
        if name == "attribute_exists":
            return lambda i, n, v: path(i, n, v) is not None
        if name == "attribute_not_exists":
            return lambda i, n, v: path(i, n, v) is None
        (wanted,) = rest

        def looked_up(item: StoredItem, names: Names, values: Values) -> bool:
            there, sought = path(item, names, values), wanted(item, names, values)
            if there is None or sought is None:
                return False
            if name == "begins_with":
                return bool(plain(there).startswith(plain(sought)))
            return plain(sought) in plain(there)

        return looked_up

    def operands(self) -> list[Operand]:
        self.take("(")
        found = [self.operand()]
        while self.takes(","):
            found.append(self.operand())
        self.take(")")
        return found

    def operand(self) -> Operand:
        token = self.take()
        if token == "size":
            (path,) = self.operands()

            def size(item: StoredItem, names: Names, values: Values) -> Typed | None:
                there = path(item, names, values)
                return None if there is None else {"N": str(len(plain(there)))}

            return size
        if token == "if_not_exists":
            path, other = self.operands()
            return lambda i, n, v: path(i, n, v) or other(i, n, v)
        if token.startswith(":"):
            return lambda i, n, v: v[token]
        if token.startswith("#"):
            return lambda i, n, v: i.get(n[token])
        if not token.isidentifier():
            raise Unknown(f"{token!r} in {self.text!r}")
        return lambda i, n, v: i.get(token)

    def summed(self) -> Operand:
        left = self.operand()
        if self.peek() not in ("+", "-"):
            return left
        factor = 1 if self.take() == "+" else -1
        right = self.operand()

        def result(item: StoredItem, names: Names, values: Values) -> Typed:
            first, second = left(item, names, values), right(item, names, values)
            if first is None or second is None:
                raise Unknown(f"arithmetic on what is not there: {self.text!r}")
            return {"N": str(plain(first) + factor * plain(second))}

        return result

    def actions(self) -> list[Action]:
        found: list[Action] = []
        while self.peek():
            kind = self.take().upper()
            found.append(self.action(kind))
            while self.takes(","):
                found.append(self.action(kind))
        return found

    def action(self, kind: str) -> Action:
        path = self.take()
        if kind == "REMOVE":

            def remove(before: StoredItem, after: dict[str, Typed], names: Names, values: Values) -> None:
                after.pop(names.get(path, path), None)

            return remove
        if kind == "SET":
            self.take("=")
            value = self.summed()

            def put(before: StoredItem, after: dict[str, Typed], names: Names, values: Values) -> None:
                new = value(before, names, values)
                if new is None:
                    raise Unknown(f"SET of what is not there: {self.text!r}")
                after[names.get(path, path)] = new

            return put
        if kind not in ("ADD", "DELETE"):
            raise Unknown(f"{kind!r} in {self.text!r}")
        given = self.take()

        def change(before: StoredItem, after: dict[str, Typed], names: Names, values: Values) -> None:
            name, value = names.get(path, path), values[given]
            there = before.get(name)
            if "N" in value and kind == "ADD":
                after[name] = {"N": str((plain(there) if there else 0) + plain(value))}
                return
            held = set(there["SS"]) if there else set()
            members = held | set(value["SS"]) if kind == "ADD" else held - set(value["SS"])
            if members:
                after[name] = {"SS": sorted(members)}
            else:
                # There is no empty set: with its last member the attribute goes.
                after.pop(name, None)

        return change


def _compared(sign: str, left: Typed | None, right: Typed | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    return _COMPARED[sign](plain(left), plain(right))


@cache
def condition(text: str) -> Condition:
    parser = _Parser(text)
    parsed = parser.either()
    parser.take("")
    return parsed


@cache
def update(text: str) -> list[Action]:
    return _Parser(text).actions()
