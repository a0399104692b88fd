"""What bookings without a key use up, and what waits for an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.errors import LimitReached, SlotTaken, VersionMismatch
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.public import COUNTED, Ahead, Hour, Rationed
from chalicelib.domain.visits import Awaited, Party, Status, Visit
from tests.builders import NOW, TEN, a_record, a_visit, minutes, visit_id
from tests.integration.repositories.stores import Repositories, next_version


def someone() -> str:
    return visit_id()


def visit(house: str, number: int = 0, **changes: object) -> Visit:
    return a_visit(property_id=house, date=TEN + minutes(30 * number), **changes)


def hour(whose: str, most: int = 2) -> Hour:
    return Hour.of("property", whose, NOW, most)


def test_an_hour_is_used_up_by_what_is_booked_in_it(repositories: Repositories, house: str) -> None:
    visits = repositories.visits
    for number in range(2):
        visits.add_rationed(visit(house, number), 1, None, [hour(house)])
    with pytest.raises(LimitReached) as refused:
        visits.add_rationed(visit(house, 2), 1, None, [hour(house)])
    assert (refused.value.reached, refused.value.retry_after_seconds) == ("property", 3600)
    later = Hour.of("property", house, NOW + timedelta(hours=1), 2)
    visits.add_rationed(visit(house, 2), 1, None, [later])
    visits.add_rationed(visit(house, 3), 1, None, [Hour.of("address", house, NOW, 2)])


def test_what_is_refused_uses_nothing_up(repositories: Repositories, house: str) -> None:
    visits, contact = repositories.visits, someone()
    first = visit(house)
    visits.add(first, 1)
    again = replace(first, id=visit_id())
    rations: list[Rationed] = [hour(house, 1), Ahead(contact).plus(again)]
    with pytest.raises(SlotTaken):
        visits.add_rationed(again, 1, None, rations)
    assert repositories.public.ahead(contact) == Ahead(contact)
    visits.add_rationed(visit(house, 1), 1, None, [hour(house, 1)])


def test_of_two_bookings_of_a_contact_at_once_one_comes_first(repositories: Repositories, house: str) -> None:
    visits, contact = repositories.visits, someone()
    seen = repositories.public.ahead(contact)
    one, two = visit(house), visit(house, 1)
    visits.add_rationed(one, 1, None, [seen.plus(one)])
    with pytest.raises(VersionMismatch):
        visits.add_rationed(two, 1, None, [seen.plus(two)])
    now = repositories.public.ahead(contact)
    assert now == Ahead(contact, ((one.id, one.created_at + COUNTED),), 1)
    visits.add_rationed(two, 1, None, [now.plus(two)])
    assert [id for id, _ in repositories.public.ahead(contact).visits] == sorted([one.id, two.id])


def test_a_visit_that_was_moved_is_counted_once_more_unless_a_booking_came_first(
    repositories: Repositories, house: str
) -> None:
    visits, public, contact = repositories.visits, repositories.public, someone()
    one, two = visit(house), visit(house, 1)
    visits.add_rationed(one, 1, None, [public.ahead(contact).plus(one)])
    seen = public.ahead(contact)
    moved = replace(one, date=TEN + timedelta(days=100))
    public.count(seen.plus(moved))
    assert public.ahead(contact) == Ahead(contact, ((one.id, moved.date + minutes(30)),), 2)
    with pytest.raises(VersionMismatch):
        visits.add_rationed(two, 1, None, [seen.plus(two)])
    with pytest.raises(VersionMismatch):
        public.count(seen.plus(moved))


def test_a_repetition_is_told_before_any_limit(repositories: Repositories, house: str) -> None:
    visits, once = repositories.visits, a_record()
    booked = visit(house)
    visits.add_rationed(booked, 1, once, [hour(house, 1)])
    with pytest.raises(AlreadyDone):
        visits.add_rationed(replace(booked, id=visit_id()), 1, once, [hour(house, 1)])


def test_what_waits_for_an_answer_is_found_when_its_time_has_come(repositories: Repositories, house: str) -> None:
    visits, public = repositories.visits, repositories.public
    until = NOW + timedelta(hours=20)
    held = visit(house, status=Status.REQUESTED, awaited=Awaited(Party.VISITOR, until, Status.CONFIRMED))
    visits.add(held, 1)
    assert visits.get(held.id) == held
    assert held.id not in public.due(NOW, until - timedelta(seconds=1))
    assert held.id in public.due(until - minutes(1), until)
    assert held.id in public.due(NOW - timedelta(days=2), until + timedelta(days=2))
    # Another answer, another time.
    asked = next_version(held, awaited=Awaited(Party.AGENCY, until + timedelta(days=2)))
    visits.save(held, asked)
    assert visits.get(held.id) == asked
    assert held.id in public.due(until + timedelta(days=1), until + timedelta(days=2))


def test_of_two_that_decline_at_once_one_moves_the_clock(repositories: Repositories) -> None:
    public = repositories.public
    before = public.declined_until()
    public.has_declined(before, NOW)
    assert public.declined_until() == NOW
    public.has_declined(before if before != NOW else None, NOW - minutes(1))
    assert public.declined_until() == NOW
