"""Windows of time: what a list looks at when it is told both bounds, one, or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.listing import VisitFilter, Window
from tests.builders import NOW, TEN

DAY = timedelta(days=1)


def test_without_bounds_31_days_back_and_92_ahead() -> None:
    assert Window.around(NOW, None, None) == Window(NOW - 31 * DAY, NOW + 92 * DAY)


def test_with_one_bound_366_days_from_there() -> None:
    assert Window.around(NOW, TEN, None) == Window(TEN, TEN + 366 * DAY)
    assert Window.around(NOW, None, TEN) == Window(TEN - 366 * DAY, TEN)


def test_with_both_bounds_just_those() -> None:
    assert Window.around(NOW, TEN, TEN + 9 * DAY) == Window(TEN, TEN + 9 * DAY)


@pytest.mark.parametrize("end", [TEN, TEN - DAY])
def test_an_empty_window_is_refused(end: datetime) -> None:
    with pytest.raises(InvalidInput) as refused:
        Window.around(NOW, TEN, end)
    assert refused.value.errors == [FieldError("?to", "must be later than 'from'")]


def test_at_the_ends_of_the_calendar_a_window_ends_there_too() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC, microsecond=0)
    assert Window.around(NOW, None, first + DAY).start <= first + DAY
    assert Window.around(NOW, last - DAY, None).end >= last - DAY


def test_the_whole_agency_is_looked_at_for_a_year_at_most() -> None:
    year, more = Window(TEN, TEN + 366 * DAY), Window(TEN, TEN + 366 * DAY + timedelta(seconds=1))
    VisitFilter(year)
    VisitFilter(more, property_id="house")
    VisitFilter(more, agent_id="agent")
    with pytest.raises(InvalidInput) as refused:
        VisitFilter(more)
    why = "at most 366 days after 'from' unless propertyId or agentId is given"
    assert refused.value.errors == [FieldError("?to", why)]
