"""`make import`: a file of visits goes in, and the person learns what became of every row."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import app as entry
from devstack.emulator import free_port
from devstack.seed import sample_properties
from devstack.worker import QueueWorker, working
from tests.integration.api import Api, serve
from tests.integration.intake import mailbox
from tools.operate import importer
from tools.project import ROOT

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

DATE = "2028-03-{:02}T{:02}:00:00Z"


@dataclass(frozen=True)
class Site:
    """The API with its worker, and a person with a file and a key."""

    api: Api
    worker: QueueWorker

    def run(self, path: Path, *options: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VISITS_KEY", self.api.http.headers["Authorization"].removeprefix("Bearer "))
            return importer.main([str(path), "--url", str(self.api.http.base_url), *options])


@pytest.fixture(scope="module")
def site(table: FreshTable) -> Iterator[Site]:
    with mailbox(table, visibility=30) as box, serve(box.table) as api:
        yield Site(
            api, QueueWorker(entry.app.handler_map["work_off_queue"], box.sqs, box.table.environment["QUEUE_NAME"])
        )


def ndjson(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "visits.ndjson"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def booked(api: Api, property_id: str) -> int:
    return len(api.get("/visits", propertyId=property_id, limit=100, from_=DATE.format(1, 0)).json()["items"])


def test_the_example_file_works_with_the_sample_properties(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for id, details in sample_properties(200).items():
        assert site.api.put(f"/properties/{id}", details).status_code in (201, 428), id
        site.api.http.put(f"/properties/{id}", json=details, headers={"If-None-Match": "*"})
    example = tmp_path / "visits.csv"
    example.write_bytes((ROOT / "examples" / "visits.csv").read_bytes())

    with working(site.worker):
        assert site.run(example) == importer.REJECTED
        again = site.run(example)

    assert again == importer.REJECTED
    assert "10 booked, 0 already booked, 2 rejected" in capsys.readouterr().out
    with (tmp_path / "visits.rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [(row["externalId"], row["line"]) for row in rejected] == [("example-11", "12"), ("example-12", "13")]
    assert "No property has this id" in rejected[0]["reason"]
    assert "durationMinutes" in rejected[1]["reason"]
    assert rejected[1]["visitorPhone"] == "'+1 555 0104"


def test_what_was_rejected_can_be_corrected_and_imported(site: Site, tmp_path: Path) -> None:
    site.api.property("correct-1")
    path = ndjson(tmp_path, {"propertyId": "correct-1", "date": DATE.format(1, 9), "durationMinutes": 500})
    with working(site.worker):
        assert site.run(path) == importer.REJECTED
        rejected = tmp_path / "visits.rejected.csv"
        rejected.write_text(rejected.read_text(encoding="utf-8").replace("500", "50"), encoding="utf-8")
        assert site.run(rejected) == importer.OK
    assert booked(site.api, "correct-1") == 1
    assert not (tmp_path / "visits.rejected.rejected.csv").exists()


def test_importing_twice_books_once_also_without_external_ids(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.api.property("twice-1", capacity=10)
    path = ndjson(tmp_path, *[{"propertyId": "twice-1", "date": DATE.format(2, 9)} for _ in range(3)])
    with working(site.worker):
        assert [site.run(path), site.run(path)] == [importer.OK, importer.OK]
    assert booked(site.api, "twice-1") == 3
    assert "3 booked, 0 already booked, 0 rejected" in capsys.readouterr().out


def test_a_file_that_has_grown_and_been_sorted_books_only_what_is_new(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.api.property("grown-1", capacity=10)
    rows = [{"propertyId": "grown-1", "date": DATE.format(2, hour)} for hour in (9, 9, 10)]
    with working(site.worker):
        assert site.run(ndjson(tmp_path, *rows)) == importer.OK
        assert site.run(ndjson(tmp_path, rows[2], rows[0] | {"notes": "new"}, rows[1], rows[0])) == importer.OK
    assert booked(site.api, "grown-1") == 4
    assert "1 booked, 3 already booked, 0 rejected" in capsys.readouterr().out


def test_what_was_rejected_is_tried_again_by_the_next_run(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ndjson(tmp_path, {"propertyId": "again-1", "date": DATE.format(2, 9)})
    with working(site.worker):
        assert site.run(file) == importer.REJECTED
        site.api.property("again-1")
        assert site.run(file) == importer.OK
        assert "1 booked, 0 already booked, 0 rejected" in capsys.readouterr().out
        assert site.run(file) == importer.OK
    assert "0 booked, 1 already booked, 0 rejected" in capsys.readouterr().out
    assert booked(site.api, "again-1") == 1


def test_many_rows_go_in_as_several_intakes_with_progress_to_the_end(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "MOST_ROWS", 20)
    site.api.property("many-1")
    rows = [{"propertyId": "many-1", "date": DATE.format(day, hour)} for day in range(3, 8) for hour in range(8, 18)]
    with working(site.worker):
        assert site.run(ndjson(tmp_path, *rows)) == importer.OK
    told = capsys.readouterr()
    assert "50 booked" in told.out
    assert "50/50" in told.err
    assert booked(site.api, "many-1") == 50


def test_a_busy_api_is_asked_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The queue is away for a moment: 503 with Retry-After, and then the same request again."""
    from chalicelib.domain.errors import StoreBusy

    queue = site.api.services.queue
    send = queue.send
    refused: list[int] = []

    def away_at_first(messages: Any) -> None:
        if not refused:
            refused.append(len(messages))
            raise StoreBusy
        send(messages)

    monkeypatch.setattr(queue, "send", away_at_first)
    site.api.property("busy-1")
    with working(site.worker):
        assert site.run(ndjson(tmp_path, {"propertyId": "busy-1", "date": DATE.format(8, 9)})) == importer.OK
    assert refused
    assert booked(site.api, "busy-1") == 1
    capsys.readouterr()


