"""Properties over HTTP: what callers send, what they are told, and the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.api.visits import VisitOutput
from chalicelib.api.wishes import NO_INSTANT, READ_ONLY, READ_ONLY_TEXT, UNCHANGING
from chalicelib.domain.listing import PropertyFilter
from chalicelib.domain.properties import Property, PropertyDetails, PublicBooking
from chalicelib.domain.words import words
from chalicelib.http import parsing
from chalicelib.http.answers import created, json_answer, page_answer, tagged
from chalicelib.http.callers import caller_name
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import (
    Address,
    Amount,
    AmountOut,
    Capacity,
    Currency,
    IfAny,
    Input,
    Instant,
    InstantOut,
    Name,
    Output,
    PropertyId,
    TimeZone,
    Version,
    never,
)
from chalicelib.http.preconditions import etag, must_be_new, required_versions
from chalicelib.http.queries import PageQuery, documented, no_query, short_text
from chalicelib.http.read_only import check_unchanged
from chalicelib.http.urls import all_visits_url, url

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit
    from chalicelib.services.wired import Services

LONGEST_SEARCH: Final = 200
MOST_WORDS: Final = 10


class PropertyFields(Input):
    """What the agency says of a property. Without price and currency it is on request."""

    model_config = ConfigDict(
        json_schema_extra=never(
            {
                "anyOf": [
                    {"required": [one], "properties": {one: {"type": kind}, other: {"type": "null"}}}
                    for one, kind, other in (("price", "number", "currency"), ("currency", "string", "price"))
                ]
            }
        )
    )

    name: Name
    address: Address
    price: Amount | None = None
    currency: Currency | None = None
    time_zone: TimeZone
    capacity: Capacity = 1
    visits_allowed: bool = True
    public_booking: Annotated[
        Literal["off", "request", "confirm"],
        Field(
            description="Whether anybody may book visits without a key, on the booking page: not at all, for the "
            "agency to confirm, or at once."
        ),
    ] = "off"

    def to_details(self) -> PropertyDetails:
        return PropertyDetails(
            name=self.name,
            address=self.address,
            price=self.price,
            currency=self.currency,
            time_zone=self.time_zone,
            capacity=self.capacity,
            visits_allowed=self.visits_allowed,
            public_booking=PublicBooking(self.public_booking),
        )


class PropertyInput(PropertyFields):
    """The body of PUT /properties/{id}. You can edit a property you read and send it back whole.

    Read-only fields must be unchanged, except `visits`, `links` and `visitsBehind`, which are ignored.
    """

    hints: ClassVar[dict[str, str]] = {
        "id": "must match the id in the URL, or be left out",
        **dict.fromkeys(("version", "createdAt", "updatedAt"), UNCHANGING),
    }

    # None of these can be null, and none is read unless given.
    id: Annotated[str, READ_ONLY_TEXT] = ""
    version: Annotated[Version, READ_ONLY] = 0
    created_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    updated_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    visits: Annotated[list[Any], READ_ONLY] = Field(default_factory=list)
    links: Annotated[dict[str, Any], READ_ONLY] = Field(default_factory=dict)
    visits_behind: Annotated[bool, READ_ONLY] = False


class RegisterPropertyInput(PropertyFields):
    """The body of POST /properties. Without an id one is generated."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("version", "createdAt", "updatedAt", "visits", "links", "visitsBehind"), "is set by the server"
    )

    id: PropertyId | None = None


class PropertyLinks(Output):
    """Where more about the property is, path-absolute."""

    visits: str
    """All its visits."""
    availability: Annotated[
        str | None, Field(description="The rules of when it may be visited; left out while nobody has set any.")
    ] = IfAny


class PropertyOutput(Output):
    id: str
    name: str
    address: str
    price: AmountOut | None = IfAny
    currency: str | None = IfAny
    time_zone: str
    capacity: int
    visits_allowed: bool
    public_booking: PublicBooking
    version: int
    created_at: InstantOut
    updated_at: InstantOut
    visits: list[VisitOutput] | None = IfAny
    links: PropertyLinks | None = IfAny
    visits_behind: Annotated[
        Literal[True] | None,
        Field(
            description="Some upcoming visits still show the old address or time zone: repeat the request with the new "
            "ETag to update more."
        ),
    ] = IfAny

    @classmethod
    def of(
        cls,
        property: Property,
        visits: list[Visit] | None = None,
        links: PropertyLinks | None = None,
        visits_follow: bool = True,
    ) -> PropertyOutput:
        """A property; by itself also with its next visits and where more is."""
        details = property.details
        return cls(
            id=property.id,
            name=details.name,
            address=details.address,
            price=details.price,
            currency=details.currency,
            time_zone=details.time_zone,
            capacity=details.capacity,
            visits_allowed=details.visits_allowed,
            public_booking=details.public_booking,
            version=property.version,
            created_at=property.created_at,
            updated_at=property.updated_at,
            visits=[VisitOutput.of(visit) for visit in visits] if visits is not None else None,
            links=links,
            visits_behind=None if visits_follow else True,
        )

    def about(self) -> Mapping[str, str]:
        return {"propertyId": self.id}


