"""The journal: one line of JSON for what was done, metrics in it, and nothing in it that a caller wrote freely."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.app import AuthResponse

import app as entry
from chalicelib import journal
from chalicelib.domain.api_keys import ApiKey, Scope, make_key
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.people import Person
from chalicelib.functions import Function
from chalicelib.journal import METRICS, NAMESPACE, Plain, tell
from tests.builders import NOW
from tests.journal import Said, data, listening
from tools.project import ROOT

SECRETS = ("zara", "geheim", "+49 30", "?token", "bearer ")
VISIT = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def said() -> Iterator[Said]:
    """What is said, which is never one of the secrets that every test here has about it."""
    with listening() as said:
        yield said
        assert not [secret for secret in SECRETS if secret in said.text.lower()]


@pytest.fixture(autouse=True)
def _warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that has said something before."""
    monkeypatch.setattr(journal, "_cold", False)
    monkeypatch.setenv("STAGE", "test")
    monkeypatch.setattr(entry, "services", lambda: None)  # what is told here needs none


def event(method: str, route: str, **context: Any) -> dict[str, Any]:
    """A request full of what must not be told: in its path, its query, its headers and its body."""
    return {
        "requestContext": {
            "requestId": "the-request",
            "httpMethod": method,
            "resourcePath": route,
            "path": "/api" + route.replace("}", "+49%2030%20zara@geheim.example"),
            **context,
        },
        "headers": {"authorization": "Bearer geheim", "x-name": "Zara"},
        "multiValueHeaders": {"authorization": ["Bearer geheim"], "x-name": ["Zara"]},
        "pathParameters": {"visit_id": "zara@geheim.example"} if "{" in route else None,
        "multiValueQueryStringParameters": {"token": ["geheim"]},
        "stageVariables": None,
        "body": '{"visitor": {"name": "Zara Geheim"}}',
        "isBase64Encoded": False,
    }


def caller(*scopes: Scope) -> dict[str, str]:
    return {"principalId": "partner", "keyId": "0123456789abcdef", "scopes": " ".join(scopes)}


def test_a_request_is_one_line_that_says_what_and_whose_and_how_long(said: Said) -> None:
    entry.app(event("GET", "/visits/{visit_id}", authorizer=caller(Scope.READ)), None)
    (line,) = said.lines
    assert line.pop("durationMs") >= 0
    assert line == {
        "level": "INFO",
        "event": "request",
        "requestId": "the-request",
        "method": "GET",
        "route": "/visits/{visit_id}",
        "status": 422,
        "problem": "invalid-input",
        "caller": "partner",
        "keyId": "0123456789abcdef",
        "coldStart": False,
    }


@pytest.mark.parametrize(
    ("method", "route", "status", "problem"),
    [
        ("GET", "/visits/{visit_id}", 401, "unauthorized"),
        ("DELETE", "/visits/{visit_id}", 405, "method-not-allowed"),
    ],
)
def test_what_is_answered_without_a_route_has_its_line_too(
    said: Said, method: str, route: str, status: int, problem: str
) -> None:
    answer = entry.app(event(method, route), None)
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (status, status)
    (line,) = said.lines
    assert (line["method"], line["route"], line["status"], line["problem"]) == (method, route, status, problem)


def test_a_fault_of_the_framework_is_a_problem_and_a_line_as_well(said: Said) -> None:
    broken = event("GET", "/visits/{visit_id}") | {"pathParameters": None}
    answer = entry.app(broken, None)
    assert json.loads(answer["body"])["type"] == "urn:visits:problem:internal-error"
    (line,) = said.lines
    assert (line["requestId"], line["status"], line["kind"]) == ("the-request", 500, "TypeError")


