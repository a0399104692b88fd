"""The rules of a property in their store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.domain.availability import Availability, Dates, Hours, Opening, Rules
from chalicelib.domain.calendars import Owner, Shared
from chalicelib.domain.errors import PropertyNotFound, VersionMismatch
from chalicelib.domain.premises import Premises
from tests.builders import NOW, a_property
from tests.integration.repositories.stores import Repositories

if TYPE_CHECKING:
    pass


def rules_of(house: str, **changes: Any) -> Availability:
    nine = Opening(9 * 60, 24 * 60)
    hours = Hours(((nine, Opening(0, 1)),) * 6 + ((),), (Dates(date(2027, 12, 24), date(2028, 2, 29), (nine,)),))
    return replace(Availability(house, Rules(hours, 45, 90, 0, 15), 1, NOW, NOW), **changes)


def test_a_property_is_found_with_its_rules_or_without(repositories: Repositories, house: str) -> None:
    with pytest.raises(PropertyNotFound):
        repositories.availability.premises(house)
    property = a_property(house)
    repositories.properties.add(property)
    # What else lies beside a property is none of it.
    repositories.tokens.keep(Owner("property", house), Shared(b"hash"), NOW)
    assert repositories.availability.premises(house) == Premises(property)
    for rules in (rules_of(house), rules_of(house, rules=Rules(), version=2), rules_of(house, version=3)):
        if rules.version == 1:
            repositories.availability.add(rules)
        else:
            repositories.availability.save(replace(rules, version=rules.version - 1), rules)
        assert repositories.availability.premises(house) == Premises(property, rules)
    assert repositories.properties.get(house) == property


def test_rules_are_added_once_and_saved_as_they_were_read(repositories: Repositories, house: str) -> None:
    repositories.properties.add(a_property(house))
    before = rules_of(house)
    with pytest.raises(VersionMismatch):
        repositories.availability.save(before, replace(before, version=2))
    repositories.availability.add(before)
    with pytest.raises(VersionMismatch):
        repositories.availability.add(before)
    after = replace(before, version=2)
    repositories.availability.save(before, after)
    with pytest.raises(VersionMismatch):
        repositories.availability.save(before, replace(before, version=2))
    assert repositories.availability.premises(house).availability == after
