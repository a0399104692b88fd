"""Whatever is handed in, over HTTP: no trace, no answer of 500, no row lost behind a 0, no visit nobody asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from chalicelib.domain.sheets import CannotRead, Failure
from chalicelib.functions import FUNCTIONS, Function
from tests.builders import property_id
from tests.hostile_sheets import HOSTILE, mutated_workbooks
from tests.integration.sheets import Site, importing
from tests.sheets import AGENCY
from tools.operate import sheets as tool
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

ENCODINGS = [
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
    *("utf-32", "cp1252", "iso8859-15", "mac-roman", "cp850"),
]
SEPARATORS = [",", ";", "\t", "|", "^"]


@pytest.fixture(scope="module")
def site(table: FreshTable) -> Iterator[Site]:
    with importing(table) as made:
        faults: list[httpx.Response] = []

        def remember(answer: httpx.Response) -> None:
            if answer.status_code >= 500:
                faults.append(answer)

        made.desk.api.http.event_hooks["response"].append(remember)
        yield made
        assert not faults


def visits(site: Site) -> int:
    return sum(len(site.desk.visits(each.id)) for each in AGENCY.properties)


def told(site: Site, path: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code; and what holds of whatever was handed in."""
    before = visits(site)
    code = site.run(path, "--patience", "60")
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "worker:" not in said.err, "the reader raised, and the notice is handed out again"
    booked = visits(site) - before
    if code in (tool.REGISTERED, tool.LEFT):
        (sheet, *_) = site.desk.api.get("/sheets", limit=1).json()["items"]
        rows = site.desk.rows(sheet["id"])
        registered = [row for row in rows if row["registered"]]
        assert booked <= len(registered) <= len(rows)
        assert all(row["reviewed"] for row in registered)
        assert (code == tool.REGISTERED) == (len(registered) == len(rows) > 0)
    else:
        assert code == tool.WRONG
        assert booked == 0
        assert said.err.strip()
    return code


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_told_of_in_a_sentence(
    site: Site, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name]())
    if name.endswith(".pdf"):
        site.desk.recognition.faults = [CannotRead(Failure.UNSUPPORTED, "one page")]
    code = told(site, path, capsys)
    assert code in (tool.WRONG, tool.LEFT)


def test_mutated_workbooks_lose_nothing(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (original, content) in enumerate(mutated_workbooks(15)):
        path = tmp_path / f"{number} {original.name}"
        path.write_bytes(content)
        told(site, path, capsys)


@pytest.mark.parametrize(("encoding", "separator"), [*zip(ENCODINGS, SEPARATORS * 2, strict=True)])
def test_a_file_in_any_encoding_is_registered_whole(
    site: Site, encoding: str, separator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = site.desk.api.property(property_id(), capacity=5)
    lines = [
        ["Inmueble", "Fecha", "Hora", "Visitante"],
        [house, "14/03/2029", "10:30", "Íñigo Muñoz Peña"],
        [house, "15/03/2029", "17:00", "Jürgen Größe"],
    ]
    path = tmp_path / "visits.csv"
    path.write_bytes("\r\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines).encode(encoding))
    assert told(site, path, capsys) == tool.REGISTERED
    booked = site.desk.visits(house)
    assert [visit["visitor"]["name"] for visit in booked] == ["Íñigo Muñoz Peña", "Jürgen Größe"]


READ_ALL = """
import os, resource, sys
from tests.hostile_sheets import HOSTILE
from tests.sheets import read
from chalicelib.domain.sheets import CannotRead
from chalicelib.reading.pictures import clean_picture
megabytes, seconds = int(sys.argv[1]), int(sys.argv[2])

def within_limits(name):
    content = HOSTILE[name]()
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    try:
        clean_picture(content) if name.endswith((".png", ".jpg", ".pdf")) else read(content)
    except CannotRead as why:
        print(why)

for name in HOSTILE:
    if os.fork() == 0:
        within_limits(name)
        sys.exit()
    ended = os.waitstatus_to_exitcode(os.wait()[1])
    if ended:
        sys.exit(f"{name}: {ended}")
"""


def test_a_hostile_file_takes_no_more_than_the_function_has() -> None:
    """Of memory what it is given, of processor time a quarter of the time that it has; more ends its process."""
    reader = FUNCTIONS[Function.READER]
    limits = str(reader.memory_mb), str(reader.timeout_seconds // 4)
    done = subprocess.run([sys.executable, "-c", READ_ALL, *limits], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
