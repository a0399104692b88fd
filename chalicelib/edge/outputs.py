"""What callers get: the wire form of properties, visits, pages and busy times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from chalicelib.domain.intakes import Intake, IntakeStatus, Result, RowOutcome
from chalicelib.domain.properties import Property
from chalicelib.domain.visits import Status, Visit
from chalicelib.edge.instants import WRITTEN, WRITTEN_EXAMPLE, instant_text
from chalicelib.services.listing import BusyTimes


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _absent(value: object) -> bool:
    return value is None


IfAny = Field(default=None, exclude_if=_absent)
"""For what is left out of the answer when there is none."""

InstantOut = Annotated[
    datetime,
    PlainSerializer(instant_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{WRITTEN}$", "examples": [WRITTEN_EXAMPLE]}),
]
AmountOut = Annotated[
    Decimal,
    PlainSerializer(_number, return_type=int | float),
    WithJsonSchema({"type": "number", "minimum": 0}),
]


class Output(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, defer_build=True)

    def json_text(self) -> str:
        return self.model_dump_json(by_alias=True)

    def about(self) -> Mapping[str, str]:
        """The ids of what it tells about, for the journal."""
        return {}


class VisitorOutput(Output):
    name: str | None = IfAny
    email: str | None = IfAny
    phone: str | None = IfAny


class CancellationOutput(Output):
    at: InstantOut
    reason: str | None = IfAny


class VisitOutput(Output):
    id: str
    property_id: str
    date: InstantOut
    duration_minutes: int
    time_zone: str
    place: str
    status: Status
    agent_id: str | None = IfAny
    visitor: VisitorOutput | None = IfAny
    notes: str | None = IfAny
    cancellation: CancellationOutput | None = IfAny
    version: int
    created_at: InstantOut
    updated_at: InstantOut

    @classmethod
    def of(cls, visit: Visit) -> VisitOutput:
        visitor, cancellation = visit.visitor, visit.cancellation
        return cls(
            id=visit.id,
            property_id=visit.property_id,
            date=visit.date,
            duration_minutes=visit.duration_minutes,
            time_zone=visit.time_zone,
            place=visit.place,
            status=visit.status,
            agent_id=visit.agent_id,
            visitor=VisitorOutput(name=visitor.name, email=visitor.email, phone=visitor.phone) if visitor else None,
            notes=visit.notes,
            cancellation=CancellationOutput(reason=cancellation.reason, at=cancellation.at) if cancellation else None,
            version=visit.version,
            created_at=visit.created_at,
            updated_at=visit.updated_at,
        )

    def about(self) -> Mapping[str, str]:
        return {"visitId": self.id, "propertyId": self.property_id}


class PropertyLinks(Output):
    visits: str
    """Where all visits of the property are, path-absolute."""


class PropertyOutput(Output):
    id: str
    name: str
    address: str
    price: AmountOut | None = IfAny
    currency: str | None = IfAny
    time_zone: str
    capacity: int
    visits_allowed: bool
    version: int
    created_at: InstantOut
    updated_at: InstantOut
    visits: list[VisitOutput] | None = IfAny
    links: PropertyLinks | None = IfAny
    visits_behind: Annotated[
        Literal[True] | None,
        Field(
            description="Not all upcoming visits show the corrected address or time zone yet: send the same again, "
            "with the new ETag, to go on."
        ),
    ] = IfAny

    @classmethod
    def of(
        cls,
        property: Property,
        visits: list[Visit] | None = None,
        all_visits: str | None = None,
        visits_follow: bool = True,
    ) -> PropertyOutput:
        """A property; by itself also with its next visits and the address of all of them."""
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
            version=property.version,
            created_at=property.created_at,
            updated_at=property.updated_at,
            visits=[VisitOutput.of(visit) for visit in visits] if visits is not None else None,
            links=PropertyLinks(visits=all_visits) if all_visits is not None else None,
            visits_behind=None if visits_follow else True,
        )

    def about(self) -> Mapping[str, str]:
        return {"propertyId": self.id}


class CalendarLinks(Output):
    calendar: str
    """Where the feed is, path-absolute: anybody who has this address reads it."""


class CalendarTokenOutput(Output):
    """What is shown once: only its hash is kept."""

    token: str
    links: CalendarLinks


class VisitPage(Output):
    items: list[VisitOutput]
    next_cursor: str | None


class PropertyPage(Output):
    items: list[PropertyOutput]
    next_cursor: str | None


class BusyIntervalOutput(Output):
    start: InstantOut
    end: InstantOut
    held: int
    free: int

    model_config = ConfigDict(
        alias_generator=lambda name: {"start": "from", "end": "to"}.get(name, name), populate_by_name=True
    )


class BusyOutput(Output):
    """When a property is taken, in whole quarter hours; nobody's name."""

    property_id: str
    start: InstantOut
    end: InstantOut
    capacity: int
    time_zone: str
    busy: list[BusyIntervalOutput]

    model_config = ConfigDict(
        alias_generator=lambda name: {"start": "from", "end": "to"}.get(name) or to_camel(name),
        populate_by_name=True,
    )

    @classmethod
    def of(cls, times: BusyTimes) -> BusyOutput:
        return cls(
            property_id=times.property.id,
            start=times.window.start,
            end=times.window.end,
            capacity=times.property.details.capacity,
            time_zone=times.property.details.time_zone,
            busy=[BusyIntervalOutput(start=i.start, end=i.end, held=i.held, free=i.free) for i in times.intervals],
        )


class CountsOutput(Output):
    total: int
    created: int
    duplicate: int
    rejected: int


class IntakeLinks(Output):
    results: str
    """Where the outcome of every row is, path-absolute."""


class IntakeOutput(Output):
    id: str
    status: IntakeStatus
    counts: CountsOutput
    created_at: InstantOut
    expires_at: InstantOut
    links: IntakeLinks

    @classmethod
    def of(cls, intake: Intake, results: str) -> IntakeOutput:
        counts = intake.counts
        return cls(
            id=intake.manifest.id,
            status=intake.status,
            counts=CountsOutput(
                total=counts.total,
                created=counts.created,
                duplicate=counts.duplicate,
                rejected=counts.rejected,
            ),
            created_at=intake.manifest.created_at,
            expires_at=intake.manifest.expires_at,
            links=IntakeLinks(results=results),
        )

    def about(self) -> Mapping[str, str]:
        return {"intakeId": self.id}


class Problem(Output):
    """Problem details (RFC 9457): what every problem document has, whatever kind of problem it is."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class RowOutcomeOutput(Output):
    row: int
    external_id: str | None = IfAny
    status: Result
    visit_id: str | None = IfAny
    problem: Problem | None = IfAny

    @classmethod
    def of(cls, outcome: RowOutcome) -> RowOutcomeOutput:
        return cls(
            row=outcome.row,
            external_id=outcome.external_id,
            status=outcome.result,
            visit_id=outcome.visit_id,
            problem=Problem.model_validate(outcome.problem) if outcome.problem is not None else None,
        )


class RowOutcomePage(Output):
    items: list[RowOutcomeOutput]
    next_cursor: str | None


class HealthOutput(Output):
    status: Literal["ok"]
