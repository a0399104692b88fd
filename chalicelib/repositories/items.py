"""The shape of the table: keys, attribute names, and domain objects to items and back. Nothing else knows them.

item         pk / sk                          byProperty          byMonth             byAgent
agent        A#id / A                                             AS#shard / id
property     P#id / P                                             PS#shard / id
visit        V#id / V                         P#pid / start#vid   M#yyyy-mm#shard / start#vid   A#agent / start#vid
slot         S#P#pid#YYYY-MM / DDTHH:MM, S#A#agent#YYYY-MM / DDTHH:MM
calendar     P#id / T, P#id / F#nn, A#id / T, A#id / F#nn
intake       N#id / N
chunk        N#id / C#number
outcomes     N#id / O#number#writer
sheet        X#id / X                         XS / createdAt#id
of a sheet   X#id / R#page, X#id / C#row, X#id / L, X#id / O, X#id / P
sheet bytes  XD#sha256 / D
confirmed    XW / as written
idempotency  I#hash / I
limit        L#property#id#hour / L, L#address#hash#hour / L, L#contact#digest / L
deadline     D#yyyy-mm-dd / until#vid
API key      K#id / K                                             KS / name#createdAt#id
signing keys K#:signing / K

Visits are also in byEmail and byPhone (E#digest / V#id, T#digest / V#id), which have keys alone: what else changes of a
visit is not written there.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from chalicelib.domain.signing_keys import Signature

Item = dict[str, Any]
"""An item in plain Python; `table` puts it into DynamoDB's own form and back."""

Key = dict[str, str]

BY_PROPERTY: Final = "byProperty"
BY_MONTH: Final = "byMonth"
BY_AGENT: Final = "byAgent"
BY_EMAIL: Final = "byEmail"
BY_PHONE: Final = "byPhone"

PARTITION_KEYS: Final[Mapping[str, str]] = {
    BY_PROPERTY: "g1pk",
    BY_MONTH: "g2pk",
    BY_AGENT: "g3pk",
    BY_EMAIL: "g4pk",
    BY_PHONE: "g5pk",
}
SORT_KEYS: Final[Mapping[str, str]] = {
    BY_PROPERTY: "g1sk",
    BY_MONTH: "g2sk",
    BY_AGENT: "g3sk",
    BY_EMAIL: "pk",
    BY_PHONE: "pk",
}

SHARDS: Final = 4
"""Partitions that a month, and the list of properties, is spread over: each takes 1,000 writes a second."""


WRITTEN_BY: Final = "writtenBy"
"""Names the call that put an item, so that a call knows its own work again when the answer was lost."""

LAST: Final = "\x7f"
"""Sorts after everything that an id or an instant is made of."""


def stored(instant: datetime) -> str:
    """An instant as it is in an item; in the order of time."""
    # Not strftime: it writes the year 999 with three digits, which sorts after 2027.
    return instant.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def loaded(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shard_of(id: str) -> int:
    return zlib.crc32(id.encode()) % SHARDS


def present(item: Item) -> Item:
    return {name: value for name, value in item.items() if value is not None}


def signature_attributes(signature: Signature) -> Item:
    return {"keyId": signature.key_id, "fingerprint": signature.value}


def signature_of(item: Item) -> Signature:
    return Signature(item["keyId"], bytes(item["fingerprint"]))
