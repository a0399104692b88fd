"""The use cases of agents: register, replace, find, erase."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.domain.agents import Agent
from chalicelib.domain.calendars import Owner
from chalicelib.domain.errors import AgentNotFound, VersionMismatch

if TYPE_CHECKING:
    from chalicelib.domain.listing import Page
    from chalicelib.services.ports import AgentStore, CalendarStore, Clock

Check = Callable[[Agent], None]
"""Raises what is to be refused once the present state of the agent is known."""


class Agents:
    def __init__(self, agents: AgentStore, calendars: CalendarStore, clock: Clock) -> None:
        self._agents = agents
        self._calendars = calendars
        self._clock = clock

    def get(self, agent_id: str) -> Agent:
        """Raises AgentNotFound for one that nobody registered, or that was erased."""
        found = self._agents.get(agent_id)
        if found is None:
            raise AgentNotFound(agent_id)
        return found

    def list(self, after: str | None, limit: int) -> Page[Agent]:
        return self._agents.list(after, limit)

    def create(self, wanted: Agent, check: Check) -> Agent:
        """Registers an agent that must not be there yet. Raises VersionMismatch."""
        check(wanted)
        return self._agents.add(wanted)

    def replace(self, wanted: Agent, expected: frozenset[int] | None, check: Check) -> Agent:
        """Replaces what is said of an agent who is as the caller last saw it; booked visits stay as they are.

        Raises VersionMismatch.
        """
        before = self._agents.get(wanted.id)
        if before is None or (expected is not None and before.version not in expected):
            raise VersionMismatch
        check(before)
        after = before.replaced(wanted, self._clock())
        if after is not before:
            self._agents.save(before, after)
        return after

    def erase(self, agent_id: str, expected: frozenset[int] | None) -> None:
        """Takes every word about the person away and withdraws the calendar; the visits keep the id.

        Raises AgentNotFound or VersionMismatch.
        """
        agent = self.get(agent_id)
        if expected is not None and agent.version not in expected:
            raise VersionMismatch
        now = self._clock()
        # First, since an agent that is erased already is not found again: the feed would stay.
        self._calendars.remove(Owner("agent", agent_id), now)
        self._agents.erase(agent, now)
