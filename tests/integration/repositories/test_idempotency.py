"""Idempotency records in their store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chalicelib.domain.idempotency import AlreadyDone
from tests.builders import NOW, a_record, a_visit, minutes, property_id
from tests.integration.repositories.stores import DAY, Repositories, at

if TYPE_CHECKING:
    pass


def test_a_record_is_found_until_it_expires_however_long_it_stays_stored(repositories: Repositories) -> None:
    once = a_record(expires_at=NOW + minutes(10))
    repositories.visits.add(a_visit(property_id=property_id()), 1, once)
    assert repositories.records.find(once.id, NOW + minutes(9)) == once
    assert repositories.records.find(once.id, NOW + minutes(10)) is None
    assert repositories.records.find(a_record().id, NOW) is None


def test_a_retry_is_already_done_rather_than_in_conflict_with_itself(repositories: Repositories, house: str) -> None:
    once = a_record()
    visit = a_visit(property_id=house)
    repositories.visits.add(visit, 1, once)
    for retry in (a_visit(property_id=house), visit):
        with pytest.raises(AlreadyDone):
            repositories.visits.add(retry, 1, once)
    assert repositories.visits.held_quarters(house, DAY) == {at("10:00"): 1, at("10:15"): 1}


def test_an_expired_record_is_replaced(repositories: Repositories, house: str) -> None:
    once = a_record(expires_at=NOW + minutes(10))
    repositories.visits.add(a_visit(property_id=house), 1, once)
    later = a_visit(property_id=house, date=at("12:00"), created_at=NOW + minutes(10))
    again = replace(once, resource_id=later.id, expires_at=NOW + minutes(20))
    repositories.visits.add(later, 1, again)
    assert repositories.records.find(once.id, NOW + minutes(15)) == again
