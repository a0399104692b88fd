"""Runs ministack inside its own virtual environment; started by `devstack/emulator.py`, never by hand.

It holds a lifeline: standard input is a pipe whose other end the parent keeps open. When the parent is gone,
however it went, the pipe ends and the emulator stops as cleanly as on SIGTERM, so it can never be orphaned
and its state is saved.
"""

import os
import signal
import sys
import threading


def stop_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    # Imported before the thread starts: stopping in the middle of an import would leave a trace on the terminal.
    from ministack.app import main as run_ministack

    threading.Thread(target=stop_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    run_ministack()


if __name__ == "__main__":
    main()
