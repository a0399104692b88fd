"""What a caller would rather have: the header Prefer (RFC 7240)."""

from __future__ import annotations

from collections.abc import Mapping

from chalice.app import Request


def preferences(request: Request) -> Mapping[str, str]:
    """Each preference in lower case with its value; of one that comes twice the first counts, as the RFC says."""
    found: dict[str, str] = {}
    for given in request.headers.get("prefer", "").split(","):
        name, _, value = given.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return found


def prefers_async(request: Request) -> bool:
    """Whether the answer need not wait for what is asked: `respond-async`."""
    return "respond-async" in preferences(request)
