"""The use cases of a visit: book, change, change status, erase. HTTP and the queue call the same ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from chalicelib.domain import patience
from chalicelib.domain.errors import HandedIn, StoreBusy, VersionMismatch, VisitNotFound
from chalicelib.domain.premises import Judge, Premises, strictly
from chalicelib.domain.visits import BookVisit, ChangeVisit, Origin, Party, Status, Visit

if TYPE_CHECKING:
    from chalicelib.domain.agents import Agent
    from chalicelib.domain.idempotency import IdempotencyKey, IdempotencyRecord
    from chalicelib.services.idempotency import Idempotency, Outcome
    from chalicelib.services.ports import Clock, NewId, VisitStore

T = TypeVar("T")

Check = Callable[[Visit], None]
"""Raises what is to be refused once the present state of the visit is known."""

Move = Callable[[Premises, Visit, Visit, datetime], Visit]
"""What becomes of a visit that is moved, from how it was to how it would be. Raises what is to be refused of it."""

Expected = frozenset[int] | None
"""The versions that the caller is willing to change; None for any."""

ATTEMPTS = 16
"""How often a change without an expected version is tried while others change the visit: for about three seconds."""


def nothing_to_check(_: Visit) -> None:
    """Whatever the visit is like."""


def only_moved(_premises: Premises, _before: Visit, after: Visit, _now: datetime) -> Visit:
    """It stays what it was, at another time."""
    return after


class ReadOnce(Generic[T]):
    """Things as they were when they were first asked for. For one batch: the next must see what has changed."""

    def __init__(self, find: Callable[[str], T]) -> None:
        self._find = find
        self._found: dict[str, T] = {}
        self._reading: dict[str, Lock] = {}

    def __call__(self, id: str) -> T:
        with self._reading.setdefault(id, Lock()):
            if id not in self._found:
                self._found[id] = self._find(id)
            return self._found[id]


class Visits:
    """Writes visits, whoever asks for it; the slots and the version decide who of those that meet comes first."""

    def __init__(
        self,
        find_premises: Callable[[str], Premises],
        find_agent: Callable[[str], Agent | None],
        visits: VisitStore,
        once: Idempotency,
        clock: Clock,
        new_id: NewId,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._find_premises = find_premises
        self._find_agent = find_agent
        self._visits = visits
        self._once = once
        self._clock = clock
        self._new_id = new_id
        self._sleep = sleep

    def get(self, visit_id: str) -> Visit:
        return self._visits.get(visit_id)

    def find(self, visit_id: str) -> Visit | None:
        try:
            return self._visits.get(visit_id)
        except VisitNotFound:
            return None

    def book(
        self,
        command: BookVisit,
        key: IdempotencyKey | None = None,
        judge: Judge = strictly,
        by: str | None = None,
    ) -> Outcome[Visit]:
        """Books one visit and holds its slots, or raises SlotTaken. Retrying with the same key books nothing twice."""
        visit_id = self._new_id()

        def attempt(once: IdempotencyRecord | None) -> Visit:
            return self._book(command, visit_id, None, once, judge, by)

        return self._once.run(key, visit_id, attempt, recall=self._recalled)

    def _recalled(self, visit_id: str) -> Visit:
        """The visit of an earlier request; one that was handed in may not be booked yet, or never will be."""
        visit = self.find(visit_id)
        if visit is None:
            raise HandedIn
        return visit

    def for_a_batch(self) -> Visits:
        """The same use cases for rows that are worked off together: each property and agent is read once."""
        return Visits(
            ReadOnce(self._find_premises),
            ReadOnce(self._find_agent),
            self._visits,
            self._once,
            self._clock,
            self._new_id,
            self._sleep,
        )

    def book_row(self, command: BookVisit, visit_id: str, origin: Origin, by: str | None = None) -> Visit:
        """Books a row of an intake under the id that follows from it. Raises VisitExists when it was booked before."""
        return self._book(command, visit_id, origin, None, strictly, by)

    def _book(
        self,
        command: BookVisit,
        visit_id: str,
        origin: Origin | None,
        once: IdempotencyRecord | None,
        judge: Judge,
        by: str | None,
    ) -> Visit:
        premises, now = self._find_premises(command.property_id), self._clock()
        wanted = premises.property.receive(command, visit_id, now, origin, by)
        visit = premises.admit(wanted, self._agent_of(wanted), now, judge)
        self._visits.add(visit, premises.property.details.capacity, once)
        return visit

    def _agent_of(self, visit: Visit) -> Agent | None:
        return self._find_agent(visit.agent_id) if visit.agent_id is not None else None

    def change(
        self,
        visit_id: str,
        change: ChangeVisit,
        expected: Expected,
        check: Check = nothing_to_check,
        judge: Judge = strictly,
        by: str | None = None,
        move: Move = only_moved,
    ) -> Visit:
        """Applies a merge patch; a new date reschedules and keeps the id."""

        def revise(visit: Visit) -> Visit:
            check(visit)
            premises, now = self._find_premises(visit.property_id), self._clock()
            revised = premises.property.revise(visit, change, now, by)
            if visit.moves_to(revised):
                revised = move(premises, visit, revised, now)
            if visit.moves_to(revised) or visit.agent_id != revised.agent_id:
                revised = premises.admit(revised, self._agent_of(revised), now, judge, visit)
                self._visits.move(visit, revised, premises.property.details.capacity)
            elif revised is not visit:
                self._visits.save(visit, revised)
            return revised

        return self._update(visit_id, expected, revise)

    def change_status(
        self,
        visit_id: str,
        status: Status,
        reason: str | None,
        expected: Expected = None,
        check: Check = nothing_to_check,
        by: str | None = None,
    ) -> Visit:
        """The one door for every transition. Asking for the status that it has changes nothing."""

        def pass_on(visit: Visit) -> Visit:
            check(visit)
            after = visit.becomes(status, reason, self._clock(), by)
            if after is not visit:
                self._visits.save(visit, after)
            return after

        return self._update(visit_id, expected, pass_on)

    def answer(
        self, visit_id: str, answer_by: Callable[[datetime, datetime], datetime], check: Check, by: str | None = None
    ) -> Visit:
        """Takes the confirmation of its visitor for a visit that awaits it; any other stays as it is."""

        def answer(visit: Visit) -> Visit:
            check(visit)
            now = self._clock()
            if not visit.awaits(Party.VISITOR):
                return visit
            after = visit.answered(answer_by(now, visit.date), now, by)
            self._visits.save(visit, after)
            return after

        return self._update(visit_id, None, answer)

    def erase_visitor(
        self, visit_id: str, expected: Expected = None, by: str | None = None, check: Check = nothing_to_check
    ) -> Visit:
        """Takes every word about the visitor out of the visit, which itself stays."""

        def erase(visit: Visit) -> Visit:
            check(visit)
            after = visit.erased(self._clock(), by)
            if after is not visit:
                self._visits.save(visit, after)
            return after

        return self._update(visit_id, expected, erase)

    def follow(self, visit_id: str, formerly: str, by: str | None = None) -> Visit:
        """Brings the visit to the address and zone of its property, which had that address `formerly`.

        The property is read after the visit, so that of two corrections at once the later one stays.
        """

        def follow(visit: Visit) -> Visit:
            details = self._find_premises(visit.property_id).property.details
            after = visit.follows(details.address, details.time_zone, formerly, self._clock(), by)
            if after is not visit:
                self._visits.save(visit, after)
            return after

        return self._update(visit_id, None, follow)

    def _update(self, visit_id: str, expected: Expected, write: Callable[[Visit], Visit]) -> Visit:
        """Reads, checks the version, writes; repeats if somebody else came first and the caller named no version."""
        for pause in islice(patience.pauses(), ATTEMPTS):
            visit = self._visits.get(visit_id)
            if expected is not None and visit.version not in expected:
                raise VersionMismatch
            try:
                return write(visit)
            except VersionMismatch:
                self._sleep(pause)
        raise StoreBusy
