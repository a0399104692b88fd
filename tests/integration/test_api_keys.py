"""The API keys in the table, where the index that lists them lags behind, or holds what somebody planted there."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest, Scope
from chalicelib.repositories import items
from chalicelib.repositories.api_keys import API_KEYS, DynamoApiKeys, api_key_item, api_key_key
from chalicelib.repositories.table import Table, serialized
from chalicelib.services.api_keys import ApiKeys
from tests.builders import NOW, Clock

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

WEEK = timedelta(days=7)


class Lagging:
    """A client of DynamoDB whose indexes can stand still while the table goes on, and whose answers can get lost."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._standing: dict[str, Any] = {}
        self.indexes_stand_still = False
        self.answers_to_lose = 0
        self.meanwhile: dict[str, Callable[[], object]] = {}
        """What somebody else does just before the item of a partition is written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        asked = repr(sorted(request.items()))
        if not self.indexes_stand_still or asked not in self._standing:
            self._standing[asked] = self._client.query(**request)
        return copy.deepcopy(self._standing[asked])

    def put_item(self, **request: Any) -> Any:
        self.meanwhile.pop(request["Item"]["pk"]["S"], lambda: None)()
        return self._client.put_item(**request)

    def update_item(self, **request: Any) -> Any:
        self.meanwhile.pop(request["Key"]["pk"]["S"], lambda: None)()
        answer = self._client.update_item(**request)
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise ReadTimeoutError(endpoint_url="dynamodb")
        return answer


@dataclass
class Office:
    """The operator's desk over a real table."""

    table: FreshTable
    name: str
    clock: Clock = field(default_factory=lambda: Clock(NOW))

    def __post_init__(self) -> None:
        self.client = Lagging(self.table.client)
        answers_as_one: Any = self.client
        self.keys = DynamoApiKeys(Table(answers_as_one, self.table.name))
        self.access = ApiKeys(self.keys, self.clock)

    def admits(self, text: str) -> bool:
        return self.access.authenticate(text) is not None

    def plant(self, pk: str, key: ApiKey, **changed: Any) -> None:
        """Somebody who may write visits puts an item into the index of keys."""
        item = {**api_key_item(key), "pk": pk, "sk": "V", **changed}
        self.table.client.put_item(TableName=self.table.name, Item=serialized(item))


@pytest.fixture
def office(table: FreshTable) -> Office:
    return Office(table, f"caller-{secrets.token_hex(4)}")


def test_a_rotation_leaves_revoked_what_the_index_still_lists_as_good(office: Office) -> None:
    key, shown = office.access.issue(office.name, [Scope.READ])
    office.access.issue(office.name, [Scope.READ])
    office.access.all_keys()
    office.client.indexes_stand_still = True
    office.access.revoke(key.id)

    office.access.rotate(office.name, WEEK)

    assert not office.admits(shown.text)
    kept = office.keys.find(key.id)
    assert kept is not None
    assert (kept.revoked_at, kept.expires_at) == (NOW, None)


def test_a_key_that_is_revoked_while_it_is_rotated_stays_revoked(office: Office) -> None:
    key, shown = office.access.issue(office.name, [Scope.READ])
    office.client.meanwhile[f"K#{key.id}"] = lambda: office.access.revoke(key.id)
    office.access.rotate(office.name, WEEK)
    assert not office.admits(shown.text)
    kept = office.keys.find(key.id)
    assert kept is not None
    assert (kept.revoked_at, kept.expires_at) == (NOW, None), "nothing but the revocation"


def test_what_is_planted_in_the_index_lends_nobody_scopes_or_a_name(office: Office) -> None:
    mine, _ = office.access.issue(office.name, [Scope.READ], timedelta(days=90))
    office.clock.now += timedelta(days=1)
    stranger = ApiKey("f" * 16, office.name, b"x" * 32, frozenset({Scope.ADMIN}), office.clock.now)
    office.plant("V#planted", stranger)
    office.plant("V#planted-too", stranger, id=mine.id)
    office.plant(f"K#{'e' * 16}", stranger, id=mine.id)

    after, _ = office.access.rotate(office.name, WEEK)

    assert after.scopes == {Scope.READ}
    assert after.expires_at == office.clock.now + timedelta(days=90)
    assert {key.id for key in office.access.all_keys() if key.name == office.name} == {mine.id, after.id}


def test_what_is_planted_for_a_caller_without_keys_makes_none(office: Office) -> None:
    office.plant("V#nobody", ApiKey("d" * 16, office.name, b"x" * 32, frozenset({Scope.ADMIN}), NOW))
    with pytest.raises(InvalidKeyRequest):
        office.access.rotate(office.name, WEEK)


def test_an_item_of_the_index_that_is_no_key_stops_nothing(office: Office) -> None:
    mine, _ = office.access.issue(office.name, [Scope.READ])
    rubbish = {"pk": "V#rubbish", "sk": "V", "g2pk": API_KEYS, "g2sk": f"{office.name}#0"}
    office.table.client.put_item(TableName=office.table.name, Item=serialized(rubbish))
    assert [key.id for key in office.access.revoke_all(office.name)] == [mine.id]


def test_rotation_and_revocation_change_one_attribute(office: Office) -> None:
    key, _ = office.access.issue(office.name, [Scope.READ])
    where = {name: {"S": value} for name, value in api_key_key(key.id).items()}
    before = office.table.client.get_item(TableName=office.table.name, Key=where)["Item"]
    office.access.rotate(office.name, WEEK)
    rotated = office.table.client.get_item(TableName=office.table.name, Key=where)["Item"]
    assert rotated == before | {"expiresAt": {"S": items.stored(NOW + WEEK)}}
    office.clock.now += timedelta(days=30)
    office.access.revoke(key.id)
    revoked = office.table.client.get_item(TableName=office.table.name, Key=where)["Item"]
    assert revoked == rotated | {"revokedAt": {"S": items.stored(office.clock.now)}}


@pytest.mark.parametrize("lost", [1, 2])
def test_a_change_whose_answer_was_lost_is_recognised(office: Office, lost: int) -> None:
    key, shown = office.access.issue(office.name, [Scope.READ])
    office.client.answers_to_lose = lost
    office.access.rotate(office.name, WEEK)
    office.client.answers_to_lose = lost
    assert office.access.revoke(key.id).revoked_at == NOW
    assert not office.admits(shown.text)


def test_a_key_that_has_become_another_is_left_alone(office: Office) -> None:
    key, _ = office.access.issue(office.name, [Scope.READ])
    other = ApiKey(key.id, "other", b"y" * 32, frozenset({Scope.READ}), NOW)
    office.table.client.put_item(TableName=office.table.name, Item=serialized(api_key_item(other)))
    for change in (office.keys.end, office.keys.revoke):
        with pytest.raises(InvalidKeyRequest, match="changed by someone else"):
            change(key, NOW)
    assert office.keys.find(key.id) == other
