"""`make bench`: answers every question, or those that are named in one run, prints the report and writes it."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import deliveries, embedded, exports, requests
from bench.report import Found, page
from bench.rows import FULL, QUICK, Question, Row, Scale
from tools.failure import CannotGoOn
from tools.project import ROOT

OK, FAILED = 0, 2

QUESTIONS: Final[Mapping[str, Question]] = {
    "cold": requests.COLD,
    "warm": requests.WARM,
    "slots": requests.SLOTS,
    "intake": requests.INTAKE,
    "growth": embedded.GROWTH,
    "exports": exports.EXPORTS,
    "package": requests.PACKAGE,
    "spike": embedded.SPIKE,
    "deliveries": deliveries.DELIVERIES,
}


def answered(names: Sequence[str], scale: Scale) -> Found:
    return {name: [one for row in _told(name, scale) for one in row.measured()] for name in names}


def _told(name: str, scale: Scale) -> Iterator[Row]:
    for row in QUESTIONS[name].rows(scale):
        print(f"{name}: {row.name} ...", file=sys.stderr, flush=True)
        yield row


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", help=f"{', '.join(QUESTIONS)}: all unless named")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results.md", help="where the report goes")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.questions) - QUESTIONS.keys()):
        parser.error(f"{', '.join(unknown)}: none of {', '.join(QUESTIONS)}")
    scale = QUICK if given.quick else replace(FULL, counter=shutil.which(FULL.counter or ""))
    command = f'make bench ONLY="{" ".join(given.questions)}"' if given.questions else "make bench"
    command += " QUICK=1 (these figures mean nothing)" if given.quick else ""
    try:
        found = answered(given.questions or list(QUESTIONS), scale)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return FAILED
    report = page(found, QUESTIONS, command)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(report, encoding="utf-8")
    print(report)
    return OK


if __name__ == "__main__":
    sys.exit(main())
