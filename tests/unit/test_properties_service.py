"""The use cases of properties, over the fakes."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import KeyReused, PreconditionRequired, PropertyExists, VersionMismatch
from chalicelib.domain.listing import EVERY_PROPERTY
from chalicelib.domain.properties import Property
from chalicelib.services.following import Following
from chalicelib.services.idempotency import Idempotency
from chalicelib.services.properties import Properties
from chalicelib.services.signing_keys import Signer
from chalicelib.services.visits import Visits
from tests.builders import NOW, Clock, Ids, a_key, details
from tests.fakes import (
    FakeIdempotencyRecords,
    FakeProperties,
    FakeSigningKeys,
    FakeVisits,
    Memory,
    finders,
)


@pytest.fixture
def portfolio() -> Properties:
    memory, clock = Memory(), Clock()
    once = Idempotency(FakeIdempotencyRecords(memory), Signer(FakeSigningKeys(), clock), clock)
    properties, visits = FakeProperties(memory), FakeVisits(memory)
    following = Following(visits, Visits(*finders(memory), visits, once, clock, Ids()), clock)
    return Properties(properties, following, once, clock, Ids())


def test_a_property_gets_the_callers_id_or_one_of_ours(portfolio: Properties) -> None:
    theirs = portfolio.register(details(), "house", None).result
    assert (theirs.id, theirs.details, theirs.created_at, theirs.updated_at) == ("house", details(), NOW, NOW)
    ours = portfolio.register(details(), None, None).result
    assert ours.id
    page = portfolio.list(EVERY_PROPERTY, None, 1)
    assert [*page.items, *portfolio.list(EVERY_PROPERTY, page.next, 1).items] == [ours, theirs]
    with pytest.raises(PropertyExists):
        portfolio.register(details(), "house", None)


@pytest.mark.parametrize("id", ["house", None])
def test_the_same_key_registers_once(portfolio: Properties, id: str | None) -> None:
    first = portfolio.register(details(), id, a_key())
    again = portfolio.register(details(), id, a_key())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.result == first.result
    assert portfolio.list(EVERY_PROPERTY, None, 10).items == [first.result]
    with pytest.raises(KeyReused):
        portfolio.register(details(name="Other"), id, a_key(payload=b"another"))


def test_what_must_be_new_is_created_once(portfolio: Properties) -> None:
    made = portfolio.create("house", details())
    with pytest.raises(VersionMismatch):
        portfolio.create("house", details(name="Other"))
    assert portfolio.list(EVERY_PROPERTY, None, 10).items == [made]


def test_a_property_is_replaced_in_the_version_that_was_named(portfolio: Properties) -> None:
    portfolio.create("house", details())
    replaced = portfolio.replace("house", details(name="Villa"), frozenset({1}))
    after = replaced.property
    assert (after.details.name, after.version, after.updated_at) == ("Villa", 2, NOW)
    assert replaced.visits_follow
    for stale in (frozenset({1}), frozenset[int]()):
        with pytest.raises(VersionMismatch):
            portfolio.replace("house", details(name="Hut"), stale)
    assert portfolio.replace("house", details(name="Hut"), None).property.version == 3
    assert portfolio.replace("house", details(name="Hut"), frozenset({3})).property.version == 3, "nothing differs"


def test_what_a_caller_insists_on_is_checked_against_the_property_before_it_is_written(portfolio: Properties) -> None:
    def insist(property: Property) -> None:
        if property.details.name == "House":
            raise PreconditionRequired("If-Match")

    with pytest.raises(PreconditionRequired):
        portfolio.create("house", details(), insist)
    made = portfolio.create("house", details())
    with pytest.raises(PreconditionRequired):
        portfolio.replace("house", details(name="Villa"), None, insist)
    assert portfolio.list(EVERY_PROPERTY, None, 10).items == [made]
    portfolio.create("villa", details(name="Villa"), insist)
    portfolio.replace("villa", details(), None, insist)


def test_what_is_not_there_is_not_replaced(portfolio: Properties) -> None:
    with pytest.raises(VersionMismatch):
        portfolio.replace("nowhere", details(), None)
