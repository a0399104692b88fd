"""What `make run` keeps up: the embedded AWS, its table and queues, API and worker with autoreload, and sample data.

Everything stops in the opposite order, the embedded AWS last, because it saves its state while it stops.
"""

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from watchfiles import Change, watch

from devstack import examples, seed
from devstack.api import STAGE
from devstack.development_key import development_key
from devstack.emulator import Emulator, answers_as_ministack, emulator, port_is_taken
from devstack.people import EMAIL, sign_in
from devstack.server import OUR_OWN, listen
from tools.client import Client
from tools.deliver.data_stack import create_data_stack
from tools.failure import CannotGoOn
from tools.project import HOST, ROOT

SAMPLE_VISITS = 200
START_SECONDS = 60
STOP_SECONDS = 10
LOOK_MILLISECONDS = 500


@dataclass
class Part:
    """A child process of the stack. One that serves our code restarts when the code changes.

    Its standard input is a lifeline: when this process is gone, however it went, the pipe ends and so does the
    part.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    files: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            cwd=ROOT,
            env=self.environment,
            pass_fds=self.files,
            # Ctrl-C in the terminal is for this process, which then stops its parts in order.
            start_new_session=True,
        )

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def died(self) -> bool:
        """Whether it ended by itself; said once, and forgotten until it is started again."""
        if self.process is None or self.process.poll() is None:
            return False
        self.stop()
        return True


@dataclass
class Stack:
    """Everything that runs."""

    url: str
    state: Path
    aws: Emulator
    parts: list[Part]
    key: str
    password: str

    def run(self) -> None:
        """Brings it all up, says so, and keeps it up until somebody interrupts."""
        for part in self.parts:
            part.start()
        self._wait_for_api()
        self._load_sample_data()
        self._announce()
        self._watch()

    def _wait_for_api(self) -> None:
        _step("Starting the API")
        deadline = time.monotonic() + START_SECONDS
        told = False
        with httpx.Client(trust_env=False, timeout=START_SECONDS) as client:
            while time.monotonic() < deadline:
                self._look_after()
                with contextlib.suppress(httpx.TransportError):
                    answer = client.get(f"{self.url}/health")
                    if answer.status_code < 500:
                        return
                    if answer.json().get("type", "").endswith("app-does-not-load") and not told:
                        told = True
                        deadline = float("inf")
                        _step("The API starts once the app loads")
                    if told:
                        self._reload_on_change(once=True)
                        continue
                time.sleep(0.1)
        raise CannotGoOn(f"The API did not become healthy within {START_SECONDS} s; see its output above.")

    def _load_sample_data(self) -> None:
        """On the first run, and when the month of the last sample is over."""
        marker = self.state / "sample-data-loaded"
        with Client(self.url, self.key, OUR_OWN) as api:
            if marker.exists() and examples.upcoming_visit(api) is not None:
                return
        _step(f"Loading sample data: {SAMPLE_VISITS} visits at real addresses, with fictitious prices and people")
        seed.load(self.url, SAMPLE_VISITS, self.key)
        marker.touch()

    def _announce(self) -> None:
        with Client(self.url, self.key, OUR_OWN) as api:
            lines = examples.curl_lines(api, self.url, self.key)
        print(f"\nThe console is at {self.url}, the API at {self.url}/api, the embedded AWS at {self.aws.endpoint}.")
        print(f"Visitors book at {self.url}/book.html?property={seed.FIRST}")
        print(f"Mail to visitors is shown at {self.url}/mailbox.")
        print("Photographed lists are read too (make sheet FILE=photo.jpg); the first one installs 350 MB for it.")
        print("It reloads when the code changes; Ctrl-C stops it and keeps the data. Try:\n")
        for what, line in lines:
            print(f"# {what}\n{line}\n")
        print(f"Events go to a receiver on this machine too: {examples.webhook_line(self.url, self.key)}\n")
        # Scripts read until the line `ready`, so the key comes before it, and who can sign in.
        print(f"key: {self.key}")
        print(f"person: {EMAIL} password: {self.password}")
        print(f"ready: {self.url}", flush=True)

    def _watch(self) -> None:
        while True:
            self._reload_on_change()

    def _reload_on_change(self, once: bool = False) -> None:
        """Waits for changes of the code and restarts the parts; watches them meanwhile.

        The watch is renewed after every change: most editors replace a file, and a watch on the old one
        would see nothing more.
        """
        watched = (ROOT / "app.py", ROOT / "chalicelib", ROOT / ".chalice")
        with contextlib.suppress(FileNotFoundError):  # in the middle of being replaced
            for changes in watch(
                *watched,
                watch_filter=_is_code,
                debounce=200,
                step=50,
                rust_timeout=LOOK_MILLISECONDS,
                yield_on_timeout=True,
            ):
                self._look_after()
                if changes:
                    changed = sorted({os.path.relpath(path, ROOT) for _, path in changes})
                    _step(f"{', '.join(changed[:3])} changed: reloading")
                    for part in self.parts:
                        part.restart()
                    return
                if once:
                    return
            return
        time.sleep(0.1)

    def _look_after(self) -> None:
        if why := self.aws.died():
            raise CannotGoOn(f"{why[0].upper()}{why[1:]}")
        for part in self.parts:
            if part.died():
                _step(f"'{part.name}' exited; it restarts when the code changes")


@contextlib.contextmanager
def stack(port: int, aws_port: int, state: Path) -> Iterator[Stack]:
    with contextlib.ExitStack() as cleanup:
        listener = cleanup.enter_context(_listener(port))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        if aws_port and port_is_taken(aws_port):
            whose = "another embedded AWS" if answers_as_ministack(f"http://{HOST}:{aws_port}") else "another program"
            raise CannotGoOn(f"Port {aws_port} is in use by {whose}: choose another with make run AWS_PORT=<port>")
        cleanup.enter_context(_only_user_of(state))
        _step(f"Starting the embedded AWS, its data in {os.path.relpath(state)}")
        aws = cleanup.enter_context(emulator(aws_port, state))
        _step("Creating or reusing the table and the queues")
        create_data_stack(aws.endpoint, STAGE)
        issuer, password = sign_in(aws.endpoint, STAGE, url, state)
        told = {"SIGN_IN_ISSUER": issuer, **_page(url)}
        pictures = cleanup.enter_context(listen(0))
        textract = os.environ.get("VISITS_TEXTRACT") or f"http://{HOST}:{pictures.getsockname()[1]}"
        parts = [
            _api(listener, aws.endpoint, state, told),
            _worker(aws.endpoint, url, state / "mail", textract),
            _textract(pictures),
        ]
        for part in parts:
            cleanup.callback(part.stop)
        yield Stack(url, state, aws, parts, development_key(aws.endpoint, STAGE, state), password)


def _api(listener: socket.socket, aws: str, state: Path, told: dict[str, str]) -> Part:
    """The API. It inherits the listening socket, so that calls wait while it reloads instead of failing."""
    number = listener.fileno()
    kept = ["--mail", str(state / "mail"), "--config", str(state / "console.json")]
    command = [sys.executable, "-m", "devstack.api", "--listener", str(number), "--aws", aws, *kept]
    return Part("api", command, _environment() | told, (number,))


def _worker(aws: str, url: str, mail: Path, textract: str) -> Part:
    """What hands out the messages of the queues, the stream and the minutes: on the real AWS, Lambda does.

    `textract` recognises pictures: ours, unless VISITS_TEXTRACT names another.
    """
    told = {"MAIL_FOLDER": str(mail), "API_URL": url, "AWS_ENDPOINT_URL_TEXTRACT": textract}
    return Part("worker", [sys.executable, "-m", "devstack.worker", "--aws", aws], _environment() | told | _page(url))


def _page(url: str) -> dict[str, str]:
    """Where visitors book, and see their visits."""
    return {"VISITOR_PAGE_URL": f"{url}/book.html"}


def _textract(listener: socket.socket) -> Part:
    """What reads pictures, once the first one comes. Like the API it lets calls wait while it restarts."""
    number = listener.fileno()
    command = [sys.executable, "-m", "devstack.textract.service", "--listener", str(number)]
    return Part("pictures", command, _environment(), (number,))


def _environment() -> dict[str, str]:
    """The person's environment without their AWS: nothing may reach a real account by mistake."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
        "PYTHONUNBUFFERED": "1",
    }


def _listener(port: int) -> socket.socket:
    try:
        return listen(port)
    except PermissionError:
        raise CannotGoOn(f"Port {port} needs root: choose another with make run PORT=<port>") from None
    except OSError:
        raise CannotGoOn(
            f"Port {port} is in use by another program: choose another with make run PORT=<port>"
        ) from None


@contextlib.contextmanager
def _only_user_of(state: Path) -> Iterator[None]:
    """Two emulators that save into one folder would overwrite each other's data."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as why:
        raise CannotGoOn(f"Cannot store the data in {state} ({why.strerror}): choose make run STATE=<folder>") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotGoOn(
                f"Another `make run` uses {os.path.relpath(state)}: stop it, or run make run STATE=<folder>"
            ) from None
        yield


def _is_code(_: Change, path: str) -> bool:
    return path.endswith(".py") or Path(path).name == "config.json"


def _step(what: str) -> None:
    print(f"{what} ...", flush=True)
