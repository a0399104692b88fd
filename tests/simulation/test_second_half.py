"""Histories 500 to 1000, in two files so that two cores share them. `make simulate` runs as many as you like."""

from tests.simulation.shrink import first_failure


def test_whatever_happens_in_any_order_every_promise_holds() -> None:
    failure = first_failure(range(500, 1000), 200)
    assert failure is None, str(failure)
