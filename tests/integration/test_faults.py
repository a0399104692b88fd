"""The promise of the intake, kept under fire: whatever fails, every row is accounted for exactly once.

Time runs SPEED times as fast in here, so that a claim outlives a killed worker by seconds. The same calls fail in
every run; VISITS_FAULT_SEED=<number> VISITS_FAULT_ROWS=10000 draws others, and more of them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import secrets
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.http.instants import instant_text
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.intakes import chunk_number, outcomes_key
from chalicelib.repositories.table import Table
from chalicelib.services import intake_worker
from tests.integration.api import Api, serve
from tests.integration.audit import everything, slot_audit
from tests.integration.chaos import Chaos, Fate, Killed, Process
from tests.integration.intake import Instance, Mailbox, Message, mailbox, partner_message, services_over
from tools.deliver.data_stack import create_table

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

ROWS = int(os.environ.get("VISITS_FAULT_ROWS") or 1_200)
SEED = 302473
"""With which even so few rows meet every kind of fault."""

BURST = 1_000
WORKERS = 3
BATCH = 4
SPEED = 10
OVERLOAD = 5
"""How much faster rows come in than they are worked off."""

VISIBILITY_SECONDS = 3
HANG_SECONDS = 900
"""Nothing is measured by it: it ends a test that would never end."""

PROPERTIES = 40
FIRST_DAY = datetime(2027, 1, 1, tzinfo=UTC)

Row = dict[str, Any]
Group = tuple[str, int]
"""Rows that meet one another: of a kind, by number."""

EXPECTED: dict[str, Counter[str]] = {
    "alone": Counter(created=1),
    "nameless": Counter(created=1),
    "wrong": Counter(rejected=1),
    "repeated": Counter(created=1, duplicate=1),
    "contested": Counter(created=1, rejected=1),
    "renamed": Counter(created=1, rejected=1),
}
"""What must become of the rows of a group, whichever comes first."""


class FastClock:
    """The present, in whole seconds that pass SPEED times as fast."""

    def __init__(self) -> None:
        self._start, self._began = datetime.now(UTC).replace(microsecond=0), time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=int((time.monotonic() - self._began) * SPEED))


def fast_sleep(seconds: float) -> None:
    time.sleep(seconds / SPEED)


def fast_monotonic() -> float:
    return time.monotonic() * SPEED


@dataclass
class Load:
    """Rows, what they are, and where they were handed in."""

    chance: random.Random
    rows: list[tuple[Group, Row]] = field(default_factory=list)
    intakes: dict[str, list[Group]] = field(default_factory=dict)
    """The groups of the rows of every intake that was accepted."""
    _slots: int = 0

    @classmethod
    def of(cls, count: int, chance: random.Random) -> Load:
        load = cls(chance)
        kinds = ("alone",) * 21 + ("nameless", "wrong", "repeated", "contested", "renamed")
        while len(load.rows) < count:
            load._add(chance.choice(kinds), len(load.rows))
        # The members of a group come far apart, or in the same chunk, as it happens.
        chance.shuffle(load.rows)
        return load

    def _add(self, kind: str, number: int) -> None:
        row = self._free() | {"externalId": f"{kind}-{number}"}
        members: dict[str, list[Row]] = {
            "alone": [row],
            "nameless": [{name: value for name, value in row.items() if name != "externalId"}],
            "wrong": [row | {"durationMinutes": 0}],
            "repeated": [row, dict(row)],
            "contested": [row, row | {"externalId": f"{kind}-{number}-rival"}],
            "renamed": [row, row | self._free() | {"notes": "another wish"}],
        }
        if kind == "contested":  # where one at a time is received
            members[kind] = [r | {"propertyId": f"p{int(r['propertyId'][1:]) // 2 * 2}"} for r in members[kind]]
        self.rows += [((kind, number), member) for member in members[kind]]

    def _free(self) -> Row:
        """A time that no other row asks for: a quarter hour of each pair of properties is given away once."""
        slot, self._slots = self._slots, self._slots + 1
        pair, quarter = slot % (PROPERTIES // 2), slot // (PROPERTIES // 2)
        date = FIRST_DAY + quarter * timedelta(minutes=15)
        return {"propertyId": f"p{2 * pair + slot // 7 % 2}", "date": instant_text(date), "durationMinutes": 5}


class Poller:
    """A worker as Lambda drives it: polls, hands over, deletes; once it is killed a new one comes."""

    def __init__(self, box: Mailbox, chaos: Chaos, clock: FastClock, name: str, echoes: list[list[Message]]) -> None:
        self._box, self._chaos, self._clock, self._name = box, chaos, clock, name
        self._echoes = echoes
        self.lives = 0
        self.finished = self.unfinished = 0

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.lives += 1
            with self._life() as (instance, poller):
                with contextlib.suppress(Killed):
                    self._work(instance, poller, stop)
                # A process takes its threads with it.
                cast(Any, instance.services.intake_worker)._pool.shutdown(wait=True)

    @contextlib.contextmanager
    def _life(self) -> Iterator[tuple[Instance, Any]]:
        table = self._box.table
        process = Process(self._chaos, f"{self._name}.{self.lives}", mortal=True)
        lambdas_own = Process(self._chaos, f"{self._name}.{self.lives} poller", mortal=False)
        own: Any = table.access
        dynamodb, sqs, poller = boto3.client("dynamodb", **own), boto3.client("sqs", **own), boto3.client("sqs", **own)
        process.watch(dynamodb, sqs)
        lambdas_own.watch(poller)
        with contextlib.closing(dynamodb), contextlib.closing(sqs), contextlib.closing(poller):
            yield Instance(dynamodb, sqs, fast_services(table, dynamodb, sqs, self._clock)), poller
        process.spare(dynamodb, sqs)
        lambdas_own.spare(poller)

    def _work(self, instance: Instance, sqs: Any, stop: threading.Event) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            chance = self._chaos.chance(self._name, self.lives, turn)
            with contextlib.suppress(ClientError, BotoCoreError):
                messages = self._next(sqs, chance)
                if messages:
                    self._hand_over(instance, sqs, messages, chance)

    def _next(self, sqs: Any, chance: random.Random) -> list[Message]:
        """What comes next: out of order; now and then, with what was handed out before, finished or not."""
        if self._echoes and chance.random() < 0.1:
            return self._echoes.pop(chance.randrange(len(self._echoes)))
        answer = sqs.receive_message(
            QueueUrl=self._box.url, MaxNumberOfMessages=BATCH, MessageSystemAttributeNames=["All"], WaitTimeSeconds=1
        )
        messages: list[Message] = answer.get("Messages", [])
        chance.shuffle(messages)
        if messages and chance.random() < 0.15:
            self._echoes.append(list(messages))
        return messages

    def _hand_over(self, instance: Instance, sqs: Any, messages: Sequence[Message], chance: random.Random) -> None:
        if chance.random() < 0.15:
            # Visible again while it is worked on: another worker gets it at once.
            receipt = messages[-1]["ReceiptHandle"]
            sqs.change_message_visibility(QueueUrl=self._box.url, ReceiptHandle=receipt, VisibilityTimeout=0)
        try:
            instance.handle(messages)
        except Exception:
            self.unfinished += 1
            return
        self.finished += 1
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=self._box.url, Entries=entries)


def fast_services(table: FreshTable, dynamodb: Any, sqs: Any, clock: FastClock) -> Any:
    store = Table(dynamodb, table.name, fast_sleep, fast_monotonic)
    return services_over(
        table, dynamodb, sqs, clock, store, SqsQueue(lambda: sqs, table.environment["QUEUE_NAME"], fast_sleep)
    )


class Callers:
    """Those who hand in: they send the same request again until it is accepted, and sometimes once more."""

    def __init__(self, api: Api, box: Mailbox, chaos: Chaos, load: Load) -> None:
        self._api, self._box, self._chaos, self._load = api, box, chaos, load
        self.refused = 0

    def hand_in_all(self, all_accepted: Callable[[int], None]) -> None:
        """In bursts: several callers at once, with intakes of several sizes; between bursts `all_accepted` may wait."""
        rows, handed_in = self._load.rows, 0
        with ThreadPoolExecutor(4) as pool:
            while handed_in < len(rows):
                burst, intakes = rows[handed_in : handed_in + BURST], []
                while burst:
                    size = self._load.chance.choice((1, 40, 150, 400, 1000))
                    intakes.append(burst[:size])
                    burst = burst[size:]
                list(pool.map(self._hand_in, range(handed_in, handed_in + len(intakes)), intakes))
                handed_in += sum(map(len, intakes))
                all_accepted(handed_in)

    def _hand_in(self, number: int, rows: list[tuple[Group, Row]]) -> None:
        chance = self._chaos.chance("caller", number)
        way = chance.choice(("members", "lines", "producer"))
        # Without a name of its own a row of a producer that sends again would be another row.
        if way == "producer" and len(rows) <= 100 and all(kind == "alone" for (kind, _), _ in rows):
            self._send_directly([row for _, row in rows])
            return
        location = ""
        for _ in range(1 + (chance.random() < 0.3)):
            location = self._until_accepted(way, number, [row for _, row in rows])
        self._load.intakes[location.rsplit("/", 1)[-1]] = [group for group, _ in rows]

    def _until_accepted(self, way: str, number: int, rows: list[Row]) -> str:
        for _ in range(100):
            key = f"key-{number}"
            if way == "lines":
                lines = "\n".join(map(json.dumps, rows))
                headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
                answer = self._api.http.post("/intakes", content=lines, headers=headers)
            else:
                answer = self._api.post("/intakes", {"visits": rows}, key)
            if answer.status_code == 202:
                return answer.headers["Location"]
            assert answer.status_code == 503, answer.text
            self.refused += 1
            fast_sleep(float(answer.headers["Retry-After"]))
        raise AssertionError("the intake was refused a hundred times")

    def _send_directly(self, rows: list[Row]) -> None:
        """As a producer does whose answer was lost: the same again, under another message id."""
        for start in range(0, len(rows), 25):
            self._box.send(*[partner_message(*rows[start : start + 25])] * (1 + (start % 2)))


@dataclass
class Run:
    """What came of a run, and what it took."""

    chaos: Chaos
    load: Load
    stored: list[dict[str, Any]]
    dead_letters: int
    refused: int
    told: str


def run(box: Mailbox, rows: int, seed: int, kill_more: int = 1) -> Run:
    """Hands in so many rows, five times as fast as they are worked off, while everything fails now and then."""
    logging.getLogger("visits").setLevel(logging.CRITICAL)
    chaos, clock = Chaos(seed, kill_more), FastClock()
    load = Load.of(rows, chaos.chance("load"))
    began = time.monotonic()
    stop, echoes = threading.Event(), list[list[Message]]()
    pollers = [Poller(box, chaos, clock, f"worker {n}", echoes) for n in range(WORKERS)]
    depths: list[int] = []

    def await_drain(handed_in: int) -> None:
        """Until a fifth of what was handed in so far is worked off: in comes five times what goes out."""
        _await(lambda: depth() * 25 <= handed_in * (1 - 1 / OVERLOAD))

    def depth() -> int:
        depths.append(box.waiting())
        return depths[-1]

    def _await(condition: Callable[[], bool]) -> None:
        while not condition():
            assert time.monotonic() - began < HANG_SECONDS, f"seed {seed}: it does not come to an end"
            assert not any(future.done() for future in working), "a worker has ended"
            stop.wait(0.1)

    with serve(box.table, clock) as api, ThreadPoolExecutor(WORKERS) as pool:
        for n in range(PROPERTIES):
            api.property(f"p{n}", capacity=1 + n % 2)
        server = Process(chaos, "server", mortal=False)
        clients = api.dynamodb, cast(SqsQueue, api.services.queue)._client
        server.watch(*clients)
        callers = Callers(api, box, chaos, load)
        working = [pool.submit(poller.run, stop) for poller in pollers]
        try:
            callers.hand_in_all(await_drain)
            handed_in_after = time.monotonic() - began
            _await(lambda: depth() == 0)
        finally:
            stop.set()
        for future in working:
            future.result()
        server.spare(*clients)
        seconds = time.monotonic() - began
        for intake, groups in load.intakes.items():
            assert_told_alike(api, intake, len(groups), seed)
    told = (
        f"seed {seed}: {len(load.rows)} rows handed in within {handed_in_after:.0f} s ({callers.refused} times 503), "
        f"worked off after {seconds:.0f} s ({len(load.rows) / seconds:.0f} rows a second), "
        f"at most {max(depths)} messages waiting, {sum(p.lives for p in pollers) - WORKERS} workers killed, "
        f"batches: {sum(p.finished for p in pollers)} finished, {sum(p.unfinished for p in pollers)} given back; "
        f"faults: { {str(fate): count for fate, count in sorted(chaos.seen.items())} }"
    )
    return Run(chaos, load, list(everything(box.table)), box.waiting(dead=True), callers.refused, told)


def assert_told_alike(api: Api, intake: str, rows: int, seed: int) -> None:
    """The intake is done and its counts, by HTTP, are those of its results, page by page."""
    told = api.get(f"/intakes/{intake}").json()
    counts = told["counts"]
    assert told["status"] == "done", f"seed {seed}: {told}"
    assert counts["total"] == rows, f"seed {seed}: {told}"
    path: str | None = f"/intakes/{intake}/results?limit=100"
    seen: list[dict[str, Any]] = []
    while path:
        answer = api.http.get(path)
        seen += answer.json()["items"]
        path = answer.links.get("next", {}).get("url")
    assert [result["row"] for result in seen] == list(range(rows)), f"seed {seed}: {intake}"
    statuses = Counter(result["status"] for result in seen)
    assert {name: statuses[name] for name in ("created", "duplicate", "rejected")} == {
        name: count for name, count in counts.items() if name != "total"
    }, f"seed {seed}: {intake}"


def unaccounted(run: Run) -> list[str]:
    """One line for each row and each visit that is not accounted for exactly once: none when all is well."""
    wrong: list[str] = []
    manifests = {i["pk"][2:]: i for i in run.stored if i["sk"] == "N"}
    visits = {i["id"]: i for i in run.stored if i["pk"].startswith("V#")}
    outcomes: dict[tuple[str, int], dict[str, Any]] = {}
    for intake, outcome in outcomes_told(run):
        place = (intake, int(outcome["row"]))
        wrong += [f"row {place} has two outcomes"] if place in outcomes else []
        outcomes[place] = outcome
    for id, manifest in manifests.items():
        wrong += [f"row {(id, n)} is lost" for n in range(int(manifest["rows"])) if (id, n) not in outcomes]
    wrong += [f"the intake {id} is lost" for id in run.load.intakes.keys() - manifests.keys()]
    if len(outcomes) != sum(int(manifest["rows"]) for manifest in manifests.values()):
        wrong.append("there are not as many outcomes as rows")
    # Every visit is the one of the row that it came from, and of no other.
    for id, visit in visits.items():
        origin = outcomes.get((visit["origin"]["intakeId"], int(visit["origin"]["row"])), {})
        if (origin.get("result"), origin.get("visitId")) != ("created", id):
            wrong.append(f"visit {id} is nobody's: the row that it came from says {origin.get('result')}")
    for place, outcome in outcomes.items():
        visit_of_row = visits.get(outcome.get("visitId", ""))
        if (outcome["result"] == "rejected") == (visit_of_row is not None):
            wrong.append(f"row {place} is {outcome['result']}, and its visit is {visit_of_row}")
    created = Counter(outcome["visitId"] for outcome in outcomes.values() if outcome["result"] == "created")
    wrong += [f"visit {id} was created {count} times" for id, count in created.items() if count > 1]
    wrong += _unexpected(run.load, outcomes)
    named = Counter(
        (manifests[place[0]]["producer"], outcome["externalId"])
        for place, outcome in outcomes.items()
        if outcome["result"] == "created" and "externalId" in outcome
    )
    wrong += [f"{name} was booked {count} times" for name, count in named.items() if count > 1]
    return wrong + slot_audit(run.stored)


def results_of(run: Run) -> Counter[str]:
    return Counter(outcome["result"] for _, outcome in outcomes_told(run))


def outcomes_told(run: Run) -> Iterator[tuple[str, dict[str, Any]]]:
    """The intake and the outcome of every row that a finished chunk vouches for."""
    vouched = {
        outcomes_key(chunk["pk"][2:], chunk_number(chunk), chunk["finishedBy"])["sk"] + chunk["pk"]
        for chunk in run.stored
        if "finishedBy" in chunk
    }
    for told in run.stored:
        if told["sk"] + told["pk"] in vouched:
            yield from ((told["pk"][2:], outcome) for outcome in told["outcomes"])


def _unexpected(load: Load, outcomes: dict[tuple[str, int], dict[str, Any]]) -> list[str]:
    """Groups of which something else became than must."""
    became: dict[Group, Counter[str]] = defaultdict(Counter)
    for intake, groups in load.intakes.items():
        for number, group in enumerate(groups):
            became[group][outcomes.get((intake, number), {}).get("result", "lost")] += 1
    return [f"{group} became {dict(results)}" for group, results in became.items() if results != EXPECTED[group[0]]]


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("VISITS_FAULT_SEED") or SEED)


@pytest.fixture
def box(table: FreshTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A queue that gives up on nothing: here every message is readable, and must be worked off in the end."""
    level = logging.getLogger("visits").level
    # Not the module's table: the accounts are those of one run.
    name = create_table(table.client, f"faults-{secrets.token_hex(3)}")
    own = replace(table, name=name, environment=table.environment | {"TABLE_NAME": name})
    with mailbox(own, VISIBILITY_SECONDS, receives=1000) as box:
        yield box
    logging.getLogger("visits").setLevel(level)


