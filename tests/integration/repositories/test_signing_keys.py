"""The signing keys, which all instances share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from chalicelib.repositories.signing_keys import DynamoSigningKeys, signing_keys_key
from chalicelib.repositories.table import Table
from tests.integration.repositories.faults import faults
from tests.integration.repositories.stores import Store

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable


def test_all_instances_share_the_signing_keys(store: Store) -> None:
    first, second = DynamoSigningKeys(store.table).load(), DynamoSigningKeys(store.table).load()
    assert first == second
    assert first.secrets[first.current] not in (b"", b"\0" * 32)


def test_two_instances_that_make_the_keys_at_once_agree(store: Store, table: FreshTable) -> None:
    key = {"pk": {"S": signing_keys_key()["pk"]}, "sk": {"S": signing_keys_key()["sk"]}}
    table.client.delete_item(TableName=table.name, Key=key)
    other: list[Any] = []

    def in_between(request: AWSPreparedRequest) -> AWSResponse | None:
        other.append(DynamoSigningKeys(Table(table.client, table.name)).load())
        return None

    with faults(store.client, "PutItem", [in_between]):
        mine = DynamoSigningKeys(store.table).load()
    assert [mine] == other
