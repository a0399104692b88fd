"""What callers may send, field by field. Unknown fields are refused by name; nothing is coerced.

These models know the wire only; each turns into a command of the domain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
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
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType

from chalicelib.domain import spellings
from chalicelib.domain.spellings import LINE, one_line
from chalicelib.http.currencies import CURRENCIES
from chalicelib.http.instants import EXAMPLE, WRITTEN_EXAMPLE, instant_text, parse_instant


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _absent(value: object) -> bool:
    return value is None


IfAny = Field(default=None, exclude_if=_absent)
"""For what is left out of the answer when there is none."""


INSTANT_OUT_SCHEMA: dict[str, Any] = {
    "type": "string",
    "format": "date-time",
    "examples": [WRITTEN_EXAMPLE],
}
InstantOut = Annotated[datetime, PlainSerializer(instant_text, return_type=str), WithJsonSchema(INSTANT_OUT_SCHEMA)]


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


_LINES = re.compile(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*")
_ID = "A-Za-z0-9_~-"
PROPERTY_ID = re.compile(rf"[{_ID}][.{_ID}]{{0,63}}|\.[{_ID}][.{_ID}]{{0,62}}|\.\.[.{_ID}]{{1,62}}")
PROPERTY_ID_RULE = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'"
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
        raise ValueError("must be an ISO 4217 currency code, like EUR")
    return text


@cache
def _time_zones() -> frozenset[str]:
    """The zones of the database that we carry: what a host happens to have beside them is not to be had elsewhere."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()) - {"Factory"}


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("must be an IANA time zone, like Europe/Berlin")
    return text


def _amount(number: object) -> Decimal:
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ValueError("must be a number")
    amount = Decimal(number)
    if not 0 <= amount < 10**12:
        raise ValueError("must be 0 or more, and less than 1,000,000,000,000")
    exact = abs(amount.quantize(_SMALLEST))  # abs: JSON has a zero below zero
    if exact != amount:
        raise ValueError("must have at most 3 decimal places")
    return exact


def whole(number: object) -> object:
    """30.0 is an integer too, to JSON Schema and to callers whose language has one kind of number."""
    # Compared, not computed with: abs() of a number beyond the decimal context is an exception.
    if isinstance(number, Decimal) and -(10**6) < number < 10**6 and number == number.to_integral_value():
        return int(number)
    return number


def _shown(format: str, pattern: str) -> dict[str, Any]:
    """What the published schemas say of a check that is a function here; a pattern that ECMA-262 reads as well."""
    return {"format": format, "pattern": f"^(?:{pattern})$"}


_ONE_LINE = _shown("one-line", LINE.pattern)
_SHOWN_ONE_LINE = Field(json_schema_extra=_ONE_LINE)
_SHOWN_LINES = Field(json_schema_extra=_shown("lines", _LINES.pattern))
_SHOWN_EMAIL = Field(json_schema_extra=_shown("e-mail", spellings.EMAIL.pattern))
_SHOWN_PHONE = Field(json_schema_extra=_shown("telephone", spellings.PHONE.pattern))

INSTANT_SCHEMA: dict[str, Any] = {"type": "string", "format": "date-time", "examples": [EXAMPLE]}
"""Without a pattern: generated clients hold it against an object that is no text any more, and throw."""
PROPERTY_ID_SCHEMA: dict[str, Any] = {"type": "string", "maxLength": 64, "pattern": f"^(?:{PROPERTY_ID.pattern})$"}

Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema(INSTANT_SCHEMA)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(one_line), _SHOWN_ONE_LINE]
Address = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(one_line), _SHOWN_ONE_LINE]
AGENT_ID_SCHEMA: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": spellings.LONGEST_AGENT_ID,
    **_ONE_LINE,
}
AgentId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=spellings.LONGEST_AGENT_ID),
    AfterValidator(spellings.agent_id),
    WithJsonSchema(AGENT_ID_SCHEMA),
]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(one_line), _SHOWN_ONE_LINE]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(spellings.email), _SHOWN_EMAIL]
Phone = Annotated[str, StringConstraints(max_length=64), AfterValidator(spellings.phone), _SHOWN_PHONE]
Language = Literal["en", "es", "de", "fr"]
"""Those that there are templates in (`chalicelib/notices`)."""
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
    WithJsonSchema({"type": "string", "maxLength": 64, "format": "iana-time-zone", "examples": ["Europe/Berlin"]}),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMaximum": 10**12, "multipleOf": 0.001}),
]
INT32 = Field(json_schema_extra={"format": "int32"})
Duration = Annotated[int, Field(ge=5, le=240), BeforeValidator(whole), INT32]
Capacity = Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole), INT32]
Version = Annotated[int, BeforeValidator(whole), INT32]


def never(case: dict[str, Any]) -> dict[str, Any]:
    """A rule between fields for the published schema: what fits the case is refused.

    Said with if, which generators of clients pass over; of not and anyOf they make types.
    """
    return {"if": case, "then": {"not": {}}}


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
