"""What is done every minute: look for visits that are near, and wake webhooks that a lost message has left behind.

A minute that was missed is made up for by the next.
"""

from __future__ import annotations

from chalicelib.functions import Function
from chalicelib.journal import tell
from chalicelib.services.wired import Services


def remind(services: Services) -> None:
    """Raises StoreBusy or OutcomeUnknown: then the next minute does it."""
    try:
        near = services.notices.look_ahead()
    finally:
        services.webhooks.wake_those_behind()
    if near:
        tell(Function.REMIND, {"event": "reminders", "visits": near})
