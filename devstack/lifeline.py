"""What a child process of `make run` listens to: it ends on SIGTERM, or when its parent is gone, however that went."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable


def ends_with_parent(stop: Callable[[], None]) -> None:
    """Calls `stop` in a thread when this process is told to end. Standard input is a pipe that the parent holds."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        stop()

    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, daemon=True).start())
    threading.Thread(target=wait, daemon=True).start()


def speaks_to_people(prefix: str) -> None:
    """Logs to the terminal. Of the app's and the libraries' own lines only those that warn."""
    logging.basicConfig(level=logging.INFO, format=f"  {prefix}%(message)s", stream=sys.stderr)
    for chatty in ("botocore", "boto3", "urllib3", "visits", "waitress"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
