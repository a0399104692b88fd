"""The use cases of a property's calendar feed: share it at a new address, withdraw it, read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice

from chalicelib.domain import calendars
from chalicelib.domain.calendars import Current, Feed, Kept, NewToken, Rendering, Shared
from chalicelib.domain.errors import FeedNotFound, Unavailable
from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.services.exports import every_visit
from chalicelib.services.ports import CalendarStore, Clock, PropertyStore, VisitStore

Render = Callable[[Feed], Iterable[bytes]]
"""A feed to a file, piece by piece."""

Knows = Callable[[str], bool]
"""Whether the caller has the content with this tag already."""


class Calendars:
    def __init__(
        self,
        properties: PropertyStore,
        visits: VisitStore,
        tokens: CalendarStore,
        clock: Clock,
        new_token: NewToken = calendars.new_token,
    ) -> None:
        self._properties = properties
        self._visits = visits
        self._tokens = tokens
        self._clock = clock
        self._new_token = new_token

    def share(self, property_id: str) -> str:
        """A new token for the property's feed; the one before it is worthless from now on. Raises PropertyNotFound."""
        property = self._properties.get(property_id)
        token = self._new_token()
        self._tokens.keep(property.id, calendars.token_hash(token), self._clock())
        return token

    def withdraw(self, property_id: str) -> None:
        """Nobody reads the feed any more, if anybody did. Raises PropertyNotFound."""
        property = self._properties.get(property_id)
        self._tokens.remove(property.id, self._clock())

    def read(self, property_id: str, token: str, render: Render, knows: Knows) -> Current:
        """The feed as it was within the last five minutes: a public address must not cost a whole query each time.

        Raises FeedNotFound, which does not say whether property or token is wrong.
        """
        shared = self._tokens.find(property_id)
        if not calendars.opens(token, shared.token_hash if shared else None) or shared is None:
            raise FeedNotFound
        now = self._clock()
        if shared.kept is not None and not self._is_mine_to_renew(property_id, shared, shared.kept, now):
            if knows(shared.kept.tag):
                return Current(shared.kept.tag, None)
            content = self._tokens.rendering(property_id, shared.kept.tag)
            if content is not None:
                return Current(shared.kept.tag, content)
            shared = replace(shared, kept=None)
        rendering = Rendering(b"".join(render(self._feed(property_id, now))), now)
        # What cannot be kept now is answered all the same.
        with suppress(Unavailable):
            self._tokens.keep_rendering(property_id, shared, rendering)
        return Current(rendering.tag, None if knows(rendering.tag) else rendering.content)

    def _is_mine_to_renew(self, property_id: str, shared: Shared, kept: Kept, now: datetime) -> bool:
        """Of the polls that find a rendering too old, one renews it."""
        return now - kept.as_of > calendars.FRESH and self._tokens.claim(property_id, shared, now)

    def _feed(self, property_id: str, now: datetime) -> Feed:
        property = self._properties.get(property_id)
        filter = VisitFilter(Window(now - calendars.BACK, now + calendars.AHEAD), property_id=property_id)
        found = list(islice(every_visit(self._visits, filter), calendars.MOST_VISITS + 1))
        return Feed(property, found[: calendars.MOST_VISITS], complete=len(found) <= calendars.MOST_VISITS)
