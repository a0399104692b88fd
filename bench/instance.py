"""One instance of a Lambda function, as the service runs it: a fresh process that imports a handler and is then called.

Standard library only, and little of it: every rival imports it. A first line of JSON on standard input says what to be,
each line after it how often to call with which event; the answers go to the descriptor that it names.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import socket
import sys
import time
from typing import Any


class Context:
    """What the service hands to a handler beside the event."""

    function_name = "visits-bench"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:visits-bench"

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id

    def get_remaining_time_in_millis(self) -> int:
        return 290_000


def resolve_to(port: int) -> None:
    """Every name of AWS is the stand-in, so that a client finds its endpoint by itself, as it does on Lambda."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".amazonaws.com"):
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]
        return ask(host, *arguments, **options)

    socket.getaddrinfo = answer


def main() -> None:
    said = json.loads(sys.stdin.readline())
    out = os.fdopen(said["answers"], "w")
    sys.path[:0] = said["path"]
    resolve_to(said["port"])
    # The service puts a handler of its own on the root logger before it loads anything.
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    module, _, name = said["handler"].rpartition(".")
    print("{}", file=out, flush=True)
    for line in sys.stdin:
        command, result = json.loads(line), None
        cpu, began = time.process_time_ns(), time.perf_counter_ns()
        handler = getattr(importlib.import_module(module), name)
        for n in range(command["times"]):
            result = handler(command["event"], Context(f"request-{n}"))
        took = {"cpu_ns": time.process_time_ns() - cpu, "wall_ns": time.perf_counter_ns() - began}
        print(json.dumps(took | {"result": result}), file=out, flush=True)


main()
