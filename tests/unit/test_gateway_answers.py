"""What the gateway answers by itself: every kind there is, and a fault of the authorizer as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.session import Session
from chalice.app import AuthRequest, AuthResponse, Chalice
from chalice.config import Config

from devstack.gateway import Answer, AppGateway, Call
from tools.failure import CannotGoOn
from tools.generate.gateway_responses import answers, definition, named_origin


def test_every_kind_of_answer_that_the_gateway_knows_is_ours() -> None:
    # The stubs know no enumerations.
    kinds: Any = Session().get_service_model("apigateway").shape_for("GatewayResponseType")
    assert set(definition()) == set(kinds.enum)


@pytest.mark.parametrize("kind", ["AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"])
def test_a_fault_of_the_authorizer_is_answered_as_busy_and_not_as_broken(kind: str) -> None:
    """The gateway calls an authorizer that raised, timed out or was throttled misconfigured, and would say 500."""
    answer, said = answers()[kind], definition()[kind]
    assert (answer.status_code, said["statusCode"]) == (503, "503")
    assert said["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"
    assert json.loads(said["responseTemplates"]["application/json"])["type"] == "urn:visits:problem:store-busy"


def raising(request: AuthRequest) -> AuthResponse:
    raise RuntimeError("inside")


def saying_nothing(request: AuthRequest) -> AuthResponse | None:
    return None


def guarded_by(authorizer: Callable[[AuthRequest], AuthResponse | None]) -> Answer:
    """What a caller of an app with such an authorizer gets on this machine."""
    app = Chalice("guarded")
    guard = app.authorizer()(authorizer)
    app.route("/", authorizer=guard)(lambda: "never")
    call = Call("GET", "/", "", {"authorization": ["Bearer key"], "host": ["visits.example"]}, b"")
    return AppGateway(app, Config()).answer(call)


@pytest.mark.parametrize("authorizer", [raising, saying_nothing])
def test_the_local_gateway_answers_it_as_the_deployed_one_does(
    authorizer: Callable[[AuthRequest], AuthResponse | None],
) -> None:
    answer, headers = guarded_by(authorizer), dict(guarded_by(authorizer).headers)
    deployed = answers()["AUTHORIZER_CONFIGURATION_ERROR"]
    assert answer.status == 503
    assert headers["Retry-After"] == "1"
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.body) == json.loads(deployed.body)


@pytest.mark.parametrize(
    ("origins", "named"),
    [
        ("", ""),
        (" , ", ""),
        ("https://agency.example", "https://agency.example"),
        ("http://a.example:1, https://b", "http://a.example:1"),
    ],
)
def test_the_gateway_names_the_first_origin_of_the_stage(origins: str, named: str) -> None:
    assert named_origin(origins) == named


@pytest.mark.parametrize(
    "wrong", ["*", "agency.example", "https://agency.example/", "https://Agency.example", "https://a'b"]
)
def test_what_no_browser_would_send_as_an_origin_is_refused(wrong: str) -> None:
    with pytest.raises(CannotGoOn, match="not an origin"):
        named_origin(f"https://agency.example,{wrong}")


def test_the_gateways_answers_name_an_origin_only_where_the_stage_does() -> None:
    header = "gatewayresponse.header.Access-Control-Allow-Origin"
    assert not [kind for kind, said in definition().items() if header in said["responseParameters"]]
    for kind, said in definition("https://agency.example").items():
        assert said["responseParameters"][header] == "'https://agency.example'", kind
        assert said["responseParameters"]["gatewayresponse.header.Vary"] == "'Origin'"
