"""The contract as a document: valid, committed as it is, true to its examples, and kept for those who rely on it."""

from __future__ import annotations

import copy
import inspect
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import app as entry
from chalicelib.domain import errors, intakes
from chalicelib.domain.errors import Refused
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.http import errors as http_errors
from tests.contract import Contract, ContractBroken
from tools.generate import openapi, openapi_document, openapi_examples
from tools.generate.openapi_examples import REFUSALS
from tools.project import ROOT

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return json.loads(openapi.text())  # type: ignore[no-any-return] # a document is an object


def operations(document: Json) -> Iterator[Json]:
    for methods in document["paths"].values():
        yield from methods.values()


def test_the_document_is_valid_openapi(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_committed_document_is_what_the_code_promises() -> None:
    assert openapi.FILE.read_text("utf-8") == openapi.text(), "run `make openapi`"
    assert openapi.SHIPPED.read_text("utf-8") == openapi.shipped(), "run `make openapi`"


def test_every_route_is_in_the_document_and_nothing_else(document: Json) -> None:
    routed = {(method, path.replace("_id}", "Id}")) for method, path in entry.required if method != "HEAD"}
    shown = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert shown == routed


def test_every_operation_says_what_it_is_and_its_name_is_its_own(document: Json) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for operation in operations(document))


def test_no_name_of_a_schema_says_where_it_is_in_the_code(document: Json) -> None:
    # Two models of one name are told apart by their modules.
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_example_fits_its_schema(document: Json) -> None:
    checked = 0
    for content in _contents(document):
        fits = jsonschema_rs.Draft202012Validator(
            {**content["schema"], "components": document["components"]}, validate_formats=True
        )
        for example in content.get("examples", {}).values():
            fits.validate(example["value"])
            checked += 1
    assert checked > 60


