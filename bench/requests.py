"""What our package costs against the peers': a cold start, a request of a warm instance, a batch of rows, the zip."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from bench.builds import BARE, Contender, Instance, loader, ours, peer, with_bytecode
from bench.rows import FULL, Figures, Question, Row, Scale
from bench.samples import BOOK, MONTH_OF_SLOTS, READ, WEEK_OF_SLOTS, Event, batch
from bench.stand_in import StandIn, stand_in
from chalicelib.domain.intakes import ROWS_IN_CHUNK

COUNTED: Final = re.compile(r"Collected : (\d+)")


def cold_rows(scale: Scale) -> Iterator[Row]:
    plain = [peer(name) for name in scale.peers]
    contenders = [*plain, *map(with_bytecode, plain), ours()]
    with stand_in() as store:
        yield Row("time", {each.name: partial(_started, each, store) for each in contenders}, BARE, scale.turns)
        if scale.counter:
            under = (scale.counter, "--tool=callgrind", "--callgrind-out-file=/dev/null")
            yield Row("work", {each.name: partial(_counted, each, store, under) for each in contenders}, BARE)
        first: dict[str, Callable[[], Figures]] = {
            BARE: partial(_first, peer(BARE), store),
            "ours": partial(_first, ours(), store),
            "ours, restored": partial(_first, ours(), store, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start"),
        }
        yield Row("first answer of what is loaded", first, BARE, scale.turns)


def _started(contender: Contender, store: StandIn) -> Figures:
    with Instance(contender, store) as fresh:
        load, first = fresh.call(None)["cpu_ns"] / 1e6, _called(fresh, BOOK, 1)["CPU ms"]
    return {"import, CPU ms": load, "first answer, CPU ms": first, "both, CPU ms": load + first}


def _first(contender: Contender, store: StandIn, **own: str) -> Figures:
    with Instance(contender, store, **own) as fresh:
        fresh.call(None)
        return _called(fresh, BOOK, 1)


def _counted(contender: Contender, store: StandIn, under: Sequence[str]) -> Figures:
    fresh = Instance(contender, store, under)
    _called(fresh, BOOK, 1)
    (counted,) = COUNTED.findall(fresh.end())
    return {"both, M instructions": int(counted) / 1e6}


def warm_rows(scale: Scale) -> Iterator[Row]:
    contenders = [*(peer(name) for name in scale.peers), ours()]
    with stand_in() as store, contextlib.ExitStack() as stack:
        running = {each.name: stack.enter_context(Instance(each, store)) for each in contenders}
        for name, event in (("book", BOOK), ("read", READ)):
            yield Row(
                name, {rival: _warm(each, event, scale.requests) for rival, each in running.items()}, BARE, scale.turns
            )


def slots_rows(scale: Scale) -> Iterator[Row]:
    events = {"a visit": READ, "a week": WEEK_OF_SLOTS, "31 days": MONTH_OF_SLOTS}
    with stand_in() as store, Instance(ours(), store) as running:
        rivals = {name: _warm(running, event, scale.requests) for name, event in events.items()}
        yield Row("read", rivals, "a visit", scale.turns)


def _warm(running: Instance, event: Event, requests: int) -> Callable[[], Figures]:
    _called(running, event, requests // 2)
    return partial(_called, running, event, requests)


def _called(running: Instance, event: Event, times: int) -> Figures:
    called = running.call(event, times)
    assert called["result"]["statusCode"] in (200, 201), called
    return {"CPU ms": called["cpu_ns"] / 1e6 / times}


def intake_rows(scale: Scale) -> Iterator[Row]:
    contenders = (loader(), Contender("worker", ours().folder, "app.work_off_queue"))
    for latency in (0, 5):
        with stand_in(latency) as store, contextlib.ExitStack() as stack:
            running = {each.name: stack.enter_context(Instance(each, store)) for each in contenders}
            for each in running.values():
                _worked_off(each, 1)  # connections
            rivals = {name: partial(_worked_off, each, scale.messages) for name, each in running.items()}
            yield Row(f"at {latency} ms", rivals, loader().name, scale.turns)


def _worked_off(running: Instance, messages: int) -> Figures:
    called = running.call(batch(messages, ROWS_IN_CHUNK))
    assert called["result"] in (None, {"batchItemFailures": []}), called
    rows = messages * ROWS_IN_CHUNK
    return {"rows/s": rows / called["wall_ns"] * 1e9, "rows per CPU second": rows / called["cpu_ns"] * 1e9}


def package_rows(scale: Scale) -> Iterator[Row]:
    contenders = [*(peer(name) for name in scale.peers), ours()]
    yield Row("package", {each.name: partial(_sized, each) for each in contenders}, None)


def _sized(contender: Contender) -> Figures:
    with zipfile.ZipFile(contender.zip_file) as opened:
        spread = sum(file.file_size for file in opened.infolist())
    return {"zip, KB": contender.zip_file.stat().st_size / 1e3, "unpacked, KB": spread / 1e3}


COLD: Final = Question(
    "How long is a cold start?",
    "A fresh process imports the unpacked package and answers its first `POST /visits`: boto3 is the runtime's, names\n"
    "of AWS resolve to a stand-in that answers over TLS. Instructions (callgrind) are those of the whole process.\n"
    "What is restored (SnapStart) was loaded before its snapshot, so its first answer is all that is left.",
    cold_rows,
)
WARM: Final = Question(
    "What does a request cost a warm instance?",
    f"Instances take turns of {FULL.requests} requests against the stand-in; the CPU is that of the instance's\n"
    "process.",
    warm_rows,
)
SLOTS: Final = Question(
    "What do free slots cost?",
    "One instance reads in turns a visit, the slots of a week of office hours with half of the time taken, and all\n"
    "2,976 slots of 31 days around the clock.",
    slots_rows,
)
INTAKE: Final = Question(
    "How fast are rows worked off?",
    f"A batch of {FULL.messages} messages with {ROWS_IN_CHUNK} rows. The worker books each row as a request does.\n"
    "Single puts are the least that a loader could do: the same rows, read by the same code, one conditional put\n"
    "after the other on a boto3 client, without property, slots or outcomes.",
    intake_rows,
)
ZIPS: Final = "The zip of `make package`, with its bytecode, and the peers' as pip makes them."
PACKAGE: Final = Question("How large is the package?", ZIPS, package_rows)
