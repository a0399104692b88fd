"""The use cases, a file for each subject. Each loads when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.services import (
        agents,
        api_keys,
        availability,
        calendars,
        callers,
        events,
        exports,
        following,
        idempotency,
        intake_worker,
        intakes,
        listing,
        notices,
        ports,
        properties,
        public,
        sheet_reader,
        sheets,
        signing_keys,
        visitor_links,
        visitors,
        visits,
        webhooks,
        wired,
    )
else:
    from chalicelib.on_demand import modules_of

    __getattr__ = modules_of(__name__)
