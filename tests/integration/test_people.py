"""People on the embedded AWS: the hosted page, the tokens it leads to, and what the operator does about them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from chalicelib.domain.api_keys import Scope
from chalicelib.domain.people import Person
from chalicelib.repositories.token_keys import PublishedKeys, fetch_from
from chalicelib.services.callers import Callers
from chalicelib.settings import Settings
from devstack.people import EMAIL, GROUPS, sign_in
from tests.integration.access import access_to, signed_in
from tests.integration.api import Api, serve
from tests.people import PERSON
from tools.deliver.console import CLIENT, template
from tools.deliver.data_stack import create_data_stack, credentials
from tools.operate import people
from tools.operate.people import Pool
from tools.prove.hosted_page import HostedPage

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

STAGE = "local"
URL = "http://127.0.0.1:25999"


@dataclass
class Front:
    """The sign-in as a browser goes through it."""

    aws: str
    config: dict[str, str]
    password: str
    issuer: str
    http: httpx.Client

    @property
    def page(self) -> HostedPage:
        return HostedPage(self.http, self.config["domain"], self.config["clientId"], f"{URL}/", self.config["scope"])

    def code(self, password: str, verifier: str) -> str | None:
        return self.page.code(EMAIL, password, verifier)

    def tokens(self, **form: str) -> httpx.Response:
        return self.page.tokens(**form)

    def signed_in(self) -> dict[str, str]:
        verifier = secrets.token_urlsafe(48)
        code = self.code(self.password, verifier)
        assert code is not None
        answer = self.tokens(grant_type="authorization_code", code=code, code_verifier=verifier)
        tokens: dict[str, str] = answer.json()
        return tokens


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def front(aws: str, state: Path) -> Iterator[Front]:
    create_data_stack(aws, STAGE)
    issuer, password = sign_in(aws, STAGE, URL, state)
    config = json.loads((state / "console.json").read_text(encoding="utf-8"))
    with httpx.Client() as http:
        yield Front(aws, config, password, issuer, http)


@pytest.fixture(scope="module")
def callers(front: Front, table: FreshTable) -> Callers:
    told = Settings.from_environment({**table.environment, "SIGN_IN_ISSUER": front.issuer}).sign_in
    assert told is not None
    return Callers(access_to(table.client, table.name), told.issuer, PublishedKeys(fetch_from(told.keys)))


@pytest.fixture(scope="module")
def pool(front: Front) -> Pool:
    return Pool(boto3.client("cognito-idp", **credentials(front.aws)), front.issuer.rpartition("/")[2])


def operate(front: Front, *words: str) -> int:
    """What `make person` and its kin run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
            patch.setenv(name, "")
        return people.main(["--stage", STAGE, "--aws-port", front.aws.rpartition(":")[2], *words])


def test_a_person_signs_in_at_the_hosted_page_and_is_admitted_with_their_groups(
    front: Front, callers: Callers, pool: Pool
) -> None:
    tokens = front.signed_in()
    found = callers.authenticate(tokens["access_token"])
    assert found == Person(str(pool.find(EMAIL)), frozenset(Scope(group) for group in GROUPS))
    assert callers.authenticate(tokens["id_token"]) is None
    assert callers.authenticate(tokens["refresh_token"]) is None


def test_a_wrong_password_gets_no_code_and_a_code_alone_no_token(front: Front) -> None:
    verifier = secrets.token_urlsafe(48)
    assert front.code("wrong", verifier) is None
    code = front.code(front.password, verifier)
    assert code is not None
    assert front.tokens(grant_type="authorization_code", code=code, code_verifier="x" * 43).status_code == 400
    assert front.tokens(grant_type="authorization_code", code=code).status_code == 400


def test_a_code_is_sent_to_the_console_and_nowhere_else(front: Front) -> None:
    answer = front.page.ask("x" * 43, redirect_uri="https://elsewhere.example/")
    assert answer.status_code == 400
    assert "elsewhere" not in answer.headers.get("Location", "")


