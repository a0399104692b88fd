"""The engine: rivals that do the same work take turns in one run, and what counts is the ratio between them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median
from typing import Any, Final

from bench.builds import BARE, PEERS
from tools.project import ROOT

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Scale:
    """How much is measured, and by which program instructions are counted, if there is one."""

    peers: Sequence[str]
    turns: int
    requests: int
    """Of a turn; half as many come before the first."""
    messages: int
    """Of a batch."""
    visits: Sequence[int]
    exported: int
    spike_seconds: float
    spike_warm_up: int
    spike_picture: str
    delivered: int
    patience_seconds: float
    """After so many a delivery is given up."""
    counter: str | None


FULL: Final = Scale(
    peers=PEERS,
    turns=15,
    requests=60,
    messages=10,
    visits=(1_000, 10_000, 100_000),
    exported=10_000,
    spike_seconds=6,
    spike_warm_up=1_500,
    spike_picture=str(ROOT / "docs" / "spike.png"),
    delivered=10_000,
    patience_seconds=3600,
    counter="valgrind",
)
QUICK: Final = Scale(
    peers=(BARE,),
    turns=1,
    requests=2,
    messages=1,
    visits=(100, 300),
    exported=100,
    spike_seconds=0.1,
    spike_warm_up=100,
    spike_picture=os.devnull,
    delivered=30,
    patience_seconds=180,
    counter=None,
)


@dataclass(frozen=True)
class Row:
    """One thing to measure: for each rival how to do it once, saying what it took; and whom to compare with."""

    name: str
    rivals: Mapping[str, Callable[[], Figures]]
    baseline: str | None
    turns: int = 1

    def measured(self) -> Iterator[Measured]:
        """Medians over the turns. The order changes with every turn, and each is compared with the same turn."""
        names = list(self.rivals)
        taken: dict[str, list[Figures]] = {name: [] for name in names}
        for turn in range(self.turns):
            for place in range(len(names)):
                name = names[(place + turn) % len(names)]
                taken[name].append(self.rivals[name]())
        for name, found in taken.items():
            for figure in found[0]:
                values = [each[figure] for each in found]
                base = [each[figure] for each in taken[self.baseline]] if self.baseline else None
                yield Measured(self.name, name, figure, median(values), _ratio(values, base) if base else None)


def _ratio(values: Sequence[float], base: Sequence[float]) -> float:
    # Nothing against nothing is the same; something against nothing is not.
    return median((a / b if b else 1 + a) for a, b in zip(values, base, strict=True))


@dataclass(frozen=True)
class Measured:
    """A figure of a rival in a row, and its ratio to the baseline's."""

    row: str
    rival: str
    figure: str
    value: float
    ratio: float | None


@dataclass(frozen=True)
class Question:
    """What was measured and how, and rows that answer it: made one by one, so what a row needs lives while it runs."""

    title: str
    how: str
    rows: Callable[[Scale], Iterator[Row]]


def alone(work: Callable[..., Any], *arguments: object) -> Any:
    """Does it in a new process: its memory, environment and caches are its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()
