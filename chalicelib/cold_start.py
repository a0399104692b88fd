"""Around the imports of a cold start: nothing becomes garbage in it, so Python need not look for any.

That is a fourteenth of a cold start's instructions (docs/performance.md). What is loaded stays for good, so that later
collections do not go through it either.
"""

from __future__ import annotations

import gc

gc.disable()


def over() -> None:
    """Everything is loaded: from now on there is garbage."""
    gc.freeze()
    gc.enable()
