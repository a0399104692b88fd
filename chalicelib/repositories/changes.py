"""What a record of the table's stream says: which visit or property went from which version to which.

The stream has both images (NEW_AND_OLD_IMAGES), in DynamoDB's own form with binary values as base64:
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from chalicelib.domain.events import Event, of_property, of_visit
from chalicelib.repositories.items import Item
from chalicelib.repositories.properties import property_of
from chalicelib.repositories.table import deserialized
from chalicelib.repositories.visits import visit_of


def sequence_of(record: Mapping[str, Any]) -> int:
    """Where the record is in its shard."""
    return int(record["dynamodb"]["SequenceNumber"])


def event_of(record: Mapping[str, Any]) -> Event | None:
    """The event that a record of the stream is; None for whatever is neither a visit nor a property, or went away."""
    change = record["dynamodb"]
    if "NewImage" not in change:
        return None
    key = change["Keys"]
    kind = f"{key['pk']['S'].partition('#')[0]} {key['sk']['S']}"
    # The event source lets through by sort key alone, and other items have such a one too.
    if kind not in ("V V", "P P"):
        return None
    before, after = _image(change.get("OldImage")), _image(change["NewImage"])
    assert after is not None
    if kind == "V V":
        return of_visit(visit_of(before) if before else None, visit_of(after))
    return of_property(property_of(before) if before else None, property_of(after))


def is_silent(record: Mapping[str, Any]) -> bool:
    """Whether nobody is told of the visit, nor was before."""
    change = record["dynamodb"]
    return not any("notify" in change.get(image, {}) for image in ("OldImage", "NewImage"))


def _image(image: Mapping[str, Any] | None) -> Item | None:
    return deserialized({name: _binary(typed) for name, typed in image.items()}) if image else None


def _binary(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """A typed value with its base64 undone."""
    ((kind, value),) = typed.items()
    match kind:
        case "B":
            return {kind: base64.b64decode(value)}
        case "M":
            return {kind: {name: _binary(member) for name, member in value.items()}}
        case "L":
            return {kind: [_binary(member) for member in value]}
    return typed
