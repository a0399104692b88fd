"""The development server: HTTP/1.1 in front of the gateway, on 127.0.0.1.

It reads a request completely before it is answered, so that connections can be kept, and refuses what is not
well-formed HTTP with a problem document that repeats nothing of the request.
"""

import argparse
import contextlib
import email.errors
import http.client
import logging
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalice.app import Chalice
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.local import LocalChalice

from chalicelib.http.sizes import LARGEST_BODY
from devstack.gateway import Answer, AppGateway, BrokenApp, Call, Gateway, problem
from tools.project import HOST, ROOT

MOST_BYTES_READ = 10 * 1024 * 1024
"""The gateway's own limit for a body. What goes on to the app is less (`gateway`)."""
LARGEST_HEAD = 10 * 1024
"""The gateway's limit for all headers together."""
IDLE_SECONDS = 75
DRAIN_SECONDS = 5
STAGE = "local"
OUR_OWN = "visits-devstack"
"""The user agent of our own calls, which are no news for the person at the terminal."""

log = logging.getLogger(__name__)


class Malformed(Exception):
    """The request is not one that a gateway would pass on; the answer says so and the connection ends."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def load_app(stage: str = STAGE, environment: Mapping[str, str] | None = None) -> tuple[Chalice, Config]:
    """Loads app.py with the stage's environment variables, `environment` taking precedence over them."""
    factory = CLIFactory(str(ROOT), environ=os.environ)
    config = factory.create_config_obj(chalice_stage_name=stage)
    os.environ.update(config.environment_variables)
    os.environ.update(environment or {})
    return factory.load_chalice_app(), config


@contextlib.contextmanager
def serving(app: Chalice, config: Config, port: int = 0) -> Iterator[str]:
    """Serves an app in this process while the block runs; gives the base URL. Port 0 takes any free one."""
    server = Server(listen(port), AppGateway(_for_threads(app), config))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.drain()
        server.server_close()
        thread.join()


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; OSError when the port is taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class Server(ThreadingHTTPServer):
    """Serves on a socket that listens already: `make run` keeps it open while the app reloads."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, gateway: Gateway) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.gateway = gateway
        self._in_hand = 0
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.socket.getsockname()[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is its own business; the rest is for the terminal."""
        if not isinstance(sys.exception(), ConnectionError):
            log.error("a connection failed", exc_info=True)

    @contextlib.contextmanager
    def in_hand(self) -> Iterator[None]:
        """Counts a request that is being answered."""
        with self._changed:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()

    def drain(self) -> None:
        """Waits, within bounds, for the answers under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_hand == 0, timeout=DRAIN_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, one after the other, and writes their answers."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    # Buffered, so that an answer leaves in one piece; every answer is flushed.
    wbufsize = -1
    server: Server

    def handle_one_request(self) -> None:
        self.command = ""
        try:
            self.raw_requestline = self._request_line()
            if not self.raw_requestline:
                self.close_connection = True
                return
            with self.server.in_hand():
                self._handle()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def _handle(self) -> None:
        started = time.monotonic()
        try:
            # On False the request was refused in send_error, which raises; nothing else says False.
            if not self.parse_request():
                self.close_connection = True
                return
            call = self._call()
        except Malformed as malformed:
            self.close_connection = True
            self._write(malformed.answer)
            self._linger()
            log.info("malformed request %d", malformed.answer.status)
            return
        answer = self.server.gateway.answer(call)
        self._write(answer)
        if self.headers.get("User-Agent") == OUR_OWN:
            return
        # Without the query: a calendar's token is in it.
        log.info("%s %s %d %d ms", call.method, call.path, answer.status, (time.monotonic() - started) * 1000)

    def _request_line(self) -> bytes:
        """The first line, after at most one empty one, which some clients send after a body."""
        line = self.rfile.readline(65537)
        return self.rfile.readline(65537) if line in (b"\r\n", b"\n") else line

    def _call(self) -> Call:
        """The request as a whole, or Malformed."""
        if len(self.raw_requestline) > LARGEST_HEAD:
            raise _malformed(HTTPStatus.REQUEST_URI_TOO_LONG)
        if self.request_version not in ("HTTP/1.1", "HTTP/1.0"):
            raise _malformed(HTTPStatus.BAD_REQUEST)
        # From the line itself: the library has made //a into /a, which is another address.
        target = self.requestline.split()[1]
        target = re.sub(r"^https?://[^/?#]*", "", target, flags=re.IGNORECASE)
        path, _, query = target.partition("?")
        if not path.startswith("/") or not re.fullmatch(r"[\x21-\x7e]+", target):
            raise _malformed(HTTPStatus.BAD_REQUEST)
        return Call(self.command, path, query, self._headers(), self._body())

    def _headers(self) -> dict[str, list[str]]:
        # A line without a colon ends the head for the parser and would pass as the body: read on no further.
        # What it misses of a multipart body is no defect of the head: that comes later, and is for the app to refuse.
        if self.headers.get_payload() or not all(isinstance(d, _OF_A_BODY) for d in self.headers.defects):
            raise _malformed(HTTPStatus.BAD_REQUEST)
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[\t\x20-\x7e]*", value):
                raise _malformed(HTTPStatus.BAD_REQUEST)
            headers.setdefault(name.lower(), []).append(value)
        if sum(len(name) + len(value) for name, values in headers.items() for value in values) > LARGEST_HEAD:
            raise _malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self.request_version == "HTTP/1.1" and len(headers.get("host", [])) != 1:
            raise _malformed(HTTPStatus.BAD_REQUEST)
        return headers

    def _body(self) -> bytes:
        if "transfer-encoding" in self.headers:
            raise _malformed(HTTPStatus.LENGTH_REQUIRED)
        lengths = set(self.headers.get_all("content-length", ["0"]))
        length = lengths.pop()
        if lengths or not re.fullmatch(r"[0-9]{1,18}", length, flags=re.ASCII):
            raise _malformed(HTTPStatus.BAD_REQUEST)
        if int(length) > MOST_BYTES_READ:
            raise _malformed(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the body ended early")
        return body

    def handle_expect_100(self) -> bool:
        """Nothing yet: the body is asked for once its announced length is known to be acceptable."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """How the library refuses a request. Its texts quote the request, so none of them is used."""
        raise _malformed(HTTPStatus(code))

    def _write(self, answer: Answer) -> None:
        bodiless = answer.status < 200 or answer.status in (204, 304)
        head = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        head.append(f"Date: {self.date_time_string()}")
        names = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            if name.lower() in ("content-length", "connection") or (bodiless and name.lower() == "content-type"):
                continue
            # One header is one line, whatever its value says.
            head.append(f"{name}: {_LINE_ENDS.sub(' ', value)}")
        if not bodiless:
            head.append(f"Content-Length: {len(answer.body)}")
            if "content-type" not in names:
                head.append("Content-Type: application/json")
        if self.close_connection:
            head.append("Connection: close")
        elif self.request_version == "HTTP/1.0":
            head.append("Connection: keep-alive")
        sent = b"" if bodiless or self.command == "HEAD" else answer.body
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + sent)
        self.wfile.flush()

    def _linger(self) -> None:
        """Lets the client finish sending what will not be read, or it would miss the answer for the reset."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            deadline = time.monotonic() + DRAIN_SECONDS
            while time.monotonic() < deadline and self.connection.recv(1 << 16):
                pass


