"""In-memory repositories: what `services/ports.py` asks for, without AWS. The contract suite holds them to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import Any, Literal, TypeVar

from chalicelib.domain.agents import Agent
from chalicelib.domain.availability import Availability, Span
from chalicelib.domain.calendars import KEPT, RENEWED_WITHIN, Kept, Owner, Rendering, Shared, Shows
from chalicelib.domain.errors import (
    IntakeNotFound,
    LimitReached,
    PositionLost,
    PropertyExists,
    PropertyNotFound,
    SlotTaken,
    StoreBusy,
    TakenInterval,
    VersionMismatch,
    VisitExists,
    VisitNotFound,
    WebhookNotFound,
)
from chalicelib.domain.events import Change, Event, Position, Stretch, Told
from chalicelib.domain.idempotency import AlreadyDone, IdempotencyRecord
from chalicelib.domain.intakes import (
    Chunk,
    ChunkSummary,
    Claim,
    ClaimLost,
    Intake,
    Manifest,
    RowOutcome,
)
from chalicelib.domain.listing import Page, PropertyFilter, VisitFilter, Window
from chalicelib.domain.notices import CLAIMED_FOR, Notice, Stopped
from chalicelib.domain.notices import Told as Heard
from chalicelib.domain.premises import Premises
from chalicelib.domain.properties import Property
from chalicelib.domain.public import Ahead, Hour, Rationed
from chalicelib.domain.signing_keys import Keyring
from chalicelib.domain.slots import floor_to_quarter, intervals
from chalicelib.domain.visitors import Contact, contacts_of
from chalicelib.domain.visits import Visit
from chalicelib.domain.webhooks import Answer, Webhook, check_url

T = TypeVar("T")


@dataclass
class ChunkState:
    """Who is at a chunk, until when, and what became of its rows once somebody has finished it."""

    claimant: str | None = None
    until: datetime | None = None
    finished_by: str | None = None
    given_up: bool = False
    outcomes: Sequence[RowOutcome] = ()

    def finish(self, by: str, outcomes: Sequence[RowOutcome]) -> None:
        self.claimant, self.finished_by, self.outcomes = None, by, outcomes


@dataclass
class FeedState:
    """A feed that is shared, with the rendering that is kept of it."""

    shared: Shared
    content: bytes | None = None
    claimed_until: datetime | None = None


@dataclass
class Memory:
    """What the fakes share, as the repositories share a table; the lock makes every write all or nothing."""

    lock: RLock = field(default_factory=RLock)
    properties: dict[str, Property] = field(default_factory=dict)
    availability: dict[str, Availability] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    erased_agents: dict[str, int] = field(default_factory=dict)
    """The versions at which they were erased."""
    visits: dict[str, Visit] = field(default_factory=dict)
    records: dict[str, IdempotencyRecord] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    chunks: dict[tuple[str, int], ChunkState] = field(default_factory=dict)
    feeds: dict[Owner, FeedState] = field(default_factory=dict)
    hours: Counter[str] = field(default_factory=Counter)
    """How much was booked in an hour without a key, of a property or from an address."""
    ahead: dict[str, Ahead] = field(default_factory=dict)
    declined_until: datetime | None = None

    def refuse_replay(self, once: IdempotencyRecord | None, now: datetime) -> None:
        earlier = self.records.get(once.id) if once else None
        if earlier and earlier.expires_at > now:
            raise AlreadyDone

    def remember(self, once: IdempotencyRecord | None) -> None:
        if once:
            self.records[once.id] = once


class FakeProperties:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, property_id: str) -> Property:
        with self._memory.lock:
            if property_id not in self._memory.properties:
                raise PropertyNotFound(property_id)
            return self._memory.properties[property_id]

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        with self._memory.lock:
            self._memory.refuse_replay(once, property.created_at)
            if property.id in self._memory.properties:
                raise PropertyExists(property.id)
            self._memory.properties[property.id] = property
            self._memory.remember(once)

    def save(self, before: Property, after: Property) -> None:
        with self._memory.lock:
            stands = self._memory.properties.get(before.id)
            if stands is None or stands.version != before.version:
                raise VersionMismatch
            self._memory.properties[after.id] = after

    def list(self, filter: PropertyFilter, after: str | None, limit: int) -> Page[Property]:
        with self._memory.lock:
            found = [property for property in self._memory.properties.values() if filter.matches(property)]
        return _page(found, lambda property: property.id, after, limit, "asc")


class FakeAvailability:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def premises(self, property_id: str) -> Premises:
        with self._memory.lock:
            if property_id not in self._memory.properties:
                raise PropertyNotFound(property_id)
            return Premises(self._memory.properties[property_id], self._memory.availability.get(property_id))

    def add(self, availability: Availability) -> None:
        with self._memory.lock:
            if availability.property_id in self._memory.availability:
                raise VersionMismatch
            self._memory.availability[availability.property_id] = availability

    def save(self, before: Availability, after: Availability) -> None:
        with self._memory.lock:
            stands = self._memory.availability.get(before.property_id)
            if stands is None or stands.version != before.version:
                raise VersionMismatch
            self._memory.availability[after.property_id] = after


class FakeAgents:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, agent_id: str) -> Agent | None:
        with self._memory.lock:
            return self._memory.agents.get(agent_id)

    def list(self, after: str | None, limit: int) -> Page[Agent]:
        with self._memory.lock:
            found = list(self._memory.agents.values())
        return _page(found, lambda agent: agent.id, after, limit, "asc")

    def add(self, agent: Agent) -> Agent:
        with self._memory.lock:
            if agent.id in self._memory.agents:
                raise VersionMismatch
            made = replace(agent, version=self._memory.erased_agents.pop(agent.id, 0) + 1)
            self._memory.agents[agent.id] = made
            return made

    def save(self, before: Agent, after: Agent) -> None:
        with self._memory.lock:
            self._check_version(before)
            self._memory.agents[after.id] = after

    def erase(self, agent: Agent, now: datetime) -> None:
        with self._memory.lock:
            self._check_version(agent)
            del self._memory.agents[agent.id]
            self._memory.erased_agents[agent.id] = agent.version + 1

    def _check_version(self, before: Agent) -> None:
        stands = self._memory.agents.get(before.id)
        if stands is None or stands.version != before.version:
            raise VersionMismatch


def finders(memory: Memory) -> tuple[Callable[[str], Premises], Callable[[str], Agent | None]]:
    """How booking finds a property with its rules, and an agent."""
    return FakeAvailability(memory).premises, FakeAgents(memory).get


class FakeVisits:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, visit_id: str) -> Visit:
        with self._memory.lock:
            if visit_id not in self._memory.visits:
                raise VisitNotFound(visit_id)
            return self._memory.visits[visit_id]

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        with self._memory.lock:
            self._memory.refuse_replay(once, visit.created_at)
            if visit.id in self._memory.visits:
                raise VisitExists(visit.id)
            self._check_free(visit, visit.property_quarters, visit.agent_quarters, capacity)
            self._memory.visits[visit.id] = visit
            self._memory.remember(once)

    def add_rationed(
        self, visit: Visit, capacity: int, once: IdempotencyRecord | None, rationed: Sequence[Rationed]
    ) -> None:
        with self._memory.lock:
            self._memory.refuse_replay(once, visit.created_at)
            for each in rationed:
                if isinstance(each, Hour) and self._memory.hours[each.key] >= each.most:
                    raise LimitReached(each.limit, int((each.ends - visit.created_at).total_seconds()))
                if isinstance(each, Ahead) and self._memory.ahead.get(each.contact, each).version != each.version:
                    raise VersionMismatch
            self.add(visit, capacity, once)
            for each in rationed:
                if isinstance(each, Hour):
                    self._memory.hours[each.key] += 1
                else:
                    self._memory.ahead[each.contact] = replace(each, version=each.version + 1)

    def save(self, before: Visit, after: Visit) -> None:
        with self._memory.lock:
            self._check_version(before)
            self._memory.visits[after.id] = after

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        with self._memory.lock:
            self._check_version(before)
            new = set(after.property_quarters) - set(before.property_quarters)
            kept = set(before.agent_quarters) if before.agent_id == after.agent_id else set()
            self._check_free(after, new, set(after.agent_quarters) - kept, capacity)
            self._memory.visits[after.id] = after

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        with self._memory.lock:
            found = [
                visit
                for visit in self._memory.visits.values()
                if filter.window.start <= visit.date < filter.window.end
                and filter.property_id in (None, visit.property_id)
                and filter.agent_id in (None, visit.agent_id)
                and (not filter.statuses or visit.status in filter.statuses)
            ]
        return _page(found, lambda visit: f"{visit.date:%Y-%m-%dT%H:%M:%SZ}#{visit.id}", after, limit, filter.order)

    def of_contact(self, contact: Contact, after: str | None, limit: int) -> Page[str]:
        with self._memory.lock:
            found = [visit for visit in self._memory.visits.values() if contact in contacts_of(visit.visitor)]
        return _page(found, lambda visit: visit.id, after, limit, "asc").map(lambda visit: visit.id)

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        with self._memory.lock:
            return Counter(
                quarter
                for visit in self._holding()
                if visit.property_id == property_id
                for quarter in visit.property_quarters
                if floor_to_quarter(window.start) <= quarter < window.end
            )

    def taken_quarters(self, property_id: str, spans: Sequence[Span]) -> Mapping[datetime, int]:
        if not spans:
            return {}
        return self.held_quarters(property_id, Window(min(spans)[0], max(end for _, end in spans)))

    def whereabouts(self, agent_id: str, spans: Sequence[Span]) -> Mapping[datetime, str]:
        with self._memory.lock:
            return {
                quarter: visit.property_id
                for visit in self._holding()
                if visit.agent_id == agent_id
                for quarter in visit.agent_quarters
                if any(floor_to_quarter(start) <= quarter < end for start, end in spans)
            }

    def _holding(self) -> Iterable[Visit]:
        return (visit for visit in self._memory.visits.values() if visit.holds_slots)

    def _check_version(self, before: Visit) -> None:
        stands = self._memory.visits.get(before.id)
        if stands is None or stands.version != before.version:
            raise VersionMismatch

    def _check_free(
        self, visit: Visit, at_property: Collection[datetime], of_agent: Collection[datetime], capacity: int
    ) -> None:
        others = [other for other in self._holding() if other.id != visit.id]
        held = Counter(q for other in others if other.property_id == visit.property_id for q in other.property_quarters)
        elsewhere = {
            quarter
            for other in others
            if other.agent_id == visit.agent_id is not None and other.property_id != visit.property_id
            for quarter in other.agent_quarters
        }
        full = [quarter for quarter in at_property if held[quarter] >= capacity]
        busy = [quarter for quarter in of_agent if quarter in elsewhere]
        if full or busy:
            raise SlotTaken([*_taken(full, "property"), *_taken(busy, "agent")])


class FakePublic:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def ahead(self, contact: str) -> Ahead:
        with self._memory.lock:
            return self._memory.ahead.get(contact, Ahead(contact))

    def count(self, ahead: Ahead) -> None:
        with self._memory.lock:
            if self.ahead(ahead.contact).version != ahead.version:
                raise VersionMismatch
            self._memory.ahead[ahead.contact] = replace(ahead, version=ahead.version + 1)

    def due(self, since: datetime, until: datetime) -> Iterable[str]:
        with self._memory.lock:
            visits = list(self._memory.visits.values())
        return [visit.id for visit in visits if visit.awaited and since <= visit.awaited.until <= until]

    def declined_until(self) -> datetime | None:
        return self._memory.declined_until

    def has_declined(self, last: datetime | None, until: datetime) -> None:
        with self._memory.lock:
            if self._memory.declined_until == last:
                self._memory.declined_until = until


class FakeIdempotencyRecords:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        with self._memory.lock:
            record = self._memory.records.get(record_id)
        return record if record and record.expires_at > now else None

    def add(self, record: IdempotencyRecord, now: datetime) -> None:
        with self._memory.lock:
            earlier = self._memory.records.get(record.id)
            if earlier is not None and earlier.expires_at > now:
                raise AlreadyDone
            self._memory.records[record.id] = record


class FakeIntakes:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def get(self, intake_id: str, now: datetime) -> Manifest:
        with self._memory.lock:
            manifest = self._memory.manifests.get(intake_id)
        if manifest is None or manifest.expires_at <= now:
            raise IntakeNotFound(intake_id)
        return manifest

    def open(self, manifest: Manifest) -> Manifest:
        with self._memory.lock:
            stands = self._memory.manifests.get(manifest.id)
            if stands is None or stands.expires_at <= manifest.created_at:
                self._memory.manifests[manifest.id] = stands = manifest
            return stands

    def mark_sent(self, intake_id: str) -> None:
        with self._memory.lock:
            self._memory.manifests[intake_id] = replace(self._memory.manifests[intake_id], sent=True)

    def claim(self, chunk: Chunk, manifest: Manifest, claimant: str, now: datetime, until: datetime) -> Claim:
        with self._memory.lock:
            state = self._memory.chunks.setdefault(chunk.key, ChunkState())
            if state.finished_by is not None:
                return Claim.FINISHED
            if state.claimant not in (None, claimant) and state.until is not None and state.until >= now:
                return Claim.ELSEWHERE
            state.claimant, state.until = claimant, until
            return Claim.GRANTED

    def release(self, chunk: Chunk, claimant: str) -> None:
        with self._memory.lock:
            self._claimed(chunk, claimant).claimant = None

    def finish(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        with self._memory.lock:
            self._claimed(chunk, claimant).finish(claimant, outcomes)

    def give_up(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        with self._memory.lock:
            state = self._claimed(chunk, claimant)
            state.finish(claimant, outcomes)
            state.given_up = True

    def progress(self, intake_id: str, now: datetime) -> Intake:
        with self._memory.lock:
            return Intake.of(self.get(intake_id, now), [_summary(state) for _, state in self._finished(intake_id)])

    def outcomes(self, intake_id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        with self._memory.lock:
            found = [
                (f"{number:04}.{index:04}", outcome)
                for number, state in self._finished(intake_id)
                for index, outcome in enumerate(state.outcomes)
            ]
        page = _page(found, lambda placed: placed[0], after, limit, "asc")
        return page.map(lambda placed: placed[1])

    def _finished(self, intake_id: str) -> list[tuple[int, ChunkState]]:
        return [
            (number, state)
            for (intake, number), state in self._memory.chunks.items()
            if intake == intake_id and state.finished_by is not None
        ]

    def _claimed(self, chunk: Chunk, claimant: str) -> ChunkState:
        state = self._memory.chunks.setdefault(chunk.key, ChunkState())
        if state.claimant != claimant:
            raise ClaimLost
        return state


@dataclass
class FakeQueue:
    """Holds the messages in the order in which they were sent; breaks down after as many as a test says."""

    messages: list[str] = field(default_factory=list)
    takes: int | None = None
    """How many more messages it takes; None for any number."""

    def send(self, messages: Sequence[str]) -> None:
        # What SQS takes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        assert re.fullmatch("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*", "".join(messages))
        taken = messages[: self.takes]
        self.messages += taken
        if self.takes is not None:
            self.takes -= len(taken)
        if len(taken) < len(messages):
            raise StoreBusy

    def delete(self, receipts: Sequence[str]) -> None:
        """Whoever takes messages out of the list has acknowledged them."""


class FakeCalendarTokens:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def find(self, owner: Owner) -> Shared | None:
        with self._memory.lock:
            feed = self._memory.feeds.get(owner)
            return feed.shared if feed else None

    def keep(self, owner: Owner, shared: Shared, now: datetime) -> None:
        with self._memory.lock:
            self._memory.feeds[owner] = FeedState(replace(shared, kept=None))

    def remove(self, owner: Owner, now: datetime) -> None:
        with self._memory.lock:
            self._memory.feeds.pop(owner, None)

    def claim(self, owner: Owner, shared: Shared, now: datetime) -> bool:
        with self._memory.lock:
            feed = self._in_force(owner, shared)
            if feed is None or (feed.claimed_until is not None and feed.claimed_until > now):
                return False
            feed.claimed_until = now + RENEWED_WITHIN
            return True

    def keep_rendering(self, owner: Owner, shared: Shared, rendering: Rendering) -> None:
        with self._memory.lock:
            feed = self._in_force(owner, shared)
            if feed is None or (feed.shared.kept is not None and feed.shared.kept.as_of >= rendering.as_of):
                return
            kept, until = shared.kept, rendering.as_of + KEPT
            if kept is not None and kept.tag == rendering.tag and rendering.as_of < kept.until:
                until = kept.until  # and the content is taken to be there
            elif shared.shows is Shows.TIMES:
                feed.content = rendering.content
            feed.shared = replace(feed.shared, kept=Kept(rendering.tag, rendering.as_of, until))

    def rendering(self, owner: Owner, tag: str) -> bytes | None:
        with self._memory.lock:
            feed = self._memory.feeds.get(owner)
            known = feed is not None and feed.shared.kept is not None and feed.shared.kept.tag == tag
            return feed.content if feed is not None and known else None

    def lose_rendering(self, owner: Owner) -> None:
        """The store has dropped it, as it may once its day is over."""
        self._memory.feeds[owner].content = None

    def _in_force(self, owner: Owner, shared: Shared) -> FeedState | None:
        feed = self._memory.feeds.get(owner)
        return feed if feed is not None and feed.shared.token_hash == shared.token_hash else None


class FakeEvents:
    """Pages in a list, and up to where each goes that begins with a change."""

    def __init__(self) -> None:
        self.pages: list[list[Event]] = []
        self.reached: dict[int, int] = {}
        self.lost = False
        """Whether nothing of it is there any more."""

    def append(self, changes: Sequence[Change], now: datetime) -> int:
        first, last = changes[0].sequence, changes[-1].sequence
        if first not in self.reached:
            self.reached[first] = last
            self.pages.append([change.event for change in changes if change.event is not None])
        return self.reached[first]

    def read(self, after: Position, limit: int, now: datetime) -> Stretch:
        if self.lost:
            raise PositionLost
        told = [
            Told(event, Position(number, index))
            for number, events in enumerate(self.pages, 1)
            for index, event in enumerate(events, 1)
            if Position(number, index) > after
        ]
        return Stretch(told[:limit], told[limit - 1].position if len(told) >= limit else self.end())

    def oldest(self, now: datetime) -> Position:
        return Position(1, 0)

    def end(self) -> Position:
        return Position(len(self.pages) + 1, 0)


class FakeWebhooks:
    def __init__(self) -> None:
        self.standing: dict[str, Webhook] = {}

    def get(self, webhook_id: str) -> Webhook:
        if webhook_id not in self.standing:
            raise WebhookNotFound
        return self.standing[webhook_id]

    def add(self, webhook: Webhook) -> None:
        self.standing[webhook.id] = webhook

    def save(self, before: Webhook, after: Webhook) -> None:
        stands = self.standing.get(before.id)
        if stands is None or stands.version != before.version:
            raise VersionMismatch
        self.standing[after.id] = after

    def remove(self, webhook_id: str, now: datetime) -> None:
        if self.standing.pop(webhook_id, None) is None:
            raise WebhookNotFound

    def all(self) -> Sequence[Webhook]:
        return list(self.standing.values())


class FakeWebhookQueue:
    """Remembers who was woken, who is to be tested, and what was put off."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.tested: list[str] = []
        self.hidden: list[tuple[str, int]] = []

    def wake(self, webhook_ids: Sequence[str]) -> None:
        self.woken += webhook_ids

    def test(self, webhook_id: str) -> None:
        self.tested.append(webhook_id)

    def hide(self, receipt: str, seconds: int) -> None:
        self.hidden.append((receipt, seconds))


