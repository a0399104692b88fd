"""What a list can be asked for in its query, and how it is continued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.listing import Order
from chalicelib.domain.visits import Status
from chalicelib.edge.inputs import PROPERTY_ID
from chalicelib.edge.instants import instant_text, parse_instant

DEFAULT_LIMIT: Final = 50
HIGHEST_LIMIT: Final = 100


@dataclass
class Query:
    """Reads a query parameter by parameter and collects what is wrong; `finish` raises it all at once."""

    values: Mapping[str, list[str]]
    _read: set[str] = field(default_factory=set)
    _errors: list[FieldError] = field(default_factory=list)

    def text(self, name: str, longest: int) -> str | None:
        self._read.add(name)
        given = self.values.get(name, [])
        if not given:
            return None
        if len(given) > 1:
            self.refuse(name, "is given more than once")
        elif not 1 <= len(given[0]) <= longest:
            self.refuse(name, f"must have 1 to {longest} characters")
        return given[0]

    def instant(self, name: str) -> datetime | None:
        # A plus sign that nobody percent-encoded arrives as a space; there it can mean nothing else.
        given = self.text(name, 40)
        try:
            return parse_instant(given.replace(" ", "+")) if given is not None else None
        except ValueError as wrong:
            self.refuse(name, str(wrong))
            return None

    def limit(self) -> int:
        given = self.text("limit", 10)
        if given is None:
            return DEFAULT_LIMIT
        if not (given.isascii() and given.isdigit() and 1 <= int(given) <= HIGHEST_LIMIT):
            self.refuse("limit", f"must be a whole number from 1 to {HIGHEST_LIMIT}")
            return DEFAULT_LIMIT
        return int(given)

    def order(self) -> Order:
        given = self.text("order", 10)
        if given not in (None, "asc", "desc"):
            self.refuse("order", "must be asc or desc")
        return "desc" if given == "desc" else "asc"

    def statuses(self) -> frozenset[Status]:
        self._read.add("status")
        names = [name for given in self.values.get("status", []) for name in given.split(",")]
        if not {str(status) for status in Status}.issuperset(names):
            self.refuse("status", f"must be among {', '.join(Status)}, separated by commas")
            return frozenset()
        return frozenset(Status(name) for name in names)

    def property_id(self) -> str | None:
        given = self.text("propertyId", 64)
        if given is not None and not PROPERTY_ID.fullmatch(given):
            self.refuse("propertyId", "is no id of a property")
        return given

    def refuse(self, name: str, detail: str) -> None:
        self._errors.append(FieldError(f"?{name}", detail))

    def finish(self) -> None:
        """Raises InvalidInput for everything that was wrong, parameters nobody read among it."""
        for name in sorted(set(self.values) - self._read):
            self.refuse(name[:100], "is not a parameter we know here")
        if self._errors:
            raise InvalidInput(self._errors)


@dataclass(frozen=True)
class VisitQuery:
    """GET /visits as it was asked: bounds that were not given stay open until the first page freezes them."""

    property_id: str | None
    agent_id: str | None
    start: datetime | None
    end: datetime | None
    statuses: frozenset[Status]
    order: Order
    limit: int
    cursor: str | None

    @classmethod
    def parse(cls, values: Mapping[str, list[str]]) -> VisitQuery:
        query = Query(values)
        parsed = cls(
            property_id=query.property_id(),
            agent_id=query.text("agentId", 128),
            start=query.instant("from"),
            end=query.instant("to"),
            statuses=query.statuses(),
            order=query.order(),
            limit=query.limit(),
            cursor=query.text("cursor", 1000),
        )
        query.finish()
        return parsed

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


@dataclass(frozen=True)
class PageQuery:
    """A list without filters as it was asked for."""

    limit: int
    cursor: str | None

    @classmethod
    def parse(cls, values: Mapping[str, list[str]]) -> PageQuery:
        query = Query(values)
        parsed = cls(query.limit(), query.text("cursor", 1000))
        query.finish()
        return parsed


@dataclass(frozen=True)
class BusyQuery:
    """GET /properties/{id}/busy as it was asked."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def parse(cls, values: Mapping[str, list[str]]) -> BusyQuery:
        query = Query(values)
        parsed = cls(query.instant("from"), query.instant("to"))
        query.finish()
        return parsed


def no_query(values: Mapping[str, list[str]]) -> None:
    """For calls without parameters: raises InvalidInput for any."""
    Query(values).finish()
