"""`make import` and `make sheet`: a file of visits goes in, and the person learns what became of every row."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import openpyxl
import pytest

from chalicelib.domain.sheets import CannotRead, SheetRow
from devstack.emulator import free_port
from devstack.seed import sample_properties
from devstack.worker import working
from tests.builders import property_id
from tests.integration.sheets import Site, importing
from tests.pictures import a_png
from tests.sheets import AGENCY, BERLIN, an_answer, read
from tests.workbooks import assert_workbook
from tools.client import Client
from tools.operate import sheets as tool
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

FILES = sorted((ROOT / "tests" / "files").glob("*.[cnx]*"))


@pytest.fixture(scope="module")
def site(table: FreshTable) -> Iterator[Site]:
    with importing(table) as made:
        yield made


def a_file(folder: Path, *rows: str, header: str = "propertyId,date,time", name: str = "visits.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def left(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def expected(content: bytes) -> tuple[SheetRow, ...] | None:
    """What the reader, which has tests of its own, makes of a file."""
    try:
        return read(content).rows
    except CannotRead:
        return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_that_people_have_gives_its_visits_and_tells_of_the_rest(
    site: Site, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / path.name
    file.write_bytes(path.read_bytes())
    known = expected(path.read_bytes())
    before = {visit["id"] for each in AGENCY.properties for visit in site.desk.visits(each.id)}

    code = site.run(file)

    if known is None:
        assert code == tool.WRONG
        assert len(capsys.readouterr().err.splitlines()) == 1
        return
    clean = [row for row in known if row.reviewed and row.complete]
    visits = [visit for each in AGENCY.properties for visit in site.desk.visits(each.id) if visit["id"] not in before]
    (sheet, *_) = site.desk.api.get("/sheets", limit=1).json()["items"]
    rows = site.desk.rows(sheet["id"])
    values = [{cell["field"]: cell.get("value") for cell in row["cells"]} for row in rows]
    assert values == [{field: row.value(field) for field in row.cells} for row in known]
    assert {visit["date"] for visit in visits} <= {str(row.visit(BERLIN.zone)["date"]) for row in clean}
    problems = [row for row in rows if row.get("problem")]
    assert sum(row["registered"] for row in rows) == len(clean) - len(problems)
    assert code == (tool.REGISTERED if len(clean) - len(problems) == len(rows) else tool.LEFT)
    remaining = [row for row in rows if not row["registered"]]
    if remaining:
        assert [row["line"] for row in left(tmp_path / f"{path.stem}.left.csv")] == [str(r["line"]) for r in remaining]
        assert all(row["reason"] for row in left(tmp_path / f"{path.stem}.left.csv"))
    assert_workbook(site.desk.api.get(f"/sheets/{sheet['id']}/export").content, values)


def test_the_same_visits_spelled_otherwise_are_booked_once(site: Site, tmp_path: Path) -> None:
    house = site.desk.api.property(property_id(), capacity=2)
    first = a_file(tmp_path, f"{house},2028-05-02,10:00")
    second = a_file(tmp_path, f"{house},02.05.2028,10 Uhr,30", header="Objekt,Datum,Uhrzeit,Dauer", name="b.csv")
    assert [site.run(first), site.run(second)] == [tool.REGISTERED, tool.REGISTERED]
    assert len(site.desk.visits(house)) == 1


def test_a_file_that_has_grown_books_only_what_is_new(site: Site, tmp_path: Path) -> None:
    house = site.desk.api.property(property_id(), capacity=10)
    rows = [f"{house},2028-05-02,{hour}:00" for hour in (9, 9, 10)]
    assert site.run(a_file(tmp_path, *rows)) == tool.REGISTERED
    assert site.run(a_file(tmp_path, rows[2], f"{house},2028-05-02,11:00", rows[0], rows[1])) == tool.REGISTERED
    assert len(site.desk.visits(house)) == 4


def test_importing_twice_goes_on_with_the_first(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = site.desk.api.property(property_id(), capacity=2)
    file = a_file(tmp_path, f"{house},2028-05-02,10:00", f"{house},2028-05-02,half five")
    assert [site.run(file), site.run(file)] == [tool.LEFT, tool.LEFT]
    told = capsys.readouterr().out
    assert "1 registered, 0 registered before, 1 left" in told
    assert "0 registered, 1 registered before, 1 left" in told
    assert "time: ambiguous (written “half five”)" in told or "half five" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["visits.csv", "visits.left.csv"]


def test_what_is_left_can_be_corrected_and_imported(site: Site, tmp_path: Path) -> None:
    house = site.desk.api.property(property_id())
    assert site.run(a_file(tmp_path, f"{house},2028-05-02,half five")) == tool.LEFT
    beside = tmp_path / "visits.left.csv"
    beside.write_text(beside.read_text(encoding="utf-8-sig").replace("half five,", "16:30,"), encoding="utf-8")
    assert site.run(beside) == tool.REGISTERED
    assert [visit["date"] for visit in site.desk.visits(house)] == ["2028-05-02T14:30:00Z"]


def test_nothing_is_overwritten(site: Site, tmp_path: Path) -> None:
    precious = tmp_path / "visits.left.csv"
    precious.write_text("precious")
    house = site.desk.api.property(property_id())
    assert site.run(a_file(tmp_path, f"{house},2028-05-02,half five")) == tool.LEFT
    assert precious.read_text() == "precious"
    assert left(tmp_path / "visits-2.left.csv")[0]["time"] == "half five"


def test_whoever_sits_at_a_terminal_is_asked(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = site.desk.api.property(property_id())
    file = a_file(tmp_path, f"{house},2028-05-02,10:00")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked: list[str] = []

    def no(question: str) -> str:
        asked.append(question)
        return "n"

    monkeypatch.setattr("builtins.input", no)
    assert site.run(file) == tool.LEFT
    assert asked == ["Register 1 of 1 rows? [y/N] "]
    assert site.desk.visits(house) == []
    assert site.run(file, "--yes") == tool.REGISTERED


def test_a_picture_becomes_a_workbook_and_registers_nothing(site: Site, tmp_path: Path) -> None:
    house = site.desk.api.property(property_id())
    site.desk.recognition.answer = an_answer([["Property", "Date", "Time"], [house, "2028-05-02", "10:00"]])
    picture = tmp_path / "photo.png"
    picture.write_bytes(a_png(77))
    assert site.run(picture, what="workbook") == tool.REGISTERED
    assert openpyxl.load_workbook(tmp_path / "photo.xlsx").sheetnames[:2] == ["Visits", "Table"]
    assert site.run(picture) == tool.LEFT
    assert left(tmp_path / "photo.left.csv")[0]["reason"]
    assert site.desk.visits(house) == []


@pytest.mark.parametrize(
    ("address", "told"), [("http://127.0.0.1:{port}", "No API answers at"), ("{api}/dev", "is not this API")]
)
def test_a_wrong_address_is_told_in_a_sentence(
    site: Site, tmp_path: Path, address: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = address.format(port=free_port(), api=str(site.desk.api.http.base_url).rstrip("/"))
    assert tool.main(["import", str(a_file(tmp_path, "p1,2028-03-01,10:00")), "--url", url]) == tool.FAILED
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


def test_a_missing_key_is_told(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(site.desk.api.http.base_url)
    assert tool.main(["import", str(a_file(tmp_path, "p1,2028-03-01,10:00")), "--url", url]) == tool.FAILED
    assert "KEY=<api key>" in capsys.readouterr().err


def test_without_a_worker_it_says_so_and_goes_on_next_time(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = site.desk.api.property(property_id())
    file = a_file(tmp_path, f"{house},2028-05-02,10:00")
    idle = Site(site.desk, ())
    assert idle.run(file, "--patience", "1") == tool.FAILED
    assert "is the worker running?" in capsys.readouterr().err
    assert site.run(file) == tool.REGISTERED
    assert len(site.desk.visits(house)) == 1


def test_it_waits_as_long_as_rows_are_worked_off_though_no_terminal_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"created": 0, "duplicate": 0, "rejected": 0, "total": 6}

    def get(_: Client, path: str) -> dict[str, object]:
        counts["created"] += path.startswith("/intakes/")
        return {"counts": counts, "status": "done" if counts["created"] == counts["total"] else "running"}

    monkeypatch.setattr(Client, "send", lambda *_: httpx.Response(200, json={"id": "i1", "counts": counts}))
    monkeypatch.setattr(Client, "get", get)
    monkeypatch.setattr(tool, "PAUSE_SECONDS", 0.05)
    with Client("http://127.0.0.1") as api:
        tool.Desk(api, patience=0.1).register({"id": "s1"})
    assert counts["created"] == 6


def test_of_two_sheets_handed_in_before_either_was_read_the_first_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"id": "a", "status": "review"}
    sheets = {"/sheets/a": first, "/sheets/b": {"id": "b", "status": "review", "sameAs": "a"}}
    monkeypatch.setattr(Client, "send", lambda *_, **__: httpx.Response(409, json={"sheetId": "b"}))
    monkeypatch.setattr(Client, "get", lambda _, path: sheets[path])
    with Client("http://127.0.0.1") as api:
        assert tool.Desk(api, patience=1).sheet(a_file(tmp_path, "p1,2028-03-01,10:00"), "Europe/Berlin") == first


@pytest.mark.parametrize("fault", [RuntimeError("of ours"), KeyboardInterrupt(), KeyError("counts")])
def test_what_breaks_is_never_taken_for_rows_that_are_left(
    site: Site,
    tmp_path: Path,
    fault: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(*_: object) -> None:
        raise fault

    monkeypatch.setattr(tool.Desk, "sheet", breaks)
    assert site.run(a_file(tmp_path, "p1,2028-03-01,10:00")) == tool.FAILED
    assert "run it again" in capsys.readouterr().err


ODD_NAMES = ["-rf a b Größe&#", 'it\'s "quoted"', "$(touch hurt) `touch hurt` $(shell touch hurt)"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_make_import_takes_a_file_of_any_name(site: Site, tmp_path: Path, name: str) -> None:
    house = site.desk.api.property(property_id())
    file = a_file(tmp_path, f"{house},2028-05-02,10:00", name=f"{name}.csv")
    done = make(site, tmp_path, "import", file.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 registered, 0 registered before, 0 left\n"
    assert "%|" not in done.stderr, "a bar is for a terminal"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_make_import_fails_when_rows_are_left_or_nothing_works(site: Site, tmp_path: Path) -> None:
    file = a_file(tmp_path, "nobody-s,2028-05-02,10:00")
    assert "Error 1" in make(site, tmp_path, "import", file.name).stderr.splitlines()[-1]
    assert "Error 2" in make(site, tmp_path, "import", "missing.csv").stderr.splitlines()[-1]
    away = make(site, tmp_path, "import", file.name, url=f"http://127.0.0.1:{free_port()}")
    assert "Error 3" in away.stderr.splitlines()[-1]


def make(site: Site, folder: Path, target: str, file: str, url: str = "") -> subprocess.CompletedProcess[str]:
    """In the folder of the file, as an operator has it; what the environments are made of is not looked at."""
    given = {"FILE": file, "URL": url or str(site.desk.api.http.base_url), "ZONE": "Europe/Berlin"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = inherited | {"KEY": site.key, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    # The environment by a name without blanks, which the folder of the checkout may have.
    environment_folder = folder.with_name(f"{folder.name}-environment")
    if not environment_folder.exists():
        environment_folder.symlink_to(Path(sys.executable).parents[1])
    binaries = f"BIN={environment_folder / 'bin'}"
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", ".venv/.run", target, binaries]
    command += [f"{name}={value}" for name, value in given.items()]
    with working(*site.workers):
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_example_file_works_with_the_sample_properties(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for id, details in sample_properties(200).items():
        site.desk.api.http.put(f"/properties/{id}", json=details, headers={"If-None-Match": "*"})
    example = tmp_path / "visits.csv"
    example.write_bytes((ROOT / "examples" / "visits.csv").read_bytes())
    assert site.run(example) == tool.LEFT
    assert "10 registered, 0 registered before, 2 left" in capsys.readouterr().out
