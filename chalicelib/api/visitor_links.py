"""The visitor's own visit over HTTP: what the link in a mail leads to. It shows nothing else of the agency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field

from chalicelib.api.availability import BookableSlotsOutput, WindowQuery
from chalicelib.api.visit_changes import StatusInput, without_defaults
from chalicelib.api.visits import AwaitedOutput, CancellationOutput, VisitorOutput
from chalicelib.api.wishes import NO_INSTANT
from chalicelib.domain.errors import LinkInvalid, once_written
from chalicelib.domain.visitor_links import parse
from chalicelib.domain.visits import UNCHANGED, ChangeVisit, ChangeVisitor, Status, Visit
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer, no_content
from chalicelib.http.fields import IfAny, Input, Instant, InstantOut, Language, Output
from chalicelib.http.preconditions import etag, optional_versions
from chalicelib.http.queries import Query, documented, no_query, only_text
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.domain.public import Terms
    from chalicelib.services.visitor_links import OwnVisit
    from chalicelib.services.wired import Services


class AgencyOutput(Output):
    name: str | None = IfAny
    phone: str | None = IfAny

    @classmethod
    def of(cls, terms: Terms) -> AgencyOutput:
        return cls(name=terms.agency, phone=terms.phone)


class OwnPropertyOutput(Output):
    name: str
    address: str


class OwnVisitOutput(Output):
    date: InstantOut
    duration_minutes: int
    time_zone: str
    place: str
    status: Status
    property: OwnPropertyOutput
    agency: AgencyOutput
    visitor: VisitorOutput | None = IfAny
    cancellation: CancellationOutput | None = IfAny
    reminders: bool
    changeable_until: InstantOut
    moving: Annotated[
        Literal["request", "confirm"],
        Field(description="`request`: the agency has to confirm another time, and this one is given up at once."),
    ]
    awaits: Annotated[
        AwaitedOutput | None, Field(description="Whose answer it waits for; without one it is declined.")
    ] = IfAny
    version: int

    @classmethod
    def of(cls, own: OwnVisit) -> OwnVisitOutput:
        visit, details = own.visit, own.property.details
        cancelled = visit.cancellation
        return cls(
            date=visit.date,
            duration_minutes=visit.duration_minutes,
            time_zone=visit.time_zone,
            place=visit.place,
            status=visit.status,
            property=OwnPropertyOutput(name=details.name, address=details.address),
            agency=AgencyOutput.of(own.terms),
            visitor=VisitorOutput.of(visit.visitor) if visit.visitor else None,
            cancellation=CancellationOutput(at=cancelled.at, reason=cancelled.reason) if cancelled else None,
            reminders=own.reminders,
            changeable_until=own.changeable_until,
            moving="request" if details.asks_first else "confirm",
            awaits=AwaitedOutput.of(visit.awaited) if visit.awaited else None,
            version=visit.version,
        )


class ChangeOwnVisitInput(Input):
    """The body of PATCH /visitor/visit: what is left out stays."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    hints: ClassVar[dict[str, str]] = {"status": "cannot be patched: use PUT /visitor/visit/status"}

    date: Annotated[Instant, Field(description="Another start, which must be free.")] = NO_INSTANT
    language: Annotated[Language, Field(description="In which to write from now on.")] = "en"
    reminders: Annotated[bool, Field(description="Whether to send reminders.")] = True

    def to_change(self) -> ChangeVisit:
        given = self.model_fields_set
        return ChangeVisit(
            date=self.date if "date" in given else UNCHANGED,
            visitor=ChangeVisitor(language=self.language) if "language" in given else UNCHANGED,
        )


class OwnStatusInput(StatusInput):
    """The body of PUT /visitor/visit/status. Its visitor can confirm a visit that awaits the visitor, and no other."""

    status: Literal["confirmed", "cancelled"]


class UnsubscribeQuery(Query):
    """POST /visitor/unsubscribe as mail programs ask it; whatever they add is ignored."""

    model_config = ConfigDict(extra="ignore")

    token: Annotated[
        str, BeforeValidator(only_text), documented({"type": "string"}, "From the mail's `List-Unsubscribe`.")
    ] = ""


def get(request: Request, services: Services, visit: Visit) -> Response:
    no_query(parsing.query_values(request))
    return _answer(services, visit)


def slots(request: Request, services: Services, visit: Visit) -> Response:
    query = WindowQuery.parse(parsing.query_values(request))
    earliest = services.visitor_links.earliest(visit)
    found = services.availability.other_slots(visit, earliest, query.start, query.end)
    return json_answer(BookableSlotsOutput.of(found))


def change(request: Request, services: Services, visit: Visit) -> Response:
    expected = optional_versions(request.headers)
    body = parsing.parse_body(ChangeOwnVisitInput, request, parsing.MERGE_PATCH)
    after = services.visitor_links.change(visit, body.to_change(), expected)
    with once_written():
        if "reminders" in body.model_fields_set:
            services.visitor_links.switch_reminders(after, body.reminders)
        return _answer(services, after)


def change_status(request: Request, services: Services, visit: Visit) -> Response:
    expected = optional_versions(request.headers)
    body = parsing.parse_body(OwnStatusInput, request)
    if body.status == "cancelled":
        after = services.visitor_links.cancel(visit, body.reason, expected)
    else:
        after = services.visitor_links.confirm(visit)
    with once_written():
        return _answer(services, after)


def erase(request: Request, services: Services, visit: Visit) -> Response:
    after = services.visitor_links.erase(visit, optional_versions(request.headers))
    return no_content(etag(after.version))


def unsubscribe(request: Request, services: Services) -> Response:
    """The body is a mail program's, and says nothing that the address does not."""
    link = parse(UnsubscribeQuery.parse(parsing.query_values(request)).token)
    if link is None:
        raise LinkInvalid
    services.visitor_links.unsubscribe(link)
    return Response("", status_code=204)


def _answer(services: Services, visit: Visit) -> Response:
    note(visitId=visit.id)
    own = services.visitor_links.look_at(visit)
    return json_answer(OwnVisitOutput.of(own), {"ETag": etag(visit.version)})
