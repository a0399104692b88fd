"""Records are values: what they hold is all that they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime

from chalicelib.domain.api_keys import Scope, make_key
from chalicelib.domain.errors import OutcomeUnknown
from chalicelib.record import Record


class Street(Record):
    name: str
    numbers: tuple[int, ...] = ()


class Lane(Street):
    pass


class Map(Record):
    streets: Mapping[str, Street] = field(default_factory=dict)


def test_equal_records_are_one_key() -> None:
    assert {Street("Seestr.", (12,)): "here"}[Street("Seestr.", numbers=(12,))] == "here"
    assert Street("Seestr.") != Street("Seestr.", (12,))
    assert Street("Seestr.") != Lane("Seestr.")


def test_a_changed_copy_leaves_the_first_as_it_was() -> None:
    street = Street("Seestr.")
    assert replace(street, numbers=(12,)) == Street("Seestr.", (12,))
    assert street.numbers == ()


def test_two_records_share_no_default() -> None:
    assert Map().streets is not Map().streets


def test_a_record_is_shown_as_it_would_be_written() -> None:
    assert repr(Street("Seestr.", (12,))) == "Street(name='Seestr.', numbers=(12,))"


def test_a_key_as_presented_is_never_shown() -> None:
    _, presented = make_key("partner", [Scope.READ], datetime(2026, 11, 1, tzinfo=UTC))
    assert presented.secret not in repr(presented)


def test_an_error_has_the_facts_of_its_kind_and_of_what_it_is_a_kind_of() -> None:
    unknown = OutcomeUnknown(7, intake_id="a")
    assert (unknown.retry_after_seconds, unknown.intake_id) == (7, "a")
    assert (OutcomeUnknown().retry_after_seconds, OutcomeUnknown().intake_id) == (1, None)
