"""What the gateway answers by itself: every kind there is, and a fault of the authorizer as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from botocore.session import Session
from chalice.app import AuthRequest, AuthResponse, Chalice
from chalice.config import Config

from devstack.gateway import Answer, AppGateway, Call
from tools.gateway_responses import answers, definition


def test_every_kind_of_answer_that_the_gateway_knows_is_ours() -> None:
    known = Session().get_service_model("apigateway").shape_for("GatewayResponseType").enum
    assert set(definition()) == set(known)


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
