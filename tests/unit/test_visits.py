"""Visits: the lifecycle, merge patches, and erasure."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import FieldError, InvalidInput, SlotsReleased, TransitionNotAllowed, VisitNotStarted
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.visits import (
    Cancellation,
    ChangeVisit,
    ChangeVisitor,
    Origin,
    Status,
    Visit,
    Visitor,
)
from tests.builders import NOW, TEN, a_visit, minutes

AFTER = TEN + minutes(60)
"""When the usual visit has begun."""

# As the design has it, written out once more: each status, and what may follow it.
ALLOWED = {
    "requested": "confirmed declined cancelled",
    "confirmed": "completed no_show cancelled",
    "declined": "",
    "cancelled": "",
    "completed": "no_show",
    "no_show": "completed",
}
FULL = Visitor("Ann", "ann@example.com", "+49 30 1")


def changed(visit: Visit, **fields: Any) -> Visit:
    return visit.changed(ChangeVisit(**fields), address="Lane 1", now=AFTER)


def test_the_table_above_names_every_status() -> None:
    assert set(ALLOWED) == {str(status) for status in Status}


@pytest.mark.parametrize("wanted", Status)
@pytest.mark.parametrize("current", Status)
def test_every_pair_of_statuses(current: Status, wanted: Status) -> None:
    visit = a_visit(status=current)
    if wanted is current:
        assert visit.becomes(wanted, None, AFTER) is visit
    elif wanted in ALLOWED[current].split():
        after = visit.becomes(wanted, None, AFTER)
        assert (after.status, after.version, after.updated_at) == (wanted, 2, AFTER)
    else:
        with pytest.raises(TransitionNotAllowed) as refused:
            visit.becomes(wanted, None, AFTER)
        assert (refused.value.current, refused.value.wanted) == (current, wanted)
        assert refused.value.allowed == ALLOWED[current].split()


@pytest.mark.parametrize("status", Status)
def test_only_a_visit_that_may_still_take_place_holds_slots(status: Status) -> None:
    assert a_visit(status=status).holds_slots == (status in ("requested", "confirmed"))


@pytest.mark.parametrize("outcome", [Status.COMPLETED, Status.NO_SHOW])
def test_an_outcome_is_possible_from_the_start_on(outcome: Status) -> None:
    with pytest.raises(VisitNotStarted) as refused:
        a_visit().becomes(outcome, None, TEN - minutes(1))
    assert refused.value.starts == TEN
    assert a_visit().becomes(outcome, None, TEN).status is outcome


@pytest.mark.parametrize("reason", [None, "ill"])
def test_a_cancellation_keeps_its_reason_and_time(reason: str | None) -> None:
    assert a_visit().becomes(Status.CANCELLED, reason, AFTER).cancellation == Cancellation(reason, AFTER)
    assert a_visit().becomes(Status.COMPLETED, reason, AFTER).cancellation is None


def test_what_is_not_named_stays() -> None:
    visit = a_visit(visitor=FULL, notes="n", agent_id="a", duration_minutes=60)
    assert changed(visit) is visit
    assert changed(visit, notes="other").visitor == FULL


def test_a_change_makes_the_next_version() -> None:
    after = changed(a_visit(), notes="n")
    assert (after.notes, after.version, after.created_at, after.updated_at) == ("n", 2, NOW, AFTER)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"notes": None}, {"notes": None}),
        ({"agent_id": None}, {"agent_id": None}),
        ({"visitor": None}, {"visitor": None}),
        ({"place": None}, {"place": "Lane 1"}),
        ({"duration_minutes": None}, {"duration_minutes": 30}),
        ({"visitor": ChangeVisitor(email=None)}, {"visitor": Visitor("Ann", None, FULL.phone)}),
        ({"visitor": ChangeVisitor(phone="2")}, {"visitor": Visitor("Ann", FULL.email, "2")}),
        ({"visitor": ChangeVisitor(name="Bo")}, {"visitor": Visitor("Bo", FULL.email, FULL.phone)}),
    ],
)
def test_null_takes_away_or_sets_the_default(fields: dict[str, object], expected: dict[str, object]) -> None:
    visit = a_visit(visitor=FULL, notes="n", agent_id="a", place="Garden", duration_minutes=60)
    after = changed(visit, **fields)
    assert {name: getattr(after, name) for name in expected} == expected
    assert after.version == 2


def test_something_stays_known_of_a_visitor() -> None:
    lead = a_visit(visitor=Visitor(email="a@example.com"))
    for visit, change in (
        (a_visit(), ChangeVisitor()),
        (lead, ChangeVisitor(email=None)),
        (a_visit(), ChangeVisitor(None)),
    ):
        with pytest.raises(InvalidInput) as refused:
            changed(visit, visitor=change)
        why = "must keep a name, an e-mail address or a telephone number; send null to remove the visitor"
        assert refused.value.errors == [FieldError("#/visitor", why)]
    assert changed(a_visit(), visitor=ChangeVisitor(email="a@example.com")).visitor == Visitor(email="a@example.com")
    assert changed(lead, visitor=ChangeVisitor(email=None, phone="2")).visitor == Visitor(phone="2")


@pytest.mark.parametrize("status", [status for status in Status if not a_visit(status=status).holds_slots])
def test_time_and_agent_stay_once_the_slots_are_free(status: Status) -> None:
    visit = a_visit(status=status)
    with pytest.raises(SlotsReleased) as refused:
        changed(visit, date=AFTER, duration_minutes=45, agent_id="a", notes="n")
    assert (refused.value.status, refused.value.fields) == (status, ["date", "durationMinutes", "agentId"])
    assert changed(visit, date=TEN, duration_minutes=30, agent_id=None, notes="n").notes == "n", "nothing moves"


def test_erasing_leaves_the_visit_and_not_a_word_about_the_visitor() -> None:
    visit = a_visit(
        visitor=FULL, notes="n", agent_id="a", status=Status.CANCELLED, cancellation=Cancellation("Ann is ill", NOW)
    )
    after = visit.erased(AFTER)
    assert (after.visitor, after.notes, after.cancellation) == (None, None, Cancellation(None, NOW))
    assert (after.agent_id, after.status, after.version, after.updated_at) == ("a", Status.CANCELLED, 2, AFTER)
    assert after.erased(AFTER) is after


def test_erasing_keeps_which_row_it_was_and_nothing_of_what_it_said() -> None:
    visit = a_visit(origin=Origin("intake", 7, Signature("k1", b"made of the visitor")))
    after = visit.erased(AFTER)
    assert (after.origin, after.version) == (Origin("intake", 7, None), 2)
    assert after.erased(AFTER) is after


def test_a_visit_follows_its_property_until_it_has_begun_and_while_it_holds_its_slots() -> None:
    visit, now = a_visit(place="Lane 1"), TEN
    after = visit.follows("Lane 10", "Europe/Berlin", "Lane 1", now)
    assert (after.place, after.at_address, after.version, after.updated_at) == ("Lane 10", True, 2, now)
    for stays in (a_visit(place="Lane 1", status=Status.CANCELLED), a_visit(place="Lane 1", date=now - minutes(1))):
        assert stays.follows("Lane 10", "Europe/Lisbon", "Lane 1", now) is stays
    elsewhere = a_visit(place="Garden").follows("Lane 10", "Europe/Lisbon", "Lane 1", now)
    assert (elsewhere.place, elsewhere.at_address, elsewhere.time_zone) == ("Garden", False, "Europe/Lisbon")


@pytest.mark.parametrize(
    ("fields", "moves"), [({"date": AFTER}, True), ({"duration_minutes": 31}, True), ({"place": "x"}, False)]
)
def test_a_visit_moves_when_its_time_changes(fields: dict[str, object], moves: bool) -> None:
    visit = a_visit()
    assert visit.moves_to(changed(visit, **fields)) is moves
