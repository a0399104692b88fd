"""The benchmark's engine and report: ratios of the same turn, and a missed target told as missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.report import TARGETS, page
from bench.rows import Figures, Measured, Question, Row
from tools.failure import CannotGoOn


def rival(name: str, took: list[float], order: list[str]) -> Callable[[], Figures]:
    left = iter(took)

    def measure() -> Figures:
        order.append(name)
        return {"ms": next(left)}

    return measure


def test_rivals_take_turns_and_are_compared_with_the_same_turn() -> None:
    """A machine that gets slower during the run makes both slower, and leaves the ratio alone."""
    order: list[str] = []
    row = Row(
        "book", {"bare": rival("bare", [1, 10, 100], order), "ours": rival("ours", [2, 20, 200], order)}, "bare", 3
    )

    assert list(row.measured()) == [Measured("book", "bare", "ms", 10, 1), Measured("book", "ours", "ms", 20, 2)]
    assert order == ["bare", "ours", "ours", "bare", "bare", "ours"]


def test_something_against_nothing_is_more() -> None:
    row = Row("list", {"few": lambda: {"read": 0}, "many": lambda: {"read": 3}, "more": lambda: {"read": 0}}, "few")

    assert [one.ratio for one in row.measured()] == [1, 4, 1]


def test_what_has_no_baseline_is_not_compared() -> None:
    assert [one.ratio for one in Row("spike", {"worker": lambda: {"lost": 0}}, None).measured()] == [None]


def nothing(scale: object) -> Iterator[Row]:
    yield from ()


QUESTIONS = {name: Question(f"About {name}", "Measured.", nothing) for name in ("cold", "growth", "intake", "package")}


@pytest.mark.parametrize(
    ("question", "measured", "verdict"),
    [
        ("cold", Measured("work", "ours", "both, M instructions", 1500, 0.901), "at most 0.9 | 0.901 | **missed** |"),
        ("cold", Measured("work", "ours", "both, M instructions", 1500, 0.9), "at most 0.9 | 0.9 | met |"),
        ("intake", Measured("at 5 ms", "worker", "rows/s", 600, 4.99), "at least 5 | 4.99 | **missed** |"),
        (
            "package",
            Measured("package", "ours", "zip, KB", 12_000.001, None),
            "at most 12,000 | 12,000.001 | **missed** |",
        ),
        ("growth", Measured("list", "900 visits", "calls", 3, 1.5), "at most 1 | 1.5 | **missed** |"),
    ],
)
def test_a_target_is_met_or_missed_by_the_exact_figure(question: str, measured: Measured, verdict: str) -> None:
    fine = Measured("any", "bare", "calls", 1, 1)
    shown = page({question: [fine, measured, fine]}, QUESTIONS, "make bench")

    lines = [line for line in shown.splitlines() if "at most" in line or "at least" in line]
    assert len(lines) == len(TARGETS)
    assert [line for line in lines if "not measured" not in line] == [line for line in lines if line.endswith(verdict)]
    assert sum(line.endswith(verdict) for line in lines) == 1


def test_what_stops_the_benchmark_is_one_sentence_and_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(scale: object) -> Iterator[Row]:
        raise CannotGoOn("The stack cannot be made.")

    monkeypatch.setattr("bench.__main__.QUESTIONS", {"cold": Question("About cold", "Measured.", rows)})
    out = tmp_path / "results.md"
    assert main(["--out", str(out), "cold"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "The stack cannot be made."
    assert not out.exists()


def test_the_report_has_a_table_for_each_set_of_rivals() -> None:
    found = [
        Measured("time", "bare", "CPU ms", 0.5, 1),
        Measured("time", "ours", "CPU ms", 1234.5, 2469),
        Measured("work", "ours", "instructions", 7, None),
    ]
    shown = page({"cold": found}, QUESTIONS, "make bench ONLY=cold")

    assert "`make bench ONLY=cold`" in shown
    assert "## About cold\n\nMeasured.\n" in shown
    assert "|  | bare | ours |\n| --- | --- | --- |\n| time: CPU ms | 0.5 (1.00) | 1,234 (2469.00) |\n" in shown
    assert "|  | ours |\n| --- | --- |\n| work: instructions | 7 |\n" in shown
