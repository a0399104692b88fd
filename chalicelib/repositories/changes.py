"""What a record of the table's stream says: which visit, property or agent went from which version to which.

The stream has both images (NEW_AND_OLD_IMAGES), in DynamoDB's own form with binary values as base64:
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.events import Event, of_agent, of_property, of_visit
from chalicelib.repositories.agents import agent_id_of, agent_of
from chalicelib.repositories.items import Item, loaded
from chalicelib.repositories.properties import property_of
from chalicelib.repositories.table import deserialized
from chalicelib.repositories.visits import visit_of


def sequence_of(record: Mapping[str, Any]) -> int:
    """Where the record is in its shard."""
    return int(record["dynamodb"]["SequenceNumber"])


def event_of(record: Mapping[str, Any]) -> Event | None:
    """The event that a record of the stream is; None for whatever is none of the three, or went away."""
    change = record["dynamodb"]
    if "NewImage" not in change:
        return None
    key = change["Keys"]
    kind = f"{key['pk']['S'].partition('#')[0]} {key['sk']['S']}"
    # The event source lets through by sort key alone, and other items have such a one too.
    if kind not in ("V V", "P P", "A A"):
        return None
    before, after = _image(change.get("OldImage")), _image(change["NewImage"])
    assert after is not None
    if kind == "V V":
        return of_visit(visit_of(before) if before else None, visit_of(after))
    if kind == "A A":
        return _of_agent(before, after)
    return of_property(property_of(before) if before else None, property_of(after))


def _of_agent(before: Item | None, after: Item) -> Event | None:
    if before is not None and before["version"] == after["version"]:
        return None
    at = loaded(after.get("erasedAt") or after["updatedAt"])
    was = agent_of(before) if before is not None else None
    return of_agent(agent_id_of(after), int(after["version"]), at, was, agent_of(after))


def is_silent(record: Mapping[str, Any]) -> bool:
    """Whether nobody is told of the visit, nor was before."""
    change = record["dynamodb"]
    return not any("notify" in change.get(image, {}) for image in ("OldImage", "NewImage"))


def _image(image: Mapping[str, Any] | None) -> Item | None:
    return deserialized(image) if image else None
