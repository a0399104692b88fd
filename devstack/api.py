"""The API of `make run`: a child process that serves the app, with console and mailbox before it."""

import argparse
import os
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from chalice.app import Chalice
from chalice.cli.factory import CLIFactory
from chalice.config import Config

from devstack.console import Console
from devstack.gateway import AppGateway, BrokenApp, Gateway
from devstack.lifeline import ends_with_parent, speaks_to_people
from devstack.mailbox import Mailbox
from devstack.server import Server, for_threads
from tools.deliver.booking_page import Agency
from tools.project import ROOT

STAGE = "local"


def load_app(stage: str = STAGE, environment: Mapping[str, str] | None = None) -> tuple[Chalice, Config]:
    """Loads app.py with the stage's environment variables, `environment` taking precedence over them."""
    factory = CLIFactory(str(ROOT), environ=os.environ)
    config = factory.create_config_obj(chalice_stage_name=stage)
    os.environ.update(config.environment_variables)
    os.environ.update(environment or {})
    return factory.load_chalice_app(), config


def main() -> None:
    """A child of `make run`: serves on a socket that the parent opened, until SIGTERM or the parent's end."""
    parser = argparse.ArgumentParser(prog="devstack.api", description=__doc__)
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--aws", required=True, help="endpoint of the embedded AWS")
    parser.add_argument("--mail", type=Path, required=True, help="folder of the mails that were sent")
    parser.add_argument("--config", type=Path, required=True, help="the console's config.json: where people sign in")
    arguments = parser.parse_args()
    speaks_to_people("")
    gateway: Gateway
    try:
        app, config = load_app(environment={"AWS_ENDPOINT_URL": arguments.aws})
        gateway = Mailbox(AppGateway(for_threads(app), config), arguments.mail)
    except Exception:
        traceback.print_exc()
        print("The app does not load. Waiting for the next change.", file=sys.stderr, flush=True)
        gateway = BrokenApp()
    parents = os.environ.get("BOOKING_PARENTS", "")
    agency = Agency.of(os.environ)
    console = Console(gateway, arguments.config, uploads=arguments.aws, parents=parents, agency=agency)
    server = Server(socket.socket(fileno=arguments.listener), console)
    ends_with_parent(server.stop)
    server.run()


if __name__ == "__main__":
    main()
