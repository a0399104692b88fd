"""Paged lists: query and cursor in, a page and the address of the next one out."""

from __future__ import annotations

from chalice.app import Request, Response

from chalicelib.domain.listing import VisitFilter
from chalicelib.edge.answers import page_answer
from chalicelib.edge.cursors import Cursor, Cursors
from chalicelib.edge.outputs import PropertyOutput, PropertyPage, VisitOutput, VisitPage
from chalicelib.edge.parsing import query_values
from chalicelib.edge.queries import PageQuery, VisitQuery
from chalicelib.services.listing import Listing
from chalicelib.services.portfolio import Portfolio
from chalicelib.services.signing import Signer


def list_visits(request: Request, listing: Listing, signer: Signer) -> Response:
    """GET /visits: the first page freezes the window, and every cursor after it carries it along."""
    query = VisitQuery.parse(query_values(request))
    filters = query.parameters()
    cursors = Cursors(signer, "visits", filters)
    cursor = cursors.read(query.cursor) if query.cursor is not None else None
    window = cursor.window if cursor and cursor.window else listing.window(query.start, query.end)
    page = listing.visits(
        VisitFilter(window, query.property_id, query.agent_id, query.statuses, query.order),
        cursor.after if cursor else None,
        query.limit,
    )
    following = cursors.make(Cursor(page.next, window)) if page.next is not None else None
    return page_answer(
        request,
        VisitPage(items=[VisitOutput.of(visit) for visit in page.items], next_cursor=following),
        {**filters, "limit": str(query.limit), "cursor": following} if following else None,
    )


def list_properties(request: Request, portfolio: Portfolio, signer: Signer) -> Response:
    """GET /properties, by id."""
    query = PageQuery.parse(query_values(request))
    cursors = Cursors(signer, "properties", {})
    after = cursors.read(query.cursor).after if query.cursor is not None else None
    page = portfolio.list(after, query.limit)
    following = cursors.make(Cursor(page.next)) if page.next is not None else None
    return page_answer(
        request,
        PropertyPage(items=[PropertyOutput.of(found) for found in page.items], next_cursor=following),
        {"limit": str(query.limit), "cursor": following} if following else None,
    )
