"""Agents: who conducts visits, when they work, and how long they travel."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.availability import Hours

LONGEST_TRAVEL_MINUTES: Final = 120
"""With it, and with a property's longest gap, moving the longest visit is still one transaction of 100 writes."""

ANY_AGENT: Final = "any"
"""Stands for whoever is free where slots are asked for, so nobody can be registered under it."""


class Agent(Record):
    """An agent as registered. An id that nobody registered conducts visits all the same, without hours or travel.

    `version` grows by one with every change, and goes on growing when an erased id is registered again.
    """

    id: str
    name: str
    time_zone: str
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    availability: Hours | None = None
    """The hours worked, in the agent's own zone; None for always."""
    travel_minutes: int = 0
    """Held after each visit, but for visits of the same property."""
    version: int = 1

    def replaced(self, wanted: Agent, now: datetime) -> Agent:
        """The next version, as wanted, or this very one when nothing differs."""
        after = replace(wanted, version=self.version, created_at=self.created_at, updated_at=self.updated_at)
        return self if after == self else replace(after, version=self.version + 1, updated_at=now)
