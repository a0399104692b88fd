"""The feed of events: what the stream brings is appended once, and read by whoever follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.domain.events import Change, Event, Position, Stretch
    from chalicelib.services.ports import Clock, EventStore


class NoBus:
    """The event bus of a stage that has none."""

    def put(self, events: Sequence[tuple[Event, str]]) -> Sequence[str]:
        return ()


class Events:
    def __init__(self, events: EventStore, clock: Clock) -> None:
        self._events = events
        self._clock = clock

    def append(self, changes: Sequence[Change]) -> None:
        """Appends the events of a batch of the stream, in order.

        A batch may be handed out again, longer than it was: what was appended then is left out. Cut in another place
        it is appended again, and its events are known by their ids. Raises StoreBusy or OutcomeUnknown.
        """
        while any(change.event for change in changes):
            reached = self._events.append(changes, self._clock())
            changes = [change for change in changes if change.sequence > reached]

    def oldest(self) -> Position:
        return self._events.oldest(self._clock())

    def end(self) -> Position:
        return self._events.end()

    def read(self, after: Position, limit: int) -> Stretch:
        """What follows a position. Raises PositionLost."""
        return self._events.read(after, limit, self._clock())
