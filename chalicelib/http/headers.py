"""Headers of every answer, whatever it says: the one place that knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalice.app import Response

SECURITY: Final[Mapping[str, str]] = {
    # Nobody but the caller keeps an answer. An entity tag still saves the body: the caller compares, not a cache.
    "Cache-Control": "no-store",
    # An answer is no page. Opened as one it loads nothing, and no page can show it in a frame.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

PREFERENCE_APPLIED: Final = "Preference-Applied"
"""Says which preference was honoured (RFC 7240)."""

REPLAYED: Final = "Idempotency-Replayed"
"""Says that the answer is that of an earlier request under the same Idempotency-Key."""


def secured(response: Response) -> Response:
    """The response with the headers that every answer has; what it says itself stands."""
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    return response


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

BINARY_TYPES: Final = (XLSX,)
"""What travels in base64 through the gateway; every other answer of ours is text."""
