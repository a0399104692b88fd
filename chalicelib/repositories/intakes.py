"""Intakes in DynamoDB: a manifest, and one item a chunk that is first claimed and then holds its outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.intakes import (
    Chunk,
    ChunkSummary,
    Claim,
    ClaimLost,
    IntakeNotFound,
    Manifest,
    RowOutcome,
)
from chalicelib.domain.listing import Page
from chalicelib.repositories import items
from chalicelib.repositories.table import ConditionsFailed, Table, Write


class DynamoIntakes:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, intake_id: str, now: datetime) -> Manifest:
        """One strongly consistent read. TTL deletes days late, so the expiry is checked here."""
        item = self._table.get(items.manifest_key(intake_id))
        manifest = items.manifest_of(item) if item else None
        if manifest is None or manifest.expires_at <= now:
            raise IntakeNotFound(intake_id)
        return manifest

    def open(self, manifest: Manifest) -> Manifest:
        """1 write unit."""
        put = Write(
            key=items.manifest_key(manifest.id),
            item=items.manifest_item(manifest),
            condition="attribute_not_exists(pk) OR #ttl <= :now",
            values={":now": int(manifest.created_at.timestamp())},
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            return items.manifest_of(failed.present)
        return manifest

    def mark_sent(self, intake_id: str) -> None:
        """1 write unit."""
        self._table.update(
            Write(
                key=items.manifest_key(intake_id),
                update="SET sent = :sent",
                condition="attribute_exists(pk)",
                values={":sent": True},
            )
        )

    def claim(self, chunk: Chunk, manifest: Manifest, claimant: str, now: datetime, until: datetime) -> Claim:
        """1 write unit. A claim ends by itself: no worker that died can leave a chunk stuck."""
        claim = Write(
            key=items.chunk_key(chunk.intake_id, chunk.number),
            update="SET claimant = :claimant, claimedUntil = :until, #ttl = :ttl",
            condition="attribute_not_exists(outcomes) AND"
            " (attribute_not_exists(claimant) OR claimant = :claimant OR claimedUntil < :now)",
            values={
                ":claimant": claimant,
                ":until": int(until.timestamp()),
                ":now": int(now.timestamp()),
                ":ttl": int(manifest.expires_at.timestamp()),
            },
        )
        try:
            self._table.update(claim)
        except ConditionsFailed as failed:
            return Claim.FINISHED if "outcomes" in failed.present else Claim.ELSEWHERE
        return Claim.GRANTED

    def release(self, chunk: Chunk, claimant: str) -> None:
        """1 write unit. Raises ClaimLost."""
        self._as_claimant(chunk, claimant, "REMOVE claimant, claimedUntil", {})

    def finish(self, chunk: Chunk, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        """1 write unit for every kilobyte of outcomes. Raises ClaimLost."""
        self._as_claimant(
            chunk,
            claimant,
            "SET outcomes = :outcomes, finishedBy = :claimant REMOVE claimant, claimedUntil",
            {":outcomes": items.outcome_attributes(outcomes)},
        )

    def give_up(self, chunk: Chunk, manifest: Manifest, outcomes: Sequence[RowOutcome]) -> bool:
        """1 write unit for every kilobyte of outcomes."""
        try:
            self._table.update(
                Write(
                    key=items.chunk_key(chunk.intake_id, chunk.number),
                    update="SET outcomes = :outcomes, givenUp = :given, #ttl = :ttl REMOVE claimant, claimedUntil",
                    condition="attribute_not_exists(outcomes)",
                    values={
                        ":outcomes": items.outcome_attributes(outcomes),
                        ":given": True,
                        ":ttl": int(manifest.expires_at.timestamp()),
                    },
                )
            )
        except ConditionsFailed:
            return False
        return True

    def summaries(self, intake_id: str) -> Sequence[ChunkSummary]:
        """One strongly consistent query: 1 read unit for every 4 kilobytes of outcomes."""
        return [
            ChunkSummary.of(items.outcomes_of(item), item.get("givenUp", False))
            for item in self._table.query(items.manifest_key(intake_id)["pk"], *items.CHUNKS)
            if "outcomes" in item
        ]

    def outcomes(self, intake_id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        """One strongly consistent query from the chunk in which the page begins. A position is chunk and index."""
        first, skipped = (int(part) for part in after.split(".")) if after else (0, 0)
        key = items.chunk_key(intake_id, first)
        found: list[RowOutcome] = []
        position: str | None = None
        for item in self._table.query(key["pk"], key["sk"], items.CHUNKS[1]):
            number = items.chunk_number(item)
            start = skipped if number == first else 0
            for index, outcome in enumerate(items.outcomes_of(item)[start:], start):
                if len(found) == limit:
                    return Page(found, position)
                found.append(outcome)
                position = f"{number}.{index + 1}"
        return Page(found, None)

    def _as_claimant(self, chunk: Chunk, claimant: str, update: str, values: items.Item) -> None:
        write = Write(
            key=items.chunk_key(chunk.intake_id, chunk.number),
            update=update,
            condition="claimant = :claimant",
            values={":claimant": claimant, **values},
        )
        try:
            self._table.update(write)
        except ConditionsFailed as failed:
            # Finished by this very call, whose first answer was lost.
            if failed.present.get("finishedBy") != claimant:
                raise ClaimLost from failed
