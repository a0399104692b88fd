"""Booking without a key: what is shown, what becomes of a wish, how much of it there may be, and who answers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import app as entry
from chalicelib.domain.availability import Availability, Hours, Opening, Rules
from chalicelib.domain.errors import (
    InvalidInput,
    LimitReached,
    LinkInvalid,
    NotFree,
    PropertyNotFound,
    StoreBusy,
    TransitionNotAllowed,
)
from chalicelib.domain.notices import Kind, Notice
from chalicelib.domain.properties import PublicBooking
from chalicelib.domain.public import Limits, Terms
from chalicelib.domain.visits import Awaited, ChangeVisit, ChangeVisitor, Party, Status, Visit, Visitor
from chalicelib.services.public import PublicWish
from tests.agency import Agency
from tests.builders import NOW, TEN, a_key, a_property, booking, event, minutes

ADA = Visitor("Ada Lovelace", "ada@example.com")
HALF_AN_HOUR = minutes(30)
TERMS = Terms()


def agency(booking: PublicBooking = PublicBooking.CONFIRM, terms: Terms = TERMS) -> Agency:
    made = Agency(terms=terms)
    made.memory.properties["house"] = a_property("house", public_booking=booking)
    return made


def wish(date: datetime = TEN, visitor: Visitor = ADA, address: str | None = None) -> PublicWish:
    return PublicWish("house", date, visitor, address)


def book(agency: Agency, date: datetime = TEN, visitor: Visitor = ADA, address: str | None = None) -> Visit:
    return agency.services.public.book(wish(date, visitor, address), None).result


def somebody(number: int) -> Visitor:
    return Visitor(f"Visitor {number}", f"visitor-{number}@example.com")


# What becomes of a wish


def test_a_booking_is_confirmed_where_the_agency_says_so_and_told_by_mail() -> None:
    made = agency()
    visit = book(made)
    assert (visit.status, visit.duration_minutes, visit.awaited, visit.notify) == (Status.CONFIRMED, 30, None, True)
    assert made.services.notices.tell(visit.id) is Kind.CONFIRMED


def test_a_booking_is_a_request_where_the_agency_confirms_and_waits_two_days_for_the_answer() -> None:
    made = agency(PublicBooking.REQUEST)
    visit = book(made, TEN + timedelta(days=7))
    assert visit.status is Status.REQUESTED
    assert visit.awaited is not None
    assert (visit.awaited.whose, visit.awaited.until) == (Party.AGENCY, NOW + timedelta(hours=48))
    assert made.services.notices.tell(visit.id) is Kind.REQUESTED


def test_a_request_for_a_near_visit_waits_for_half_the_time_there_is() -> None:
    visit = book(agency(PublicBooking.REQUEST), NOW + timedelta(hours=4))
    assert visit.awaited is not None
    assert visit.awaited.until == NOW + timedelta(hours=2)


def test_a_request_that_is_moved_nearer_waits_for_half_the_time_there_is_then() -> None:
    made = agency(PublicBooking.REQUEST)
    visit = book(made, TEN + timedelta(days=20))
    nearer = made.services.visitor_links.change(visit, ChangeVisit(date=NOW + timedelta(hours=4)), None)
    assert nearer.awaited is not None
    assert nearer.awaited.until == NOW + timedelta(hours=2)
    later = made.services.visitor_links.change(nearer, ChangeVisit(date=TEN + timedelta(days=20)), None)
    assert later.awaited == nearer.awaited, "who moves it again and again is still declined"
    made.clock.now = NOW + timedelta(hours=2)
    assert made.services.public.decline_unanswered() == 1


def by_the_desk(made: Agency) -> Visit:
    return made.booking.book(booking(date=TEN, visitor=ADA, agent_id="ann")).result


def by_the_visitor(made: Agency) -> Visit:
    return made.booking.change_status(book(made).id, Status.CONFIRMED, None)


@pytest.mark.parametrize("booked", [by_the_desk, by_the_visitor])
def test_the_agency_is_asked_about_another_time_as_it_was_about_the_first(booked: Callable[[Agency], Visit]) -> None:
    made = agency(PublicBooking.REQUEST)
    visit, day = booked(made), timedelta(days=1)
    assert made.services.notices.tell(visit.id) is Kind.CONFIRMED
    moved = made.services.visitor_links.change(visit, ChangeVisit(date=TEN + day), None)
    assert (moved.status, moved.date, moved.agent_id) == (Status.REQUESTED, TEN + day, visit.agent_id)
    assert moved.awaited == Awaited(Party.AGENCY, TERMS.answer_by(NOW, TEN + day))
    assert made.services.notices.tell(visit.id) is Kind.REQUESTED
    again = made.services.visitor_links.change(moved, ChangeVisit(date=TEN + 5 * day), None)
    assert again.awaited == moved.awaited, "who moves it again and again is still answered"
    made.booking.change_status(visit.id, Status.CONFIRMED, None)
    assert made.services.notices.tell(visit.id) is Kind.CONFIRMED


def test_another_time_that_the_agency_does_not_answer_is_declined_and_free() -> None:
    made = agency(PublicBooking.REQUEST)
    visit = by_the_desk(made)
    moved = made.services.visitor_links.change(visit, ChangeVisit(date=TEN + timedelta(days=7)), None)
    book(made, visit.date, somebody(1))
    made.clock.advance(timedelta(hours=48))
    assert made.services.public.decline_unanswered() == 1
    assert made.services.notices.tell(visit.id) is Kind.DECLINED
    book(made, moved.date, somebody(2))


@pytest.mark.parametrize("asked", [PublicBooking.OFF, PublicBooking.CONFIRM])
def test_where_nobody_is_asked_about_times_a_visit_that_is_moved_stays_confirmed(asked: PublicBooking) -> None:
    made = agency(asked)
    moved = made.services.visitor_links.change(by_the_desk(made), ChangeVisit(date=TEN + HALF_AN_HOUR), None)
    assert (moved.status, moved.awaited) == (Status.CONFIRMED, None)


def test_what_is_no_other_time_is_asked_of_nobody() -> None:
    made = agency(PublicBooking.REQUEST)
    change = ChangeVisit(date=TEN, visitor=ChangeVisitor(language="de"))
    same = made.services.visitor_links.change(by_the_desk(made), change, None)
    assert (same.version, same.status) == (2, Status.CONFIRMED)


def test_a_time_that_the_agency_changes_stays_confirmed() -> None:
    made = agency(PublicBooking.REQUEST)
    moved = made.booking.change(by_the_desk(made).id, ChangeVisit(date=TEN + HALF_AN_HOUR), None)
    assert (moved.status, moved.awaited) == (Status.CONFIRMED, None)


@pytest.mark.parametrize("property_id", ["house", "nowhere"])
def test_a_property_that_is_not_on_the_page_is_one_that_is_not_there(property_id: str) -> None:
    public = agency(PublicBooking.OFF).services.public
    for ask in (
        lambda: public.property(property_id),
        lambda: public.slots(property_id, None, None),
        lambda: public.book(replace(wish(), property_id=property_id), None),
    ):
        with pytest.raises(PropertyNotFound) as missing:
            ask()
        assert missing.value.property_id == property_id


@pytest.mark.parametrize(
    "rules",
    [
        Rules(Hours(None), notice_minutes=10**5),
        Rules(Hours(None), horizon_days=0),
        Rules(Hours(((),) * 7)),
        Rules(Hours(((Opening(600, 720),),) * 7), step_minutes=45),
    ],
    ids=["notice", "horizon", "closed", "step"],
)
def test_a_time_against_the_rules_is_not_free_and_it_is_not_told_why(rules: Rules) -> None:
    made = agency()
    made.memory.availability["house"] = Availability("house", rules, 1, NOW, NOW)
    with pytest.raises(NotFree) as refused:
        book(made, TEN + minutes(15))
    offered = made.services.public.slots("house", NOW, NOW + timedelta(days=14)).slots
    assert set(refused.value.nearest) <= {slot.start for slot in offered}


@pytest.mark.parametrize("date", [NOW - minutes(15), TEN + minutes(7)], ids=["over", "off the quarter"])
def test_without_rules_only_what_is_offered_can_be_booked(date: datetime) -> None:
    with pytest.raises(NotFree):
        book(agency(), date)


def test_whoever_comes_too_late_is_offered_what_is_nearest() -> None:
    made = agency()
    book(made)
    with pytest.raises(NotFree) as refused:
        book(made, visitor=somebody(1))
    near = [TEN + minutes(m) for m in (-60, -45, -30, 30, 45, 60)]
    assert refused.value.nearest == near


def test_a_property_that_takes_no_visits_offers_nothing() -> None:
    made = agency()
    made.memory.properties["house"] = a_property("house", public_booking=PublicBooking.CONFIRM, visits_allowed=False)
    with pytest.raises(NotFree) as refused:
        book(made)
    assert refused.value.nearest == []


def test_a_wish_beyond_all_calendars_is_refused() -> None:
    with pytest.raises(InvalidInput):
        book(agency(), datetime.max.replace(microsecond=0, tzinfo=TEN.tzinfo))


def test_a_visit_that_is_booked_is_never_told_as_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    made = agency()

    def busy(_: str) -> Notice:
        raise StoreBusy

    monkeypatch.setattr(made.notices, "find", busy)
    monkeypatch.setattr(entry, "services", lambda: made.services)
    body = {"date": f"{TEN:%Y-%m-%dT%H:%M:%SZ}", "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"}}
    asked = event(
        "POST",
        "/public/properties/{property_id}/visits",
        "/public/properties/house/visits",
        parameters={"property_id": "house"},
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
    )
    answer = entry.app(asked, None)
    assert json.loads(answer["body"])["type"].endswith(":outcome-unknown")
    assert len(made.memory.visits) == 1


def test_the_same_wish_under_the_same_key_is_one_visit() -> None:
    made = agency(terms=Terms(limits=Limits(per_contact=1, per_property=1)))
    first = made.services.public.book(wish(), a_key())
    again = made.services.public.book(wish(), a_key())
    assert (again.result, again.replayed) == (first.result, True)


def test_a_repetition_never_shows_the_visit_of_somebody_else() -> None:
    made = agency()
    visit = made.services.public.book(wish(), a_key()).result
    made.booking.change(visit.id, ChangeVisit(visitor=ChangeVisitor(email="grace@example.com")), None)
    with pytest.raises(LinkInvalid):
        made.services.public.book(wish(), a_key())


# How much


def test_a_person_has_so_many_visits_ahead_at_once_and_another_once_one_is_over_or_called_off() -> None:
    made = agency(terms=Terms(limits=Limits(per_contact=2)))
    first, second = book(made), book(made, TEN + HALF_AN_HOUR, Visitor("A.", "ADA@example.com"))
    with pytest.raises(LimitReached) as refused:
        book(made, TEN + 2 * HALF_AN_HOUR)
    assert refused.value.reached == "contact"
    made.booking.change_status(second.id, Status.CANCELLED, None)
    book(made, TEN + 2 * HALF_AN_HOUR)
    made.clock.now = first.date + HALF_AN_HOUR
    book(made, TEN + 6 * HALF_AN_HOUR)


def test_two_addresses_with_one_telephone_number_are_one_person() -> None:
    made = agency(terms=Terms(limits=Limits(per_contact=1)))
    book(made, visitor=Visitor("Ada", "ada@example.com", "+49 30 1234567"))
    with pytest.raises(LimitReached):
        book(made, TEN + HALF_AN_HOUR, Visitor("Grace", "grace@example.com", "+49 (30) 123-4567"))


def test_staff_book_for_a_person_who_is_at_the_limit() -> None:
    made = agency(terms=Terms(limits=Limits(per_contact=1, per_property=1)))
    book(made)
    made.booking.book(booking(date=TEN + HALF_AN_HOUR, visitor=ADA))


def test_a_property_takes_so_many_bookings_in_an_hour() -> None:
    made = agency(terms=Terms(limits=Limits(per_property=2)))
    for n in range(2):
        book(made, TEN + n * HALF_AN_HOUR, somebody(n))
    made.clock.advance(minutes(20))
    with pytest.raises(LimitReached) as refused:
        book(made, TEN + 2 * HALF_AN_HOUR, somebody(2))
    assert (refused.value.reached, refused.value.retry_after_seconds) == ("property", 40 * 60)
    made.clock.advance(minutes(40))
    book(made, TEN + 2 * HALF_AN_HOUR, somebody(2))


def test_an_address_books_so_much_in_an_hour_whatever_the_property() -> None:
    made = agency(terms=Terms(limits=Limits(per_address=1)))
    book(made, address="192.0.2.1")
    with pytest.raises(LimitReached) as refused:
        book(made, TEN + HALF_AN_HOUR, somebody(1), "192.0.2.1")
    assert refused.value.reached == "address"
    book(made, TEN + HALF_AN_HOUR, somebody(1), "192.0.2.2")
    book(made, TEN + 2 * HALF_AN_HOUR, somebody(2))


def test_what_is_refused_uses_nothing_up() -> None:
    made = agency(terms=Terms(limits=Limits(per_property=1, per_contact=1)))
    made.booking.book(booking())
    for _ in range(3):
        with pytest.raises(NotFree):
            book(made)
    book(made, TEN + HALF_AN_HOUR)


# Who answers


def test_a_request_that_nobody_answers_is_declined_with_a_mail_and_its_time_is_free() -> None:
    made = agency(PublicBooking.REQUEST)
    visit = book(made, TEN + timedelta(days=7))
    made.services.notices.tell(visit.id)
    made.clock.advance(timedelta(hours=48) - minutes(1))
    assert made.services.public.decline_unanswered() == 0
    made.clock.advance(minutes(1))
    assert made.services.public.decline_unanswered() == 1
    assert made.booking.get(visit.id).status is Status.DECLINED
    assert made.services.notices.tell(visit.id) is Kind.DECLINED
    assert made.services.public.decline_unanswered() == 0
    book(made, TEN + timedelta(days=7), somebody(1))


def test_what_was_missed_is_caught_up() -> None:
    made = agency(PublicBooking.REQUEST)
    visit = book(made, TEN + timedelta(days=30))
    made.services.public.decline_unanswered()
    made.clock.advance(timedelta(days=9))
    assert made.services.public.decline_unanswered() == 1
    assert made.booking.get(visit.id).status is Status.DECLINED


@pytest.mark.parametrize("answer", [Status.CONFIRMED, Status.DECLINED, Status.CANCELLED])
def test_a_request_that_was_answered_stays_as_it_is(answer: Status) -> None:
    made = agency(PublicBooking.REQUEST)
    visit = book(made, TEN + timedelta(days=7))
    made.booking.change_status(visit.id, answer, None)
    made.clock.advance(timedelta(hours=50))
    assert made.services.public.decline_unanswered() == 0
    after = made.booking.get(visit.id)
    assert (after.status, after.awaited) == (answer, None)


def test_a_request_of_the_staff_waits_for_ever() -> None:
    made = agency()
    visit = made.booking.book(booking(status=Status.REQUESTED)).result
    made.clock.advance(timedelta(days=1))
    assert made.services.public.decline_unanswered() == 0
    assert made.booking.get(visit.id).status is Status.REQUESTED


# Confirmation by mail

BY_MAIL = Terms(confirm_within=minutes(30))


@pytest.mark.parametrize(
    ("asked", "becomes"), [(PublicBooking.CONFIRM, Status.CONFIRMED), (PublicBooking.REQUEST, Status.REQUESTED)]
)
def test_a_booking_stands_once_its_visitor_has_confirmed_it_by_the_link_in_the_mail(
    asked: PublicBooking, becomes: Status
) -> None:
    made = agency(asked, BY_MAIL)
    visit = book(made, TEN + timedelta(days=7))
    assert (visit.status, visit.awaits(Party.VISITOR)) == (Status.REQUESTED, True)
    assert made.services.public.link(visit) is None, "only who reads the mail has it"
    assert made.services.notices.tell(visit.id) is Kind.HELD
    after = made.services.visitor_links.confirm(visit)
    assert (after.status, after.awaits(Party.VISITOR)) == (becomes, False)
    assert after.awaits(Party.AGENCY) == (becomes is Status.REQUESTED)
    made.clock.advance(minutes(30))
    assert made.services.public.decline_unanswered() == 0
    if becomes is Status.CONFIRMED:
        assert made.services.visitor_links.confirm(after) == after
    else:
        with pytest.raises(TransitionNotAllowed):
            made.services.visitor_links.confirm(after)


def test_a_hold_that_nobody_confirms_is_released() -> None:
    made = agency(terms=BY_MAIL)
    visit = book(made)
    made.clock.advance(minutes(30))
    assert made.services.public.decline_unanswered() == 1
    assert made.booking.get(visit.id).status is Status.DECLINED
    book(made, visitor=somebody(1))


def test_whoever_has_no_mail_cannot_confirm_by_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        book(agency(terms=BY_MAIL), visitor=Visitor("Ada", None, "+49 30 1234567"))
    assert refused.value.errors[0].pointer == "#/visitor/email"


def test_a_visit_that_its_visitor_was_to_confirm_can_be_erased_and_is_declined_all_the_same() -> None:
    made = agency(terms=BY_MAIL)
    visit = book(made)
    made.booking.erase_visitor(visit.id)
    made.clock.advance(minutes(30))
    assert made.services.public.decline_unanswered() == 1
