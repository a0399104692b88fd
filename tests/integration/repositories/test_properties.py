"""Properties in their store."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from chalicelib.domain.errors import PropertyExists, PropertyNotFound, VersionMismatch
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.listing import EVERY_PROPERTY
from chalicelib.domain.properties import Property
from chalicelib.services.ports import PropertyStore
from tests.builders import NOW, a_property, a_record, property_id
from tests.integration.repositories.stores import Repositories

if TYPE_CHECKING:
    pass


def test_a_property_is_found_as_it_was_added(properties: PropertyStore) -> None:
    for property in (
        a_property(),
        a_property("~._-" + property_id(), price=Decimal("0.125"), capacity=7, visits_allowed=False, name="Ñandú 🏠"),
    ):
        properties.add(property)
        assert properties.get(property.id) == property


def test_a_property_that_is_not_there_is_not_found(properties: PropertyStore, house: str) -> None:
    with pytest.raises(PropertyNotFound) as refused:
        properties.get(house)
    assert refused.value.property_id == house


def test_a_property_is_added_only_once(properties: PropertyStore, house: str) -> None:
    properties.add(a_property(house, name="First"))
    with pytest.raises(PropertyExists) as refused:
        properties.add(a_property(house, name="Second"))
    assert refused.value.property_id == house
    assert properties.get(house).details.name == "First"


def test_a_property_is_saved_over_the_version_that_was_read_and_over_no_other(
    properties: PropertyStore, house: str
) -> None:
    before = a_property(house)
    properties.add(before)
    after = replace(before, details=replace(before.details, price=Decimal(1)), version=2)
    properties.save(before, after)
    with pytest.raises(VersionMismatch):
        properties.save(before, replace(after, details=replace(before.details, price=Decimal(2))))
    assert properties.get(house) == after


def test_a_property_that_is_not_there_cannot_be_saved(properties: PropertyStore, house: str) -> None:
    missing = a_property(house)
    with pytest.raises(VersionMismatch):
        properties.save(missing, replace(missing, version=2))
    with pytest.raises(PropertyNotFound):
        properties.get(house)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_properties_are_listed_by_id_and_each_exactly_once(properties: PropertyStore, limit: int) -> None:
    ids = {f"{first}{property_id()}" for first in ("~", ".", "-", "_", "A", "z", "0")}
    for id in ids:
        properties.add(a_property(id))
    found: list[Property] = []
    after: str | None = None
    while True:
        page = properties.list(EVERY_PROPERTY, after, limit)
        assert len(page.items) <= limit
        found += page.items
        if page.next is None:
            break
        after = page.next
    listed = [property.id for property in found]
    assert listed == sorted(listed)
    assert [id for id in listed if id in ids] == sorted(ids)


def test_a_property_added_under_an_idempotency_key_is_added_once(repositories: Repositories, house: str) -> None:
    once = a_record()
    repositories.properties.add(a_property(house), once)
    with pytest.raises(AlreadyDone):
        repositories.properties.add(a_property(), once)
    with pytest.raises(AlreadyDone):  # the record counts before the property, which is this request's own
        repositories.properties.add(a_property(house), once)
    assert repositories.records.find(once.id, NOW) == once


def test_a_refused_property_leaves_no_idempotency_record(repositories: Repositories, house: str) -> None:
    once = a_record()
    repositories.properties.add(a_property(house))
    with pytest.raises(PropertyExists):
        repositories.properties.add(a_property(house), once)
    assert repositories.records.find(once.id, NOW) is None
