"""Keeps a copy of the agency's coming visits in SQLite, by the feed of events. Copy it: it needs Python alone.

    VISITS_KEY=<api key> python examples/follow_events.py https://... visits.db

It starts at the end of the feed with what `GET /visits` has, follows the feed from there, and catches up after a pause.
What it has seen and where it is in the feed are written in one transaction, so it can be stopped at any moment. An
event that it sees twice, or that the list was ahead of, has a version that it knows.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

PAUSE_SECONDS = 5
AHEAD = timedelta(days=366)

TABLES = """
CREATE TABLE IF NOT EXISTS visit
    (id TEXT PRIMARY KEY, property TEXT, agent TEXT, start TEXT, minutes INTEGER, status TEXT, version INTEGER);
CREATE TABLE IF NOT EXISTS feed (only INTEGER PRIMARY KEY CHECK (only = 1), cursor TEXT);
"""

Get = Callable[..., dict[str, Any]]
"""A path and the members of its query to the answer."""


class StartAgain(Exception):
    """The feed does not go back to the cursor: it is older than 30 days."""


def api(url: str, key: str) -> Get:
    def get(path: str, **query: str) -> dict[str, Any]:
        address = f"{url.rstrip('/')}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                document: dict[str, Any] = json.load(answer)
                return document
        except urllib.error.HTTPError as refused:
            with refused:
                if refused.code == 410:
                    raise StartAgain from None
                raise

    return get


def catch_up(get: Get, copy: sqlite3.Connection) -> int:
    """Brings the copy to where the feed is now; gives the number of events that took."""
    copy.executescript(TABLES)
    told = 0
    while True:
        try:
            page = get("/events", after=_cursor(copy) or _started(get, copy))
        except StartAgain:
            page = get("/events", after=_started(get, copy))
        with copy:  # one transaction: either all of it happened, or nothing
            for event in page["items"]:
                if event["type"].startswith("visit."):  # others, and types that are new, are not for us
                    _keep(copy, event["data"]["visitId"], event["data"])
            _remember(copy, page["nextCursor"])
        told += len(page["items"])
        if not page["items"]:
            return told


def _started(get: Get, copy: sqlite3.Connection) -> str:
    """First the end of the feed, then the list: what happens in between comes by the feed too."""
    end: str = get("/events", after="now")["nextCursor"]
    with copy:
        copy.execute("DELETE FROM visit")
        for visit in _visits(get):
            _keep(copy, visit["id"], visit)
        _remember(copy, end)
    return end


def _visits(get: Get) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    window = {"from": f"{now:%Y-%m-%dT%H:%M:%SZ}", "to": f"{now + AHEAD:%Y-%m-%dT%H:%M:%SZ}", "limit": "100"}
    page = get("/visits", **window)
    yield from page["items"]
    while page["nextCursor"]:
        page = get("/visits", **window, cursor=page["nextCursor"])
        yield from page["items"]


def _keep(copy: sqlite3.Connection, id: str, visit: dict[str, Any]) -> None:
    copy.execute(
        "INSERT INTO visit VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET property = excluded.property,"
        " agent = excluded.agent, start = excluded.start, minutes = excluded.minutes, status = excluded.status,"
        " version = excluded.version WHERE excluded.version > visit.version",
        [
            id,
            visit["propertyId"],
            visit.get("agentId"),
            visit["date"],
            visit["durationMinutes"],
            visit["status"],
            visit["version"],
        ],
    )


def _cursor(copy: sqlite3.Connection) -> str | None:
    found = copy.execute("SELECT cursor FROM feed").fetchone()
    return str(found[0]) if found else None


def _remember(copy: sqlite3.Connection, cursor: str) -> None:
    copy.execute("INSERT OR REPLACE INTO feed VALUES (1, ?)", [cursor])


def main() -> None:
    url, file = sys.argv[1:]
    get = api(url, os.environ["VISITS_KEY"])
    with sqlite3.connect(file) as copy:
        while True:
            try:
                if told := catch_up(get, copy):
                    print(f"{told} events", flush=True)
            except urllib.error.HTTPError as refused:
                if refused.code not in (429, 503):
                    sys.exit(f"{url} answered {refused.code}")
            except OSError as fault:
                print(f"{url} does not answer ({fault}); trying again", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