@dataclass
class NoticeState:
    notice: Notice
    claimant: str | None = None
    until: datetime | None = None


class FakeNotices:
    def __init__(self) -> None:
        self.states: dict[str, NoticeState] = {}
        self.looked_ahead: datetime | None = None

    def find(self, visit_id: str) -> Notice:
        state = self.states.get(visit_id)
        return replace(state.notice, claimed=state.claimant is not None) if state else Notice()

    def claim(self, visit: Visit, seen: Notice, claimant: str, now: datetime) -> bool:
        state = self._state(visit.id)
        free = state.claimant is None or (state.until is not None and state.until < now)
        if not free or state.notice.version != seen.version:
            return False
        state.claimant, state.until = claimant, now + CLAIMED_FOR
        return True

    def record(self, visit: Visit, claimant: str, told: Heard) -> None:
        state = self._state(visit.id)
        if state.claimant != claimant:
            raise StoreBusy
        state.claimant = None
        self._change(state, told=told)

    def stop(self, visit: Visit, stopped: Stopped) -> None:
        self._change(self._state(visit.id), stopped=stopped)

    def forget(self, visit_id: str) -> None:
        if visit_id in self.states:
            self.states[visit_id].claimant = None
            self._change(self.states[visit_id], told=None, stopped=None)

    def switch_reminders(self, visit: Visit, on: bool) -> None:
        self._change(self._state(visit.id), reminders=on)

    def looked_ahead_until(self) -> datetime | None:
        return self.looked_ahead

    def has_looked_ahead(self, last: datetime | None, until: datetime) -> None:
        if self.looked_ahead == last:
            self.looked_ahead = until

    def _state(self, visit_id: str) -> NoticeState:
        return self.states.setdefault(visit_id, NoticeState(Notice()))

    def _change(self, state: NoticeState, **changes: Any) -> None:
        state.notice = replace(state.notice, version=state.notice.version + 1, **changes)


