"""The visitor's link: who has it sees and changes one visit. And a lesser one, by which mail programs unsubscribe.

Both are signed by the service and kept nowhere. The signature covers who the visitor is: with another visitor, or none
any more, the links of the one before open nothing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.domain.signing_keys import Signature
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.visits import Visit

GOOD_AFTER_VISIT: Final = timedelta(days=1)

LINK: Final = "vl"
UNSUBSCRIBE: Final = "vu"

_TOKEN: Final = re.compile(
    r"(?P<kind>vl|vu)_(?P<visit>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_(?P<key>[a-z0-9]{1,16})_(?P<mac>[0-9a-f]{64})",
    re.ASCII,
)


class Link(Record):
    """A link as it is presented. It has no repr, so that no log line ever shows one."""

    __repr__ = object.__repr__

    kind: str
    visit_id: str
    signature: Signature

    @property
    def text(self) -> str:
        return f"{self.kind}_{self.visit_id}_{self.signature.key_id}_{self.signature.value.hex()}"


def parse(token: str) -> Link | None:
    """None for what cannot be a link; of each there is one spelling."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    return Link(found["kind"], found["visit"], Signature(found["key"], bytes.fromhex(found["mac"])))


def purpose(kind: str) -> str:
    """Under which a link of this kind is signed."""
    return f"visitor {kind}"


def signed_text(visit: Visit) -> bytes | None:
    """What is signed: the visit, and who its visitor is. None without one."""
    visitor = visit.visitor
    who = (visitor.email or visitor.phone or visitor.name) if visitor else None
    return f"{visit.id} {who}".encode("utf-8", "surrogatepass") if who is not None else None


def is_over(visit: Visit, now: datetime) -> bool:
    """Whether the links of a visit are good no more."""
    return now > visit.date + GOOD_AFTER_VISIT
