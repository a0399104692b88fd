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
from chalicelib.edge.currencies import CURRENCIES
from chalicelib.edge.instants import EXAMPLE, SHOWN_PATTERN, parse_instant

# Checked here and shown in the published schemas alike: spelled out, so that Python and ECMA-262 read the same in them.
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_SPACES = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINE = re.compile(rf"[^{_CONTROLS}]*[^{_CONTROLS}{_SPACES}][^{_CONTROLS}]*")
_LINES = re.compile(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*")
_LABEL = rf"[^{_CONTROLS}{_SPACES}@.]+"
_EMAIL = re.compile(rf"[^{_CONTROLS}{_SPACES}@]+@{_LABEL}(\.{_LABEL})*")
_PHONE = re.compile(r"\+?[0-9()./ x#*,;-]*[0-9][0-9()./ x#*,;-]*")
_ID = "A-Za-z0-9_~-"
PROPERTY_ID = re.compile(rf"[{_ID}][.{_ID}]{{0,63}}|\.[{_ID}][.{_ID}]{{0,62}}|\.\.[.{_ID}]{{1,62}}")
PROPERTY_ID_RULE = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SMALLEST = Decimal("0.001")


def _one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    if not _LINE.fullmatch(text):
        raise ValueError("must be one line without control characters")
    return text


def _lines(text: str) -> str:
    if not _LINES.fullmatch(text):
        raise ValueError("must not contain control characters")
    return text


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address, like name@example.com")
    return text


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise ValueError("must be a telephone number, like +49 30 901820")
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


_SHOWN_ONE_LINE = _shown(_LINE.pattern)
_SHOWN_LINES = _shown(_LINES.pattern)

INSTANT_SCHEMA: dict[str, Any] = {
    "type": "string",
    "format": "date-time",
    "pattern": SHOWN_PATTERN,
    "examples": [EXAMPLE],
}
PROPERTY_ID_SCHEMA: dict[str, Any] = {"type": "string", "pattern": f"^(?:{PROPERTY_ID.pattern})$"}

Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema(INSTANT_SCHEMA)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line), _SHOWN_ONE_LINE]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_line), _SHOWN_ONE_LINE]
AgentId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_one_line), _SHOWN_ONE_LINE]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_one_line), _SHOWN_ONE_LINE]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email), _shown(_EMAIL.pattern)]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_phone), _shown(_PHONE.pattern)]
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


class VisitorInput(Input):
    name: Name
    email: Email | None = None
    phone: Phone | None = None

    def to_visitor(self) -> Visitor:
        return Visitor(self.name, self.email, self.phone)


class BookVisitInput(Input):
    """The body of POST /visits. `{propertyId, date, place}` alone is enough."""

    hints: ClassVar[dict[str, str]] = dict.fromkeys(
        ("id", "timeZone", "cancellation", "version", "createdAt", "updatedAt"), "is ours to give"
    )

    property_id: PropertyId
    date: Annotated[Instant, Field(description="The start, within five years before or after now.")]
    duration_minutes: Duration = DEFAULT_DURATION_MINUTES
    place: Annotated[Name | None, Field(description="Where to meet; the property's address unless given.")] = None
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

    name: Name = ""  # cannot be null; not read unless given
    email: Email | None = None
    phone: Phone | None = None

    def to_change(self) -> ChangeVisitor:
        given = self.model_fields_set
        return ChangeVisitor(
            name=self.name if "name" in given else UNCHANGED,
            email=self.email if "email" in given else UNCHANGED,
            phone=self.phone if "phone" in given else UNCHANGED,
        )


class ChangeVisitInput(Input):
    """The body of PATCH /visits/{id}: a merge patch (RFC 7396). null takes away, or sets the default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    hints: ClassVar[dict[str, str]] = {
        "status": "cannot be patched: use PUT /visits/{id}/status",
        "propertyId": "cannot change: cancel this visit and book another",
        **dict.fromkeys(("id", "timeZone", "cancellation", "version", "createdAt", "updatedAt"), "is read-only"),
    }

    date: Instant = datetime.min.replace(tzinfo=UTC)  # cannot be null; not read unless given
    duration_minutes: Duration | None = None
    place: Name | None = None
    agent_id: AgentId | None = None
    visitor: ChangeVisitorInput | None = None
    notes: Notes | None = None

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


class PropertyInput(Input):
    """The body of PUT /properties/{id}."""

    hints: ClassVar[dict[str, str]] = {
        "id": "belongs in the address, not in the body",
        **dict.fromkeys(("version", "createdAt", "updatedAt", "visits", "links"), "is read-only"),
    }

    name: Name
    address: Address
    price: Amount
    currency: Currency
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


class RegisterPropertyInput(PropertyInput):
    """The body of POST /properties: an id of the caller's own, or none."""

    hints: ClassVar[dict[str, str]] = {name: hint for name, hint in PropertyInput.hints.items() if name != "id"}

    id: PropertyId | None = None
