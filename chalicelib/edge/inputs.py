"""What callers may send, field by field. Unknown fields are refused by name; nothing is coerced.

These models know the wire only; each turns into a command of the domain.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType

from chalicelib.domain.intakes import MOST_ROWS
from chalicelib.domain.properties import PropertyDetails
from chalicelib.domain.visits import (
    DEFAULT_DURATION_MINUTES,
    UNCHANGED,
    BookVisit,
    ChangeVisit,
    ChangeVisitor,
    Status,
    Unchanged,
    Visitor,
)
from chalicelib.edge import spellings
from chalicelib.edge.currencies import CURRENCIES
from chalicelib.edge.instants import EXAMPLE, SHOWN_PATTERN, parse_instant
from chalicelib.edge.spellings import LINE, one_line

_LINES = re.compile(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*")
_ID = "A-Za-z0-9_~-"
PROPERTY_ID = re.compile(rf"[{_ID}][.{_ID}]{{0,63}}|\.[{_ID}][.{_ID}]{{0,62}}|\.\.[.{_ID}]{{1,62}}")
PROPERTY_ID_RULE = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SMALLEST = Decimal("0.001")


def _lines(text: str) -> str:
    if not _LINES.fullmatch(text):
        raise ValueError("must not contain control characters")
    return text


def _property_id(text: str) -> str:
    if not PROPERTY_ID.fullmatch(text):
        raise ValueError(PROPERTY_ID_RULE)
    return text


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("must be a currency code of ISO 4217, like EUR")
    return text


@cache
def _time_zones() -> frozenset[str]:
    """The zones of the database that we carry: what a host happens to have beside them is not to be had elsewhere."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("must be a time zone of the IANA database, like Europe/Berlin")
    return text


def _amount(number: object) -> Decimal:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ValueError("must be a number")
    amount = Decimal(number)
    if not 0 <= amount < 10**12:
        raise ValueError("must be 0 or more, and less than 1,000,000,000,000")
    exact = abs(amount.quantize(_SMALLEST))  # abs: JSON has a zero below zero
    if exact != amount:
        raise ValueError("must have 3 decimal places at most")
    return exact


def _whole(number: object) -> object:
    """30.0 is an integer too, to JSON Schema and to callers whose language has one kind of number."""
    # Compared, not computed with: abs() of a number beyond the decimal context is an exception.
    if isinstance(number, Decimal) and -(10**6) < number < 10**6 and number == number.to_integral_value():
        return int(number)
    return number


def _shown(pattern: str) -> Any:
    """What the published schemas say of a check that is a function here; patterns that ECMA-262 reads as well."""
    return Field(json_schema_extra={"pattern": f"^(?:{pattern})$"})


_SHOWN_ONE_LINE = _shown(LINE.pattern)
_SHOWN_LINES = _shown(_LINES.pattern)

INSTANT_SCHEMA: dict[str, Any] = {
    "type": "string",
    "format": "date-time",
    "pattern": SHOWN_PATTERN,
    "examples": [EXAMPLE],
}
PROPERTY_ID_SCHEMA: dict[str, Any] = {"type": "string", "pattern": f"^(?:{PROPERTY_ID.pattern})$"}

Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema(INSTANT_SCHEMA)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(one_line), _SHOWN_ONE_LINE]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(one_line), _SHOWN_ONE_LINE]
AGENT_ID_SCHEMA: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": spellings.LONGEST_AGENT_ID,
    "pattern": f"^(?:{LINE.pattern})$",
}
AgentId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=spellings.LONGEST_AGENT_ID),
    AfterValidator(spellings.agent_id),
    WithJsonSchema(AGENT_ID_SCHEMA),
]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(one_line), _SHOWN_ONE_LINE]
Email = Annotated[
    str, StringConstraints(max_length=254), AfterValidator(spellings.email), _shown(spellings.EMAIL.pattern)
]
Phone = Annotated[
    str, StringConstraints(max_length=64), AfterValidator(spellings.phone), _shown(spellings.PHONE.pattern)
]
Notes = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_lines), _SHOWN_LINES]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_lines), _SHOWN_LINES]
PropertyId = Annotated[str, AfterValidator(_property_id), WithJsonSchema(PROPERTY_ID_SCHEMA)]
Currency = TypeAliasType(
    "Currency", Annotated[str, AfterValidator(_currency), Field(json_schema_extra={"enum": sorted(CURRENCIES)})]
)
TimeZone = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "format": "iana-time-zone", "examples": ["Europe/Berlin"]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMaximum": 10**12, "multipleOf": 0.001}),
]
Duration = Annotated[int, Field(ge=5, le=240), BeforeValidator(_whole)]
Capacity = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)]
Version = Annotated[int, BeforeValidator(_whole)]

_NO_INSTANT = datetime.min.replace(tzinfo=UTC)


def _without_defaults(schema: dict[str, Any]) -> None:
    """For a patch: what is not given stays as it is."""
    for shown in schema["properties"].values():
        shown.pop("default", None)


class Input(BaseModel):
    hints: ClassVar[dict[str, str]] = {}
    """What to say of a field that is refused though we know it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
        frozen=True,
        # A cold start makes only the models that its first request needs.
        defer_build=True,
    )

    def meaning(self) -> dict[str, Any]:
        """What is asked for, however it was spelled: without nulls and defaults, instants in UTC."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)


_READ_ONLY = Field(json_schema_extra={"readOnly": True})
"""For what a caller may send back as it was read: `read_only.check_unchanged` compares what has a hint."""
_UNCHANGING = "is read-only: leave it out, or send it back as it is"


