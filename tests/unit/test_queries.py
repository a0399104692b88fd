"""What a list can be asked for in its query."""

from __future__ import annotations

import pytest

from chalicelib.api.availability import WindowQuery
from chalicelib.api.listing import VisitQuery
from chalicelib.domain.errors import InvalidInput
from chalicelib.domain.visits import Status
from chalicelib.http.queries import no_query
from tests.builders import TEN

ISO = "2027-03-12T10:00:00Z"


def pointers(values: dict[str, list[str]]) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        VisitQuery.parse(values)
    return [error.pointer for error in refused.value.errors]


def test_an_empty_query_asks_for_everything() -> None:
    query = VisitQuery.parse({})
    assert (query.property_id, query.agent_id, query.start, query.end, query.cursor) == (None,) * 5
    assert (query.statuses, query.order, query.limit) == (frozenset(), "asc", 50)
    assert query.parameters() == {}


def test_every_parameter_is_read() -> None:
    query = VisitQuery.parse(
        {
            "propertyId": ["house"],
            "agentId": ["Ann & Bo"],
            "from": ["2027-03-12T11:00:00+01:00"],
            "to": ["2027-03-12T12:00:00 01:00"],  # a plus sign that nobody encoded
            "status": ["confirmed,requested", "declined"],
            "order": ["desc"],
            "limit": ["100"],
            "cursor": ["x"],
        }
    )
    assert (query.property_id, query.agent_id, query.start, query.limit) == ("house", "Ann & Bo", TEN, 100)
    assert query.end is not None
    assert query.end.hour == 11
    assert query.statuses == {Status.CONFIRMED, Status.REQUESTED, Status.DECLINED}
    assert query.parameters() == {
        "propertyId": "house",
        "agentId": "Ann & Bo",
        "from": ISO,
        "to": "2027-03-12T11:00:00Z",
        "status": ["confirmed", "declined", "requested"],
        "order": "desc",
    }


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"limit": ["0"]}, "?limit"),
        ({"limit": ["101"]}, "?limit"),
        ({"limit": ["²"]}, "?limit"),
        ({"limit": [""]}, "?limit"),
        ({"limit": ["9" * 20]}, "?limit"),
        ({"limit": ["1", "1"]}, "?limit"),
        ({"order": ["ASC"]}, "?order"),
        ({"status": ["confirmed,,requested"]}, "?status"),
        ({"status": [""]}, "?status"),
        ({"propertyId": [".."]}, "?propertyId"),
        ({"agentId": [""]}, "?agentId"),
        ({"agentId": ["x" * 129]}, "?agentId"),
        ({"from": ["2027-03-12"]}, "?from"),
        ({"cursor": ["x" * 1001]}, "?cursor"),
        ({"cursor": ["a", "b"]}, "?cursor"),
        ({"Limit": ["1"]}, "?Limit"),
        ({"x" * 5000: ["1"]}, "?" + "x" * 100),
    ],
)
def test_what_cannot_be_asked_for_is_named_once(values: dict[str, list[str]], pointer: str) -> None:
    assert pointers(values) == [pointer]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert sorted(pointers({"limit": ["x"], "order": ["up"], "zebra": ["1"], "ape": ["1"]})) == [
        "?ape",
        "?limit",
        "?order",
        "?zebra",
    ]


def test_calls_without_parameters_take_none() -> None:
    no_query({})
    with pytest.raises(InvalidInput):
        no_query({"expand": ["visits"]})
    with pytest.raises(InvalidInput):
        WindowQuery.parse({"limit": ["1"]})
