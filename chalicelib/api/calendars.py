"""A property's calendar feed over HTTP: its address, shown once, and what calendar programs get there."""

from __future__ import annotations

from typing import Annotated

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict

from chalicelib.api.exports import CALENDAR, text_body
from chalicelib.domain.errors import FeedNotFound, PropertyNotFound
from chalicelib.exports.ics import write_feed
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import Output
from chalicelib.http.preconditions import unchanged_since
from chalicelib.http.queries import Query, documented, no_query, only_text
from chalicelib.http.urls import url
from chalicelib.services.wired import Services


class CalendarLinks(Output):
    calendar: str
    """Where the feed is, path-absolute: anybody who has this address reads it."""


class CalendarTokenOutput(Output):
    """What is shown once: only its hash is kept."""

    token: str
    links: CalendarLinks


class FeedQuery(Query):
    """GET /properties/{id}/calendar.ics as it was asked. Whatever is wrong with the token, it is a wrong token.

    Other parameters are ignored, here alone: calendar programs and newsletters add some to every address.
    """

    model_config = ConfigDict(extra="ignore")

    token: Annotated[
        str,
        BeforeValidator(only_text),
        documented({"type": "string"}, "The token from `PUT /properties/{id}/calendar-token`."),
    ] = ""


def share(request: Request, services: Services, property_id: str) -> Response:
    """The token and the whole address to subscribe to. Every answer of ours says no-store, this one needs it."""
    no_query(parsing.query_values(request))
    chosen = parsing.property_id(property_id)
    token = services.calendars.share(chosen)
    address = url(request, "properties", chosen, "calendar.ics", query={"token": token})
    return json_answer(CalendarTokenOutput(token=token, links=CalendarLinks(calendar=address)))


def withdraw(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    services.calendars.withdraw(parsing.property_id(property_id))
    return Response("", status_code=204)


def read(request: Request, services: Services, property_id: str) -> Response:
    """The calendar, or 304 for a poller that has it. Whatever is wrong with the address, the answer is the same."""
    query = FeedQuery.parse(parsing.query_values(request))
    try:
        chosen = parsing.property_id(property_id)
    except PropertyNotFound:
        raise FeedNotFound from None

    def knows(tag: str) -> bool:
        return unchanged_since(request.headers, f'"{tag}"')

    feed = services.calendars.read(chosen, query.token, write_feed, knows)
    headers = {
        "ETag": f'"{feed.tag}"',
        # Kept by the subscriber alone, and asked about each time: a withdrawn token stops at once.
        "Cache-Control": "private, no-cache",
    }
    if feed.content is None:
        return Response("", status_code=304, headers={**headers})
    return Response(text_body(feed.content), headers={"Content-Type": CALENDAR, **headers})
