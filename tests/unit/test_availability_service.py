"""The rules of a property: set, replaced where nobody was faster, and read."""

from __future__ import annotations

import pytest

from chalicelib.domain.availability import Availability, Rules
from chalicelib.domain.errors import AvailabilityNotFound, PropertyNotFound, VersionMismatch
from tests.agency import Agency
from tests.builders import NOW, NotAllowed, forbidden, minutes, unchecked

RULES = Rules(step_minutes=30)
OTHERS = Rules(step_minutes=60)


@pytest.fixture
def agency() -> Agency:
    return Agency()


def test_rules_are_set_once_and_read(agency: Agency) -> None:
    with pytest.raises(AvailabilityNotFound) as refused:
        agency.availability.get("house")
    assert refused.value.property_id == "house"
    made = agency.availability.create("house", RULES, unchecked)
    assert made == Availability("house", RULES, version=1, created_at=NOW, updated_at=NOW)
    assert agency.availability.get("house") == made == agency.availability.premises("house").availability
    with pytest.raises(VersionMismatch):
        agency.availability.create("house", OTHERS, unchecked)
    with pytest.raises(PropertyNotFound):
        agency.availability.create("nowhere", RULES, unchecked)
    with pytest.raises(PropertyNotFound):
        agency.availability.replace("nowhere", RULES, None, unchecked)
    with pytest.raises(PropertyNotFound):
        agency.availability.get("nowhere")


def test_rules_are_replaced_where_nobody_was_faster(agency: Agency) -> None:
    with pytest.raises(VersionMismatch):
        agency.availability.replace("house", RULES, None, unchecked)
    agency.availability.create("house", RULES, unchecked)
    agency.clock.advance(minutes(5))
    after = agency.availability.replace("house", OTHERS, frozenset({1}), unchecked)
    assert after == Availability("house", OTHERS, version=2, created_at=NOW, updated_at=agency.clock())
    assert agency.availability.get("house") == after
    for expected in (frozenset({1}), frozenset[int]()):
        with pytest.raises(VersionMismatch):
            agency.availability.replace("house", RULES, expected, unchecked)
    assert agency.availability.replace("house", OTHERS, None, unchecked) is after, "nothing differs"


def test_what_is_to_be_refused_is_refused_before_anything_is_written(agency: Agency) -> None:
    with pytest.raises(NotAllowed):
        agency.availability.create("house", RULES, forbidden)
    before = agency.availability.create("house", RULES, unchecked)
    with pytest.raises(NotAllowed):
        agency.availability.replace("house", OTHERS, None, forbidden)
    assert agency.availability.get("house") == before
