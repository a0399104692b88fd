"""The embedded AWS: ministack as a child process, for `make run` and for the tests alike.

ministack runs in a virtual environment of its own (`.venv-aws`), bound to 127.0.0.1. With a state
folder it keeps its data there across runs; it saves every few seconds and on a clean stop, so it is always
stopped by SIGTERM and waited for, and a kill costs no more than those seconds.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.failure import CannotGoOn
from tools.project import HOST, REGION, ROOT

START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True)
class Emulator:
    """A running embedded AWS."""

    endpoint: str
    process: subprocess.Popen[bytes]
    log: Path

    def died(self) -> str | None:
        """Why it no longer runs, or None while it does."""
        code = self.process.poll()
        if code is None:
            return None
        return f"the embedded AWS exited (code {code}){_last_words(self.log)}"


def python_of_emulator() -> Path:
    """The interpreter of `.venv-aws`, which `make` builds; VISITS_AWS_PYTHON names another one."""
    return Path(os.environ.get("VISITS_AWS_PYTHON") or ROOT / ".venv-aws" / "bin" / "python")


def free_port() -> int:
    """A port that was free a moment ago. Someone may take it before we do; then the start says so."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_taken(port: int) -> bool:
    """Whether something listens there. Binding (not connecting) also finds listeners that do not answer."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


@contextlib.contextmanager
def emulator(
    port: int = 0, state: Path | None = None, extra_environment: Mapping[str, str] | None = None
) -> Iterator[Emulator]:
    """Starts the embedded AWS, waits until it is ready, and stops it at the end, its state saved.

    Without a state folder nothing outlives it. `extra_environment` goes to ministack, `AUTH=true` for example.
    """
    python = python_of_emulator()
    if not python.exists():
        raise CannotGoOn("The embedded AWS is not installed yet: `make setup` installs it into .venv-aws.")
    port = port or free_port()
    if port_is_taken(port):
        raise CannotGoOn(f"Port {port} is in use, so the embedded AWS cannot start there.")
    scratch = Path(tempfile.mkdtemp(prefix="visits-aws-"))
    folder = state.resolve() if state else scratch
    (folder / "s3").mkdir(parents=True, exist_ok=True)
    log = folder / "ministack.log"
    lifeline_end, lifeline = os.pipe()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(python), str(ROOT / "devstack" / "ministack_child.py")],
                stdin=lifeline_end,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=scratch,
                env=_environment(port, folder, scratch, persist=state is not None) | dict(extra_environment or {}),
                # Its own session: Ctrl-C in the terminal must not reach it before the API has stopped.
                start_new_session=True,
            )
        os.close(lifeline_end)
        running = Emulator(f"http://{HOST}:{port}", process, log)
        try:
            _wait_until_ready(running)
            yield running
        finally:
            _stop(process)
    finally:
        os.close(lifeline)
        shutil.rmtree(scratch, ignore_errors=True)


def _environment(port: int, folder: Path, scratch: Path, *, persist: bool) -> dict[str, str]:
    """What ministack reads. The caller's own AWS settings must not reach it, nor how its Python is set up ours."""
    foreign = ("AWS_", "LOCALSTACK_", "MINISTACK_", "PYTHON", "VIRTUAL_ENV", "DOCKER_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "EDGE_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "PERSIST_STATE": "1" if persist else "0",
        "S3_PERSIST": "1" if persist else "0",
        "STATE_DIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
        # Its pid file and unpacked functions go where we clean up.
        "TMPDIR": str(scratch),
        # The MQTT and SFTP listeners would bind to every interface; a Docker daemon is none of its business.
        "SFTP_ENABLED": "0",
        "SFTP_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker",
        "LOG_LEVEL": "WARNING",
        "PYTHONUNBUFFERED": "1",
    }


def _wait_until_ready(running: Emulator) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if why := running.died():
            raise CannotGoOn(f"{why[0].upper()}{why[1:]}")
        if answers_as_ministack(running.endpoint):
            return
        time.sleep(0.05)
    raise CannotGoOn(f"The embedded AWS did not answer within {START_SECONDS} s{_last_words(running.log)}")


def answers_as_ministack(endpoint: str) -> bool:
    # No proxy: the person's http_proxy must not be asked for our own loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_ministack/ready", timeout=2) as answer:
            return answer.status == 200 and "status" in json.load(answer)
    except (OSError, ValueError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks it to stop and waits while it saves; only one that hangs is killed."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(log: Path) -> str:
    """The end of its log, to be read after a sentence."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-5:]
    except OSError:
        lines = []
    return ":\n  " + "\n  ".join(lines) if lines else "."
