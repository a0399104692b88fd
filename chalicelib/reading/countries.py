"""Which country's habits a time zone stands for: how telephone numbers and dates are written there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def _countries() -> Mapping[str, str]:
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {zone: country for country, _, zone, *_ in lines}


def country_of(time_zone: str) -> str | None:
    """ISO 3166; none for zones that are no country's, such as UTC."""
    return _countries().get(time_zone)
