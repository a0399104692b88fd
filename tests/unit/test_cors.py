"""Pages of other origins: nothing for them unless the stage names theirs, and then also on errors."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from chalice.app import Chalice, Response

from chalicelib.http.cors import answer_preflights, shared_with
from chalicelib.http.problems import shape_framework_answers
from chalicelib.settings import origins_of_stage

OURS, OTHER = "https://agency.example", "https://evil.example"


def app_with(origins: str) -> Chalice:
    named = origins_of_stage({"CORS_ORIGINS": origins})
    app = Chalice(app_name="small")
    app.middleware("http")(shared_with(named))
    app.middleware("http")(shape_framework_answers)

    @app.route("/things/{id}", methods=["GET", "PUT"])
    def thing(id: str) -> Response:
        if id == "none":
            raise ValueError(id)
        return Response("{}", headers={"Content-Type": "application/json"})

    answer_preflights(app, named)
    return app


def asked(app: Chalice, method: str, origin: str | None, id: str = "1") -> tuple[int, Mapping[str, Any]]:
    context = {"httpMethod": method, "resourcePath": "/things/{id}", "path": f"/things/{id}", "requestId": "r"}
    event = {
        "requestContext": context,
        "headers": {"origin": origin} if origin else {},
        "pathParameters": {"id": id},
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = app(event, None)
    return answer["statusCode"], answer["headers"]


def test_without_origins_nothing_is_said_and_there_is_no_preflight() -> None:
    app = app_with("")
    status, headers = asked(app, "GET", OURS)
    assert status == 200
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert "OPTIONS" not in app.routes["/things/{id}"]


@pytest.mark.parametrize(("method", "id", "expected"), [("GET", "1", 200), ("GET", "none", 500), ("POST", "1", 405)])
def test_a_named_origin_may_read_every_answer_and_another_none(method: str, id: str, expected: int) -> None:
    app = app_with(f"{OURS}, https://second.example")
    status, headers = asked(app, method, OURS, id)
    assert status == expected
    assert headers["Access-Control-Allow-Origin"] == OURS
    assert "Location" in headers["Access-Control-Expose-Headers"]
    for stranger in (OTHER, None, "null", f"{OURS}.evil.example", OURS.upper()):
        status, headers = asked(app, method, stranger, id)
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Vary"] == "Origin"


def test_a_preflight_is_answered_without_a_key() -> None:
    app = app_with(OURS)
    assert app.routes["/things/{id}"]["OPTIONS"].authorizer is None
    status, headers = asked(app, "OPTIONS", OURS)
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, OURS)
    assert headers["Access-Control-Allow-Methods"] == "GET, PUT"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Access-Control-Allow-Origin" not in asked(app, "OPTIONS", OTHER)[1]


def test_the_app_loads_in_a_stage_that_names_origins() -> None:
    code = "import app; assert all('OPTIONS' in m for m in app.app.routes.values())"
    environment = {"CORS_ORIGINS": OURS, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
