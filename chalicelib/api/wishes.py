"""What a visit to be is asked for with: the body of POST /visits, and a row of an intake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import (
    ConfigDict,
    Field,
    model_validator,
)

from chalicelib.domain.visits import (
    DEFAULT_DURATION_MINUTES,
    BookVisit,
    Status,
    Visitor,
)
from chalicelib.http.fields import (
    Address,
    AgentId,
    Duration,
    Email,
    ExternalId,
    Input,
    Instant,
    Name,
    Notes,
    Phone,
    PropertyId,
    never,
)

NO_INSTANT = datetime.min.replace(tzinfo=UTC)


READ_ONLY = Field(json_schema_extra={"readOnly": True})
"""For what a caller may send back as it was read: `read_only.check_unchanged` compares what has a hint."""

READ_ONLY_TEXT = Field(json_schema_extra={"readOnly": True, "maxLength": 500})
"""No text of ours that comes back is longer."""


UNCHANGING = "is read-only: leave it out, or send it back unchanged"


class VisitorInput(Input):
    """At least one of name, e-mail address and telephone number."""

    model_config = ConfigDict(
        json_schema_extra=never({"properties": {name: {"type": "null"} for name in ("name", "email", "phone")}})
    )

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def is_somebody(self) -> VisitorInput:
        if self.name is None and self.email is None and self.phone is None:
            raise ValueError("must have a name, an e-mail address or a telephone number")
        return self

    def to_visitor(self) -> Visitor:
        return Visitor(self.name, self.email, self.phone)


class BookVisitInput(Input):
    """The body of POST /visits. `{propertyId, date, place}` is enough."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("id", "timeZone", "cancellation", "version", "createdAt", "updatedAt"), "is set by the server"
    )

    property_id: PropertyId
    date: Annotated[Instant, Field(description="The start, with a UTC offset: at most five years before or after now.")]
    duration_minutes: Duration = DEFAULT_DURATION_MINUTES
    place: Annotated[Address | None, Field(description="Where to meet; defaults to the property's address.")] = None
    status: Literal["requested", "confirmed"] = "confirmed"
    agent_id: Annotated[
        AgentId | None, Field(description="Who conducts it. An agent cannot be at two properties at once.")
    ] = None
    visitor: VisitorInput | None = None
    notes: Notes | None = None

    def to_command(self) -> BookVisit:
        return BookVisit(
            property_id=self.property_id,
            date=self.date,
            duration_minutes=self.duration_minutes,
            place=self.place,
            status=Status(self.status),
            agent_id=self.agent_id,
            visitor=self.visitor.to_visitor() if self.visitor else None,
            notes=self.notes,
        )


class RowInput(BookVisitInput):
    """A row of an intake: a visit, optionally with the producer's own id for it."""

    external_id: Annotated[
        ExternalId | None,
        Field(description="Your own id for the visit. Different content under the same id is refused."),
    ] = None
