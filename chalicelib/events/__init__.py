"""What Lambda hands us that is not HTTP, a file for each source. Each loads when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.events import (
        batches,
        intake_queue,
        notice_queue,
        schedule,
        sheet_queue,
        table_stream,
        webhook_queue,
    )
else:
    from chalicelib.on_demand import modules_of

    __getattr__ = modules_of(__name__)
