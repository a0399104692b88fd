"""A file for each subject: what may be sent, what is answered, and the views. Each loads when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.api import (
        agents,
        availability,
        calendars,
        dead_letters,
        events,
        exports,
        intakes,
        listing,
        notices,
        properties,
        public,
        service,
        sheets,
        visit_changes,
        visitor_links,
        visitors,
        visits,
        webhooks,
        wishes,
    )
else:
    from chalicelib.on_demand import modules_of

    __getattr__ = modules_of(__name__)
