"""The use cases, wired: what routes and event handlers are given to work with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib import services

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from chalicelib.domain.agents import Agent
    from chalicelib.domain.notices import Sender
    from chalicelib.domain.premises import Premises
    from chalicelib.domain.public import Terms
    from chalicelib.services import ports
    from chalicelib.services.notices import Compose


class Ports:
    """What the use cases need from outside. The container makes each when first asked for it; tests put others in."""

    properties: cached_property[ports.PropertyStore]
    availability: cached_property[ports.AvailabilityStore]
    agents: cached_property[ports.AgentStore]
    visits: cached_property[ports.VisitStore]
    public: cached_property[ports.PublicStore]
    records: cached_property[ports.IdempotencyStore]
    keys: cached_property[ports.SigningKeyStore]
    intakes: cached_property[ports.IntakeStore]
    calendar_tokens: cached_property[ports.CalendarStore]
    sheets: cached_property[ports.SheetStore]
    files: cached_property[ports.SheetFiles]
    recognition: cached_property[ports.Recognition]
    events: cached_property[ports.EventStore]
    event_bus: cached_property[ports.EventBus]
    webhooks: cached_property[ports.WebhookStore]
    webhook_queue: cached_property[ports.WebhookQueue]
    receivers: cached_property[ports.Receivers]
    dead_letters: cached_property[ports.DeadLetters]
    notices: cached_property[ports.NoticeStore]
    notice_queue: cached_property[ports.Queue]
    outbox: cached_property[ports.Outbox]
    queue: ports.Queue
    store: ports.Store
    sender: cached_property[Sender | None]
    terms: cached_property[Terms]
    describe: ports.Describe
    compose: Compose
    clock: ports.Clock
    new_id: ports.NewId
    pool: cached_property[Executor]
    sleep: Callable[[float], None]


class Services:
    """The use cases over what they are given. Each loads, with what it needs, when it is first asked for."""

    def __init__(self, given: Ports) -> None:
        self._given = given
        self.clock, self.store, self.queue = given.clock, given.store, given.queue

    @cached_property
    def visits(self) -> services.visits.Visits:
        given = self._given
        return services.visits.Visits(
            self._premises, self._agent, given.visits, self._once, given.clock, given.new_id, given.sleep
        )

    @cached_property
    def visitors(self) -> services.visitors.Visitors:
        return services.visitors.Visitors(self._given.visits, self.visits)

    @cached_property
    def properties(self) -> services.properties.Properties:
        given = self._given
        following = services.following.Following(given.visits, self.visits, given.clock)
        return services.properties.Properties(given.properties, following, self._once, given.clock, given.new_id)

    @cached_property
    def availability(self) -> services.availability.Availabilities:
        given = self._given
        return services.availability.Availabilities(
            given.properties, given.availability, given.agents, given.visits, given.clock
        )

    @cached_property
    def agents(self) -> services.agents.Agents:
        return services.agents.Agents(self._given.agents, self._given.calendar_tokens, self._given.clock)

    @cached_property
    def listing(self) -> services.listing.Listing:
        return services.listing.Listing(self._given.visits, self._given.clock)

    @cached_property
    def exports(self) -> services.exports.Exports:
        return services.exports.Exports(self._given.visits, self._given.properties, self._given.agents)

    @cached_property
    def calendars(self) -> services.calendars.Calendars:
        given = self._given
        return services.calendars.Calendars(
            given.properties, given.agents, given.visits, given.calendar_tokens, given.clock
        )

    @cached_property
    def intakes(self) -> services.intakes.Intakes:
        given = self._given
        return services.intakes.Intakes(given.intakes, given.queue, self._once, given.clock, given.new_id)

    @cached_property
    def intake_worker(self) -> services.intake_worker.IntakeWorker:
        given = self._given
        return services.intake_worker.IntakeWorker(
            self.visits, given.intakes, self.signer, given.describe, given.pool, given.clock, given.new_id
        )

    @cached_property
    def sheets(self) -> services.sheets.Sheets:
        given = self._given
        return services.sheets.Sheets(
            given.sheets, given.files, given.properties, self.intakes, given.clock, given.new_id
        )

    @cached_property
    def sheet_reader(self) -> services.sheet_reader.SheetReader:
        given = self._given
        return services.sheet_reader.SheetReader(given.sheets, given.files, given.recognition, self.sheets, given.clock)

    @cached_property
    def events(self) -> services.events.Events:
        return services.events.Events(self._given.events, self._given.clock)

    @cached_property
    def event_bus(self) -> ports.EventBus:
        return self._given.event_bus

    @cached_property
    def webhooks(self) -> services.webhooks.Webhooks:
        given = self._given
        return services.webhooks.Webhooks(
            given.webhooks, self.events, given.webhook_queue, given.receivers, given.clock, given.new_id
        )

    @cached_property
    def webhook_queue(self) -> ports.WebhookQueue:
        return self._given.webhook_queue

    @cached_property
    def dead_letters(self) -> ports.DeadLetters:
        return self._given.dead_letters

    @cached_property
    def notices(self) -> services.notices.Notices:
        given = self._given
        return services.notices.Notices(
            given.sender,
            self.visits,
            given.visits,
            given.properties,
            given.notices,
            given.notice_queue,
            given.outbox,
            self._links,
            given.compose,
            given.clock,
            given.new_id,
        )

    @cached_property
    def visitor_links(self) -> services.visitor_links.VisitorLinks:
        given = self._given
        return services.visitor_links.VisitorLinks(
            self._links,
            self.visits,
            self.availability,
            given.properties,
            given.notices,
            given.public,
            given.terms,
            given.clock,
        )

    @cached_property
    def public(self) -> services.public.Public:
        given = self._given
        return services.public.Public(
            self._premises,
            self.availability,
            given.visits,
            self.visits,
            given.public,
            self._once,
            self._links,
            self.signer,
            given.terms,
            given.clock,
            given.new_id,
        )

    @cached_property
    def signer(self) -> services.signing_keys.Signer:
        return services.signing_keys.Signer(self._given.keys, self._given.clock)

    @cached_property
    def _once(self) -> services.idempotency.Idempotency:
        return services.idempotency.Idempotency(self._given.records, self.signer, self._given.clock)

    @cached_property
    def _links(self) -> services.visitor_links.Links:
        return services.visitor_links.Links(self.signer)

    def _premises(self, property_id: str) -> Premises:
        return self._given.availability.premises(property_id)

    def _agent(self, agent_id: str) -> Agent | None:
        return self._given.agents.get(agent_id)
