"""What a list can be asked for in its query. One model for each call: it reads the query, and the contract shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.domain.listing import Order
from chalicelib.domain.visits import Status
from chalicelib.edge import spellings
from chalicelib.edge.inputs import AGENT_ID_SCHEMA, INSTANT_SCHEMA, PROPERTY_ID, PROPERTY_ID_SCHEMA
from chalicelib.edge.instants import instant_text, parse_instant

DEFAULT_LIMIT: Final = 50
HIGHEST_LIMIT: Final = 100
LONGEST_CURSOR: Final = 1000

ExportFormat = Literal["csv", "xlsx", "ics"]
EXPORT_FORMATS: Final[tuple[ExportFormat, ...]] = get_args(ExportFormat)


def _text(given: object, longest: int) -> str:
    """The one value of a parameter, of which the query may carry many."""
    if not isinstance(given, list) or len(given) != 1:
        raise ValueError("is given more than once")
    text = str(given[0])
    if not 1 <= len(text) <= longest:
        raise ValueError(f"must have 1 to {longest} characters")
    return text


def _instant(given: object) -> datetime:
    # A plus sign that nobody percent-encoded arrives as a space; there it can mean nothing else.
    return parse_instant(_text(given, 40).replace(" ", "+"))


def _limit(given: object) -> int:
    text = _text(given, 10)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_LIMIT):
        raise ValueError(f"must be a whole number from 1 to {HIGHEST_LIMIT}")
    return int(text)


def _order(given: object) -> str:
    text = _text(given, 10)
    if text not in ("asc", "desc"):
        raise ValueError("must be asc or desc")
    return text


def _statuses(given: object) -> frozenset[Status]:
    """Repeated or separated by commas, as the caller likes."""
    names = [name for text in given for name in str(text).split(",")] if isinstance(given, list) else []
    if not {str(status) for status in Status}.issuperset(names):
        raise ValueError(f"must be among {', '.join(Status)}, separated by commas")
    return frozenset(Status(name) for name in names)


def _property_id(given: object) -> str:
    text = _text(given, 64)
    if not PROPERTY_ID.fullmatch(text):
        raise ValueError("is no id of a property")
    return text


def _agent_id(given: object) -> str:
    return spellings.agent_id(_text(given, spellings.LONGEST_AGENT_ID))


def _export_format(given: object) -> str:
    text = _text(given, 10)
    if text not in EXPORT_FORMATS:
        raise ValueError(f"must be among {', '.join(EXPORT_FORMATS)}")
    return text


def _token(given: object) -> str:
    return str(given[0]) if isinstance(given, list) and len(given) == 1 else ""


def _cursor(given: object) -> str:
    return _text(given, LONGEST_CURSOR)


def _shown(schema: dict[str, Any], description: str) -> Any:
    return WithJsonSchema({**schema, "description": description})


From = Annotated[
    datetime,
    BeforeValidator(_instant),
    _shown(INSTANT_SCHEMA, "From this instant on. Percent-encode the plus sign of an offset."),
]
To = Annotated[datetime, BeforeValidator(_instant), _shown(INSTANT_SCHEMA, "Up to, but not including, this instant.")]
Limit = Annotated[
    int,
    BeforeValidator(_limit),
    _shown({"type": "integer", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT}, "How many a page."),
]
Cursor = Annotated[
    str,
    BeforeValidator(_cursor),
    _shown(
        {"type": "string", "minLength": 1, "maxLength": LONGEST_CURSOR},
        "The `nextCursor` of the page before, with the same filters; good for a day. Never make one up: 400.",
    ),
]


class Query(BaseModel):
    """A query, every name with all its values. Names that the model does not have are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @classmethod
    def parse(cls, values: Mapping[str, list[str]]) -> Self:
        """Raises InvalidInput for everything that is wrong, unknown parameters among it."""
        try:
            return cls.model_validate({name: values[name] for name in sorted(values) if values[name]})
        except ValidationError as wrong:
            found = wrong.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidInput(
            [
                FieldError(
                    f"?{str(error['loc'][0])[:100]}",
                    "is not a parameter we know here"
                    if error["type"] == "extra_forbidden"
                    else error["msg"].removeprefix("Value error, "),
                )
                for error in found
            ]
        )


class NoQuery(Query):
    """A call without parameters."""


class VisitFilters(Query):
    """Which visits, in which order: the same for the list and for the export."""

    property_id: Annotated[
        str | None, BeforeValidator(_property_id), _shown(PROPERTY_ID_SCHEMA, "Visits of this property only.")
    ] = Field(None, alias="propertyId")
    agent_id: Annotated[
        str | None,
        BeforeValidator(_agent_id),
        _shown(AGENT_ID_SCHEMA, "Visits that this agent conducts only."),
    ] = Field(None, alias="agentId")
    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")
    statuses: Annotated[
        frozenset[Status],
        BeforeValidator(_statuses),
        _shown(
            {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [str(status) for status in Status]}},
            "Visits in one of these statuses only; repeated or separated by commas. A page may then be short, even "
            "empty, though more follow: go on for as long as there is a `nextCursor`.",
        ),
    ] = Field(frozenset(), alias="status")
    order: Annotated[
        Order,
        BeforeValidator(_order),
        _shown({"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "By start, then id."),
    ] = "asc"


class VisitQuery(VisitFilters):
    """GET /visits as it was asked: bounds that were not given stay open until the first page freezes them."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None

    def parameters(self) -> dict[str, str | list[str]]:
        """The filters, as they would be asked for again: what a cursor is bound to and a link carries."""
        return {
            name: value
            for name, value in (
                ("propertyId", self.property_id),
                ("agentId", self.agent_id),
                ("from", instant_text(self.start) if self.start else None),
                ("to", instant_text(self.end) if self.end else None),
                ("status", sorted(map(str, self.statuses)) or None),
                ("order", self.order if self.order == "desc" else None),
            )
            if value is not None
        }


class ExportQuery(VisitFilters):
    """GET /visits/export as it was asked."""

    format: Annotated[
        ExportFormat,
        BeforeValidator(_export_format),
        _shown({"type": "string", "enum": list(EXPORT_FORMATS)}, "The file's format."),
    ]


class FeedQuery(Query):
    """GET /properties/{id}/calendar.ics as it was asked. Whatever is wrong with the token, it is a wrong token.

    Other parameters are ignored, here alone: calendar programs and newsletters add some to every address.
    """

    model_config = ConfigDict(extra="ignore")

    token: Annotated[
        str,
        BeforeValidator(_token),
        _shown({"type": "string"}, "The token that `PUT /properties/{id}/calendar-token` gave."),
    ] = ""


class PageQuery(Query):
    """A list without filters as it was asked for."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class BusyQuery(Query):
    """GET /properties/{id}/busy as it was asked."""

    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")


def no_query(values: Mapping[str, list[str]]) -> None:
    """For calls without parameters: raises InvalidInput for any."""
    NoQuery.parse(values)
