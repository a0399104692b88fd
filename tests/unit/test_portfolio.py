"""The use cases of properties, over the fakes."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import KeyReused, PropertyExists, PropertyNotFound, VersionMismatch
from chalicelib.services.following import Following
from chalicelib.services.idempotency import Once
from chalicelib.services.properties import Portfolio
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Booking
from tests.builders import Clock, Ids, a_key, details
from tests.fakes import FakeIdempotencyRecords, FakeProperties, FakeSigningKeys, FakeVisits, Memory


@pytest.fixture
def portfolio() -> Portfolio:
    memory, clock = Memory(), Clock()
    once = Once(FakeIdempotencyRecords(memory), Signer(FakeSigningKeys(), clock), clock)
    properties, visits = FakeProperties(memory), FakeVisits(memory)
    following = Following(visits, Booking(properties, visits, once, clock, Ids()), clock)
    return Portfolio(properties, following, once, clock, Ids())


def test_a_property_gets_the_callers_id_or_one_of_ours(portfolio: Portfolio) -> None:
    assert portfolio.register(details(), "house", None).result.id == "house"
    ours = portfolio.register(details(), None, None).result
    assert portfolio.get(ours.id) == ours
    with pytest.raises(PropertyExists):
        portfolio.register(details(), "house", None)


@pytest.mark.parametrize("id", ["house", None])
def test_the_same_key_registers_once(portfolio: Portfolio, id: str | None) -> None:
    first = portfolio.register(details(), id, a_key())
    again = portfolio.register(details(), id, a_key())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result
    assert portfolio.list(None, 10).items == [first.result]
    with pytest.raises(KeyReused):
        portfolio.register(details(name="Other"), id, a_key(payload=b"another"))


def test_what_must_be_new_is_created_once(portfolio: Portfolio) -> None:
    made = portfolio.create("house", details())
    with pytest.raises(VersionMismatch):
        portfolio.create("house", details(name="Other"))
    assert portfolio.get("house") == made


def test_a_property_is_replaced_in_the_version_that_was_named(portfolio: Portfolio) -> None:
    portfolio.create("house", details())
    after = portfolio.replace("house", details(name="Villa"), frozenset({1})).property
    assert (after.details.name, after.version) == ("Villa", 2)
    for stale in (frozenset({1}), frozenset[int]()):
        with pytest.raises(VersionMismatch):
            portfolio.replace("house", details(name="Hut"), stale)
    assert portfolio.replace("house", details(name="Hut"), None).property.version == 3
    assert portfolio.replace("house", details(name="Hut"), frozenset({3})).property.version == 3, "nothing differs"


def test_what_is_not_there_is_neither_found_nor_replaced(portfolio: Portfolio) -> None:
    with pytest.raises(PropertyNotFound):
        portfolio.get("nowhere")
    with pytest.raises(VersionMismatch):
        portfolio.replace("nowhere", details(), None)
