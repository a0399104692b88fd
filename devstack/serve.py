"""The container image's other command: the API over HTTP, in front of whatever AWS the environment names.

`docker run --entrypoint python3 <image> /opt/serve`. It serves the API alone: no console, no worker, no mails.
"""

import importlib
import os
import signal
import threading

from chalice.config import Config

from devstack.gateway import AppGateway
from devstack.lifeline import speaks_to_people
from devstack.server import Server, for_threads, listen

EVERYWHERE = "0.0.0.0"
"""Of the container, which has its own network; what is published of it says who starts it."""


def main() -> None:
    speaks_to_people("")
    # Where there is a package there is an app; here nothing else of the project is.
    app = for_threads(importlib.import_module("app").app)
    listener = listen(int(os.environ.get("PORT", "8000")), EVERYWHERE)
    server = Server(listener, AppGateway(app, Config()))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.stop).start())
    print(f"ready: port {listener.getsockname()[1]}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
