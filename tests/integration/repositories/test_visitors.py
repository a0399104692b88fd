"""Visitors, as the indexes find them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chalicelib.domain.visitors import Contact
from chalicelib.domain.visits import Visitor
from chalicelib.services.ports import VisitStore
from tests.builders import a_visit
from tests.integration.repositories.stores import HOURS, at, next_version

if TYPE_CHECKING:
    pass


def test_visits_are_found_by_the_contacts_of_their_visitor_as_long_as_they_have_it(
    visits: VisitStore, house: str
) -> None:
    email, phone = f"{house}@Example.com", "+49 30 " + re.sub("[^0-9]", "", house)
    by_email, by_phone = Contact.of_email(email.upper()), Contact.of_phone(phone.replace("+", "00"))
    booked = [a_visit(property_id=house, date=at(hour), visitor=Visitor(None, email, phone)) for hour in HOURS]
    for visit in (*booked, a_visit(property_id=house, date=at("15:00"), visitor=Visitor("Ada"))):
        visits.add(visit, 1)
    ids = [visit.id for visit in booked]
    for contact in (by_email, by_phone):
        first = visits.of_contact(contact, None, 2)
        assert (first.items, visits.of_contact(contact, first.next, 2).items) == (ids[:2], ids[2:])
    changed = next_version(booked[0], visitor=Visitor(None, "other@example.com", phone))
    visits.save(booked[0], changed)
    assert visits.of_contact(by_email, None, 10).items == ids[1:]
    assert visits.of_contact(by_phone, None, 10).items == ids
    visits.save(changed, next_version(changed, visitor=None))
    assert visits.of_contact(by_phone, None, 10).items == ids[1:]
