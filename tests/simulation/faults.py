"""Faults that were mended, each to be brought back: does the simulation still find it?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from chalicelib.domain import patience
from chalicelib.domain.api_keys import ApiKey
from chalicelib.domain.errors import StoreBusy, Unavailable
from chalicelib.domain.intakes import Intake, Manifest, chunks, intake_id
from chalicelib.domain.visitors import Contact
from chalicelib.domain.visits import Visit
from chalicelib.http.fields import Input
from chalicelib.repositories import api_keys, events, table, visits
from chalicelib.repositories.api_keys import api_key_item, api_key_key, api_key_of
from chalicelib.repositories.events import receipt_key
from chalicelib.repositories.items import Item, Key
from chalicelib.repositories.table import Table, Write
from chalicelib.repositories.visits import visit_of
from chalicelib.services import idempotency
from chalicelib.services.api_keys import ApiKeys
from chalicelib.services.intakes import Intakes, Submission
from chalicelib.services.visitors import Visitors


class Fault(NamedTuple):
    told_as: str
    """What the simulation says of it, among other things."""
    brings_back: tuple[tuple[object, str, object], ...]


def _told_as_none(self: Any, attempt: Callable[[], None]) -> None:
    until = self._monotonic() + table.CONTENDED_FOR_SECONDS
    for pause in patience.pauses():
        try:
            with table._store_faults():
                attempt()
            return
        except Unavailable as fault:
            if self._monotonic() > until:
                raise StoreBusy from fault
        self._sleep(pause)


def _opened_as(identity: Callable[[Submission], str | None]) -> Callable[[Any, Submission], Intake]:
    def opened(self: Any, submission: Submission) -> Intake:
        id = identity(submission) or self._new_id()
        number = sum(1 for _ in chunks(id, submission.caller, submission.rows))
        manifest = Manifest(id, submission.caller, len(submission.rows), number, sent=False, created_at=self._clock())
        return Intake.of(self._intakes.open(manifest), [])

    return opened


def _by_key(submission: Submission) -> str | None:
    return intake_id("key", submission.key.id) if submission.key is not None else None


def _by_rows(submission: Submission) -> str | None:
    return intake_id("body", *submission.rows) if submission.key is None else None


def _as_listed(self: Any) -> list[ApiKey]:
    page = self._keys._table.page(api_keys.ALL, None, api_keys.PAGE)
    return [api_key_of(item) for item in page.items]


def _put_whole(self: Any, key: ApiKey, at: datetime) -> None:
    ended = api_key_item(replace(key, expires_at=at))
    self._table.put(Write(key=api_key_key(key.id), item=ended, condition="attribute_exists(pk)"))


def _as_spelled(self: Input) -> dict[str, Any]:
    return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


_freed = visits._free_property


def _free_without_the_gap(visit: Visit, quarters: Iterable[datetime]) -> list[Write]:
    return _freed(visit, set(quarters) & set(visit.quarters))


def _without_what_it_held(item: Item) -> Visit:
    return replace(visit_of(item), gap_minutes=0, travel_minutes=0)


def _never_the_same() -> Callable[[int], Key]:
    numbers = itertools.count()
    return lambda first: receipt_key(first * 1_000_000 + next(numbers))


def _as_indexed(self: Any, visit_id: str, contact: Contact) -> Visit:
    found: Visit = self._visits.get(visit_id)
    return found


FAULTS: Final[Mapping[str, Fault]] = {
    "1: an unknown outcome is told as none": Fault("store-busy", ((Table, "_until_settled", _told_as_none),)),
    "2: an intake's id follows from its key": Fault("intake", ((Intakes, "_opened", _opened_as(_by_key)),)),
    "3: a key of a booking lives for a day": Fault("wish", ((idempotency, "KEPT", timedelta(hours=24)),)),
    "4: equal requests without a key are one": Fault("intake", ((Intakes, "_opened", _opened_as(_by_rows)),)),
    "6: a rotation trusts the listing": Fault(
        "rotate", ((ApiKeys, "all_keys", _as_listed), (api_keys.DynamoApiKeys, "end", _put_whole))
    ),
    "a visit forgets what it held": Fault("is held by", ((visits, "visit_of", _without_what_it_held),)),
    "a gap stays held": Fault("is held by", ((visits, "_free_property", _free_without_the_gap),)),
    "a batch that comes again is told again": Fault("was told after", ((events, "receipt_key", _never_the_same()),)),
    "an erased person is found": Fault("a person", ((Visitors, "_find", _as_indexed),)),
    "15: the spelling counts": Fault("reused", ((Input, "meaning", _as_spelled),)),
}


@contextmanager
def brought_back(fault: Fault) -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name, old in fault.brings_back:
            stack.enter_context(patch.object(owner, name, old))
        yield
