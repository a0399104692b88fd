"""The four curl lines that `make run` prints. They are made from the data, so that they work when pasted."""

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from tools.client import Client

FIRST_DAY = 20
"""Days ahead of which slots are looked for: beyond the sample data, so that something is free."""


def curl_lines(api: Client, url: str, key: str) -> list[tuple[str, str]]:
    """What each does, and the line: look for free slots, book, list, reschedule. Each works by itself, in any order."""
    property_id = next(api.pages("/properties", limit=1))["id"]
    booking = {"propertyId": property_id, "date": _free_slot(api, property_id), "place": "At the front door"}
    visit = upcoming_visit(api) or api.send("POST", "/visits", booking | {"status": "requested"}).json()
    moved = {"date": _free_slot(api, visit["propertyId"], visit, FIRST_DAY + 1)}
    now = datetime.now(UTC)
    soon = now + timedelta(days=2)  # of which one may be closed
    as_caller = f"-H 'Authorization: Bearer {key}' "
    lines = [
        (
            "look when a property can be visited",
            f"{as_caller}'{url}/properties/{property_id}/slots?from={_instant(now)}&to={_instant(soon)}'",
        ),
        ("book a visit", as_caller + _json(booking) + f"-X POST {url}/visits"),
        ("list the next visits of the agency", f"{as_caller}'{url}/visits?from={_instant(now)}&limit=3'"),
        (
            "reschedule one of them",
            as_caller
            + _json(moved, "application/merge-patch+json")
            + f"-H 'If-Match: *' -X PATCH {url}/visits/{visit['id']}",
        ),
    ]
    return [(what, f"curl -s -w '\\n' {line}") for what, line in lines]


def webhook_line(url: str, key: str) -> str:
    """A curl line that has events sent to a receiver on this machine."""
    receiver = _json({"url": "http://127.0.0.1:9000/"})
    return f"curl -s -w '\\n' -H 'Authorization: Bearer {key}' {receiver}{url}/webhooks"


def upcoming_visit(api: Client) -> dict[str, Any] | None:
    """A visit that can be moved: the next confirmed one, if possible without an agent who may be busy elsewhere."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    end = soon + timedelta(days=FIRST_DAY)
    found = list(api.pages("/visits", status="confirmed", limit=100, **{"from": _instant(soon), "to": _instant(end)}))
    return next((visit for visit in found if not visit.get("agentId")), found[0] if found else None)


def _free_slot(
    api: Client, property_id: str, visit: Mapping[str, Any] = MappingProxyType({}), day: int = FIRST_DAY
) -> str:
    """The first start that is offered some days ahead, for a new visit or one that is there."""
    start = datetime.now(UTC) + timedelta(days=day)
    asked = {name: visit[name] for name in ("durationMinutes", "agentId") if name in visit}
    window = {"from": _instant(start), "to": _instant(start + timedelta(days=30))}
    slots: list[dict[str, str]] = api.get(f"/properties/{property_id}/slots", **window, **asked)["slots"]
    return slots[0]["start"]


def _json(body: object, media_type: str = "application/json") -> str:
    return f"-H 'Content-Type: {media_type}' -d {shlex.quote(json.dumps(body))} "


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
