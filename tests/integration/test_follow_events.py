"""The consumer that is there to be copied: it starts, follows and catches up, and survives what happens on the way."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from examples.follow_events import Get, api, catch_up
from tests.builders import property_id
from tests.integration.api import Api, serve
from tests.integration.conftest import FreshTable, fresh_table
from tests.integration.intake import mailbox
from tests.integration.relaying import poller_of
from tools.project import ROOT

DATE = "2027-03-01T{:02}:00:00Z"
SHOWN = "SELECT id, start, status, version FROM visit ORDER BY start"


class Site:
    """The API, its relay, and a copy of the visits."""

    def __init__(self, api_: Api, table: FreshTable, file: Path) -> None:
        self.api, self.file = api_, file
        self._poller = poller_of(table)
        self.url = str(api_.http.base_url)
        self.key = api_.http.headers["authorization"].removeprefix("Bearer ")

    def relayed(self) -> None:
        while self._poller.work_once():
            pass

    def caught_up(self, get: Get | None = None) -> int:
        self.relayed()
        with closing(sqlite3.connect(self.file)) as copy:
            return catch_up(get or api(self.url, self.key), copy)

    def copied(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as copy:
            return copy.execute(SHOWN).fetchall()

    def listed(self) -> list[tuple[Any, ...]]:
        page = self.api.get("/visits", from_="2027-03-01T00:00:00Z", to="2027-03-02T00:00:00Z").json()
        assert page["nextCursor"] is None
        return [(v["id"], v["date"], v["status"], v["version"]) for v in page["items"]]


@pytest.fixture
def site(aws: str, account: str, tmp_path: Path) -> Iterator[Site]:
    table = fresh_table(aws, account, property_id())
    with mailbox(table) as box, serve(box.table) as running:
        yield Site(running, table, tmp_path / "visits.db")


def test_a_copy_starts_follows_and_catches_up(site: Site) -> None:
    house = site.api.property(property_id())
    one, two = (site.api.visit(house, DATE.format(hour)) for hour in (8, 9))
    site.caught_up()
    assert site.copied() == site.listed()

    site.api.visit(house, DATE.format(10))
    site.api.patch(f"/visits/{one['id']}", {"date": DATE.format(12)})
    site.caught_up()
    assert site.copied() == site.listed()
    assert len(site.copied()) == 3

    for _ in range(3):  # while nobody looks
        site.api.put(f"/visits/{two['id']}/status", {"status": "cancelled"})
        site.api.patch(f"/visits/{one['id']}", {"notes": "x"})
        site.api.patch(f"/visits/{one['id']}", {"notes": None})
    assert site.caught_up() > 3
    assert site.caught_up() == 0
    assert site.copied() == site.listed()


def test_what_happens_while_it_starts_is_not_missed(site: Site) -> None:
    house = site.api.property(property_id())
    visit = site.api.visit(house, DATE.format(8))
    site.relayed()
    real = api(site.url, site.key)

    def get(path: str, **query: str) -> dict[str, Any]:
        page = real(path, **query)
        if path == "/visits":  # after it was read
            site.api.put(f"/visits/{visit['id']}/status", {"status": "cancelled"})
            site.api.visit(house, DATE.format(9))
            site.relayed()
        return page

    site.caught_up(get)
    assert site.copied() == site.listed()
    assert [row[2] for row in site.copied()] == ["cancelled", "confirmed"]


def test_what_is_stopped_in_the_middle_of_a_page_goes_on_without_loss(site: Site) -> None:
    house = site.api.property(property_id())
    site.caught_up()
    for hour in range(8, 12):
        site.api.visit(house, DATE.format(hour))
    site.relayed()
    real = api(site.url, site.key)

    def get(path: str, **query: str) -> dict[str, Any]:
        page = real(path, **query)
        del page["items"][2]["data"]["date"]  # the third of the page fails
        return page

    with pytest.raises(KeyError):
        site.caught_up(get)
    assert site.copied() == []
    site.caught_up()
    assert site.copied() == site.listed()
    assert len(site.copied()) == 4


def test_a_cursor_that_is_too_old_starts_again(site: Site) -> None:
    house = site.api.property(property_id())
    site.api.visit(house, DATE.format(8))
    site.caught_up()
    with closing(sqlite3.connect(site.file)) as copy, copy:
        copy.execute("UPDATE feed SET cursor = 'MDAwMDAwMDAwMDAwMDAwLjAwMA=='")  # before the first page
        copy.execute("INSERT INTO visit (id) VALUES ('gone')")
    site.caught_up()
    assert site.copied() == site.listed()


def test_the_program_follows_until_it_is_stopped(site: Site) -> None:
    house = site.api.property(property_id())
    environment = os.environ | {"VISITS_KEY": site.key}
    command = [sys.executable, str(ROOT / "examples" / "follow_events.py"), site.url, str(site.file)]
    site.api.visit(house, DATE.format(8))
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            deadline = time.monotonic() + 60
            while not site.file.exists() or not _has_started(site.file):
                assert time.monotonic() < deadline, "it does not start"
                time.sleep(0.05)
            site.api.visit(house, DATE.format(9))
            site.relayed()
            assert program.stdout is not None
            assert "events" in program.stdout.readline()
        finally:
            program.terminate()
    assert site.copied() == site.listed()


def _has_started(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as copy:
        try:
            return copy.execute("SELECT cursor FROM feed").fetchone() is not None
        except sqlite3.OperationalError:
            return False
