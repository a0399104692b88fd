"""Requests that may be sent again: the Idempotency-Key, and what is remembered of a success."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import Refused
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.signing_keys import Signature

KEPT: Final = timedelta(days=30)
"""How long a key stands for what it made, whether that was done at once or queued: as long as an intake is kept."""


class IdempotencyKey(Record):
    """A caller's key for one route, with the payload it came with (canonical, so that only its meaning counts)."""

    caller: str
    route: str
    key: str
    payload: bytes

    @property
    def id(self) -> str:
        """Names the record. Caller and route are part of it: nobody meets another's keys."""
        return hashlib.sha256(json.dumps([self.caller, self.route, self.key]).encode()).hexdigest()


class IdempotencyRecord(Record):
    """What is kept of a success: which resource it made and a keyed fingerprint of the payload. No personal data."""

    id: str
    resource_id: str
    """What the request made or, where it was handed in, the visit that is to come of it."""
    fingerprint: Signature
    expires_at: datetime
    intake_id: str | None = None
    """The intake that a request to be worked off later is in."""


class AlreadyDone(Refused):
    """A request with this Idempotency-Key succeeded before."""
