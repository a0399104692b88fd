"""What is done every minute: look for visits that are near and for requests that nobody has answered, and wake webhooks
that are behind: their pause is over, or a message was lost.

A minute that was missed is made up for by the next.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from chalicelib.functions import Function
from chalicelib.journal import tell

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


def remind(services: Services) -> None:
    """Raises StoreBusy or OutcomeUnknown: then the next minute does it."""
    with ExitStack() as whatever_fails:
        whatever_fails.callback(services.webhooks.wake_those_behind)
        whatever_fails.callback(_decline, services)
        if near := services.notices.look_ahead():
            tell(Function.REMIND, {"event": "reminders", "visits": near})


def _decline(services: Services) -> None:
    if declined := services.public.decline_unanswered():
        tell(Function.REMIND, {"event": "declined", "visits": declined})
