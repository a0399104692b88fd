"""The use cases, wired: what routes and event handlers are given to work with."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.services.availability import Availability
from chalicelib.services.calendars import Calendars
from chalicelib.services.exports import Exports
from chalicelib.services.intake_worker import IntakeWorker
from chalicelib.services.intakes import Intakes
from chalicelib.services.listing import Listing
from chalicelib.services.ports import Clock, Queue, Store
from chalicelib.services.properties import Properties
from chalicelib.services.sheet_reader import SheetReader
from chalicelib.services.sheets import Sheets
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Visits


@dataclass(frozen=True)
class Services:
    visits: Visits
    properties: Properties
    availability: Availability
    listing: Listing
    exports: Exports
    calendars: Calendars
    intakes: Intakes
    intake_worker: IntakeWorker
    sheets: Sheets
    sheet_reader: SheetReader
    queue: Queue
    signer: Signer
    store: Store
    clock: Clock
