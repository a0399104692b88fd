"""Columns of a table without headings, as far as their cells leave no doubt. Every row of it has to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from chalicelib.domain.sheets import Column, Field, Settings
from chalicelib.reading import dates, times
from chalicelib.reading.countries import country_of
from chalicelib.reading.grids import LONGEST_FACT, Grid
from chalicelib.reading.people import parse_email, parse_phone
from chalicelib.reading.statuses import parse_status

if TYPE_CHECKING:
    from chalicelib.reading.parsed import Parsed
    from chalicelib.reading.properties import Properties

_MOST: Final = 0.6
_LEAST_LINES: Final = 2
_SAMPLE: Final = 30


def columns(grid: Grid, settings: Settings, properties: Properties) -> tuple[Column, ...]:
    """The columns, or none at all where no date is among them."""
    lines = [line for line in grid.lines if len(line.filled) > 1]
    if len(lines) < _LEAST_LINES or grid.width < 2:
        return ()
    country = country_of(settings.time_zone)
    tests: Mapping[Field, Callable[[str], bool]] = {
        Field.DATE: lambda text: dates.split(text) is not None,
        Field.TIME: lambda text: _certain(times.parse_time(text)),
        Field.EMAIL: lambda text: "@" in text and parse_email(text).value is not None,
        Field.PHONE: lambda text: _certain(parse_phone(text, country, sure=False)),
        Field.STATUS: lambda text: _certain(parse_status(text)),
        Field.PROPERTY: lambda text: properties.find(text).value is not None,
    }
    found: dict[int, tuple[Field, ...]] = {
        index: (field,) if field else () for index, field in settings.columns.items()
    }
    for field, fits in tests.items():
        shares = {
            index: sum(map(fits, texts)) / len(texts)
            for index in range(grid.width)
            if index not in found and (texts := _texts(grid, index))
        }
        best = max(shares, key=lambda index: shares[index], default=None)
        if best is not None and shares[best] >= _MOST and (field,) not in found.values():
            found[best] = (field,)
    if (Field.DATE,) not in found.values() or len([fields for fields in found.values() if fields]) < 2:
        return ()
    return tuple(Column(index, "", found.get(index, ())) for index in range(grid.width))


def _texts(grid: Grid, index: int) -> list[str]:
    texts = (line.cells[index].text for line in grid.lines[:_SAMPLE] if index < len(line.cells))
    return [text for text in texts if 0 < len(text) <= LONGEST_FACT]


def _certain(parsed: Parsed) -> bool:
    return parsed.value is not None and not parsed.issues
