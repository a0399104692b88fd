"""Ten thousand visits written in every format: time, peak memory and size, as ratios against CSV.

`python -m bench.exports` prints a table; the last lines are peers that do the same work with a general library. Each
writer has a process of its own, so that its peak is its own, and the visits come one by one, as from the store.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import icalendar
from openpyxl import Workbook

from chalicelib.domain.listing import Entry
from chalicelib.domain.properties import PropertyDetails
from chalicelib.domain.visits import Cancellation, Status, Visit, Visitor
from chalicelib.exports.csv import write_csv
from chalicelib.exports.ics import write_ics
from chalicelib.exports.xlsx import COLUMNS, write_xlsx

ROWS = 10_000
ROUNDS = 3
BEGIN = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Result:
    seconds: float
    peak_bytes: int
    size: int


def entries(rows: int) -> Iterator[Entry]:
    """Visits as they are, of 200 properties."""
    houses = [
        PropertyDetails(f"House {n}", f"Lindenstraße {n}, 10969 Berlin", Decimal(n), "EUR", "Europe/Berlin")
        for n in range(200)
    ]
    return (Entry(visit, houses[n % 200]) for n, visit in enumerate(visits(rows)))


def visits(rows: int) -> Iterator[Visit]:
    """No two alike, every third with notes."""
    statuses = list(Status)
    for n in range(rows):
        status = statuses[n % len(statuses)]
        yield Visit(
            id=f"01956a3c-{n:04x}-7000-8000-{n:012x}",
            property_id=f"01956a3b-0000-7000-8000-{n % 200:012x}",
            date=BEGIN + timedelta(minutes=15 * n),
            duration_minutes=30,
            time_zone="Europe/Berlin",
            place=f"Lindenstraße {n % 200}, 10969 Berlin",
            status=status,
            agent_id=f"agent-{n % 12}",
            visitor=Visitor(f"Visitor Numbér {n}", f"visitor{n}@example.com", f"+49 30 {n:07}"),
            notes=f"Rings twice, asks for the cellar and flat {n}." if n % 3 == 0 else None,
            cancellation=Cancellation("moved away", BEGIN) if status is Status.CANCELLED else None,
            version=1 + n % 3,
            created_at=BEGIN,
            updated_at=BEGIN + timedelta(seconds=n),
        )


def by_icalendar(found: Iterable[Entry]) -> Iterable[bytes]:
    calendar = icalendar.Calendar()
    for visit in (entry.visit for entry in found):
        event = icalendar.Event()
        event.add("uid", visit.id)
        event.add("dtstamp", visit.updated_at)
        event.add("dtstart", visit.date)
        event.add("dtend", visit.date + timedelta(minutes=visit.duration_minutes))
        event.add("sequence", visit.version)
        event.add("status", "CONFIRMED")
        event.add("summary", visit.visitor.name if visit.visitor else "")
        event.add("location", visit.place)
        event.add("description", visit.notes or "")
        calendar.add_component(event)
    yield calendar.to_ical()


def by_openpyxl(found: Iterable[Entry]) -> Iterable[bytes]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Visits")
    sheet.append([name for name, *_ in COLUMNS])
    for visit, house in ((entry.visit, entry.details) for entry in found):
        start, who = visit.date.replace(tzinfo=None), visit.visitor
        where = (house.name, house.address, visit.place) if house else (None, None, visit.place)
        contact = (who.name, who.email, who.phone) if who else (None, None, None)
        times = (start, start, visit.time_zone, start, visit.duration_minutes, str(visit.status))
        rest = (visit.notes, visit.agent_id, visit.property_id, None, None, visit.id, visit.version, start, start)
        sheet.append([*times, *where, *contact, *rest])
    file = io.BytesIO()
    book.save(file)
    yield file.getvalue()


WRITERS: dict[str, Callable[[Iterable[Entry]], Iterable[bytes]]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "ics": write_ics,
    "xlsx by openpyxl": by_openpyxl,
    "ics by icalendar": by_icalendar,
}


def measure(name: str) -> Result:
    """In a new process: the best time of some rounds, and by how much the peak of its memory grew in them."""
    write = WRITERS[name]
    for _ in write(entries(1)):  # imports and caches
        pass
    before = _peak()
    seconds, size = [], 0
    for _ in range(ROUNDS):
        started = time.process_time()
        size = len(b"".join(write(entries(ROWS))))
        seconds.append(time.process_time() - started)
    return Result(min(seconds), _peak() - before, size)


def _peak() -> int:
    """The most memory this process has had. Not getrusage's, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main() -> None:
    results = {}
    for name in WRITERS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            results[name] = alone.submit(measure, name).result()
    base = results["csv"]
    print(f"{ROWS:,} visits           CPU s   x csv   peak MB   x csv   size MB   x csv")
    for name, result in results.items():
        pairs = (
            (result.seconds, base.seconds),
            (result.peak_bytes / 1e6, base.peak_bytes / 1e6),
            (result.size / 1e6, base.size / 1e6),
        )
        print(f"{name:20}" + "".join(f"{value:8.2f}{value / max(other, 0.01):8.1f}x" for value, other in pairs))


if __name__ == "__main__":
    main()
