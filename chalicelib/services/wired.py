"""The use cases, wired: what routes and event handlers are given to work with."""

from __future__ import annotations

from dataclasses import dataclass, field

from chalicelib.services.agents import Agents
from chalicelib.services.availability import Availabilities
from chalicelib.services.calendars import Calendars
from chalicelib.services.events import Events, NoBus
from chalicelib.services.exports import Exports
from chalicelib.services.intake_worker import IntakeWorker
from chalicelib.services.intakes import Intakes
from chalicelib.services.listing import Listing
from chalicelib.services.notices import Notices
from chalicelib.services.ports import Clock, EventBus, Queue, Store, WebhookQueue
from chalicelib.services.properties import Properties
from chalicelib.services.public import Public
from chalicelib.services.sheet_reader import SheetReader
from chalicelib.services.sheets import Sheets
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visitor_links import VisitorLinks
from chalicelib.services.visitors import Visitors
from chalicelib.services.visits import Visits
from chalicelib.services.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    visits: Visits
    visitors: Visitors
    properties: Properties
    availability: Availabilities
    agents: Agents
    listing: Listing
    exports: Exports
    calendars: Calendars
    intakes: Intakes
    intake_worker: IntakeWorker
    sheets: Sheets
    sheet_reader: SheetReader
    events: Events
    webhooks: Webhooks
    webhook_queue: WebhookQueue
    notices: Notices
    visitor_links: VisitorLinks
    public: Public
    queue: Queue
    signer: Signer
    store: Store
    clock: Clock
    event_bus: EventBus = field(default_factory=NoBus)
