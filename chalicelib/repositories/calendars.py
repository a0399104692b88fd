"""The tokens of calendar feeds and what is kept of the feeds, beside their owners, whose version they do not touch.

A token's item also says which rendering is kept, so that a poller who has it costs one small read. The rendering
itself is compressed and in as many pieces as it takes. A newer one replaces an older one, never the other way round;
a piece that does not belong to the rest is not read.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from chalicelib.domain.calendars import KEPT, RENEWED_WITHIN, Kept, Owner, Rendering, Shared, Shows
from chalicelib.domain.errors import OutcomeUnknown, StoreBusy, Unavailable
from chalicelib.repositories import items
from chalicelib.repositories.agents import agent_key
from chalicelib.repositories.items import Item, Key, loaded, stored
from chalicelib.repositories.properties import property_key
from chalicelib.repositories.table import ConditionsFailed, Table, Write


def calendar_token_key(owner: Owner) -> Key:
    return {"pk": _partition(owner), "sk": "T"}


def _partition(owner: Owner) -> str:
    return property_key(owner.id)["pk"] if owner.kind == "property" else agent_key(owner.id)["pk"]


def calendar_token_item(owner: Owner, shared: Shared, now: datetime) -> Item:
    item: Item = {**calendar_token_key(owner), "secretHash": shared.token_hash, "createdAt": stored(now)}
    return item if shared.shows is Shows.TIMES else {**item, "shows": str(shared.shows)}


def shared_feed_of(item: Item) -> Shared | None:
    """None once the token is withdrawn."""
    if "secretHash" not in item:
        return None
    kept = None
    if "feedTag" in item:
        kept = Kept(item["feedTag"], loaded(item["feedAsOf"]), loaded(item["feedUntil"]))
    return Shared(bytes(item["secretHash"]), kept, Shows(item.get("shows", Shows.TIMES)))


FEED_PIECES: Final = ("F#", "F#~")
"""The sort keys between which the pieces of a kept rendering lie."""


MOST_BYTES_OF_PIECE: Final = 350_000
"""An item may have 400 KB."""


def feed_pieces(owner: Owner, rendering: Rendering) -> list[Item]:
    packed = zlib.compress(rendering.content)
    pieces = [packed[start : start + MOST_BYTES_OF_PIECE] for start in range(0, len(packed), MOST_BYTES_OF_PIECE)]
    return [
        {
            "pk": _partition(owner),
            "sk": f"F#{number:02}",
            "feedTag": rendering.tag,
            "feedAsOf": stored(rendering.as_of),
            "pieces": len(pieces),
            "packed": piece,
            "ttl": int((rendering.as_of + KEPT).timestamp()),
        }
        for number, piece in enumerate(pieces)
    ]


def feed_content_of(pieces: Sequence[Item], tag: str) -> bytes | None:
    """The content with this tag, unless a piece of it is missing. Others may be left of a longer one before it."""
    wanted = [piece for piece in pieces if piece.get("feedTag") == tag]
    if not wanted or len(wanted) != int(wanted[0]["pieces"]):
        return None
    return zlib.decompress(b"".join(bytes(piece["packed"]) for piece in wanted))


class DynamoCalendars:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, owner: Owner) -> Shared | None:
        """One strongly consistent read, so that a withdrawn token stops at once: 1 read unit."""
        item = self._table.get(calendar_token_key(owner))
        return shared_feed_of(item) if item else None

    def keep(self, owner: Owner, shared: Shared, now: datetime) -> None:
        """A transaction of one: 2 write units."""
        item = calendar_token_item(owner, shared, now)
        self._table.transact([Write(key=calendar_token_key(owner), item=item)])

    def remove(self, owner: Owner, now: datetime) -> None:
        """1 write unit, and what emptying the kept rendering takes.

        The item stays and says since when there was a feed, but opens nothing.
        """
        withdrawn = Write(
            key=calendar_token_key(owner),
            update="REMOVE secretHash, feedTag, feedAsOf, feedUntil, feedClaimedUntil",
            condition="attribute_exists(secretHash)",
        )
        with suppress(ConditionsFailed):  # there was none
            self._table.update(withdrawn)
        try:
            self._empty(owner, now)
        except StoreBusy as busy:
            raise OutcomeUnknown from busy

    def claim(self, owner: Owner, shared: Shared, now: datetime) -> bool:
        """1 write unit. A claim ends by itself; where it cannot be had now, what is kept will do."""
        claim = Write(
            key=calendar_token_key(owner),
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

    def keep_rendering(self, owner: Owner, shared: Shared, rendering: Rendering) -> None:
        """1 write unit while the content stays the same, else 1 more for every kilobyte of it, compressed.

        1 of a feed that names visitors, whose content is not kept.
        """
        kept, until = shared.kept, rendering.as_of + KEPT
        if kept is not None and kept.tag == rendering.tag and rendering.as_of < kept.until:
            until = kept.until
        elif shared.shows is Shows.TIMES and not self._put_pieces(owner, rendering):
            return
        known = Write(
            key=calendar_token_key(owner),
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
            if shared_feed_of(failed.present) is None:  # withdrawn in the meantime
                self._empty(owner, rendering.as_of)

    def rendering(self, owner: Owner, tag: str) -> bytes | None:
        """One strongly consistent query: 1 read unit for every 4 kilobytes of the content, compressed."""
        return feed_content_of(self._pieces(owner), tag)

    def _put_pieces(self, owner: Owner, rendering: Rendering) -> bool:
        """False when a newer rendering is there."""
        try:
            for piece in feed_pieces(owner, rendering):
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

    def _empty(self, owner: Owner, now: datetime) -> None:
        """Nothing of the feed stays, and a rendering that is under way comes too late."""
        for piece in self._pieces(owner):
            emptied = Write(
                key={"pk": piece["pk"], "sk": piece["sk"]},
                update="SET feedAsOf = :now REMOVE packed, feedTag",
                condition="attribute_exists(packed)",
                values={":now": items.stored(now)},
            )
            with suppress(ConditionsFailed):  # emptied before, or gone by itself
                self._table.update(emptied)

    def _pieces(self, owner: Owner) -> list[items.Item]:
        return list(self._table.query(calendar_token_key(owner)["pk"], *FEED_PIECES))
