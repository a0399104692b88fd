"""The use cases, wired: what routes and event handlers are given to work with."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.services.availability import Availability
from chalicelib.services.calendars import Feeds
from chalicelib.services.exports import Exporting
from chalicelib.services.intake_worker import Worker
from chalicelib.services.intakes import IntakeDesk
from chalicelib.services.listing import Listing
from chalicelib.services.ports import Clock, Queue, Store
from chalicelib.services.properties import Portfolio
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Booking


@dataclass(frozen=True)
class Services:
    visits: Booking
    properties: Portfolio
    availability: Availability
    listing: Listing
    exports: Exporting
    calendars: Feeds
    intakes: IntakeDesk
    intake_worker: Worker
    queue: Queue
    signer: Signer
    store: Store
    clock: Clock
