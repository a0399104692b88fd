"""What may change of a visit: the bodies of PATCH /visits/{id} and PUT /visits/{id}/status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from chalice.app import Request, Response
from pydantic import ConfigDict, Field, model_validator

from chalicelib.api.visits import VisitOutput, answered, applied, leniency
from chalicelib.api.wishes import NO_INSTANT, READ_ONLY, READ_ONLY_TEXT, UNCHANGING
from chalicelib.domain.premises import strictly
from chalicelib.domain.visits import UNCHANGED, ChangeVisit, ChangeVisitor, Status, Unchanged, Visit
from chalicelib.http import parsing
from chalicelib.http.callers import caller_name
from chalicelib.http.fields import (
    Address,
    AgentId,
    Duration,
    Email,
    Input,
    Instant,
    Language,
    Name,
    Notes,
    Phone,
    Reason,
    Version,
    never,
)
from chalicelib.http.preconditions import optional_versions, required_versions
from chalicelib.http.read_only import check_unchanged

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


def without_defaults(schema: dict[str, Any]) -> None:
    """For a patch: what is not given stays as it is."""
    for shown in schema["properties"].values():
        shown.pop("default", None)


class ChangeVisitorInput(Input):
    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    language: Language | None = None

    def to_change(self) -> ChangeVisitor:
        given = self.model_fields_set
        return ChangeVisitor(
            name=self.name if "name" in given else UNCHANGED,
            email=self.email if "email" in given else UNCHANGED,
            phone=self.phone if "phone" in given else UNCHANGED,
            language=self.language if "language" in given else UNCHANGED,
        )


class CancellationInput(Input):
    """A cancellation as it was read. PUT /visits/{id}/status makes one."""

    at: Instant
    reason: Annotated[str | None, READ_ONLY_TEXT] = None
    by: Annotated[str | None, READ_ONLY_TEXT] = None


class AwaitedInput(Input):
    """As it was read."""

    whose: Literal["agency", "visitor"]
    until: Instant


class ChangeVisitInput(Input):
    """The body of PATCH /visits/{id}: a merge patch (RFC 7396). null removes, or sets the default.

    You can edit a visit you read and send it back whole: read-only fields must be unchanged.
    """

    model_config = ConfigDict(json_schema_extra=without_defaults)

    hints: ClassVar[dict[str, str]] = {
        "status": "cannot be patched: use PUT /visits/{id}/status",
        "propertyId": "cannot be changed: cancel this visit and book another",
        "cancellation": "cannot be patched: use PUT /visits/{id}/status",
        "awaits": "cannot be patched: use PUT /visits/{id}/status",
        **dict.fromkeys(("id", "timeZone", "version", "createdAt", "updatedAt", "createdBy", "updatedBy"), UNCHANGING),
    }

    date: Instant = NO_INSTANT  # cannot be null; not read unless given
    duration_minutes: Duration | None = None
    place: Address | None = None
    agent_id: AgentId | None = None
    visitor: ChangeVisitorInput | None = None
    notes: Notes | None = None
    notify: bool = False  # cannot be null; not read unless given
    # None of these can be null, and none is read unless given.
    id: Annotated[str, READ_ONLY_TEXT] = ""
    property_id: Annotated[str, READ_ONLY_TEXT] = ""
    time_zone: Annotated[str, READ_ONLY_TEXT] = ""
    status: Annotated[str, READ_ONLY_TEXT] = ""
    cancellation: Annotated[CancellationInput | None, READ_ONLY] = None
    awaits: Annotated[AwaitedInput | None, READ_ONLY] = None
    version: Annotated[Version, READ_ONLY] = 0
    created_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    updated_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    created_by: Annotated[str, READ_ONLY_TEXT] = ""
    updated_by: Annotated[str, READ_ONLY_TEXT] = ""
    warnings: Annotated[list[Any], READ_ONLY] = Field(default_factory=list)

    def to_change(self) -> ChangeVisit:
        given = self.model_fields_set
        visitor: ChangeVisitor | Unchanged | None = UNCHANGED
        if "visitor" in given:
            visitor = self.visitor.to_change() if self.visitor else None
        return ChangeVisit(
            date=self.date if "date" in given else UNCHANGED,
            duration_minutes=self.duration_minutes if "duration_minutes" in given else UNCHANGED,
            place=self.place if "place" in given else UNCHANGED,
            agent_id=self.agent_id if "agent_id" in given else UNCHANGED,
            visitor=visitor,
            notes=self.notes if "notes" in given else UNCHANGED,
            notify=self.notify if "notify" in given else UNCHANGED,
        )


class StatusInput(Input):
    """The body of PUT /visits/{id}/status."""

    model_config = ConfigDict(
        json_schema_extra=never(
            {
                "required": ["reason"],
                "properties": {"reason": {"type": "string"}, "status": {"not": {"const": "cancelled"}}},
            }
        )
    )

    status: Literal["requested", "confirmed", "declined", "cancelled", "completed", "no_show"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def only_a_cancellation_has_a_reason(self) -> StatusInput:
        if self.reason is not None and self.status != "cancelled":
            raise ValueError("'reason' is only allowed with the status cancelled")
        return self


def change(request: Request, services: Services, visit_id: str) -> Response:
    expected = required_versions(request.headers)
    body = parsing.parse_body(ChangeVisitInput, request, parsing.MERGE_PATCH)

    def check(visit: Visit) -> None:
        check_unchanged(body, VisitOutput.of(visit))

    lenient = leniency(request)
    chosen, by = parsing.visit_id(visit_id), caller_name(request)
    visit = services.visits.change(chosen, body.to_change(), expected, check, lenient or strictly, by)
    return answered(visit) if lenient is None else applied(answered(visit, lenient.overruled))


def change_status(request: Request, services: Services, visit_id: str) -> Response:
    expected = optional_versions(request.headers)
    body = parsing.parse_body(StatusInput, request)
    wanted = Status(body.status)
    chosen, by = parsing.visit_id(visit_id), caller_name(request)
    return answered(services.visits.change_status(chosen, wanted, body.reason, expected, by=by))
