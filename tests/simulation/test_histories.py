"""Random histories of the whole intake: three times as many as it takes to find every fault that was brought back.

`make simulate` runs as many as you like.
"""

import pytest

from tests.simulation.shrink import first_failure

SEEDS = 10
"""Of one test: many tests begin early, and do not keep the whole run waiting for the last of them."""


@pytest.mark.parametrize("first", range(0, 60, SEEDS))
def test_whatever_happens_in_any_order_every_promise_holds(first: int) -> None:
    failure = first_failure(range(first, first + SEEDS), 200)
    assert failure is None, str(failure)
