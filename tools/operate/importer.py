"""`make import FILE=visits.csv`: hands a file of visits in, watches until all are worked off, says what was rejected.

It ends with
0 when every row is booked, now or by an earlier import;
1 when rows were rejected: those are beside the input file then, with their reasons;
2 when what it was given cannot be imported: no such file, a column that nobody knows, no such time zone;
3 when it did not work, whatever the reason: doing it again goes on where it was.

Nothing is booked twice, however the file has grown or been sorted: a row without an externalId gets one that follows
from what is in it.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from tqdm import tqdm

from chalicelib.http.sizes import LARGEST_BODY
from tools.client import Client
from tools.failure import CannotGoOn
from tools.operate.rows import Row, read_rows, write_rejected

MOST_ROWS: Final = 1000
MOST_BYTES: Final = LARGEST_BODY - 50_000
"""Of the rows of an intake; what is around them and between them is written in more than one way."""
WATCHED_AT_ONCE: Final = 10
PAUSE_SECONDS: Final = 1
HINT_SECONDS: Final = 20
PATIENCE_SECONDS: Final = 420
"""A batch that failed is handed out again after six minutes; a minute more, and something is wrong."""

OK, REJECTED, WRONG, FAILED = 0, 1, 2, 3


@dataclass(frozen=True)
class Batch:
    """Rows that are one intake, and the visits that are sent for them."""

    rows: tuple[Row, ...]
    visits: tuple[dict[str, Any], ...]
    key: str = field(default_factory=lambda: f"import-{uuid.uuid4()}")
    """The Idempotency-Key: of this run alone. A later run is a new intake, whose rows are known by their externalId;
    so what was rejected then gets another chance, and nothing is booked twice."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    counts: Counter[str]
    rejected: list[tuple[Row, str]]


@dataclass
class Pending:
    """An intake that is under way, and how many of its rows are known to be finished."""

    id: str
    batch: Batch
    status: str
    finished: int = 0

    @property
    def done(self) -> bool:
        return self.status in ("done", "failed")


def batches(rows: Sequence[Row]) -> Iterator[Batch]:
    """The rows in intakes of bounded count and size."""
    visits = list(_identified(rows))
    first = 0
    while first < len(rows):
        last, size = first, 0
        while last < len(rows) and last - first < MOST_ROWS:
            size += len(_canonical(visits[last])) + 1
            if size > MOST_BYTES and last > first:
                break
            last += 1
        yield Batch(tuple(rows[first:last]), tuple(visits[first:last]))
        first = last


