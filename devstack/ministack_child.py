"""Runs ministack inside its own virtual environment; started by `devstack/emulator.py`, never by hand.

It holds a lifeline: standard input is a pipe whose other end the parent keeps open. When the parent is gone,
however it went, the pipe ends and the emulator stops as cleanly as on SIGTERM, so it can never be orphaned
and its state is saved.

ministack saves on a clean stop only, service by service. Here it also saves every few seconds, all services as they
were at one moment, into a folder of its own that appears whole or not at all: after `kill -9` the next run has what
there was a moment before.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SAVE_SECONDS = float(os.environ.get("SAVE_SECONDS", "15"))
MOST_OF_THE_TIME = 20
"""A save that takes long is followed by a pause this many times as long."""
KEPT = 2
VARIABLE = re.compile(r"\$\{([^}]+)\}")


class Saves:
    """The states in a folder, the newest last; each is a folder that is named by its number."""

    def __init__(self, folder: Path, as_json: Callable[[object], Any]) -> None:
        self._folder = folder
        self._as_json = as_json
        self._written = ""
        self._lock = threading.Lock()
        self.newest = next((save for save in reversed(self._all()) if _is_whole(save)), None)
        self._number = max((int(save.name) for save in self._all()), default=0)

    def number(self) -> int:
        """Of the next save: taken with the states, so that older ones are never written over newer."""
        with self._lock:
            self._number += 1
            return self._number

    def write(self, number: int, states: Mapping[str, object]) -> None:
        """Writes them beside and renames, unless nothing has changed since, or newer ones are there."""
        texts = self._texts(states)
        content = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in sorted(texts.items())).encode())
        with self._lock:
            if content.hexdigest() == self._written or (self.newest and int(self.newest.name) > number):
                return
            beside, save = self._folder / f"{number}.beside", self._folder / str(number)
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            for name, text in texts.items():
                with (beside / f"{name}.json").open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
            for before in self.newest.glob("*.json") if self.newest else ():
                with contextlib.suppress(FileExistsError):  # of a service that has nothing to say this time
                    os.link(before, beside / before.name)
            beside.rename(save)
            self.newest, self._written = save, content.hexdigest()
            for old in self._all()[:-KEPT]:
                shutil.rmtree(old, ignore_errors=True)

    def _texts(self, states: Mapping[str, object]) -> dict[str, str]:
        texts = {}
        for name, state in states.items():
            try:
                texts[name] = json.dumps(state, default=self._as_json)
            except (TypeError, ValueError) as why:
                print(f"{name} cannot be saved: {why}", file=sys.stderr)
        return texts

    def _all(self) -> list[Path]:
        found = [path for path in self._folder.glob("*") if path.name.isdigit()]
        return sorted(found, key=lambda path: int(path.name))


def _is_whole(save: Path) -> bool:
    try:
        return all(json.loads(file.read_bytes()) for file in save.glob("*.json"))
    except (OSError, ValueError):
        print(f"{save} is damaged: using the one before", file=sys.stderr)
        return False


def save_often(folder: Path) -> None:
    """Makes ministack load the newest whole save, save there when it stops, and every few seconds until then."""
    from ministack import app
    from ministack.core import persistence

    def as_json(state: object) -> Any:
        return persistence._json_default(state)

    def load(service: str) -> Any:
        # Without a save, what ministack's own way of saving has left.
        if saves.newest is None:
            return load_state(service)
        persistence.STATE_DIR = str(saves.newest)
        try:
            return load_state(service)
        finally:
            persistence.STATE_DIR = str(folder)

    def states(services: Mapping[str, Callable[[], object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, get_state in services.items():
            try:
                state = get_state()
            except Exception as why:  # one service must not keep the others from being saved
                print(f"{name} cannot be saved: {why}", file=sys.stderr)
                continue
            if state is not None:
                version = persistence._state_format_version(name)
                found[name] = {"__ministack_format__": version, "payload": state}
        return found

    def save_all(services: Mapping[str, Callable[[], object]]) -> None:
        saves.write(saves.number(), states(services))

    async def at_one_moment() -> tuple[int, dict[str, object]]:
        # On the loop that serves the requests: none of them is half done.
        return saves.number(), states(app._build_persistence_save_dict())

    def save_again_and_again() -> None:
        pause = SAVE_SECONDS
        while True:
            time.sleep(pause)
            if app._MAIN_LOOP is None:
                continue
            began = time.monotonic()
            try:
                saves.write(*asyncio.run_coroutine_threadsafe(at_one_moment(), app._MAIN_LOOP).result())
            except Exception as why:  # a full disk, say: the next time may go better
                print(f"The state was not saved: {why}", file=sys.stderr)
            pause = max(SAVE_SECONDS, MOST_OF_THE_TIME * (time.monotonic() - began))

    load_state = app.load_state
    saves = Saves(folder / "saves", as_json)
    app.load_state, app.save_all = load, save_all
    threading.Thread(target=save_again_and_again, daemon=True).start()


def fill_in_policy_variables() -> None:
    """ministack compares `${aws:PrincipalAccount}` in a condition as it is written; IAM puts the request's value there:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    from ministack.core import iam_evaluator as iam

    def filled_in(values: object, about: Any) -> list[str]:
        written = values if isinstance(values, list) else [values]
        return [
            VARIABLE.sub(lambda name: str(iam._resolve_condition_key(name[1], about)), str(each)) for each in written
        ]

    def conditions_met(conditions: Mapping[str, Any], about: Any) -> bool:
        return bool(
            decide(
                {
                    operator: {key: filled_in(values, about) for key, values in keys.items()}
                    for operator, keys in conditions.items()
                },
                about,
            )
        )

    decide = iam._conditions_met
    iam._conditions_met = conditions_met


def keep_groups() -> None:
    """Makes a token that was refreshed have the person's groups of the moment, as Cognito's has; ministack's has none.

    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-refresh-token.html
    """
    from ministack.services import cognito

    make_token = cognito._fake_token

    def with_groups(*given: Any, **more: Any) -> Any:
        if not more.get("groups") and more.get("username"):
            pool = cognito._get_pool_unscoped(given[1]) or {"_users": {}}
            more["groups"] = list(pool["_users"].get(more["username"], {}).get("_groups", []))
        return make_token(*given, **more)

    cognito._fake_token = with_groups


def unpack_once() -> None:
    """ministack unpacks a function's zip and its layers anew for each process of the function, and again after each
    failure of one, which takes longer than the rest of a cold start. Here all processes share what is unpacked, and the
    bytecode that the first of them writes.
    """
    from ministack.core import lambda_runtime

    unpacked, lock = Path(tempfile.gettempdir(), "unpacked"), threading.Lock()

    class Shared(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            whole = unpacked / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            with lock:
                if not whole.exists():
                    beside = whole.with_suffix(".beside")
                    super().extractall(beside)
                    beside.rename(whole)
            Path(path).rmdir()
            Path(path).symlink_to(whole)

    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": Shared})


def make_functions_ready_at_once() -> None:
    """ministack lets half a second pass after each change of a function, since AWS takes its time."""
    from ministack.services import lambda_svc

    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0


def stop_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    # Imported before the thread starts: stopping in the middle of an import would leave a trace on the terminal.
    from ministack.app import main as run_ministack

    fill_in_policy_variables()
    unpack_once()
    make_functions_ready_at_once()
    if os.environ.get("PERSIST_STATE") == "1":
        save_often(Path(os.environ["STATE_DIR"]))
    keep_groups()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    run_ministack()


if __name__ == "__main__":
    main()
