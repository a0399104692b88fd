"""The use case of taking visits away as a file: the list's rows in the list's order, all pages, within bounds.

Each row comes with its property. A few properties are read one by one, many by going through their list: a thousand
reads in a row would take longer than a request may, and the list costs a twentieth for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Final

from chalicelib.domain.errors import ExportTooLarge, PropertyNotFound
from chalicelib.domain.listing import EVERY_PROPERTY, Entry, VisitFilter
from chalicelib.domain.properties import PropertyDetails
from chalicelib.domain.visits import Visit
from chalicelib.services.ports import PropertyStore, VisitStore

MOST_ROWS: Final = 10_000
MOST_BYTES: Final = 4 * 1024 * 1024
"""In base64 still less than the 6 MB that a Lambda function can answer (`http.sizes`)."""

ROWS_OF_PAGE: Final = 2500
MOST_PAGES: Final = 30
"""A page reads up to five thousand of the store's items. More would not be done before the gateway gives up."""

ONE_BY_ONE: Final = 100
"""How many properties an export reads one by one, half a second's worth; more come from their list."""
PROPERTIES_OF_PAGE: Final = 2500

Write = Callable[[Iterable[Entry]], Iterable[bytes]]
"""Visits to a file, piece by piece."""


class Exports:
    def __init__(self, visits: VisitStore, properties: PropertyStore) -> None:
        self._visits = visits
        self._properties = properties

    def export(self, filter: VisitFilter, write: Write) -> bytes:
        """The file of the visits that the list would show. Raises ExportTooLarge as soon as that is known."""
        content = bytearray()
        for piece in write(self._rows(filter)):
            content += piece
            if len(content) > MOST_BYTES:
                raise ExportTooLarge("bytes", MOST_BYTES)
        return bytes(content)

    def _rows(self, filter: VisitFilter) -> Iterator[Entry]:
        rows = 0
        named = Named(self._properties)
        for visits in every_page(self._visits, filter):
            found = named.of({visit.property_id for visit in visits})
            for visit in visits:
                rows += 1
                if rows > MOST_ROWS:
                    raise ExportTooLarge("rows", MOST_ROWS)
                yield Entry(visit, found.get(visit.property_id))


class Named:
    """What is said of properties, each of which is read once in an export. One that is not there has no entry."""

    def __init__(self, properties: PropertyStore) -> None:
        self._properties = properties
        self._found: dict[str, PropertyDetails] = {}
        self._sought: set[str] = set()
        self._listed = False

    def of(self, ids: set[str]) -> Mapping[str, PropertyDetails]:
        if not self._listed and len(self._sought | ids) > ONE_BY_ONE:
            self._list()
        # What the list does not have yet was registered a moment ago, or is gone.
        for id in sorted(ids - self._sought - self._found.keys()):
            if len(self._sought) == ONE_BY_ONE:
                break
            self._sought.add(id)
            with suppress(PropertyNotFound):
                self._found[id] = self._properties.get(id).details
        return self._found

    def _list(self) -> None:
        self._listed = True
        after: str | None = None
        while True:
            page = self._properties.list(EVERY_PROPERTY, after, PROPERTIES_OF_PAGE)
            self._found |= {property.id: property.details for property in page.items}
            after = page.next
            if after is None:
                return


def every_page(visits: VisitStore, filter: VisitFilter) -> Iterator[list[Visit]]:
    """The pages of a list, all of them. Raises ExportTooLarge when too many do not match the filter."""
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = visits.list(filter, after, ROWS_OF_PAGE)
        yield page.items
        after = page.next
        if after is None:
            return
    raise ExportTooLarge("pages", MOST_PAGES)


def every_visit(visits: VisitStore, filter: VisitFilter) -> Iterator[Visit]:
    """All pages of a list, one visit after the other. Raises ExportTooLarge as `every_page` does."""
    return chain.from_iterable(every_page(visits, filter))
