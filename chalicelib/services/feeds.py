"""The use cases of a property's calendar feed: share it at a new address, withdraw it, read it."""

from __future__ import annotations

from itertools import islice

from chalicelib.domain import feeds
from chalicelib.domain.errors import FeedNotFound
from chalicelib.domain.feeds import Feed, NewToken
from chalicelib.domain.listing import VisitFilter, Window
from chalicelib.services.exporting import every_visit
from chalicelib.services.ports import CalendarTokens, Clock, Properties, Visits


class Feeds:
    def __init__(
        self,
        properties: Properties,
        visits: Visits,
        tokens: CalendarTokens,
        clock: Clock,
        new_token: NewToken = feeds.new_token,
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
        self._tokens.keep(property.id, feeds.token_hash(token), self._clock())
        return token

    def withdraw(self, property_id: str) -> None:
        """Nobody reads the feed any more, if anybody did. Raises PropertyNotFound."""
        property = self._properties.get(property_id)
        self._tokens.remove(property.id)

    def read(self, property_id: str, token: str) -> Feed:
        """The feed as it is now. Raises FeedNotFound, which does not say whether property or token is wrong."""
        if not feeds.opens(token, self._tokens.find(property_id)):
            raise FeedNotFound
        property = self._properties.get(property_id)
        now = self._clock()
        filter = VisitFilter(Window(now - feeds.BACK, now + feeds.AHEAD), property_id=property_id)
        found = list(islice(every_visit(self._visits, filter), feeds.MOST_VISITS + 1))
        return Feed(property, found[: feeds.MOST_VISITS], complete=len(found) <= feeds.MOST_VISITS)
