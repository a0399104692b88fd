"""How fast are rows worked off: the worker against one conditional put after the other, and what a row costs."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

import boto3

from bench.ledger import EmptyTable, empty_table, recorded
from bench.report import Bars, Question, Row
from bench.stand_in import PROPERTY_ID, StandIn, stand_in
from chalicelib.aws.clients import client
from chalicelib.container import CLIENT, WORKER_THREADS, over, utc_now
from chalicelib.domain.intakes import ROWS_IN_CHUNK, Chunk
from chalicelib.domain.properties import PropertyDetails
from chalicelib.domain.visits import BookVisit, Status, Visit
from chalicelib.events.intake_queue import Sending, read_message
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import visit_item
from chalicelib.services.wired import Services

LATENCIES_MS: Final = (0, 5)
CHUNKS: Final = 10
"""Messages in a batch, as the event source hands them out."""
DEADLINE: Final = timedelta(minutes=10)
BOOKING_UNITS: Final = 2 * (1 + 2) + 2
"""Of a visit of half an hour on the quarter: the visit and two slots in a transaction, and two indexes."""
HOUSE: Final = PropertyDetails("House", "Lane 1", Decimal(1), "EUR", "Europe/Berlin", 1, True)
FIRST: Final = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)

HOW: Final = f"""\
A batch of {CHUNKS} messages with {ROWS_IN_CHUNK} rows each, read from their JSON. The worker books them as it does on
Lambda, on {WORKER_THREADS} threads, a chunk on each: it claims the chunk, reads the property, writes each visit and its
slots in one transaction, and records the outcomes. Against it stands the least that a loader could do: the same rows,
read by the same code, one `put_item` of the visit after the other on a boto3 client, with the condition that it is not
there yet, and without property, slots or outcomes. The two take turns against a stand-in for DynamoDB that answers over
TLS; rates are medians of the turns, and rows per CPU second count the CPU of this process alone. Calls and units are
those of the same batch on the emulator, as AWS would charge them."""


@dataclass(frozen=True)
class Pace:
    """Rows a second, and rows for a second of CPU."""

    per_second: float
    per_cpu_second: float


Load = Callable[[Sequence[str]], None]


def measure(quick: bool) -> Question:
    rounds = 1 if quick else 9
    paces: dict[int, dict[str, Pace]] = {}
    for latency in LATENCIES_MS:
        with stand_in(latency) as store, lambdas_environment(store):
            paces[latency] = _in_turn({"worker": _worker(), "puts": _puts()}, rounds)
    with empty_table() as table:
        price = _priced(table)
    return _question(paces, price)


@contextlib.contextmanager
def lambdas_environment(store: StandIn) -> Iterator[None]:
    """Region, credentials and authorities, as the clients of both find them."""
    with patch.dict(
        os.environ,
        {
            "AWS_CA_BUNDLE": str(store.authorities),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_ENDPOINT_URL": f"https://localhost:{store.port}",
        },
    ):
        yield


def batch() -> list[str]:
    """The bodies of a batch, as a partner sends them: no two rows alike."""
    chunks = [range(first, first + ROWS_IN_CHUNK) for first in range(0, CHUNKS * ROWS_IN_CHUNK, ROWS_IN_CHUNK)]
    return [f'{{"version":1,"source":"bench","visits":[{",".join(map(_row, chunk))}]}}' for chunk in chunks]


def _row(number: int) -> str:
    date = FIRST + number * timedelta(minutes=30)
    return (
        f'{{"propertyId":"{PROPERTY_ID}","date":"{date:%Y-%m-%dT%H:%M:%SZ}","durationMinutes":30,"place":"At the gate",'
        f'"externalId":"{number}","visitor":{{"name":"Ada Example","email":"ada{number}@example.com"}}}}'
    )


def _read(bodies: Sequence[str]) -> list[Chunk]:
    return [read_message(body, Sending(str(uuid4()), "bench", "0")) for body in bodies]


def _services(dynamodb: Any, table: str = "visits-bench") -> Services:
    # No chunk is deleted from a queue here: that is one call for ten of them.
    return over(Table(dynamodb, table), SqsQueue(lambda: client("sqs", CLIENT), "visits-bench"))


def _worker() -> Load:
    worker = _services(client("dynamodb", CLIENT)).intake_worker

    def work(bodies: Sequence[str]) -> None:
        chunks = _read(bodies)
        assert worker.work(chunks, utc_now() + DEADLINE).finished == {chunk.key for chunk in chunks}

    return work


def _puts() -> Load:
    dynamodb = boto3.client("dynamodb")

    def put_one_by_one(bodies: Sequence[str]) -> None:
        for chunk in _read(bodies):
            for row in chunk.rows:
                assert isinstance(row.wish, BookVisit)
                item: Any = serialized(visit_item(_visit(row.wish)))
                dynamodb.put_item(TableName="visits-bench", Item=item, ConditionExpression="attribute_not_exists(pk)")

    return put_one_by_one


def _visit(wish: BookVisit) -> Visit:
    return Visit(
        id=str(uuid4()),
        property_id=wish.property_id,
        date=wish.date,
        duration_minutes=wish.duration_minutes,
        time_zone="Europe/Berlin",
        place=wish.place or "",
        status=Status.CONFIRMED,
        agent_id=None,
        visitor=wish.visitor,
        notes=None,
        cancellation=None,
        version=1,
        created_at=FIRST,
        updated_at=FIRST,
    )


def _in_turn(loads: dict[str, Load], rounds: int) -> dict[str, Pace]:
    bodies = batch()
    rows = CHUNKS * ROWS_IN_CHUNK
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
    for load in loads.values():  # connections
        load(bodies[:1])
    for _ in range(rounds):
        for name, load in loads.items():
            began, cpu = time.perf_counter(), time.process_time()
            load(bodies)
            taken[name].append((time.perf_counter() - began, time.process_time() - cpu))
    return {
        name: Pace(rows / median(wall for wall, _ in each), rows / median(cpu for _, cpu in each))
        for name, each in taken.items()
    }


@dataclass(frozen=True)
class Price:
    """What a row costs: calls, units to read, units to write its visit and slots, and to keep its outcome."""

    calls: Counter[str]
    read_units: float
    booking_units: float
    outcome_units: float


def _priced(table: EmptyTable) -> Price:
    services = _services(table.client, table.name)
    services.properties.register(HOUSE, PROPERTY_ID, None)
    services.signer.sign("warm", b"")
    rows = CHUNKS * ROWS_IN_CHUNK
    with recorded(table) as ledger:
        worked = services.intake_worker.work(_read(batch()), utc_now() + DEADLINE)
    assert [outcome.result for outcome in worked.recorded] == ["created"] * rows
    bookings = [entry for entry in ledger.entries if entry.call.operation == "TransactWriteItems"]
    others = [entry for entry in ledger.entries if entry.call.operation != "TransactWriteItems"]
    return Price(
        Counter(entry.call.operation for entry in ledger.entries),
        sum(entry.call.read_units for entry in ledger.entries) / rows,
        sum(entry.write_units for entry in bookings) / rows,
        sum(entry.write_units for entry in others) / rows,
    )


def _question(paces: dict[int, dict[str, Pace]], price: Price) -> Question:
    rows: list[Row] = []
    table: list[tuple[str, ...]] = []
    for latency, found in paces.items():
        worker, puts = found["worker"], found["puts"]
        for name, pace in (("worker", worker), ("one put after the other", puts)):
            ratios = f"{pace.per_second / puts.per_second:.2f}", f"{pace.per_cpu_second / puts.per_cpu_second:.2f}"
            figures = f"{pace.per_second:,.0f}", ratios[0], f"{pace.per_cpu_second:,.0f}", ratios[1]
            table.append((f"{latency} ms", name, *figures))
        ratio, of_cpu = worker.per_second / puts.per_second, worker.per_cpu_second / puts.per_cpu_second
        rows.append(Row(f"worker_rows_vs_sequential_{latency}ms", ratio, "ratio of rows per second"))
        rows.append(Row(f"worker_rows_per_cpu_vs_sequential_{latency}ms", of_cpu, "ratio of rows per CPU second"))
    number = CHUNKS * ROWS_IN_CHUNK
    per_row = price.calls.total() / number
    rows += [
        Row("worker_calls_per_row", per_row, "calls to DynamoDB"),
        Row("worker_read_units_per_row", price.read_units, "read units"),
        Row("worker_booking_write_units_per_row", price.booking_units, "write units"),
        Row("worker_outcome_write_units_per_row", price.outcome_units, "write units"),
        Row("worker_write_units_vs_booking", price.booking_units / BOOKING_UNITS, "ratio of write units"),
    ]
    calls = ", ".join(f"{count} {operation}" for operation, count in sorted(price.calls.items()))
    return Question(
        name="intake",
        title="How fast are rows worked off?",
        how=HOW,
        header=("store takes", "", "rows/s", "x puts", "rows per CPU second", "x puts"),
        table=table,
        bars=Bars(
            [f"{latency} ms" for latency in paces],
            {name: [paces[latency][name].per_second for latency in paces] for name in ("worker", "puts")},
            "rows per second",
        ),
        rows=rows,
        notes=(
            f"{number} rows were {calls}: {per_row:.2f} calls and {price.read_units:.2f} read units a row.",
            f"A row took {price.booking_units:g} write units; the formula for a booking of two quarters without agent"
            f" and key is 2 (1 + 2) + 2 = {BOOKING_UNITS}. Its share of the claims and outcomes of its chunk is another"
            f" {price.outcome_units:.2f}, which a booking over HTTP does not have.",
        ),
    )
