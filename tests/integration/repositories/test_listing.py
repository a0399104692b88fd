"""Lists of visits: their bounds, filters and pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest

from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.domain.visits import Status, Visit
from chalicelib.services.ports import VisitStore
from tests.builders import TEN, a_visit, minutes, property_id
from tests.integration.repositories.stores import DAY, at, booked, cancelled, flat, next_version, walk, winters

if TYPE_CHECKING:
    pass


def test_a_list_takes_in_its_start_and_leaves_out_its_end(visits: VisitStore, house: str) -> None:
    first, second, third = (
        booked(visits, a_visit(property_id=house, date=at(time))) for time in ("10:00", "11:00", "12:00")
    )
    for window, expected in (
        (Window(at("10:00"), at("12:00")), [first, second]),
        (Window(at("10:00:01"), at("12:00:01")), [second, third]),
        (Window(at("13:00"), at("14:00")), []),
    ):
        assert visits.list(VisitFilter(window, property_id=house), None, 10).items == expected


def test_the_filters_of_a_list_combine(visits: VisitStore, house: str, agent: str) -> None:
    elsewhere = property_id()
    mine = booked(visits, a_visit(property_id=house, agent_id=agent, date=at("10:00")))
    asked = booked(visits, a_visit(property_id=house, agent_id=agent, date=at("11:00"), status=Status.REQUESTED))
    other = booked(visits, a_visit(property_id=elsewhere, agent_id=agent, date=at("12:00")))
    nobody = booked(visits, a_visit(property_id=house, date=at("13:00")))
    gone = booked(visits, a_visit(property_id=house, date=at("14:00")))
    visits.save(gone, gone := cancelled(gone))

    def found(**filter: Any) -> list[Visit]:
        return flat(walk(visits, VisitFilter(DAY, **filter), 10))

    assert found(property_id=house) == [mine, asked, nobody, gone]
    assert found(agent_id=agent) == [mine, asked, other]
    assert found(property_id=house, agent_id=agent) == [mine, asked]
    assert found(property_id=house, statuses=frozenset({Status.CONFIRMED})) == [mine, nobody]
    assert found(property_id=house, statuses=frozenset({Status.CANCELLED, Status.REQUESTED})) == [asked, gone]
    assert found(agent_id=agent, statuses=frozenset({Status.REQUESTED})) == [asked]
    assert found(property_id=house, agent_id=agent, statuses=frozenset({Status.CONFIRMED}), order="desc") == [mine]
    assert found(property_id=property_id()) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("by", ["property", "agent"])
def test_pages_hold_every_visit_exactly_once_in_order(
    visits: VisitStore, house: str, agent: str, order: Literal["asc", "desc"], limit: int, by: str
) -> None:
    made = [
        booked(visits, a_visit(property_id=house, agent_id=agent, date=TEN + minutes(n // 2 * 30)), capacity=2)
        for n in range(7)
    ]
    of_house = VisitFilter(DAY, property_id=house, order=order)
    filter = of_house if by == "property" else VisitFilter(DAY, agent_id=agent, order=order)
    pages = walk(visits, filter, limit)
    expected = sorted(made, key=lambda visit: (visit.date, visit.id), reverse=order == "desc")
    assert flat(pages) == expected
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_the_whole_agency_is_listed_across_months(
    visits: VisitStore, order: Literal["asc", "desc"], limit: int
) -> None:
    year = next(winters)
    starts = [
        datetime(year + (month < 7), month, day, hour, tzinfo=UTC)
        for month in (11, 12, 1, 2)
        for day, hour in ((1, 0), (28, 23))
    ]
    made = [booked(visits, a_visit(property_id=property_id(), date=start)) for start in starts for _ in range(2)]
    window = Window(datetime(year, 11, 1, tzinfo=UTC), datetime(year + 1, 2, 28, 23, tzinfo=UTC))
    pages = walk(visits, VisitFilter(window, order=order), limit)
    expected = sorted(made, key=lambda visit: (visit.date, visit.id), reverse=order == "desc")
    assert flat(pages) == [visit for visit in expected if visit.date < window.end]
    assert all(len(page) <= limit for page in pages)


def test_a_page_goes_on_after_its_position_whatever_was_inserted_or_moved_before_it(
    visits: VisitStore, house: str
) -> None:
    first, second, third = (
        booked(visits, a_visit(property_id=house, date=at(time))) for time in ("10:00", "11:00", "12:00")
    )
    filter = VisitFilter(DAY, property_id=house)
    page = visits.list(filter, None, 2)
    assert page.items == [first, second]
    assert page.next is not None
    booked(visits, a_visit(property_id=house, date=at("09:00")))
    visits.move(second, next_version(second, date=at("08:00")), 1)
    assert visits.list(filter, page.next, 2).items == [third]
