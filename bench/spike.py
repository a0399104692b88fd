"""A spike: five times the usual rows for some seconds, through the queue and the worker of the embedded AWS.

Prints what was accepted and what became of it, and draws how deep the queue was. The figures are those of an
emulator on the machine at hand: they compare one version of our code with another, and say nothing of AWS.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

from chalicelib.container import CLIENT, services
from chalicelib.domain.intakes import ROWS_IN_CHUNK
from chalicelib.domain.properties import PropertyDetails
from chalicelib.functions import Function
from chalicelib.services.intakes import Submission
from chalicelib.services.wired import Services
from devstack.emulator import emulator
from devstack.server import STAGE, load_app
from devstack.worker import QueueWorker, working
from tools.deliver.data_stack import create_data_stack
from tools.failure import CannotGoOn
from tools.project import ROOT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

WORKERS = 2
PROPERTIES = 40
INTAKE_ROWS = 100
WARM_UP_ROWS = 1500
USUAL_LOAD = 0.6
"""Of what the worker takes; the spike is so many times the worker's rate:"""
SPIKE = 5
FIRST_DAY = datetime(2027, 1, 1, tzinfo=UTC)
FIGURE = ROOT / "docs" / "spike.png"


@dataclass
class Feed:
    """A producer: intakes of a hundred rows, no two of them for the same time."""

    desk: Services
    accepted: int = 0

    def hand_in(self) -> None:
        rows = [json.dumps(self._row(n)) for n in range(self.accepted, self.accepted + INTAKE_ROWS)]
        self.desk.intakes.hand_in(Submission("bench", rows, key=None))
        self.accepted += INTAKE_ROWS

    def hand_in_for(self, seconds: float, rows_per_second: float) -> None:
        """At an even rate, as well as it can be kept."""
        began, first = time.monotonic(), self.accepted
        while (passed := time.monotonic() - began) < seconds:
            if self.accepted - first < passed * rows_per_second:
                self.hand_in()
            else:
                time.sleep(0.01)

    def _row(self, number: int) -> dict[str, Any]:
        date = FIRST_DAY + (number // PROPERTIES) * timedelta(minutes=15)
        return {
            "propertyId": f"house-{number % PROPERTIES}",
            "date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "durationMinutes": 15,
            "externalId": str(number),
        }


@dataclass
class Gauge:
    """How many rows are in the queue, handed out or not, looked at all the time."""

    sqs: SQSClient
    url: str
    began: float = field(default_factory=time.monotonic)
    readings: list[tuple[float, int]] = field(default_factory=list)

    def read(self) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts: Any = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        rows = sum(int(counts[name]) for name in names) * ROWS_IN_CHUNK
        self.readings.append((self.now(), rows))
        return rows

    def now(self) -> float:
        return time.monotonic() - self.began

    def watch(self, stop: threading.Event) -> None:
        while not stop.wait(0.1):
            self.read()

    def wait_until_empty(self) -> None:
        while self.read():
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make spike", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="how long the spike lasts")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="where the picture goes")
    arguments = parser.parse_args()
    # A line for each batch would bury the result.
    logging.getLogger("visits").setLevel(logging.WARNING)
    with emulator() as aws:
        create_data_stack(aws.endpoint, STAGE)
        app, _ = load_app(STAGE, {"AWS_ENDPOINT_URL": aws.endpoint})
        sqs = boto3.client("sqs", config=CLIENT)
        url = sqs.get_queue_url(QueueName=os.environ["QUEUE_NAME"])["QueueUrl"]
        feed = Feed(services())
        for n in range(PROPERTIES):
            details = PropertyDetails("House", "Lane 1", Decimal(1), "EUR", "Europe/Berlin", 1, True)
            feed.desk.properties.register(details, f"house-{n}", None)
        handler = app.handler_map[Function.WORKER]
        queue = os.environ["QUEUE_NAME"]
        workers = [QueueWorker(handler, boto3.client("sqs", config=CLIENT), queue) for _ in range(WORKERS)]
        with working(*workers):
            rate = _worker_rate(feed, Gauge(sqs, url))
            print(f"the worker takes {rate:,.0f} rows a second; the spike is {SPIKE} times that", flush=True)
            gauge = Gauge(sqs, url)
            stop = threading.Event()
            watching = threading.Thread(target=gauge.watch, args=(stop,), daemon=True)
            watching.start()
            before = feed.accepted
            feed.hand_in_for(4, USUAL_LOAD * rate)
            spike_began = gauge.now()
            feed.hand_in_for(arguments.seconds, SPIKE * rate)
            spike_ended = gauge.now()
            feed.hand_in_for(4, USUAL_LOAD * rate)
            all_in = gauge.now()
            gauge.wait_until_empty()
            drained = gauge.now()
            stop.set()
            watching.join()
        created, lost, doubled = _accounts(feed.accepted)
    rows = feed.accepted - before
    peak = max(depth for _, depth in gauge.readings)
    _print(
        {
            "rows accepted": f"{feed.accepted:,} (with {before:,} to warm up)",
            "visits created": f"{created:,}",
            "lost": f"{lost:,}",
            "doubled": f"{doubled:,}",
            "most rows waiting": f"{peak:,}",
            "drain time": f"{drained - spike_ended:.1f} s after the spike, {drained - all_in:.1f} s after the last row",
            "rows per second": f"{rows / drained:,.0f} worked off, {rows / all_in:,.0f} accepted",
        }
    )
    _draw(arguments.figure, gauge.readings, (spike_began, spike_ended), rate)
    print(f"{arguments.figure} shows the queue")


def _worker_rate(feed: Feed, gauge: Gauge) -> float:
    """Rows a second while there is always something to do."""
    began = time.monotonic()
    while feed.accepted < WARM_UP_ROWS:
        feed.hand_in()
    gauge.wait_until_empty()
    return feed.accepted / (time.monotonic() - began)


def _accounts(accepted: int) -> tuple[int, int, int]:
    """Visits; rows without an outcome or a visit; visits beyond one a row. From the table, not from what was told."""
    found: Counter[str] = Counter()
    told: set[str] = set()
    loaded = TypeDeserializer().deserialize
    pages = boto3.client("dynamodb", config=CLIENT).get_paginator("scan")
    for page in pages.paginate(TableName=os.environ["TABLE_NAME"], ConsistentRead=True):
        for item in page["Items"]:
            if item["pk"]["S"].startswith("V#"):
                found[f"{loaded(item['origin'])['intakeId']} {loaded(item['origin'])['row']}"] += 1
            elif "outcomes" in item:
                told |= {f"{item['pk']['S'][2:]} {outcome['row']}" for outcome in loaded(item["outcomes"])}
    return found.total(), accepted - len(found.keys() & told), found.total() - len(found)


def _print(figures: dict[str, str]) -> None:
    print("\nfigures of the emulator, on this machine:")
    for name, figure in figures.items():
        print(f"  {name:18} {figure}")


def _draw(path: Path, readings: list[tuple[float, int]], spike: tuple[float, float], rate: float) -> None:
    # Here, so that who only wants the figures need not wait for the largest of our development packages.
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    readings = sorted(readings)
    times, depths = zip(*readings, strict=True)
    drawing, axes = plt.subplots(figsize=(8, 3.6), dpi=100)
    axes.axvspan(*spike, color="#f4d9a8", label=f"spike: {SPIKE} times what the worker takes")
    axes.fill_between(times, depths, color="#3d6b99", alpha=0.25, linewidth=0)
    axes.plot(times, depths, color="#2b5580", linewidth=1.8, label="rows in the queue")
    axes.set_xlim(0, times[-1])
    axes.set_ylim(0, max(depths) * 1.12)
    axes.set_xlabel("seconds")
    axes.set_ylabel("rows waiting")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_title(f"Queue depth under a spike (embedded AWS, worker at about {rate:,.0f} rows/s)", fontsize=11)
    axes.legend(loc="upper right", frameon=False)
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    drawing.tight_layout()
    drawing.savefig(path)
    plt.close(drawing)


if __name__ == "__main__":
    try:
        main()
    except CannotGoOn as why:
        sys.exit(str(why))
