"""Intakes in DynamoDB: a manifest; a small item for each chunk, first claimed, then summed up; its outcomes beside it.

Outcomes are written first and count once the chunk names who wrote them. So how far an intake is costs a few read
units, however much there is to say of its rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import (
    IntakeNotFound,
)
from chalicelib.domain.intakes import (
    RESULTS,
    ROWS_IN_CHUNK,
    Chunk,
    ChunkSummary,
    Claim,
    ClaimLost,
    Intake,
    Manifest,
    RowOutcome,
)
from chalicelib.domain.listing import Page
from chalicelib.repositories.items import Item, Key, loaded, present, stored
from chalicelib.repositories.table import ConditionsFailed, Table, Write

if TYPE_CHECKING:
    from chalicelib.repositories import items


def manifest_key(intake_id: str) -> Key:
    return {"pk": f"N#{intake_id}", "sk": "N"}


def chunk_key(intake_id: str, number: int) -> Key:
    return {"pk": f"N#{intake_id}", "sk": f"C#{number:04d}"}


def chunk_number(item: Item) -> int:
    return int(item["sk"].split("#")[1])


CHUNKS: Final = ("C#", "C#~")
"""The sort keys between which the chunks of an intake lie."""


PROGRESS: Final = ("C#", "N")
"""Likewise its chunks and, last, its manifest, but none of what became of its rows."""


def outcomes_key(intake_id: str, number: int, writer: str) -> Key:
    """What a worker, or whoever gave a chunk up, has to say of its rows; it counts once the chunk names the writer."""
    return {"pk": f"N#{intake_id}", "sk": f"O#{number:04d}#{writer}"}


def outcomes_from(number: int) -> tuple[str, str]:
    """The sort keys between which the outcomes of a chunk, and of all after it, lie."""
    return f"O#{number:04d}#", "O#~"


def outcomes_writer(item: Item) -> str:
    return str(item["sk"].split("#", 2)[2])


def manifest_item(manifest: Manifest) -> Item:
    return present(
        {
            **manifest_key(manifest.id),
            "producer": manifest.producer,
            "rows": manifest.rows,
            "chunks": manifest.chunks,
            "sent": manifest.sent,
            "createdAt": stored(manifest.created_at),
            "ttl": int(manifest.expires_at.timestamp()),
        }
    )


def manifest_of(item: Item) -> Manifest:
    return Manifest(
        id=item["pk"].removeprefix("N#"),
        producer=item["producer"],
        rows=int(item["rows"]),
        chunks=int(item["chunks"]),
        sent=item["sent"],
        created_at=loaded(item["createdAt"]),
    )


def summary_of(item: Item) -> ChunkSummary | None:
    """None until the chunk is finished."""
    if "finishedBy" not in item:
        return None
    created, duplicate, rejected = (int(item[result]) for result in RESULTS)
    return ChunkSummary(created, duplicate, rejected, given_up=item.get("givenUp", False))


def outcomes_item(key: Key, outcomes: Sequence[RowOutcome], expires_at: datetime) -> Item:
    told = [
        present(
            {
                "row": outcome.row,
                "externalId": outcome.external_id,
                "result": outcome.result,
                "visitId": outcome.visit_id,
                "problem": json.dumps(outcome.problem) if outcome.problem is not None else None,
            }
        )
        for outcome in outcomes
    ]
    return {**key, "outcomes": told, "ttl": int(expires_at.timestamp())}


def outcomes_of(item: Item) -> list[RowOutcome]:
    return [
        RowOutcome(
            row=int(outcome["row"]),
            external_id=outcome.get("externalId"),
            result=outcome["result"],
            visit_id=outcome.get("visitId"),
            problem=json.loads(outcome["problem"]) if "problem" in outcome else None,
        )
        for outcome in item["outcomes"]
    ]


SUMMED_UP = "SET finishedBy = :writer, givenUp = :given, " + ", ".join(f"{result} = :{result}" for result in RESULTS)


class DynamoIntakes:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, intake_id: str, now: datetime) -> Manifest:
        """One strongly consistent read. TTL deletes days late, so the expiry is checked here."""
        item = self._table.get(manifest_key(intake_id))
        manifest = manifest_of(item) if item else None
        if manifest is None or manifest.expires_at <= now:
            raise IntakeNotFound(intake_id)
        return manifest

    def open(self, manifest: Manifest) -> Manifest:
        """1 write unit."""
        put = Write(
            key=manifest_key(manifest.id),
            item=manifest_item(manifest),
            condition="attribute_not_exists(pk) OR #ttl <= :now",
            values={":now": int(manifest.created_at.timestamp())},
        )
        try:
            self._table.put(put)
        except ConditionsFailed as failed:
            return manifest_of(failed.present)
        return manifest

    def mark_sent(self, intake_id: str) -> None:
        """1 write unit."""
        self._table.update(
            Write(
                key=manifest_key(intake_id),
                update="SET sent = :sent",
                condition="attribute_exists(pk)",
                values={":sent": True},
            )
        )

    def claim(self, chunk: Chunk, manifest: Manifest, claimant: str, now: datetime, until: datetime) -> Claim:
        """1 write unit. A claim ends by itself: no worker that died can leave a chunk stuck."""
        claim = Write(
            key=chunk_key(chunk.intake_id, chunk.number),
            update="SET claimant = :claimant, claimedUntil = :until, #ttl = :ttl",
            condition="attribute_not_exists(finishedBy) AND"
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
            return Claim.FINISHED if "finishedBy" in failed.present else Claim.ELSEWHERE
        return Claim.GRANTED

    def release(self, chunk: Chunk, claimant: str) -> None:
        """1 write unit. Raises ClaimLost."""
        self._as_claimant(chunk, claimant, "REMOVE claimant, claimedUntil", {})

    def finish(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        """1 write unit, and 1 for every kilobyte of outcomes. Raises ClaimLost."""
        self._finish(chunk, manifest, claimant, outcomes, given_up=False)

    def give_up(self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome]) -> None:
        """1 write unit, and 1 for every kilobyte of outcomes. Raises ClaimLost."""
        self._finish(chunk, manifest, claimant, outcomes, given_up=True)

    def progress(self, intake_id: str, now: datetime) -> Intake:
        """One strongly consistent query: about 1 read unit for every thirty chunks."""
        *chunks, last = list(self._table.query(manifest_key(intake_id)["pk"], *PROGRESS)) or [{}]
        if last.get("sk") != "N" or (manifest := manifest_of(last)).expires_at <= now:
            raise IntakeNotFound(intake_id)
        return Intake.of(manifest, filter(None, map(summary_of, chunks)))

    def outcomes(self, intake_id: str, after: str | None, limit: int) -> Page[RowOutcome]:
        """Two strongly consistent queries from the chunk in which the page begins. A position is chunk and index."""
        first, skipped = (int(part) for part in after.split(".")) if after else (0, 0)
        start = chunk_key(intake_id, first)
        chunks = self._table.query(start["pk"], start["sk"], CHUNKS[1])
        writers = {chunk_number(chunk): chunk.get("finishedBy") for chunk in chunks}
        told = self._table.query(start["pk"], *outcomes_from(first), limit=-(-limit // ROWS_IN_CHUNK) + 1)
        found: list[RowOutcome] = []
        position: str | None = None
        for item in told:
            number = chunk_number(item)
            if writers.get(number) != outcomes_writer(item):
                continue  # of a worker that lost its claim
            begin = skipped if number == first else 0
            for index, outcome in enumerate(outcomes_of(item)[begin:], begin):
                if len(found) == limit:
                    return Page(found, position)
                found.append(outcome)
                position = f"{number}.{index + 1}"
        return Page(found, None)

    def _finish(
        self, chunk: Chunk, manifest: Manifest, claimant: str, outcomes: Sequence[RowOutcome], given_up: bool
    ) -> None:
        key = outcomes_key(chunk.intake_id, chunk.number, claimant)
        self._table.put(Write(key=key, item=outcomes_item(key, outcomes, manifest.expires_at)))
        self._as_claimant(
            chunk,
            claimant,
            f"{SUMMED_UP} REMOVE claimant, claimedUntil",
            {":writer": claimant, ":given": given_up, **_summary(outcomes)},
        )

    def _as_claimant(self, chunk: Chunk, claimant: str, update: str, values: items.Item) -> None:
        write = Write(
            key=chunk_key(chunk.intake_id, chunk.number),
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


def _summary(outcomes: Sequence[RowOutcome]) -> items.Item:
    told = [outcome.result for outcome in outcomes]
    return {f":{result}": told.count(result) for result in RESULTS}
