"""What files say to people in words of ours: the one place to look for them, and to translate."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from chalicelib.domain.visits import Status

STATUS: Final[Mapping[Status, str]] = MappingProxyType(
    {
        Status.REQUESTED: "Requested",
        Status.CONFIRMED: "Confirmed",
        Status.DECLINED: "Declined",
        Status.CANCELLED: "Cancelled",
        Status.COMPLETED: "Completed",
        Status.NO_SHOW: "No-show",
    }
)

VISITS: Final = "Visits"
COUNTS: Final = "Visits by property and status"
SPAN: Final = "{first} to {last}"
LOCAL_TIMES: Final = "Local times, {zone}"
PRINTED: Final = "Printed {date}"
PAGE: Final = "Page {page} of {pages}"
