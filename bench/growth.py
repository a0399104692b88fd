"""Does a call cost more in a larger table: calls and units of every one among a thousand visits and among many more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final

from bench import exports
from bench.ledger import EmptyTable, empty_table, recorded
from bench.report import Bars, Question, Row
from chalicelib.domain.intakes import ROWS_IN_CHUNK
from chalicelib.domain.visits import Visit
from chalicelib.events.intake_queue import Sending, read_message
from chalicelib.repositories import items
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from tests.builders import Clock, a_visit
from tests.integration.api import PROPERTY, Api, serve
from tests.integration.metering import size
from tests.journal import listening

SIZES: Final = (1_000, 10_000, 100_000)
QUICK_SIZES: Final = (100, 1_000)
NOW: Final = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
OTHERS_FROM: Final = datetime(2028, 1, 1, tzinfo=UTC)
HOUSE: Final = "house-of-many-visits"
AGENT: Final = "agent-of-many-visits"
WATCHED: Final = 80
"""Visits that the lists find: those of one house, one agent and one month."""
MONTH: Final = "from=2027-03-01T00:00:00Z&to=2027-04-01T00:00:00Z"
BILLION: Final = 1_000_000_000
EXPORTS: Final = ("csv", "xlsx", "ics")

HOW: Final = """\
Every call of the API that asks the store, over HTTP in this process, on a table of the emulator: first among a
thousand visits, then among ten times as many, and again. (The authorizer's one read, remembered for a minute, is left
out.) What grows are the visits of other properties, agents and months; what a call asks for stays, as it does for a
caller whose agency grows older. Calls are those that were sent to DynamoDB, units what AWS would charge, computed
from the items before and after each call (the emulator's own read units do not grow with what is read). A cancelled
transaction is charged like a done one. The memory of an export is by how much the peak of a fresh process grows while
10,000 visits pass through each writer."""


@dataclass(frozen=True)
class Cost:
    """Calls to DynamoDB by operation, and the units that they take."""

    calls: str
    read_units: float
    write_units: float


def measure(quick: bool) -> Question:
    sizes = QUICK_SIZES if quick else SIZES
    costs: dict[int, Mapping[str, Cost]] = {}
    with empty_table() as table, listening(), serve(table.reached, clock=Clock(NOW)) as api:
        api.services.signer.sign("warm", b"")
        load(table, [_visit(n, HOUSE, AGENT, NOW + timedelta(hours=n)) for n in range(WATCHED)])
        loaded = WATCHED
        for count in sizes:
            load(table, [_other(n) for n in range(loaded, count)])
            loaded = count
            costs[count] = dict(_every_call(table, api, f"house-{count:06}"))
    return question(costs, {} if quick else _peaks())


def load(table: EmptyTable, visits: Sequence[Visit]) -> None:
    """Puts many visits into the table, without slots: no list looks at them."""
    client = table.reached.client

    def put(batch: Sequence[Visit]) -> None:
        requests: Any = [{"PutRequest": {"Item": serialized(visit_item(visit))}} for visit in batch]
        assert not client.batch_write_item(RequestItems={table.name: requests})["UnprocessedItems"]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(put, (visits[n : n + 25] for n in range(0, len(visits), 25))))


def _visit(number: int, house: str, agent: str, date: datetime) -> Visit:
    id = f"01956a3c-0000-7000-8000-{number:012x}"
    return a_visit(id=id, property_id=house, date=date, place="At the gate", agent_id=agent)


def _other(number: int) -> Visit:
    date = OTHERS_FROM + timedelta(minutes=15 * number)
    return _visit(number, f"other-{number % 400}", f"other-{number % 90}", date)


def _every_call(table: EmptyTable, api: Api, house: str) -> list[tuple[str, Cost]]:
    """In the order of a visit's life, on a house of its own whose name is as long as any other's."""
    costs: list[tuple[str, Cost]] = []

    def ask(name: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        with recorded(table, api.dynamodb) as ledger:
            sent = {header.replace("_", "-"): value for header, value in headers.items()}
            answer = api.http.request(method, path, json=body, headers=sent)
        assert answer.is_success, answer.text
        costs.append((name, _cost(ledger.operations(), ledger.read_units, ledger.write_units)))
        return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else None

    ask("register a property", "POST", "/properties", PROPERTY | {"id": house, "capacity": 2})
    changed = PROPERTY | {"capacity": 3}
    ask("replace a property", "PUT", f"/properties/{house}", changed, If_Match="*")
    ask("look whether it is well", "GET", "/health")
    visit = {"propertyId": house, "date": "2027-05-03T10:00:00Z", "place": "At the gate"}
    booked = ask("book", "POST", "/visits", visit | {"visitor": {"name": "Ada Example"}})["id"]
    key = f"bench-{house}"
    ask("book with agent and key", "POST", "/visits", visit | {"agentId": f"agent-{house}"}, Idempotency_Key=key)
    ask("book again with the key", "POST", "/visits", visit | {"agentId": f"agent-{house}"}, Idempotency_Key=key)
    ask("read a visit", "GET", f"/visits/{booked}")
    ask("reschedule", "PATCH", f"/visits/{booked}", {"date": "2027-05-03T12:00:00Z"}, If_Match="*")
    ask("change the place", "PATCH", f"/visits/{booked}", {"place": "By the lift"}, If_Match="*")
    ask("read a property", "GET", f"/properties/{house}")
    ask("list 50 properties", "GET", "/properties?limit=50")
    ask("busy times of a week", "GET", f"/properties/{house}/busy")
    ask("list 50 of a property", "GET", f"/visits?propertyId={HOUSE}&limit=50")
    ask("list 50 of an agent", "GET", f"/visits?agentId={AGENT}&limit=50")
    ask("list 50 of a month", "GET", f"/visits?{MONTH}&limit=50")
    ask("list by status", "GET", f"/visits?propertyId={HOUSE}&status=confirmed&limit=50")
    ask("export a property", "GET", f"/visits/export?propertyId={HOUSE}&format=csv")
    token = ask("share a calendar", "PUT", f"/properties/{house}/calendar-token")["token"]
    ask("render a calendar", "GET", f"/properties/{house}/calendar.ics?token={token}")
    ask("read a calendar", "GET", f"/properties/{house}/calendar.ics?token={token}")
    ask("withdraw a calendar", "DELETE", f"/properties/{house}/calendar-token")
    rows = [visit | {"date": f"2027-06-{1 + n:02}T10:00:00Z"} for n in range(ROWS_IN_CHUNK)]
    intake = ask("hand in 25 rows", "POST", "/intakes", {"visits": rows}, Idempotency_Key=f"{key}-rows")["id"]
    ask("look an intake up", "GET", f"/intakes/{intake}")
    ask("list its results", "GET", f"/intakes/{intake}/results")
    with recorded(table, api.dynamodb) as ledger:
        message = json.dumps(
            {"version": 1, "source": "bench", "visits": [row | {"externalId": house} for row in rows[:1]]}
        )
        later = message.replace("2027-06-01T10", "2027-06-01T14")
        api.services.intake_worker.work([read_message(later, Sending(house, "bench", "0"))], NOW + timedelta(minutes=5))
    costs.append(("work off one row", _cost(ledger.operations(), ledger.read_units, ledger.write_units)))
    # Last, because what a filter drops is charged without being told.
    ask("cancel", "PUT", f"/visits/{booked}/status", {"status": "cancelled"})
    ask("erase the visitor", "DELETE", f"/visits/{booked}/visitor")
    return costs


def _cost(operations: Sequence[str], read_units: float, write_units: float) -> Cost:
    counted = Counter(operations)
    return Cost(", ".join(f"{counted[name]} {name}" for name in sorted(counted)), read_units, write_units)


def _peaks() -> dict[str, float]:
    """How much memory the writers take, in megabytes, each in a process of its own."""
    found = {}
    for name in EXPORTS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found[name] = alone.submit(exports.measure, name).result().peak_bytes / 1e6
    return found


def question(costs: Mapping[int, Mapping[str, Cost]], peaks: Mapping[str, float]) -> Question:
    sizes = list(costs)
    first = costs[sizes[0]]
    changed = [name for name in first if any(costs[count][name] != first[name] for count in sizes)]
    table = []
    for name, cost in first.items():
        units = [f"{costs[count][name].read_units:g} / {costs[count][name].write_units:g}" for count in sizes]
        table.append((name, cost.calls, *units))
    item = size(serialized(visit_item(_visit(0, HOUSE, AGENT, NOW))))
    return Question(
        name="growth",
        title="Does a call cost more in a larger table?",
        how=HOW,
        header=("call", "calls to DynamoDB", *(f"read / write units at {count:,} visits" for count in sizes)),
        table=table,
        bars=Bars(
            list(first),
            {
                f"{count:,} visits": [cost.read_units + cost.write_units for cost in costs[count].values()]
                for count in sizes
            },
            "read and write units",
        ),
        rows=[
            Row("growth_calls_measured", len(first), "calls"),
            Row("growth_calls_and_units_changed", len(changed), "calls"),
            *(Row(f"export_{name}_peak_bytes", peak * 1e6, "bytes") for name, peak in peaks.items()),
        ],
        notes=(
            f"What changed: {', '.join(changed) or 'nothing'}.",
            *(f"An export of 10,000 visits as {name} takes {peak:.1f} MB at its peak." for name, peak in peaks.items()),
            *_arithmetic(item),
        ),
    )


def _arithmetic(item: int) -> list[str]:
    """What a billion visits would be. Nothing that a call reads depends on it, so this is about what is stored."""
    # In the table and in three indexes that project all of it, with DynamoDB's 100 bytes for each.
    visit = 4 * (item + 100)
    years, days = 10, 365
    month = BILLION // (years * 12)
    return [
        f"A billion visits of {item} bytes are {visit * BILLION / 1e12:.1f} TB with their copies in three indexes."
        f" In ten years of equal months that is {month:,} a month, {month // items.SHARDS:,} under each of"
        f" the {items.SHARDS} keys of a month. DynamoDB splits a key's range by itself as it passes 10 GB. Slots expire"
        " 30 days after their end, so they grow with the rate of bookings alone.",
        "A read by id goes to one partition by hash, whatever their number; a query reads a range of one index as"
        " long as its page. So calls and units stay what they are in the table; what grows is storage, and the rate of"
        f" writes into the current month: {BILLION // (years * days):,} bookings a day,"
        f" {BILLION / (years * days * 86400):,.0f} a second on average.",
    ]
