"""What was found: what it must be, and a table for every question."""

from __future__ import annotations

import operator
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from bench.rows import Measured, Question

Found = Mapping[str, Sequence[Measured]]  # by the name of the question

BOUNDS: Final = {"at most": (operator.le, max), "at least": (operator.ge, min)}


@dataclass(frozen=True)
class Target:
    """What a ratio must be, or a figure where nothing is compared; `where` is a row, a rival and a figure, or any."""

    what: str
    question: str
    where: tuple[str, str, str] | None
    bound: str
    limit: float

    def line(self, found: Found) -> Sequence[str]:
        """With the worst of what was measured."""
        every = found.get(self.question, ())
        fitting = [one for one in every if self.where in (None, (one.row, one.rival, one.figure))]
        values = [one.value if one.ratio is None else one.ratio for one in fitting]
        keeps, worst = BOUNDS[self.bound]
        shown = f"{worst(values):,.3f}".rstrip("0").rstrip(".") if values else ""
        verdict = "not measured" if not values else "met" if keeps(worst(values), self.limit) else "**missed**"
        return self.what, f"{self.bound} {self.limit:,g}", shown, verdict


COLD: Final = ("work", "ours", "both, M instructions")
RESTORED: Final = ("first answer of what is loaded", "ours, restored", "CPU ms")
TARGETS: Final = (
    Target("instructions of a cold start against the bare handler's", "cold", COLD, "at most", 0.9),
    Target(
        "CPU of the first answer after a restore against the bare handler's first", "cold", RESTORED, "at most", 0.35
    ),
    Target("CPU of a booking against the bare handler's", "warm", ("book", "ours", "CPU ms"), "at most", 0.62),
    Target("CPU of a read against the bare handler's", "warm", ("read", "ours", "CPU ms"), "at most", 0.62),
    Target("CPU of a week of slots against reading a visit", "slots", ("read", "a week", "CPU ms"), "at most", 3),
    # 40 ms where reading a visit takes 1.1.
    Target("CPU of 31 days of slots against reading a visit", "slots", ("read", "31 days", "CPU ms"), "at most", 36),
    Target("worker's rows a second against single puts", "intake", ("at 5 ms", "worker", "rows/s"), "at least", 5),
    Target("what any call asks of the store in a larger table", "growth", None, "at most", 1),
    Target("the zip, in KB", "package", ("package", "ours", "zip, KB"), "at most", 12_000),
    Target("rows lost in a spike", "spike", ("spike", "worker", "lost"), "at most", 0),
    Target("rows booked twice in a spike", "spike", ("spike", "worker", "doubled"), "at most", 0),
    Target("events lost on the way", "deliveries", ("deliveries", "beside a dead one", "lost"), "at most", 0),
    Target("visits told out of order", "deliveries", ("deliveries", "beside a dead one", "out of order"), "at most", 0),
)


def page(found: Found, questions: Mapping[str, Question], command: str) -> str:
    return "\n".join(_lines(found, questions, command)) + "\n"


def _lines(found: Found, questions: Mapping[str, Question], command: str) -> Iterator[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("boto3", "pydantic", "chalice"))
    yield f"""\
# What it costs

A figure is the median of turns in this run; in brackets is the median ratio to the baseline, whose own is 1.00. What
follows, and what was tried, is in [docs/performance.md](../docs/performance.md).

`{command}`, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {libraries}.
"""
    yield from _table(("it must show", "target", "measured", ""), (target.line(found) for target in TARGETS))
    for name, figures in found.items():
        yield f"## {questions[name].title}\n\n{questions[name].how}\n"
        yield from _compared(figures)


def _compared(found: Sequence[Measured]) -> Iterator[str]:
    """A table for each set of rivals, who are its columns."""
    cells: dict[str, dict[str, str]] = {}
    for one in found:
        cells.setdefault(f"{one.row}: {one.figure}", {})[one.rival] = _cell(one)
    for rivals in dict.fromkeys(map(tuple, cells.values())):
        lines = [(name, *line.values()) for name, line in cells.items() if tuple(line) == rivals]
        yield from _table(("", *rivals), lines)


def _cell(one: Measured) -> str:
    value = f"{one.value:,.0f}" if one.value >= 100 or one.value == int(one.value) else f"{one.value:.3g}"
    return value if one.ratio is None else f"{value} ({one.ratio:.2f})"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + " --- |" * len(header)
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""
