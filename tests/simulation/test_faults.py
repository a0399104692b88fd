"""The simulation finds what it was built for: each fault that was mended, brought back."""

import pytest

from tests.simulation.faults import FAULTS, brought_back
from tests.simulation.shrink import found

SEEDS = range(60)


@pytest.mark.parametrize("name", FAULTS)
def test_the_simulation_finds_each_fault(name: str) -> None:
    with brought_back(FAULTS[name]):
        failure = found(SEEDS, 200)
    assert failure is not None
    assert FAULTS[name].told_as in failure.why