_OF_A_BODY = (email.errors.StartBoundaryNotFoundDefect, email.errors.MultipartInvariantViolationDefect)
_LINE_ENDS = re.compile(r"[\r\n]+")
_REFUSALS = {
    HTTPStatus.LENGTH_REQUIRED: ("length-required", "Send the body with a Content-Length."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "body-too-large",
        f"The body may have {LARGEST_BODY:,} bytes at most.",
    ),
    HTTPStatus.REQUEST_URI_TOO_LONG: ("address-too-long", "The address is too long."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "headers-too-large",
        f"The headers may have {LARGEST_HEAD:,} bytes at most.",
    ),
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: ("http-version-not-supported", "Use HTTP/1.1."),
}


def _malformed(status: HTTPStatus) -> Malformed:
    slug, detail = _REFUSALS.get(status, ("malformed-request", "This is not well-formed HTTP."))
    title = slug.replace("-", " ").capitalize()
    return Malformed(problem(status if status in _REFUSALS else 400, slug, title, detail))


def _for_threads(app: Chalice) -> Chalice:
    """Chalice keeps the current request on the app; with a thread for each connection it must be the thread's."""
    if not isinstance(app, LocalChalice):
        app.__class__ = type("ThreadedChalice", (_ThreadContext, app.__class__), {})
    return app


class _ThreadContext(LocalChalice):
    """Chalice's own local class does this for the request, and forgets the Lambda context."""

    _CONTEXT = threading.local()

    @property
    def lambda_context(self) -> Any:
        return getattr(self._CONTEXT, "value", None)

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        self._CONTEXT.value = value


def main() -> None:
    """A child of `make run`: serves on a socket that the parent opened, until SIGTERM or the parent's end."""
    parser = argparse.ArgumentParser(prog="devstack.server", description=__doc__)
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--aws", required=True, help="endpoint of the embedded AWS")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stderr)
    # Of the app's own lines only those that warn: what is usual has a line of the server's, short and for people.
    for chatty in ("botocore", "boto3", "urllib3", "visits"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    gateway: Gateway
    try:
        app, config = load_app(environment={"AWS_ENDPOINT_URL": arguments.aws})
        gateway = AppGateway(_for_threads(app), config)
    except Exception:
        traceback.print_exc()
        print("The app does not load. Waiting for the next change.", file=sys.stderr, flush=True)
        gateway = BrokenApp()
    server = Server(socket.socket(fileno=arguments.listener), gateway)
    _stop_on(server)
    server.serve_forever(poll_interval=0.1)
    server.drain()


def _stop_on(server: socketserver.BaseServer) -> None:
    def stop(*_: object) -> None:
        # From another thread: this one is inside serve_forever, which shutdown waits for.
        threading.Thread(target=server.shutdown, daemon=True).start()

    def stop_with_parent() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        server.shutdown()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=stop_with_parent, daemon=True).start()


if __name__ == "__main__":
    main()
