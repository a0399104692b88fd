"""Amazon Textract for `make run`, as far as the product speaks to it: AnalyzeDocument, with a picture as bytes.

What reads pictures takes 350 MB, so it is installed, into .venv-ocr, when the first picture comes. Who asks meanwhile
is told to come back, as Textract tells those who ask too often.
https://docs.aws.amazon.com/textract/latest/dg/API_AnalyzeDocument.html
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from devstack.gateway import Answer, Call
from devstack.lifeline import ends_with_parent, speaks_to_people
from devstack.server import Server
from tools.project import ROOT

TARGET: Final = "Textract.AnalyzeDocument"
MOST_BYTES: Final = 10 * 1024 * 1024
"""https://docs.aws.amazon.com/textract/latest/dg/limits-document.html"""
PATIENCE_SECONDS: Final = 20
"""How long one call waits for what is being installed."""
ENVIRONMENT: Final = ".venv-ocr"
BUSY: Final = "ThrottlingException"

Recognise = Callable[[bytes], Mapping[str, Any]]
"""Answers for a picture, or raises Refused."""


class Refused(Exception):
    """Something that Textract does not answer; the message is its code."""


class Textract:
    """Speaks Textract's protocol in front of what recognises pictures."""

    def __init__(self, recognise: Recognise) -> None:
        self._recognise = recognise

    def answer(self, call: Call) -> Answer:
        try:
            return _answer(200, self._recognise(_picture(call)))
        except Refused as why:
            return _answer(400, {"__type": str(why), "message": str(why)})
        except Exception as fault:
            _say(f"a picture could not be read ({type(fault).__name__})")
            return _answer(500, {"__type": "InternalServerError", "message": "InternalServerError"})


def _picture(call: Call) -> bytes:
    if call.headers.get("x-amz-target") != [TARGET]:
        raise Refused("UnknownOperationException")
    try:
        asked = json.loads(call.body)
        picture = base64.b64decode(asked["Document"]["Bytes"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise Refused("InvalidParameterException") from None
    if asked.get("FeatureTypes") != ["TABLES"] or not picture:
        raise Refused("InvalidParameterException")
    if len(picture) > MOST_BYTES:
        raise Refused("DocumentTooLargeException")
    return picture


def _answer(status: int, body: Mapping[str, Any]) -> Answer:
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
    return Answer(status, headers, json.dumps(body).encode())


class Child:
    """Reads pictures, one after the other, in an environment of its own that it makes when the first one comes."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._installing: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def recognise(self, picture: bytes) -> Mapping[str, Any]:
        with self._one_at_a_time:
            self._install()
            answer = self._ask(self._running(), picture)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer

    def close(self) -> None:
        if self._process is not None:
            with self._process as dying:
                dying.kill()

    def _install(self) -> None:
        """Raises Refused while it is not there yet."""
        if self._process is not None:
            return
        if self._installing is None:
            self._installing = threading.Thread(target=_install, daemon=True)
            self._installing.start()
        self._installing.join(PATIENCE_SECONDS)
        if self._installing.is_alive():
            raise Refused(BUSY)
        self._installing = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [str(ROOT / ENVIRONMENT / "bin" / "python"), "-m", "devstack.textract.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                # It is installed without bytecode (devstack/venv.sh).
                env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
                start_new_session=True,
            )
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], picture: bytes) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(picture).to_bytes(8) + picture)
        process.stdin.flush()
        length = int.from_bytes(process.stdout.read(8))
        answer: dict[str, Any] = json.loads(process.stdout.read(length))
        return answer


def _install() -> None:
    """Does nothing where it is up to date; what goes wrong is told by make."""
    marker = f"{ENVIRONMENT}/.ocr"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "--no-print-directory", marker], cwd=ROOT, env=environment, stdout=sys.stderr, check=False)


def _say(what: str) -> None:
    print(f"  pictures: {what}", file=sys.stderr, flush=True)


def main() -> None:
    """A child of `make run`: serves on a socket that the parent opened, until SIGTERM or the parent's end."""
    parser = argparse.ArgumentParser(prog="devstack.textract.service", description=__doc__.splitlines()[0])
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    arguments = parser.parse_args()
    speaks_to_people("pictures: ")
    child = Child()
    server = Server(socket.socket(fileno=arguments.listener), Textract(child.recognise))

    def stop() -> None:
        child.close()
        server.stop()

    ends_with_parent(stop)
    server.run()


if __name__ == "__main__":
    main()
