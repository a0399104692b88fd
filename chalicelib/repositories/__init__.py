"""Where things are kept and how they are sent, a file for each subject. Each loads when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.repositories import (
        agents,
        api_keys,
        availability,
        calendars,
        changes,
        dead_letters,
        event_bus,
        events,
        idempotency,
        intake_queue,
        intakes,
        items,
        notices,
        outbox,
        properties,
        public,
        receivers,
        recognition,
        sheet_files,
        sheets,
        signing_keys,
        slots,
        table,
        token_keys,
        visits,
        webhook_queue,
        webhooks,
    )
else:
    from chalicelib.on_demand import modules_of

    __getattr__ = modules_of(__name__)
