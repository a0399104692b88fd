"""The read and write units of what callers do, as `tests/integration/test_units.py` holds them to the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Units:
    """What AWS charges of the table, its indexes included."""

    reads: float
    writes: float


BOOK: Final = Units(1, 2 * (1 + 2) + 2)
"""Half an hour on the quarter: the visit, two quarters, two indexes."""
READ_VISIT: Final = Units(1, 0)
MOVE: Final = Units(2, 2 * (1 + 2 + 2) + 4)
"""To two other quarters: the visit, what is freed and held, and two indexes in which it moves."""
CANCEL: Final = Units(1, 2 * (1 + 2) + 2)
