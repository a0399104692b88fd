"""Paged lists: query and cursor in, a page and the address of the next one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from chalice.app import Request, Response
from pydantic import BeforeValidator, Field

from chalicelib.api.visits import VisitOutput
from chalicelib.domain.listing import Order, VisitFilter
from chalicelib.domain.visits import Status
from chalicelib.http import parsing
from chalicelib.http.answers import page_answer
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import AGENT_ID_SCHEMA, PROPERTY_ID, PROPERTY_ID_SCHEMA, Output
from chalicelib.http.instants import instant_text
from chalicelib.http.queries import (
    DEFAULT_LIMIT,
    CursorText,
    From,
    Limit,
    Query,
    To,
    agent_given,
    documented,
    short_text,
)

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


class VisitPage(Output):
    items: list[VisitOutput]
    next_cursor: str | None


def _order(given: object) -> str:
    text = short_text(given, 10)
    if text not in ("asc", "desc"):
        raise ValueError("must be asc or desc")
    return text


MOST_STATUSES: Final = 100


def _statuses(given: object) -> frozenset[Status]:
    """Repeated or separated by commas, as the caller likes."""
    names = [name for text in given for name in str(text).split(",")] if isinstance(given, list) else []
    if len(names) > MOST_STATUSES:
        raise ValueError(f"must be {MOST_STATUSES} at most")
    if not {str(status) for status in Status}.issuperset(names):
        raise ValueError(f"must be one of {', '.join(Status)}, separated by commas")
    return frozenset(Status(name) for name in names)


def _property_id(given: object) -> str:
    text = short_text(given, 64)
    if not PROPERTY_ID.fullmatch(text):
        raise ValueError("is not a property id")
    return text


class VisitFilters(Query):
    """Which visits, in which order: the same for the list and for the export."""

    property_id: Annotated[
        str | None, BeforeValidator(_property_id), documented(PROPERTY_ID_SCHEMA, "Only visits to this property.")
    ] = Field(None, alias="propertyId")
    agent_id: Annotated[
        str | None,
        BeforeValidator(agent_given),
        documented(AGENT_ID_SCHEMA, "Only visits conducted by this agent."),
    ] = Field(None, alias="agentId")
    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")
    statuses: Annotated[
        frozenset[Status],
        BeforeValidator(_statuses),
        documented(
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_STATUSES,
                "items": {"type": "string", "enum": [str(status) for status in Status]},
            },
            "Visits in one of these statuses only; repeated or separated by commas. A page may then be short, even "
            "empty, though more follow: go on for as long as there is a `nextCursor`.",
        ),
    ] = Field(frozenset(), alias="status")
    order: Annotated[
        Order,
        BeforeValidator(_order),
        documented({"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "By start, then id."),
    ] = "asc"


class VisitQuery(VisitFilters):
    """GET /visits as it was asked: bounds that were not given stay open until the first page freezes them."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText | None = None

    def parameters(self) -> dict[str, str | list[str]]:
        """The filters, as they would be asked for again: what a cursor is bound to and a link carries."""
        return {
            name: value
            for name, value in (
                ("propertyId", self.property_id),
                ("agentId", self.agent_id),
                ("from", instant_text(self.start) if self.start else None),
                ("to", instant_text(self.end) if self.end else None),
                ("status", sorted(map(str, self.statuses)) or None),
                ("order", self.order if self.order == "desc" else None),
            )
            if value is not None
        }


def visits(request: Request, services: Services) -> Response:
    """The first page freezes the window, and every cursor after it carries it along."""
    query = VisitQuery.parse(parsing.query_values(request))
    filters = query.parameters()
    cursors = Cursors(services.signer, "visits", filters)
    cursor = cursors.read(query.cursor) if query.cursor is not None else None
    window = cursor.window if cursor and cursor.window else services.listing.window(query.start, query.end)
    filter = VisitFilter(window, query.property_id, query.agent_id, query.statuses, query.order)
    page = services.listing.visits(filter, cursor.after if cursor else None, query.limit)
    following = cursors.following(page, window)
    output = VisitPage(items=[VisitOutput.of(visit) for visit in page.items], next_cursor=following)
    return page_answer(request, output, following, query.limit, filters)
