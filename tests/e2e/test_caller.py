"""Those who try a deployed stage: they wait when they are told to, and say at once when they cannot begin."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

import httpx
import pytest

from devstack.emulator import free_port
from tests.e2e.caller import TRIES, Caller, Stage
from tools.client import Patient
from tools.project import ROOT

FOREIGN: Final = ("VISITS_", "PYTEST_")
LATER: Final = httpx.Response(429, headers={"Retry-After": "70"})
BUSY: Final = httpx.Response(503, headers={"Retry-After": "2"})


def stage_answering(*answers: httpx.Response) -> tuple[Patient, list[httpx.Request]]:
    """A client of a stage that answers so, one after the other, and what it is sent."""
    waiting, sent = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return waiting.pop(0)

    return Patient("https://stage.invalid/api", tries=TRIES, transport=httpx.MockTransport(answer)), sent


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def test_who_is_told_to_come_back_later_does_with_the_same_request(slept: list[float]) -> None:
    http, sent = stage_answering(BUSY, LATER, httpx.Response(201, json={"id": "1"}))
    with http:
        assert Caller(http).call(201, "POST", "/visits", {"place": "Gate"}) == {"id": "1"}
    assert [(request.url.path, request.read()) for request in sent] == [("/api/visits", b'{"place":"Gate"}')] * 3
    # As long as was asked for, but not for ever.
    assert slept == [2, 30]


def test_who_is_told_so_again_and_again_takes_it_for_the_answer(slept: list[float]) -> None:
    http, sent = stage_answering(*[BUSY] * 9)
    with http:
        Caller(http).answer(503, "GET", "/visits")
    assert len(sent) == 4


def test_a_failed_call_is_told_without_what_an_answer_says_of_people() -> None:
    refused = httpx.Response(409, json={"type": "t"}, headers={"Content-Type": "application/problem+json"})
    http, _ = stage_answering(httpx.Response(200, json={"visitor": {"name": "Erika"}}), refused)
    with http:
        with pytest.raises(AssertionError, match=r"404 for GET /api/visits/1, got 200: application/json$"):
            Caller(http).call(404, "GET", "/visits/1?token=secret")
        with pytest.raises(AssertionError, match=r'201 for POST /api/visits, got 409: {"type":"t"}$'):
            Caller(http).call(201, "POST", "/visits")


def test_a_request_whose_answer_was_lost_is_sent_again_only_if_twice_is_as_good_as_once(slept: list[float]) -> None:
    tries: list[str] = []

    def lose(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        raise httpx.ReadTimeout("lost", request=request)

    with Patient("https://stage.invalid", tries=TRIES, transport=httpx.MockTransport(lose)) as http:
        for method, headers in (("POST", {}), ("PATCH", {}), ("POST", {"Idempotency-Key": "k"}), ("PUT", {})):
            with pytest.raises(httpx.ReadTimeout):
                http.request(method, "/visits", headers=headers)
    assert tries == ["POST", "PATCH", *["POST"] * TRIES, *["PUT"] * TRIES]


def test_an_address_where_nobody_is_is_told_in_a_line() -> None:
    stage = Stage(f"http://127.0.0.1:{free_port()}", "pv_key")
    with stage.client(stage.key) as http, pytest.raises(AssertionError, match="no answer to GET /health: ConnectError"):
        Caller(http).answer(200, "GET", "/health")


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("https://stage.invalid", "", "it books and cancels: that takes a key with the scopes read and write"),
        ("https://", "pv_key", "'https://' is not a URL"),
    ],
)
def test_without_an_address_or_a_key_nothing_is_tried(url: str, key: str, said: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    pytest_alone = [sys.executable, "-m", "pytest", "--disable-plugin-autoload"]
    command = [*pytest_alone, "tests/e2e/test_address.py", "-q", "--url", url]
    refused = subprocess.run(command, cwd=ROOT, env=inherited | {"VISITS_KEY": key}, capture_output=True, text=True)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in refused.stderr
    assert "passed" not in refused.stdout
    assert "failed" not in refused.stdout
