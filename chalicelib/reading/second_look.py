"""A second look at what was recognised: cells unlike the rest of their column, however sure the recognition is.

What it finds is marked and never changed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from chalicelib.domain.sheets import Cell, Field, Issue, IssueKind, SheetRow
from chalicelib.reading.parsed import likest, words

_MOSTLY: Final = 0.6
_ENOUGH_ROWS: Final = 3
_NEAR: Final = 50
_FIRST_HOUR, _LAST_HOUR = "07:00", "21:30"
_EXPECTED: Final = (Field.NAME, Field.PHONE, Field.EMAIL)
_PARTICLES: Final = frozenset(
    words(
        "de del la las los y e i da das do dos di du des le van von der den dem zu zum zur ter ten af av "
        "el al bin ben und and et"
    )
)
_ODD_NAME: Final = re.compile(
    # A capital inside a word, digits, and signs that no name has.
    r"(?<!\bMc)(?<!\bMac)(?<!\bDe)(?<!\bDi)(?<!\bLa)(?<!\bLe)(?<=[^\W\d_])(?<![A-Z])[A-Z]|\b[A-Z]{2}[a-z]|\d|[|\[\]{}<>=_~#^\\]"
)


def second_look(rows: Sequence[SheetRow]) -> list[SheetRow]:
    """The rows, with marks where the columns raise doubts."""
    marks: defaultdict[int, dict[Field, Issue]] = defaultdict(dict)
    for index, field in _gaps(rows):
        marks[index][field] = Issue(IssueKind.MISSING)
    for index in _out_of_order(rows):
        marks[index][Field.DATE] = Issue(IssueKind.UNSURE)
    for index in _odd_hours(rows):
        marks[index][Field.TIME] = Issue(IssueKind.UNSURE)
    for index in _odd_names(rows):
        marks[index][Field.NAME] = Issue(IssueKind.UNSURE)
    for index, domain in _odd_domains(rows):
        marks[index][Field.EMAIL] = Issue(IssueKind.LIKE_ANOTHER, domain)
    return [_marked(row, marks[index]) for index, row in enumerate(rows)]


def _marked(row: SheetRow, issues: Mapping[Field, Issue]) -> SheetRow:
    if not issues:
        return row
    cells: dict[Field, Cell] = {
        field: cell.marked(issues[field]) if field in issues else cell for field, cell in row.cells.items()
    }
    return replace(row, cells=cells)


def _gaps(rows: Sequence[SheetRow]) -> Iterator[tuple[int, Field]]:
    """Nothing, where most rows have something: it may have been overlooked."""
    for field in _EXPECTED:
        empty = [index for index, row in enumerate(rows) if field in row.cells and not row.cell(field).text]
        if len(rows) >= _ENOUGH_ROWS and len(empty) < (1 - _MOSTLY) * len(rows):
            yield from ((index, field) for index in empty)


def _out_of_order(rows: Sequence[SheetRow]) -> list[int]:
    """Days before which a later one stands, where most follow each other: a 3 may have been taken for an 8."""
    days = [(index, value) for index, row in enumerate(rows) if (value := row.value(Field.DATE))]
    best: list[tuple[int, int | None]] = []
    for at, (_, day) in enumerate(days):
        # The longest run of days in order that ends here, and the day before in it.
        before = [other for other in range(max(0, at - _NEAR), at) if days[other][1] <= day]
        last = max(before, key=lambda other: best[other][0], default=None)
        best.append((1 if last is None else best[last][0] + 1, last))
    at_end = max(range(len(days)), key=lambda at: (best[at][0], at), default=None)
    in_order = set()
    while at_end is not None:
        in_order.add(at_end)
        at_end = best[at_end][1]
    odd = [index for at, (index, _) in enumerate(days) if at not in in_order]
    return odd if len(days) >= _ENOUGH_ROWS and len(odd) <= (1 - _MOSTLY) * len(days) else []


def _odd_hours(rows: Sequence[SheetRow]) -> list[int]:
    """Times at night."""
    times = {index: value for index, row in enumerate(rows) if (value := row.value(Field.TIME))}
    return [index for index, value in times.items() if not _FIRST_HOUR <= value < _LAST_HOUR]


def _odd_names(rows: Sequence[SheetRow]) -> Iterator[int]:
    """Names with a small letter in front, or a capital within, where most are written as names are."""
    names = {index: value for index, row in enumerate(rows) if (value := row.value(Field.NAME))}
    odd = [index for index, name in names.items() if _ODD_NAME.search(name) or _small(name)]
    if len(odd) <= (1 - _MOSTLY) * len(names) or len(names) < _ENOUGH_ROWS:
        yield from odd


def _small(name: str) -> bool:
    return any(
        word[0].islower() and word.casefold() not in _PARTICLES for word in re.findall(r"[^\W\d_]+", name) if word[1:]
    )


def _odd_domains(rows: Sequence[SheetRow]) -> Iterator[tuple[int, str]]:
    """A domain that only one address has, much like one of the others."""
    domains = {index: value.rpartition("@")[2] for index, row in enumerate(rows) if (value := row.value(Field.EMAIL))}
    counts = Counter(domains.values())
    for index, domain in domains.items():
        others = [other for other in counts if other != domain and counts[other] >= counts[domain]]
        if counts[domain] == 1 and (like := likest(domain, others, 0.85)):
            yield index, like
