"""Textract for tests: its protocol over HTTP, in front of whatever a test has it answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from devstack.server import Server, listen
from devstack.textract.service import Recognise, Textract
from tools.project import HOST


@contextlib.contextmanager
def standing_in(recognise: Recognise) -> Iterator[str]:
    """Gives the address."""
    listener = listen(0)
    server = Server(listener, Textract(recognise))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
