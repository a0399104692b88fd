"""Cursors: good for their own list, for a day, and untouched."""

from __future__ import annotations

import base64
import string
from datetime import timedelta

import pytest

from chalicelib.domain.listing import Window
from chalicelib.domain.signing_keys import REFRESHED_EVERY
from chalicelib.http.cursors import GOOD_FOR, Cursor, Cursors
from chalicelib.http.errors import InvalidCursor
from chalicelib.services.signing_keys import Signer
from tests.builders import NOW, TEN, Clock, minutes
from tests.fakes import FakeSigningKeys

FILTERS = {"propertyId": "house", "status": ["confirmed"]}
ALPHABET = string.ascii_letters + string.digits + "-_."
CURSOR = Cursor("2027-03-12T10:00:00Z#id", Window(NOW, TEN))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> FakeSigningKeys:
    return FakeSigningKeys()


@pytest.fixture
def signer(keys: FakeSigningKeys, clock: Clock) -> Signer:
    return Signer(keys, clock)


@pytest.fixture
def cursors(signer: Signer) -> Cursors:
    return Cursors(signer, "visits", FILTERS)


@pytest.mark.parametrize("cursor", [CURSOR, Cursor("house"), Cursor("ü ~#/?&"), Cursor("")])
def test_a_cursor_is_read_as_it_was_made(cursors: Cursors, cursor: Cursor) -> None:
    assert cursors.read(cursors.make(cursor)) == cursor


def test_a_cursor_needs_no_encoding_in_an_address(cursors: Cursors) -> None:
    assert set(cursors.make(CURSOR)) <= set(ALPHABET)


def test_no_character_of_a_cursor_can_be_changed_left_out_or_added(cursors: Cursors) -> None:
    made = cursors.make(CURSOR)
    others = [*ALPHABET, "", "=", "+", "/", " "]
    tampered = [made[:n] + other + made[n + 1 :] for n in range(len(made)) for other in others]
    tampered += [made[:n] + "A" + made[n:] for n in range(len(made) + 1)]
    for text in {*tampered} - {made}:
        with pytest.raises(InvalidCursor):
            cursors.read(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "....", "é.k1.é", "\0", "x" * 2000, "e30.k1.", "e30..e30"])
def test_what_was_never_a_cursor_is_refused(cursors: Cursors, text: str) -> None:
    with pytest.raises(InvalidCursor):
        cursors.read(text)


def test_the_parts_of_two_cursors_do_not_fit_together(cursors: Cursors) -> None:
    one, two = (cursors.make(Cursor(after)).split(".") for after in ("one", "two"))
    with pytest.raises(InvalidCursor):
        cursors.read(".".join([one[0], two[1], two[2]]))


@pytest.mark.parametrize(
    ("route", "filters"),
    [
        ("properties", FILTERS),
        ("visits", {}),
        ("visits", {**FILTERS, "propertyId": "villa"}),
        ("visits", {**FILTERS, "order": "desc"}),
        ("visits", {"propertyId": "house"}),
    ],
)
def test_a_cursor_of_another_list_is_refused(
    signer: Signer, cursors: Cursors, route: str, filters: dict[str, object]
) -> None:
    foreign = Cursors(signer, route, filters).make(CURSOR)
    with pytest.raises(InvalidCursor):
        cursors.read(foreign)


def test_the_order_in_which_filters_are_named_does_not_matter(signer: Signer, cursors: Cursors) -> None:
    assert Cursors(signer, "visits", dict(reversed(FILTERS.items()))).read(cursors.make(CURSOR)) == CURSOR


def test_a_cursor_expires_after_a_day(cursors: Cursors, clock: Clock) -> None:
    made = cursors.make(CURSOR)
    clock.now = NOW + GOOD_FOR - timedelta(seconds=1)
    assert cursors.read(made) == CURSOR
    clock.now = NOW + GOOD_FOR
    with pytest.raises(InvalidCursor, match="expired"):
        cursors.read(made)


def test_a_cursor_outlives_a_rotation_of_the_keys_but_not_its_key(
    cursors: Cursors, keys: FakeSigningKeys, clock: Clock
) -> None:
    made = cursors.make(CURSOR)
    keys.rotate()
    clock.advance(REFRESHED_EVERY + minutes(1))
    assert cursors.read(made) == CURSOR
    assert cursors.make(CURSOR) != made
    keys.forget()
    clock.advance(REFRESHED_EVERY + minutes(1))
    with pytest.raises(InvalidCursor):
        cursors.read(made)


def test_another_deployments_cursor_is_refused(cursors: Cursors, clock: Clock) -> None:
    other = FakeSigningKeys()
    other.rotate()
    other.keyring = type(other.keyring)("k1", {"k1": b"another secret"})
    with pytest.raises(InvalidCursor):
        cursors.read(Cursors(Signer(other, clock), "visits", FILTERS).make(CURSOR))


def test_a_fingerprint_is_no_cursor(signer: Signer, cursors: Cursors) -> None:
    message, key_id, _ = cursors.make(CURSOR).split(".")
    raw = base64.urlsafe_b64decode(message + "=" * (-len(message) % 4))
    value = base64.urlsafe_b64encode(signer.sign("idempotency", raw).value).decode().rstrip("=")
    with pytest.raises(InvalidCursor):
        cursors.read(f"{message}.{key_id}.{value}")
