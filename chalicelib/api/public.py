"""Booking without a key over HTTP: what a listing shows of a property, its free times, and a visit at one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from chalice.app import Request, Response
from pydantic import ConfigDict, Field, model_validator

from chalicelib.api.availability import BookableSlotsOutput, WindowQuery
from chalicelib.api.visitor_links import AgencyOutput, OwnVisitOutput
from chalicelib.domain.errors import once_written
from chalicelib.domain.visits import Visitor
from chalicelib.http import parsing
from chalicelib.http.answers import created, json_answer
from chalicelib.http.fields import (
    AmountOut,
    Email,
    IfAny,
    Input,
    Instant,
    Language,
    Name,
    Output,
    Phone,
    never,
)
from chalicelib.http.preconditions import etag
from chalicelib.http.queries import no_query
from chalicelib.journal import note
from chalicelib.services.public import PublicWish

if TYPE_CHECKING:
    from chalicelib.domain.properties import Property
    from chalicelib.domain.public import Terms
    from chalicelib.services.wired import Services

SVG: Final = "image/svg+xml"


class PublicPropertyOutput(Output):
    """A property as a listing shows it, and how it is booked."""

    id: str
    name: str
    address: str
    price: AmountOut | None = IfAny
    currency: str | None = IfAny
    time_zone: str
    booking: Annotated[
        Literal["request", "confirm"], Field(description="Whether the agency confirms it, or a booking is confirmed.")
    ]
    duration_minutes: int
    agency: AgencyOutput
    language: Language
    consent: Annotated[
        str | None, Field(description="How the agency keeps personal data: to be shown before somebody books.")
    ] = IfAny
    confirm_within_minutes: Annotated[
        int | None, Field(description="So soon a booking has to be confirmed by the link in a mail.")
    ] = IfAny

    @classmethod
    def of(cls, property: Property, terms: Terms) -> PublicPropertyOutput:
        details, within = property.details, terms.confirm_within
        return cls.model_validate(
            {
                "id": property.id,
                "name": details.name,
                "address": details.address,
                "price": details.price,
                "currency": details.currency,
                "time_zone": details.time_zone,
                "booking": str(details.public_booking),
                "duration_minutes": terms.minutes,
                "agency": AgencyOutput.of(terms),
                "language": terms.language,
                "consent": terms.consent,
                "confirm_within_minutes": int(within.total_seconds()) // 60 if within is not None else None,
            }
        )


class PublicVisitorInput(Input):
    """Who is coming: a name, and an e-mail address or a telephone number."""

    model_config = ConfigDict(
        json_schema_extra=never({"properties": {name: {"type": "null"} for name in ("email", "phone")}})
    )

    name: Name
    email: Email | None = None
    phone: Phone | None = None
    language: Annotated[Language | None, Field(description="In which they are written to.")] = None

    @model_validator(mode="after")
    def can_be_reached(self) -> PublicVisitorInput:
        if self.email is None and self.phone is None:
            raise ValueError("must have an e-mail address or a telephone number")
        return self

    def to_visitor(self) -> Visitor:
        return Visitor(self.name, self.email, self.phone, self.language)


class BookPublicVisitInput(Input):
    """The body of POST /public/properties/{id}/visits."""

    date: Annotated[Instant, Field(description="The start, with a UTC offset: one of the property's slots.")]
    visitor: PublicVisitorInput


class PublicVisitOutput(OwnVisitOutput):
    """The visit as its visitor sees it from now on."""

    link: Annotated[
        str | None,
        Field(description="By which the visitor reaches it (`visitorLink`); not where a mail has the only one."),
    ] = IfAny


def get(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    property = services.public.property(parsing.property_id(property_id))
    return json_answer(PublicPropertyOutput.of(property, services.public.terms))


def slots(request: Request, services: Services, property_id: str) -> Response:
    query = WindowQuery.parse(parsing.query_values(request))
    found = services.public.slots(parsing.property_id(property_id), query.start, query.end)
    return json_answer(BookableSlotsOutput.of(found))


def book(request: Request, services: Services, property_id: str) -> Response:
    chosen = parsing.property_id(property_id)
    body = parsing.parse_body(BookPublicVisitInput, request)
    wish = PublicWish(chosen, body.date, body.visitor.to_visitor(), _address(request))
    outcome = services.public.book(wish, parsing.idempotency_key(request, body))
    visit = outcome.result
    note(visitId=visit.id)
    with once_written():
        own = OwnVisitOutput.of(services.visitor_links.look_at(visit))
        output = PublicVisitOutput(**dict(own), link=services.public.link(visit))
    return created(request, output, etag(visit.version), "visitor", "visit", replayed=outcome.replayed)


def code(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    page = services.public.page(parsing.property_id(property_id))
    from chalicelib.exports.qr import write_code

    return Response(write_code(page).decode(), headers={"Content-Type": SVG})


def _address(request: Request) -> str | None:
    """From where the request came, as the gateway says."""
    told = request.context.get("identity", {}).get("sourceIp")
    return str(told) if told else None
