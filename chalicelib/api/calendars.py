"""A calendar feed over HTTP, a property's or an agent's: its address, shown once, and what programs get there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.api.exports import CALENDAR, text_body
from chalicelib.domain.calendars import Owner, Shows
from chalicelib.domain.errors import AgentNotFound, FeedNotFound, PropertyNotFound
from chalicelib.exports.ics import write_feed
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import Input, Output
from chalicelib.http.preconditions import unchanged_since
from chalicelib.http.queries import Query, documented, no_query, only_text
from chalicelib.http.urls import url

if TYPE_CHECKING:
    from chalicelib.services.wired import Services

Kind = Literal["property", "agent"]

COLLECTIONS: Final[Mapping[Kind, str]] = MappingProxyType({"property": "properties", "agent": "agents"})


class AgentCalendarInput(Input):
    """The body of PUT /agents/{id}/calendar-token; `{}` is enough."""

    visitors: Annotated[bool, Field(description="Whether the calendar shows visitors' names and phone numbers.")] = (
        False
    )


class CalendarLinks(Output):
    calendar: str
    """Where the feed is, path-absolute: anybody who has this address reads it."""


class CalendarTokenOutput(Output):
    """What is shown once: only its hash is kept."""

    token: str
    links: CalendarLinks


class FeedQuery(Query):
    """GET .../calendar.ics as it was asked. Whatever is wrong with the token, it is a wrong token.

    Other parameters are ignored, here alone: calendar programs and newsletters add some to every address.
    """

    model_config = ConfigDict(extra="ignore")

    token: Annotated[
        str,
        BeforeValidator(only_text),
        documented({"type": "string"}, "The token from `PUT .../calendar-token`."),
    ] = ""


def share_property(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    return _shared(request, services, _owner("property", property_id), Shows.TIMES)


def share_agent(request: Request, services: Services, agent_id: str) -> Response:
    body = parsing.parse_body(AgentCalendarInput, request)
    shows = Shows.VISITORS if body.visitors else Shows.TIMES
    return _shared(request, services, _owner("agent", agent_id), shows)


def withdraw(request: Request, services: Services, kind: Kind, id: str) -> Response:
    no_query(parsing.query_values(request))
    services.calendars.withdraw(_owner(kind, id))
    return Response("", status_code=204)


def read(request: Request, services: Services, kind: Kind, id: str) -> Response:
    """The calendar, or 304 for a poller that has it. Whatever is wrong with the address, the answer is the same."""
    query = FeedQuery.parse(parsing.query_values(request))
    try:
        owner = _owner(kind, id)
    except (PropertyNotFound, AgentNotFound):
        raise FeedNotFound from None

    def knows(tag: str) -> bool:
        return unchanged_since(request.headers, f'"{tag}"')

    feed = services.calendars.read(owner, query.token, write_feed, knows)
    headers = {
        "ETag": f'"{feed.tag}"',
        # Kept by the subscriber alone, and asked about each time: a withdrawn token stops at once.
        "Cache-Control": "private, no-cache",
    }
    if feed.content is None:
        return Response("", status_code=304, headers={**headers})
    return Response(text_body(feed.content), headers={"Content-Type": CALENDAR, **headers})


def _owner(kind: Kind, id: str) -> Owner:
    return Owner(kind, parsing.property_id(id) if kind == "property" else parsing.agent_id(id))


def _shared(request: Request, services: Services, owner: Owner, shows: Shows) -> Response:
    """The token and the whole address to subscribe to. Every answer of ours says no-store, this one needs it."""
    token = services.calendars.share(owner, shows)
    address = url(request, COLLECTIONS[owner.kind], owner.id, "calendar.ics", query={"token": token})
    return json_answer(CalendarTokenOutput(token=token, links=CalendarLinks(calendar=address)))
