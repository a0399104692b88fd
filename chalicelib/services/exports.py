"""The use case of taking visits away as a file: the list's rows in the list's order, all pages, within bounds.

Each row comes with its property and its agent's name. A few are read one by one, many by going through their list: a
thousand reads in a row would take longer than a request may, and the list costs a twentieth for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from chalicelib.domain.errors import ExportTooLarge, PropertyNotFound
from chalicelib.domain.listing import EVERY_PROPERTY, Entry, Page, VisitFilter

if TYPE_CHECKING:
    from chalicelib.domain.agents import Agent
    from chalicelib.domain.properties import Property
    from chalicelib.domain.visits import Visit
    from chalicelib.services.ports import AgentStore, PropertyStore, VisitStore

T = TypeVar("T")

Find = Callable[[str], T | None]

MOST_ROWS: Final = 10_000
MOST_BYTES: Final = 4 * 1024 * 1024
"""In base64 still less than the 6 MB that a Lambda function can answer (`http.sizes`)."""

ROWS_OF_PAGE: Final = 2500
MOST_PAGES: Final = 30
"""A page reads up to five thousand of the store's items. More would not be done before the gateway gives up."""

ONE_BY_ONE: Final = 100
"""How many properties, or agents, an export reads one by one, half a second's worth; more come from their list."""
THINGS_OF_PAGE: Final = 2500

Write = Callable[[Iterable[Entry]], Iterable[bytes]]
"""Visits to a file, piece by piece."""


class Exports:
    def __init__(self, visits: VisitStore, properties: PropertyStore, agents: AgentStore) -> None:
        self._visits = visits
        self._properties = properties
        self._agents = agents

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
        properties, agents = named_properties(self._properties), named_agents(self._agents)
        for visits in every_page(self._visits, filter):
            houses = properties.of({visit.property_id for visit in visits})
            people = agents.of({visit.agent_id for visit in visits if visit.agent_id is not None})
            for visit in visits:
                rows += 1
                if rows > MOST_ROWS:
                    raise ExportTooLarge("rows", MOST_ROWS)
                house, agent = houses.get(visit.property_id), people.get(visit.agent_id or "")
                yield Entry(visit, house.details if house else None, agent.name if agent else None)


class Named(Generic[T]):
    """What is known of things by their ids, each read once. One that is not there has no entry."""

    def __init__(self, find: Find[T], pages: Callable[[str | None, int], Page[T]], id_of: Callable[[T], str]) -> None:
        self._find = find
        self._pages = pages
        self._id_of = id_of
        self._found: dict[str, T] = {}
        self._sought: set[str] = set()
        self._listed = False

    def of(self, ids: set[str]) -> Mapping[str, T]:
        if not self._listed and len(self._sought | ids) > ONE_BY_ONE:
            self._list()
        # What the list does not have yet was registered a moment ago, or is gone.
        for id in sorted(ids - self._sought - self._found.keys()):
            if len(self._sought) == ONE_BY_ONE:
                break
            self._sought.add(id)
            thing = self._find(id)
            if thing is not None:
                self._found[id] = thing
        return self._found

    def _list(self) -> None:
        self._listed = True
        after: str | None = None
        while True:
            page = self._pages(after, THINGS_OF_PAGE)
            self._found |= {self._id_of(thing): thing for thing in page.items}
            after = page.next
            if after is None:
                return


def named_properties(properties: PropertyStore) -> Named[Property]:
    def find(property_id: str) -> Property | None:
        with suppress(PropertyNotFound):
            return properties.get(property_id)
        return None

    return Named(find, partial(properties.list, EVERY_PROPERTY), lambda property: property.id)


def named_agents(agents: AgentStore) -> Named[Agent]:
    return Named(agents.get, agents.list, lambda agent: agent.id)


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
