"""Agents: registered, replaced, found and erased; and when they are engaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.agents import Agent
from chalicelib.domain.calendars import Feed, Owner
from chalicelib.domain.errors import AgentNotFound, FeedNotFound, InvalidInput, VersionMismatch
from chalicelib.domain.listing import Window
from chalicelib.services.availability import Engagement
from tests.agency import Agency
from tests.builders import NOW, TEN, NotAllowed, a_property, a_visit, an_agent, forbidden, minutes, unchecked


@pytest.fixture
def agency() -> Agency:
    return Agency()


def registered(agency: Agency, id: str = "ann") -> Agent:
    return agency.agents.create(an_agent(id), unchecked)


def test_an_agent_is_registered_once_and_found(agency: Agency) -> None:
    with pytest.raises(AgentNotFound) as refused:
        agency.agents.get("ann")
    assert refused.value.agent_id == "ann"
    assert agency.agents.get(registered(agency).id) == an_agent("ann")
    with pytest.raises(VersionMismatch):
        registered(agency)
    registered(agency, "bob")
    page = agency.agents.list(None, 1)
    assert [agent.id for agent in page.items] == ["ann"]
    assert [agent.id for agent in agency.agents.list(page.next, 1).items] == ["bob"]


def test_what_is_said_of_an_agent_is_replaced_where_nobody_was_faster(agency: Agency) -> None:
    before = registered(agency)
    agency.clock.advance(minutes(5))
    wanted = an_agent("ann", name="Ann Example", created_at=agency.clock(), updated_at=agency.clock(), version=7)
    after = agency.agents.replace(wanted, frozenset({1}), unchecked)
    assert after == replace(before, name="Ann Example", version=2, updated_at=agency.clock())
    assert agency.agents.get("ann") == after
    for expected in (frozenset({1}), frozenset[int]()):
        with pytest.raises(VersionMismatch):
            agency.agents.replace(wanted, expected, unchecked)
    assert agency.agents.replace(wanted, None, unchecked) is after, "nothing differs"
    with pytest.raises(VersionMismatch):
        agency.agents.replace(an_agent("bob"), None, unchecked)


def test_what_is_to_be_refused_is_refused_before_anything_is_written(agency: Agency) -> None:
    with pytest.raises(NotAllowed):
        agency.agents.create(an_agent("ann"), forbidden)
    before = registered(agency)
    with pytest.raises(NotAllowed):
        agency.agents.replace(an_agent("ann", name="Ben"), None, forbidden)
    assert agency.agents.get("ann") == before


def test_an_erased_agent_is_gone_with_the_calendar_and_the_versions_go_on(agency: Agency) -> None:
    registered(agency)
    token = agency.feeds.share(Owner("agent", "ann"))
    with pytest.raises(VersionMismatch):
        agency.agents.erase("ann", frozenset({2}))
    agency.agents.erase("ann", frozenset({1}))
    with pytest.raises(AgentNotFound):
        agency.agents.erase("ann", None)
    with pytest.raises(FeedNotFound):
        agency.feeds.read(Owner("agent", "ann"), token, lambda _: iter(()), lambda _: False)
    assert registered(agency).version == 3
    agency.agents.erase("ann", None)


def test_the_feed_of_an_agent_has_the_agents_visits_each_with_its_property(agency: Agency) -> None:
    registered(agency)
    token = agency.feeds.share(Owner("agent", "ann"))
    agency.properties.add(a_property("lake", name="Lake house"))
    own = [a_visit(agent_id="ann"), a_visit(agent_id="ann", property_id="lake", date=TEN + minutes(60))]
    for visit in (*own, a_visit(agent_id="bob"), a_visit(agent_id="ann", property_id="gone", date=TEN + minutes(90))):
        agency.memory.visits[visit.id] = visit

    def shown(feed: Feed) -> Iterator[bytes]:
        assert (feed.name, feed.complete) == ("Ann", True)
        for entry in feed.entries:
            yield f"{entry.visit.property_id}: {entry.details and entry.details.name}\n".encode()

    read = agency.feeds.read(Owner("agent", "ann"), token, shown, lambda _: False)
    assert read.content == b"house: House\nlake: Lake house\ngone: None\n"


def test_an_agent_is_engaged_where_the_visits_are_neighbouring_quarters_of_one_property_together(
    agency: Agency,
) -> None:
    quarter = timedelta(minutes=15)
    visits = [
        a_visit(agent_id="ann"),
        a_visit(agent_id="ann", date=TEN + 2 * quarter),
        a_visit(agent_id="ann", date=TEN + 4 * quarter, property_id="lake"),
        a_visit(agent_id="ann", date=TEN + 8 * quarter, property_id="lake"),
        a_visit(agent_id="bob"),
    ]
    for visit in visits:
        agency.memory.visits[visit.id] = visit
    told = agency.availability.engagements("ann", None, None)
    assert (told.agent_id, told.window) == ("ann", Window(NOW, NOW + timedelta(days=7)))
    assert told.intervals == [
        Engagement(TEN, TEN + 4 * quarter, "house"),
        Engagement(TEN + 4 * quarter, TEN + 6 * quarter, "lake"),
        Engagement(TEN + 8 * quarter, TEN + 10 * quarter, "lake"),
    ]
    cut = agency.availability.engagements("ann", TEN + quarter, TEN + 3 * quarter)
    assert cut.intervals == [Engagement(TEN + quarter, TEN + 3 * quarter, "house")]
    with pytest.raises(InvalidInput) as refused:
        agency.availability.engagements("ann", NOW, NOW + timedelta(days=32))
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [
        ("?to", "at most 31 days after 'from'")
    ]
