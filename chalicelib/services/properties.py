"""The use cases of the agency's properties: register, replace, find."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.domain.errors import PropertyExists, PropertyNotFound, VersionMismatch
from chalicelib.domain.properties import Property, PropertyDetails
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.idempotency import IdempotencyKey, IdempotencyRecord
    from chalicelib.domain.listing import Page, PropertyFilter
    from chalicelib.services.following import Following
    from chalicelib.services.idempotency import Idempotency, Outcome
    from chalicelib.services.ports import Clock, NewId, PropertyStore

Check = Callable[[Property], None]
"""Raises what is to be refused once the present state of the property is known."""


def nothing_to_check(_: Property) -> None:
    """Whatever the property is like."""


class Replaced(Record):
    """A property after it was replaced, and whether all its upcoming visits show its address and zone."""

    property: Property
    visits_follow: bool


class Properties:
    def __init__(
        self, properties: PropertyStore, following: Following, once: Idempotency, clock: Clock, new_id: NewId
    ) -> None:
        self._properties = properties
        self._following = following
        self._once = once
        self._clock = clock
        self._new_id = new_id

    def list(self, filter: PropertyFilter, after: str | None, limit: int) -> Page[Property]:
        return self._properties.list(filter, after, limit)

    def register(
        self, details: PropertyDetails, property_id: str | None, key: IdempotencyKey | None
    ) -> Outcome[Property]:
        """Registers a property under the caller's id or a new one. Raises PropertyExists."""
        chosen = property_id if property_id is not None else self._new_id()

        def attempt(once: IdempotencyRecord | None) -> Property:
            property = self._new(chosen, details)
            self._properties.add(property, once)
            return property

        return self._once.run(key, chosen, attempt, recall=self._properties.get)

    def create(self, property_id: str, details: PropertyDetails, check: Check = nothing_to_check) -> Property:
        """Registers a property that must not exist yet. Raises VersionMismatch when it does."""
        property = self._new(property_id, details)
        check(property)
        try:
            self._properties.add(property)
        except PropertyExists as exists:
            raise VersionMismatch from exists
        return property

    def replace(
        self,
        property_id: str,
        details: PropertyDetails,
        expected: frozenset[int] | None,
        check: Check = nothing_to_check,
        by: str | None = None,
    ) -> Replaced:
        """Replaces what is said of a property that is as the caller last saw it. Raises VersionMismatch.

        Its upcoming visits follow to a corrected address or zone. Replacing it by the same goes on with those that an
        interruption, or a booking under way at the time, left behind.
        """
        try:
            before = self._properties.get(property_id)
        except PropertyNotFound as missing:
            raise VersionMismatch from missing
        if expected is not None and before.version not in expected:
            raise VersionMismatch
        check(before)
        after = before.replaced(details, self._clock())
        if after is not before:
            self._properties.save(before, after)
        old, new = before.details, after.details
        corrected = (old.address, old.time_zone) != (new.address, new.time_zone)
        follow = self._following.bring_along(before, after, by) if corrected or after is before else True
        return Replaced(after, follow)

    def _new(self, property_id: str, details: PropertyDetails) -> Property:
        now = self._clock()
        return Property(property_id, details, version=1, created_at=now, updated_at=now)
