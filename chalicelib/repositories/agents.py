"""The agents in DynamoDB. One public method is one call, but for a list: one query a shard.

An agent who was erased leaves an item with the version alone, so that an old entity tag never fits a new agent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from chalicelib.domain.agents import Agent
from chalicelib.domain.errors import VersionMismatch
from chalicelib.repositories import items
from chalicelib.repositories.availability import hours_attributes, hours_of
from chalicelib.repositories.items import SHARDS, Item, Key, loaded, present, shard_of, stored
from chalicelib.repositories.table import ConditionsFailed, Group, Range, Table, Write

if TYPE_CHECKING:
    from chalicelib.domain.listing import Page


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
        "createdAt": stored(agent.created_at),
        "updatedAt": stored(agent.updated_at),
    }
    return present(item)


def agent_id_of(item: Item) -> str:
    """Whoever was erased has it too."""
    return str(item["pk"]).removeprefix("A#")


def agent_of(item: Item) -> Agent | None:
    """None once the agent was erased."""
    return _agent_of(item) if "name" in item else None


def _agent_of(item: Item) -> Agent:
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
        created_at=loaded(item["createdAt"]),
        updated_at=loaded(item["updatedAt"]),
    )


BEYOND: Final = "\U0010ffff"
"""An agent's id may begin with any character but a blank."""

SAME: Final = "version = :before"

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
        return self._table.page(ALL, after, limit).map(_agent_of)

    def add(self, agent: Agent) -> Agent:
        """2 write units for each kilobyte; the same again for an id that was erased."""
        try:
            self._table.put(Write(agent_key(agent.id), agent_item(agent), condition="attribute_not_exists(pk)"))
        except ConditionsFailed as failed:
            if "version" not in failed.present or agent_of(failed.present) is not None:
                raise VersionMismatch from failed
            erased = int(failed.present["version"])
        else:
            return agent
        again = replace(agent, version=erased + 1)
        self._replace(again, erased)
        return again

    def save(self, before: Agent, after: Agent) -> None:
        """2 write units for each kilobyte."""
        self._replace(after, before.version)

    def erase(self, agent: Agent, now: datetime) -> None:
        """2 write units for each kilobyte that the agent had: the item stays, and is empty."""
        emptied = {**agent_key(agent.id), "version": agent.version + 1, "erasedAt": stored(now)}
        self._write(Write(agent_key(agent.id), emptied, condition=SAME, values={":before": agent.version}))

    def _replace(self, agent: Agent, version: int) -> None:
        self._write(Write(agent_key(agent.id), agent_item(agent), condition=SAME, values={":before": version}))

    def _write(self, write: Write) -> None:
        try:
            self._table.put(write)
        except ConditionsFailed as failed:
            raise VersionMismatch from failed
