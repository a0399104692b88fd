"""What a list can be asked for in its query. One model for each call: it reads the query, and the contract shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from chalicelib.domain import spellings
from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.http.fields import INSTANT_SCHEMA
from chalicelib.http.instants import parse_instant

DEFAULT_LIMIT: Final = 50
HIGHEST_LIMIT: Final = 100
LONGEST_CURSOR: Final = 1000


def short_text(given: object, longest: int) -> str:
    """The one value of a parameter, of which the query may carry many."""
    if not isinstance(given, list) or len(given) != 1:
        raise ValueError("must be given only once")
    text = str(given[0])
    if not 1 <= len(text) <= longest:
        raise ValueError(f"must have 1 to {longest} characters")
    return text


def only_text(given: object) -> str:
    """The one value of a parameter that is a secret: none where there are several, since none of them is it."""
    return str(given[0]) if isinstance(given, list) and len(given) == 1 else ""


def _instant(given: object) -> datetime:
    # A plus sign that nobody percent-encoded arrives as a space; before an offset it can mean nothing else.
    return parse_instant(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", short_text(given, 40)))


def _limit(given: object) -> int:
    text = short_text(given, 10)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_LIMIT):
        raise ValueError(f"must be a whole number from 1 to {HIGHEST_LIMIT}")
    return int(text)


def _cursor(given: object) -> str:
    return short_text(given, LONGEST_CURSOR)


def agent_given(given: object) -> str:
    return spellings.agent_id(short_text(given, spellings.LONGEST_AGENT_ID))


def documented(schema: dict[str, Any], description: str) -> Any:
    return WithJsonSchema({**schema, "description": description})


From = Annotated[
    datetime,
    BeforeValidator(_instant),
    documented(INSTANT_SCHEMA, "Starting at this instant. Percent-encode the plus sign of an offset."),
]
To = Annotated[
    datetime, BeforeValidator(_instant), documented(INSTANT_SCHEMA, "Up to, but not including, this instant.")
]
Limit = Annotated[
    int,
    BeforeValidator(_limit),
    documented(
        {"type": "integer", "format": "int32", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT},
        "Page size.",
    ),
]
CursorText = Annotated[
    str,
    BeforeValidator(_cursor),
    documented(
        {"type": "string", "minLength": 1, "maxLength": LONGEST_CURSOR},
        "The `nextCursor` of the previous page, with the same filters; valid for a day. Opaque.",
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
                    "is not a known parameter"
                    if error["type"] == "extra_forbidden"
                    else error["msg"].removeprefix("Value error, "),
                )
                for error in found
            ]
        )


class NoQuery(Query):
    """A call without parameters."""


class PageQuery(Query):
    """A list without filters as it was asked for."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText | None = None


def no_query(values: Mapping[str, list[str]]) -> None:
    """For calls without parameters: raises InvalidInput for any."""
    NoQuery.parse(values)