def test_the_api_of_another_client_of_the_pool_is_not_ours(front: Front, callers: Callers, pool: Pool) -> None:
    client = pool.cognito.create_user_pool_client(
        UserPoolId=pool.id, ClientName="other", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    given = {"USERNAME": EMAIL, "PASSWORD": front.password}
    made = pool.cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    assert callers.authenticate(made["AuthenticationResult"]["AccessToken"]) is None


def test_a_token_for_a_password_past_the_hosted_page_opens_nothing(front: Front, callers: Callers, pool: Pool) -> None:
    """AWS makes none, for the client does not allow it."""
    assert template()["Resources"][CLIENT]["Properties"]["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    given = {"USERNAME": EMAIL, "PASSWORD": front.password}
    client = front.config["clientId"]
    made = pool.cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given)
    assert callers.authenticate(made["AuthenticationResult"]["AccessToken"]) is None


def test_another_run_has_the_same_client_and_person_at_its_own_address(front: Front, state: Path) -> None:
    issuer, password = sign_in(front.aws, STAGE, "http://127.0.0.1:25998", state)
    again = json.loads((state / "console.json").read_text(encoding="utf-8"))
    assert (issuer, password, again) == (front.issuer, front.password, front.config)
    assert front.page.ask("x" * 43, redirect_uri="http://127.0.0.1:25998/").status_code == 200
    sign_in(front.aws, STAGE, URL, state)
    assert (state / "development-person").stat().st_mode & 0o777 == 0o600


def test_people_are_invited_regrouped_listed_and_removed(
    front: Front, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert operate(front, "add", "--email", "ann@example.com", "--groups", "read,write") == 0
    assert pool.groups_of("ann@example.com") == "read,write"
    assert operate(front, "add", "--email", "ann@example.com", "--groups", "read,admin") == 0
    assert pool.groups_of("ann@example.com") == "admin,read"
    assert capsys.readouterr().out.count("invited") == 1
    assert operate(front, "list") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ann@")]
    assert line.split()[1:] == ["admin,read", pool.find("ann@example.com"), "force_change_password"]
    assert operate(front, "remove", "--email", "ann@example.com") == 0
    assert pool.find("ann@example.com") is None
    assert operate(front, "remove", "--email", "ann@example.com") == 1
    assert "Nobody has the address" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--email", "ann", "--groups", "read"], ["--email", "a@b.example", "--groups", "root"]]
)
def test_an_address_or_group_that_is_none_is_refused(front: Front, words: list[str]) -> None:
    with pytest.raises(SystemExit):
        operate(front, "add", *words)


def test_taken_groups_are_gone_with_the_next_token(front: Front, callers: Callers, pool: Pool) -> None:
    tokens = front.signed_in()
    pool.put_into(EMAIL, ["read"])
    answer = front.tokens(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    found = callers.authenticate(answer.json()["access_token"])
    assert found is not None
    assert found.scopes == {Scope.READ}
    pool.put_into(EMAIL, GROUPS)


# What a person did


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table) as api:
        yield api


def test_a_visit_says_who_booked_changed_and_cancelled_it(api: Api, house: str) -> None:
    person = signed_in(["read", "write"])
    booking = {"propertyId": house, "date": "2027-03-12T10:00:00Z"}
    booked = api.http.post("/visits", json=booking, headers=person).json()
    assert (booked["createdBy"], booked["updatedBy"]) == (PERSON, PERSON)
    changed = api.patch(f"/visits/{booked['id']}", {"notes": "bell broken"}).json()
    assert (changed["createdBy"], changed["updatedBy"]) == (PERSON, "tests")
    status = {"status": "cancelled", "reason": "ill"}
    cancelled = api.http.put(f"/visits/{booked['id']}/status", json=status, headers=person).json()
    assert cancelled["cancellation"]["by"] == cancelled["updatedBy"] == PERSON
    assert api.get(f"/visits/{booked['id']}").json() == cancelled
    erased = api.http.delete(f"/visits/{booked['id']}/visitor")
    assert erased.status_code == 204
    assert api.get(f"/visits/{booked['id']}").json()["cancellation"]["by"] == PERSON


def test_a_visit_can_be_sent_back_as_it_was_read_and_nobody_else_can_be_named(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T12:00:00Z")
    whole: dict[str, Any] = api.get(f"/visits/{visit['id']}").json()
    assert api.patch(f"/visits/{visit['id']}", whole).json() == whole
    answer = api.patch(f"/visits/{visit['id']}", {"createdBy": "somebody else"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/createdBy"]


def test_visits_that_follow_a_corrected_address_say_who_corrected_it(api: Api, house: str) -> None:
    visit = api.visit(house, "2027-03-12T14:00:00Z")
    read = api.get(f"/properties/{house}")
    kept = {name: read.json()[name] for name in ("name", "price", "currency", "timeZone")}
    moved = kept | {"address": "Lane 2"}
    person = signed_in(["write"])
    answer = api.http.put(f"/properties/{house}", json=moved, headers={**person, "If-Match": read.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    followed = api.get(f"/visits/{visit['id']}").json()
    assert (followed["place"], followed["createdBy"], followed["updatedBy"]) == ("Lane 2", "tests", PERSON)


def test_who_calls_is_told(api: Api) -> None:
    me = api.http.get("/caller", headers=signed_in(["write", "read"])).json()
    assert me == {"name": PERSON, "kind": "person", "scopes": ["read", "write"]}
    assert api.get("/caller").json() == {"name": "tests", "kind": "key", "scopes": [str(scope) for scope in Scope]}
