"""The deployed app in the course of time: released again, taken back, deleted, and begun anew over the same data."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.caller import Caller, until
from tests.e2e.checks import book_at, visit
from tests.e2e.deployment import STACK, STAGE, Account, Deployment, account, caller
from tests.integration.access import access_to, bearer
from tools.deliver.data_stack import create_data_stack, data_stack_of
from tools.deliver.package import ZIP


@pytest.fixture(scope="module")
def own() -> Iterator[Account]:
    with account() as made:
        yield made


@pytest.fixture
def key(own: Account) -> dict[str, str]:
    """One key for the whole story: what is deleted with the app must not be needed for it."""
    return bearer(access_to(own.client("dynamodb"), STACK), name="partner")


def title(deployment: Deployment) -> str:
    """A text that only the code of the function knows."""
    with caller(deployment, {}) as anybody:
        return str(anybody.get("/openapi.json").json()["info"]["title"])


def with_title(text: str, packaged: Path, changed: Path) -> Path:
    """A package with another text in it, its zip made in a hurry."""
    shutil.copytree(packaged, changed)
    with zipfile.ZipFile(packaged / ZIP) as old, zipfile.ZipFile(changed / ZIP, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "chalicelib/openapi.json":
                assert content.count(b'"title":"Property Visits"') == 1
                content = content.replace(b'"title":"Property Visits"', f'"title":"{text}"'.encode())
            new.writestr(name, content)
    return changed


def test_a_release_is_taken_back_by_its_alias_and_the_data_outlives_the_app(
    own: Account, key: dict[str, str], packaged: Path, tmp_path: Path
) -> None:
    first = own.deploy(packaged)
    with caller(first, key) as http:
        house = Caller(http).house()
        booked = book_at(Caller(http), house, 9)
    assert title(first) == "Property Visits"
    before = first.released()

    second = own.deploy(with_title("Property Visits, second edition", packaged, tmp_path / "changed"))
    assert second.url == first.url
    assert title(second) == "Property Visits, second edition"
    assert second.released() != before
    with caller(second, key) as http:
        assert Caller(http).call(200, "GET", f"/visits/{booked}")["propertyId"] == house

    second.release(before)
    until(lambda: title(second) == "Property Visits", "the old version answers")

    own.delete(STACK)
    assert own.stacks() == [data_stack_of(STAGE)]
    assert own.client("lambda").list_functions()["Functions"] == []
    assert own.client("apigateway").get_rest_apis()["items"] == []
    # Not even without its stack is the table gone.
    own.delete(data_stack_of(STAGE))
    item = own.client("dynamodb").get_item(TableName=STACK, Key={"pk": {"S": f"V#{booked}"}, "sk": {"S": "V"}})
    assert "Item" in item

    create_data_stack(own.aws.endpoint, STAGE)
    again = own.deploy(packaged)
    with caller(again, key) as http:
        assert Caller(http).call(200, "GET", f"/visits/{booked}")["propertyId"] == house
        # Its time is still taken.
        Caller(http).call(409, "POST", "/visits", visit(house, 9))
