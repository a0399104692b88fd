"""The benchmark's report: figures as they are, and a missed target told as missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import growth
from bench.report import TARGETS, Bars, Question, Row, write_report


def question(*rows: Row) -> Question:
    bars = Bars(["bare", "ours"], {"import": [1, 2], "first answer": [3, 4]}, "ms")
    return Question("cold", "How long?", "Measured.", ("", "ms"), [("ours", "6")], bars, rows, ["A note."])


def test_a_call_that_costs_more_among_more_visits_is_counted() -> None:
    same, dearer = growth.Cost("1 Query", 1, 0), growth.Cost("1 Query", 1.5, 0)
    found = growth.question({1_000: {"list": same, "read": same}, 10_000: {"list": dearer, "read": same}}, {})
    assert {row.name: row.value for row in found.rows}["growth_calls_and_units_changed"] == 1
    assert "What changed: list." in found.notes


@pytest.mark.parametrize(
    ("row", "value", "verdict"),
    [
        ("cold_vs_bare", 1.051, "missed"),
        ("cold_vs_bare", 1.05, "met"),
        ("cold_vs_bare", 0.8, "met, stretch too"),
        ("worker_rows_vs_sequential_5ms", 4.99, "missed"),
        ("worker_rows_vs_sequential_5ms", 5.0, "met"),
        ("zip_bytes", 6_000_001, "missed"),
    ],
)
def test_a_target_is_met_or_missed_by_the_exact_figure(row: str, value: float, verdict: str) -> None:
    (target,) = (target for target in TARGETS if target.row == row)

    assert target.met_by(value) == verdict


def test_the_report_has_every_figure_and_says_what_was_not_measured(tmp_path: Path) -> None:
    rows = [Row("cold_vs_bare", 1.23456, "ratio"), Row("zip_bytes", 4_567_580, "bytes")]
    write_report(tmp_path, [question(*rows)], "make bench", quick=False)

    written = json.loads((tmp_path / "results.json").read_text())
    assert written == {
        "rows": [
            {"name": "cold_vs_bare", "value": 1.235, "unit": "ratio"},
            {"name": "zip_bytes", "value": 4567580, "unit": "bytes"},
        ]
    }
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    (missed,) = (line for line in page.splitlines() if line.startswith("| `cold_vs_bare`"))
    assert missed.endswith("| at most 1.05 (stretch 0.8) | 1.235 | missed |")
    (unmeasured,) = (line for line in page.splitlines() if line.startswith("| `get_cpu_vs_bare`"))
    assert "not measured" in unmeasured
    for part in ("| ours | 6 |", "- A note.", "![How long?](cold.svg)", "`make bench`"):
        assert part in page
    assert (tmp_path / "cold.svg").read_text(encoding="utf-8").startswith("<?xml")
