"""docs/costs.md follows from the table of prices and the measured units, and grows as it should."""

from __future__ import annotations

import pytest

from tools import costs
from tools.units import BOOK


def test_the_page_is_as_it_is_computed() -> None:
    assert costs.PAGE.read_text(encoding="utf-8") == costs.written(), "make costs"


def test_a_booking_costs_what_its_parts_cost() -> None:
    a_million = costs.called(1_000_000, 0.02, BOOK)
    gateway, call, time, logs = 3.50, 0.20, 0.02 * 1769 / 1024 * 16.6667, 0.75
    assert a_million == pytest.approx(gateway + call + time + logs + 8 * 0.625 + 0.125)


@pytest.mark.parametrize("feature", costs.FEATURES, ids=lambda it: it.name)
def test_no_feature_grows_faster_than_the_agency(feature: costs.Feature) -> None:
    small, large = feature.cost(10), feature.cost(1000)
    assert 0 < small <= large <= 100 * small * 1.001
