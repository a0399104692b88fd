"""`make import FILE=visits.xlsx` and `make sheet FILE=photo.jpg`: a list of visits goes in by way of POST /sheets.

`make import` uploads it, shows what is doubtful, asks at a terminal (unless YES=1), and registers what is clean. It
ends with
0 when every row is registered, now or by an earlier import;
1 when rows are left: those are beside the input file then, with the reasons;
2 when what it was given cannot be imported: no such file, no table in it, no such time zone;
3 when it did not work, whatever the reason: doing it again goes on where it was.

`make sheet` takes the sheet away as an Excel workbook, beside the input file. Neither overwrites anything.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import itertools
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
from tqdm import tqdm

from chalicelib.domain.sheets import Field, Kind
from chalicelib.exports.csv import inert
from tools.client import Client, Patient
from tools.failure import CannotGoOn

KINDS: Final = {
    ".jpg": Kind.JPEG,
    ".jpeg": Kind.JPEG,
    ".png": Kind.PNG,
    ".pdf": Kind.PDF,
    ".ndjson": Kind.NDJSON,
    ".jsonl": Kind.NDJSON,
    ".json": Kind.NDJSON,
    ".xlsx": Kind.XLSX,
    ".xlsm": Kind.XLSX,
    ".xls": Kind.XLSX,
}
"""By the end of the name; whatever it is, what is in the file is looked at."""

PAUSE_SECONDS: Final = 0.5
HINT_SECONDS: Final = 20
PATIENCE_SECONDS: Final = 800
"""A sheet or a batch that failed is handed out again after some minutes; a little more, and something is wrong."""

REGISTERED, LEFT, WRONG, FAILED = 0, 1, 2, 3

Json = dict[str, Any]


class CannotBeRead(CannotGoOn):
    """What was given is no list of visits."""


@dataclass(frozen=True)
class Desk:
    """Where a file is handed in."""

    api: Client
    patience: float

    def sheet(self, path: Path, zone: str) -> Json:
        """The sheet of a file once it was read: a new one, or the one that the same bytes were read for before."""
        content = _content(path)
        kind = KINDS.get(path.suffix.lower(), Kind.CSV)
        if len(content) > kind.most_bytes:
            raise CannotBeRead(f"{path} has more than {kind.most_bytes >> 20} MB: divide it.")
        body = {
            "name": path.name[:200].encode(errors="replace").decode(),
            "contentType": str(kind),
            "size": max(len(content), 1),
            "timeZone": zone or self._zone(),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        answer = self.api.send("POST", "/sheets", body, expected=(409, 422)).json()
        if errors := answer.get("errors"):
            raise CannotBeRead("; ".join(f"{error['pointer'].strip('#/')}: {error['detail']}" for error in errors))
        if "upload" in answer:
            _upload(answer["upload"], content)
        sheet = self._once_read(self.api.get(f"/sheets/{answer.get('sheetId', answer.get('id'))}"))
        # Handed in twice before either was read: only the first can be registered.
        return self._once_read(self.api.get(f"/sheets/{sheet['sameAs']}")) if "sameAs" in sheet else sheet

    def rows(self, sheet: Json) -> list[Json]:
        return list(self.api.pages(f"/sheets/{sheet['id']}/rows", limit=100))

    def register(self, sheet: Json) -> None:
        """Returns once the rows that were ready are worked off."""
        answer = self.api.send("POST", f"/sheets/{sheet['id']}/register", {}).json()
        total = answer["counts"]["total"]
        done = [0]
        # None: only a terminal has a bar.
        with tqdm(total=total, desc="visits", unit="", file=sys.stderr, disable=None) as bar:

            def finished() -> bool:
                intake = self.api.get(f"/intakes/{answer['id']}")
                before = done[0]
                done[0] = sum(intake["counts"][result] for result in ("created", "duplicate", "rejected"))
                bar.update(done[0] - before)
                return intake["status"] in ("done", "failed")

            self._wait(finished, f"Intake {answer['id']} is not worked off", lambda: done[0])
        self._wait(
            lambda: self.api.get(f"/sheets/{sheet['id']}")["status"] != "registering", "The sheet is not settled"
        )

    def _once_read(self, sheet: Json) -> Json:
        found = [sheet]

        def read() -> bool:
            found[0] = self.api.get(f"/sheets/{sheet['id']}")
            return found[0]["status"] not in ("awaiting-upload", "reading")

        self._wait(read, f"Sheet {sheet['id']} is not read")
        told = found[0]
        if told["status"] == "expired" or told.get("failure") == "gave-up":
            raise CannotGoOn("It could not be read: run it again.")
        if told["status"] == "failed":
            raise CannotBeRead(f"It cannot be read ({told['failure']}): {told['advice']}.")
        return told

    def _zone(self) -> str:
        """That of all properties, if they have but one."""
        zones = {property["timeZone"] for property in self.api.pages("/properties", limit=100)}
        if len(zones) != 1:
            raise CannotBeRead("In which time zone are its times? Say ZONE=Europe/Berlin, for example.")
        return str(zones.pop())

    def _wait(self, until: Callable[[], bool], what: str, progress: Callable[[], object] = lambda: None) -> None:
        """Raises CannotGoOn when nothing moves for a while."""
        since, before, hinted = time.monotonic(), progress(), False
        while not until():
            if progress() != before:
                since, before = time.monotonic(), progress()
            still = time.monotonic() - since
            if still >= self.patience:
                raise CannotGoOn(f"{what} without progress for {still:.0f} s: is the worker running? Run it again.")
            if still >= HINT_SECONDS and not hinted:
                hinted = True
                print(f"No progress for {still:.0f} s: is the worker running? Still waiting.", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        raise CannotBeRead(f"{path} cannot be read: {why.strerror}.") from None


def _upload(form: Json, content: bytes) -> None:
    files = {"file": ("sheet", content, "application/octet-stream")}
    try:
        with Patient(form["url"]) as http:
            answer = http.post("", data=form["fields"], files=files)
    except httpx.RequestError as fault:
        raise CannotGoOn(f"The upload was interrupted: {fault}. Run it again.") from fault
    if not answer.is_success:
        raise CannotGoOn(f"The upload was answered {answer.status_code}. Run it again.")


def reasons(row: Json) -> str:
    """What keeps a row from being registered, in a line."""
    told = [_words(issue) for issue in row["issues"]]
    for cell in row["cells"]:
        written = f" (written “{cell['text']}”)" if cell["text"] else ""
        told += [f"{cell['field']}: {_words(issue)}{written}" for issue in cell["issues"]]
    if problem := row.get("problem"):
        errors = [f"{error['pointer'].strip('#/')}: {error['detail']}" for error in problem.get("errors", ())]
        told += errors or [problem["detail"]]
    return "; ".join(told) or "nobody has looked at it"


def _words(issue: Json) -> str:
    return str(issue["kind"]).replace("-", " ") + (f" ({issue['hint']})" if "hint" in issue else "")


def write_left(path: Path, rows: Sequence[Json]) -> Path:
    """The rows that are left, in a file that can be corrected and imported."""
    fields = [field for field in Field if any(cell["field"] == field for row in rows for cell in row["cells"])]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*fields, "line", "reason"])
    for row in rows:
        cells = {cell["field"]: cell.get("value") or cell["text"] for cell in row["cells"]}
        line = [inert(cells.get(field, "")) for field in fields]
        writer.writerow([*line, row["line"], inert(reasons(row))])
    return written_beside(path, ".left.csv", text.getvalue().encode("utf-8-sig"))


def written_beside(path: Path, ending: str, content: bytes) -> Path:
    """Beside the path with that ending, under a name that overwrites nothing but the same. Raises CannotGoOn."""
    try:
        for number in itertools.count(1):
            beside = path.with_name(f"{path.stem}{'' if number == 1 else f'-{number}'}{ending}")
            if not beside.exists():
                beside.write_bytes(content)
                break
            if beside.is_file() and beside.read_bytes() == content:
                break
    except OSError as why:
        raise CannotGoOn(f"{beside} cannot be written: {why.strerror}.") from why
    return beside


def _import(desk: Desk, given: argparse.Namespace) -> int:
    sheet = desk.sheet(given.file, given.zone)
    rows = desk.rows(sheet)
    for remark in sheet["remarks"]:
        print(f"{remark['kind'].replace('-', ' ')}: {remark['text']}".rstrip(": "))
    for row in (row for row in rows if not row["ready"] and not row["registered"]):
        print(f"line {row['line']}: {reasons(row)}")
    before = sum(row["registered"] for row in rows)
    ready = sum(row["ready"] for row in rows)
    if ready and _agreed(given.yes, f"Register {ready} of {len(rows)} rows?"):
        desk.register(sheet)
        rows = desk.rows(sheet)
    left = [row for row in rows if not row["registered"]]
    counts = f"{len(rows) - len(left) - before} registered, {before} registered before, {len(left)} left"
    if not left:
        print(counts)
        return REGISTERED
    print(counts, flush=True)
    print(f"What is left, and why: {write_left(given.file, left)}")
    return LEFT


def _agreed(yes: bool, question: str) -> bool:
    """Whoever sits at a terminal is asked."""
    if yes or not sys.stdin.isatty():
        return True
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _workbook(desk: Desk, given: argparse.Namespace) -> int:
    sheet = desk.sheet(given.file, given.zone)
    answer = desk.api.send("GET", f"/sheets/{sheet['id']}/export")
    print(f"{sheet['rows']} rows: see {written_beside(given.file, '.xlsx', answer.content)}")
    return REGISTERED


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


DO: Final[dict[str, Callable[[Desk, argparse.Namespace], int]]] = {"import": _import, "workbook": _workbook}


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        _content(given.file)
        check_address(given.url)
        # The key comes by the environment: a command line is for everyone on the machine to read.
        with Client(given.url, os.environ.get("VISITS_KEY") or None) as api:
            return DO[given.what](Desk(api, given.patience), given)
    except CannotBeRead as why:
        print(why, file=sys.stderr)
        return WRONG
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped. What was registered stays; run it again to go on.", file=sys.stderr)
    except Exception:
        # Left to Python it would end with 1, as if all had gone well but for some rows.
        traceback.print_exc()
        print("This is a bug in the importer. Nothing is lost; run it again to see the result.", file=sys.stderr)
    return FAILED


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make", description="Hands in a list of visits; docs/sheets.md has more.")
    parser.add_argument("what", choices=list(DO), help="register its visits, or take it away as an Excel workbook")
    parser.add_argument("file", type=Path, help="a picture, or a CSV, NDJSON or XLSX file")
    parser.add_argument("--url", required=True, help="URL of the API, including the stage's path")
    parser.add_argument("--zone", type=_zone, default="", help="the time zone of its times, like Europe/Berlin")
    parser.add_argument("--yes", action="store_true", help="register without asking")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, help="give up after this many seconds without progress"
    )
    return parser.parse_args(arguments)


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"'{name}' is not an IANA time zone, like Europe/Berlin") from None


if __name__ == "__main__":
    sys.exit(main())