def _identified(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The visits, each with an externalId; of equal rows without one the first is the first in any file, and so on."""
    seen: Counter[bytes] = Counter()
    for row in rows:
        if "externalId" in row.visit:
            yield row.visit
            continue
        content = hashlib.sha256(_canonical(row.visit)).digest()
        seen[content] += 1
        yield {**row.visit, "externalId": f"import-{content.hex()[:48]}-{seen[content]}"}


def import_rows(api: Client, rows: Sequence[Row], patience_seconds: float = PATIENCE_SECONDS) -> Outcome:
    """Hands all rows in and waits until they are worked off. Raises CannotGoOn when they are not, after a while."""
    with tqdm(total=len(rows), desc="visits", unit="", file=sys.stderr) as progress:
        pending = [_handed_in(api, batch) for batch in batches(rows)]
        outcome = Outcome(Counter(), [])
        still_since, hinted = time.monotonic(), False
        while True:
            # The queue keeps no order, but roughly the first come first.
            for intake in pending[:WATCHED_AT_ONCE]:
                if news := _news(api, intake):
                    progress.update(news)
                    still_since, hinted = time.monotonic(), False
                if intake.done:
                    _take_results(api, intake, outcome)
            pending = [intake for intake in pending if not intake.done]
            if not pending:
                break
            still = time.monotonic() - still_since
            if still >= patience_seconds:
                raise CannotGoOn(
                    f"Intake {pending[0].id} is {pending[0].status} without progress for {still:.0f} s: is the worker "
                    "running? Nothing is lost; run it again to continue."
                )
            if still >= HINT_SECONDS and not hinted:
                hinted = True
                progress.write(f"No progress for {still:.0f} s: is the worker running? Still waiting.", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)
    outcome.rejected.sort(key=lambda rejected: rejected[0].line)
    return outcome


def _handed_in(api: Client, batch: Batch) -> Pending:
    answer = api.send("POST", "/intakes", {"visits": batch.visits}, {"Idempotency-Key": batch.key}).json()
    return Pending(answer["id"], batch, answer["status"])


def _news(api: Client, intake: Pending) -> int:
    """How many more rows are finished by now."""
    state = api.get(f"/intakes/{intake.id}")
    finished: int = sum(state["counts"][result] for result in ("created", "duplicate", "rejected"))
    news, intake.finished, intake.status = finished - intake.finished, finished, state["status"]
    return news


def _take_results(api: Client, intake: Pending, outcome: Outcome) -> None:
    for result in api.pages(f"/intakes/{intake.id}/results", limit=100):
        outcome.counts[result["status"]] += 1
        if result["status"] == "rejected":
            outcome.rejected.append((intake.batch.rows[result["row"]], reason(result["problem"])))


def reason(problem: dict[str, Any]) -> str:
    """A problem document as one line: what is wrong with which field, or else what happened."""
    errors = problem.get("errors")
    if errors:
        return "; ".join(f"{error['pointer'].strip('#/') or 'row'}: {error['detail']}" for error in errors)
    return str(problem.get("detail") or problem.get("title"))


def check_address(url: str) -> None:
    """Raises CannotGoOn unless the API answers there."""
    try:
        local = httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=30, trust_env=not local)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise CannotGoOn(f"{url} is not the URL of an API: it must begin with http:// or https://.") from None
    except httpx.TransportError:
        raise CannotGoOn(f"No API answers at {url}: is `make run` running? Otherwise set URL=.") from None
    if answer.status_code == 503:
        return  # busy, or loading: what comes next is patient
    try:
        healthy = answer.is_success and answer.json()["status"] == "ok"
    except (ValueError, KeyError, TypeError):
        healthy = False
    if not healthy:
        raise CannotGoOn(
            f"What answers at {url} ({answer.status_code}) is not this API: does URL= include the stage's path?"
        )


def rejected_file(path: Path) -> Path:
    return path.with_suffix(".rejected.csv")


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _counts(outcome: Outcome) -> str:
    counts = outcome.counts
    return f"{counts['created']} booked, {counts['duplicate']} already booked, {counts['rejected']} rejected"


def _summary(outcome: Outcome, file: Path) -> str:
    return _counts(outcome) + (f"; the rejected rows and why are in {file}" if outcome.rejected else "")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        return _import(given)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped. Submitted rows are still processed; run it again to see the result.", file=sys.stderr)
    except Exception:
        # Left to Python it would end with 1, as if all had gone well but for some rows.
        traceback.print_exc()
        print("This is a bug in the importer. Nothing is lost; run it again to see the result.", file=sys.stderr)
    return FAILED


def _import(given: argparse.Namespace) -> int:
    try:
        rows = read_rows(given.file, given.zone)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return WRONG
    check_address(given.url)
    # The key comes by the environment: a command line is for everyone on the machine to read.
    with Client(given.url, os.environ.get("VISITS_KEY") or None) as api:
        outcome = import_rows(api, rows, given.patience)
    beside = rejected_file(given.file)
    try:
        if outcome.rejected:
            write_rejected(beside, outcome.rejected)
        else:
            beside.unlink(missing_ok=True)  # of an earlier run: none of that is true any more
    except OSError as why:
        raise CannotGoOn(f"{_counts(outcome)}, but the rejected rows could not be written: {why}.") from why
    print(_summary(outcome, beside))
    return REJECTED if outcome.rejected else OK


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make import",
        description="Imports visits from a CSV, NDJSON or XLSX file; docs/intake.md has the columns.",
    )
    parser.add_argument("file", type=Path, help="what to import")
    parser.add_argument("--url", required=True, help="URL of the API, including the stage's path")
    parser.add_argument("--zone", type=_zone, help="the time zone of dates without an offset, like Europe/Berlin")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, help="give up after this many seconds without progress"
    )
    return parser.parse_args(arguments)


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"'{name}' is not an IANA time zone, like Europe/Berlin") from None


if __name__ == "__main__":
    sys.exit(main())
