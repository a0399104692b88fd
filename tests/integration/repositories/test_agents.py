"""Agents in their store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chalicelib.domain.availability import ALL_DAY, Dates, Hours
from chalicelib.domain.errors import VersionMismatch
from chalicelib.services.ports import AgentStore
from tests.builders import NOW, an_agent
from tests.integration.repositories.stores import LATER

if TYPE_CHECKING:
    pass


def test_an_agent_is_registered_once_and_replaced_as_it_was_read(agents: AgentStore, agent: str) -> None:
    hours = Hours((ALL_DAY,) * 5 + ((), ()), (Dates(NOW.date(), NOW.date()),))
    first = an_agent(agent, email="ann@example.com", language="de", availability=hours, travel_minutes=30)
    assert agents.get(agent) is None
    assert agents.add(first) == first
    assert agents.get(agent) == first
    with pytest.raises(VersionMismatch):
        agents.add(first)
    second = replace(first, name="Anna", availability=None, version=2, updated_at=LATER)
    agents.save(first, second)
    with pytest.raises(VersionMismatch):
        agents.save(first, second)
    assert agents.get(agent) == second


def test_an_agent_who_was_erased_is_gone_and_the_version_goes_on(agents: AgentStore, agent: str) -> None:
    first = agents.add(an_agent(agent))
    agents.erase(first, NOW)
    assert agents.get(agent) is None
    assert agent not in [found.id for found in agents.list(None, 1000).items]
    with pytest.raises(VersionMismatch):
        agents.erase(first, NOW)
    with pytest.raises(VersionMismatch):
        agents.save(first, first)
    again = agents.add(an_agent(agent, name="Bob"))
    assert again.version == 3
    assert agents.get(agent) == again
    with pytest.raises(VersionMismatch):
        agents.add(again)
