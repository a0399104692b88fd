"""One instance of a Lambda function, as the service runs it: a fresh process that imports a handler and is then called.

Standard library only, and little of it: what this file imports is imported for every contender alike. It is told what
to be by one line of JSON on standard input, and then of each line how often to call with which event; it answers on
the descriptor that it was given. What the handler prints goes where the log goes: nowhere, but written it is.
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
    function_version = "1"
    memory_limit_in_mb = 1769
    log_group_name = "/aws/lambda/visits-bench"
    log_stream_name = "2027/01/01/[1]0"
    identity = None
    client_context = None

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:visits-bench"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def resolve_to(port: int) -> None:
    """Every name of AWS is the stand-in, so that a client finds its endpoint by itself, as it does on Lambda."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".amazonaws.com"):
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]
        return ask(host, *arguments, **options)

    socket.getaddrinfo = answer


def profiled(handler: Any, event: Any, times: int) -> dict[str, float]:
    """Seconds of CPU in the functions of every file; what is no Python counts for the function that called it."""
    import cProfile

    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    for n in range(times):
        handler(event, Context(f"request-{n}"))
    profiler.disable()
    files: dict[str, float] = {}
    for entry in profiler.getstats():
        if isinstance(entry.code, str):
            continue
        inner = sum(called.inlinetime for called in entry.calls or () if isinstance(called.code, str))
        name = entry.code.co_filename
        files[name] = files.get(name, 0) + entry.inlinetime + inner
    return files


def main() -> None:
    said = json.loads(sys.stdin.readline())
    out = os.fdopen(said["answers"], "w")
    sys.path[:0] = said["path"]
    resolve_to(said["port"])
    # The service puts a handler of its own on the root logger before it loads anything.
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))

    def answer(document: dict[str, Any]) -> None:
        print(json.dumps(document), file=out, flush=True)

    answer({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        if "load" in command:
            module, _, name = command["load"].rpartition(".")
            cpu, began = time.process_time_ns(), time.perf_counter_ns()
            handler = getattr(importlib.import_module(module), name)
            answer({"cpu_ns": time.process_time_ns() - cpu, "ns": time.perf_counter_ns() - began})
        elif "profile" in command:
            answer({"files": profiled(handler, command["profile"], command["times"])})
        else:
            event, took = command["event"], []
            cpu = time.process_time_ns()
            for n in range(command["times"]):
                began = time.perf_counter_ns()
                result = handler(event, Context(f"request-{n}"))
                took.append(time.perf_counter_ns() - began)
            answer({"cpu_ns": time.process_time_ns() - cpu, "ns": took, "result": result})


main()
