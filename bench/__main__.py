"""`make bench`: measures every question, or those that are named, and writes the report beside this file.

    python -m bench [--quick] [--out FOLDER] [QUESTION ...]

What is to be compared is measured in one run, so the figures of two runs are never mixed: naming questions writes a
report of these alone.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.report import Question, write_report
from tools.failure import CannotGoOn

QUESTIONS: Final = ("cold", "warm", "intake", "growth", "package")


def measured(name: str, quick: bool) -> Question:
    measure: Callable[[bool], Question] = importlib.import_module(f"bench.{name}").measure
    print(f"{name} ...", file=sys.stderr, flush=True)
    return measure(quick)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", type=_question, help=f"{', '.join(QUESTIONS)}: all unless named")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where the report goes")
    given = parser.parse_args(arguments)
    questions = [measured(name, given.quick) for name in given.questions or QUESTIONS]
    asked = [f'ONLY="{" ".join(given.questions)}"'] if given.questions else []
    command = " ".join(["make bench", *asked, *(["QUICK=1"] if given.quick else [])])
    write_report(given.out, questions, command, given.quick)
    print(f"The report is in {given.out / 'results.md'}.", file=sys.stderr)


def _question(name: str) -> str:
    if name not in QUESTIONS:
        raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(QUESTIONS)}")
    return name


if __name__ == "__main__":
    try:
        main()
    except CannotGoOn as why:
        sys.exit(str(why))
