"""The command line of `make run`: brings everything up and keeps it up until Ctrl-C or SIGTERM.

Scripts wait for the line `ready: http://127.0.0.1:PORT` on standard output, and interrupt the process group.
"""

import argparse
import signal
import sys
from pathlib import Path

from tools.failure import CannotGoOn


def main() -> int:
    arguments = _arguments()
    _interrupt_once()
    try:
        # Imported only now: it takes a moment, in which an interrupt would end in a trace.
        from devstack.stack import stack

        with stack(arguments.port, arguments.aws_port, arguments.state.absolute()) as everything:
            everything.run()
    except KeyboardInterrupt:
        print("Stopped; the data is kept.", flush=True)
    except CannotGoOn as why:
        print(why, file=sys.stderr, flush=True)
        return 1
    return 0


def _interrupt_once() -> None:
    """SIGINT and SIGTERM both end the run; once it is ending, they no longer disturb it."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("\nStopping ...", flush=True)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description="Runs everything on this machine.")
    parser.add_argument("--port", type=_port, default=8000, help="where the API listens")
    parser.add_argument("--aws-port", type=_port, default=4566, help="where the embedded AWS listens")
    parser.add_argument("--state", type=Path, default=Path(".state"), help="where the data is kept")
    return parser.parse_args()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port: 1 to 65535, or 0 for any free one")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
