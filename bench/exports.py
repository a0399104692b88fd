"""What an export costs: visits through every writer, against the plainest format."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.rows import Figures, Question, Row, Scale, alone
from bench.samples import HOUSE, NOW, visits
from chalicelib.domain.listing import Entry
from chalicelib.domain.visits import Status, Visitor
from chalicelib.exports.csv import write_csv
from chalicelib.exports.ics import write_ics
from chalicelib.exports.xlsx import write_xlsx

WRITERS: Final[Mapping[str, Callable[[Iterable[Entry]], Iterable[bytes]]]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "ics": write_ics,
}


def rows(scale: Scale) -> Iterator[Row]:
    writers = {name: partial(alone, written, name, scale.exported) for name in WRITERS}
    yield Row("export", writers, "csv", min(3, scale.turns))


def entries(count: int) -> Iterator[Entry]:
    """Visits of 200 properties, no two alike, every third with notes."""
    houses = [replace(HOUSE, name=f"House {n}", address=f"Lindenstraße {n}", price=Decimal(n)) for n in range(200)]
    for n, visit in enumerate(visits(count)):
        own: dict[str, Any] = {
            "status": list(Status)[n % len(Status)],
            "agent_id": f"agent-{n % 12}",
            "visitor": Visitor(f"Visitor Numbér {n}", f"visitor{n}@example.com", f"+49 30 {n:07}"),
            "notes": f"Rings twice, asks for the cellar and flat {n}." if n % 3 == 0 else None,
            "updated_at": NOW + timedelta(seconds=n),
        }
        yield Entry(replace(visit, place=houses[n % 200].address, **own), houses[n % 200])


def written(name: str, count: int) -> Figures:
    """In a new process: the time, by how much the peak of its memory grew, and the size of the file."""
    write = WRITERS[name]
    for _ in write(entries(1)):  # imports and caches
        pass
    before, started = _peak(), time.process_time()
    size = len(b"".join(write(entries(count))))
    return {"CPU s": time.process_time() - started, "peak MB": (_peak() - before) / 1e6, "file MB": size / 1e6}


def _peak() -> int:
    """The most memory this process has had. Not getrusage's, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


EXPORTS: Final = Question(
    "What does an export cost?",
    "Ten thousand visits, one by one as from the store, through each writer in a fresh process, whose peak grows.",
    rows,
)
