"""Amazon EventBridge, for those who want events there: a bus of the account, told of what the feed has.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain import patience
from chalicelib.domain.errors import StoreBusy

if TYPE_CHECKING:
    from chalicelib.domain.events import Event

SOURCE: Final = "visits"

MOST_ENTRIES: Final = 10
"""In a call; of our events ten are far below the 256 KB that it may have."""
ATTEMPTS: Final = 6

FOR_NOW: Final = ("InternalFailure", "ThrottlingException")
"""What may be tried again; everything else is so for good.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
"""


class EventBridge:
    """The client is made by `connect` when it is first needed."""

    def __init__(self, connect: Callable[[], Any], bus: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._connect = connect
        self._bus = bus
        self._sleep = sleep

    def put(self, events: Sequence[tuple[Event, str]]) -> Sequence[str]:
        """One call for ten events; of those that it did not take, some are sent again. Raises StoreBusy."""
        refused: list[str] = []
        for start in range(0, len(events), MOST_ENTRIES):
            refused += self._put([self._entry(*each) for each in events[start : start + MOST_ENTRIES]])
        return refused

    def _entry(self, event: Event, detail: str) -> dict[str, Any]:
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": event.type.value,
            "Time": event.time,
            "Resources": [event.subject],
            "Detail": detail,
        }

    def _put(self, entries: Any) -> Sequence[str]:
        refused: list[str] = []
        for pause in islice(patience.pauses(), ATTEMPTS):
            patience.check()
            codes = self._codes(entries)
            refused += [code for code in codes if code and code not in FOR_NOW]
            entries = [entry for entry, code in zip(entries, codes, strict=True) if code in FOR_NOW]
            if not entries:
                return refused
            self._sleep(pause)
        raise StoreBusy

    def _codes(self, entries: Any) -> Sequence[str]:
        """What became of each: nothing, or why it was not taken."""
        try:
            answer = self._client.put_events(Entries=entries)
        except ClientError as fault:
            status = fault.response["ResponseMetadata"]["HTTPStatusCode"]
            code = fault.response["Error"]["Code"]
            return [FOR_NOW[0] if status >= 500 or code in FOR_NOW else code] * len(entries)
        except BotoCoreError:  # it may have taken them, and gets them again: their ids are the same
            return [FOR_NOW[0]] * len(entries)
        return [entry.get("ErrorCode", "") for entry in answer["Entries"]]

    @cached_property
    def _client(self) -> Any:
        return self._connect()
