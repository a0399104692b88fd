"""What is known of the mail about a visit, in DynamoDB: `T#visit / T`, and up to when reminders were looked for.

Of an address there is a hash only. It expires some time after the visit.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.notices import CLAIMED_FOR, KEPT, NoMoreMail, Notice, Stopped, Told
from chalicelib.domain.visits import Status, Visit
from chalicelib.repositories.items import Item, Key, loaded, stored
from chalicelib.repositories.table import ConditionsFailed, Table, Write

CLOCK: Final[Key] = {"pk": "T#clock", "sk": "T"}


def notice_key(visit_id: str) -> Key:
    return {"pk": f"T#{visit_id}", "sk": "T"}


def told_attribute(told: Told) -> Item:
    return {
        "at": stored(told.at),
        "version": told.version,
        "status": str(told.status),
        "date": stored(told.date),
        "durationMinutes": told.duration_minutes,
        "timeZone": told.time_zone,
        "place": told.place,
        "recipient": told.recipient,
    }


def told_of(item: Item) -> Told:
    return Told(
        at=loaded(item["at"]),
        version=int(item["version"]),
        status=Status(item["status"]),
        date=loaded(item["date"]),
        duration_minutes=int(item["durationMinutes"]),
        time_zone=item["timeZone"],
        place=item["place"],
        recipient=item["recipient"],
    )


def notice_of(item: Item) -> Notice:
    told, stopped = item.get("told"), item.get("stopped")
    return Notice(
        told=told_of(told) if told else None,
        stopped=Stopped(stopped["recipient"], NoMoreMail(stopped["why"])) if stopped else None,
        reminders=not item.get("remindersOff", False),
        claimed="claimant" in item,
        version=int(item["version"]),
    )


class DynamoNotices:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, visit_id: str) -> Notice:
        """1 read unit."""
        item = self._table.get(notice_key(visit_id))
        return notice_of(item) if item else Notice()

    def claim(self, visit: Visit, seen: Notice, claimant: str, now: datetime) -> bool:
        """1 write unit."""
        free = "(attribute_not_exists(claimant) OR claimedUntil < :now)"
        claimed = "SET claimant = :claimant, claimedUntil = :until, #ttl = :ttl"
        same = "(attribute_not_exists(version) OR version = :seen)"
        claim = Write(
            notice_key(visit.id),
            update=f"{claimed}, version = if_not_exists(version, :seen)",
            # Once made it holds again: an attempt whose answer was lost is known by its claimant.
            condition=f"claimant = :claimant OR ({free} AND {same})",
            values={
                ":claimant": claimant,
                ":until": stored(now + CLAIMED_FOR),
                ":now": stored(now),
                ":ttl": _ttl(visit),
                ":seen": seen.version,
            },
        )
        try:
            self._table.update(claim)
        except ConditionsFailed:
            return False
        return True

    def record(self, visit: Visit, claimant: str, told: Told) -> None:
        """1 write unit. Raises StoreBusy when the claim was lost."""
        record = Write(
            notice_key(visit.id),
            update="SET told = :told, #ttl = :ttl REMOVE claimant, claimedUntil ADD version :one",
            condition="claimant = :claimant",
            values={":told": told_attribute(told), ":ttl": _ttl(visit), ":claimant": claimant, ":one": 1},
        )
        try:
            self._table.update(record)
        except ConditionsFailed as failed:
            if failed.after_silence:  # this very record, whose answer was lost; if not, the mail comes twice
                return
            raise StoreBusy from failed

    def stop(self, visit: Visit, stopped: Stopped) -> None:
        """1 write unit."""
        attribute = {"recipient": stopped.recipient, "why": str(stopped.why)}
        self._change(visit, "SET stopped = :stopped", {":stopped": attribute})

    def forget(self, visit_id: str) -> None:
        """1 write unit. What is not about a person stays."""
        forgotten = Write(
            notice_key(visit_id),
            update="REMOVE told, stopped, claimant, claimedUntil ADD version :one",
            condition="attribute_exists(version)",
            values={":one": 1},
        )
        with suppress(ConditionsFailed):  # nothing was ever told
            self._table.update(forgotten)

    def switch_reminders(self, visit: Visit, on: bool) -> None:
        """1 write unit."""
        self._change(visit, "SET remindersOff = :off", {":off": not on})

    def looked_ahead_until(self) -> datetime | None:
        """1 read unit."""
        item = self._table.get(CLOCK)
        return loaded(item["lookedAhead"]) if item else None

    def has_looked_ahead(self, last: datetime | None, until: datetime) -> None:
        """1 write unit."""
        advance = Write(
            CLOCK,
            update="SET lookedAhead = :until",
            condition="attribute_not_exists(pk)" if last is None else "lookedAhead = :last",
            values={":until": stored(until), **({} if last is None else {":last": stored(last)})},
        )
        with suppress(ConditionsFailed):  # another has, or this very call, whose answer was lost
            self._table.update(advance)

    def _change(self, visit: Visit, update: str, values: Item) -> None:
        change = Write(
            notice_key(visit.id),
            update=f"{update}, #ttl = :ttl ADD version :one",
            values={**values, ":ttl": _ttl(visit), ":one": 1},
        )
        self._table.update(change)


def _ttl(visit: Visit) -> int:
    return int((visit.date + KEPT).timestamp())
