"""The feed of events over HTTP, as CloudEvents 1.0 in JSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from chalice.app import Request, Response
from pydantic import BeforeValidator

from chalicelib.domain.events import Event, EventType, Position, Stretch, Told
from chalicelib.domain.properties import PublicBooking
from chalicelib.domain.visits import Status
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import IfAny, InstantOut, Output
from chalicelib.http.instants import instant_text
from chalicelib.http.queries import DEFAULT_LIMIT, Limit, Query, documented, short_text

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

SOURCE: Final = "urn:visits"
NOW: Final = "now"
LONGEST_CURSOR: Final = 40


class VisitChange(Output):
    """What an event says of a visit: as it stood after the change, and what it was before where that matters."""

    visit_id: str
    property_id: str
    status: Status
    date: InstantOut
    duration_minutes: int
    time_zone: str
    agent_id: str | None = IfAny
    version: int
    previous_date: InstantOut | None = IfAny
    previous_duration_minutes: int | None = IfAny
    previous_agent_id: str | None = IfAny


class PropertyChange(Output):
    """What an event says of a property as it stood after the change."""

    property_id: str
    capacity: int
    time_zone: str
    visits_allowed: bool
    public_booking: PublicBooking | None = IfAny
    version: int


class AgentChange(Output):
    """Which agent was registered, changed or erased; nothing of what is known of the person."""

    agent_id: str
    version: int


CHANGES: Final[Mapping[str, type[VisitChange | PropertyChange | AgentChange]]] = {
    "visit": VisitChange,
    "property": PropertyChange,
    "agent": AgentChange,
}
"""What the data of an event is, by the first word of its type."""


class EventOutput(Output):
    """A CloudEvent. `id` is unique for ever; `sequence` is in the order of the feed, as text."""

    specversion: Literal["1.0"]
    id: str
    source: Literal["urn:visits"]
    type: EventType
    subject: str
    time: InstantOut
    datacontenttype: Literal["application/json"]
    sequence: str
    data: VisitChange | PropertyChange | AgentChange

    @classmethod
    def of(cls, told: Told) -> EventOutput:
        event = told.event
        change = CHANGES[event.type.value.partition(".")[0]]
        return cls(
            specversion="1.0",
            id=event.id,
            source=SOURCE,
            type=event.type,
            subject=event.subject,
            time=event.time,
            datacontenttype="application/json",
            sequence=str(told.position),
            data=change.model_validate(event.data),
        )


def body_of(told: Told) -> bytes:
    """What a webhook posts of an event."""
    return EventOutput.of(told).json_text().encode()


def detail_of(event: Event) -> str:
    """What an event bus is told: the event but for its place in the feed, since a bus keeps no order."""
    told: dict[str, Any] = json.loads(body_of(Told(event, Position(0, 0))))
    del told["sequence"]
    return json.dumps(told, separators=(",", ":"))


def trial_of(now: datetime) -> bytes:
    """What a webhook posts as a test: a CloudEvent of a type that no visit has."""
    trial = {"specversion": "1.0", "id": "test", "source": SOURCE, "type": "webhook.test", "time": instant_text(now)}
    return json.dumps(trial).encode()


class EventPage(Output):
    items: list[EventOutput]
    next_cursor: str
    """Always there: what comes later is behind it."""


def position_of(cursor: str) -> Position:
    """Raises ValueError for what is not the cursor of a page."""
    try:
        return Position.parse(base64.b64decode(cursor, altchars=b"-_", validate=True).decode())
    except (ValueError, binascii.Error):
        raise ValueError("must be the nextCursor of a page of GET /events, or 'now'") from None


def _after(given: object) -> Position | Literal["now"]:
    text = short_text(given, LONGEST_CURSOR)
    return NOW if text == NOW else position_of(text)


def cursor_of(position: Position) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode()


AFTER_SCHEMA: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": LONGEST_CURSOR}


class EventQuery(Query):
    """Where to go on, and how much at once."""

    after: (
        Annotated[
            Position | Literal["now"],
            BeforeValidator(_after),
            documented(
                AFTER_SCHEMA, "The `nextCursor` of the page before, or `now` for the end. Without it: the oldest."
            ),
        ]
        | None
    ) = None
    limit: Limit = DEFAULT_LIMIT


def follow(request: Request, services: Services) -> Response:
    """The events behind a position. There is always a cursor to go on with, also when nothing is new."""
    query = EventQuery.parse(parsing.query_values(request))
    if query.after == NOW:
        end = services.events.end()
        return _page(Stretch([], end))
    after = query.after if query.after is not None else services.events.oldest()
    return _page(services.events.read(after, query.limit))


def _page(stretch: Stretch) -> Response:
    items = [EventOutput.of(told) for told in stretch.told]
    return json_answer(EventPage(items=items, next_cursor=cursor_of(stretch.next)))
