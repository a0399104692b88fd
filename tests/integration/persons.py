"""Watches over the whole suite that no person's data, once sent in a request, is ever logged or told in a result."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx

_sent: set[str] = set()
_TELLING = re.compile(r"[@\d ]")
"""Names have a space, e-mail addresses an @, telephone numbers digits; a lone word could be anybody's."""


def remember(request: httpx.Request) -> None:
    """A hook for clients: keeps the names, e-mail addresses and telephone numbers that a request carries."""
    # Hostile bodies are no JSON, nested too deep, or not shaped like a visit: nobody is in those.
    with contextlib.suppress(ValueError, RecursionError, httpx.RequestNotRead):
        body = json.loads(request.content)
        if isinstance(body, dict):
            about_a_person = request.url.path.startswith("/agents/")
            _sent.update(_telling([body.get(name) for name in ("email", "phone", *["name"] * about_a_person)]))
        for visit in [body, *_members(body, "visits", list)]:
            _sent.update(_telling(_members(visit, "visitor", dict)))


def _members(value: object, name: str, kind: type[list[Any] | dict[str, Any]]) -> list[Any]:
    """What is in a member of an object, if both are what they should be."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        return []
    return list(found.values()) if isinstance(found, dict) else list(found)


def not_in_results(response: httpx.Response) -> None:
    """A hook for clients: what became of a row is told without a word about the visitor."""
    if response.request.url.path.endswith("/results"):
        response.read()
        assert persons_in(response.text) == set()


def persons_in(text: str) -> set[str]:
    return {value for value in _sent if value in text}


@contextlib.contextmanager
def nobody_is_logged() -> Iterator[None]:
    """Fails when a log line of the block, of whatever logger, has what any request so far carried of a person."""
    lines: list[str] = []
    handler = _Lines(lines)
    # The app's own logger hands nothing on to the root.
    loggers = [logging.getLogger(), logging.getLogger("visits")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    assert persons_in("\n".join(lines)) == set()


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        # What the libraries say at DEBUG, which no stage turns on, has whole requests in it.
        super().__init__(logging.INFO)
        self._lines = lines
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


def _telling(values: list[Any]) -> set[str]:
    return {value for value in values if isinstance(value, str) and len(value) >= 8 and _TELLING.search(value)}
