"""A world of one thread: a clock that only moves when nobody has anything to do, and actors who take turns.

Each actor runs on a thread of its own, but only whoever holds the baton runs: an actor who waits, for an answer or in
a pause, hands it on to whoever is due next. What is due when is the only order there is, so that one seed makes one
history.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime
from random import Random
from threading import Lock, Thread
from typing import Any, Final

LONGEST: Final = 3600.0
"""Nobody is at work for longer than this; whoever seems to be is stuck."""


class Violated(BaseException):
    """Something that must always hold does not. Nothing that is tested takes it for a fault of its own."""


class Gone(BaseException):
    """The process in which this ran has died: nothing of what it would have done happens."""


class Actor:
    """Somebody who does one thing: a request in a Lambda function, a batch in a worker, an operator's command."""

    def __init__(self, name: str, rng: Random, body: Callable[[], None]) -> None:
        self.name = name
        self.rng = rng
        self.body = body
        self.began = 0.0
        self.thread: _Thread | None = None
        self.dead = False
        self.killed_after = LONGEST
        """What Lambda gives it."""
        self.sends = 0
        self.step: Any = None
        """What it is about; `invariants` asks what it may do."""
        self.doing: Any = None
        self.services: Any = None
        self.request: Any = None


class World:
    def __init__(self, start: datetime) -> None:
        self.now = start.timestamp()
        self._told: list[tuple[float, str]] = []
        self.actor: Actor | None = None
        self.at_work = 0
        self._due: list[tuple[float, int, Actor | Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._limit = self.now
        self._main = Lock()
        self._main.acquire()
        self._failure: BaseException | None = None

    def clock(self) -> datetime:
        return datetime.fromtimestamp(int(self.now), UTC)

    def monotonic(self) -> float:
        return self.now

    def tell(self, what: str) -> None:
        self._told.append((self.now, what))

    @property
    def history(self) -> list[str]:
        return [f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S.%f}"[:-3] + f"  {what}" for at, what in self._told]

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Something that nobody waits for."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), action))

    def start(self, actor: Actor) -> None:
        self.at_work += 1
        actor.began = self.now
        heapq.heappush(self._due, (self.now, next(self._numbers), actor))

    def pause(self, seconds: float) -> None:
        """The actor waits, and others go on."""
        actor = self.actor
        assert actor is not None
        if actor.dead:
            raise Gone
        if self.now - actor.began > LONGEST:
            raise Violated(f"{actor.name} comes to no end")
        if self.now - actor.began > actor.killed_after:
            actor.dead = True
            raise Gone
        due = self.now + seconds
        if due <= self._limit and (not self._due or due < self._due[0][0]):
            self.now = due
            return
        heapq.heappush(self._due, (due, next(self._numbers), actor))
        assert actor.thread is not None
        self._main.release()
        actor.thread.baton.acquire()
        if actor.dead:
            raise Gone

    def run(self, seconds: float) -> None:
        """Lets so much time pass."""
        when = self._limit = self.now + seconds
        while self._due and self._due[0][0] <= when:
            self._next()
        self.now = max(self.now, when)

    def settle(self) -> None:
        """Until nobody is at work any more."""
        self._limit = math.inf
        while self.at_work:
            self._next()

    def end(self) -> None:
        """Whoever is still at work stops where it stands."""
        for _, _, waiting in self._due:
            if isinstance(waiting, Actor):
                waiting.dead = True
                if waiting.thread is not None:
                    self._resume(waiting)
        self._due.clear()

    def _next(self) -> None:
        at, _, next_up = heapq.heappop(self._due)
        self.now = max(self.now, at)
        if isinstance(next_up, Actor):
            self._resume(next_up)
            if self._failure is not None:
                raise self._failure
        else:
            next_up()

    def _resume(self, actor: Actor) -> None:
        if actor.thread is None:
            actor.thread = _idle.pop() if _idle else _Thread()
            actor.thread.work = lambda: self._perform(actor)
            actor.thread.done = self._main
        self.actor = actor
        actor.thread.baton.release()
        self._main.acquire()
        self.actor = None

    def _perform(self, actor: Actor) -> None:
        try:
            Context().run(actor.body)
        except Gone:
            pass
        except BaseException as failure:
            self._failure = self._failure or failure
        finally:
            self.at_work -= 1


class _Thread:
    """A thread that waits for the baton, does what it is given, and is free for another actor."""

    def __init__(self) -> None:
        self.baton = Lock()
        self.baton.acquire()
        self.work: Callable[[], None]
        self.done: Lock
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.baton.acquire()
            self.work()
            _idle.append(self)
            self.done.release()


_idle: list[_Thread] = []
