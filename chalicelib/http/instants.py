"""Instants on the wire: RFC 3339 with an offset in, UTC with Z out, kept to the second."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EXAMPLE = "2027-03-14T10:30:00+01:00"

WRITTEN_EXAMPLE = "2027-03-14T09:30:00Z"

_RFC3339 = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?"
    r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
)
"""Also as others write it: without the colon, as ISO 8601 can; with a space for the T and before the offset (Ruby)."""


def parse_instant(text: object) -> datetime:
    """The instant in UTC, to the second. Raises ValueError that says what is missing, with an example.

    A fraction is dropped, never rounded: clocks of many languages give one, and no visit begins a moment early.
    """
    if isinstance(text, datetime):
        return text
    matched = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise ValueError(f"must be an RFC 3339 date and time with an offset, like {EXAMPLE}")
    if matched["offset"] is None:
        raise ValueError(f"needs an offset from UTC, or Z: {EXAMPLE}")
    try:
        return datetime.fromisoformat(f"{matched['local']}{matched['offset']}".upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"does not exist; expected a date and time like {EXAMPLE}") from None


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
