"""What every problem document promises (RFC 9457), whatever it is about."""

from __future__ import annotations

from typing import Any

import httpx


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem document of an answer, which is of the given status and kind."""
    assert answer.status_code == status, f"expected {status} {kind}, got {answer.status_code}: {answer.text[:500]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= document.keys()
    assert document["status"] == status
    assert document["type"] == f"urn:visits:problem:{kind}"
    assert document["title"]
    assert document["detail"]
    return document


def pointers(answer: httpx.Response) -> list[str]:
    """What a 422 points to."""
    return [error["pointer"] for error in problem(answer, 422, "invalid-input")["errors"]]
