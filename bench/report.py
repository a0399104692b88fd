"""What a benchmark says: one question with its table, its plot and its figures, and the pages made of all of them.

A module that answers a question has `measure(quick: bool) -> Question`. Quick shows that it runs, in seconds; what it
then says is no result.
"""

from __future__ import annotations

import json
import math
import operator
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final


@dataclass(frozen=True)
class Row:
    """One figure of `bench/results.json`: a ratio of things measured side by side, or a count that repeats."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Bars:
    """The plot of a question: for every label one bar of each series."""

    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    unit: str


@dataclass(frozen=True)
class Question:
    """What was asked, how it was found out, and the answer."""

    name: str
    """A short one: the name of the module and of the plot's file."""
    title: str
    how: str
    """A paragraph or two: what was measured and how, so that a reader can judge it and do it again."""
    header: Sequence[str]
    table: Sequence[Sequence[str]]
    bars: Bars
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())
    """What the table does not say: what was left out, and why."""


@dataclass(frozen=True)
class Target:
    """What a figure must be: `at most` or `at least` a limit, and what would be better still."""

    row: str
    what: str
    bound: str
    limit: float
    stretch: float | None = None

    def met_by(self, value: float) -> str:
        better: Callable[[float, float], bool] = {"at most": operator.le, "at least": operator.ge}[self.bound]
        if not better(value, self.limit):
            return "missed"
        return "met, stretch too" if self.stretch is not None and better(value, self.stretch) else "met"


TARGETS: Final = (
    Target("cold_vs_bare", "cold start to first answer, instructions against the bare handler", "at most", 1.05, 0.8),
    Target("book_cpu_vs_bare", "warm CPU of a booking against the bare handler", "at most", 0.95, 0.6),
    Target("get_cpu_vs_bare", "warm CPU of a read against the bare handler", "at most", 0.95, 0.6),
    Target("worker_rows_vs_sequential_5ms", "worker's rows per second against one at a time, 5 ms", "at least", 5),
    Target("worker_write_units_vs_booking", "write units of a row against the booking formula", "at most", 1),
    Target("growth_calls_and_units_changed", "calls whose price changes with the size of the table", "at most", 0),
    Target("zip_bytes", "the zip with everything that the API needs, in bytes", "at most", 6_000_000),
)


def write_report(folder: Path, questions: Sequence[Question], command: str, quick: bool) -> None:
    """Writes results.md, results.json and a plot for every question."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for question in questions for row in question.rows]
    for question in questions:
        _draw(folder / f"{question.name}.svg", question.title, question.bars)
    document = {"rows": [{"name": row.name, "value": _exact(row.value), "unit": row.unit} for row in rows]}
    (folder / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    page = "\n".join(_page(questions, rows, command, quick))
    (folder / "results.md").write_text(page + "\n", encoding="utf-8")


def _page(questions: Sequence[Question], rows: Sequence[Row], command: str, quick: bool) -> Iterable[str]:
    yield "# What it costs"
    yield ""
    if quick:
        yield "**A quick run: it shows that the benchmark runs, its figures mean nothing.**"
        yield ""
    yield "Every figure is a ratio of things that were measured side by side in this run, or a count that repeats; what"
    yield "follows from them, and what was tried and rejected, is in [docs/performance.md](../docs/performance.md)."
    yield ""
    yield from _table(("what", "it is"), _circumstances(command))
    yield "## What it must show"
    yield ""
    values = {row.name: row for row in rows}
    lines = []
    for target in TARGETS:
        row = values.get(target.row)
        limit = f"{target.bound} {_shown(target.limit)}"
        limit += f" (stretch {_shown(target.stretch)})" if target.stretch is not None else ""
        measured = (_shown(row.value), target.met_by(row.value)) if row else ("not measured", "")
        lines.append((f"`{target.row}`", target.what, limit, *measured))
    yield from _table(("row", "what", "target", "measured", ""), lines)
    for question in questions:
        yield f"## {question.title}"
        yield ""
        yield question.how
        yield ""
        yield from _table(question.header, question.table)
        for note in question.notes:
            yield f"- {note}"
        if question.notes:
            yield ""
        yield f"![{question.title}]({question.name}.svg)"
        yield ""


def _circumstances(command: str) -> Sequence[tuple[str, str]]:
    libraries = ("boto3", "botocore", "pydantic", "chalice")
    return [
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("machine", _machine()),
        ("Python", platform.python_version()),
        ("libraries", ", ".join(f"{name} {version(name)}" for name in libraries)),
        ("command", f"`{command}`"),
    ]


def _machine() -> str:
    """Processor, cores and system, as far as the system tells."""
    processor = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = f"{len(models)} x {models[0]}" if models else processor
    return f"{cores}, {platform.system()} {platform.machine()}"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + " --- |" * len(header)
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == math.floor(value) else f"{value:,.3f}".rstrip("0")


def _exact(value: float) -> float:
    """Whole numbers as such; ratios to three places, because more would be noise."""
    return int(value) if value == math.floor(value) else round(value, 3)


def _draw(file: Path, title: str, bars: Bars) -> None:
    # Half a second to import, and needed only at the end.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    thickness = 0.8 / len(bars.series)
    figure = Figure(figsize=(8, 1 + 0.25 * len(bars.labels) * (len(bars.series) + 1)), layout="constrained")
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(bars.series.items()):
        positions = [label + place * thickness for label in range(len(bars.labels))]
        drawn = axes.barh(positions, list(values), height=thickness, label=name)
        axes.bar_label(drawn, fmt=lambda value: f"{value:,.4g}", padding=3, fontsize=8)
    axes.set_yticks([label + 0.4 - thickness / 2 for label in range(len(bars.labels))], list(bars.labels))
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel(bars.unit)
    axes.set_title(title, fontsize=11)
    if len(bars.series) > 1:
        axes.legend(fontsize=8)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": file.stem}):
        figure.savefig(file, metadata={"Date": None})
