"""The connections over which botocore's requests are sent, kept open, and trusting one set of authorities.

botocore has an event for this, `before-send`: who answers it with a response fulfils the request. Its own sender
reads all 130 authorities for every connection that it opens, and takes twice as long for each request.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

HEADING: Final = "# Issuer: "
AMAZONS: Final = ("CN=Amazon Root CA", "CN=Starfield Services Root Certificate Authority")
"""How the bundle names the authorities that sign for AWS's own addresses."""


class _Body:
    """A body that has been read, as AWSResponse wants it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content

    def read(self, _: int | None = None) -> bytes:
        """The rest of it, which is all at first: as a caller reads an object of S3."""
        content, self._content = self._content, b""
        return content


class _InOneWrite(http.client.HTTPConnection):
    """Gives head and body of a request to the network together, where `http.client` makes two writes of them."""

    def request(self, *arguments: Any, **named: Any) -> None:
        self._written: list[bytes] = []
        super().request(*arguments, **named)
        super().send(b"".join(self._written))

    def send(self, data: Any) -> None:
        self._written.append(data)


class _InOneTlsWrite(_InOneWrite, http.client.HTTPSConnection):
    pass


class Connections:
    """Sends requests over connections that are free, and opens one when there is none. For any number of threads."""

    def __init__(self, authorities: str, connect_timeout: float, read_timeout: float) -> None:
        self._authorities = authorities
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        # The last one used is the next to be used, and a deque needs no lock.
        self._free: deque[http.client.HTTPConnection] = deque()
        self._context: ssl.SSLContext | None = None
        self._trusts_all = False

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Answers `before-send`. Raises what botocore's own sender would, so that the same faults are retried."""
        url = urlsplit(request.url)
        # The stubs allow for more than the JSON, or the bytes of an object, that our services are sent.
        body: Any = request.body
        headers: Any = request.headers
        connection = self._connection(url)
        try:
            connection.request(request.method, url.path or "/", body, headers)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=request.url, request=request, error=error) from error
        except BaseException:
            connection.close()
            raise
        if not response.will_close:
            self._free.append(connection)
        answered: Any = dict(response.getheaders())
        return AWSResponse(request.url, response.status, answered, _Body(content))

    def rehearse(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """In the place of `send`: has all that sending takes but a connection, and answers that there is nothing."""
        self._trust()
        "host".encode("idna")  # by which Python looks up a name
        headers: Any = {}
        return AWSResponse(request.url, 200, headers, _Body(b"{}"))

    def close(self) -> None:
        """Closes what is free."""
        while self._free:
            self._free.pop().close()

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        while True:
            try:
                connection = self._free.pop()
            except IndexError:
                return self._opened(url)
            if not _dropped(connection):
                return connection
            connection.close()

    def _opened(self, url: SplitResult) -> http.client.HTTPConnection:
        address = f"{url.scheme}://{url.netloc}"
        try:
            connection = self._trusted(url)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=address, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=address, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=address, error=error) from error
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.settimeout(self._read_timeout)
        return connection

    def _trusted(self, url: SplitResult) -> http.client.HTTPConnection:
        try:
            return self._connected(url)
        except ssl.SSLCertVerificationError:
            if self._trusts_all:
                raise
        self._trust_all()
        return self._connected(url)

    def _connected(self, url: SplitResult) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        host = url.hostname or ""
        if url.scheme == "https":
            connection = _InOneTlsWrite(host, url.port, timeout=self._connect_timeout, context=self._trust())
        else:
            connection = _InOneWrite(host, url.port, timeout=self._connect_timeout)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        """At first only Amazon's authorities out of the bundle: to read them all is a sixth of a cold start."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if first := _of_amazon(Path(self._authorities).read_text(encoding="utf-8")):
                context.load_verify_locations(cadata=first)
            self._context = context
        return self._context

    def _trust_all(self) -> None:
        """Whoever else is in the bundle is trusted too, once somebody else's signature is met."""
        self._trust().load_verify_locations(cafile=self._authorities)
        self._trusts_all = True


def _of_amazon(bundle: str) -> str:
    return "\n".join(part for part in bundle.split(HEADING) if part.startswith(AMAZONS))


def _dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the other side has closed it: nothing is due on a free connection, so what is to be read is its end."""
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return bool(waiting.poll(0))
