"""What AWS documents of the table, and the simulated one does."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.simulation.clients import START
from tests.simulation.store import (
    IdempotentParameterMismatchException,
    Store,
    TransactionCanceledException,
    TransactionInProgressException,
)
from tests.simulation.world import Actor, World


@pytest.fixture
def store() -> Store:
    return Store(World(START), lambda actor, changes: None)


def put(pk: str, value: str, condition: str | None = None) -> dict[str, Any]:
    item = {"pk": {"S": pk}, "sk": {"S": "s"}, "value": {"S": value}}
    return {"Put": {"Item": item, **({"ConditionExpression": condition} if condition else {})}}


def test_a_transaction_sent_again_with_its_token_changes_nothing(store: Store) -> None:
    store.transact([put("a", "1")], "token")
    store.transact([put("a", "2")], "another")
    store.transact([put("a", "1")], "token")
    found = store.find(("a", "s"))
    assert found is not None
    assert found["value"] == {"S": "2"}


def test_a_token_is_forgotten_after_ten_minutes(store: Store) -> None:
    store.transact([put("a", "1")], "token")
    store.world.run(601)
    store.transact([put("a", "2")], "token")
    assert store.find(("a", "s")) == put("a", "2")["Put"]["Item"]


def test_a_token_with_another_request_is_refused(store: Store) -> None:
    store.transact([put("a", "1")], "token")
    with pytest.raises(IdempotentParameterMismatchException):
        store.transact([put("a", "2")], "token")


def test_a_token_that_is_under_way_is_in_progress(store: Store) -> None:
    done: Callable[[], None] = store.under_way([put("a", "1")], "token")
    with pytest.raises(TransactionInProgressException):
        store.transact([put("a", "1")], "token")
    done()
    store.transact([put("a", "1")], "token")
    assert store.find(("a", "s")) is not None


def test_a_cancelled_transaction_says_of_each_action_why(store: Store) -> None:
    store.transact([put("a", "1")], "token")
    with pytest.raises(TransactionCanceledException) as cancelled:
        store.transact([put("b", "1"), put("a", "2", "attribute_not_exists(pk)")], "another")
    answer: Any = cancelled.value.response
    assert [reason["Code"] for reason in answer["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert store.find(("b", "s")) is None


def test_an_index_lags_behind_and_a_late_word_does_not_undo_a_later_one(store: Store) -> None:
    lags = iter((5.0, 1.0))
    store.lag = lambda: next(lags)
    for name in ("old", "new"):
        item = {"pk": {"S": "a"}, "sk": {"S": "s"}, "g2pk": {"S": "KS"}, "g2sk": {"S": name}}
        store.transact([{"Put": {"Item": item}}], name)
    request = {
        "IndexName": "byMonth",
        "KeyConditionExpression": "g2pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "KS"}},
    }
    assert store.query(request)["Items"] == []
    for _ in range(2):
        store.world.run(3)
        assert [item["g2sk"]["S"] for item in store.query(request)["Items"]] == ["new"]


def test_actors_take_turns_by_the_clock() -> None:
    world, said = World(START), []

    def speak(name: str, pauses: float) -> Callable[[], None]:
        def spoken() -> None:
            for _ in range(3):
                said.append(name)
                world.pause(pauses)

        return spoken

    world.start(Actor("slow", Random(1), speak("slow", 2)))
    world.start(Actor("quick", Random(1), speak("quick", 0.5)))
    world.settle()
    assert said == ["slow", "quick", "quick", "quick", "slow", "slow"]
