"""`make run` as a person or a script meets it: it comes up, answers like the deployed gateway, stops, and remembers."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import httpx
import pytest
from chalice.app import Chalice, Response
from chalice.config import Config

from devstack.emulator import free_port
from devstack.server import serving
from tests.contract import check
from tests.pictures import a_png
from tests.races import at_once
from tools.project import HOST, ROOT

PATIENCE = 90.0
CALLERS = 20
JSON = {"Content-Type": "application/json"}


def booking_at(http: httpx.Client, property_id: str) -> dict[str, str]:
    """A visit of the property in two months, at the first time that is free."""
    start, end = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00:00Z}" for days in (60, 67))
    free = http.get(f"/properties/{property_id}/slots?from={start}&to={end}").json()["slots"]
    return {"propertyId": property_id, "date": free[0]["start"], "place": "Hall"}


@dataclass
class Run:
    """A `make run` that has said it is ready."""

    process: subprocess.Popen[bytes]
    output: Path
    url: str = ""

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def said(self, name: str) -> str:
        """What follows a name and a colon at the start of a line; nothing when no line says it."""
        found = [line for line in self.text().splitlines() if line.startswith(f"{name}: ")]
        return found[-1].partition(": ")[2] if found else ""

    def http(self) -> httpx.Client:
        """A client with the key that the run has printed, if it asks for one."""
        key = self.said("key")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, event_hooks={"response": [check]})

    def curl_lines(self) -> list[str]:
        return [line for line in self.text().splitlines() if line.startswith("curl ")]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)


def start(output: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts it as the leader of a process group of its own, as a terminal does."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "devstack.run", *arguments],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def running(folder: Path, how_it_ends: signal.Signals = signal.SIGINT) -> Iterator[Run]:
    """`make run` with its data in the folder, stopped at the end; what it prints is kept beside the data."""
    aws_port = free_port()
    process = start(folder / "output", "--port", "0", "--aws-port", str(aws_port), "--state", str(folder / "the data"))
    run = Run(process, folder / "output")
    try:
        until(lambda: "\nready: " in run.text() or process.poll() is not None, "the line ready")
        assert process.poll() is None, run.text()
        run.url = run.said("ready")
        yield run
    finally:
        if process.poll() is None:
            os.killpg(process.pid, how_it_ends)
        process.wait(timeout=PATIENCE)
    assert process.returncode == 0, run.text()
    assert "Traceback" not in run.text(), run.text()
    with socket.socket() as probe:
        assert probe.connect_ex((HOST, aws_port)) != 0, "the embedded AWS is still there"


@dataclass
class FirstRun:
    """What one has left that was stopped."""

    folder: Path
    sample: list[dict[str, Any]]
    visit: dict[str, Any]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """The first with its data, in which somebody booked, and that an interrupt stopped."""
    folder = tmp_path_factory.mktemp("run")
    with running(folder) as run, run.http() as http:
        sample = http.get("/properties").json()["items"]
        booking = http.post("/visits", json=booking_at(http, sample[0]["id"]))
        assert booking.status_code == 201, booking.text
    return FirstRun(folder, sample, booking.json())


@pytest.fixture(scope="module")
def run(first: FirstRun) -> Iterator[Run]:
    """The second with this data, which stays up while the tests look at it."""
    with running(first.folder, how_it_ends=signal.SIGTERM) as run:
        yield run


def one_sentence(folder: Path, *arguments: str) -> str:
    """What a run that cannot start says for itself."""
    process = start(folder / "refusal", "--state", str(folder / "other"), *arguments)
    assert process.wait(timeout=PATIENCE) == 1
    text = (folder / "refusal").read_text()
    assert "Traceback" not in text
    return text.splitlines()[-1]


def test_make_run_comes_up_answers_stops_on_an_interrupt_and_remembers(first: FirstRun, run: Run) -> None:
    assert first.sample, "the first run loads sample data"
    assert all("(sample, fictitious price)" in property["name"] for property in first.sample)
    with run.http() as http:
        assert http.get(f"/visits/{first.visit['id']}").json() == first.visit
    assert "Loading sample data" not in run.text(), "the second run finds the data of the first"


def test_something_looks_at_pictures(run: Run) -> None:
    """Of one with nothing on it, it is told that there is no table."""
    content = a_png(1, 100, 100)
    about = {"name": "photo", "contentType": "image/png", "size": len(content), "timeZone": "Europe/Berlin"}
    with run.http() as http:
        sheet = http.post("/sheets", json=about).json()
        form, files = sheet["upload"], {"file": ("sheet", content)}
        assert httpx.post(form["url"], data=form["fields"], files=files, trust_env=False).status_code == 204
        until(lambda: http.get(f"/sheets/{sheet['id']}").json()["status"] == "failed", "the picture")
        assert http.get(f"/sheets/{sheet['id']}").json()["failure"] == "not-a-table"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_four_printed_curl_lines_work_when_pasted_also_twice(run: Run) -> None:
    lines = run.curl_lines()
    answers = [json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout) for line in lines]
    free, booked, listed, moved = answers
    assert free["slots"]
    assert booked["status"] == "confirmed"
    assert len(listed["items"]) == 3
    assert quote(json.dumps({"date": moved["date"]})) in lines[3]
    assert moved["version"] == 2
    again = json.loads(subprocess.run(["sh", "-c", lines[3]], capture_output=True, check=True).stdout)
    assert again["date"] == moved["date"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_line_for_a_receiver_on_this_machine_registers_it(run: Run) -> None:
    line = run.said("Events go to a receiver on this machine too")
    made = json.loads(subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout)
    with run.http() as http:
        assert made["url"].startswith("http://127.0.0.1:")
        assert http.get(f"/webhooks/{made['id']}").json()["status"] == "active"
        assert http.delete(f"/webhooks/{made['id']}").status_code == 204


def test_loading_the_sample_data_again_doubles_nothing(run: Run) -> None:
    with run.http() as http:
        visits = "/visits?limit=100&status=completed"
        before = http.get(visits).json()["items"]
        loaded = subprocess.run(
            [sys.executable, "-m", "devstack.seed", "--url", run.url, "--visits", "200"],
            cwd=ROOT,
            env=os.environ | {"VISITS_KEY": run.said("key")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "kept" in loaded.stdout
        assert "booked" not in loaded.stdout, "everything was there already"
        assert http.get(visits).json()["items"] == before


def test_a_busy_port_gets_one_sentence_that_names_it_and_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        api = one_sentence(tmp_path, "--port", str(port))
        aws = one_sentence(tmp_path, "--port", "0", "--aws-port", str(port))
    assert f"Port {port}" in api
    assert "make run PORT=" in api
    assert f"Port {port}" in aws
    assert "make run AWS_PORT=" in aws


def test_two_runs_do_not_share_their_data(run: Run, tmp_path: Path) -> None:
    data = run.output.parent / "the data"
    refusal = one_sentence(tmp_path, "--port", "0", "--aws-port", str(free_port()), "--state", str(data))
    assert "Another `make run`" in refusal
    assert "STATE=" in refusal


# The server in front of an app of three routes: what never reaches the app.


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = Chalice(app_name="small")

    @app.route("/things/{id}", methods=["GET"])
    def thing(id: str) -> Response:
        return Response(json.dumps({"id": id}), headers={"Content-Type": "application/json"})

    @app.route("/things", methods=["POST"])
    def add() -> Response:
        assert app.current_request is not None
        return Response(str(len(app.current_request.raw_body)), status_code=201)

    @app.route("/bytes", methods=["GET"])
    def bytes_() -> Response:
        return Response(b"\xff not text")

    @app.route("/nothing", methods=["DELETE"])
    def nothing() -> Response:
        return Response("", status_code=204, headers={"Content-Type": "text/plain"})

    together = threading.Barrier(CALLERS, timeout=PATIENCE)

    @app.route("/together", methods=["GET"])
    def meet() -> Response:
        together.wait()
        return Response("")

    with serving(app, Config()) as address:
        yield address


def raw(url: str, request: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Sends bytes and reads until the server closes: status line, header lines, body."""
    port = httpx.URL(url).port
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, headers, body


