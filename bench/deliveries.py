"""Events of many visits on their way to a receiver that does everything wrong, with one beside it that is dead.

All of it is real but the length of pauses: intake, worker, stream, relay, queues and webhooks over the embedded AWS,
and a receiver that fails a third of the time, is slow, closes connections before it has taken an event and after, and
restarts. It verifies signatures with the library of Standard Webhooks. The dead one takes connections and never
answers.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from unittest.mock import patch

import boto3
import standardwebhooks

from bench.embedded import HOUSES, INTAKE_ROWS, embedded
from bench.rows import Figures, Question, Row, Scale, alone
from bench.samples import row
from chalicelib import container
from chalicelib.domain import webhooks
from chalicelib.domain.events import Event
from chalicelib.domain.visits import Status
from chalicelib.functions import FUNCTIONS, Function
from chalicelib.repositories import receivers
from chalicelib.services.events import Events
from chalicelib.services.intakes import Submission
from chalicelib.settings import REPORT_FAILURES
from devstack.stream import StreamPoller
from devstack.worker import QueueWorker, Runs, working

FIRST_PAUSE: Final = timedelta(milliseconds=2)
LONGEST_PAUSE: Final = timedelta(seconds=2)
"""Instead of five seconds and twelve hours: whoever is dead is asked now and then, whoever fails at once."""

FAILS: Final = 1 / 3
SLOW_SECONDS: Final = 0.05
RESTARTS: Final = 4

chance = random.Random(2027).random


class Receiver:
    """Takes events by their rules: verifies, drops ids that it has seen, and keeps what is left in its order."""

    def __init__(self) -> None:
        self.asked = 0
        self.doubles = 0
        self.forged = 0
        self.kept: dict[str, int] = {}
        """By id, in the order in which they came; the sequence numbers are those of the feed."""
        self.versions: dict[str, list[int]] = defaultdict(list)
        self.verifier: standardwebhooks.Webhook | None = None
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def start(self) -> None:
        receiver = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Hook)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        body = call.rfile.read(int(call.headers["Content-Length"]))
        with self._lock:
            self.asked += 1
            fails, slow, how = chance() < FAILS, chance() < 0.05, chance()
            takes = not fails or how > 0.75
            if takes:
                self._take(body, dict(call.headers))
        if slow:
            time.sleep(SLOW_SECONDS)
        if fails and how > 0.5:  # before it has taken the event, or after: whoever sent it cannot tell
            call.close_connection = True
            call.connection.close()
            return
        call.send_response((500, 503)[how > 0.25] if fails else 204)
        call.send_header("Content-Length", "0")
        call.end_headers()

    def _take(self, body: bytes, headers: Mapping[str, str]) -> None:
        assert self.verifier is not None
        try:
            self.verifier.verify(body, {name.lower(): value for name, value in headers.items()})
        except standardwebhooks.WebhookVerificationError:
            self.forged += 1
            return
        event = json.loads(body)
        if event["id"] in self.kept:
            self.doubles += 1
            return
        self.kept[event["id"]] = len(self.kept)
        if event["type"].startswith("visit."):
            self.versions[event["data"]["visitId"]].append(event["data"]["version"])


class Follower:
    """The whole feed, as far as it was read."""

    def __init__(self, events: Events, deadline: float) -> None:
        self._events = events
        self._deadline = deadline
        self._position = events.oldest()
        self.told: list[Event] = []

    def until(self, number: int) -> Sequence[Event]:
        """Reads until there are so many events of visits."""
        while len(self.visits) < number:
            assert time.monotonic() < self._deadline, f"the feed has {len(self.visits)} events, not {number}"
            stretch = self._events.read(self._position, 100)
            self.told += [told.event for told in stretch.told]
            self._position = stretch.next
            if not stretch.told:
                time.sleep(0.1)
        return self.visits

    @property
    def visits(self) -> Sequence[Event]:
        return self.told[HOUSES:]  # which are registered first


def measure(visits: int, patience_seconds: float, beside: bool) -> Figures:
    with embedded() as app, _shortened(), socket.create_server(("127.0.0.1", 0)) as dead:
        os.environ["FUNCTION_RESPONSE_TYPES"] = REPORT_FAILURES
        services, receiver = container.services(), Receiver()
        receiver.start()
        live = services.webhooks.register(f"http://127.0.0.1:{receiver.port}/hook", frozenset())
        receiver.verifier = standardwebhooks.Webhook(webhooks.shown(live.secret))
        deaf = services.webhooks.register(f"http://127.0.0.1:{dead.getsockname()[1]}/", frozenset()) if beside else None
        began = time.monotonic()
        deadline = began + patience_seconds
        with working(*_workers(app.handler_map)):
            told = _happen(visits, deadline)
            _restart_until_it_has(receiver, len(told), deadline)
            took = time.monotonic() - began
        receiver.stop()
        failing = services.webhooks.get(deaf.id).failing if deaf is not None else None
    return {
        "visits": visits,
        "events": len(told),
        "lost": len({event.id for event in told} - receiver.kept.keys()),
        "out of order": sum(seen != list(range(1, len(seen) + 1)) for seen in receiver.versions.values()),
        "forged": receiver.forged,
        "posted": receiver.asked,
        "came again, dropped by id": receiver.doubles,
        "tries of the dead one": failing.tries if failing is not None else 0,
        "events/s": len(told) / took,
    }


@contextlib.contextmanager
def _shortened() -> Iterator[None]:
    with (
        patch.object(webhooks, "FIRST_PAUSE", FIRST_PAUSE),
        patch.object(webhooks, "LONGEST_PAUSE", LONGEST_PAUSE),
        patch.object(receivers, "TIMEOUT_SECONDS", 1),
    ):
        yield


def _workers(handlers: Mapping[str, Any]) -> Iterator[Runs]:
    dynamodb, streams = boto3.client("dynamodb"), boto3.client("dynamodbstreams")
    yield StreamPoller(handlers[Function.RELAY], dynamodb, streams, os.environ["TABLE_NAME"])
    # Lambda has as many of `deliver` at work as there are webhooks; here there are two.
    for function in (Function.WORKER, Function.DELIVER, Function.DELIVER):
        name = f"{os.environ['QUEUE_NAME']}{FUNCTIONS[function].fed_by}"
        yield QueueWorker(handlers[function], boto3.client("sqs"), name, function, (REPORT_FAILURES,))


def _happen(visits: int, deadline: float) -> Sequence[Event]:
    """Visits are handed in, and a tenth of them is cancelled or erased; gives all that the feed says then."""
    services = container.services()
    for first in range(0, visits, INTAKE_ROWS):
        numbers = range(first, min(first + INTAKE_ROWS, visits))
        wishes = [json.dumps(row(n // HOUSES, f"house-{n % HOUSES}")) for n in numbers]
        services.intakes.hand_in(Submission("bench", wishes, key=None))
    feed = Follower(services.events, deadline)
    some = [str(event.data["visitId"]) for event in feed.until(visits)[::10]]
    for n, id in enumerate(some):
        if n % 2:
            services.visits.change_status(id, Status.CANCELLED, None)
        services.visits.erase_visitor(id)
    return feed.until(visits + len(some) + len(some) // 2)


def _restart_until_it_has(receiver: Receiver, number: int, deadline: float) -> None:
    for part in range(1, RESTARTS + 2):
        while sum(map(len, receiver.versions.values())) < number * part / (RESTARTS + 1):
            assert time.monotonic() < deadline, f"it has {len(receiver.kept)} events, not {number}"
            time.sleep(0.05)
        if part <= RESTARTS:
            receiver.stop()
            time.sleep(0.3)
            receiver.start()


def rows(scale: Scale) -> Iterator[Row]:
    rivals = {
        name: functools.partial(alone, measure, scale.delivered, scale.patience_seconds, beside)
        for name, beside in (("beside a dead one", True), ("without", False))
    }
    yield Row("deliveries", rivals, None)


DELIVERIES: Final = Question(
    "Does a webhook get everything?",
    "Visits through the intake, a tenth of them erased and half of those cancelled, to a receiver that fails a third\n"
    "of the time, is slow, closes connections and restarts, with and without a second one that never answers. On the\n"
    "embedded AWS, with pauses of milliseconds instead of seconds to hours.",
    rows,
)
