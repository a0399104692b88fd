"""Paging: a list read page by page shows every visit that stays where it is exactly once, whatever else happens."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.container import new_id
from chalicelib.domain.visits import Status, Visit
from chalicelib.http.instants import instant_text
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import months_between, visit_item
from tests.builders import Clock
from tests.integration.api import Api, serve

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

NOW = datetime(2027, 3, 10, 8, 0, tzinfo=UTC)
VISITS = 600
INSERTED = 200
DAYS = 120


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def api(table: FreshTable, clock: Clock) -> Iterator[Api]:
    with serve(table, clock=clock) as api:
        yield api


class Crowd:
    """Visits of one property and one agent, put straight into the table: lists do not look at slots."""

    def __init__(self, table: FreshTable) -> None:
        self.property_id, self.agent_id = f"p-{new_id()}", f"a-{new_id()}"
        self._table = table
        self.visits: dict[str, Visit] = {}

    def add(self, dates: list[datetime], status: Status = Status.CONFIRMED) -> None:
        visits = [self._visit(date, status) for date in dates]
        self.visits |= {visit.id: visit for visit in visits}

        def put(batch: list[Visit]) -> None:
            requests: Any = [{"PutRequest": {"Item": serialized(visit_item(visit))}} for visit in batch]
            answer = self._table.client.batch_write_item(RequestItems={self._table.name: requests})
            assert not answer["UnprocessedItems"]

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(put, (visits[n : n + 25] for n in range(0, len(visits), 25))))

    def _visit(self, date: datetime, status: Status) -> Visit:
        return Visit(
            id=new_id(),
            property_id=self.property_id,
            date=date,
            duration_minutes=30,
            time_zone="Europe/Berlin",
            place="Lane 1",
            status=status,
            agent_id=self.agent_id,
            visitor=None,
            notes=None,
            cancellation=None,
            version=1,
            created_at=NOW,
            updated_at=NOW,
        )


def pages(api: Api, **query: Any) -> Iterator[dict[str, Any]]:
    """Page after page, by the cursor of the one before."""
    cursor: str | None = None
    while True:
        answer = api.get("/visits", cursor=cursor, **query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        yield page
        if page["nextCursor"] is None:
            return
        assert page["nextCursor"] != cursor, "the list stands still"
        cursor = page["nextCursor"]


def random_dates(chance: random.Random, begin: datetime, count: int) -> list[datetime]:
    """So few different ones that many visits start at the same instant."""
    return [begin + timedelta(hours=3 * chance.randrange(DAYS * 8)) for _ in range(count)]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(("by", "limit"), [("property", 60), ("agent", 54), ("agency", 36), ("status", 60)])
def test_visits_that_stay_are_listed_once_and_in_order_while_others_come_go_and_move(
    table: FreshTable, api: Api, by: str, limit: int, order: str
) -> None:
    chance = random.Random(f"{by} {limit} {order}")
    # The agency-wide lists have months of their own, so that the agency is one crowd.
    season = {"asc": 1, "desc": 2}[order] if by == "agency" else 0
    begin = datetime(2027, 6, 1, tzinfo=UTC) + season * timedelta(days=180)
    crowd = Crowd(table)
    api.property(crowd.property_id, capacity=1000)
    crowd.add(random_dates(chance, begin, VISITS))
    if by == "status":
        crowd.add(random_dates(chance, begin, VISITS // 2), Status.DECLINED)
    query: dict[str, Any] = {
        "property": {"propertyId": crowd.property_id},
        "agent": {"agentId": crowd.agent_id},
        "agency": {},
        "status": {"agentId": crowd.agent_id, "status": "confirmed,cancelled"},
    }[by]
    window = {"from_": instant_text(begin), "to": instant_text(begin + timedelta(days=DAYS))}
    confirmed = sorted(id for id, visit in crowd.visits.items() if visit.status is Status.CONFIRMED)
    chosen = chance.sample(confirmed, 40)
    moving, cancelled = chosen[:20], chosen[20:]
    stay = set(confirmed) - set(moving)
    inserted = 0
    seen: list[dict[str, Any]] = []
    for page in pages(api, limit=limit, order=order, **query, **window):
        assert len(page["items"]) <= limit
        seen += page["items"]
        # Meanwhile visits are booked before and behind where the list stands, moved past it, and cancelled.
        if inserted < INSERTED:
            crowd.add(random_dates(chance, begin, 25))
            inserted += 25
        for id in [moving.pop() for _ in range(2) if moving]:
            (date,) = random_dates(chance, begin, 1)
            assert api.patch(f"/visits/{id}", {"date": instant_text(date)}).status_code == 200
        for id in [cancelled.pop() for _ in range(2) if cancelled]:
            assert api.put(f"/visits/{id}/status", {"status": "cancelled"}).status_code == 200
    assert (inserted, moving, cancelled) == (INSERTED, [], [])
    expected = sorted(stay, key=lambda id: (crowd.visits[id].date, id), reverse=order == "desc")
    assert [visit["id"] for visit in seen if visit["id"] in stay] == expected
    # Those that came or moved meanwhile may be missing, yet what is shown is in order: none at the same place twice.
    shown = [(visit["date"], visit["id"]) for visit in seen]
    assert shown == sorted(set(shown), reverse=order == "desc")
    assert {visit["id"] for visit in seen} <= crowd.visits.keys()


def test_the_few_that_match_are_found_among_hundreds_that_do_not_and_over_empty_months(
    table: FreshTable, api: Api
) -> None:
    # A year of its own, so that the agency is one crowd.
    begin = datetime(2030, 2, 1, tzinfo=UTC)
    crowd = Crowd(table)
    # More than a page may read in the first month, hundreds in the tenth; matches before, among and after them.
    crowd.add([begin + timedelta(days=2, minutes=11 * n) for n in range(1200)], Status.DECLINED)
    crowd.add([begin + timedelta(days=280, minutes=13 * n) for n in range(300)], Status.DECLINED)
    matching = [begin + timedelta(days=days, hours=1) for days in (0, 5, 200, 281, 340)]
    crowd.add(matching)
    window = {"from_": instant_text(begin), "to": instant_text(begin + timedelta(days=365))}
    for query, order in itertools.product(({"propertyId": crowd.property_id}, {}), ("asc", "desc")):
        read = list(pages(api, limit=5, order=order, status="confirmed", **query, **window))
        found = [visit["date"] for page in read for visit in page["items"]]
        assert found == sorted(map(instant_text, matching), reverse=order == "desc")
        assert len(read[0]["items"]) < 5, "the first page found everything: this test tests nothing"
        assert len(read) <= 4, "a page gives up long before its budget is spent"


def test_a_status_filter_leaves_no_page_without_progress_when_nothing_matches(table: FreshTable, api: Api) -> None:
    crowd = Crowd(table)
    begin = datetime(2028, 6, 1, tzinfo=UTC)
    crowd.add([begin + timedelta(minutes=n) for n in range(1200)], Status.CANCELLED)
    window = {"from_": instant_text(begin), "to": instant_text(begin + timedelta(days=9))}
    for limit in (1, 100):
        read = list(pages(api, limit=limit, status="no_show", propertyId=crowd.property_id, **window))
        assert all(page["items"] == [] for page in read)
        assert 2 <= len(read) <= 3


@pytest.fixture
def crowd(table: FreshTable) -> Crowd:
    """Five visits in the next days."""
    crowd = Crowd(table)
    crowd.add([NOW + timedelta(days=n) for n in range(5)])
    return crowd


def refused(api: Api, path: str, cursor: str, **query: Any) -> bool:
    answer = api.get(path, cursor=cursor, **query)
    return answer.status_code == 400 and answer.json()["type"] == "urn:visits:problem:invalid-cursor"


def test_a_cursor_with_any_character_changed_left_out_or_added_is_refused(api: Api, crowd: Crowd) -> None:
    query = {"propertyId": crowd.property_id, "limit": 2}
    cursor = api.get("/visits", **query).json()["nextCursor"]
    assert not refused(api, "/visits", cursor, **query)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at, letter in enumerate(cursor):
        # Its neighbour in the alphabet differs in the last bit, which padding may leave unused.
        other = letters[letters.index(letter) ^ 1] if letter in letters else "A"
        assert refused(api, "/visits", cursor[:at] + other + cursor[at + 1 :], **query), f"changed at {at}"
        assert refused(api, "/visits", cursor[:at] + cursor[at + 1 :], **query), f"left out at {at}"
    message, key, signature = cursor.split(".")
    for made_up in (
        f"{cursor}A",
        f"{cursor}=",
        f"{cursor}.",
        f" {cursor}",
        f"{message}.{key}",
        f"{message}.{key}.",
        f"{message}..{signature}",
        f"{signature}.{key}.{message}",
        "null",
        "..",
        "\u0000",
        "\U0001f3e0",
    ):
        assert refused(api, "/visits", made_up, **query), made_up


def test_a_cursor_is_good_for_the_list_it_came_from_alone(api: Api, crowd: Crowd) -> None:
    query = {"propertyId": crowd.property_id, "status": "confirmed", "from_": instant_text(NOW)}
    cursor = api.get("/visits", limit=2, **query).json()["nextCursor"]
    # The limit is no filter: one may go on in larger steps.
    assert len(api.get("/visits", limit=3, cursor=cursor, **query).json()["items"]) == 3
    for other in (
        {"propertyId": "another"},
        {"propertyId": None},
        {"agentId": crowd.agent_id},
        {"status": "confirmed,cancelled"},
        {"status": None},
        {"order": "desc"},
        {"from_": instant_text(NOW + timedelta(seconds=1))},
        {"from_": None},
        {"to": instant_text(NOW + timedelta(days=9))},
    ):
        assert refused(api, "/visits", cursor, **(query | other)), other
    assert refused(api, "/properties", cursor)


def test_a_cursor_of_the_properties_is_none_of_the_visits(api: Api) -> None:
    for _ in range(2):
        api.property(f"p-{new_id()}")
    cursor = api.get("/properties", limit=1).json()["nextCursor"]
    assert not refused(api, "/properties", cursor, limit=1)
    assert refused(api, "/visits", cursor)


def test_a_cursor_expires_after_a_day(api: Api, clock: Clock, crowd: Crowd) -> None:
    query = {"propertyId": crowd.property_id, "limit": 2}
    cursor = api.get("/visits", **query).json()["nextCursor"]
    clock.now = NOW + timedelta(hours=24, seconds=-1)
    assert not refused(api, "/visits", cursor, **query)
    clock.now = NOW + timedelta(hours=24)
    assert refused(api, "/visits", cursor, **query)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_all_pages_look_at_the_window_that_the_first_one_froze(
    table: FreshTable, api: Api, clock: Clock, order: str
) -> None:
    crowd = Crowd(table)
    first, last = NOW - timedelta(days=31), NOW + timedelta(days=92)
    hour = timedelta(hours=1)
    inside = [first, NOW, last - timedelta(seconds=1)]
    crowd.add([first - timedelta(seconds=1), *inside, last, last + hour])
    # Hours pass between the pages: the default window of a list that begins now is another one.
    seen: list[str] = []
    for page in pages(api, propertyId=crowd.property_id, limit=1, order=order):
        seen += [visit["date"] for visit in page["items"]]
        clock.now += 2 * hour
    assert seen == sorted(map(instant_text, inside), reverse=order == "desc")
    anew = [v["date"] for page in pages(api, propertyId=crowd.property_id) for v in page["items"]]
    assert anew == [instant_text(date) for date in (*inside[1:], last, last + hour)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0999-01-01T00:00:00Z", None),
        (None, "0999-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-05T00:00:00Z"),
        ("9999-12-01T00:00:00Z", None),
        ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_window_at_the_edge_of_the_calendar_is_empty_and_no_fault(
    api: Api, crowd: Crowd, start: str | None, end: str | None
) -> None:
    api.property(crowd.property_id)
    for path, query in (
        ("/visits", {}),
        ("/visits", {"propertyId": crowd.property_id}),
        ("/visits", {"agentId": crowd.agent_id}),
        (f"/properties/{crowd.property_id}/busy", {}),
    ):
        answer = api.get(path, from_=start, to=end, **query)
        assert answer.status_code == 200, answer.text
        assert [] in answer.json().values()


def test_all_of_time_is_a_window_for_one_property(api: Api, crowd: Crowd) -> None:
    always = {"from_": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}
    assert len(api.get("/visits", propertyId=crowd.property_id, **always).json()["items"]) == 5


def test_a_window_looks_into_the_months_that_it_touches_and_no_others() -> None:
    assert list(months_between("2027-11-30T00:00:00Z", "2028-01-01T00:00:00Z")) == [
        "2027-11",
        "2027-12",
        "2028-01",
    ]
    assert list(months_between("9999-12-01T00:00:00Z", "9999-12-31T00:00:00Z")) == ["9999-12"]


def test_the_link_header_leads_to_the_next_page(api: Api, crowd: Crowd) -> None:
    first = api.get("/visits", propertyId=crowd.property_id, limit=2, status="confirmed,cancelled", order="desc")
    target = first.links["next"]["url"]
    assert target.startswith("/visits?")
    cursor = first.json()["nextCursor"]
    by_hand = api.get(
        "/visits", propertyId=crowd.property_id, limit=2, status="confirmed,cancelled", order="desc", cursor=cursor
    )
    assert api.http.get(target).json()["items"] == by_hand.json()["items"]
