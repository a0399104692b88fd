"""What the embedded AWS keeps when it is killed, and when a file of its state is torn."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import boto3
import pytest

from devstack.emulator import emulator, free_port
from tools.deliver.data_stack import credentials

OFTEN = {"SAVE_SECONDS": "0.2"}
PATIENCE = 60.0
PORT = free_port()
"""The same for every run: ministack knows a queue by an address with its port."""


def send(endpoint: str, *bodies: str) -> None:
    sqs = boto3.client("sqs", **credentials(endpoint))
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


def kept(endpoint: str) -> list[str]:
    sqs = boto3.client("sqs", **credentials(endpoint))
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(message["Body"] for message in answer.get("Messages", []))


def newest(state: Path) -> Path | None:
    return max(saves, key=lambda save: int(save.name)) if (saves := all_saves(state)) else None


def all_saves(state: Path) -> list[Path]:
    return [save for save in (state / "saves").glob("*") if save.name.isdigit()]


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def wait_until_saved(state: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ((save := newest(state)) and text in content(save / "sqs.json")):
        assert time.monotonic() < deadline, f"{text} is not saved"
        time.sleep(0.05)


def run_and_kill(state: Path, *bodies: str) -> None:
    with emulator(PORT, state, extra_environment=OFTEN) as running:
        send(running.endpoint, *bodies)
        wait_until_saved(state, bodies[-1])
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of one that was killed twice, with two saves."""
    state = tmp_path_factory.mktemp("killed")
    run_and_kill(state, "one")
    run_and_kill(state, "two")
    return state


@pytest.fixture
def state(killed: Path, tmp_path: Path) -> Path:
    """As `killed`, of the test's own."""
    return shutil.copytree(killed, tmp_path / "state")


def test_what_was_there_before_a_kill_is_there_after_it(state: Path) -> None:
    with emulator(PORT, state, extra_environment=OFTEN) as running:
        assert kept(running.endpoint) == ["one", "two"]


@pytest.mark.parametrize("torn", [b"", b'{"payload": {"que', b"\xff\xfe"])
def test_a_torn_file_costs_the_last_save_and_not_the_start(state: Path, torn: bytes) -> None:
    save = newest(state)
    assert save is not None
    assert len(all_saves(state)) > 1
    (save / "sqs.json").write_bytes(torn)
    (state / "saves" / "999.beside").mkdir()
    with emulator(PORT, state, extra_environment=OFTEN) as running:
        assert "one" in kept(running.endpoint)


def test_a_clean_stop_saves_and_old_saves_go(tmp_path: Path) -> None:
    for body in ("one", "two", "three"):
        with emulator(PORT, tmp_path) as running:
            send(running.endpoint, body)
    with emulator(PORT, tmp_path) as running:
        assert kept(running.endpoint) == ["one", "three", "two"]
    assert len(all_saves(tmp_path)) <= 2