def test_every_row_is_accounted_for_exactly_once_whatever_fails(
    box: Mailbox, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nVISITS_FAULT_SEED={seed}", flush=True)  # noqa: T201 - to be seen also when it hangs
        done = run(box, ROWS, seed)
        print(done.told, results_of(done), sep="; ", flush=True)  # noqa: T201
    assert unaccounted(done) == [], done.told
    assert done.dead_letters == 0
    assert results_of(done).total() >= ROWS
    assert done.refused > 0, "callers are to meet a queue that is down"
    assert set(done.chaos.seen) == set(Fate), f"every kind of fault is to be seen: {done.told}"


def test_with_ids_that_do_not_follow_from_the_row_the_accounts_do_not_balance(
    box: Mailbox, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accounting can fail: it does as soon as a visit's id is drawn anew each time the row is worked off."""
    monkeypatch.setattr(intake_worker, "row_visit_id", lambda *_: str(uuid.uuid4()))
    done = run(box, 400, seed, kill_more=5)
    with pytest.raises(AssertionError, match=r"is nobody's|was booked \d+ times"):
        assert unaccounted(done) == []


def test_the_same_seed_makes_the_same_calls_fail() -> None:
    def fates(seed: int) -> list[Fate | None]:
        chaos = Chaos(seed)
        return [chaos.fate("TransactWriteItems", f"V#{n % 300}", mortal=True) for n in range(900)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    rows = [Load.of(200, Chaos(seed).chance("load")).rows for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]
