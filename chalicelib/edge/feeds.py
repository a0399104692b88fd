"""A property's calendar feed over HTTP: its address, shown once, and what calendar programs get there."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.domain.errors import FeedNotFound, PropertyNotFound
from chalicelib.edge.answers import json_answer
from chalicelib.edge.exports import CALENDAR, text_body
from chalicelib.edge.outputs import CalendarLinks, CalendarTokenOutput
from chalicelib.edge.parsing import property_id, query_values
from chalicelib.edge.preconditions import unchanged_since
from chalicelib.edge.queries import FeedQuery
from chalicelib.edge.urls import url
from chalicelib.exports.ics import write_feed
from chalicelib.services.feeds import Feeds


def token_answer(request: Request, property_id: str, token: str) -> Response:
    """The token and the whole address to subscribe to. Every answer of ours says no-store, this one needs it."""
    address = url(request, "properties", property_id, "calendar.ics", query={"token": token})
    return json_answer(CalendarTokenOutput(token=token, links=CalendarLinks(calendar=address)))


def feed_answer(request: Request, feeds: Feeds, raw_id: str) -> Response:
    """The calendar, or 304 for a poller that has it. Whatever is wrong with the address, the answer is the same."""
    query = FeedQuery.parse(query_values(request))
    try:
        chosen = property_id(raw_id)
    except PropertyNotFound:
        raise FeedNotFound from None
    feed = feeds.read(chosen, query.token, write_feed, lambda tag: unchanged_since(request.headers, f'"{tag}"'))
    headers = {
        "ETag": f'"{feed.tag}"',
        # Kept by the subscriber alone, and asked about each time: a withdrawn token stops at once.
        "Cache-Control": "private, no-cache",
    }
    if feed.content is None:
        return Response("", status_code=304, headers={**headers})
    return Response(text_body(feed.content), headers={"Content-Type": CALENDAR, **headers})
