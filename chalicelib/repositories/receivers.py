"""The receivers of webhooks, out on the internet: the one place that calls an address which somebody gave us.

The host is looked up once, every address found must be public, and the connection goes to one that was checked: a name
that changes its mind in between leads nowhere. Redirects are not followed, and of an answer little is read.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.domain.webhooks import Answer, check_url, is_public

TIMEOUT_SECONDS: Final = 10
MOST_BYTES_OF_ANSWER: Final = 1024
HTTPS: Final = 443

Resolve = Callable[..., list[Any]]
"""As `socket.getaddrinfo`."""


class Receivers:
    """Receivers on the public internet, over TLS."""

    def __init__(self, resolve: Resolve = socket.getaddrinfo) -> None:
        self._resolve = resolve

    def check(self, url: str) -> None:
        """Raises InvalidInput for an address that is never called."""
        check_url(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Whatever goes wrong out there is an answer too."""
        parts = urlsplit(url)
        host = str(parts.hostname)
        try:
            found = [address[4][0] for address in self._resolve(host, HTTPS, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError):  # the latter where it cannot be a name
            return Answer("host unknown")
        if not found or not all(is_public(address) for address in found):
            return Answer("not a public address")
        return _sent(_Pinned(host, found[0], self._trust), parts.path or "/", parts.query, headers, body)

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()


class ReceiversOnThisMachine(Receivers):
    """Those of development: `http://127.0.0.1:<port>/...` too, and nowhere else unencrypted."""

    def check(self, url: str) -> None:
        if not _is_here(url):
            super().check(url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if not _is_here(url):
            return super().post(url, headers, body)
        parts = urlsplit(url)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=TIMEOUT_SECONDS)
        return _sent(connection, parts.path or "/", parts.query, headers, body)


class _Pinned(http.client.HTTPSConnection):
    """Connects to an address that was looked at; the name stays for TLS and `Host`."""

    def __init__(self, host: str, address: str, trust: ssl.SSLContext) -> None:
        super().__init__(host, HTTPS, timeout=TIMEOUT_SECONDS, context=trust)
        self._address, self._trust = address, trust

    def connect(self) -> None:
        plain = socket.create_connection((self._address, HTTPS), TIMEOUT_SECONDS)
        # Known before the handshake, so that it can be hung up on then too.
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


def _is_here(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (parts.scheme, parts.hostname, parts.username) == ("http", "127.0.0.1", None) and bool(parts.port)
    except ValueError:
        return False


def _sent(
    connection: http.client.HTTPConnection, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    # The timeout of a socket is for each piece; this is for all of them.
    late = threading.Event()
    cut = threading.Timer(TIMEOUT_SECONDS, _hang_up, [connection, late])
    cut.start()
    try:
        connection.request("POST", f"{path}?{query}" if query else path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(MOST_BYTES_OF_ANSWER)
        after = answer.headers.get("Retry-After", "")
        wait = int(after) if after.isascii() and after.isdigit() and len(after) < 7 else None
        return Answer(str(answer.status), answer.status, wait)
    except (OSError, http.client.HTTPException, ValueError) as fault:
        in_time = not isinstance(fault, TimeoutError) and not late.is_set()
        return Answer(type(fault).__name__ if in_time else "no answer in time")
    finally:
        cut.cancel()
        connection.close()


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
