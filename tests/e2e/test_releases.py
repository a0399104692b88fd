"""The deployed app in the course of time: released again, taken back, deleted, and begun anew over the same data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.caller import Caller, until
from tests.e2e.checks import book_at, visit
from tests.e2e.deployment import STACK, STAGE, Account, Deployment, account, caller
from tests.integration.access import access_to, bearer
from tools.deliver.data_stack import create_data_stack, data_stack_of
from tools.deliver.package import copy_project, package


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


def with_title(text: str, project: Path) -> Path:
    """A copy of the project with another text in it."""
    copy = project.with_name("changed")
    copy_project(project, copy)
    source = copy / "chalicelib" / "openapi.json"
    before = source.read_text(encoding="utf-8")
    assert before.count('"title":"Property Visits"') == 1
    source.write_text(before.replace('"title":"Property Visits"', f'"title":"{text}"'), encoding="utf-8")
    return copy


def test_a_release_is_taken_back_by_its_alias_and_the_data_outlives_the_app(
    own: Account, key: dict[str, str], packaged: Path, project: Path, tmp_path: Path
) -> None:
    first = own.deploy(packaged)
    with caller(first, key) as http:
        house = Caller(http).house()
        booked = book_at(Caller(http), house, 9)
    assert title(first) == "Property Visits"
    before = first.released()

    package([STAGE], tmp_path, project=with_title("Property Visits, second edition", project))
    second = own.deploy(tmp_path)
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