class VisitorInput(Input):
    """Somebody who can be recognised: at least one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string"}}} for name in ("name", "email", "phone")
            ]
        }
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
    """The body of POST /visits. `{propertyId, date, place}` alone is enough."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("id", "timeZone", "cancellation", "version", "createdAt", "updatedAt"), "is set by the server"
    )

    property_id: PropertyId
    date: Annotated[Instant, Field(description="The start, within five years before or after now.")]
    duration_minutes: Duration = DEFAULT_DURATION_MINUTES
    place: Annotated[Address | None, Field(description="Where to meet; the property's address unless given.")] = None
    status: Literal["requested", "confirmed"] = "confirmed"
    agent_id: Annotated[
        AgentId | None, Field(description="Who conducts it: never at two properties at the same time.")
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
    """A row of an intake: a visit, with the producer's own id of it if there is one."""

    external_id: Annotated[
        ExternalId | None,
        Field(description="Your own id of the visit. The same content again is a duplicate, other content is refused."),
    ] = None


def _row(value: object, _: object) -> object:
    """Any object for now, whatever a row should be."""
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


AnyRow = Annotated[RowInput | dict[str, Any], WrapValidator(_row)]


class IntakeInput(Input):
    """The body of POST /intakes. What is in a row is judged when it is worked off."""

    visits: Annotated[list[AnyRow], Field(min_length=1, max_length=MOST_ROWS)]


class ChangeVisitorInput(Input):
    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None

    def to_change(self) -> ChangeVisitor:
        given = self.model_fields_set
        return ChangeVisitor(
            name=self.name if "name" in given else UNCHANGED,
            email=self.email if "email" in given else UNCHANGED,
            phone=self.phone if "phone" in given else UNCHANGED,
        )


class CancellationInput(Input):
    """A cancellation as it was read. PUT /visits/{id}/status makes one."""

    at: Instant
    reason: str | None = None


class ChangeVisitInput(Input):
    """The body of PATCH /visits/{id}: a merge patch (RFC 7396). null takes away, or sets the default.

    The whole visit can be sent back, edited: read-only fields are taken as long as they say what is so.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    hints: ClassVar[dict[str, str]] = {
        "status": "cannot be patched: use PUT /visits/{id}/status",
        "propertyId": "cannot change: cancel this visit and book another",
        "cancellation": "cannot be patched: use PUT /visits/{id}/status",
        **dict.fromkeys(("id", "timeZone", "version", "createdAt", "updatedAt"), _UNCHANGING),
    }

    date: Instant = _NO_INSTANT  # cannot be null; not read unless given
    duration_minutes: Duration | None = None
    place: Address | None = None
    agent_id: AgentId | None = None
    visitor: ChangeVisitorInput | None = None
    notes: Notes | None = None
    # None of these can be null, and none is read unless given.
    id: Annotated[str, _READ_ONLY] = ""
    property_id: Annotated[str, _READ_ONLY] = ""
    time_zone: Annotated[str, _READ_ONLY] = ""
    status: Annotated[str, _READ_ONLY] = ""
    cancellation: Annotated[CancellationInput | None, _READ_ONLY] = None
    version: Annotated[Version, _READ_ONLY] = 0
    created_at: Annotated[Instant, _READ_ONLY] = _NO_INSTANT
    updated_at: Annotated[Instant, _READ_ONLY] = _NO_INSTANT

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
        )


class StatusInput(Input):
    """The body of PUT /visits/{id}/status."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"reason": {"type": "string"}}, "required": ["reason"]},
            "then": {"properties": {"status": {"const": "cancelled"}}},
        }
    )

    status: Literal["requested", "confirmed", "declined", "cancelled", "completed", "no_show"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def only_a_cancellation_has_a_reason(self) -> StatusInput:
        if self.reason is not None and self.status != "cancelled":
            raise ValueError("'reason' goes with the status cancelled only")
        return self


class PropertyFields(Input):
    """What the agency says of a property. Without price and currency it is on request."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["price"], "properties": {"price": {"type": "number"}}},
            "then": {"required": ["currency"], "properties": {"currency": {"type": "string"}}},
            "else": {"properties": {"currency": {"type": "null"}}},
        }
    )

    name: Name
    address: Address
    price: Amount | None = None
    currency: Currency | None = None
    time_zone: TimeZone
    capacity: Capacity = 1
    visits_allowed: bool = True

    def to_details(self) -> PropertyDetails:
        return PropertyDetails(
            name=self.name,
            address=self.address,
            price=self.price,
            currency=self.currency,
            time_zone=self.time_zone,
            capacity=self.capacity,
            visits_allowed=self.visits_allowed,
        )


class PropertyInput(PropertyFields):
    """The body of PUT /properties/{id}. The whole property can be sent back, edited.

    Read-only fields are taken as long as they say what is so; `visits`, `links` and `visitsBehind`, which tell of more
    than the property, are ignored.
    """

    hints: ClassVar[dict[str, str]] = {
        "id": "must be the one in the address, or be left out",
        **dict.fromkeys(("version", "createdAt", "updatedAt"), _UNCHANGING),
    }

    # None of these can be null, and none is read unless given.
    id: Annotated[str, _READ_ONLY] = ""
    version: Annotated[Version, _READ_ONLY] = 0
    created_at: Annotated[Instant, _READ_ONLY] = _NO_INSTANT
    updated_at: Annotated[Instant, _READ_ONLY] = _NO_INSTANT
    visits: Annotated[list[Any], _READ_ONLY] = []
    links: Annotated[dict[str, Any], _READ_ONLY] = {}
    visits_behind: Annotated[bool, _READ_ONLY] = False


class RegisterPropertyInput(PropertyFields):
    """The body of POST /properties: an id of the caller's own, or none."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("version", "createdAt", "updatedAt", "visits", "links", "visitsBehind"), "is set by the server"
    )

    id: PropertyId | None = None
