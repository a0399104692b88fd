"""The tokens of calendar feeds and what is kept of the feeds, beside their properties, whose version they do not touch.

A token's item also says which rendering is kept, so that a poller who has it costs one small read. The rendering
itself is compressed and in as many pieces as it takes. A newer one replaces an older one, never the other way round;
a piece that does not belong to the rest is not read.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from chalicelib.domain.calendars import KEPT, RENEWED_WITHIN, Rendering, Shared
from chalicelib.domain.errors import OutcomeUnknown, StoreBusy, Unavailable
from chalicelib.repositories import items
from chalicelib.repositories.table import ConditionsFailed, Table, Write


class DynamoCalendarTokens:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, property_id: str) -> Shared | None:
        """One strongly consistent read, so that a withdrawn token stops at once: 1 read unit."""
        item = self._table.get(items.calendar_token_key(property_id))
        return items.shared_feed_of(item) if item else None

    def keep(self, property_id: str, token_hash: bytes, now: datetime) -> None:
        """A transaction of one: 2 write units."""
        item = items.calendar_token_item(property_id, token_hash, now)
        self._table.transact([Write(key=items.calendar_token_key(property_id), item=item)])

    def remove(self, property_id: str, now: datetime) -> None:
        """1 write unit, and what emptying the kept rendering takes.

        The item stays and says since when there was a feed, but opens nothing.
        """
        withdrawn = Write(
            key=items.calendar_token_key(property_id),
            update="REMOVE secretHash, feedTag, feedAsOf, feedUntil, feedClaimedUntil",
            condition="attribute_exists(secretHash)",
        )
        with suppress(ConditionsFailed):  # there was none
            self._table.update(withdrawn)
        try:
            self._empty(property_id, now)
        except StoreBusy as busy:
            raise OutcomeUnknown from busy

    def claim(self, property_id: str, shared: Shared, now: datetime) -> bool:
        """1 write unit. A claim ends by itself; where it cannot be had now, what is kept will do."""
        claim = Write(
            key=items.calendar_token_key(property_id),
            update="SET feedClaimedUntil = :until",
            condition="secretHash = :hash AND (attribute_not_exists(feedClaimedUntil) OR feedClaimedUntil <= :now)",
            values={
                ":hash": shared.token_hash,
                ":now": items.stored(now),
                ":until": items.stored(now + RENEWED_WITHIN),
            },
        )
        try:
            self._table.update(claim)
        except (ConditionsFailed, Unavailable):
            return False
        return True

    def keep_rendering(self, property_id: str, shared: Shared, rendering: Rendering) -> None:
        """1 write unit while the content stays the same, else 1 more for every kilobyte of it, compressed."""
        kept, until = shared.kept, rendering.as_of + KEPT
        if kept is not None and kept.tag == rendering.tag and rendering.as_of < kept.until:
            until = kept.until
        elif not self._put_pieces(property_id, rendering):
            return
        known = Write(
            key=items.calendar_token_key(property_id),
            update="SET feedTag = :tag, feedAsOf = :asOf, feedUntil = :until",
            condition="secretHash = :hash AND (attribute_not_exists(feedAsOf) OR feedAsOf < :asOf)",
            values={
                ":hash": shared.token_hash,
                ":tag": rendering.tag,
                ":asOf": items.stored(rendering.as_of),
                ":until": items.stored(until),
            },
        )
        try:
            self._table.update(known)
        except ConditionsFailed as failed:
            if items.shared_feed_of(failed.present) is None:  # withdrawn in the meantime
                self._empty(property_id, rendering.as_of)

    def rendering(self, property_id: str, tag: str) -> bytes | None:
        """One strongly consistent query: 1 read unit for every 4 kilobytes of the content, compressed."""
        return items.feed_content_of(self._pieces(property_id), tag)

    def _put_pieces(self, property_id: str, rendering: Rendering) -> bool:
        """False when a newer rendering is there."""
        try:
            for piece in items.feed_pieces(property_id, rendering):
                self._table.put(
                    Write(
                        key={"pk": piece["pk"], "sk": piece["sk"]},
                        item=piece,
                        condition="attribute_not_exists(feedAsOf) OR feedAsOf < :asOf",
                        values={":asOf": piece["feedAsOf"]},
                    )
                )
        except ConditionsFailed:
            return False
        return True

    def _empty(self, property_id: str, now: datetime) -> None:
        """Nothing of the feed stays, and a rendering that is under way comes too late."""
        for piece in self._pieces(property_id):
            emptied = Write(
                key={"pk": piece["pk"], "sk": piece["sk"]},
                update="SET feedAsOf = :now REMOVE packed, feedTag",
                condition="attribute_exists(packed)",
                values={":now": items.stored(now)},
            )
            with suppress(ConditionsFailed):  # emptied before, or gone by itself
                self._table.update(emptied)

    def _pieces(self, property_id: str) -> list[items.Item]:
        return list(self._table.query(items.calendar_token_key(property_id)["pk"], *items.FEED_PIECES))
