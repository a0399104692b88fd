"""How long is a cold start: from a fresh process to the first booking, as Lambda loads a package."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.builds import BARE, OURS, PLAIN_PEERS, Contender, Instance, instance, ours, peer
from bench.report import Bars, Question, Row
from bench.stand_in import StandIn, stand_in
from bench.traffic import BOOK

ROUNDS: Final = 15
QUICK_ROUNDS: Final = 1

COUNTER: Final = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
COUNTED: Final = re.compile(r"Collected : (\d+)")

HOW: Final = """\
A fresh process of Python imports the unpacked package and answers its first `POST /visits`: boto3 comes from the
runtime's folder with its bytecode, names of AWS resolve to a stand-in that answers over TLS at once, and the
authorities to be loaded are botocore's. Instructions are those of the whole process from its very start (callgrind,
fixed hashes): they repeat to a thousandth. Times are CPU milliseconds of the import and of the first answer, medians of
fresh processes of all contenders in turn. Peers are packaged as their users do, without bytecode, and once more with
bytecode made as ours is: `cold_vs_bare` is against the bare handler as it is packaged, `cold_vs_bare_with_bytecode`
against the same at its best."""


@dataclass(frozen=True)
class Cold:
    """A contender's cold start: CPU in milliseconds, and instructions where they were counted."""

    import_ms: float
    first_ms: float
    import_instructions: int = 0
    instructions: int = 0


def measure(quick: bool) -> Question:
    contenders = [ours(), peer(BARE), peer(BARE, bytecode=True)]
    if not quick:
        contenders += [peer(name, bytecode) for name in PLAIN_PEERS if name != BARE for bytecode in (False, True)]
    with stand_in() as store:
        times = _times(contenders, store, QUICK_ROUNDS if quick else ROUNDS)
        counted = shutil.which(COUNTER[0]) is not None and not quick
        found = [Cold(*taken) for taken in times]
        if counted:
            # Side by side: a count does not mind what else the machine does.
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                counts = pool.map(lambda contender: _instructions(contender, store), contenders)
            found = [Cold(*taken, *count) for taken, count in zip(times, counts, strict=True)]
    return _question(contenders, found, counted)


def _times(contenders: Sequence[Contender], store: StandIn, rounds: int) -> list[tuple[float, float]]:
    taken: list[list[tuple[float, float]]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, ours_taken in zip(contenders, taken, strict=True):
            with instance(contender, store) as fresh:
                loaded, called = fresh.load(), fresh.call(BOOK)
                assert called.result["statusCode"] == 201, called.result
                ours_taken.append((loaded.cpu_ns / 1e6, called.cpu_ns / 1e6))
    return [(median(load for load, _ in each), median(call for _, call in each)) for each in taken]


def _instructions(contender: Contender, store: StandIn) -> tuple[int, int]:
    """Up to the end of the import, and up to the first answer."""
    imported = Instance(contender, store, under=COUNTER)
    imported.load()
    answered = Instance(contender, store, under=COUNTER)
    answered.load()
    result = answered.call(BOOK).result
    assert result["statusCode"] == 201, result
    return _counted(imported.end()), _counted(answered.end())


def _counted(said: str) -> int:
    found = COUNTED.search(said)
    assert found, said
    return int(found[1])


def _question(contenders: Sequence[Contender], found: Sequence[Cold], counted: bool) -> Question:
    by_name = {(contender.name, contender.bytecode): cold for contender, cold in zip(contenders, found, strict=True)}
    bare = by_name[BARE, False]
    table, rows = [], []
    for (name, bytecode), contender, cold in zip(by_name, contenders, found, strict=True):
        total = cold.import_ms + cold.first_ms
        time_ratio = total / (bare.import_ms + bare.first_ms)
        line = [contender.title, f"{cold.import_ms:.0f}", f"{cold.first_ms:.0f}", f"{total:.0f}", f"{time_ratio:.2f}"]
        suffix = "_with_bytecode" if bytecode and name != OURS else ""
        row = ("" if name == OURS else f"{name}_") + f"cold{suffix}"
        if counted:
            ratio = cold.instructions / bare.instructions
            first = cold.instructions - cold.import_instructions
            line += [f"{cold.import_instructions / 1e6:,.0f}", f"{first / 1e6:,.0f}", f"{cold.instructions / 1e6:,.0f}"]
            line += [f"{ratio:.3f}"]
            rows.append(Row(f"{row}_vs_bare", ratio, "ratio of instructions"))
            rows.append(Row(f"{row}_instructions", cold.instructions, "instructions"))
        rows.append(Row(f"{row}_cpu_vs_bare", time_ratio, "ratio of CPU time"))
        table.append(line)
    header = ["", "import, CPU ms", "first answer, CPU ms", "both", "x bare"]
    notes = []
    if counted:
        header += ["start and import, M instr.", "first answer, M instr.", "both", "x bare"]
        with_bytecode = by_name[BARE, True].instructions
        ratio = by_name[OURS, True].instructions / with_bytecode
        rows.append(Row("cold_vs_bare_with_bytecode", ratio, "ratio of instructions"))
    else:
        notes.append("Instructions were not counted: that needs valgrind (`apt-get install valgrind`).")
    return Question(
        name="cold",
        title="How long is a cold start?",
        how=HOW,
        header=header,
        table=table,
        bars=Bars(
            [contender.title for contender in contenders],
            {"import": [cold.import_ms for cold in found], "first answer": [cold.first_ms for cold in found]},
            "CPU ms",
        ),
        rows=rows,
        notes=notes,
    )
