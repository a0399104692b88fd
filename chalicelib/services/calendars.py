"""The use cases of a calendar feed, a property's or an agent's: share it at a new address, withdraw it, read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from chalicelib.domain import calendars
from chalicelib.domain.calendars import Current, Feed, Kept, NewToken, Owner, Rendering, Shared, Shows
from chalicelib.domain.errors import AgentNotFound, FeedNotFound, Unavailable
from chalicelib.domain.listing import Entry, VisitFilter, Window
from chalicelib.services.exports import every_visit, named_properties

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit
    from chalicelib.services.ports import AgentStore, CalendarStore, Clock, PropertyStore, VisitStore

Render = Callable[[Feed], Iterable[bytes]]
"""A feed to a file, piece by piece."""

Knows = Callable[[str], bool]
"""Whether the caller has the content with this tag already."""


class Calendars:
    def __init__(
        self,
        properties: PropertyStore,
        agents: AgentStore,
        visits: VisitStore,
        tokens: CalendarStore,
        clock: Clock,
        new_token: NewToken = calendars.new_token,
    ) -> None:
        self._properties = properties
        self._agents = agents
        self._visits = visits
        self._tokens = tokens
        self._clock = clock
        self._new_token = new_token

    def share(self, owner: Owner, shows: Shows = Shows.TIMES) -> str:
        """A new token for the owner's feed; the one before it is worthless from now on.

        Raises PropertyNotFound or AgentNotFound.
        """
        self._name(owner)
        token = self._new_token()
        self._tokens.keep(owner, Shared(calendars.token_hash(token), shows=shows), self._clock())
        return token

    def withdraw(self, owner: Owner) -> None:
        """Nobody reads the feed any more, if anybody did. Raises PropertyNotFound or AgentNotFound."""
        self._name(owner)
        self._tokens.remove(owner, self._clock())

    def read(self, owner: Owner, token: str, render: Render, knows: Knows) -> Current:
        """The feed as it was within the last five minutes: a public address must not cost a whole query each time.

        Raises FeedNotFound, which does not say whether owner or token is wrong.
        """
        shared = self._tokens.find(owner)
        if not calendars.opens(token, shared.token_hash if shared else None) or shared is None:
            raise FeedNotFound
        now = self._clock()
        if shared.kept is not None and not self._is_mine_to_renew(owner, shared, shared.kept, now):
            if knows(shared.kept.tag):
                return Current(shared.kept.tag, None)
            content = self._tokens.rendering(owner, shared.kept.tag)
            if content is not None:
                return Current(shared.kept.tag, content)
            shared = replace(shared, kept=None)
        rendering = Rendering(b"".join(render(self._feed(owner, shared.shows, now))), now)
        # What cannot be kept now is answered all the same.
        with suppress(Unavailable):
            self._tokens.keep_rendering(owner, shared, rendering)
        return Current(rendering.tag, None if knows(rendering.tag) else rendering.content)

    def _is_mine_to_renew(self, owner: Owner, shared: Shared, kept: Kept, now: datetime) -> bool:
        """Of the polls that find a rendering too old, one renews it."""
        return now - kept.as_of > calendars.FRESH and self._tokens.claim(owner, shared, now)

    def _name(self, owner: Owner) -> str:
        if owner.kind == "property":
            return self._properties.get(owner.id).details.name
        agent = self._agents.get(owner.id)
        if agent is None:
            raise AgentNotFound(owner.id)
        return agent.name

    def _feed(self, owner: Owner, shows: Shows, now: datetime) -> Feed:
        if owner.kind == "property":
            details = self._properties.get(owner.id).details
            found = self._visits_of(VisitFilter(_window(now), property_id=owner.id))
            return _feed(details.name, [Entry(visit, details) for visit in found], shows)
        try:
            name = self._name(owner)
        except AgentNotFound:  # erased while the feed was being withdrawn
            raise FeedNotFound from None
        found = self._visits_of(VisitFilter(_window(now), agent_id=owner.id))
        named = named_properties(self._properties).of({visit.property_id for visit in found})
        houses = {id: property.details for id, property in named.items()}
        return _feed(name, [Entry(visit, houses.get(visit.property_id)) for visit in found], shows)

    def _visits_of(self, filter: VisitFilter) -> list[Visit]:
        """One more than is shown says that there are more."""
        return list(islice(every_visit(self._visits, filter), calendars.MOST_VISITS + 1))


def _window(now: datetime) -> Window:
    return Window(now - calendars.BACK, now + calendars.AHEAD)


def _feed(name: str, entries: list[Entry], shows: Shows) -> Feed:
    return Feed(name, entries[: calendars.MOST_VISITS], len(entries) <= calendars.MOST_VISITS, shows)
