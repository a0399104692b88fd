"""Histories: what clients, workers and operators do, step by step, drawn from a seed before anything of it is done.

Every step draws what it needs from a number of its own and refers to others by theirs, so that a history makes sense
when some of its steps are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from tests.simulation.store import Trouble


class Kind(StrEnum):
    BOOK = "book"
    BOOK_KEYLESS = "book without a key"
    AGAIN = "again"
    RESPELL = "again, spelled otherwise"
    REUSE = "reuse the key"
    HAND_IN = "hand in"
    HAND_IN_KEYLESS = "hand in without a key"
    RESCHEDULE = "reschedule"
    SET_RULES = "set the rules"
    STATUS = "change the status"
    ERASE = "erase"
    SEARCH = "search a person"
    FORGET = "erase a person"
    DELIVER = "deliver"
    RELAY = "relay"
    WAIT = "wait"
    ISSUE = "issue a key"
    ROTATE = "rotate a key"
    REVOKE = "revoke a key"
    ADMIT = "admit"
    PLANT = "plant in the index"
    ROTATE_SIGNING = "rotate the signing keys"


USUAL: Final[dict[Kind, int]] = {
    Kind.BOOK: 17,
    Kind.BOOK_KEYLESS: 7,
    Kind.AGAIN: 18,
    Kind.RESPELL: 6,
    Kind.REUSE: 5,
    Kind.HAND_IN: 3,
    Kind.HAND_IN_KEYLESS: 1,
    Kind.RESCHEDULE: 8,
    Kind.SET_RULES: 2,
    Kind.STATUS: 11,
    Kind.ERASE: 2,
    Kind.SEARCH: 2,
    Kind.FORGET: 1,
    Kind.DELIVER: 14,
    Kind.RELAY: 8,
    Kind.WAIT: 8,
    Kind.ISSUE: 2,
    Kind.ROTATE: 3,
    Kind.REVOKE: 3,
    Kind.ADMIT: 3,
    Kind.PLANT: 1,
    Kind.ROTATE_SIGNING: 1,
}
"""How often each happens, out of a hundred or so."""

WISHES: Final = (Kind.BOOK, Kind.BOOK_KEYLESS, Kind.HAND_IN, Kind.HAND_IN_KEYLESS, Kind.REUSE)
ABOUT_A_WISH: Final = (Kind.AGAIN, Kind.RESPELL, Kind.REUSE, Kind.RESCHEDULE, Kind.STATUS, Kind.ERASE)
PAUSES: Final = (0.0, 0.0, 0.004, 0.02, 0.02, 1.0, 4.0, 15.0, None, None)
RECENT: Final = 25
ENDURING: Final = (Trouble.LOST, Trouble.DEAF, Trouble.SLOW, Trouble.DELAYED, Trouble.THROTTLED, Trouble.FAILED_DONE)


@dataclass(frozen=True)
class Wrong:
    """What goes wrong with an actor's requests: from the first one on, so many of them."""

    trouble: Trouble
    first: int
    count: int


@dataclass(frozen=True)
class Step:
    number: int
    kind: Kind
    salt: int
    about: int
    """The step whose wish or key it is about."""
    pause: float | None
    """How long before the next step; None is until everybody is done."""
    wrong: Wrong | None = None
    unheard: bool = False
    """The client does not get the answer."""


def draw(seed: int, steps: int, without: Collection[Kind | Trouble] = ()) -> list[Step]:
    rng = Random(seed)
    weights = {kind: weight for kind, weight in USUAL.items() if kind not in without}
    kinds, shares = list(weights), list(weights.values())
    # Some histories are calm, in some much goes wrong, in some nobody waits for anybody.
    wrongs, crowded = rng.choice((0.05, 0.2, 0.5)), rng.random() < 0.3
    troubles = [trouble for trouble in Trouble if trouble not in without]
    history: list[Step] = []
    wishes: list[int] = []
    for number in range(steps):
        kind = rng.choices(kinds, shares)[0]
        about = number
        if kind in ABOUT_A_WISH:
            if not wishes:
                kind = rng.choice([kind for kind in WISHES[:4] if kind in weights])
            else:
                about = rng.choice(wishes[-RECENT:])
        if kind in WISHES:
            wishes.append(number)
        pause = 0.004 if crowded and rng.random() < 0.6 else rng.choice(PAUSES)
        wrong = _wrong(rng, troubles) if troubles and rng.random() < wrongs else None
        history.append(Step(number, kind, rng.getrandbits(32), about, pause, wrong, rng.random() < 0.05))
    return history


def _wrong(rng: Random, troubles: Sequence[Trouble]) -> Wrong:
    trouble = rng.choice(troubles)
    first = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12, 20))
    enduring = trouble in ENDURING and rng.random() < 0.5
    return Wrong(trouble, first, rng.choice((2, 3, 4, 6, 20)) if enduring else 1)
