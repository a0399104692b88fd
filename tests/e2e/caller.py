"""Who calls the deployed API from outside: knows an address, maybe a key, and nothing else of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tools.client import Patient

PATIENCE_SECONDS: Final = 60
TRIES: Final = 4
"""How often one who is told to come back later asks in all."""

DAY: Final = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
"""Within what a calendar shows, whenever this runs."""
HOUSE: Final = {"name": "House", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}


@dataclass(frozen=True)
class Stage:
    """Where the API's paths begin, and a key for it with the scopes read and write, or none."""

    url: str
    key: str = field(repr=False)

    def client(self, key: str | None) -> httpx.Client:
        """Somebody with a key, or with none."""
        return Patient(self.url, key, agent="visits-e2e", tries=TRIES, timeout=PATIENCE_SECONDS)


class Caller:
    """Somebody at an address, with the key that the client sends."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def call(self, status: int, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Calls a path of the API, or a whole address; gives the document, if the answer is one."""
        answer = self.answer(status, method, path, body, **more)
        return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else None

    def answer(self, status: int, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        answer = self.send(method, path, body, **more)
        assert answer.status_code == status, f"expected {status} for {refused(answer)}"
        return answer

    def send(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """Like `answer`, for who must look at the status first."""
        given: dict[str, Any] = {} if body is None else {"json": body}
        try:
            return self.http.request(method, path, **given, **more)
        except httpx.TransportError as fault:
            # In a line: whose code in between it passed through helps nobody.
            why = f"no answer to {method} {self.http.base_url.join(path).path}: {type(fault).__name__} {fault}"
            raise AssertionError(why) from None

    def at(self, link: str) -> str:
        """The whole address of a link that the API gave, which begins with the gateway's stage."""
        return str(self.http.base_url.join(link))

    def house(self) -> str:
        """A property that nobody else knows."""
        registered = self.call(201, "POST", "/properties", HOUSE | {"id": f"house-{secrets.token_hex(4)}"})
        return str(registered["id"])


def refused(answer: httpx.Response) -> str:
    """What came instead, and nothing of an answer that may be about people."""
    kind = answer.headers.get("Content-Type", "without a content type")
    said = answer.text[:500] if kind == "application/problem+json" else kind
    return f"{answer.request.method} {answer.url.path}, got {answer.status_code}: {said}"


def until(done: Callable[[], bool], what: str, failed: Callable[[], bool] = lambda: False) -> None:
    """Waits until something is done, or until it is known to have failed."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert not failed(), f"it failed: {what}"
        assert time.monotonic() < deadline, f"it does not come to an end: {what}"
        time.sleep(0.1)