CLOSE = b"Host: here\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (404, b"GET /unknown HTTP/1.1\r\n" + CLOSE + b"Authorization: geheim\r\n\r\n"),
        (404, b"GET //things/1 HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (404, b"GET /things/../../etc HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (404, b"GET //[geheim HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (405, b"PROPFIND /things HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (405, b"TRACE /things HTTP/1.1\r\n" + CLOSE + b"X: geheim\r\n\r\n"),
        (400, b"GET /things/1 HTTP/1.1\r\n" + CLOSE + b"X: geheim \xc3\xa9\r\n\r\n"),
        (400, b"geheim\r\n\r\n"),
        (400, b"GET /geheim\r\n\r\n"),
        (400, b"GET /things/1 HTTP/geheim\r\n\r\n"),
        (400, b"GET /things/\xc3\xa9 HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (400, b"GET /things/1 HTTP/1.1\r\nHost: here\r\nno colon geheim\r\n\r\n"),
        (400, b"GET /things/1 HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (400, b"get /things/1 HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (400, b"POST /things HTTP/1.1\r\n" + CLOSE + b"Content-Length: geheim\r\n\r\n"),
        (400, b"POST /things HTTP/1.1\r\n" + CLOSE + b"Content-Length: -1\r\n\r\n"),
        (400, b"POST /things HTTP/1.1\r\n" + CLOSE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        (400, b"POST /things HTTP/1.1\r\n" + CLOSE + b"Transfer-Encoding: geheim\r\n\r\n0\r\n\r\n"),
        (413, b"POST /things HTTP/1.1\r\n" + CLOSE + b"Content-Length: 10485761\r\n\r\n" + b"x" * 10485761),
        (431, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + CLOSE + b"\r\n"),
        (431, b"GET /things/1 HTTP/1.1\r\n" + CLOSE + b"X: " + b"x" * 20_000 + b"\r\n\r\n"),
        (500, b"GET /bytes HTTP/1.1\r\n" + CLOSE + b"\r\n"),
    ],
)
def test_what_never_reaches_the_app_is_a_problem_document_that_repeats_nothing(
    url: str, status: int, request_: bytes
) -> None:
    line, headers, body = raw(url, request_)
    assert re.match(rb"HTTP/1\.[01] %d " % status, line)
    assert b"Content-Type: application/problem+json" in headers
    assert json.loads(body)["status"] == status
    assert json.loads(body)["type"].startswith("urn:visits:problem:")
    assert b"geheim" not in line + b"".join(headers) + body
    assert b"Traceback" not in body


def test_an_unknown_path_and_an_unknown_method_have_types_of_their_own(url: str) -> None:
    path = httpx.get(f"{url}/unknown").json()
    assert (path["type"], path["title"]) == ("urn:visits:problem:not-found", "Not found")
    method = httpx.put(f"{url}/things")
    assert method.json()["type"] == "urn:visits:problem:method-not-allowed"
    assert method.headers["Allow"] == "POST"


def test_a_connection_is_kept_through_answers_with_and_without_a_body(url: str) -> None:
    line, _, rest = raw(
        url,
        b"HEAD /things HTTP/1.1\r\nHost: here\r\n\r\n"
        b"PUT /things HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\n12345"
        b"GET /things/1 HTTP/1.1\r\n" + CLOSE + b"\r\n",
    )
    assert line == b"HTTP/1.1 405 Method Not Allowed"
    assert rest.startswith(b"HTTP/1.1 405 "), "the answer to HEAD has no body"
    assert rest.endswith(b'{"id": "1"}')


def test_an_answer_without_a_body_does_not_say_what_its_body_is(url: str) -> None:
    answer = httpx.delete(f"{url}/nothing")
    assert answer.status_code == 204
    assert "Content-Type" not in answer.headers
    assert "Content-Length" not in answer.headers


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(url: str) -> None:
    expect = b"POST /things HTTP/1.1\r\n" + CLOSE + b"Expect: 100-continue\r\nContent-Type: application/json\r\n"
    line, _, rest = raw(url, expect + b"Content-Length: 2\r\n\r\n{}")
    assert line == b"HTTP/1.1 100 Continue"
    assert rest.startswith(b"HTTP/1.1 201 ")


def test_a_body_in_chunks_arrives_whole(url: str) -> None:
    assert httpx.post(f"{url}/things", content=iter([b"[1,", b"2]"]), headers=JSON).text == "5"


def test_many_are_answered_at_the_same_time(url: str) -> None:
    """Each waits for the others: with fewer threads than callers nobody would be answered."""
    answers = at_once([partial(httpx.get, f"{url}/together")] * CALLERS)
    assert [answer.status_code for answer in answers] == [200] * CALLERS
