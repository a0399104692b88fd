"""What does a request cost a warm instance: CPU for each, and how long it takes beside the store's own time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles
from typing import Final

from bench.builds import BARE, OURS, PLAIN_PEERS, TITLES, Contender, Instance, instance, ours, peer
from bench.report import Bars, Question, Row
from bench.stand_in import stand_in
from bench.traffic import AUTHORIZE, BOOK, GET, LIST, RESCHEDULE, Event

LATENCY_MS: Final = 5
WARM_UP: Final = 30

CALLS: Final[Mapping[str, Event]] = {"book": BOOK, "get": GET}
OUR_CALLS: Final[Mapping[str, Event]] = {**CALLS, "list": LIST, "reschedule": RESCHEDULE, "authorize": AUTHORIZE}
WORDS: Final = {
    "book": "book",
    "get": "read",
    "list": "list of 50",
    "reschedule": "reschedule",
    "authorize": "authorizer",
}

HOW: Final = f"""\
Instances of all contenders stand side by side, and take turns of some requests each against a stand-in for DynamoDB
that answers over TLS: the CPU is that of the instance's process alone, at no latency, as the median over all turns of
its ratio to the bare handler's turn right before or after. p50 and p99 are of single requests, one after another, at a
constant {LATENCY_MS} ms for each call to the store; a booking makes two calls one after the other, whoever makes them,
a reschedule three, the others one. Validation, log lines and metrics are on, the gateway's event is the same for
all."""


PARTS: Final = {
    "botocore": ("/botocore/", "/jmespath/", "/dateutil/"),
    "HTTP and TLS": ("/urllib3/", "/chalicelib/aws/", "/http/", "/email/", "/ssl.py", "/socket.py"),
    "pydantic": ("/pydantic/",),
    "Chalice": ("/chalice/",),
    "our own code": ("/chalicelib/", "/app.py"),
}
"""The libraries that a request's time goes to, by their files; the first that fits counts."""

OTHERS: Final = "the rest of Python's library"


@dataclass(frozen=True)
class Rounds:
    """How much is measured: turns, requests in a turn, and requests for the percentiles."""

    turns: int
    requests: int
    timed: int


FULL: Final = Rounds(turns=40, requests=25, timed=400)
QUICK: Final = Rounds(turns=2, requests=5, timed=10)


@dataclass(frozen=True)
class Warm:
    """One call of one contender."""

    cpu_ms: float
    against_bare: float
    p50_ms: float = 0
    p99_ms: float = 0


@contextlib.contextmanager
def _instances(contenders: Sequence[Contender], latency_ms: float) -> Iterator[list[Instance]]:
    with stand_in(latency_ms) as store, contextlib.ExitStack() as stack:
        running = [stack.enter_context(instance(contender, store)) for contender in contenders]
        for each in running:
            each.load()
        yield running


def measure(quick: bool) -> Question:
    rounds = QUICK if quick else FULL
    names = [OURS, *((BARE,) if quick else PLAIN_PEERS)]
    contenders = [ours() if name == OURS else peer(name) for name in names]
    authorizer = replace(ours(), handler="app.bearer_key")
    found: dict[tuple[str, str], Warm] = {}
    with _instances([*contenders, authorizer], latency_ms=0) as running:
        for call, event in CALLS.items():
            turns = _turns(running[:-1], event, rounds)
            bare = turns[names.index(BARE)]
            for name, took in zip(names, turns, strict=True):
                found[name, call] = Warm(median(took), median(a / b for a, b in zip(took, bare, strict=True)))
        bare_book = found[BARE, "book"].cpu_ms
        for call in OUR_CALLS.keys() - CALLS.keys():
            running_one = running[-1] if call == "authorize" else running[0]
            (took,) = _turns([running_one], OUR_CALLS[call], rounds)
            found[OURS, call] = Warm(median(took), median(took) / bare_book)
        shares = {call: _shares(running[0], event, rounds.timed) for call, event in CALLS.items()}
    with _instances([*contenders, authorizer], LATENCY_MS) as running:
        for (name, call), warm in found.items():
            one = running[-1] if call == "authorize" else running[names.index(name)]
            p50, p99 = _percentiles(one, OUR_CALLS[call], rounds.timed)
            found[name, call] = replace(warm, p50_ms=p50, p99_ms=p99)
    return _question(names, found, shares)


def _shares(running: Instance, event: Event, times: int) -> Mapping[str, float]:
    """Which part of our CPU goes to which library, by Python's profiler."""
    spent = dict.fromkeys((*PARTS, OTHERS), 0.0)
    for file, seconds in running.profile(event, times).items():
        fitting = (part for part, names in PARTS.items() if any(name in file for name in names))
        spent[next(fitting, OTHERS)] += seconds
    return {part: seconds / sum(spent.values()) for part, seconds in spent.items()}


def _turns(running: Sequence[Instance], event: Event, rounds: Rounds) -> list[list[float]]:
    """CPU milliseconds for a request, turn by turn; the order changes with every turn."""
    taken: list[list[float]] = [[] for _ in running]
    for each in running:
        _call(each, event, WARM_UP)
    for turn in range(rounds.turns):
        for place in range(len(running)):
            chosen = (place + turn) % len(running)
            taken[chosen].append(_call(running[chosen], event, rounds.requests))
    return taken


def _call(running: Instance, event: Event, times: int) -> float:
    called = running.call(event, times)
    assert called.result.get("statusCode", 200) in (200, 201), called.result
    return called.cpu_ns / 1e6 / times


def _percentiles(running: Instance, event: Event, times: int) -> tuple[float, float]:
    _call(running, event, WARM_UP)
    found = quantiles((ns / 1e6 for ns in running.call(event, times).ns), n=100)
    return found[49], found[98]


def _question(
    names: Sequence[str], found: Mapping[tuple[str, str], Warm], shares: Mapping[str, Mapping[str, float]]
) -> Question:
    table, rows = [], []
    for (name, call), warm in sorted(found.items(), key=lambda entry: list(OUR_CALLS).index(entry[0][1])):
        against = f"{warm.against_bare:.2f}" if call in CALLS else f"{warm.against_bare:.2f} of its booking"
        line = [WORDS[call], TITLES[name], f"{warm.cpu_ms:.2f}", against, f"{warm.p50_ms:.1f}", f"{warm.p99_ms:.1f}"]
        table.append(line)
        prefix = "" if name == OURS else f"{name}_"
        if call in CALLS:
            rows.append(Row(f"{prefix}{call}_cpu_vs_bare", warm.against_bare, "ratio of CPU time"))
        else:
            rows.append(Row(f"{call}_cpu_vs_bare_book", warm.against_bare, "ratio of CPU time"))
    for call, of in shares.items():
        rows.append(Row(f"{call}_cpu_share_of_botocore", of["botocore"], "share"))
    return Question(
        name="warm",
        title="What does a request cost a warm instance?",
        how=HOW,
        header=("call", "", "CPU ms", "x bare", f"p50 ms at {LATENCY_MS} ms", "p99 ms"),
        table=table,
        bars=Bars(
            [TITLES[name] for name in names],
            {WORDS[call]: [found[name, call].cpu_ms for name in names] for call in CALLS},
            "CPU ms for a request",
        ),
        rows=rows,
        notes=[
            f"Where our time goes when we {WORDS[call]}: "
            + ", ".join(f"{part} {share:.0%}" for part, share in sorted(of.items(), key=lambda entry: -entry[1]))
            + " (Python's profiler, which makes much of small functions)."
            for call, of in shares.items()
        ],
    )
