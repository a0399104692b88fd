"""The use case of taking visits away as a file: the list's rows in the list's order, all pages, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from chalicelib.domain.errors import ExportTooLarge
from chalicelib.domain.listing import VisitFilter
from chalicelib.domain.visits import Visit
from chalicelib.services.ports import Visits

MOST_ROWS: Final = 10_000
MOST_BYTES: Final = 4 * 1024 * 1024
"""In base64 still less than the 6 MB that a Lambda function can answer (`edge.sizes`)."""

ROWS_OF_PAGE: Final = 2500
MOST_PAGES: Final = 30
"""A page reads up to five thousand of the store's items. More would not be done before the gateway gives up."""

Write = Callable[[Iterable[Visit]], Iterable[bytes]]
"""Visits to a file, piece by piece."""


class Exporting:
    def __init__(self, visits: Visits) -> None:
        self._visits = visits

    def export(self, filter: VisitFilter, write: Write) -> bytes:
        """The file of the visits that the list would show. Raises ExportTooLarge as soon as that is known."""
        content = bytearray()
        for piece in write(self._rows(filter)):
            content += piece
            if len(content) > MOST_BYTES:
                raise ExportTooLarge("bytes", MOST_BYTES)
        return bytes(content)

    def _rows(self, filter: VisitFilter) -> Iterator[Visit]:
        for number, visit in enumerate(every_visit(self._visits, filter)):
            if number == MOST_ROWS:
                raise ExportTooLarge("rows", MOST_ROWS)
            yield visit


def every_visit(visits: Visits, filter: VisitFilter) -> Iterator[Visit]:
    """All pages of a list, one visit after the other. Raises ExportTooLarge when too many do not match the filter."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = visits.list(filter, after, ROWS_OF_PAGE)
        yield from page.items
        after = page.next
        if after is None:
            return
    raise ExportTooLarge("pages", MOST_PAGES)
