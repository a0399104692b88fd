"""`make schemas`: writes the schemas of what goes through the queue and comes out of the feed, from the models of both.

Tests compare the committed files with what this makes, so that neither can change alone.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from chalicelib.api.events import CHANGES, EventOutput
from chalicelib.api.wishes import RowInput
from chalicelib.domain.intakes import MESSAGE_VERSION, OWN_SOURCE
from chalicelib.events.intake_queue import IntakeMessage
from tools.project import ROOT

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def intake_message_schema() -> dict[str, Any]:
    """What a producer may put on the queue (JSON Schema 2020-12): our envelope without what only we send."""
    message = IntakeMessage.model_json_schema()
    visit = RowInput.model_json_schema()
    shared = visit.pop("$defs")
    envelope = message["properties"]
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:visits:intake-message:{MESSAGE_VERSION}",
        "title": f"Intake message, version {MESSAGE_VERSION}",
        "description": message["description"],
        "type": "object",
        "required": message["required"],
        "not": {"required": ["intake"], "description": "'intake' is reserved for the API's own messages."},
        "properties": {
            "version": envelope["version"],
            "source": envelope["source"]
            | {
                "description": "The producer's name. The ids of intakes and visits derive from it: never change it.",
                "not": {"const": OWN_SOURCE},
            },
            "visits": envelope["visits"] | {"items": {"$ref": "#/$defs/Visit"}},
        },
        "$defs": {"Visit": visit, **shared},
    }
    cleaned: dict[str, Any] = _without_titles(schema)
    return cleaned


def event_schema() -> dict[str, Any]:
    """What the feed and the webhooks tell: the event that fits its type."""
    schema = EventOutput.model_json_schema(mode="serialization")
    fitting = [
        {
            "if": {"properties": {"type": {"pattern": f"^{subject}[.]"}}},
            "then": {"properties": {"data": {"$ref": f"#/$defs/{change.__name__}"}}},
        }
        for subject, change in CHANGES.items()
    ]
    told: dict[str, Any] = _without_titles(schema, top=False)
    return {"$schema": DIALECT, "$id": "urn:visits:event:1", "title": "Event, version 1", **told, "allOf": fitting}


FILES: Final[Mapping[Path, Callable[[], dict[str, Any]]]] = {
    ROOT / "docs" / "intake-message.schema.json": intake_message_schema,
    ROOT / "docs" / "event.schema.json": event_schema,
}


def text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"


def _without_titles(node: Any, top: bool = True) -> Any:
    """The titles that pydantic makes of field names say nothing; the document's own stays."""
    if isinstance(node, list):
        return [_without_titles(inner, top=False) for inner in node]
    if not isinstance(node, dict):
        return node
    made_up = not top and isinstance(node.get("title"), str)
    return {
        name: _without_titles(inner, top=False) for name, inner in node.items() if not (made_up and name == "title")
    }


def main() -> None:
    for file, made in FILES.items():
        file.write_text(text(made()), encoding="utf-8")
        print(f"written: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
