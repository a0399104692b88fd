"""The HTTP server: waitress in front of the gateway, on 127.0.0.1 unless told otherwise.

waitress reads a request completely before a thread answers it, keeps connections, serves on a socket that is open
already, and lets its own refusals be written otherwise: here they are problem documents that repeat nothing of the
request. What API Gateway alone would refuse (a head of over 10 KB, bytes that are no ASCII, no Host) is refused here.
"""

import contextlib
import http.client
import logging
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import LocalChalice
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask

from devstack.gateway import Answer, AppGateway, Call, Gateway, problem
from tools.project import HOST

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LARGEST_HEAD = 10 * 1024
"""The gateway's limit for the request line and all headers together."""
AT_ONCE = 64
"""As many requests are answered at the same time; the others wait."""
MOST_CONNECTIONS = 1000
OUR_OWN = "visits-devstack"
"""The user agent of our own calls, which are no news for the person at the terminal."""
OF_THE_CONNECTION = ("connection", "content-length", "transfer-encoding")

log = logging.getLogger(__name__)


@contextlib.contextmanager
def serving(app: Chalice, config: Config, port: int = 0) -> Iterator[str]:
    """Serves an app in this process while the block runs; gives the base URL. Port 0 takes any free one."""
    listener = listen(port)
    server = Server(listener, AppGateway(for_threads(app), config))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()


def listen(port: int, host: str = HOST) -> socket.socket:
    """A listening socket; OSError when the port is taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class Refusal(ErrorTask):
    """What waitress finds malformed or too large. Its own texts quote the request, so none of them is used."""

    def execute(self) -> None:
        request: Any = self.request
        answer = _refusal(request.error.code)
        self.status = _status_line(answer.status)
        self.response_headers = list(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


class Channel(HTTPChannel):
    error_task_class = Refusal


class Server:
    """Serves on a socket that listens already: `make run` keeps it open while the app reloads."""

    def __init__(self, listener: socket.socket, gateway: Gateway) -> None:
        self._sockets: dict[int, Any] = {}
        server = create_server(
            _application(gateway),
            map=self._sockets,
            sockets=[listener],
            threads=AT_ONCE,
            connection_limit=MOST_CONNECTIONS,
            asyncore_use_poll=True,
            ident=None,
        )
        assert isinstance(server, BaseWSGIServer)
        server.channel_class = Channel
        self._waitress = server

    def run(self) -> None:
        """Serves until it is stopped."""
        self._waitress.run()

    def stop(self) -> None:
        """Takes no more connections, lets the answers under way be finished and sent, and ends `run`."""
        self._waitress.accepting = False
        self._waitress.pull_trigger()
        self._waitress.task_dispatcher.shutdown()
        woken = threading.Event()

        def close() -> None:
            # An earlier pull may have woken the thread already: the trigger is closed once it is let go of here.
            woken.wait()
            wasyncore.close_all(self._sockets)

        # In the thread of `run`, so that no socket is closed under its feet.
        trigger: Any = self._waitress.trigger
        trigger.pull_trigger(close)
        woken.set()


def _application(gateway: Gateway) -> Any:
    """The gateway as a WSGI application."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.monotonic()
        call = _call(environ)
        refused = _unfit(call)
        answer = refused or gateway.answer(call)
        bodiless = answer.status < 200 or answer.status in (204, 304)
        headers = [(name, _LINE_ENDS.sub(" ", value)) for name, value in answer.headers if _is_sent(name, bodiless)]
        if not bodiless:
            headers.append(("Content-Length", str(len(answer.body))))
        start_response(_status_line(answer.status), headers)
        if refused:
            log.info("malformed request %d", answer.status)
        elif call.headers.get("user-agent") != [OUR_OWN]:
            # Without the query: a calendar's token is in it.
            log.info("%s %s %d %d ms", call.method, call.path, answer.status, (time.monotonic() - started) * 1000)
        return [] if bodiless or call.method == "HEAD" else [answer.body]

    return application


def _call(environ: "WSGIEnvironment") -> Call:
    # PATH_INFO has been decoded; the gateway is to see the address as it was sent.
    target = re.sub(r"^https?://[^/?#]*", "", environ["REQUEST_URI"], flags=re.IGNORECASE)
    path, _, query = target.partition("?")
    names = {key: key.removeprefix("HTTP_").replace("_", "-").lower() for key in environ if _is_header(key)}
    headers = {name: [environ[key]] for key, name in names.items()}
    body, caller = environ["wsgi.input"].read(), environ["REMOTE_ADDR"]
    return Call(environ["REQUEST_METHOD"], path, query, headers, body, caller=caller)


def _unfit(call: Call) -> Answer | None:
    """The refusal of a request that a gateway would not pass on."""
    head = [call.path, call.query, *call.headers, *(value for (value,) in call.headers.values())]
    if sum(map(len, head)) > LARGEST_HEAD:
        return _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    well_formed = call.path.startswith("/") and all(_PRINTABLE.fullmatch(part) for part in head)
    if not well_formed or "host" not in call.headers:
        return _refusal(HTTPStatus.BAD_REQUEST)
    return None


def _is_header(key: str) -> bool:
    return key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")


def _is_sent(name: str, bodiless: bool) -> bool:
    """Whether a header of the app's goes out: those of the connection are the server's own."""
    return name.lower() not in OF_THE_CONNECTION and not (bodiless and name.lower() == "content-type")


def _status_line(status: int) -> str:
    return f"{status} {http.client.responses.get(status, '')}"


def _refusal(status: int) -> Answer:
    if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        detail = f"The headers may have {LARGEST_HEAD:,} bytes at most."
        return problem(status, "headers-too-large", "Headers too large", detail)
    return problem(400, "malformed-request", "Malformed request", "This is not well-formed HTTP.")


_LINE_ENDS = re.compile(r"[\r\n]+")
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")


def for_threads(app: Chalice) -> Chalice:
    """Chalice keeps the current request on the app; with many threads it must be the thread's."""
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
