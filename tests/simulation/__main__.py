"""`make simulate`: as many histories as you like, on every core, and the shortest of the first that fails."""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.shrink import Failure, first_failure

AT_ONCE = 50


def batch(given: tuple[int, int, int]) -> Failure | None:
    first, last, steps = given
    return first_failure(range(first, last), steps)


def main() -> int:
    seeds, steps, first = (
        int(os.environ.get(name) or usual) for name, usual in (("SEEDS", 10_000), ("STEPS", 200), ("FROM", 0))
    )
    started = time.monotonic()
    parts = [(at, min(at + AT_ONCE, first + seeds), steps) for at in range(first, first + seeds, AT_ONCE)]
    with ProcessPoolExecutor() as pool:
        for (_, done, _), failure in zip(parts, pool.map(batch, parts), strict=True):
            if failure is not None:
                print(failure)
                print(f"\nAgain: make simulate FROM={failure.seed} SEEDS=1 STEPS={steps}")
                pool.shutdown(cancel_futures=True)
                return 1
            if sys.stderr.isatty():
                print(f"\r{done - first} of {seeds}", end="", file=sys.stderr)
    print(f"{seeds} histories of {steps} steps hold, in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
