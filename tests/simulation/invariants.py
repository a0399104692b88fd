"""What must always hold: looked at with every commit of the store, every answer that a caller gets, every intake.

The truth is what was committed. Every wish has a mark of its own in its notes, so that the visit which came of it is
known again whatever the service makes of ids, keys and intakes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.domain.events import Told
from chalicelib.domain.signing_keys import VERIFIES_ON
from chalicelib.domain.slots import floor_to_quarter
from chalicelib.http.instants import instant_text, parse_instant
from chalicelib.repositories import items
from chalicelib.repositories.slots import agent_slot, holder, property_slot, slot_quarter, slot_ttl
from chalicelib.repositories.table import deserialized
from tests.simulation.expressions import StoredItem
from tests.simulation.store import Change, ItemKey, Store
from tests.simulation.world import Actor, Violated, World

DAY: Final = 86400.0
KEPT_FOR_SURE: Final = 29 * DAY
"""A key that is not older than this stands for its first wish."""
FORGOTTEN_FOR_SURE: Final = 31 * DAY
LONGEST_LAG: Final = 120.0
"""Of an index, and of what is on its way."""
HOLDING: Final = ("requested", "confirmed")
NO_HOLDERS: Final[frozenset[str]] = frozenset()


@dataclass
class Row:
    """What is asked for, by its meaning. `mark` is the text of its notes."""

    mark: str
    property_id: str
    start: datetime
    minutes: int
    agent: str | None
    visitor: str | None
    status: str
    external_id: str | None = None
    email: str | None = None
    allowed: int = 0
    """How many visits may come of it: one for every request without a key, one for all that share a key."""
    made: list[str] = field(default_factory=list)


@dataclass
class Wish:
    """What one client wants once, however often it asks. `rows` has one for a visit, any number for an intake."""

    number: int
    intake: bool
    key: str | None
    rows: list[Row]
    generation: float = -math.inf
    """When the key was first used for it."""
    last_asked: float = -math.inf
    intake_id: str | None = None
    given_up: bool = False
    """The client has used the key for something else since."""

    @property
    def key_id(self) -> tuple[bool, str | None]:
        return self.intake, self.key


@dataclass
class Attempt:
    """One request. `target` is the visit that it is about, if it books none."""

    what: str
    wish: Wish | None = None
    target: str | None = None
    caller: str | None = None
    contact: str | None = None
    """The address of the person that it is about, in small letters."""
    house: str | None = None
    rules: Mapping[str, Any] | None = None
    """What the house is told."""
    started: float = 0.0
    made: list[str] = field(default_factory=list)
    wrote: bool = False
    sent: bool = False
    denied: str | None = None
    """The answer that said nothing was done."""


@dataclass
class Fact:
    """A visit as it was committed: what it came of, and every version of it."""

    row: Row
    made_at: float
    origin: tuple[str, int] | None
    versions: dict[int, dict[str, object]] = field(default_factory=dict)
    types: dict[int, str] = field(default_factory=dict)
    """What happened with each version."""
    told: int = 0
    """The version that whoever follows the feed knows."""
    contact: str | None = None
    """The address by which it is found, in small letters."""
    erased_at: float = math.inf
    slots: frozenset[ItemKey] = frozenset()


class Truth:
    def __init__(self, world: World) -> None:
        self.world = world
        self.store: Store
        self.capacity: dict[str, int] = {}
        self.travel: dict[str, int] = {}
        self.rules: dict[str, list[Mapping[str, Any]]] = defaultdict(lambda: [{}])
        """What each house was told, the latest last."""
        self.rows: dict[str, Row] = {}
        self.visits: dict[str, Fact] = {}
        self.intakes: dict[str, Wish] = {}
        self.unchecked: dict[str, list[Row]] = {}
        self.sent_keys: dict[tuple[bool, str | None], list[tuple[float, Wish]]] = defaultdict(list)
        self.api_keys: dict[str, tuple[str, frozenset[str]]] = {}
        self.signing_keys_rotated = False
        self._held: dict[ItemKey, set[str]] = defaultdict(set)
        self._full: dict[ItemKey, float] = {}
        """Until when a slot was last full."""

    # Requests

    def asked(self, attempt: Attempt) -> None:
        """Before a request that asks for a wish is sent."""
        now, wish = self.world.now, attempt.wish
        attempt.started = now
        if wish is None:
            return
        anew = wish.key is None or now - max(wish.generation, wish.last_asked) > FORGOTTEN_FOR_SURE
        if anew:
            wish.generation, wish.intake_id = now, None
            for row in wish.rows:
                row.allowed += 1
        wish.last_asked = now
        if wish.key is not None:
            self.sent_keys[wish.key_id].append((now, wish))

    def answered(self, attempt: Attempt, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        """What an answer says is true."""
        slug = str(body.get("type", "")).removeprefix("urn:visits:problem:") if status >= 400 else ""
        if status in (502, 504) or slug == "outcome-unknown":
            return
        if slug == "internal-error":
            raise Violated(f"{attempt.what} was answered with a fault of ours")
        if slug:
            self._refused(attempt, slug, body)
        elif attempt.contact is not None:
            self._of_person(attempt, attempt.contact, body)
        elif attempt.wish is not None and status == 202:
            self._accepted(attempt.wish, str(body["id"]))
        elif attempt.wish is not None:
            self._booked(attempt, attempt.wish, headers, body)
        elif status == 200 and attempt.target is not None:
            self._as_committed(attempt, body)

    def _refused(self, attempt: Attempt, slug: str, body: Mapping[str, Any]) -> None:
        if attempt.wrote or attempt.sent:
            raise Violated(f"{attempt.what} was told {slug}, yet it was done")
        attempt.denied = slug
        wish = attempt.wish
        if slug in ("malformed-request", "invalid-input", "property-not-found", "visit-exists"):
            raise Violated(f"{attempt.what} was told {slug}: {body}")
        if slug == "slot-taken":
            self._really_taken(attempt, body)
        if slug == "outside-hours":
            house = wish.rows[0].property_id if wish is not None else self._property_of(attempt.target)
            self._really_ruled(attempt.what, house)
        if wish is None or wish.key is None:
            return
        if slug in ("slot-taken", "handed-in"):
            for id in wish.rows[0].made:
                if wish.generation <= self.visits[id].made_at < attempt.started:
                    raise Violated(f"{attempt.what} was told {slug}, yet its visit {id} was booked before")
        if slug == "idempotency-key-reused":
            others = [
                at for at, other in self.sent_keys[wish.key_id] if other is not wish and at > self.world.now - 32 * DAY
            ]
            if not others:
                raise Violated(f"{attempt.what} was told {slug}, yet its key came with nothing else")

    def _really_taken(self, attempt: Attempt, body: Mapping[str, Any]) -> None:
        for conflict in body["conflicts"]:
            quarter, end = parse_instant(conflict["from"]), parse_instant(conflict["to"])
            while quarter < end:
                if conflict["holder"] == "property":
                    where = attempt.wish.rows[0].property_id if attempt.wish else self._property_of(attempt.target)
                    key = _slot(property_slot(where, quarter))
                    if self._full.get(key, -1) < attempt.started:
                        raise Violated(f"{attempt.what} was told that {quarter} is taken, and it was free")
                quarter += timedelta(minutes=15)

    def _really_ruled(self, what: str, house: str) -> None:
        if len(self.rules[house]) == 1:
            raise Violated(f"{what} was told that {house} is closed, and nobody said so")

    def _property_of(self, visit_id: str | None) -> str:
        return self.visits[str(visit_id)].row.property_id

    def _accepted(self, wish: Wish, intake_id: str) -> None:
        known = self.intakes.get(intake_id)
        if known is not None and (known is not wish or wish.key is None or wish.intake_id != intake_id):
            raise Violated(
                f"wish {wish.number} was told intake {intake_id}, which is that of wish {known.number} before"
            )
        if wish.key is not None and wish.intake_id not in (None, intake_id):
            raise Violated(f"wish {wish.number} was told another intake than before")
        self.intakes[intake_id] = wish
        wish.intake_id = intake_id
        self.unchecked[intake_id] = wish.rows

    def _booked(self, attempt: Attempt, wish: Wish, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        (row,) = wish.rows
        fact = self.visits.get(body["id"])
        if fact is None:
            raise Violated(f"{attempt.what} was told of visit {body['id']}, which is not there")
        if fact.row is not row:
            raise Violated(f"{attempt.what} was told of visit {body['id']}, which is another wish's ({fact.row.mark})")
        replayed = "Idempotency-Replayed" in headers or "idempotency-replayed" in headers
        if not replayed and attempt.made != [body["id"]]:
            raise Violated(f"{attempt.what} was told that it booked {body['id']}, and made {attempt.made}")
        if replayed and wish.key is None:
            raise Violated(f"{attempt.what} was told of an earlier request, and has no key")
        self._as_committed(attempt, body)

    def _as_committed(self, attempt: Attempt, body: Mapping[str, Any]) -> None:
        committed = self.visits[body["id"]].versions.get(body["version"])
        told = {name: body.get(name) for name in committed or ()}
        if told != committed:
            raise Violated(f"{attempt.what} was told {told}, in truth it is {committed}")

    # Persons

    def _of_person(self, attempt: Attempt, contact: str, body: Mapping[str, Any]) -> None:
        """Found is what was theirs during the request, and all that was long before; erased is all of that."""
        settled = {id for id, fact in self.visits.items() if fact.contact == contact and self._is_old(fact, attempt)}
        left = {id for id in settled if self.visits[id].erased_at == math.inf}
        if "more" in body:
            if body["erased"] > len(attempt.made):
                raise Violated(f"{attempt.what} was told of {body['erased']} erased, and erased {attempt.made}")
            if left and not body["more"]:
                raise Violated(f"{attempt.what} was told that nothing is left, and there is {sorted(left)}")
            return
        found = {visit["id"] for visit in body["items"]}
        for id in found:
            fact = self.visits[id]
            if fact.contact != contact or fact.erased_at < attempt.started:
                raise Violated(f"{attempt.what} found {id}, which is not theirs")
        if missing := left - found:
            raise Violated(f"{attempt.what} did not find {sorted(missing)}")

    def _is_old(self, fact: Fact, attempt: Attempt) -> bool:
        """Whether the indexes have certainly heard of it when it was asked for."""
        return fact.made_at < attempt.started - LONGEST_LAG

    # Events

    def followed(self, told: Sequence[Told]) -> None:
        """Whoever follows the feed hears of every version of a visit once, in order, and as it was committed."""
        for event in (each.event for each in told):
            if not event.subject.startswith("visits/"):
                continue
            fact, version = self.visits[str(event.data["visitId"])], int(str(event.data["version"]))
            if version != fact.told + 1:
                raise Violated(f"{event.id} was told after version {fact.told}")
            fact.told = version
            said = {name: event.data.get(name) for name in ("date", "durationMinutes", "status", "agentId")}
            said["date"] = instant_text(parse_instant(str(said["date"])))
            if (event.type, said) != (fact.types[version], {name: fact.versions[version][name] for name in said}):
                raise Violated(f"{event.id} was told as {event.type} {said}, it is {fact.types[version]}")

    def all_is_told(self) -> None:
        for id, fact in self.visits.items():
            if fact.told != max(fact.versions):
                raise Violated(f"visit {id} is told of up to version {fact.told} of {max(fact.versions)}")

    # Intakes

    def finished(self, intake_id: str, rows: Sequence[Row], status: str, results: Sequence[Mapping[str, Any]]) -> None:
        """Every row of an intake that was worked off has exactly one outcome, and it agrees with the table."""
        if status != "done":
            raise Violated(f"intake {intake_id} is {status} when all is worked off")
        if sorted(result["row"] for result in results) != list(range(len(rows))):
            raise Violated(f"intake {intake_id} has outcomes for {[result['row'] for result in results]}")
        for result in results:
            row, number = rows[result["row"]], result["row"]
            where = f"row {number} of intake {intake_id} ({row.mark}) is {result['status']}"
            fact = self.visits.get(result.get("visitId", ""))
            here = [id for id in row.made if self.visits[id].origin == (intake_id, number)]
            match result["status"]:
                case "created":
                    if fact is None or fact.row is not row or here != [result["visitId"]]:
                        raise Violated(f"{where} as {result['visitId']}, in truth it made {here}")
                case "duplicate":
                    if row.external_id is None or fact is None or fact.row is not row:
                        raise Violated(f"{where} of {result['visitId']}, which is not the same")
                case _:
                    slug = result["problem"]["type"].removeprefix("urn:visits:problem:")
                    if here:
                        raise Violated(f"{where} ({slug}), yet it made {here}")
                    self._fair(where, row, slug)

    def _fair(self, where: str, row: Row, slug: str) -> None:
        if slug == "external-id-reused":
            others = [r for r in self.rows.values() if r is not row and r.external_id == row.external_id and r.made]
            # A fingerprint outlives the key that it was made with, if that is rotated out.
            unknown = self.signing_keys_rotated and any(
                self.world.now - self.visits[id].made_at > VERIFIES_ON.total_seconds() for id in row.made
            )
            # With its visitor a visit loses its fingerprint.
            erased = any(self.visits[id].erased_at < math.inf for id in row.made)
            if row.external_id is None or not (others or unknown or erased):
                raise Violated(f"{where} ({slug}), and nothing else came with its externalId")
        elif slug == "outside-hours":
            self._really_ruled(where, row.property_id)
        elif slug != "slot-taken":
            raise Violated(f"{where} ({slug})")

    # Commits

    def sent(self, actor: Actor | None) -> None:
        """A message is in the queue."""
        if actor is not None and isinstance(actor.doing, Attempt):
            actor.doing.sent = True
            self._not_denied(actor.doing)

    def watch(self, actor: Actor | None, changes: Sequence[Change]) -> None:
        doing = actor.doing if actor is not None else None
        touched: set[ItemKey] = set()
        for key, before, after in changes:
            match key[0][:2]:
                case "V#":
                    touched |= self._visit(doing, key[0][2:], before, after)
                case "P#" if key[1] == "P#A":
                    self._ruled(doing, after)
                case "S#":
                    touched.add(key)
                    if after is None:
                        self._held.pop(key, None)
                case "K#" if key[0] != "K#:signing":
                    self._api_key(doing, key[0][2:], before, after)
        for key in touched:
            self._slot(key)

    def _visit(self, doing: object, id: str, before: StoredItem | None, after: StoredItem | None) -> frozenset[ItemKey]:
        if after is None:
            raise Violated(f"visit {id} is gone")
        if isinstance(doing, Attempt):
            doing.wrote = True
            self._not_denied(doing)
        item = deserialized(after)
        start, minutes = datetime.fromisoformat(item["date"]), int(item["durationMinutes"])
        fact = self.visits.get(id)
        if fact is None:
            fact = self.visits[id] = self._made(doing, id, item)
        elif not isinstance(doing, Attempt) or not (doing.target == id or self._forgotten(doing, id, fact, item)):
            raise Violated(f"visit {id} was changed by {doing}")
        if fact.contact is not None and "visitor" not in item:
            fact.erased_at = min(fact.erased_at, self.world.now)
        fact.types[int(item["version"])] = _happened(deserialized(before) if before else None, item)
        fact.versions[int(item["version"])] = {
            "date": instant_text(start),
            "durationMinutes": minutes,
            "status": item["status"],
            "agentId": item.get("agentId"),
            "notes": item.get("notes"),
        }
        slots: frozenset[ItemKey] = frozenset()
        if item["status"] in HOLDING:
            gap, travel = int(item.get("gapMinutes", 0)), int(item.get("travelMinutes", 0))
            slots = frozenset(_slots(item["propertyId"], item.get("agentId"), start, minutes + gap, minutes + travel))
            self._check_held(id, item)
        for key in fact.slots - slots:
            self._held[key].discard(id)
        for key in slots - fact.slots:
            self._held[key].add(id)
        changed, fact.slots = fact.slots ^ slots, slots
        return changed

    def _forgotten(self, attempt: Attempt, id: str, fact: Fact, item: Mapping[str, Any]) -> bool:
        """Whether it is just the erasure of the person whose visit it is."""
        attempt.made.append(id)
        return fact.contact is not None and fact.contact == attempt.contact and "visitor" not in item

    def _ruled(self, doing: object, after: StoredItem | None) -> None:
        assert after is not None
        item = deserialized(after)
        if not isinstance(doing, Attempt) or doing.rules is None or doing.house != item["propertyId"]:
            raise Violated(f"the rules of {item['propertyId']} were changed by {doing}")
        doing.wrote = True
        self._not_denied(doing)
        self.rules[item["propertyId"]].append(doing.rules)

    def _check_held(self, id: str, item: Mapping[str, Any]) -> None:
        """It holds no more than some rules of its house have said, and its agent's way."""
        gap, travel = int(item.get("gapMinutes", 0)), int(item.get("travelMinutes", 0))
        if all(gap != rules.get("gapMinutes", 0) for rules in self.rules[item["propertyId"]]):
            raise Violated(f"visit {id} has a gap of {gap} minutes, and nobody ever said so")
        if travel != self.travel.get(item.get("agentId", ""), 0):
            raise Violated(f"visit {id} has a way of {travel} minutes")

    def _made(self, doing: object, id: str, item: Mapping[str, Any]) -> Fact:
        row = self.rows.get(item.get("notes", ""))
        if row is None:
            raise Violated(f"visit {id} came of nothing")
        if isinstance(doing, Attempt):
            if doing.wish is None or row not in doing.wish.rows:
                raise Violated(f"{doing.what} booked {row.mark}")
            doing.made.append(id)
        asked = (row.property_id, row.start, row.minutes, row.agent, row.status)
        got = (item["propertyId"], datetime.fromisoformat(item["date"]), int(item["durationMinutes"]))
        if (*got, item.get("agentId"), item["status"]) != asked:
            raise Violated(f"visit {id} is {got}, wanted was {asked}")
        row.made.append(id)
        if len(row.made) > row.allowed:
            raise Violated(f"{len(row.made)} visits of {row.allowed} wishes ({row.mark})")
        origin = item.get("origin")
        fact = Fact(row, self.world.now, (origin["intakeId"], int(origin["row"])) if origin else None)
        fact.contact = row.email.lower() if row.email is not None else None
        return fact

    def _slot(self, key: ItemKey) -> None:
        item = self.store.find(key)
        holders = frozenset(item["holders"]["SS"]) if item is not None and "holders" in item else NO_HOLDERS
        visits = self._held.get(key, NO_HOLDERS)
        wanted = {holder(id) for id in visits}
        if holders != wanted and not (item is None and self._expired(key)):
            raise Violated(f"slot {key} is held by {sorted(holders)}, its visits are {sorted(wanted)}")
        if key[0].startswith("S#P#"):
            capacity = self.capacity[key[0][4:-8]]
            if len(holders) > capacity:
                raise Violated(f"slot {key} is held {len(holders)} times")
            full = len(holders) >= capacity
        else:
            full = bool(holders)
            if len({self.visits[id].row.property_id for id in visits}) > 1:
                raise Violated(f"slot {key}: an agent in two places")
        if full:
            self._full[key] = math.inf
        elif self._full.get(key) == math.inf:
            self._full[key] = self.world.now

    def _expired(self, key: ItemKey) -> bool:
        return slot_ttl(slot_quarter({"pk": key[0], "sk": key[1]})) <= self.world.now

    def _not_denied(self, attempt: Attempt) -> None:
        if attempt.denied is not None:
            raise Violated(f"{attempt.what} was told {attempt.denied}, and then it was done")

    # API keys

    def _api_key(self, doing: object, id: str, before: StoredItem | None, after: StoredItem | None) -> None:
        assert after is not None
        item = deserialized(after)
        name, scopes = str(item["name"]), frozenset(item["scopes"])
        if not isinstance(doing, Attempt):
            raise Violated(f"the key {id} was changed by {doing}")
        if before is None:
            if name != doing.caller:
                raise Violated(f"{doing.what} made a key for {name}")
            if doing.what.startswith("rotate") and (name, scopes) not in self.api_keys.values():
                raise Violated(f"{doing.what} made a key with scopes {sorted(scopes)}, which {name} never had")
            self.api_keys[id] = (name, scopes)
            return
        was = deserialized(before)
        if {n: was[n] for n in ("name", "secretHash", "scopes")} != {
            n: item[n] for n in ("name", "secretHash", "scopes")
        }:
            raise Violated(f"{doing.what} changed whose key {id} is, or what for")
        if doing.caller not in (None, name) or doing.target not in (None, id):
            raise Violated(f"{doing.what} changed the key {id} of {name}")
        if "revokedAt" in was and "revokedAt" not in item:
            raise Violated(f"{doing.what} un-revoked the key {id}")
        if was.get("expiresAt", "~") < item.get("expiresAt", "~"):
            raise Violated(f"{doing.what} made the key {id} last longer")


def _happened(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """What a commit means to whoever follows, by the items alone."""
    if before is None:
        return "visit.booked"
    if before["status"] != after["status"]:
        return f"visit.{after['status']}"
    if any(before[name] != after[name] for name in ("date", "durationMinutes")):
        return "visit.rescheduled"
    return "visit.erased" if "notes" in before and "notes" not in after else "visit.changed"


def _slots(property_id: str, agent: str | None, start: datetime, of_property: int, of_agent: int) -> Iterable[ItemKey]:
    """What a visit holds of its property and of its agent, in minutes each."""
    for quarter in _quarters(start, of_property):
        yield _slot(property_slot(property_id, quarter))
    if agent is not None:
        for quarter in _quarters(start, of_agent):
            yield _slot(agent_slot(agent, quarter))


def _quarters(start: datetime, minutes: int) -> Iterable[datetime]:
    quarter, end = floor_to_quarter(start), start + timedelta(minutes=minutes)
    while quarter < end:
        yield quarter
        quarter += timedelta(minutes=15)


def _slot(key: items.Key) -> ItemKey:
    return key["pk"], key["sk"]
