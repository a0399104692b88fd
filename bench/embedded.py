"""Our app on the embedded AWS: what its calls ask of the store as the table grows, and what a spike of rows does."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final
from unittest.mock import patch

import boto3
from boto3.dynamodb.types import TypeDeserializer
from chalice.app import Chalice
from chalice.local import LambdaContext
from matplotlib.figure import Figure

from bench.rows import Figures, Question, Row, Scale, alone
from bench.samples import HOUSE, batch, request, row, visits
from chalicelib import container
from chalicelib.aws.clients import client
from chalicelib.domain.intakes import ROWS_IN_CHUNK
from chalicelib.domain.visits import Visit
from chalicelib.functions import Function
from chalicelib.repositories.visits import visit_item
from chalicelib.services.intakes import Submission
from devstack.api import STAGE, load_app
from devstack.emulator import emulator
from devstack.worker import QueueWorker, working
from tools.deliver.data_stack import create_data_stack

WORKERS: Final = 2
HOUSES: Final = 60
INTAKE_ROWS: Final = 100
USUAL, TIMES = 0.6, 5  # of what the worker takes


@contextlib.contextmanager
def embedded() -> Iterator[Chalice]:
    """The app on an embedded AWS of its own, in a process that is left with its environment."""
    # A line for each call would bury the result.
    logging.getLogger("visits").setLevel(logging.WARNING)
    with emulator() as aws:
        create_data_stack(aws.endpoint, STAGE)
        app, _ = load_app(STAGE, {"AWS_ENDPOINT_URL": aws.endpoint})
        for n in range(HOUSES):
            container.services().properties.register(HOUSE, f"house-{n}", None)
        yield app


def growth_rows(scale: Scale) -> Iterator[Row]:
    costs = alone(costs_by_size, scale.visits)
    sizes = list(costs)
    for name in costs[sizes[0]]:
        rivals = {f"{size:,} visits": functools.partial(costs[size].__getitem__, name) for size in sizes}
        yield Row(name, rivals, f"{sizes[0]:,} visits")


def costs_by_size(sizes: Sequence[int]) -> dict[int, dict[str, Figures]]:
    meter = Meter()
    with patch.object(container, "client", meter.client), embedded() as app:
        day = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=200)
        load(visits(INTAKE_ROWS, day, property_id="watched-house", agent_id="watched-agent"))
        others = visits(max(sizes), day + timedelta(days=300), property_id="other-house", agent_id="other-agent")
        costs, loaded = {}, INTAKE_ROWS
        for place, size in enumerate(sizes):
            load(islice(others, size - loaded))
            loaded = size
            costs[size] = dict(asked(app, meter, f"house-{place}", day))
    return costs


class Meter:
    """What the clients that it makes ask of DynamoDB: calls, items read, and the emulator's write units."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()

    def client(self, *arguments: Any) -> Any:
        made = client(*arguments)
        made.meta.events.register("before-parameter-build.dynamodb", self._ask)
        made.meta.events.register("after-call.dynamodb", self._note)
        return made

    def read(self) -> Figures:
        """Since it was read last."""
        found, self._counted = self._counted, Counter()
        return {name: found[name] for name in ("calls", "items read", "write units")}

    @staticmethod
    def _ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _note(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        self._counted["calls"] += 1
        if model.name in ("GetItem", "Query"):
            self._counted["items read"] += parsed.get("ScannedCount", 1)
        else:
            tables = parsed["ConsumedCapacity"]
            self._counted["write units"] += sum(
                one["CapacityUnits"] for one in (tables if isinstance(tables, list) else [tables])
            )


def load(found: Iterable[Visit]) -> None:
    """Puts many visits into the table, without slots: no list looks at them."""
    with boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]).batch_writer() as writer:
        for visit in found:
            writer.put_item(Item=dict(visit_item(visit)))


def asked(app: Chalice, meter: Meter, house: str, begin: datetime) -> Iterator[tuple[str, Figures]]:
    """What is asked of the store, call by call, on a house of its own."""
    context, path = LambdaContext("bench", 1769, max_runtime_ms=60_000), {"property_id": house, "visit_id": ""}
    for name, method, resource, body in calls(house, begin):
        # An instance reads the keys anew now and then: before what is measured, not in it.
        container.services().signer.sign("warm", b"")
        meter.read()
        own = {parameter: value for parameter, value in path.items() if f"{{{parameter}}}" in resource}
        answer: Any = app(request(method, resource, body, **own), context)
        assert answer["statusCode"] < 300, (name, answer)
        if resource == "/visits":
            path["visit_id"] = json.loads(answer["body"])["id"]
        yield name, meter.read()
    app.handler_map[Function.WORKER](batch(1, 1, property_id=house), context)
    yield "work off one row", meter.read()


