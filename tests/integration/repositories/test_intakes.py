"""Intakes in their store: claims, outcomes, progress."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.domain.errors import (
    IntakeNotFound,
)
from chalicelib.domain.idempotency import KEPT
from chalicelib.domain.intakes import (
    Chunk,
    Claim,
    ClaimLost,
    Counts,
    IntakeStatus,
    Manifest,
    RowOutcome,
)
from chalicelib.services.ports import IntakeStore
from tests.builders import NOW, visit_id
from tests.integration.repositories.stores import LATER, SECOND

if TYPE_CHECKING:
    pass


def a_manifest(**changes: Any) -> Manifest:
    return replace(Manifest(visit_id(), "partner", 50, 2, sent=False, created_at=NOW), **changes)


def a_chunk(manifest: Manifest, number: int = 0) -> Chunk:
    return Chunk(manifest.id, manifest.producer, number, (), foreign=False)


def told(*rows: int, rejected: int = 0) -> list[RowOutcome]:
    """Outcomes of rows that were booked, and of as many before them that were not."""
    refused = [RowOutcome(row, None, "rejected", problem={"status": 409}) for row in range(rejected)]
    return [*refused, *(RowOutcome(row, f"e-{row}", "created", f"visit-{row}") for row in rows)]


def test_an_intake_stands_until_it_expires_and_is_not_opened_twice(intakes: IntakeStore) -> None:
    manifest = a_manifest()
    id = manifest.id
    with pytest.raises(IntakeNotFound):
        intakes.get(id, NOW)
    assert intakes.open(manifest) == manifest
    assert intakes.open(replace(manifest, rows=1, created_at=NOW + KEPT - SECOND)) == manifest
    assert intakes.get(id, NOW + KEPT - SECOND) == manifest
    for look in (intakes.get, intakes.progress):
        with pytest.raises(IntakeNotFound) as refused:
            look(id, NOW + KEPT)
        assert refused.value.intake_id == id
    intakes.mark_sent(id)
    assert intakes.progress(id, NOW).manifest == replace(manifest, sent=True)
    anew = replace(manifest, rows=1, created_at=NOW + KEPT)
    assert intakes.open(anew) == anew
    assert intakes.get(id, NOW + KEPT) == anew


def test_a_chunk_is_one_workers_until_its_claim_has_run_out_or_was_given_back(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    chunk = a_chunk(manifest)
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "b", LATER, LATER) is Claim.ELSEWHERE
    assert intakes.claim(a_chunk(manifest, 1), manifest, "b", NOW, LATER) is Claim.GRANTED
    assert intakes.claim(chunk, manifest, "b", LATER + SECOND, LATER + SECOND) is Claim.GRANTED
    with pytest.raises(ClaimLost):
        intakes.release(chunk, "a")
    with pytest.raises(ClaimLost):
        intakes.finish(chunk, manifest, "a", told(0))
    intakes.release(chunk, "b")
    assert intakes.claim(chunk, manifest, "a", NOW, LATER) is Claim.GRANTED
    assert intakes.progress(manifest.id, NOW).status is IntakeStatus.QUEUED


def test_what_became_of_a_chunk_is_told_once_it_is_finished(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    first, second = a_chunk(manifest), a_chunk(manifest, 1)
    intakes.claim(second, manifest, "a", NOW, LATER)
    assert intakes.outcomes(manifest.id, None, 10).items == []
    intakes.finish(second, manifest, "a", told(25, 26, 27))
    assert intakes.claim(second, manifest, "b", LATER + SECOND, LATER + SECOND) is Claim.FINISHED
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.RUNNING, Counts(50, 3, 0, 0))
    intakes.claim(first, manifest, "b", NOW, LATER)
    intakes.finish(first, manifest, "b", told(2, 3, rejected=2))
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.DONE, Counts(50, 5, 0, 2))
    everything = [*told(2, 3, rejected=2), *told(25, 26, 27)]
    for limit in (1, 3, 7, 10):
        found: list[RowOutcome] = []
        after: str | None = None
        while True:
            page = intakes.outcomes(manifest.id, after, limit)
            assert len(page.items) <= limit
            found += page.items
            if page.next is None:
                break
            after = page.next
        assert found == everything


def test_a_chunk_is_given_up_unless_it_is_finished(intakes: IntakeStore) -> None:
    manifest = intakes.open(a_manifest())
    first, second = a_chunk(manifest), a_chunk(manifest, 1)
    for chunk in (first, second):
        intakes.claim(chunk, manifest, "a", NOW, LATER)
    intakes.finish(first, manifest, "a", told(0))
    with pytest.raises(ClaimLost):
        intakes.give_up(first, manifest, "b", told(rejected=1))
    with pytest.raises(ClaimLost):
        intakes.give_up(second, manifest, "b", told(rejected=1))
    intakes.give_up(second, manifest, "a", told(rejected=2))
    with pytest.raises(ClaimLost):
        intakes.finish(second, manifest, "b", told(25))
    progress = intakes.progress(manifest.id, NOW)
    assert (progress.status, progress.counts) == (IntakeStatus.FAILED, Counts(50, 1, 0, 2))
    assert intakes.outcomes(manifest.id, None, 10).items == [*told(0), *told(rejected=2)]
