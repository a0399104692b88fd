"""Pages of a list: as many items as were asked for, or as pass through Lambda."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from chalicelib.api.agents import AgentOutput, AgentPage
from chalicelib.domain.availability import Dates, Hours, Opening
from chalicelib.http.answers import fitting
from chalicelib.http.sizes import passes
from tests.builders import an_agent

QUARTERS = tuple(Opening(30 * n, 30 * n + 15) for n in range(24))
DAYS = [date(2027, 1, 1) + timedelta(days=n) for n in range(366)]


@pytest.mark.parametrize(("days", "items"), [(0, 100), (130, 50), (366, 25)])
def test_a_page_of_agents_with_many_hours_ends_earlier(days: int, items: int) -> None:
    agent = an_agent(availability=Hours(None, tuple(Dates(day, day, QUARTERS) for day in DAYS[:days])))
    found = fitting(lambda limit: AgentPage(items=[AgentOutput.of(agent)] * limit, next_cursor=None), 100)
    assert passes(found.json_text())
    assert len(found.items) == items
