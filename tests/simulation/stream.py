"""The table's stream, and Lambda's event source that hands its records out.

- The changes of an item come in order, and in one shard. A batch that failed comes again from where it began, as it was
  or longer, and nothing behind it before:
  https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from devstack.stream import SORT_KEYS, as_lambda_has_it
from tests.simulation.store import Change
from tests.simulation.world import World

SHARDS: Final = 2
BATCH: Final = 100
RELAY_SECONDS: Final = 60.0


@dataclass
class Shard:
    records: list[dict[str, Any]] = field(default_factory=list)
    """Those that nobody has finished with."""
    handed: int = 0
    """How many of them somebody was given, who has not finished."""
    until: float = 0.0
    """When whoever has them is certainly gone."""

    def settle(self) -> None:
        """What Lambda does once the handler has returned."""
        del self.records[: self.handed]
        self.handed, self.until = 0, 0.0


class Stream:
    def __init__(self, world: World) -> None:
        self._world = world
        self._shards = [Shard() for _ in range(SHARDS)]
        self._last = 0

    @property
    def waiting(self) -> int:
        return sum(len(shard.records) for shard in self._shards)

    def add(self, changes: Sequence[Change]) -> None:
        for (pk, sk), before, after in changes:
            if sk not in SORT_KEYS:
                continue
            self._last += 1
            images = {"OldImage": before, "NewImage": after}
            change = {
                "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
                "SequenceNumber": str(self._last),
                "ApproximateCreationDateTime": self._world.now,
                **{name: image for name, image in images.items() if image is not None},
            }
            shard = self._shards[zlib.crc32(pk.encode()) % SHARDS]
            shard.records.append(as_lambda_has_it({"dynamodb": change}, "stream"))

    def take(self, rng: Random) -> tuple[Shard, list[dict[str, Any]]] | None:
        """A batch of a shard whose last one nobody is at any more."""
        free = [shard for shard in self._shards if shard.records and shard.until <= self._world.now]
        if not free:
            return None
        shard = rng.choice(free)
        shard.handed = min(len(shard.records), max(shard.handed, rng.choice((1, 3, BATCH))))
        shard.until = self._world.now + RELAY_SECONDS + 1
        return shard, shard.records[: shard.handed]