def calls(house: str, begin: datetime) -> Iterator[tuple[str, str, str, object]]:
    """Those that find visits, and those of a visit's life."""
    first, last = (f"{begin + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (0, 30))
    # Not in the month that is listed: by chance an index has one part more to read for them.
    at = [f"{begin + timedelta(days=60 + day):%Y-%m-%dT%H:%M:%SZ}" for day in range(31)]
    visit = {"propertyId": house, "date": at[0], "place": "At the gate", "agentId": f"agent-{house}"}
    yield "book", "POST", "/visits", visit
    yield "read a visit", "GET", "/visits/{visit_id}", None
    yield "reschedule", "PATCH", "/visits/{visit_id}", {"date": at[1]}
    yield "read a property", "GET", "/properties/{property_id}", None
    yield "list properties", "GET", "/properties?limit=20", None
    yield "busy times of a week", "GET", "/properties/{property_id}/busy", None
    yield "list of a property", "GET", "/visits?propertyId=watched-house&limit=50", None
    yield "list of an agent", "GET", "/visits?agentId=watched-agent&limit=50", None
    yield "list of a month", "GET", f"/visits?from={first}&to={last}&limit=50", None
    yield "list by status", "GET", "/visits?propertyId=watched-house&status=confirmed&limit=50", None
    yield "export a property", "GET", "/visits/export?propertyId=watched-house&format=csv", None
    yield "hand in rows", "POST", "/intakes", {"visits": [visit | {"date": date} for date in at[2:]]}
    yield "cancel", "PUT", "/visits/{visit_id}/status", {"status": "cancelled"}


def spike_rows(scale: Scale) -> Iterator[Row]:
    yield Row("spike", {"worker": lambda: alone(measure, scale)}, None)


class Producer:
    """Hands in intakes of a hundred rows, all of them for other times, and looks how deep the queue is."""

    def __init__(self, sqs: Any, queue: str) -> None:
        self.accepted = 0
        self.depths: list[tuple[float, int]] = []
        self._sqs, self._url = sqs, sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self._began = time.monotonic()

    def hand_in(self, seconds: float, rows_per_second: float) -> float:
        """At an even rate, as well as it can be kept; gives when it ended."""
        began, first = time.monotonic(), self.accepted
        while (passed := time.monotonic() - began) < seconds:
            if self.accepted - first < passed * rows_per_second:
                numbers = range(self.accepted, self.accepted + INTAKE_ROWS)
                wishes = [json.dumps(row(n // HOUSES, f"house-{n % HOUSES}")) for n in numbers]
                container.services().intakes.hand_in(Submission("bench", wishes, key=None))
                self.accepted += INTAKE_ROWS
            self.depth()
        return self.depths[-1][0]

    def drained(self) -> float:
        """When the queue was empty."""
        while self.depth():
            time.sleep(0.05)
        return self.depths[-1][0]

    def depth(self) -> int:
        """How many rows are in the queue, handed out or not."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts: Any = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        self.depths.append((time.monotonic() - self._began, sum(int(counts[name]) for name in names) * ROWS_IN_CHUNK))
        return self.depths[-1][1]


def measure(scale: Scale) -> Figures:
    seconds = scale.spike_seconds
    with embedded() as app:
        queue, handler = os.environ["QUEUE_NAME"], app.handler_map[Function.WORKER]
        with working(*(QueueWorker(handler, boto3.client("sqs"), queue) for _ in range(WORKERS))):
            producer = Producer(boto3.client("sqs"), queue)
            producer.hand_in(seconds / 4, scale.spike_warm_up / seconds * 4)
            rate = producer.accepted / producer.drained()
            began = producer.hand_in(seconds / 1.5, USUAL * rate)
            ended = producer.hand_in(seconds, TIMES * rate)
            producer.hand_in(seconds / 1.5, USUAL * rate)
            drained = producer.drained()
        made, registered = accounts()
    draw(scale.spike_picture, producer.depths, (began, ended), rate)
    return {
        "worker, rows/s": rate,
        "accepted": producer.accepted,
        "visits": made,
        "lost": producer.accepted - registered,
        "doubled": made - registered,
        "most rows waiting": max(depth for _, depth in producer.depths),
        "s to drain after the spike": drained - ended,
    }


def accounts() -> tuple[int, int]:
    """Visits, and rows that have a visit and an outcome: from the table, not from what was told."""
    made, told, loaded = Counter[str](), set[str](), TypeDeserializer().deserialize
    pages = boto3.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=os.environ["TABLE_NAME"], ConsistentRead=True):
        for item in page["Items"]:
            if item["pk"]["S"].startswith("V#"):
                made["{intakeId} {row}".format_map(loaded(item["origin"]))] += 1
            elif "outcomes" in item:
                told |= {f"{item['pk']['S'][2:]} {outcome['row']}" for outcome in loaded(item["outcomes"])}
    return made.total(), len(made.keys() & told)


def draw(picture: str, depths: Sequence[tuple[float, int]], spike: tuple[float, float], rate: float) -> None:
    drawing = Figure(figsize=(8, 3.6), dpi=100, layout="constrained")
    axes = drawing.add_subplot(xlabel="seconds", ylabel="rows waiting", xlim=(0, depths[-1][0]))
    axes.set_title(f"Queue depth under a spike (embedded AWS, worker at about {rate:,.0f} rows/s)", fontsize=11)
    axes.axvspan(*spike, color="#f4d9a8", label=f"spike: {TIMES} times what the worker takes")
    times, waiting = zip(*depths, strict=True)
    axes.fill_between(times, waiting, color="#3d6b99", label="rows in the queue")
    axes.legend(loc="upper right", frameon=False)
    drawing.savefig(picture, format="png")


GROWTH: Final = Question(
    "Does a call cost more in a larger table?",
    "Calls on the embedded AWS, among few visits and among many more of another property, agent and time. Its write\n"
    "units leave some indexes out; tests/integration/test_units.py holds what AWS charges.",
    growth_rows,
)
SPIKE: Final = Question(
    "What does a spike do?",
    f"{WORKERS} workers get {USUAL} of what they take, {TIMES} times that, and {USUAL} again, on the embedded AWS.\n"
    "It says nothing of AWS. The rows are counted in the table.",
    spike_rows,
)