def _words(given: object) -> str:
    text = short_text(given, LONGEST_SEARCH)
    if not 1 <= len(words(text)) <= MOST_WORDS:
        raise ValueError(f"must have 1 to {MOST_WORDS} words")
    return text


def _yes_or_no(given: object) -> bool:
    text = short_text(given, 5)
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


class PropertyQuery(PageQuery):
    """GET /properties as it was asked."""

    q: Annotated[
        str | None,
        BeforeValidator(_words),
        documented(
            {"type": "string", "minLength": 1, "maxLength": LONGEST_SEARCH, "examples": ["see potsdam"]},
            "Only properties whose name or address has all of these words, or words that begin with them; accents and "
            "case aside. A page may then be short, even empty, though more follow: go on for as long as there is a "
            "`nextCursor`.",
        ),
    ] = None
    visits_allowed: Annotated[
        bool | None,
        BeforeValidator(_yes_or_no),
        documented({"type": "boolean"}, "Only properties that accept visits, or only those that do not."),
    ] = Field(None, alias="visitsAllowed")

    def parameters(self) -> dict[str, str | list[str]]:
        """The filters, as they would be asked for again: what a cursor is bound to and a link carries."""
        allowed = {None: None, True: "true", False: "false"}[self.visits_allowed]
        return {name: value for name, value in (("q", self.q), ("visitsAllowed", allowed)) if value is not None}

    def to_filter(self) -> PropertyFilter:
        return PropertyFilter(tuple(words(self.q)) if self.q is not None else (), self.visits_allowed)


class PropertyPage(Output):
    items: list[PropertyOutput]
    next_cursor: str | None


def register(request: Request, services: Services) -> Response:
    body = parsing.parse_body(RegisterPropertyInput, request)
    key = parsing.idempotency_key(request, body)
    outcome = services.properties.register(body.to_details(), body.id, key)
    return _created(request, outcome.result, outcome.replayed)


def list_all(request: Request, services: Services) -> Response:
    """By id."""
    query = PropertyQuery.parse(parsing.query_values(request))
    filters = query.parameters()
    cursors = Cursors(services.signer, "properties", filters)
    page = services.properties.list(query.to_filter(), cursors.after(query.cursor), query.limit)
    following = cursors.following(page)
    output = PropertyPage(items=[PropertyOutput.of(found) for found in page.items], next_cursor=following)
    return page_answer(request, output, following, query.limit, filters)


def get(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    premises = services.availability.premises(parsing.property_id(property_id))
    property, rules = premises.property, premises.availability
    visits = services.listing.upcoming(property.id)
    links = PropertyLinks(
        visits=all_visits_url(request, services.listing.all_visits_of(property.id)),
        availability=url(request, "properties", property.id, "availability") if rules else None,
    )
    shown = [f"{visit.id}.{visit.version}" for visit in visits] + (["availability"] if rules else [])
    return tagged(request, PropertyOutput.of(property, visits, links), etag(property.version, shown))


def put(request: Request, services: Services, property_id: str) -> Response:
    body = parsing.parse_body(PropertyInput, request)

    def check(property: Property) -> None:
        check_unchanged(body, PropertyOutput.of(property))

    if must_be_new(request.headers):
        chosen = parsing.new_property_id(property_id)
        return _created(request, services.properties.create(chosen, body.to_details(), check))
    chosen = parsing.property_id(property_id)
    expected = required_versions(request.headers, may_be_new=True)
    replaced = services.properties.replace(chosen, body.to_details(), expected, check, caller_name(request))
    output = PropertyOutput.of(replaced.property, visits_follow=replaced.visits_follow)
    return json_answer(output, {"ETag": etag(replaced.property.version)})


def _created(request: Request, property: Property, replayed: bool = False) -> Response:
    output = PropertyOutput.of(property)
    return created(request, output, etag(property.version), "properties", property.id, replayed=replayed)
