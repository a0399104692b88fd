"""An address for the API that is deployed on the emulator, as every API has one at AWS.

The emulator's gateway tells its APIs apart by their names, and those lead nowhere. So here somebody listens who hands
on what comes, with the name that the gateway wants; nothing else is changed, and links lead back here.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.e2e.caller import PATIENCE_SECONDS
from tools.project import HOST

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Crowd(ThreadingHTTPServer):
    """Takes as many callers at the same moment as a test sends."""

    request_queue_size = 64


@contextlib.contextmanager
def address_of(behind: str, host: str) -> Iterator[str]:
    """Where the API's paths begin, while the block runs."""
    gateway = httpx.URL(behind)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            behind = http.client.HTTPConnection(gateway.host, gateway.port, timeout=PATIENCE_SECONDS)
            with contextlib.closing(behind):
                behind.request(self.command, self.path, body or None, sent | {"Host": host})
                answer = behind.getresponse()
                content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with Crowd((HOST, 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}{gateway.path}"
        finally:
            server.shutdown()
            thread.join()
