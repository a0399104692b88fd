"""Everything of one person: who is the same, what is found, and what an erasure takes along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.listing import Page
from chalicelib.domain.signing_keys import Signature
from chalicelib.domain.visitors import Contact, contacts_of
from chalicelib.domain.visits import Origin, Visit, Visitor
from chalicelib.services.visitors import AT_ONCE
from tests.agency import Agency
from tests.builders import TEN, a_visit, minutes
from tests.fakes import FakeVisits, Memory

EVE = Visitor("Eve", "eve@example.com")
ADA = Contact.of_email("ada@example.com")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Contact.of_email("Ada@Example.COM"), Contact.of_email("ada@example.com"), True),
        (Contact.of_email("zo\u00eb@x.example"), Contact.of_email("zoe\u0308@x.example"), True),
        (Contact.of_email("ada@example.com"), Contact.of_email("ada+b@example.com"), False),
        (Contact.of_email("ada@M\u00fcller.example"), Contact.of_email("ada@xn--mller-kva.example"), True),
        (Contact.of_email("ada@stra\u00dfe.example"), Contact.of_email("ada@strasse.example"), False),
        (Contact.of_email("wei\u00df@x.example"), Contact.of_email("weiss@x.example"), False),
        (Contact.of_phone("+49 30 901820"), Contact.of_phone("0049 (30) 90-18.20"), True),
        (Contact.of_phone("0049 (0)30 901820"), Contact.of_phone("+4930901820"), True),
        (Contact.of_phone("(+49) (0)30 901820"), Contact.of_phone("+4930901820"), True),
        (Contact.of_phone("+49 (0)30 901820"), Contact.of_phone("+4930901820"), True),
        (Contact.of_phone("(030) 901820"), Contact.of_phone("030/901820"), True),
        # Of which country a national number is nobody says, and behind an extension sits another person.
        (Contact.of_phone("030 901820"), Contact.of_phone("+49 30 901820"), False),
        (Contact.of_phone("030 901820 x12"), Contact.of_phone("030 901820"), False),
        (Contact.of_phone("030 901820 x12"), Contact.of_phone("030901820x12"), True),
        (Contact.of_phone("030 9018201 2"), Contact.of_phone("030 901820 x12"), False),
    ],
)
def test_a_person_is_whoever_left_the_same_contact(one: Contact, other: Contact, same: bool) -> None:
    assert (one == other) is same
    assert (one.digest == other.digest) is same


def test_a_digest_says_neither_the_address_nor_of_which_kind_it_is() -> None:
    assert ADA.digest != Contact("phone", ADA.value).digest
    assert "ada" not in ADA.digest
    assert len(ADA.digest) == 32


def test_who_left_only_a_name_is_found_by_nothing() -> None:
    assert contacts_of(None) == contacts_of(Visitor("Ada")) == []
    assert contacts_of(Visitor("Ada", "ADA@example.com", "1")) == [ADA, Contact("phone", "1")]


def booked(agency: Agency, count: int, **fields: object) -> list[Visit]:
    ada = Visitor(email="Ada@example.com")
    visits = [a_visit(date=TEN + minutes(30 * n), visitor=ada, **fields) for n in range(count)]
    agency.memory.visits |= {visit.id: visit for visit in visits}
    return visits


def test_a_search_pages_through_the_visits_of_one_person() -> None:
    agency = Agency()
    hers = booked(agency, 5)
    booked_by_others = [a_visit(visitor=Visitor(email="eve@example.com")), a_visit()]
    agency.memory.visits |= {visit.id: visit for visit in booked_by_others}
    found: list[Visit] = []
    after: str | None = None
    while True:
        page = agency.visitors.search(ADA, after, 2)
        found += page.items
        after = page.next
        if after is None:
            break
    assert found == hers


def test_an_erasure_takes_every_word_of_the_person_and_the_rows_fingerprint_along() -> None:
    agency = Agency()
    origin = Origin("intake", 3, Signature("k1", b"fingerprint"))
    (visit,) = booked(agency, 1, notes="call first", origin=origin)
    (other,) = [a_visit(date=TEN, visitor=Visitor("Eve", "eve@example.com"), notes="stays")]
    agency.memory.visits[other.id] = other
    done = agency.visitors.erase(ADA)
    assert (done.erased, done.more) == ([visit.id], False)
    left = agency.memory.visits[visit.id]
    assert (left.visitor, left.notes, left.origin) == (None, None, replace(origin, content=None))
    assert agency.memory.visits[other.id] == other
    assert (agency.visitors.erase(ADA).erased, agency.visitors.search(ADA, None, 10).items) == ([], [])


def test_an_erasure_goes_on_where_it_was_left() -> None:
    agency = Agency()
    hers = booked(agency, AT_ONCE + 1)
    first, second, third = (agency.visitors.erase(ADA) for _ in range(3))
    assert (len(first.erased), first.more) == (AT_ONCE, True)
    assert (len(second.erased), second.more) == (1, False)
    assert (third.erased, third.more) == ([], False)
    assert {*first.erased, *second.erased} == {visit.id for visit in hers}


class Failing(FakeVisits):
    """Fails with what it is given, from one write on."""

    def __init__(self, memory: Memory, fault: Exception, after: int) -> None:
        super().__init__(memory)
        self.fault, self.left = fault, after

    def save(self, before: Visit, after: Visit) -> None:
        if self.left == 0:
            raise self.fault
        self.left -= 1
        super().save(before, after)


def test_an_erasure_that_was_interrupted_says_that_more_is_left() -> None:
    memory = Memory()
    agency = Agency(memory=memory, visits=Failing(memory, StoreBusy(), after=2))
    hers = booked(agency, 5)
    done = agency.visitors.erase(ADA)
    assert (done.erased, done.more) == ([visit.id for visit in hers[:2]], True)
    with pytest.raises(StoreBusy):
        agency.visitors.erase(ADA)


def test_a_visit_that_changes_meanwhile_is_left_for_the_next_time() -> None:
    memory = Memory()

    class Overtaken(FakeVisits):
        def save(self, before: Visit, after: Visit) -> None:
            memory.visits[before.id] = replace(before, visitor=EVE, version=before.version + 1)
            super().save(before, after)

    agency = Agency(memory=memory, visits=Overtaken(memory))
    (visit,) = booked(agency, 1)
    done = agency.visitors.erase(ADA)
    assert (done.erased, done.more) == ([], True)
    assert memory.visits[visit.id].visitor == EVE
    assert agency.visitors.erase(ADA).more is False


def test_what_the_index_still_has_of_others_is_neither_shown_nor_erased() -> None:
    memory = Memory()

    class Stale(FakeVisits):
        def of_contact(self, contact: Contact, after: str | None, limit: int) -> Page[str]:
            page = super().of_contact(contact, after, limit)
            return replace(page, items=[*page.items, another.id, "gone"])

    another = a_visit(visitor=Visitor("Eve", "eve@example.com"))
    memory.visits[another.id] = another
    agency = Agency(memory=memory, visits=Stale(memory))
    assert agency.visitors.search(ADA, None, 10).items == []
    assert (agency.visitors.erase(ADA).erased, memory.visits[another.id]) == ([], another)
