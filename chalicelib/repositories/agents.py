"""The agents in DynamoDB. One public method is one call, but for a list: one query a shard."""

from __future__ import annotations

from typing import Final

from chalicelib.domain.agents import Agent
from chalicelib.domain.listing import Page
from chalicelib.repositories import items
from chalicelib.repositories.availability import hours_attributes, hours_of
from chalicelib.repositories.items import SHARDS, Item, Key, present, shard_of
from chalicelib.repositories.table import Group, Range, Table


def agent_key(agent_id: str) -> Key:
    return {"pk": f"A#{agent_id}", "sk": "A"}


def agent_shards() -> tuple[str, ...]:
    return tuple(f"AS#{shard}" for shard in range(SHARDS))


def agent_item(agent: Agent) -> Item:
    item: Item = {
        **agent_key(agent.id),
        "g2pk": f"AS#{shard_of(agent.id)}",
        "g2sk": agent.id,
        "id": agent.id,
        "name": agent.name,
        "timeZone": agent.time_zone,
        "email": agent.email,
        "phone": agent.phone,
        "language": agent.language,
        "availability": hours_attributes(agent.availability) if agent.availability is not None else None,
        "travelMinutes": agent.travel_minutes,
        "version": agent.version,
    }
    return present(item)


def agent_of(item: Item) -> Agent:
    return Agent(
        id=item["id"],
        name=item["name"],
        time_zone=item["timeZone"],
        email=item.get("email"),
        phone=item.get("phone"),
        language=item.get("language"),
        availability=hours_of(item["availability"]) if "availability" in item else None,
        travel_minutes=int(item["travelMinutes"]),
        version=int(item["version"]),
    )


BEYOND: Final = "\U0010ffff"
"""An agent's id may begin with any character but a blank."""

ALL = Range(items.BY_MONTH, (Group(agent_shards(), "", BEYOND),), "!", BEYOND)


class DynamoAgents:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, agent_id: str) -> Agent | None:
        """One strongly consistent read: 1 read unit."""
        item = self._table.get(agent_key(agent_id))
        return agent_of(item) if item is not None else None

    def list(self, after: str | None, limit: int) -> Page[Agent]:
        """One query a shard."""
        return self._table.page(ALL, after, limit).map(agent_of)
