"""A property's feed is public: what polls cost, how old an answer may be, and what stays once it is withdrawn."""

from __future__ import annotations

import contextlib
import hashlib
import random
import string
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError

from chalicelib.container import over
from chalicelib.domain import calendars
from chalicelib.domain.calendars import Owner, Rendering
from chalicelib.domain.visits import Visit
from chalicelib.repositories import calendars as repository
from chalicelib.repositories.calendars import DynamoCalendars, calendar_token_key
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import visit_item
from tests.builders import NOW, Clock, a_visit, property_id, visit_id
from tests.integration.api import Api, client_of, serve
from tests.integration.intake import answered
from tests.integration.metering import Meter, metered
from tests.integration.problems import problem

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.integration.conftest import FreshTable

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def api(table: FreshTable, clock: Clock) -> Iterator[Api]:
    with serve(table, clock) as api:
        yield api


@pytest.fixture
def house(api: Api) -> str:
    return api.property(property_id(), capacity=50)


@pytest.fixture
def anybody(api: Api) -> Iterator[httpx.Client]:
    """A calendar program: it has the address and no key."""
    with httpx.Client(base_url=api.http.base_url, event_hooks=api.http.event_hooks, verify=False) as client:
        yield client


def shared(api: Api, house: str) -> str:
    """The address of a property's feed, newly shared."""
    answer = api.http.put(f"/properties/{house}/calendar-token")
    assert answer.status_code == 200, answer.text
    address: str = answer.json()["links"]["calendar"]
    return address


def load(table: FreshTable, visits: list[Visit]) -> None:
    for start in range(0, len(visits), 25):
        requests: Any = [
            {"PutRequest": {"Item": serialized(visit_item(visit))}} for visit in visits[start : start + 25]
        ]
        assert not table.client.batch_write_item(RequestItems={table.name: requests})["UnprocessedItems"]


def full_house(table: FreshTable, house: str) -> None:
    """As many visits as a feed shows, with all that a visit can carry and a feed does not show."""
    load(
        table,
        [
            a_visit(id=visit_id(), property_id=house, date=NOW + timedelta(minutes=30 * n), notes="n" * 1900)
            for n in range(calendars.MOST_VISITS)
        ],
    )


@contextlib.contextmanager
def polled(api: Api) -> Iterator[Meter]:
    with metered(api.dynamodb) as meter:
        yield meter


def kept(table: FreshTable, house: str) -> list[dict[str, Any]]:
    """What the table has of a property's rendered feed."""
    found = table.client.query(
        TableName=table.name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :f)",
        ExpressionAttributeValues=serialized({":pk": f"P#{house}", ":f": "F#"}),
    )
    return list(found["Items"])


def test_a_poll_costs_a_few_units_however_much_there_is_to_show(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client
) -> None:
    full_house(table, house)
    address = shared(api, house)
    with polled(api) as first:
        answer = anybody.get(address)
    assert answer.text.count("BEGIN:VEVENT") == calendars.MOST_VISITS
    assert first.read_units > 500, "the one full read"
    with polled(api) as unchanged:
        again = anybody.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (unchanged.operations(), unchanged.read_units) == (["GetItem"], 1)
    with polled(api) as whole:
        everything = anybody.get(address)
    assert (everything.status_code, everything.content) == (200, answer.content)
    assert everything.headers["ETag"] == answer.headers["ETag"]
    assert whole.operations() == ["GetItem", "Query"]
    assert whole.read_units < 50


def test_the_tag_says_what_is_in_the_feed(api: Api, house: str, anybody: httpx.Client) -> None:
    answer = anybody.get(shared(api, house))
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'