def _contents(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == "content":
                yield from inner.values()
            yield from _contents(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _contents(inner)


def _schemas(node: Any) -> Iterator[Json]:
    """Everything in the document that could be a schema."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _schemas(inner)


def test_no_format_has_a_pattern_beside_it(document: Json) -> None:
    # Clients in PHP and Ruby hold the pattern against a date that is no text any more, and throw after the deed.
    assert [schema for schema in _schemas(document) if "pattern" in schema and "format" in schema] == []


def test_no_field_of_a_body_has_a_default(document: Json) -> None:
    # openapi-typescript makes such a field required.
    assert [schema for schema in _schemas(document["components"]["schemas"]) if "default" in schema] == []
    described = document["components"]["schemas"]["BookVisitInput"]["properties"]["durationMinutes"]["description"]
    assert "`30` unless given" in described


def test_a_client_tells_different_successes_of_an_operation_apart_by_a_field_of_both(document: Json) -> None:
    def resolved(schema: Json) -> Json:
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    apart = 0
    for operation in operations(document):
        successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        contents = [
            answer["content"]["application/json"] for answer in successes if "content" in answer and len(successes) > 1
        ]
        schemas = {json.dumps(content["schema"]): resolved(content["schema"]) for content in contents}
        for one, other in itertools.combinations(schemas.values(), 2):
            told = [
                name
                for name in {*one["required"]} & {*other["required"]}
                if not {*resolved(one["properties"][name]).get("enum", [0])}
                & {*resolved(other["properties"][name]).get("enum", [0])}
            ]
            assert told, operation["operationId"]
            apart += 1
    assert apart == 1


def test_every_refusal_has_an_example_that_the_document_is_made_of() -> None:
    shown = {type(refusal) for refusal in REFUSALS}
    known = {
        kind
        for module in (errors, intakes, http_errors)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Refused | errors.StoreBusy) and kind is not Refused
    }
    # Never an answer: it is how a repository tells a use case to look for the earlier success.
    assert known - {AlreadyDone} <= shown


def test_no_change_since_the_release_breaks_a_client_unless_it_is_declared(document: Json) -> None:
    last = openapi.released()
    if last is None:
        pytest.skip("there is no Git, or no tag v... in its history")
    declared = json.loads(openapi.DECLARED.read_text("utf-8"))
    assert openapi.undeclared(last[1], document, declared) == [], "declare it with the reason, or leave it"


def git(project: Path, *arguments: str) -> None:
    # Nobody's settings but these: a signing key or a hook would be asked for.
    settings = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    told = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *settings, *arguments], cwd=project, env=told, check=True, capture_output=True)


@pytest.fixture
def project(document: Json, tmp_path: Path) -> Path:
    """A project without Git: the contract that clients know had an export more."""
    for file in (openapi.FILE, openapi.SHIPPED, openapi.DECLARED):
        (tmp_path / file.relative_to(ROOT)).parent.mkdir(exist_ok=True)
    known = copy.deepcopy(document)
    known["paths"]["/visits/map"] = known["paths"]["/visits/export"]
    (tmp_path / "docs" / "openapi.json").write_text(json.dumps(known), encoding="utf-8")
    (tmp_path / "docs" / "openapi.breaking.json").write_text('{"GET /visits gone": "long ago"}')
    return tmp_path


def release(project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "Release")
    git(project, "tag", "v1.0.0")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_make_openapi_refuses_what_breaks_clients_of_the_last_release_until_it_is_declared(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release(project)
    declared = project / "docs" / "openapi.breaking.json"
    assert openapi.main(project) == 1
    assert "breaks clients of v1.0.0: GET /visits/map is gone" in capsys.readouterr().err
    assert json.loads(declared.read_text()) == {}, "what was declared for a release before is dropped"
    declared.write_text('{"GET /visits/map is gone": "nobody has called it"}')
    assert openapi.main(project) == 0
    assert json.loads(declared.read_text()) == {"GET /visits/map is gone": "nobody has called it"}
    git(project, "commit", "-qam", "Next release")
    git(project, "tag", "v1.1.0")
    assert openapi.main(project) == 0
    assert json.loads(declared.read_text()) == {}


def test_make_openapi_says_where_there_is_no_release_to_compare_with(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert openapi.main(project) == 0
    assert "not compared with a release" in capsys.readouterr().out
    assert json.loads((project / "docs" / "openapi.json").read_text()) == json.loads(openapi.text())


@pytest.mark.parametrize(
    ("table", "name", "told"),
    [
        (openapi_examples.BODIES, "StatusInput", "An example of the body StatusInput is missing: add it to "),
        (openapi_document.WORDS["answers"], 201, "What 201 means, an answer of "),
        (
            openapi_document.WORDS["problemMembers"],
            "reached",
            "The schema of reached, a member of BookingLimitProblem,",
        ),
        (openapi_document.PATH_PARAMETERS, "sheet_id", "The parameter sheet_id of "),
    ],
    ids=["body", "answer", "problem member", "path parameter"],
)
def test_make_openapi_says_what_is_missing_and_where_to_add_it(
    table: dict[object, Any],
    name: object,
    told: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delitem(table, name)
    _is_told(project, told, capsys)


def test_make_openapi_says_which_refusal_has_no_example(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = tuple(refusal for refusal in REFUSALS if not isinstance(refusal, errors.TooManyWebhooks))
    monkeypatch.setattr(openapi_document, "REFUSALS", rest)
    _is_told(project, "An example of the refusal TooManyWebhooks is missing: add it to REFUSALS in tools/", capsys)


def _is_told(project: Path, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "docs" / "openapi.json").read_text()
    assert openapi.main(project) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(told)
    assert " is missing: add it to " in line
    assert (ROOT / line.removesuffix(".").rsplit(" ", 1)[-1]).is_file()
    assert (project / "docs" / "openapi.json").read_text() == before, "nothing half made is written"


def _drop(*keys: str) -> Callable[[Json], None]:
    def mutate(document: Json) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key]
        if isinstance(node, list):
            node.remove(keys[-1])
        else:
            del node[keys[-1]]

    return mutate


def _put(value: object, *keys: str) -> Callable[[Json], None]:
    def mutate(document: Json) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value

    return mutate


def _require(*keys: str) -> Callable[[Json], None]:
    def mutate(document: Json) -> None:
        node: Any = document
        for key in keys[:-1]:
            node = node[key]
        node.setdefault("required", []).append(keys[-1])

    return mutate


def _new_required_parameter(document: Json) -> None:
    parameter = {"name": "agency", "in": "query", "required": True, "schema": {"type": "string"}}
    document["paths"]["/visits"]["get"]["parameters"].append(parameter)


SCHEMAS = ("components", "schemas")
BREAKING = {
    "a path is gone": _drop("paths", "/visits/export"),
    "a method is gone": _drop("paths", "/visits/{visitId}", "patch"),
    "a status is gone": _drop("paths", "/visits", "post", "responses", "202"),
    "a status of success is new": _put({"description": "x"}, "paths", "/health", "get", "responses", "204"),
    "an operation has another name": _put("makeVisit", "paths", "/visits", "post", "operationId"),
    "another scope is needed": _put([{"apiKey": ["admin"]}], "paths", "/visits", "post", "security"),
    "a field of an answer is gone": _drop(*SCHEMAS, "Visit", "properties", "place"),
    "a field of an answer may be missing": _drop(*SCHEMAS, "Visit", "required", "place"),
    "a field of an answer has another type": _put("string", *SCHEMAS, "Visit", "properties", "version", "type"),
    "an answer has a new value": _put(["requested", "held"], *SCHEMAS, "Status", "enum"),
    "a header of an answer is gone": _drop("paths", "/visits", "post", "responses", "201", "headers", "ETag"),
    "a problem has another type": _put("urn:x", *SCHEMAS, "SlotTakenProblem", "properties", "type", "const"),
    "a member of a problem is gone": _drop(*SCHEMAS, "SlotTakenProblem", "properties", "conflicts"),
    "an input is newly required": _require(*SCHEMAS, "BookVisitInput", "place"),
    "an input is not taken any more": _drop(*SCHEMAS, "BookVisitInput", "properties", "notes"),
    "an input takes fewer values": _drop(*SCHEMAS, "BookVisitInput", "properties", "status", "enum", "requested"),
    "a bound is tighter": _put(60, *SCHEMAS, "BookVisitInput", "properties", "durationMinutes", "maximum"),
    "a bound inside a nested input is tighter": _put(20, *SCHEMAS, "VisitorInput", "properties", "name", "maxLength"),
    "a pattern is another": _put("^x$", *SCHEMAS, "BookVisitInput", "properties", "propertyId", "pattern"),
    "a parameter is newly required": _new_required_parameter,
    "a body of a media type is not taken": _drop(
        "paths", "/visits/{visitId}", "patch", "requestBody", "content", "application/merge-patch+json"
    ),
}


@pytest.mark.parametrize("mutate", BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_found_and_can_be_declared(document: Json, mutate: Callable[[Json], None]) -> None:
    changed = copy.deepcopy(document)
    mutate(changed)
    found = openapi.breaking_changes(document, changed)
    assert found
    assert openapi.undeclared(document, changed, {}) == found
    assert openapi.undeclared(document, changed, dict.fromkeys(found, "we said so in March")) == []


HARMLESS: dict[str, Callable[[Json], None]] = {
    "nothing": lambda document: None,
    "an answer has a new field": _put({"type": "string"}, *SCHEMAS, "Visit", "properties", "colour"),
    "an input has a new field": _put({"type": "string"}, *SCHEMAS, "BookVisitInput", "properties", "colour"),
    "a bound is wider": _put(480, *SCHEMAS, "BookVisitInput", "properties", "durationMinutes", "maximum"),
    "a new path": lambda document: document["paths"].update({"/x": document["paths"]["/health"]}),
    "a field of an answer is always there now": _require(*SCHEMAS, "Visit", "notes"),
    "an input takes more values": lambda document: document["components"]["schemas"]["Currency"]["enum"].append("XTS"),
    "another description": _put("x", "paths", "/visits", "get", "description"),
}


@pytest.mark.parametrize("mutate", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_change_that_breaks_nobody_passes(document: Json, mutate: Callable[[Json], None]) -> None:
    changed = copy.deepcopy(document)
    mutate(changed)
    assert openapi.breaking_changes(document, changed) == []


@pytest.mark.parametrize(("field", "breaks"), [("durationMinutes", False), ("version", True)])
def test_a_number_of_32_bits_breaks_those_who_could_send_more(document: Json, field: str, breaks: bool) -> None:
    before = copy.deepcopy(document)
    number = before["components"]["schemas"]["ChangeVisitInput"]["properties"][field]
    del next(schema for schema in _schemas(number) if "format" in schema)["format"]
    assert bool(openapi.breaking_changes(before, document)) is breaks


# That the check on every answer can fail


def answer(
    status: int, body: object = None, method: str = "GET", path: str = "/health", **headers: str
) -> httpx.Response:
    request = httpx.Request(method, f"http://localhost{path}")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return httpx.Response(status, request=request, headers=named)
    return httpx.Response(
        status, request=request, headers={"Content-Type": "application/json"} | named, content=json.dumps(body)
    )


def test_the_check_lets_pass_what_is_documented(document: Json) -> None:
    given = answer(200, {"status": "ok"})
    Contract(document).check(given.request, given)


@pytest.mark.parametrize(
    "given",
    [
        answer(200, {"status": "ok", "uptime": 3}),
        answer(200, {"status": "fine"}),
        answer(200, {}),
        answer(202, {"status": "ok"}),
        answer(404, {"status": "ok"}),
        answer(200, {"status": "ok"}, ETag='"3"'),
        answer(200, {"status": "ok"}, Content_Type="text/plain"),
        answer(304, path="/openapi.json"),
        answer(200, {"type": "x"}, path="/nowhere"),
        answer(200, {"status": "ok"}, method="DELETE"),
    ],
    ids=["field", "value", "missing", "success", "refusal", "header", "type", "no tag", "address", "method"],
)
def test_the_check_refuses_what_is_not(document: Json, given: httpx.Response) -> None:
    with pytest.raises(ContractBroken):
        Contract(document).check(given.request, given)


# The page of `make docs`


def test_the_page_may_fetch_nothing() -> None:
    """What a browser makes of it is looked at by `make docs-check`, which takes a browser."""
    page = (ROOT / "docs" / "api.hbs").read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy"\s+content="([^"]*)"', page)
    sources = {name: allowed for name, *allowed in (directive.split() for directive in policy.split(";"))}
    assert sources.pop("default-src") == ["'none'"]
    assert {each for allowed in sources.values() for each in allowed} == {"'unsafe-inline'", "data:", "blob:"}
    assert page.index("Content-Security-Policy") < page.index("{{{redocHead}}}"), "what comes first is not bound by it"
    assert "//" not in page.replace(policy, "")
