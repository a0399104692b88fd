"""Agents: who conducts visits, when they work, and how long they travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.domain.availability import Hours

LONGEST_TRAVEL_MINUTES: Final = 120
"""With it, and with a property's longest gap, moving the longest visit is still one transaction of 100 writes."""


@dataclass(frozen=True)
class Agent:
    """An agent as registered. An id that nobody registered conducts visits all the same, without hours or travel."""

    id: str
    name: str
    time_zone: str
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    availability: Hours | None = None
    """The hours worked, in the agent's own zone; None for always."""
    travel_minutes: int = 0
    """Held after each visit, but for visits of the same property."""
    version: int = 1
