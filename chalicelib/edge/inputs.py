"""What callers may send, field by field. Unknown fields are refused by name; nothing is coerced.

These models know the wire only; each turns into a command of the domain.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

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
from chalicelib.edge.instants import parse_instant

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^\s@\x00-\x1f]+@[^\s@\x00-\x1f.]+(\.[^\s@\x00-\x1f.]+)*")
_PHONE = re.compile(r"\+?[0-9()./ x#*,;-]*[0-9][0-9()./ x#*,;-]*")
PROPERTY_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _one_line(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text


def _lines(text: str) -> str:
    if _CONTROL_BUT_LINES.search(text):
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
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'")
    return text


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("must be a currency code of ISO 4217, like EUR")
    return text


@lru_cache(maxsize=512)
def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone of the IANA database, like Europe/Berlin") from None
    return text


def _amount(number: object) -> Decimal:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ValueError("must be a number")
    amount = Decimal(number)
    if not 0 <= amount < 10**12:
        raise ValueError("must be 0 or more, and less than 1,000,000,000,000")
    exponent = amount.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -3:
        raise ValueError("must have 3 decimal places at most")
    return amount


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_line)]
AgentId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_one_line)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_one_line)]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_phone)]
Notes = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_lines)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(_lines)]
PropertyId = Annotated[str, AfterValidator(_property_id)]
Currency = Annotated[str, AfterValidator(_currency)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Duration = Annotated[int, Field(ge=5, le=240)]
Capacity = Annotated[int, Field(ge=1, le=1000)]


class Input(BaseModel):
    hints: ClassVar[dict[str, str]] = {}
    """What to say of a field that is refused though we know it."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, hide_input_in_errors=True, frozen=True
    )


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
    date: Instant
    duration_minutes: Duration = DEFAULT_DURATION_MINUTES
    place: Name | None = None
    status: Literal["requested", "confirmed"] = "confirmed"
    agent_id: AgentId | None = None
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

    external_id: ExternalId | None = None


class IntakeInput(Input):
    """The body of POST /intakes. What is in a row is judged when it is worked off."""

    visits: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_ROWS)]


class ChangeVisitorInput(Input):
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