def test_a_fault_is_told_with_its_kind_and_place_in_the_line_of_its_request(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def services() -> Any:
        raise RuntimeError("while writing Zara Geheim")

    monkeypatch.setattr(entry, "services", services)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    answer = entry.app(event("GET", "/health", authorizer=None) | {"multiValueQueryStringParameters": None}, None)
    assert answer["statusCode"] == 500
    (line,) = said.lines
    assert (line["level"], line["requestId"], line["kind"]) == ("ERROR", "the-request", "RuntimeError")
    assert "test_journal.py" in line["frames"][0], "where it happened"
    assert said.counted("Faults", Stage="test", Function="api_handler") == 1
    # A release is judged by its own version.
    assert said.counted("FaultsOfVersion", Stage="test", Function="api_handler", Version="7") == 1


def test_a_busy_store_is_a_warning_and_no_fault(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def services() -> Any:
        raise StoreBusy

    monkeypatch.setattr(entry, "services", services)
    assert entry.app(event("GET", "/health"), None)["statusCode"] == 503
    (line,) = said.lines
    assert (line["level"], line["status"], line["problem"]) == ("WARNING", 503, "store-busy")
    assert said.counted("Faults") == 0


def test_what_chalice_itself_logs_is_told_without_the_words_of_the_exception(said: Said) -> None:
    try:
        raise ValueError("Zara Geheim")
    except ValueError:
        entry.app.log.error("Caught exception for path %s", "/visits/zara", exc_info=True)
    (line,) = said.lines
    assert (line["event"], line["level"], line["kind"]) == ("fault", "ERROR", "ValueError")
    assert said.counted("Faults", Function="api_handler") == 1


def test_a_line_names_the_trace_that_it_belongs_to(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1")
    entry.app(event("GET", "/visits"), None)
    assert said.lines[0]["trace"] == "1-67891233-abcdef012345678912345678"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_one_that_cloudwatch_takes(said: Said, name: str) -> None:
    tell(Function.WORKER, {"event": "rows", "Outcome": "created"}, {name: 3})
    (datum,) = data(said.text)
    unit, dimensions = METRICS[name]
    assert (datum.name, datum.value, datum.unit) == (name, 3, unit)
    assert tuple(datum.dimensions) == dimensions
    (directive,) = said.lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE


def test_a_line_that_counts_nothing_carries_no_metrics(said: Said) -> None:
    entry.app(event("GET", "/visits"), None)
    assert "_aws" not in said.lines[0]
    assert "Stage" not in said.lines[0]


# The authorizer


class Office:
    """Stands in for `access()`: knows one key, or fails."""

    def __init__(self, key: ApiKey | Person | None = None, fault: Exception | None = None) -> None:
        self.key, self.fault = key, fault

    def __call__(self) -> Office:
        return self

    def authenticate(self, token: str) -> ApiKey | Person | None:
        if self.fault is not None:
            raise self.fault
        return self.key


def authorize(monkeypatch: pytest.MonkeyPatch, office: Office) -> Any:
    monkeypatch.setattr(entry, "callers", office)
    arn = "arn:aws:execute-api:eu-central-1:1:api/stage/GET/properties/zara@geheim"
    return entry.bearer_key({"type": "TOKEN", "authorizationToken": "Bearer geheim", "methodArn": arn}, {})


def test_a_refused_key_is_a_line_and_counts(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authorize(monkeypatch, Office())["principalId"] == "nobody"
    (line,) = said.lines
    assert (line["event"], line["level"], line["admitted"]) == ("authorization", "WARNING", False)
    assert said.counted("KeysRefused", Stage="test") == 1


def test_an_admitted_key_is_told_in_a_cold_start_only(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = make_key("partner", [Scope.READ], NOW)
    monkeypatch.setattr(journal, "_cold", True)
    for _ in range(3):
        assert authorize(monkeypatch, Office(key))["principalId"] == "partner"
    (line,) = said.lines
    assert (line["admitted"], line["caller"], line["keyId"], line["coldStart"]) == (True, "partner", key.id, True)
    assert said.counted("ColdStarts", Function="bearer_key") == 1


def test_a_person_is_told_by_id(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_cold", True)
    authorize(monkeypatch, Office(Person("93a4c8e2", frozenset({Scope.READ}))))
    (line,) = said.lines
    assert (line["admitted"], line["caller"]) == (True, "93a4c8e2")
    assert "keyId" not in line


@pytest.mark.parametrize(("fault", "faults"), [(RuntimeError("geheim"), 1), (StoreBusy(), 0)])
def test_lambda_never_sees_the_words_of_what_failed_in_the_authorizer(
    said: Said, monkeypatch: pytest.MonkeyPatch, fault: Exception, faults: int
) -> None:
    with pytest.raises(Plain) as raised:
        authorize(monkeypatch, Office(fault=fault))
    assert raised.value.__suppress_context__
    (line,) = said.lines
    assert (line["event"], line["kind"]) == ("fault", type(fault).__name__)
    assert said.counted("Faults", Function="bearer_key") == faults
    assert "geheim" not in str(raised.value)


def test_the_answer_of_the_authorizer_is_handed_on_as_it_is() -> None:
    answer = AuthResponse(routes=["*"], principal_id="partner", context={"keyId": "1"})
    assert journal.told(answer) is answer


# A whole instance, as Lambda starts it


def test_an_instance_writes_whole_lines_to_standard_output_and_names_what_is_not_configured() -> None:
    """Without a table's name: answered as a problem, and the operator is told which variable it is, not the others."""
    program = (
        "import app, json; event = json.loads(input())\n"
        "for _ in range(2): assert app.app(event, None)['statusCode'] == 500\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "STAGE": "test",
        "QUEUE_NAME": "visits-test",
        "AWS_SECRET_ACCESS_KEY": "geheim",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        input=json.dumps(event("GET", "/health")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["variables"], first["kind"]) == (["TABLE_NAME"], "Misconfigured")
    assert [first["coldStart"], second["coldStart"]] == [True, False]
    cold = [datum for line in done.stdout.splitlines() for datum in data(line) if datum.name == "ColdStarts"]
    assert [dict(datum.dimensions) for datum in cold] == [{"Stage": "test", "Function": "api_handler"}]
    assert not [secret for secret in SECRETS if secret in done.stdout.lower()]


def test_other_libraries_are_not_repeated_under_our_name() -> None:
    """Lambda has a handler at the root, which would write every line a second time, with a prefix."""
    assert not logging.getLogger("visits").propagate
