"""A request is answered inside the gateway's limit, however slow the stores are."""

from __future__ import annotations

import contextvars
import time
from itertools import islice
from typing import Any

import pytest

from chalicelib.container import CLIENT
from chalicelib.domain import patience
from chalicelib.domain.errors import StoreBusy

GATEWAY_SECONDS = 29
INSTANCE_STARTS_IN = 3.0


def test_the_last_call_to_a_store_ends_before_the_gateway_gives_up() -> None:
    client: Any = CLIENT
    attempts = client.retries["total_max_attempts"]
    backoff = sum(2**n for n in range(attempts - 1))  # of botocore's standard mode, at most
    call = attempts * (client.connect_timeout + client.read_timeout) + backoff
    assert patience.SECONDS + call + INSTANCE_STARTS_IN < GATEWAY_SECONDS


def test_past_its_time_a_request_begins_no_further_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def request() -> None:
        nonlocal now
        patience.begin()
        now += patience.SECONDS
        patience.check()
        now += 0.1
        with pytest.raises(StoreBusy):
            patience.check()

    contextvars.copy_context().run(request)


def test_a_worker_has_no_such_limit() -> None:
    contextvars.Context().run(patience.check)
    assert contextvars.Context().run(patience.left, 60.0) == 60.0


def test_what_is_left_of_a_requests_time_is_never_less_than_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def request() -> None:
        nonlocal now
        patience.begin()
        now += 1
        assert patience.left(60.0) == patience.SECONDS - 1
        now += patience.SECONDS
        assert patience.left(60.0) == 0

    contextvars.copy_context().run(request)


def test_those_who_met_wait_up_to_twice_as_long_each_time_and_never_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience.CHANCE, "uniform", lambda shortest, longest: longest - shortest)
    assert list(islice(patience.pauses(), 7)) == [0.025, 0.05, 0.1, 0.2, 0.4, 0.4, 0.4]


def test_the_time_of_one_request_is_not_the_next_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def two_requests_of_a_thread() -> None:
        nonlocal now
        patience.begin()
        patience.end()
        now += 10 * patience.SECONDS
        patience.check()  # for the key of the second, before it begins

    contextvars.copy_context().run(two_requests_of_a_thread)
