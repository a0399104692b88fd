"""The protocol, and no subject of ours. Each loads when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.http import (
        answers,
        callers,
        contract,
        cors,
        currencies,
        cursors,
        errors,
        fields,
        guard,
        headers,
        instants,
        parsing,
        preconditions,
        preferences,
        problems,
        queries,
        read_only,
        request_line,
        sizes,
        strict_json,
        urls,
    )
else:
    from chalicelib.on_demand import modules_of

    __getattr__ = modules_of(__name__)
