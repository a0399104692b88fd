"""From a history that fails to the shortest that still does: without steps, troubles and pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.simulation.clients import Simulation, stage
from tests.simulation.history import Kind, Step, draw
from tests.simulation.store import Trouble
from tests.simulation.world import Violated

MOST_RUNS: Final = 600


@dataclass(frozen=True)
class Failure:
    """What did not hold, and the history in which it did not."""

    seed: int
    steps: Sequence[Step]
    why: str
    history: Sequence[str]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {len(self.steps)} steps: {self.why}", *self.history]
        return "\n".join(lines)


def played(seed: int, steps: Sequence[Step]) -> Failure | None:
    simulation = Simulation(seed)
    try:
        simulation.play(steps)
    except (Violated, Exception) as failure:
        why = str(failure) if isinstance(failure, Violated) else repr(failure)
        return Failure(seed, steps, why, simulation.world.history)
    return None


def first_failure(seeds: Sequence[int], steps: int, without: Sequence[Kind | Trouble] = ()) -> Failure | None:
    """The first of the seeds whose history fails, as short as it can be."""
    failure = found(seeds, steps, without)
    if failure is None:
        return None
    with stage():
        return shrunk(failure)


def found(seeds: Sequence[int], steps: int, without: Sequence[Kind | Trouble] = ()) -> Failure | None:
    """The first of the seeds whose history fails, in full length."""
    with stage():
        failures = (played(seed, draw(seed, steps, without)) for seed in seeds)
        return next((failure for failure in failures if failure is not None), None)


def shrunk(failure: Failure) -> Failure:
    """Delta debugging (Zeller): leaves out ever smaller parts while what is left still fails."""
    runs = 0

    def fails(steps: Sequence[Step]) -> Failure | None:
        nonlocal runs
        runs += 1
        return played(failure.seed, steps) if runs <= MOST_RUNS else None

    part = len(failure.steps) // 2
    while part:
        at = 0
        while at < len(failure.steps):
            shorter = fails([*failure.steps[:at], *failure.steps[at + part :]])
            if shorter is None:
                at += part
            else:
                failure = shorter
        part //= 2
    for at in range(len(failure.steps)):
        for simpler in _simpler(failure.steps[at]):
            failure = fails([*failure.steps[:at], simpler, *failure.steps[at + 1 :]]) or failure
    return failure


def _simpler(step: Step) -> Iterator[Step]:
    if step.wrong is not None:
        yield replace(step, wrong=None)
    if step.unheard:
        yield replace(step, unheard=False)
    if step.pause is not None:
        yield replace(step, pause=None)