def test_without_a_worker_it_says_so_and_goes_on_next_time(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.api.property("late-1")
    path = ndjson(tmp_path, {"propertyId": "late-1", "date": DATE.format(9, 9)})
    assert site.run(path, "--patience", "1") == importer.FAILED
    told = capsys.readouterr().err.splitlines()[-1]
    assert "is queued without progress" in told
    assert "is the worker running?" in told
    with working(site.worker):
        assert site.run(path) == importer.OK
    assert booked(site.api, "late-1") == 1


@pytest.mark.parametrize(
    ("address", "told"), [("http://127.0.0.1:{port}", "No API answers at"), ("{api}/dev", "is not this API")]
)
def test_a_wrong_address_is_told_in_a_sentence(
    site: Site, tmp_path: Path, address: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ndjson(tmp_path, {"propertyId": "p1", "date": DATE.format(1, 9)})
    url = address.format(port=free_port(), api=str(site.api.http.base_url).rstrip("/"))
    assert importer.main([str(path), "--url", url]) == importer.FAILED
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


def test_a_missing_key_is_told(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ndjson(tmp_path, {"propertyId": "p1", "date": DATE.format(1, 9)})
    assert importer.main([str(path), "--url", str(site.api.http.base_url)]) == importer.FAILED
    assert "KEY=<api key>" in capsys.readouterr().err


def nothing(folder: Path) -> Path:
    return folder / "nothing.csv"


def unknown_column(folder: Path) -> Path:
    path = folder / "unknown.csv"
    path.write_text("propertyId,date,colour\np1,2028-03-01T09:00:00Z,red\n")
    return path


@pytest.mark.parametrize("file", [nothing, unknown_column])
def test_a_file_that_cannot_be_imported_is_wrong_use(
    file: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert importer.main([str(file(tmp_path)), "--url", url]) == importer.WRONG
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("fault", [RuntimeError("of ours"), KeyboardInterrupt(), KeyError("counts")])
def test_what_breaks_is_never_taken_for_rejected_rows(
    site: Site,
    tmp_path: Path,
    fault: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(*_: object) -> None:
        raise fault

    monkeypatch.setattr(importer, "import_rows", breaks)
    assert site.run(ndjson(tmp_path, {"propertyId": "p1", "date": DATE.format(1, 9)})) == importer.FAILED
    assert "run it again" in capsys.readouterr().err


ODD_NAMES = [
    "a b",
    'it\'s "quoted"',
    "a$b",
    "$(touch hurt)",
    "`touch hurt`",
    "a;touch hurt",
    "-rf",
    "Größe&#",
    "$(shell touch hurt)",
]


@pytest.mark.parametrize("by", ["command line", "environment"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_make_import_takes_a_file_of_any_name(site: Site, tmp_path: Path, name: str, by: str) -> None:
    house = f"odd-{ODD_NAMES.index(name)}-{by[0]}"
    site.api.property(house)
    file = tmp_path / f"{name}.ndjson"
    file.write_text(json.dumps({"propertyId": house, "date": DATE.format(10, 9)}))
    with working(site.worker):
        done = make_import(site, tmp_path, file.name, by)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 booked, 0 already booked, 0 rejected\n"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_make_import_fails_when_rows_were_rejected_or_nothing_works(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "visits.ndjson"
    file.write_text(json.dumps({"propertyId": "nobody-s", "date": DATE.format(10, 9)}))
    with working(site.worker):
        rejected = make_import(site, tmp_path, file.name)
    assert rejected.returncode == 2
    assert "1 rejected; the rejected rows and why are in visits.rejected.csv" in rejected.stdout
    assert "Error 1" in rejected.stderr.splitlines()[-1]
    missing = make_import(site, tmp_path, "missing.csv")
    assert missing.returncode == 2
    assert "Error 2" in missing.stderr.splitlines()[-1]
    away = make_import(site, tmp_path, file.name, url=f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 2
    assert "Error 3" in away.stderr.splitlines()[-1]


def make_import(
    site: Site, folder: Path, file: str, by: str = "command line", url: str = ""
) -> subprocess.CompletedProcess[str]:
    """In the folder of the file, as an operator has it; what the environments are made of is not looked at."""
    given = {"FILE": file, "URL": url or str(site.api.http.base_url)}
    key = site.api.http.headers["Authorization"].removeprefix("Bearer ")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = inherited | {"KEY": key, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    # The environment by a name without blanks, which the folder of the checkout may have.
    environment_folder = folder.with_name(f"{folder.name}-environment")
    if not environment_folder.exists():
        environment_folder.symlink_to(Path(sys.executable).parents[1])
    binaries = f"BIN={environment_folder / 'bin'}"
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", ".venv/.run", "import", binaries]
    if by == "environment":
        environment |= given
    else:
        command += [f"{name}={value}" for name, value in given.items()]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
