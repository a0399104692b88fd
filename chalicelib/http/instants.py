"""Instants on the wire: RFC 3339 with an offset in, UTC with Z out, whole seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EXAMPLE = "2027-03-14T10:30:00+01:00"

SHOWN_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.0+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
"""How the published schemas show an instant; that the day exists they cannot say."""

WRITTEN = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
WRITTEN_EXAMPLE = "2027-03-14T09:30:00Z"
"""How we write one, as a pattern and for example."""

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?P<fraction>\.[0-9]+)?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_instant(text: object) -> datetime:
    """The instant in UTC. Raises ValueError that says what is missing, with an example."""
    if isinstance(text, datetime):
        return text
    matched = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise ValueError(f"must be an RFC 3339 date and time with an offset, like {EXAMPLE}")
    if matched["offset"] is None:
        raise ValueError(f"needs an offset from UTC, or Z: {EXAMPLE}")
    fraction = matched["fraction"] or ""
    if fraction.strip(".0"):
        raise ValueError(f"must be in whole seconds, like {EXAMPLE}")
    try:
        return datetime.fromisoformat(matched.group().upper().replace(fraction, "")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"does not exist; expected a date and time like {EXAMPLE}") from None


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
