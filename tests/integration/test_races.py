"""Races for slots: however many come at once, a quarter hour is sold as often as it exists, and none gets lost."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.domain.errors import SlotTaken
from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.listing import Window
from chalicelib.domain.slots import QUARTER, intervals
from chalicelib.domain.visits import Visit
from chalicelib.http.instants import instant_text, parse_instant
from chalicelib.repositories.agents import agent_item
from chalicelib.repositories.slots import holder, property_slot, slot_ttl
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import DynamoVisits, visit_item
from tests.builders import an_agent
from tests.integration.api import Api, client_of, serve
from tests.integration.audit import everything, slot_audit
from tests.races import Call, at_once

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

THREADS = 12
ROUNDS = 10
FIRST_DAY = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table) as api:
        yield api


@pytest.fixture(scope="module", autouse=True)
def _no_slot_is_leaked_or_lost(table: FreshTable) -> Iterator[None]:
    yield
    assert slot_audit(everything(table)) == []


def booking(api: Api, property_id: str, date: datetime, **details: object) -> Call:
    return lambda: api.post("/visits", {"propertyId": property_id, "date": instant_text(date), **details})


def rescheduling(api: Api, visit: dict[str, Any], match: str = "*", **change: object) -> Call:
    return lambda: api.patch(f"/visits/{visit['id']}", change, match)


def becoming(api: Api, visit: dict[str, Any], status: str) -> Call:
    return lambda: api.put(f"/visits/{visit['id']}/status", {"status": status})


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def held_quarters(visit: dict[str, Any]) -> set[datetime]:
    """The quarter hours that an answered visit touches, reckoned without the code under test."""
    start, minutes = parse_instant(visit["date"]), visit["durationMinutes"]
    first = start - timedelta(minutes=start.minute % 15)
    return {q for n in range(20) if (q := first + n * QUARTER) < start + timedelta(minutes=minutes)}


def race_for_slots(api: Api, property_id: str, capacity: int) -> None:
    """Twelve bookings at once, ten times: in turn all for the same slots and all overlapping in one quarter."""
    for round in range(ROUNDS):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        wishes = [
            {"date": noon + timedelta(minutes=20), "durationMinutes": 30}
            if round % 2 == 0
            # From 12:00 up to 12:55 and an hour long: all of them touch 12:45.
            else {"date": noon + timedelta(minutes=5 * n), "durationMinutes": 60}
            for n in range(THREADS)
        ]
        answers = at_once(booking(api, property_id, **wish) for wish in wishes)  # type: ignore[arg-type]  # a wish
        winners = [answer.json() for answer in answers if answer.status_code == 201]
        assert len(winners) == capacity, f"winners in round {round}: {len(winners)} of capacity {capacity}"
        holders = Counter(quarter for visit in winners for quarter in held_quarters(visit))
        full = {quarter for quarter, count in holders.items() if count == capacity}
        for wish, answer in zip(wishes, answers, strict=True):
            if answer.status_code != 201:
                asked = held_quarters({**wish, "date": instant_text(wish["date"])})  # type: ignore[arg-type]  # a date
                assert_names_the_taken(answer, asked & full)


def assert_names_the_taken(answer: httpx.Response, taken: set[datetime]) -> None:
    assert answer.status_code == 409, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:visits:problem:slot-taken"
    assert problem["conflicts"] == [
        {"from": instant_text(start), "to": instant_text(end), "holder": "property"} for start, end in intervals(taken)
    ]
    assert all(conflict["from"] in problem["detail"] for conflict in problem["conflicts"])


@pytest.mark.parametrize("capacity", [1, 3])
def test_of_twelve_bookings_at_once_as_many_win_as_the_capacity_allows(api: Api, capacity: int) -> None:
    race_for_slots(api, api.property(f"booked-{capacity}", capacity=capacity), capacity)


class QueryThenPut(DynamoVisits):
    """The guard that everybody writes first: look whether the time is free, then book it."""

    def __init__(self, table: Table, racing: FreshTable) -> None:
        super().__init__(table)
        self._client = client_of(racing)
        self._name = racing.name
        # What the scheduler does on a bad day happens here every time: all look before anybody writes.
        self._all_have_looked = threading.Barrier(THREADS, timeout=30)

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        asked = Window(visit.quarters[0], visit.quarters[-1] + QUARTER)
        if any(count >= capacity for count in self.held_quarters(visit.property_id, asked).values()):
            raise SlotTaken([])
        self._all_have_looked.wait()
        self._client.put_item(TableName=self._name, Item=serialized(visit_item(visit)))
        for quarter in visit.quarters:
            self._client.update_item(
                TableName=self._name,
                Key=serialized(property_slot(visit.property_id, quarter)),
                UpdateExpression="SET #ttl = :ttl ADD holders :visit",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=serialized({":ttl": slot_ttl(quarter), ":visit": {holder(visit.id)}}),
            )

    def close(self) -> None:
        self._client.close()


@pytest.mark.parametrize("capacity", [1, 3])
def test_the_race_catches_a_guard_that_queries_and_then_puts(table: FreshTable, capacity: int) -> None:
    made: list[QueryThenPut] = []

    def unguarded(store: Table) -> DynamoVisits:
        made.append(QueryThenPut(store, table))
        return made[0]

    with serve(table, visits=unguarded) as api:
        property_id = api.property(f"double-booked-{capacity}", capacity=capacity)
        with pytest.raises(AssertionError, match=f"winners in round 0: {THREADS} of capacity {capacity}"):
            race_for_slots(api, property_id, capacity)
    made[0].close()


@pytest.mark.parametrize("capacity", [1, 2])
def test_reschedules_and_bookings_compete_for_the_same_capacity(api: Api, capacity: int) -> None:
    property_id = api.property(f"moved-{capacity}", capacity=capacity)
    for round in range(5):
        day = FIRST_DAY + timedelta(days=round)
        wanted = day + timedelta(hours=12)
        before = [api.visit(property_id, instant_text(day + timedelta(hours=n))) for n in range(6)]
        answers = at_once(
            [rescheduling(api, visit, '"1"', date=instant_text(wanted)) for visit in before]
            + [booking(api, property_id, wanted) for _ in range(6)]
        )
        won = statuses(answers)
        assert won[200] + won[201] == capacity
        assert won[409] == THREADS - capacity
        for visit, answer in zip(before, answers, strict=False):
            now = api.get(f"/visits/{visit['id']}").json()
            assert now == (answer.json() if answer.status_code == 200 else visit)


def test_two_visits_that_swap_places_never_end_up_in_the_same_one(api: Api) -> None:
    property_id = api.property("swapped")
    for round in range(10):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        first, second = (api.visit(property_id, instant_text(noon + timedelta(hours=n))) for n in range(2))
        answers = at_once(
            [rescheduling(api, first, date=second["date"]), rescheduling(api, second, date=first["date"])]
        )
        # Neither place is free before the other has left it.
        assert statuses(answers) == {409: 2}


class ReadTogether(DynamoVisits):
    """Once armed, nobody who races gets to write before all racers have read: the worst schedule, every time."""

    _racers = 0

    def arm(self, racers: int) -> None:
        self._all_have_read = threading.Barrier(racers, timeout=30)
        self._lock, self._racers = threading.Lock(), racers

    def get(self, visit_id: str) -> Visit:
        visit = super().get(visit_id)
        if self._racers:
            with self._lock:
                self._racers -= 1
            self._all_have_read.wait()
        return visit


@pytest.mark.parametrize(("match", "losing"), [('"1"', 412), ("*", 409)], ids=["of that version", "of any version"])
def test_a_visit_cancelled_while_it_is_rescheduled_ends_cancelled_and_holds_nothing(
    table: FreshTable, match: str, losing: int
) -> None:
    made: list[ReadTogether] = []

    def reading_together(store: Table) -> DynamoVisits:
        made.append(ReadTogether(store))
        return made[0]

    with serve(table, visits=reading_together) as api:
        property_id = api.property(f"cancelled-{losing}")
        for round in range(ROUNDS):
            noon = FIRST_DAY + timedelta(days=round, hours=12)
            visit = api.visit(property_id, instant_text(noon), agentId="cancelled-agent")
            later = instant_text(noon + timedelta(minutes=15))
            made[0].arm(2)
            moved, cancelled = at_once(
                [rescheduling(api, visit, match, date=later, agentId=None), becoming(api, visit, "cancelled")]
            )
            assert cancelled.status_code == 200, cancelled.text
            assert moved.status_code in (200, losing), moved.text
            now = api.get(f"/visits/{visit['id']}").json()
            expected = ("cancelled", later if moved.status_code == 200 else visit["date"])
            assert (now["status"], now["date"]) == expected
            assert api.get(f"/properties/{property_id}/busy", from_=visit["date"]).json()["busy"] == []


def test_an_agent_is_booked_at_one_property_at_a_time(api: Api) -> None:
    properties = [api.property(f"far-apart-{n}") for n in range(THREADS)]
    for round in range(5):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        answers = at_once(
            booking(api, property_id, noon + timedelta(minutes=n), agentId=("ann", "bob")[n % 2])
            for n, property_id in enumerate(properties)
        )
        winners = [answer.json()["agentId"] for answer in answers if answer.status_code == 201]
        assert sorted(winners) == ["ann", "bob"]
        for answer in answers:
            if answer.status_code != 201:
                assert answer.status_code == 409
                assert {conflict["holder"] for conflict in answer.json()["conflicts"]} == {"agent"}


def ruled(api: Api, property_id: str, **rules: object) -> str:
    """A property with rules; gives back its id."""
    path = f"/properties/{api.property(property_id)}/availability"
    assert api.http.put(path, json=rules, headers={"If-None-Match": "*"}).status_code == 201
    return property_id


def test_of_neighbours_whose_gaps_overlap_one_wins(api: Api) -> None:
    property_id = ruled(api, "neighbours", gapMinutes=30)
    for round in range(ROUNDS):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        # Back to back, so that without a gap all would fit: 12:00, 12:15, 12:00, ...
        answers = at_once(
            booking(api, property_id, noon + timedelta(minutes=15 * (n % 2)), durationMinutes=15)
            for n in range(THREADS)
        )
        assert statuses(answers) == {201: 1, 409: THREADS - 1}
        # Behind the gap it is free again.
        late = booking(api, property_id, noon + timedelta(hours=1), durationMinutes=15)()
        assert late.status_code == 201, late.text


def test_of_two_properties_that_are_too_far_apart_an_agent_gets_to_one(api: Api, table: FreshTable) -> None:
    traveller = an_agent("traveller", travel_minutes=30)
    table.client.put_item(TableName=table.name, Item=serialized(agent_item(traveller)))
    first, second = api.property("here", capacity=20), api.property("there", capacity=20)
    for round in range(ROUNDS):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        answers = at_once(
            booking(
                api,
                (first, second)[n % 2],
                noon + timedelta(minutes=15 * (n % 2)),
                durationMinutes=15,
                agentId="traveller",
            )
            for n in range(THREADS)
        )
        # An open house has no travel between its visits: all at one property, nobody at the other.
        assert statuses(answers) == {201: THREADS // 2, 409: THREADS // 2}
        assert len({answer.json()["propertyId"] for answer in answers if answer.status_code == 201}) == 1


def test_an_open_house_has_no_travel_between_its_visits(api: Api, table: FreshTable) -> None:
    host = an_agent("host", travel_minutes=60)
    table.client.put_item(TableName=table.name, Item=serialized(agent_item(host)))
    house, elsewhere = api.property("open-all-day"), api.property("an-hour-away")
    noon = FIRST_DAY + timedelta(hours=12)
    visits = [api.visit(house, instant_text(noon + timedelta(minutes=30 * n)), agentId="host") for n in range(3)]
    # The way is held after the last of them, and before the first.
    for minutes, status in ((-60, 409), (-90, 201), (150 - 15, 409), (150, 201)):
        answer = booking(api, elsewhere, noon + timedelta(minutes=minutes), agentId="host")()
        assert answer.status_code == status, (minutes, answer.text)
    # Without the last one the way begins sooner; what the others hold of it stays held.
    assert becoming(api, visits[2], "cancelled")().status_code == 200
    assert booking(api, elsewhere, noon + timedelta(minutes=105), agentId="host")().status_code == 409
    assert booking(api, elsewhere, noon + timedelta(minutes=120), agentId="host")().status_code == 201


def test_an_agent_holds_an_open_house_for_as_many_as_the_property_takes(api: Api) -> None:
    property_id = api.property("open-house", capacity=5)
    noon = FIRST_DAY + timedelta(hours=12)
    answers = at_once(booking(api, property_id, noon, agentId="carol") for _ in range(THREADS))
    assert statuses(answers) == {201: 5, 409: 7}


def test_a_visit_handed_to_two_agents_at_once_ends_with_one_of_them(api: Api) -> None:
    property_id, elsewhere = api.property("handed-over"), api.property("elsewhere")
    for round in range(5):
        noon = FIRST_DAY + timedelta(days=round, hours=12)
        visit = api.visit(property_id, instant_text(noon), agentId="dora")
        to_emil, to_fay = at_once(rescheduling(api, visit, '"1"', agentId=agent) for agent in ("emil", "fay"))
        assert sorted([to_emil.status_code, to_fay.status_code]) == [200, 412]
        agent, other = ("emil", "fay") if to_emil.status_code == 200 else ("fay", "emil")
        assert booking(api, elsewhere, noon, agentId=agent)().status_code == 409
        assert booking(api, elsewhere, noon, agentId=other)().status_code == 201


def test_of_changes_to_the_same_version_exactly_one_is_made(api: Api) -> None:
    visit = api.visit(api.property("edited"), instant_text(FIRST_DAY))
    answers = at_once(rescheduling(api, visit, '"1"', notes=f"note {n}") for n in range(THREADS))
    assert statuses(answers) == {200: 1, 412: THREADS - 1}
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert api.get(f"/visits/{visit['id']}").json() == winner


def test_concurrent_status_changes_follow_one_path_of_the_lifecycle(api: Api) -> None:
    property_id = api.property("decided")
    for round in range(10):
        date = instant_text(FIRST_DAY + timedelta(days=round))
        visit = api.visit(property_id, date, status="requested", agentId="gus")
        answers = at_once(becoming(api, visit, status) for status in ("confirmed", "declined", "cancelled") * 4)
        reached = {answer.json()["version"]: answer.json()["status"] for answer in answers if answer.status_code == 200}
        path = [reached[version] for version in sorted(reached)]
        assert path in (["declined"], ["cancelled"], ["confirmed", "cancelled"])
        assert statuses(answers).keys() <= {200, 409}
        now = api.get(f"/visits/{visit['id']}").json()
        assert (now["status"], now["version"]) == (path[-1], 1 + len(path))
        # Whatever was decided, the time is free again for somebody else.
        again = api.visit(property_id, date, agentId="gus")
        assert api.put(f"/visits/{again['id']}/status", {"status": "cancelled"}).status_code == 200


def test_a_storm_of_everything_leaves_exactly_the_slots_that_the_visits_hold(table: FreshTable, api: Api) -> None:
    """Twelve callers book, move, hand over and cancel around a few hours; the audit afterwards is the judge."""
    properties = {api.property("storm-1"): 1, api.property("storm-2", capacity=2): 2}
    evening = FIRST_DAY + timedelta(hours=22)
    agents = (None, "hugo", "ida")

    def act(caller: int) -> Counter[int]:
        chance = random.Random(caller)
        own: list[str] = []
        seen: Counter[int] = Counter()
        for _ in range(25):
            date = instant_text(evening + timedelta(minutes=5 * chance.randrange(48)))
            minutes = chance.choice((15, 30, 75))
            agent = chance.choice(agents)
            doing = chance.random()
            if doing < 0.45 or not own:
                wish = {"propertyId": chance.choice(list(properties)), "date": date, "durationMinutes": minutes}
                answer = api.post("/visits", wish | ({"agentId": agent} if agent else {}))
                if answer.status_code == 201:
                    own.append(answer.json()["id"])
                    shared.append(answer.json()["id"])
            elif doing < 0.8:
                change = {"date": date, "durationMinutes": minutes, "agentId": agent}
                answer = api.patch(f"/visits/{chance.choice(shared)}", change)
            else:
                answer = api.put(f"/visits/{chance.choice(shared)}/status", {"status": "cancelled"})
            seen[answer.status_code] += 1
        return seen

    shared: list[str] = []
    with ThreadPoolExecutor(THREADS) as pool:
        seen = sum(pool.map(act, range(THREADS)), Counter[int]())
    assert seen.keys() == {200, 201, 409}
    for property_id, capacity in properties.items():
        busy = api.get(f"/properties/{property_id}/busy", from_=instant_text(evening - timedelta(days=1))).json()[
            "busy"
        ]
        assert busy
        assert max(interval["held"] for interval in busy) <= capacity