class FakeOutbox:
    """Keeps the mails. Does what a test says instead of sending the next ones."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.instead: list[Callable[[], None]] = []

    def send(self, address: str, mail: bytes, tags: Mapping[str, str]) -> None:
        if self.instead:
            self.instead.pop(0)()
        self.sent.append((address, mail, tags))


class FakeReceivers:
    """Receivers that answer what they are told to, 204 without; they remember what came."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    def check(self, url: str) -> None:
        check_url(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.got.append((url, headers, body))
        return self.answers.pop(0) if self.answers else Answer("204", 204)


@dataclass
class FakeSigningKeys:
    """Starts with one key; `rotate` makes the next one the current, and `forget` takes the old ones away."""

    keyring: Keyring = field(default_factory=lambda: Keyring("k1", {"k1": b"secret of k1"}))

    def load(self) -> Keyring:
        return self.keyring

    def rotate(self) -> None:
        name = f"k{len(self.keyring.secrets) + 1}"
        self.keyring = Keyring(name, {**self.keyring.secrets, name: f"secret of {name}".encode()})

    def forget(self) -> None:
        current = self.keyring.current
        self.keyring = Keyring(current, {current: self.keyring.secrets[current]})


def _page(
    found: list[T], position: Callable[[T], str], after: str | None, limit: int, order: Literal["asc", "desc"]
) -> Page[T]:
    descending = order == "desc"
    ordered = sorted(found, key=position, reverse=descending)
    if after is not None:
        ordered = [item for item in ordered if (position(item) < after if descending else position(item) > after)]
    items = ordered[:limit]
    return Page(items, position(items[-1]) if len(ordered) > limit else None)


def _summary(state: ChunkState) -> ChunkSummary:
    told = Counter(outcome.result for outcome in state.outcomes)
    return ChunkSummary(told["created"], told["duplicate"], told["rejected"], state.given_up)


def _taken(quarters: Iterable[datetime], holder: Literal["property", "agent"]) -> Iterable[TakenInterval]:
    return (TakenInterval(start, end, holder) for start, end in intervals(quarters))
