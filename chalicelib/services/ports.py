"""What the use cases need of the world outside. Repositories and the fakes of the tests fulfil it alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from chalicelib.domain.idempotency import IdempotencyRecord
from chalicelib.domain.listing import Page, VisitFilter, Window
from chalicelib.domain.properties import Property
from chalicelib.domain.signatures import Keyring
from chalicelib.domain.visits import Visit

Clock = Callable[[], datetime]
"""The present instant in UTC, in whole seconds."""

NewId = Callable[[], str]
"""A fresh id that sorts by the time it was made (UUIDv7, RFC 9562)."""


class Properties(Protocol):
    """The agency's properties. Reads by id are strongly consistent, lists eventually."""

    def get(self, property_id: str) -> Property:
        """Raises PropertyNotFound."""

    def add(self, property: Property, once: IdempotencyRecord | None = None) -> None:
        """Raises PropertyExists; AlreadyDone when `once` was written before."""

    def save(self, before: Property, after: Property) -> None:
        """Raises VersionMismatch when the property is no longer as it was `before`."""

    def list(self, after: str | None, limit: int) -> Page[Property]:
        """By id, from the position `after`."""


class Visits(Protocol):
    """The visits and the slots they hold, written together or not at all.

    Every write raises StoreBusy when the store stays contended: then nothing was written.
    """

    def get(self, visit_id: str) -> Visit:
        """Strongly consistent. Raises VisitNotFound."""

    def add(self, visit: Visit, capacity: int, once: IdempotencyRecord | None = None) -> None:
        """Books: raises SlotTaken, VisitExists, or AlreadyDone when `once` was written before."""

    def save(self, before: Visit, after: Visit) -> None:
        """Writes a change that holds no new slots; frees those no longer held. Raises VersionMismatch."""

    def move(self, before: Visit, after: Visit, capacity: int) -> None:
        """Writes a change of time or agent: holds new slots, frees old ones. Raises SlotTaken, VersionMismatch."""

    def list(self, filter: VisitFilter, after: str | None, limit: int) -> Page[Visit]:
        """By start and id. A page that filters by status or agent may be short though more follow."""

    def held_quarters(self, property_id: str, window: Window) -> Mapping[datetime, int]:
        """How many visits hold each of the property's quarter hours that the window touches; free ones are absent."""


class IdempotencyRecords(Protocol):
    def find(self, record_id: str, now: datetime) -> IdempotencyRecord | None:
        """Strongly consistent; None once expired."""


class SigningKeys(Protocol):
    def load(self) -> Keyring:
        """The keys that all instances share; made on first use."""


class Store(Protocol):
    def ping(self) -> None:
        """Raises when the store cannot be reached."""