def test_a_change_shows_after_five_minutes(api: Api, house: str, anybody: httpx.Client, clock: Clock) -> None:
    visit = api.visit(house, "2027-03-12T10:00:00Z")
    address = shared(api, house)
    tag = anybody.get(address).headers["ETag"]
    unchanged = anybody.get(address, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", tag)
    assert unchanged.headers["Cache-Control"] == "private, no-cache"
    assert api.patch(f"/visits/{visit['id']}", {"place": "Garden"}).status_code == 200
    clock.advance(5 * MINUTE)
    assert anybody.get(address, headers={"If-None-Match": tag}).status_code == 304
    clock.advance(timedelta(seconds=1))
    changed = anybody.get(address, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert "LOCATION:Garden" in changed.text
    assert anybody.get(address).content == changed.content


def test_what_has_not_changed_is_read_anew_but_not_written_anew(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client, clock: Clock
) -> None:
    address = shared(api, house)
    tag = anybody.get(address).headers["ETag"]
    before = kept(table, house)
    clock.advance(6 * MINUTE)
    with polled(api) as renewal:
        assert anybody.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert renewal.operations() == ["GetItem", "UpdateItem", "GetItem", "Query", "UpdateItem"]
    assert kept(table, house) == before
    with polled(api) as unchanged:
        assert anybody.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert unchanged.operations() == ["GetItem"]


def test_one_poll_renews_while_the_others_are_answered_from_what_is_kept(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client, clock: Clock
) -> None:
    address = shared(api, house)
    token = address.partition("=")[2]
    old = anybody.get(address)
    api.visit(house, "2027-03-12T10:00:00Z")
    clock.advance(6 * MINUTE)
    client = client_of(table)
    others = over(Table(client, table.name), api.services.queue, clock)

    answers = []

    def render(feed: calendars.Feed) -> Iterator[bytes]:
        # In the middle of a renewal another instance is asked.
        with metered(client) as meter:
            answers.append(
                others.calendars.read(Owner("property", house), token, lambda _: iter([b"never"]), lambda _: False)
            )
        assert meter.operations() == ["GetItem", "UpdateItem", "Query"]
        yield b"the renewed one"

    with contextlib.closing(client):
        renewed = api.services.calendars.read(Owner("property", house), token, render, lambda _: False)
    assert [answer.content for answer in answers] == [old.content]
    assert renewed.content == b"the renewed one"


def test_a_renewal_that_died_is_taken_over(api: Api, house: str, anybody: httpx.Client, clock: Clock) -> None:
    address = shared(api, house)
    anybody.get(address)
    api.visit(house, "2027-03-12T10:00:00Z")
    clock.advance(6 * MINUTE)

    def dies(feed: calendars.Feed) -> Iterator[bytes]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        api.services.calendars.read(Owner("property", house), address.partition("=")[2], dies, lambda _: False)
    assert "BEGIN:VEVENT" not in anybody.get(address).text
    clock.advance(timedelta(seconds=30))
    assert "BEGIN:VEVENT" in anybody.get(address).text


def test_an_older_rendering_never_replaces_a_newer_one(
    table: FreshTable, api: Api, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST_BYTES_OF_PIECE", 1000)
    shared(api, house)
    tokens = DynamoCalendars(Table(table.client, table.name))
    standing = tokens.find(Owner("property", house))
    assert standing is not None
    noise = "".join(random.Random(1).choices(string.printable, k=9000)).encode()
    newer, older = Rendering(b"newer " + noise, NOW + MINUTE), Rendering(b"older " + noise + noise, NOW)
    tokens.keep_rendering(Owner("property", house), standing, newer)
    tokens.keep_rendering(Owner("property", house), standing, older)
    now = tokens.find(Owner("property", house))
    assert now is not None
    assert now.kept is not None
    assert (now.kept.tag, now.kept.as_of) == (newer.tag, newer.as_of)
    assert tokens.rendering(Owner("property", house), newer.tag) == newer.content
    assert tokens.rendering(Owner("property", house), older.tag) is None
    # A longer one in its place, and a shorter one again: pieces that are left over are not part of it.
    for number, content in enumerate([noise * 3, noise], 2):
        standing, rendering = tokens.find(Owner("property", house)), Rendering(content, NOW + number * MINUTE)
        assert standing is not None
        tokens.keep_rendering(Owner("property", house), standing, rendering)
        assert tokens.rendering(Owner("property", house), rendering.tag) == content


def test_a_rendering_that_is_lost_is_made_again(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client, clock: Clock
) -> None:
    address = shared(api, house)
    before = anybody.get(address)
    for piece in kept(table, house):
        table.client.delete_item(TableName=table.name, Key={"pk": piece["pk"], "sk": piece["sk"]})
    clock.advance(MINUTE)
    assert anybody.get(address).content == before.content
    assert kept(table, house)


def test_the_store_that_cannot_keep_a_rendering_answers_with_it_all_the_same(
    api: Api, house: str, anybody: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.domain.patience.SECONDS", 0.5)
    address = shared(api, house)

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        raise ConnectionClosedError(endpoint_url=request.url)

    with answered(api.dynamodb, "PutItem", refuse):
        assert anybody.get(address).status_code == 200


def test_nothing_of_a_feed_stays_once_it_is_withdrawn(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client
) -> None:
    api.visit(house, "2027-03-12T10:00:00Z", place="Garden")
    address = shared(api, house)
    assert "Garden" in anybody.get(address).text
    assert all("packed" in piece for piece in kept(table, house))
    assert api.http.delete(f"/properties/{house}/calendar-token").status_code == 204
    problem(anybody.get(address), 404, "feed-not-found")
    assert not any("packed" in piece for piece in kept(table, house))
    (token,) = [
        table.client.get_item(TableName=table.name, Key=serialized(calendar_token_key(Owner("property", house))))[
            "Item"
        ].keys()
    ]
    assert not [name for name in token if name.startswith("feed")]


def test_a_withdrawal_that_could_not_be_completed_is_not_told_as_none(
    api: Api, house: str, anybody: httpx.Client
) -> None:
    address = shared(api, house)
    assert anybody.get(address).status_code == 200

    def refuse(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        raise ConnectTimeoutError(endpoint_url=request.url)

    with answered(api.dynamodb, "Query", refuse):
        problem(api.http.delete(f"/properties/{house}/calendar-token"), 503, "outcome-unknown")
    problem(anybody.get(address), 404, "feed-not-found")
    assert api.http.delete(f"/properties/{house}/calendar-token").status_code == 204


def test_nothing_stays_of_a_feed_that_was_withdrawn_while_it_was_rendered(
    table: FreshTable, api: Api, house: str
) -> None:
    token = shared(api, house).partition("=")[2]

    def withdrawn_meanwhile(feed: calendars.Feed) -> Iterator[bytes]:
        assert api.http.delete(f"/properties/{house}/calendar-token").status_code == 204
        yield b"Garden"

    api.services.calendars.read(Owner("property", house), token, withdrawn_meanwhile, lambda _: False)
    assert not any("packed" in piece for piece in kept(table, house))


def test_what_is_kept_of_a_feed_is_dropped_after_a_day(
    table: FreshTable, api: Api, house: str, anybody: httpx.Client, clock: Clock
) -> None:
    address = shared(api, house)
    anybody.get(address)
    (piece,) = kept(table, house)
    assert int(piece["ttl"]["N"]) == int((NOW + timedelta(days=1)).timestamp())
    # Until then it stays what it is; a feed that is still asked for is written anew afterwards.
    clock.advance(timedelta(days=1))
    anybody.get(address)
    (piece,) = kept(table, house)
    assert int(piece["ttl"]["N"]) == int((NOW + timedelta(days=2)).timestamp())


def test_a_new_token_shows_the_present(api: Api, house: str, anybody: httpx.Client, clock: Clock) -> None:
    anybody.get(shared(api, house))
    api.visit(house, "2027-03-12T10:00:00Z")
    clock.advance(MINUTE)
    address = shared(api, house)
    shown = anybody.get(address)
    assert "BEGIN:VEVENT" in shown.text
    assert anybody.get(address).content == shown.content
