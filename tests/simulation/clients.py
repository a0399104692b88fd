"""Who does what: clients who call the app, workers who are handed batches, operators who look after keys."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

from chalice.app import Chalice

import app as entry
from chalicelib import journal
from chalicelib.container import OverTable
from chalicelib.domain.api_keys import InvalidKeyRequest, Scope
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.events import Position
from chalicelib.domain.signing_keys import RotationUnderWay
from chalicelib.repositories.agents import agent_item
from chalicelib.repositories.api_keys import API_KEYS, DynamoApiKeys
from chalicelib.repositories.events import DynamoEvents
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.properties import property_item
from chalicelib.repositories.signing_keys import DynamoSigningKeys
from chalicelib.repositories.table import ConditionsFailed, Table, serialized
from chalicelib.services.api_keys import ApiKeys
from chalicelib.services.wired import Services
from tests.builders import a_property, an_agent, event
from tests.fakes import FakeOutbox, FakeQueue, FakeReceivers, FakeWebhookQueue
from tests.simulation.history import Kind, Step
from tests.simulation.invariants import DAY, FORGOTTEN_FOR_SURE, KEPT_FOR_SURE, Attempt, Row, Truth, Wish
from tests.simulation.queue import LAMBDA_SECONDS, VISIBILITY_SECONDS, Message, Queue, SqsClient, event_of
from tests.simulation.store import Change, DynamoClient, ItemKey, Line, Store, Trouble
from tests.simulation.stream import RELAY_SECONDS, Shard, Stream
from tests.simulation.world import Actor, Violated, World

START: Final = datetime(2027, 3, 10, 12, 0, tzinfo=UTC)
HOUSES: Final = {"house-1": 1, "house-2": 1, "house-3": 2}
AGENTS: Final = (None, None, None, "ann", "bob")
CALLERS: Final = ("feed", "partner")
ADDRESSES: Final = ("eve@example.com", "Eve@Example.com", "adam@example.com")
"""Of two people."""
RULES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"gapMinutes": 15},
    {"gapMinutes": 30, "noticeMinutes": 60},
    # Berlin is an hour or two ahead, and visits are from nine to one o'clock of UTC.
    {"weekly": {day: [["10:00", "13:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}},
)
"""What a house may be told."""
TRAVEL: Final = {"bob": 30}
"""Ann is nobody that anybody registered."""
GATEWAY_SECONDS: Final = 29.0
FUNCTION_SECONDS: Final = 30.0
JSON: Final = {"content-type": "application/json"}


class InThisThread:
    """An executor that does at once what it is given."""

    def submit(self, work: Callable[..., Any], *given: Any) -> Any:
        try:
            result, fault = work(*given), None
        except Exception as raised:
            result, fault = None, raised

        def answer() -> Any:
            if fault is not None:
                raise fault
            return result

        return SimpleNamespace(result=answer)


@dataclass(frozen=True)
class Context:
    """What Lambda says to a function."""

    remaining: Callable[[], float]
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining() * 1000)


class Simulation:
    """One history, and the world in which it happens."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.world = world = World(START)
        self.truth = Truth(world)
        self.stream = Stream(world)
        self._read_up_to = Position(1, 0)
        self.store = self.truth.store = Store(world, self._committed)
        self.queue = Queue(world, self.truth.sent)
        self._line = Line(world, self._trouble)
        self._idle: list[Services] = []
        self.wishes: dict[int, Wish] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        """Of the API keys that were issued: whose, and the key itself."""
        self.revoked: dict[str, float] = {}
        self._rng = Random(seed)
        self.store.lag = lambda: self._rng.choice((0.02, 0.02, 0.1, 5.0, 60.0))
        self.truth.capacity |= HOUSES
        for house, capacity in HOUSES.items():
            self.store.put_by_hand(serialized(property_item(a_property(house, capacity=capacity))))
        for agent, travel in TRAVEL.items():
            self.store.put_by_hand(serialized(agent_item(an_agent(agent, travel_minutes=travel))))
        self.truth.travel |= TRAVEL

    def _committed(self, actor: Actor | None, changes: Sequence[Change]) -> None:
        self.stream.add(changes)
        self.truth.watch(actor, changes)

    def play(self, steps: Sequence[Step]) -> None:
        """Raises Violated as soon as something does not hold."""
        with _on_stage(self):
            try:
                for step in steps:
                    self._begin(step)
                    if step.pause is None:
                        self.world.settle()
                    else:
                        self.world.run(step.pause)
                self._come_to_rest()
            finally:
                self.world.end()

    # Steps

    def _begin(self, step: Step) -> None:
        rng = Random(step.salt)
        match step.kind:
            case Kind.WAIT:
                self._wait(step, rng)
            case Kind.PLANT:
                self._plant(step, rng)
            case _:
                perform = self._performance(step, rng)
                if perform is not None:
                    self._start(f"{step.number:3} {step.kind}", rng, perform, step)

    def _performance(self, step: Step, rng: Random) -> Callable[[], None] | None:
        match step.kind:
            case Kind.BOOK | Kind.BOOK_KEYLESS | Kind.HAND_IN | Kind.HAND_IN_KEYLESS:
                intake = step.kind in (Kind.HAND_IN, Kind.HAND_IN_KEYLESS)
                key = None if step.kind in (Kind.BOOK_KEYLESS, Kind.HAND_IN_KEYLESS) else f"key-{step.number}"
                wish = self._new_wish(step.number, intake, rng, key)
                return lambda: self._ask(wish, step, rng)
            case Kind.DELIVER:
                batch = self.queue.receive(rng)
                return (lambda: self._work_off(batch)) if batch else None
            case Kind.RELAY:
                taken = self.stream.take(rng)
                return (lambda: self._relay(*taken)) if taken else None
            case Kind.SEARCH | Kind.FORGET:
                return lambda: self._about_a_person(step, rng)
            case Kind.ISSUE | Kind.ROTATE | Kind.REVOKE | Kind.ADMIT:
                return lambda: self._operate(step, rng)
            case Kind.SET_RULES:
                return lambda: self._set_rules(rng)
            case Kind.ROTATE_SIGNING:
                return self._rotate_signing
        about = self.wishes.get(step.about)
        if about is None:
            return None
        match step.kind:
            case Kind.AGAIN | Kind.RESPELL:
                return (lambda: self._ask(about, step, rng)) if self._may_ask_again(about) else None
            case Kind.REUSE:
                return self._reuse(about, step, rng)
        made = [id for id in about.rows[0].made if not about.intake]
        return (lambda: self._change(made[-1], step, rng)) if made else None

    def _may_ask_again(self, wish: Wish) -> bool:
        """Not when nobody could say whether the key is still remembered."""
        if wish.key is None:
            return True
        now = self.world.now
        return now - wish.last_asked > FORGOTTEN_FOR_SURE or (
            not wish.given_up and now - wish.generation < KEPT_FOR_SURE
        )

    def _reuse(self, first: Wish, step: Step, rng: Random) -> Callable[[], None] | None:
        """The key of an old wish for another one."""
        age = self.world.now - first.last_asked
        if first.key is None or not (DAY < age < KEPT_FOR_SURE - DAY or age > FORGOTTEN_FOR_SURE):
            return None
        latest = max(at for at, _ in self.truth.sent_keys[first.key_id])
        if latest > first.last_asked:
            return None
        wish = self._new_wish(step.number, first.intake, rng, first.key)
        first.given_up = True
        return lambda: self._ask(wish, step, rng)

    def _wait(self, step: Step, rng: Random) -> None:
        self._come_to_rest()
        hours = rng.choice((0.02, 1, 25, 25, 5 * 24, 12 * 24, 32 * 24))
        self.world.tell(f"{step.number:3} {hours} hours pass")
        self.world.run(hours * 3600)
        late = rng.choice((0.0, DAY, 2 * DAY))
        delays: dict[ItemKey, float] = {}
        self.store.expire(lambda key: delays.setdefault(key, rng.uniform(0, late)))

    def _plant(self, step: Step, rng: Random) -> None:
        """What somebody could who may write items of the API, but no keys: it appears in the listing of the keys."""
        name, victim = rng.sample(CALLERS, 2)
        ids = [id for id, (whose, _) in self.keys.items() if whose == victim]
        self.world.tell(f"{step.number:3} somebody plants a key of {name} in the index")
        self.store.put_by_hand(
            serialized(
                {
                    "pk": f"P#planted-{step.number}",
                    "sk": "P",
                    "g2pk": API_KEYS,
                    "g2sk": f"{name}#9",
                    "id": rng.choice(ids) if ids else "0" * 16,
                    "name": name,
                    "secretHash": b"secret",
                    "scopes": ["admin", "read", "write"],
                    "createdAt": f"{self.world.clock():%Y-%m-%dT%H:%M:%SZ}",
                }
            )
        )

    def _come_to_rest(self) -> None:
        """Everybody finishes, and every message is worked off: then each intake has its outcomes."""
        self.world.settle()
        self.world.run(60)  # what is still on its way arrives
        rng = Random(0)
        for _ in range(30):
            if not self.queue.waiting and not self.queue.dead:
                break
            self.queue.redrive()
            self.world.run(VISIBILITY_SECONDS + 1)
            batch = self.queue.receive(rng)
            if batch:
                self._start("    a worker", rng, partial(self._work_off, batch))
            self.world.settle()
        else:
            raise Violated(f"{len(self.queue.waiting)} messages are never worked off")
        self._catch_up()
        for intake_id, rows in list(self.truth.unchecked.items()):
            self._start("    looks up", rng, partial(self._look_up, intake_id, rows))
            self.world.settle()
        self.truth.unchecked.clear()

    def _catch_up(self) -> None:
        """Everything reaches the feed, and whoever follows it reads on."""
        rng = Random(0)
        while self.stream.waiting:
            if (taken := self.stream.take(rng)) is not None:
                self._start("    a relay", rng, partial(self._relay, *taken))
                self.world.settle()
            else:
                self.world.run(RELAY_SECONDS)
        self._start("    follows", rng, self._follow)
        self.world.settle()
        self.truth.all_is_told()

    # Actors

    def _start(self, name: str, rng: Random, body: Callable[[], None], step: Step | None = None) -> None:
        actor = Actor(name, rng, body)
        actor.step = step
        self.world.start(actor)

    def _trouble(self, actor: Actor) -> Trouble | None:
        actor.sends += 1
        wrong = actor.step.wrong if actor.step is not None else None
        if wrong is None or not wrong.first <= actor.sends < wrong.first + wrong.count:
            return None
        found: Trouble = wrong.trouble
        return found

    @property
    def _actor(self) -> Actor:
        assert self.world.actor is not None
        return self.world.actor

    @contextmanager
    def _instance(self, seconds: float) -> Iterator[Context]:
        """A process of our service that has nothing else to do, for as long as Lambda lets it."""
        actor, world = self._actor, self.world
        actor.services = self._idle.pop() if self._idle else self._new_instance()
        actor.killed_after = seconds
        began = world.now
        yield Context(lambda: seconds - (world.now - began))
        self._idle.append(actor.services)

    def _new_instance(self) -> Services:
        world, table = self.world, self._table()
        sqs: Any = SqsClient(self.queue, self._line)
        given = OverTable(table, SqsQueue(lambda: sqs, "visits", world.pause), world.clock)
        given.keys = DynamoSigningKeys(table, world.clock)
        given.webhook_queue, given.receivers = FakeWebhookQueue(), FakeReceivers()
        given.notice_queue, given.outbox = FakeQueue(), FakeOutbox()
        given.new_id, given.pool, given.sleep = self._new_id, cast(Any, InThisThread()), world.pause
        return Services(given)

    def _table(self) -> Table:
        return Table(cast(Any, DynamoClient(self.store, self._line)), "visits", self.world.pause, self.world.monotonic)

    def _new_id(self) -> str:
        """A UUIDv7."""
        bits = f"{int(self.world.now * 1000):012x}7{self._actor.rng.getrandbits(76):019x}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-8{bits[17:20]}-{bits[20:]}"

    def _call(self, attempt: Attempt, method: str, resource: str, **given: Any) -> tuple[int, Any] | None:
        """A request and its answer: None when the client has none, or one that says nothing."""
        actor, world, truth = self._actor, self.world, self.truth
        truth.asked(attempt)
        actor.doing = attempt
        with self._instance(FUNCTION_SECONDS) as context:
            answer = entry.app(event(method, resource, **given), context)
        status, headers = answer["statusCode"], answer["headers"]
        body = json.loads(answer["body"]) if answer["body"] else {}
        if world.now - attempt.started > GATEWAY_SECONDS:
            status, body = 504, {}
        told = body.get("type", "").removeprefix("urn:visits:problem:") or body.get("id", "")
        world.tell(f"{actor.name}: answered {status} {told}")
        truth.answered(attempt, status, headers, body)
        if status >= 500 or (actor.step is not None and actor.step.unheard):
            return None
        return status, body

    # What clients do

    def _new_wish(self, number: int, intake: bool, rng: Random, key: str | None) -> Wish:
        count = rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 8, 30)) if intake else 1
        # The first row is like no other, so that no two wishes are the same.
        rows = [self._row(f"{number}.{n}", n > 0, rng) for n in range(count)]
        wish = self.wishes[number] = Wish(number, intake, key, rows)
        return wish

    def _row(self, mark: str, may_be_named: bool, rng: Random) -> Row:
        day = (self.world.clock() + timedelta(days=2)).replace(hour=9, minute=0, second=0)
        external = None
        if may_be_named and rng.random() < 0.4:
            named = [row for row in self.truth.rows.values() if row.external_id is not None]
            if named and rng.random() < 0.4:
                known = rng.choice(named)
                if rng.random() < 0.7:
                    return known
                external = known.external_id
            else:
                external = f"external-{mark}"
        row = Row(
            mark=f"wish {mark}",
            property_id=rng.choice(list(HOUSES)),
            start=day + timedelta(minutes=rng.choice((0, 15, 20, 30, 45, 60, 90, 120))),
            minutes=rng.choice((15, 30, 30, 30, 45)),
            agent=rng.choice(AGENTS),
            visitor=(visitor := rng.choice((None, "Eve"))),
            email=rng.choice((None, *ADDRESSES)) if visitor is not None else None,
            status=rng.choice(("confirmed", "confirmed", "requested")),
            external_id=external,
        )
        self.truth.rows[row.mark] = row
        return row

    def _ask(self, wish: Wish, step: Step, rng: Random) -> None:
        attempt = Attempt(f"{self._actor.name} of wish {wish.number}", wish)
        spelling = Random(step.salt) if step.kind is Kind.RESPELL else None
        rows = [_spelled(row, spelling) for row in wish.rows]
        headers = JSON | ({"idempotency-key": wish.key} if wish.key is not None else {})
        asynchronous = not wish.intake and rng.random() < 0.4
        if asynchronous:
            headers["prefer"] = "respond-async"
        first = wish.rows[0]
        self.world.tell(
            f"{self._actor.name}: {len(rows)} rows, first {first.mark}: {first.property_id} {first.start:%d %H:%M}"
            f" {first.minutes} min, {wish.key or 'no key'}{', async' if asynchronous else ''}"
        )
        path, body = ("/intakes", {"visits": rows}) if wish.intake else ("/visits", rows[0])
        self._call(attempt, "POST", path, headers=headers, body=json.dumps(body).encode())

    def _change(self, visit_id: str, step: Step, rng: Random) -> None:
        attempt = Attempt(f"{self._actor.name} of visit {visit_id}", target=visit_id)
        given: dict[str, Any] = {"parameters": {"visit_id": visit_id}, "headers": JSON | {"if-match": "*"}}
        match step.kind:
            case Kind.RESCHEDULE:
                day = (self.world.clock() + timedelta(days=2)).replace(hour=9, minute=0, second=0)
                patched: dict[str, Any] = {
                    "date": f"{day + timedelta(minutes=15 * rng.randrange(10)):%Y-%m-%dT%H:%M:%SZ}"
                }
                if rng.random() < 0.3:
                    patched["agentId"] = rng.choice(AGENTS)
                given["body"] = json.dumps(patched).encode()
                method, resource = "PATCH", "/visits/{visit_id}"
            case Kind.STATUS:
                status = rng.choice(("cancelled", "cancelled", "confirmed", "declined", "completed"))
                given["body"] = json.dumps({"status": status}).encode()
                method, resource = "PUT", "/visits/{visit_id}/status"
            case _:
                method, resource = "DELETE", "/visits/{visit_id}/visitor"
        self.world.tell(f"{self._actor.name}: {visit_id} {given.get('body', b'').decode()}")
        self._call(attempt, method, resource, path=resource.replace("{visit_id}", visit_id), **given)

    def _set_rules(self, rng: Random) -> None:
        """When and with which gap a house is visited, by If-Match: * or as the first rules it has."""
        house, rules = rng.choice(list(HOUSES)), rng.choice(RULES)
        attempt = Attempt(f"{self._actor.name} of {house}", house=house, rules=rules)
        first = rng.random() < 0.3
        self.world.tell(f"{attempt.what}: {json.dumps(rules)}{', the first' if first else ''}")
        self._call(
            attempt,
            "PUT",
            "/properties/{property_id}/availability",
            path=f"/properties/{house}/availability",
            parameters={"property_id": house},
            headers=JSON | ({"if-none-match": "*"} if first else {"if-match": "*"}),
            body=json.dumps(rules).encode(),
        )

    def _look_up(self, intake_id: str, rows: Sequence[Row]) -> None:
        path = f"/intakes/{intake_id}"
        at: dict[str, Any] = {"path": path, "parameters": {"intake_id": intake_id}}
        found = self._call(Attempt("a look at an intake"), "GET", "/intakes/{intake_id}", **at)
        results = {**at, "path": f"{path}/results"}
        outcomes = self._call(
            Attempt("a look at results"), "GET", "/intakes/{intake_id}/results", query={"limit": ["100"]}, **results
        )
        if found is None or found[0] != 200 or outcomes is None or outcomes[0] != 200:
            raise Violated(f"intake {intake_id} was accepted and is answered {found}, {outcomes}")
        self.truth.finished(intake_id, rows, found[1]["status"], outcomes[1]["items"])

    def _about_a_person(self, step: Step, rng: Random) -> None:
        """Finds everything of one person, or erases it."""
        address = rng.choice(ADDRESSES)
        attempt = Attempt(f"{self._actor.name} {address}", contact=address.lower())
        verb, more = ("search", {"limit": 100}) if step.kind is Kind.SEARCH else ("erase", {})
        body = json.dumps({"email": address, **more}).encode()
        self._call(attempt, "POST", f"/visitors/{verb}", headers=JSON, body=body)

    # What workers and operators do

    def _relay(self, shard: Shard, records: Sequence[Mapping[str, Any]]) -> None:
        actor = self._actor
        actor.doing = "a relay"
        self.world.tell(f"{actor.name}: {len(records)} changes")
        with self._instance(RELAY_SECONDS) as context:
            try:
                entry.relay({"Records": records}, context)
            except journal.Plain as left:
                self.world.tell(f"{actor.name}: {left}")
                shard.until = self.world.now
            else:
                shard.settle()

    def _follow(self) -> None:
        feed = DynamoEvents(self._table())
        while True:
            stretch = feed.read(self._read_up_to, 100, self.world.clock())
            self.truth.followed(stretch.told)
            self._read_up_to = stretch.next
            if not stretch.told:
                return

    def _work_off(self, batch: Sequence[Message]) -> None:
        actor = self._actor
        actor.doing = "a worker"
        self.world.tell(f"{actor.name}: {len(batch)} messages")
        failed: Sequence[str] = [message.id for message in batch]
        with self._instance(LAMBDA_SECONDS) as context:
            try:
                answer = entry.work_off_queue(event_of(batch), context)
                failed = [failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures", ())]
            except journal.Plain as left:
                self.world.tell(f"{actor.name}: {left}")
        self.queue.settle(batch, failed)

    def _operate(self, step: Step, rng: Random) -> None:
        """`make key`, `make rotate-key`, `make revoke-key`, and somebody who shows a key."""
        access, caller = ApiKeys(DynamoApiKeys(self._table()), self.world.clock), rng.choice(CALLERS)
        actor = self._actor
        mine = [id for id, (whose, _) in self.keys.items() if whose == caller]
        attempt = actor.doing = Attempt(f"{step.kind.split()[0]} {caller}", caller=caller)
        try:
            match step.kind:
                case Kind.ISSUE:
                    key, shown = access.issue(caller, [Scope(rng.choice(("read", "write")))])
                    self.keys[key.id] = caller, shown.text
                case Kind.ROTATE:
                    key, shown = access.rotate(caller, timedelta(days=rng.choice((0, 1, 7))))
                    self.keys[key.id] = caller, shown.text
                case Kind.REVOKE if mine:
                    attempt.target = rng.choice(mine)
                    access.revoke(attempt.target)
                    self.revoked.setdefault(attempt.target, self.world.now)
                case Kind.ADMIT if mine:
                    id = rng.choice(mine)
                    began = self.world.now
                    if access.authenticate(self.keys[id][1]) is not None and self.revoked.get(id, began) < began:
                        raise Violated(f"the revoked key {id} admits")
        except (Unavailable, InvalidKeyRequest, ConditionsFailed) as why:
            self.world.tell(f"{actor.name} {caller}: {type(why).__name__}")
        else:
            self.world.tell(f"{actor.name} {caller}: done")

    def _rotate_signing(self) -> None:
        try:
            DynamoSigningKeys(self._table(), self.world.clock).rotate()
        except (Unavailable, RotationUnderWay, ConditionsFailed) as why:
            self.world.tell(f"{self._actor.name}: {type(why).__name__}")
        else:
            self.truth.signing_keys_rotated = True
            self.world.tell(f"{self._actor.name}: done")


def _spelled(row: Row, variant: Random | None) -> dict[str, Any]:
    """The row as JSON; with a variant in other words that mean the same."""
    body: dict[str, Any] = {"propertyId": row.property_id, "date": f"{row.start:%Y-%m-%dT%H:%M:%SZ}", "notes": row.mark}
    if row.minutes != 30:
        body["durationMinutes"] = row.minutes
    if row.agent is not None:
        body["agentId"] = row.agent
    if row.visitor is not None:
        body["visitor"] = {"name": row.visitor} | ({"email": row.email} if row.email is not None else {})
    if row.status != "confirmed":
        body["status"] = row.status
    if row.external_id is not None:
        body["externalId"] = row.external_id
    if variant is not None:
        other = {
            "date": f"{row.start + timedelta(hours=1):%Y-%m-%dT%H:%M:%S+01:00}",
            "durationMinutes": row.minutes,
            "status": row.status,
            "agentId": row.agent,
            "place": None,
            "visitor": {"name": row.visitor, "email": row.email} if row.visitor else None,
        }
        body |= {name: value for name, value in other.items() if variant.random() < 0.5}
    return body


# The stage: what is one a process and must be one a simulation

_staged: list[Simulation] = []


def _acting() -> Actor:
    return _staged[-1]._actor


@contextmanager
def _on_stage(simulation: Simulation) -> Iterator[None]:
    _staged.append(simulation)
    try:
        yield
    finally:
        _staged.pop()


@contextmanager
def stage() -> Iterator[None]:
    """Within, the service runs by the clock, the chance and the environment of the simulation under way."""

    def world() -> World:
        return _staged[-1].world

    clock = SimpleNamespace(
        monotonic=lambda: world().now,
        time=lambda: world().now,
        perf_counter=lambda: world().now,
        time_ns=lambda: int(world().now * 1e9),
        sleep=lambda seconds: world().pause(seconds),
    )

    def drawn(count: int) -> bytes:
        return _acting().rng.randbytes(count)

    patches: list[Any] = [
        # Chalice keeps the request under way with the app: an instance of Lambda has one at a time.
        patch.object(Chalice, "current_request", property(_request, _keep_request), create=True),
        patch.object(entry, "services", lambda: _acting().services),
        patch.object(random, "uniform", lambda low, high: _acting().rng.uniform(low, high)),
        patch.object(random, "_urandom", drawn),
        patch.object(os, "urandom", drawn),
        patch.object(journal.log, "handlers", [_Faults()]),
        patch.object(journal.log, "level", logging.ERROR),
        patch.dict(os.environ, {"STAGE": "local", "TABLE_NAME": "visits", "QUEUE_NAME": "visits"}),
    ]
    for name, module in list(sys.modules.items()):
        if name.startswith("chalicelib") and getattr(module, "time", None) is time:
            patches.append(patch.object(module, "time", clock))
    try:
        for one in patches:
            one.start()
        yield
    finally:
        for one in reversed(patches):
            one.stop()


def _request(_: Chalice) -> Any:
    return _acting().request


def _keep_request(_: Chalice, request: Any) -> None:
    if _staged:
        _acting().request = request


class _Faults(logging.Handler):
    """A fault of ours is told with its kind and its place."""

    def emit(self, record: logging.LogRecord) -> None:
        line: Mapping[str, Any] = json.loads(record.getMessage())
        if line.get("kind"):
            _staged[-1].world.tell(f"{_acting().name}: {line['kind']} {line.get('code', '')} {line['frames'][:4]}")
