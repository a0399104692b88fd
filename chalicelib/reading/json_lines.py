"""NDJSON: a visit in each line, nested as the API takes it or flat like a table; or all of them in one array."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Final

from chalicelib.domain.sheets import MOST_ROWS, CannotRead, Failure, Field, Issue, IssueKind
from chalicelib.reading.delimited import decoded
from chalicelib.reading.grids import BLANK, Grid, Line, Source, Written, too_many_rows

_VISITOR: Final = {"name": Field.NAME.value, "email": Field.EMAIL.value, "phone": Field.PHONE.value}
_NO_JSON: Final = (Issue(IssueKind.NO_JSON),)
_MOST_NAMES: Final = 100

Object = dict[str, object]


def read_json_lines(content: bytes) -> Source:
    """The table that the objects make: their names are its header. Raises CannotRead."""
    text, remarks = decoded(content)
    objects = list(_objects(text))
    names = list(dict.fromkeys(name for _, each in objects if each for name in each))
    if not names or len(names) > _MOST_NAMES:
        raise CannotRead(Failure.NOT_A_TABLE, "each line is a JSON object with the fields of a visit")
    # The header is no line of the file: it has the number before the first.
    lines = [Line(0, tuple(Written(name) for name in names))]
    for number, each in objects:
        cells = () if each is None else tuple(_written(each.get(name)) for name in names)
        lines.append(Line(number, cells, _NO_JSON if each is None else ()))
    return Source((Grid(tuple(lines)),), False, remarks)


def _objects(text: str) -> Iterator[tuple[int, Object | None]]:
    if text.lstrip().startswith("["):
        whole = _parsed(text)
        found = list(enumerate(whole, 1)) if isinstance(whole, list) else []
    else:
        found = [(number, _parsed(line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(found) > MOST_ROWS:
        raise too_many_rows()
    for number, value in found:
        yield number, _flat(value) if isinstance(value, dict) else None


def _parsed(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _flat(value: Object) -> Object:
    visitor = value.get("visitor")
    if not isinstance(visitor, dict):
        return value
    flat = {name: each for name, each in value.items() if name != "visitor"}
    return {**flat, **{_VISITOR.get(name, f"visitor {name}"): each for name, each in visitor.items()}}


def _written(value: object) -> Written:
    if value is None or value == "":
        return BLANK
    if isinstance(value, str):
        # Half of a surrogate pair is JSON, but no text.
        return Written(value.encode("utf-8", "replace").decode().strip())
    if isinstance(value, float) and (not math.isfinite(value) or not value.is_integer()):
        return Written(str(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**15:
        return Written(str(int(value)))
    try:
        return Written(json.dumps(value, ensure_ascii=False)[:1000].encode("utf-8", "replace").decode())
    except (ValueError, RecursionError):
        return Written("", issues=_NO_JSON)
