"""What AWS would refuse and the emulator may let pass."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chalicelib.domain.listing import EVERY_PROPERTY, VisitFilter
from chalicelib.domain.visits import Status
from chalicelib.repositories import items
from tests.builders import a_property, a_record, a_visit, agent_id
from tests.integration.repositories.stores import DAY, Store, at, cancelled, next_version

if TYPE_CHECKING:
    pass


_KEYS = {"pk", "sk", *items.PARTITION_KEYS.values(), *items.SORT_KEYS.values()}


def test_the_expressions_are_such_as_dynamodb_takes(store: Store, house: str, agent: str) -> None:
    sent: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        sent.append(params)

    store.client.meta.events.register("provide-client-params.dynamodb.*", note)
    store.properties.add(a_property(house), a_record())
    store.properties.list(EVERY_PROPERTY, None, 1)
    visit = a_visit(property_id=house, agent_id=agent)
    store.visits.add(visit, 1, a_record())
    store.visits.move(visit, moved := next_version(visit, date=at("10:15"), agent_id=agent_id()), 1)
    store.visits.save(moved, cancelled(moved))
    statuses = frozenset({Status.CONFIRMED, Status.CANCELLED})
    for filter in (
        VisitFilter(DAY),
        VisitFilter(DAY, statuses=statuses, order="desc"),
        VisitFilter(DAY, property_id=house, agent_id=agent, statuses=statuses),
        VisitFilter(DAY, agent_id=agent, statuses=statuses),
    ):
        store.visits.list(filter, None, 1)
    store.visits.held_quarters(house, DAY)
    queries = [params for params in sent if "KeyConditionExpression" in params]
    transactions = [params["TransactItems"] for params in sent if "TransactItems" in params]
    assert len(queries) >= 8
    assert len(transactions) == 4
    for query in queries:
        _check_key_condition(query["KeyConditionExpression"])
        attributes = _attributes(query.get("FilterExpression", ""), query.get("ExpressionAttributeNames", {}))
        assert not attributes & _KEYS, f"a filter on a key attribute: {query['FilterExpression']}"
        _check_used(query, ("KeyConditionExpression", "FilterExpression"))
    for members in transactions:
        keys = []
        for kind, member in (pair for members_of in members for pair in members_of.items()):
            key = member.get("Key") or member["Item"]
            keys.append((key["pk"]["S"], key["sk"]["S"]))
            _check_used(member, ("ConditionExpression", "UpdateExpression"))
            if kind == "Update":
                _check_update(member["UpdateExpression"])
        assert len(keys) == len(set(keys)), "an item appears twice in a transaction"
        assert len(keys) <= 100


def _check_key_condition(expression: str) -> None:
    assert re.fullmatch(r"\w+ = :\w+ AND \w+ BETWEEN :\w+ AND :\w+", expression), expression


def _attributes(expression: str, names: dict[str, str]) -> set[str]:
    words = set(re.findall(r"(?<![:\w#])#?\w+", expression)) - {"AND", "IN", "OR", "NOT"}
    return {names.get(word, word) for word in words}


def _check_used(params: dict[str, Any], expressions: Iterable[str]) -> None:
    """AWS refuses names and values that no expression uses, and expressions whose names and values are not given."""
    text = " ".join(params.get(name) or "" for name in expressions)
    given = {*params.get("ExpressionAttributeNames", {}), *params.get("ExpressionAttributeValues", {})}
    assert given == set(re.findall(r"[:#]\w+", text)), text


def _check_update(expression: str) -> None:
    """No two clauses of an update may touch the same path."""
    clauses = re.split(r"\b(?:SET|ADD|DELETE|REMOVE)\b", expression)[1:]
    paths = [re.split(r"[ =]", part.strip())[0] for clause in clauses for part in clause.split(",")]
    assert len(paths) == len(set(paths)), f"overlapping paths: {expression}"
    assert not set(paths) & _KEYS
