"""Keys for the tests, as the operator would make them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chalicelib.container import utc_now
from chalicelib.domain.access import Scope
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.table import Table
from chalicelib.services.access import Access

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVERYTHING = tuple(Scope)


def access_to(dynamodb: DynamoDBClient, table: str) -> Access:
    """The keys of a table. By the real clock: a key is good or not whatever the clock of a test says."""
    return Access(DynamoApiKeys(Table(dynamodb, table)), utc_now)


def bearer(access: Access, scopes: Iterable[Scope] = EVERYTHING, name: str = "tests") -> dict[str, str]:
    """The header of a caller with a new key."""
    _, shown = access.issue(name, scopes)
    return {"Authorization": f"Bearer {shown.text}"}
