"""What requests cost, in calls to DynamoDB and in units: by formula, and the same however full the table is."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chalicelib.container import new_id
from chalicelib.domain.agents import Agent
from chalicelib.domain.visits import Status, Visit
from chalicelib.http.instants import instant_text
from chalicelib.repositories.agents import agent_item
from chalicelib.repositories.items import Item
from chalicelib.repositories.properties import property_item
from chalicelib.repositories.slots import holder, property_slot, slot_ttl
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from tests.builders import Clock, a_property, a_visit, an_agent
from tests.integration.api import Api, serve
from tests.integration.metering import Meter, contents, metered, size
from tools.project import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.integration.conftest import FreshTable

NOW = datetime(2027, 3, 10, 8, 0, tzinfo=UTC)
ON_THE_QUARTER = "2027-03-12T10:00:00Z"
OFF_THE_QUARTER = "2027-03-12T10:20:00Z"
READ_THEN_TRANSACT = ["GetItem", "TransactWriteItems"]
LOOK_AT_RULES = "Query"
"""The property with its availability."""
LOOK_AT_AGENT = "GetItem"


@dataclass(frozen=True)
class Bench:
    """Measures single requests."""

    api: Api
    table: FreshTable

    def cost(self, method: str, path: str, body: object = None, **headers: str) -> tuple[httpx.Response, Meter, int]:
        """The answer, the calls made for it, and the write units that AWS would charge."""
        before = contents(self.table.client, self.table.name)
        with metered(self.api.dynamodb) as meter:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = self.api.http.request(method, path, json=body, headers=names)
        after = contents(self.table.client, self.table.name)
        assert answer.is_success, answer.text
        return answer, meter, sum(call.write_units(before, after) for call in meter.calls)


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, clock=Clock(NOW)) as api:
        # The signing keys are read once in five minutes, not for each request.
        api.services.signer.sign("warm", b"")
        operations: Counter[str] = Counter()
        api.dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: operations.update([model.name]))
        yield api
        # Whatever the tests of this module asked for was answered by these alone: nothing ever scanned.
        assert operations.keys() <= {"GetItem", "PutItem", "Query", "TransactWriteItems"}


@pytest.fixture(scope="module")
def bench(api: Api, table: FreshTable) -> Bench:
    return Bench(api, table)


@pytest.fixture
def property_id(api: Api) -> str:
    return api.property(new_id(), capacity=5)


@pytest.mark.parametrize("key", [0, 1], ids=["without a key", "with a key"])
@pytest.mark.parametrize("agent", [0, 1], ids=["without an agent", "with an agent"])
@pytest.mark.parametrize(
    ("date", "minutes", "quarters"),
    [(ON_THE_QUARTER, 30, 2), (OFF_THE_QUARTER, 30, 3), (ON_THE_QUARTER, 5, 1), (OFF_THE_QUARTER, 240, 17)],
)
def test_a_booking_is_one_strongly_consistent_read_and_one_transaction(
    bench: Bench, property_id: str, date: str, minutes: int, quarters: int, agent: int, key: int
) -> None:
    body = {"propertyId": property_id, "date": date, "durationMinutes": minutes}
    headers = {"Idempotency_Key": new_id()} if key else {}
    _, meter, written = bench.cost("POST", "/visits", body | ({"agentId": new_id()} if agent else {}), **headers)
    assert meter.operations() == [LOOK_AT_RULES, *[LOOK_AT_AGENT] * agent, "TransactWriteItems"]
    assert all(call.consistent for call in meter.calls[:-1])
    assert meter.read_units == 1 + agent
    # Two for the visit, for each quarter of the property and of the agent, and for the record of the key; one for
    # each of the indexes byProperty and byMonth, and byAgent if there is an agent.
    assert written == 2 * (1 + quarters + agent * quarters + key) + 2 + agent
    # The emulator agrees, but for the indexes.
    assert meter.calls[-1].reported[0] in (written, written - 2 - agent)


CONTACTS: dict[str, dict[str, str]] = {
    "a name alone": {"name": "Ada"},
    "an e-mail address": {"name": "Ada", "email": "ada@units.example"},
    "a phone": {"phone": "+49 30 1234567"},
    "both": {"email": "ada@units.example", "phone": "+49 30 1234567"},
}


@pytest.mark.parametrize("who", CONTACTS)
def test_a_booking_costs_one_unit_more_for_each_contact_and_later_changes_nothing_more(
    bench: Bench, property_id: str, who: str
) -> None:
    visitor = CONTACTS[who]
    contacts = len(visitor.keys() & {"email", "phone"})
    body = {"propertyId": property_id, "date": ON_THE_QUARTER, "visitor": visitor}
    answer, meter, written = bench.cost("POST", "/visits", body)
    assert meter.operations() == [LOOK_AT_RULES, "TransactWriteItems"]
    assert written == 2 * (1 + 2) + 2 + contacts
    path = f"/visits/{answer.json()['id']}"
    _, _, moved = bench.cost("PATCH", path, {"date": "2027-03-12T10:15:00Z"}, If_Match="*")
    assert moved == 2 * (1 + 2) + 2 * 2
    _, _, noted = bench.cost("PATCH", path, {"notes": "bring the key"}, If_Match="*")
    assert noted == 1 + 2
    _, _, erased = bench.cost("DELETE", f"{path}/visitor")
    assert erased == 1 + 2 + contacts


def test_a_search_for_a_person_reads_the_index_and_each_visit_once(bench: Bench) -> None:
    for n in range(5):
        house = bench.api.property(new_id())
        bench.api.visit(house, ON_THE_QUARTER, visitor={"email": "reads@units.example"}, notes=f"{n}")
    body = {"email": "reads@units.example", "limit": 3}
    answer, meter, written = bench.cost("POST", "/visitors/search", body)
    assert len(answer.json()["items"]) == 3
    assert (meter.operations(), written) == (["Query", *["GetItem"] * 3], 0)
    assert meter.read_units == 0.5 + 3


def test_looking_for_a_property_reads_a_thousand_at_most(bench: Bench) -> None:
    properties = [a_property(f"far-{n:04}", name="Far away") for n in range(1500)]
    wanted = a_property("far-9999", name="Needle Cottage")
    put_all(bench.table.client, bench.table.name, [property_item(property) for property in [*properties, wanted]])
    found: list[str] = []
    cursor: str | None = None
    reads: list[int] = []
    while True:
        with metered(bench.api.dynamodb) as meter:
            page = bench.api.get("/properties", q="needle", limit=1, cursor=cursor).json()
        found += [property["id"] for property in page["items"]]
        reads.append(sum(call.answered["ScannedCount"] for call in meter.calls))
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert found == [wanted.id]
    # A query of each shard may be under way when the budget is spent.
    assert max(reads) <= 1000 + 4 * 50
    assert 2 <= len(reads) <= 4


def test_a_replay_reads_instead_of_writing(bench: Bench, property_id: str) -> None:
    body, key = {"propertyId": property_id, "date": ON_THE_QUARTER}, new_id()
    bench.cost("POST", "/visits", body, Idempotency_Key=key)
    with metered(bench.api.dynamodb) as meter:
        assert bench.api.post("/visits", body, key).status_code == 201
    # The transaction is cancelled by the record, which names the visit. (AWS charges a cancelled one like a done one.)
    assert meter.operations() == [LOOK_AT_RULES, "TransactWriteItems", "GetItem", "GetItem"]


@pytest.mark.parametrize("agent", [0, 1], ids=["without an agent", "with an agent"])
@pytest.mark.parametrize(
    ("change", "freed", "held", "moved"),
    [
        ({"date": "2027-03-12T10:15:00Z"}, 1, 1, 1),
        ({"date": "2027-03-12T12:00:00Z"}, 2, 2, 1),
        ({"date": "2027-03-12T10:10:00Z", "durationMinutes": 20}, 0, 0, 1),
        ({"durationMinutes": 60}, 0, 2, 0),
        ({"durationMinutes": 15}, 1, 0, 0),
    ],
    ids=["overlapping", "disjoint", "within the same quarters", "longer", "shorter"],
)
def test_a_reschedule_pays_for_the_difference_of_the_quarters(
    bench: Bench, property_id: str, change: dict[str, object], freed: int, held: int, moved: int, agent: int
) -> None:
    visit = bench.api.visit(property_id, ON_THE_QUARTER, **({"agentId": new_id()} if agent else {}))
    _, meter, written = bench.cost("PATCH", f"/visits/{visit['id']}", change, If_Match="*")
    assert meter.operations() == ["GetItem", LOOK_AT_RULES, *[LOOK_AT_AGENT] * agent, "TransactWriteItems"]
    assert all(call.consistent for call in meter.calls[:-1])
    assert meter.read_units == 2 + agent
    # A new start moves the visit within each of its indexes: taken out and put in again.
    assert written == 2 * (1 + (1 + agent) * (freed + held)) + (1 + moved) * (2 + agent)


@pytest.mark.parametrize(("before", "after"), [(None, "new"), ("old", "new"), ("old", None)])
def test_a_change_of_agent_pays_for_the_quarters_of_the_agents_alone(
    bench: Bench, property_id: str, before: str | None, after: str | None
) -> None:
    old, new = (f"{agent} {new_id()}" if agent else None for agent in (before, after))
    visit = bench.api.visit(property_id, ON_THE_QUARTER, **({"agentId": old} if old else {}))
    _, meter, written = bench.cost("PATCH", f"/visits/{visit['id']}", {"agentId": new}, If_Match="*")
    looks = [LOOK_AT_AGENT] if after else []
    assert meter.operations() == ["GetItem", LOOK_AT_RULES, *looks, "TransactWriteItems"]
    agents = sum(agent is not None for agent in (old, new))
    assert written == 2 * (1 + 2 * agents) + 2 + agents


@pytest.mark.parametrize("agent", [0, 1], ids=["without an agent", "with an agent"])
@pytest.mark.parametrize("status", ["declined", "cancelled"])
def test_a_visit_that_ends_pays_for_the_quarters_it_frees(
    bench: Bench, property_id: str, status: str, agent: int
) -> None:
    details = {"agentId": new_id()} if agent else {}
    visit = bench.api.visit(property_id, OFF_THE_QUARTER, status="requested", **details)
    _, meter, written = bench.cost("PUT", f"/visits/{visit['id']}/status", {"status": status})
    assert meter.operations() == READ_THEN_TRANSACT
    assert meter.read_units == 1
    assert written == 2 * (1 + 3 + 3 * agent) + 2 + agent


@pytest.mark.parametrize("agent", [0, 1], ids=["without an agent", "with an agent"])
def test_what_touches_no_slots_is_one_put(bench: Bench, property_id: str, agent: int) -> None:
    visit = bench.api.visit(
        property_id,
        ON_THE_QUARTER,
        status="requested",
        visitor={"name": "V"},
        **({"agentId": new_id()} if agent else {}),
    )
    path = f"/visits/{visit['id']}"
    _, patched, notes = bench.cost("PATCH", path, {"notes": "bring the key"}, If_Match="*")
    assert patched.operations() == ["GetItem", LOOK_AT_RULES, "PutItem"]
    _, put, confirmed = bench.cost("PUT", f"{path}/status", {"status": "confirmed"})
    assert put.operations() == ["GetItem", "PutItem"]
    _, deleted, erased = bench.cost("DELETE", f"{path}/visitor")
    assert deleted.operations() == ["GetItem", "PutItem"]
    assert [notes, confirmed, erased] == [1 + 2 + agent] * 3
    assert [patched.calls[-1].reported, put.calls[-1].reported, deleted.calls[-1].reported] == [[1 + 2 + agent]] * 3


def test_asking_for_what_is_so_already_writes_nothing(bench: Bench, property_id: str) -> None:
    visit = bench.api.visit(property_id, ON_THE_QUARTER)
    path = f"/visits/{visit['id']}"
    _, again, _ = bench.cost("PUT", f"{path}/status", {"status": "confirmed"})
    _, same, _ = bench.cost("PATCH", path, {"date": ON_THE_QUARTER}, If_Match="*")
    _, nobody, _ = bench.cost("DELETE", f"{path}/visitor")
    assert again.operations() + nobody.operations() == ["GetItem"] * 2
    assert same.operations() == ["GetItem", LOOK_AT_RULES]


def test_long_notes_are_paid_by_the_kilobyte(bench: Bench, property_id: str) -> None:
    body = {"propertyId": property_id, "date": ON_THE_QUARTER, "notes": "n" * 2000}
    _, _, written = bench.cost("POST", "/visits", body)
    # The visit is of three kilobytes, in the table and in both indexes.
    assert written == 2 * (3 + 2) + 2 * 3


def test_a_visit_is_one_strongly_consistent_read(bench: Bench, property_id: str) -> None:
    visit = bench.api.visit(property_id, ON_THE_QUARTER)
    _, meter, _ = bench.cost("GET", f"/visits/{visit['id']}")
    assert meter.operations() == ["GetItem"]
    assert meter.calls[0].consistent
    assert meter.read_units == 1


def test_a_property_is_one_read_and_one_query_for_its_next_visits(bench: Bench, property_id: str) -> None:
    for hour in range(3):
        bench.api.visit(property_id, instant_text(NOW + timedelta(hours=1 + hour)))
    answer, meter, _ = bench.cost("GET", f"/properties/{property_id}")
    assert len(answer.json()["visits"]) == 3
    assert meter.operations() == [LOOK_AT_RULES, "Query"]
    assert [call.consistent for call in meter.calls] == [True, False]
    assert meter.read_units == 1 + 0.5


def test_a_corrected_address_costs_two_reads_and_a_put_for_each_visit_that_follows(bench: Bench) -> None:
    house = bench.api.property(new_id(), capacity=5)
    visits = [bench.api.visit(house, instant_text(NOW + timedelta(hours=1 + n))) for n in range(3)]
    bench.api.visit(house, instant_text(NOW + timedelta(hours=9)), place="Bus stop")
    body = {"name": "House", "address": "Lane 10", "price": 450000, "currency": "EUR", "timeZone": "Europe/Berlin"}
    _, renamed, _ = bench.cost("PUT", f"/properties/{house}", body | {"address": "Lane 1", "capacity": 6}, If_Match="*")
    assert renamed.operations() == ["GetItem", "PutItem"]
    _, meter, written = bench.cost("PUT", f"/properties/{house}", body, If_Match="*")
    each = ["GetItem", LOOK_AT_RULES, "PutItem"]
    assert meter.operations() == ["GetItem", "PutItem", "Query", *each * len(visits), "Query"]
    assert written == 2 + (1 + 2) * len(visits)
    _, again, nothing = bench.cost("PUT", f"/properties/{house}", body, If_Match="*")
    assert (again.operations(), nothing) == (["GetItem", "Query"], 0)


def test_next_visits_behind_hundreds_of_cancelled_ones_cost_a_bounded_number_of_reads(bench: Bench) -> None:
    client, name = bench.table.client, bench.table.name
    house = bench.api.property(new_id())
    gone = [visit_at(house, NOW + timedelta(minutes=1 + n), status=Status.CANCELLED) for n in range(400)]
    ahead = visit_at(house, NOW + timedelta(days=2))
    load(client, name, [*gone, ahead])
    with metered(bench.api.dynamodb) as meter:
        shown = bench.api.get(f"/properties/{house}").json()["visits"]
    assert [visit["id"] for visit in shown] == [ahead.id]
    # 5,000 visits at most, fifty a query, and the next page begins with the one that the last ended with.
    rules, *visits = meter.calls
    assert rules.operation == LOOK_AT_RULES
    assert sum(call.answered["ScannedCount"] for call in visits if call.operation == "Query") <= 400 + 1 + 5
    assert len(meter.calls) <= 1 + 400 // 50 + 2


@pytest.mark.parametrize(("hours", "months"), [(12, 1), (24 * 31, 2)])
def test_busy_times_are_one_read_and_one_strongly_consistent_query_for_every_month(
    bench: Bench, property_id: str, hours: int, months: int
) -> None:
    end = instant_text(NOW + timedelta(hours=hours))
    _, meter, _ = bench.cost("GET", f"/properties/{property_id}/busy?from={instant_text(NOW)}&to={end}")
    assert meter.operations() == ["GetItem"] + ["Query"] * months
    assert all(call.consistent for call in meter.calls)
    assert meter.read_units == 1 + months


WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TEN_HOURS_A_DAY: dict[str, object] = {
    "weekly": {day: [["09:00", "19:00"]] for day in WEEK},
    "gapMinutes": 15,
}


def ruled(api: Api, property_id: str, **rules: object) -> str:
    """Sets the rules of a property; gives back its id."""
    path, new = f"/properties/{property_id}/availability", {"If-None-Match": "*"}
    assert api.http.put(path, json=TEN_HOURS_A_DAY | rules, headers=new).status_code == 201
    return property_id


@pytest.mark.parametrize("agent", [0, 1], ids=["without an agent", "with an agent"])
def test_a_booking_pays_for_the_quarters_of_its_gap_and_its_agents_travel(
    bench: Bench, property_id: str, agent: int
) -> None:
    ruled(bench.api, property_id, gapMinutes=30)
    id = new_id()
    put_agent(bench, an_agent(id, travel_minutes=45))
    body = {"propertyId": property_id, "date": ON_THE_QUARTER} | ({"agentId": id} if agent else {})
    answer, meter, written = bench.cost("POST", "/visits", body)
    assert meter.operations() == [LOOK_AT_RULES, *[LOOK_AT_AGENT] * agent, "TransactWriteItems"]
    assert meter.read_units == 1 + agent
    assert written == 2 * (1 + (2 + 2) + agent * (2 + 3)) + 2 + agent
    path = f"/visits/{answer.json()['id']}/status"
    _, _, freed = bench.cost("PUT", path, {"status": "cancelled"})
    assert freed == written


def put_agent(bench: Bench, agent: Agent) -> None:
    bench.table.client.put_item(TableName=bench.table.name, Item=serialized(agent_item(agent)))


def fill(bench: Bench, day: datetime, days: int, property_id: str, capacity: int) -> None:
    """Holds every quarter from 09:00 to 19:00 in Berlin, summer or winter, as visits of half an hour with a gap do."""
    quarters = [day + timedelta(days=n, hours=7, minutes=15 * q) for n in range(days) for q in range(45)]
    visits = {quarter: {holder(new_id()) for _ in range(capacity)} for quarter in quarters[::3]}
    items: list[Item] = [
        {**property_slot(property_id, quarter), "holders": visits[quarters[n - n % 3]], "ttl": slot_ttl(quarter)}
        for n, quarter in enumerate(quarters)
    ]
    put_all(bench.table.client, bench.table.name, items)


@pytest.mark.parametrize("capacity", [1, 5])
@pytest.mark.parametrize(("days", "months", "most"), [(7, 1, 8), (31, 2, 32)])
def test_free_slots_cost_at_most_a_unit_a_day_however_many_visits_there_are(
    bench: Bench, days: int, months: int, most: int, capacity: int
) -> None:
    property_id = ruled(bench.api, bench.api.property(new_id(), capacity=capacity))
    monday, path = NOW.replace(day=15, hour=0), f"/properties/{property_id}/slots"
    window = {"from_": instant_text(monday), "to": instant_text(monday + timedelta(days=days))}
    with metered(bench.api.dynamodb) as meter:
        assert len(bench.api.get(path, **window).json()["slots"]) >= days * 39
    assert meter.operations() == [LOOK_AT_RULES] + ["Query"] * months
    assert meter.read_units == 1 + months / 2
    fill(bench, monday, days, property_id, capacity)
    with metered(bench.api.dynamodb) as meter:
        assert bench.api.get(path, **window).json()["reason"] == "taken"
    assert meter.read_units <= most


def test_free_slots_with_an_agent_cost_the_agent_and_what_they_hold(bench: Bench, property_id: str) -> None:
    agent = new_id()
    ruled(bench.api, property_id)
    put_agent(bench, an_agent(agent))
    monday = NOW.replace(day=15, hour=0)
    window = {"from_": instant_text(monday), "to": instant_text(monday + timedelta(days=7))}
    with metered(bench.api.dynamodb) as meter:
        bench.api.get(f"/properties/{property_id}/slots", **window, agentId=agent)
    assert meter.operations() == [LOOK_AT_RULES, LOOK_AT_AGENT] + ["Query"] * 2
    assert meter.read_units == 2 + 1


def test_nothing_before_the_first_opening_or_beyond_the_horizon_is_read(bench: Bench, property_id: str) -> None:
    ruled(bench.api, property_id, horizonDays=4)
    fill(bench, NOW.replace(day=15, hour=0) + timedelta(days=14), 7, property_id, 5)
    with metered(bench.api.dynamodb) as meter:
        assert bench.api.get(f"/properties/{property_id}/slots").json()["slots"]
    assert meter.operations() == [LOOK_AT_RULES, "Query"]
    assert meter.read_units == 1.5


def test_a_week_that_is_closed_costs_its_rules(bench: Bench, property_id: str) -> None:
    ruled(bench.api, property_id, weekly={})
    with metered(bench.api.dynamodb) as meter:
        assert bench.api.get(f"/properties/{property_id}/slots").json()["reason"] == "closed"
    assert meter.operations() == [LOOK_AT_RULES]


def visit_at(property_id: str, date: datetime, agent: str | None = None, status: Status = Status.CONFIRMED) -> Visit:
    """A visit of the same size as any other here."""
    return a_visit(
        id=new_id(),
        property_id=property_id,
        date=date,
        place="Lane 1",
        agent_id=agent,
        status=status,
        created_at=NOW,
        updated_at=NOW,
    )


def load(client: DynamoDBClient, table: str, visits: list[Visit]) -> None:
    """Puts many visits into the table at once, without slots: lists do not look at them."""

    put_all(client, table, [visit_item(visit) for visit in visits])


def put_all(client: DynamoDBClient, table: str, items: list[Item]) -> None:
    def put(batch: list[Item]) -> None:
        requests: Any = [{"PutRequest": {"Item": serialized(item)}} for item in batch]
        answer = client.batch_write_item(RequestItems={table: requests})
        assert not answer["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, (items[n : n + 25] for n in range(0, len(items), 25))))


def others(count: int) -> list[Visit]:
    """Visits of other properties and agents, in the same months and at the same times."""
    return [
        visit_at(f"other-{n % 40}", NOW + timedelta(minutes=13 * n % 90 * 24 * 60), f"other-{n % 30}")
        for n in range(count)
    ]


def pages_cost(bench: Bench, **query: object) -> tuple[list[str], list[tuple[list[str], float]]]:
    """The ids of the first two pages, and the calls and read units of each."""
    ids: list[str] = []
    costs: list[tuple[list[str], float]] = []
    cursor: str | None = None
    for _ in range(2):
        with metered(bench.api.dynamodb) as meter:
            page = bench.api.get("/visits", limit=50, cursor=cursor, **query)
        assert page.status_code == 200, page.text
        ids += [visit["id"] for visit in page.json()["items"]]
        cursor = page.json()["nextCursor"]
        costs.append((meter.operations(), meter.read_units))
    return ids, costs


def test_a_page_costs_the_same_among_a_hundred_visits_and_among_three_thousand(bench: Bench) -> None:
    client, name = bench.table.client, bench.table.name
    load(client, name, [visit_at("busy-house", NOW + timedelta(hours=n), "busy-agent") for n in range(200)])
    queries: list[dict[str, object]] = [
        {"propertyId": "busy-house"},
        {"propertyId": "busy-house", "order": "desc"},
        {"agentId": "busy-agent"},
        {"agentId": "busy-agent", "order": "desc"},
    ]
    load(client, name, others(100))
    few = [pages_cost(bench, **query) for query in queries]
    load(client, name, others(3_000)[100:])
    many = [pages_cost(bench, **query) for query in queries]
    assert many == few
    one_item = serialized(visit_item(visit_at("busy-house", NOW, "busy-agent")))
    for _, costs in many:
        # One item more than the page shows, to know whether more follow; and on the second page the last one again.
        assert [calls for calls, _ in costs] == [["Query"], ["Query"]]
        assert [units for _, units in costs] == [half_units(one_item, 51), half_units(one_item, 52)]

    # The whole agency: four queries for each of the months that it looks into, each for a quarter of the page, and
    # again for a shard that had more than its share. Two pages of 50 among 3,000 visits end in the first month.
    _, costs = pages_cost(bench, from_=instant_text(NOW), to=instant_text(NOW + timedelta(days=90)))
    share = math.ceil(51 / 4) + 1
    for calls, units in costs:
        assert set(calls) == {"Query"}
        assert len(calls) <= 4 + 4
        assert units <= len(calls) * half_units(one_item, share)


def half_units(item: dict[str, Any], count: int) -> float:
    return math.ceil(count * size(item) / 4096) / 2


def test_a_page_filtered_by_status_reads_no_more_than_its_budget(bench: Bench) -> None:
    client, name = bench.table.client, bench.table.name
    load(
        client,
        name,
        [visit_at("declining-house", NOW + timedelta(minutes=n), status=Status.DECLINED) for n in range(1500)],
    )
    with metered(bench.api.dynamodb) as meter:
        page = bench.api.get("/visits", propertyId="declining-house", status="confirmed", limit=50).json()
    assert page["items"] == []
    assert page["nextCursor"] is not None
    # READ_BUDGET, and at most one query beyond it.
    assert 1000 <= sum(call.answered["ScannedCount"] for call in meter.calls) < 1000 + 2 * 52


def test_the_code_has_no_scan() -> None:
    for source in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else None
            text = node.value if isinstance(node, ast.Constant) else None
            assert name != "scan", f"{source}:{getattr(node, 'lineno', 0)}"
            assert text not in ("scan", "Scan", "dynamodb:Scan"), f"{source}:{getattr(node, 'lineno', 0)}"
