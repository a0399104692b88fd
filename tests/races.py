"""Callers that all come at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx

Call = Callable[[], httpx.Response]


def at_once(calls: Iterable[Call]) -> list[httpx.Response]:
    """The answers to calls that were all released at the same moment, each in a thread of its own."""
    waiting = list(calls)
    start = threading.Barrier(len(waiting))

    def run(call: Call) -> httpx.Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(run, waiting))
