"""The OpenAPI document, made of the routes and what they promise: no second list of routes, models or problems.

It is made when the project is built, and shipped as a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from chalice.app import Chalice, Response
from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_pascal
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from chalicelib.api.intakes import Problem
from chalicelib.api.wishes import RowInput
from chalicelib.domain import errors
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.spellings import UUID
from chalicelib.http import errors as http_errors
from chalicelib.http import problems
from chalicelib.http.answers import JSON
from chalicelib.http.contract import Condition, Contract, File, contract_of
from chalicelib.http.fields import AGENT_ID_SCHEMA, PROPERTY_ID_SCHEMA, Output
from chalicelib.http.guard import PUBLIC, VISITOR, Access, by_authorizer
from chalicelib.http.preconditions import ENTITY_TAGS
from chalicelib.http.queries import Query
from tools.failure import CannotGoOn
from tools.generate.openapi_examples import BODIES, REFUSALS

Json = dict[str, Any]

VERSION: Final = "1.0.0"
REQUEST: Final = "5b0c7f0e-9a0d-4c0e-8f57-0c7d7d1c6a10"
REF: Final = "#/components/schemas/{model}"

WORDS: Final[Json] = yaml.safe_load(Path(__file__).with_name("openapi.yaml").read_text(encoding="utf-8"))
"""What no route or model says. The first server is one that a generated client can start from."""

_UUID_SCHEMA: Final[Json] = {"type": "string", "maxLength": 36, "pattern": f"^{UUID.pattern}$"}
PATH_PARAMETERS: Final[dict[str, tuple[Json, str]]] = {
    "property_id": (PROPERTY_ID_SCHEMA, "The id of a property."),
    "agent_id": (AGENT_ID_SCHEMA, "The id of an agent, percent-encoded."),
    "visit_id": (_UUID_SCHEMA, "The id of a visit."),
    "intake_id": (_UUID_SCHEMA, "The id of an intake."),
    "webhook_id": (_UUID_SCHEMA, "The id of a webhook."),
    "sheet_id": (_UUID_SCHEMA, "The id of a sheet."),
    "row": ({"type": "integer", "minimum": 1, "maximum": 999_999}, "The number of a row."),
}

ASYNC: Final = (
    "`respond-async` (RFC 7240): answers 202 with an intake of one row instead of waiting. Its `status` is none that a "
    "visit has."
)
LENIENT: Final = (
    "`handling=lenient`, with the scope `override`: outside the hours too, and `warnings` say which rules that breaks."
)

_TAGS_SCHEMA: Final[Json] = {"type": "string", "pattern": rf"^(?:\*|{ENTITY_TAGS})$", "examples": ['"3"']}
REQUEST_HEADERS: Final[dict[str, tuple[Json, str]]] = {
    "Idempotency-Key": (
        {"type": "string", "maxLength": 255, "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
        "Makes the request safe to retry: for 30 days it is done only once under this key, synchronous or queued. "
        "A different payload is a 422.",
    ),
    "If-Match": (_TAGS_SCHEMA, "The `ETag` you last read, or `*` for any version."),
    "If-None-Match": (_TAGS_SCHEMA, "The `ETag` you have: 304 if unchanged."),
    "Prefer": ({"type": "string", "examples": ["respond-async"]}, f"{ASYNC} {LENIENT}"),
}
ONLY_LENIENT: Final = ({"type": "string", "examples": ["handling=lenient"]}, LENIENT)
ONLY_NEW: Final = (
    {"type": "string", "maxLength": 1, "pattern": r"^\*$", "examples": ["*"]},
    "`*`: only if it does not exist yet. Either this or `If-Match` is required.",
)


Name = TypeVar("Name")
Said = TypeVar("Said")


def _said(table: Mapping[Name, Said], name: Name, what: str, where: str) -> Said:
    """What a table says of a name. Raises CannotGoOn, which tells where to add it."""
    if name not in table:
        raise CannotGoOn(f"{what} is missing: add it to {where}.")
    return table[name]


def document(app: Chalice, scopes: Mapping[tuple[str, str], Scope | Access]) -> Json:
    """The document of an app whose routes ask for these scopes."""
    return _document([_Operation(*route, scopes[route[:2]]) for route in _routes(app)])


def _routes(app: Chalice) -> Iterable[tuple[str, str, Any]]:
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            # HEAD is told in words: generators would make a second call of every read. A preflight is the browser's.
            if method not in ("HEAD", "OPTIONS"):
                yield method, path, entry.view_function


class _Operation:
    """One route with its contract, and what follows from both."""

    def __init__(self, method: str, path: str, view: Any, scope: Scope | Access) -> None:
        contract = contract_of(view)
        if contract is None:
            raise LookupError(f"{method} {path} has no contract")
        self.method = method
        self.contract: Contract = contract
        self.scope = scope
        self.variables: list[str] = re.findall(r"{(\w+)}", path)
        self.path = re.sub(r"{(\w+)}", lambda found: f"{{{to_camel(found[1])}}}", path)
        self.id = to_camel(view.__name__)
        resource = path.split("/")[1].capitalize()
        self.tag = resource if resource in WORDS["tags"] else "Service"
        summary, _, description = cleandoc(view.__doc__ or "").partition("\n")
        self.summary = summary.rstrip(".")
        self.description = " ".join(description.split())

    @property
    def request_headers(self) -> dict[str, tuple[Json, str, bool]]:
        """Name, schema and description, and whether it is required."""
        condition = self.contract.condition
        names: dict[str, bool] = {}
        if self.contract.idempotent:
            names["Idempotency-Key"] = False
        if 201 in self.contract.gives and 202 in self.contract.gives:
            names["Prefer"] = False
        if condition in (Condition.MATCH, Condition.MAY_MATCH, Condition.MATCH_OR_NEW):
            names["If-Match"] = condition is Condition.MATCH
        if condition is Condition.TAGGED:
            names["If-None-Match"] = False
        headers = {name: (*REQUEST_HEADERS[name], required) for name, required in names.items()}
        if condition is Condition.MATCH_OR_NEW:
            headers["If-None-Match"] = (*ONLY_NEW, False)
        if self.contract.lenient and "Prefer" not in headers:
            headers["Prefer"] = (*ONLY_LENIENT, False)
        return headers

    @property
    def refusals(self) -> list[type[Exception]]:
        """What is refused here: what the route says, and what follows from what it takes."""
        contract, condition = self.contract, self.contract.condition
        found: list[type[Exception]] = []
        if self.scope == VISITOR:
            found.append(errors.LinkInvalid)
        if self.scope != PUBLIC:
            found.append(http_errors.Unauthenticated)
        if isinstance(self.scope, Scope):
            found.append(http_errors.ScopeMissing)
        if contract.takes is not None:
            found += [
                http_errors.MalformedRequest,
                http_errors.BodyTooLarge,
                http_errors.UnsupportedMediaType,
                errors.InvalidInput,
            ]
        if contract.query is not None:
            found.append(errors.InvalidInput)
            if "cursor" in contract.query.model_fields:
                found.append(http_errors.InvalidCursor)
        if contract.idempotent:
            found += [http_errors.MalformedRequest, errors.KeyReused]
        if condition is not None:
            found.append(http_errors.MalformedRequest)
        if condition in (Condition.MATCH, Condition.MAY_MATCH, Condition.MATCH_OR_NEW):
            found.append(errors.VersionMismatch)
        if condition in (Condition.MATCH, Condition.MATCH_OR_NEW):
            found.append(errors.PreconditionRequired)
        named = {
            "property_id": errors.PropertyNotFound,
            "agent_id": errors.AgentNotFound,
            "visit_id": errors.VisitNotFound,
            "intake_id": errors.IntakeNotFound,
            "sheet_id": errors.SheetNotFound,
            "row": errors.SheetRowNotFound,
            "webhook_id": errors.WebhookNotFound,
        }
        if errors.FeedNotFound not in contract.refuses:
            found += [named[variable] for variable in self.variables]
        unavailable = [errors.StoreBusy] if self.method == "GET" else [errors.StoreBusy, errors.OutcomeUnknown]
        return list(dict.fromkeys([*found, *contract.refuses, *unavailable]))

    def headers_of(self, status: int, output: type[Output] | File | None) -> list[str]:
        """The headers of an answer, as `http.answers` gives them."""
        contract = self.contract
        fields = output.model_fields if isinstance(output, type) else {}
        names = list(contract.headers.get(status, ()))
        if "version" in fields or status == 304:
            names.append("ETag")
        if status == 200 and contract.condition is Condition.TAGGED and "version" not in fields:
            names.append("ETag")
        if "next_cursor" in fields:
            names.append("Link")
        if status == 201:
            names.append("Location")
            if contract.idempotent:
                names.append("Idempotency-Replayed")
        if status == 202:
            names += ["Location", "Retry-After"]
            if 201 in contract.gives:
                names.append("Preference-Applied")
        if status in (200, 201) and contract.lenient:
            names.append("Preference-Applied")
        return list(dict.fromkeys(names))


def _document(operations: list[_Operation]) -> Json:
    schemas = _Schemas(operations)
    kinds = _Problems()
    paths: dict[str, Json] = {}
    for operation in operations:
        shown = _shown(operation, operations, schemas, kinds)
        paths.setdefault(operation.path, {})[operation.method.lower()] = shown
    components = {
        "schemas": {**schemas.components, **kinds.schemas},
        "responses": kinds.responses,
        "headers": WORDS["headers"],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Property Visits",
            "version": VERSION,
            "summary": "Register, find and manage property visits.",
            "description": WORDS["about"].rstrip(),
            "contact": {"name": "The agency whose address you call"},
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": WORDS["servers"],
        "tags": [{"name": name, "description": text} for name, text in WORDS["tags"].items()],
        "paths": dict(sorted(paths.items())),
        "components": {
            **_used(components, paths),
            "securitySchemes": WORDS["securitySchemes"],
        },
    }


def _used(components: Mapping[str, Mapping[str, Json]], paths: Json) -> Json:
    """The components that the paths refer to, and those that these refer to, by kind and name."""
    found: set[tuple[str, str]] = set()
    left = list(_references(paths))
    while left:
        kind, name = reference = left.pop()
        if reference not in found:
            found.add(reference)
            left += _references(components[kind][name])
    return {
        kind: {name: shown for name, shown in sorted(named.items()) if (kind, name) in found}
        for kind, named in components.items()
    }


def _references(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for inner in node:
            yield from _references(inner)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            _, _, kind, name = node["$ref"].split("/")
            yield kind, name
        for inner in node.values():
            yield from _references(inner)


def _shown(operation: _Operation, operations: list[_Operation], schemas: _Schemas, kinds: _Problems) -> Json:
    """One operation as the document has it."""
    contract = operation.contract
    answers: dict[str, Json] = {}
    for status, output in contract.gives.items():
        answers[str(status)] = _answer(operation, status, output, operations, schemas)
    if contract.condition is Condition.TAGGED:
        answers["304"] = _answer(operation, 304, None, operations, schemas)
    answers.update(kinds.answers(operation.refusals))
    scope = operation.scope
    needs = f" Requires the scope `{scope}`." if isinstance(scope, Scope) else ""
    scopes = [str(scope)] if isinstance(scope, Scope) else []
    security: Json = {"apiKey": scopes} if by_authorizer(scope) else {"visitorLink": []}
    shown: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}{needs}".strip() or operation.summary,
        "security": [] if scope == PUBLIC else [security],
        "parameters": _parameters(operation, schemas),
        "responses": dict(sorted(answers.items())),
    }
    if contract.takes is not None:
        shown["requestBody"] = {
            "required": True,
            "content": {
                media_type: _body(contract.takes, schemas)
                if media_type.endswith("json") and "ndjson" not in media_type
                else _lines()
                for media_type in contract.media_types
            },
        }
    return shown


def _body(model: type[BaseModel], schemas: _Schemas) -> Json:
    name = model.__name__
    example = _said(BODIES, name, f"An example of the body {name}", "tools/generate/openapi_examples.yaml")
    return {"schema": schemas.ref(model), "examples": {"example": {"value": example}}}


def _lines() -> Json:
    """Newline-delimited JSON, a row a line: no schema says that, an example does."""
    row = json.dumps({"propertyId": "house-1", "date": "2027-03-14T10:30:00+01:00", "externalId": "crm-4711"})
    return {
        "schema": {
            "type": "string",
            "format": "ndjson",
            "description": "Newline-delimited JSON: 1 to 1,000 lines, each a `RowInput`.",
        },
        "examples": {"example": {"value": f"{row}\n"}},
    }


def _answer(
    operation: _Operation,
    status: int,
    output: type[Output] | File | None,
    operations: list[_Operation],
    schemas: _Schemas,
) -> Json:
    what = f"What {status} means, an answer of {operation.method} {operation.path},"
    shown: Json = {"description": _said(WORDS["answers"], status, what, "answers in tools/generate/openapi.yaml")}
    if headers := operation.headers_of(status, output):
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    if isinstance(output, File):
        shown["content"] = {media_type: _file(media_type) for media_type in output.media_types}
    elif output is not None:
        shown["content"] = {JSON: _body(output, schemas)}
        if links := _links(output, "ETag" in headers, operations):
            shown["links"] = links
    return shown


def _file(media_type: str) -> Json:
    if media_type == JSON:
        return {"schema": {"type": "object"}}
    if media_type.startswith("text/"):
        return {"schema": {"type": "string"}}
    return {"schema": {"type": "string", "format": "binary"}}


def _links(output: type[Output], tagged: bool, operations: list[_Operation]) -> Json:
    """What can be done next with the id of a property, agent, visit or intake that is in the answer."""
    kind = output.__name__.removesuffix("Output").lower()
    variable = f"{kind}_id"
    if variable not in PATH_PARAMETERS:
        return {}
    links: Json = {}
    for target in operations:
        parameters: dict[str, str] = {}
        if target.variables == [variable]:
            parameters[f"path.{to_camel(variable)}"] = "$response.body#/id"
            if tagged and "If-Match" in target.request_headers:
                parameters["header.If-Match"] = "$response.header.ETag"
        elif to_camel(variable) in _parameter_names(target.contract.query):
            parameters[f"query.{to_camel(variable)}"] = "$response.body#/id"
        elif target.method == "GET" and len(target.variables) == 1 and target.variables[0] in output.model_fields:
            name = to_camel(target.variables[0])
            parameters[f"path.{name}"] = f"$response.body#/{name}"
        if parameters:
            links[target.id] = {"operationId": target.id, "parameters": parameters, "description": target.summary}
    return links


def _parameter_names(query: type[Query] | None) -> list[str]:
    return [field.alias or name for name, field in query.model_fields.items()] if query else []


def _parameters(operation: _Operation, schemas: _Schemas) -> list[Json]:
    parameters: list[Json] = []
    for variable in operation.variables:
        what = f"The parameter {variable} of {operation.method} {operation.path}"
        schema, description = _said(
            PATH_PARAMETERS, variable, what, "PATH_PARAMETERS in tools/generate/openapi_document.py"
        )
        parameters.append(
            {
                "name": to_camel(variable),
                "in": "path",
                "required": True,
                "description": description,
                "schema": _plain(schema),
            }
        )
    if operation.contract.query is not None:
        parameters += schemas.query(operation.contract.query)
    for name, (schema, description, required) in operation.request_headers.items():
        parameters.append(
            {"name": name, "in": "header", "required": required, "description": description, "schema": schema}
        )
    return parameters


class _Schemas:
    """The schemas of all models that the operations take and give."""

    def __init__(self, operations: list[_Operation]) -> None:
        wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
            (RowInput, "validation"): None,
            (Problem, "serialization"): None,
        }
        for operation in operations:
            contract = operation.contract
            for model in (contract.takes, contract.query):
                if model is not None:
                    wanted[model, "validation"] = None
            for output in contract.gives.values():
                if isinstance(output, type):
                    wanted[output, "serialization"] = None
        self._refs, made = models_json_schema(list(wanted), ref_template=REF)
        self._all: dict[str, Json] = {name: _plain(schema) for name, schema in made["$defs"].items()}
        queries = {self._name(model, mode) for model, mode in wanted if issubclass(model, Query)}
        names = {name: name.removesuffix("Output") for name in self._all if name not in queries}
        self.components: dict[str, Json] = {
            new: _renamed((_without_absent if old != new else _without_defaults)(self._all[old]), names)
            for old, new in names.items()
        }
        self._names = names

    def _name(self, model: type[BaseModel], mode: JsonSchemaMode) -> str:
        return str(self._refs[model, mode]["$ref"]).rpartition("/")[2]

    def ref(self, model: type[BaseModel]) -> Json:
        mode: JsonSchemaMode = "serialization" if issubclass(model, Output) else "validation"
        return {"$ref": REF.format(model=self._names[self._name(model, mode)])}

    def query(self, model: type[Query]) -> list[Json]:
        """The parameters of a query, one for each field of its model."""
        schema = self._all[self._name(model, "validation")]
        parameters = []
        for name, shown in schema.get("properties", {}).items():
            plain = _not_null(shown)
            description = plain.pop("description", "")
            if plain.get("default") in (None, []):
                plain.pop("default", None)
            required = name in schema.get("required", ())
            parameters.append(
                {"name": name, "in": "query", "required": required, "description": description, "schema": plain}
            )
        return parameters


def _without_defaults(schema: Json) -> Json:
    """Of a body: defaults in words. As JSON they make what may be left out required in generated types."""
    if "properties" not in schema:
        return schema
    return {**schema, "properties": {name: _told(shown) for name, shown in schema["properties"].items()}}


def _told(shown: Json) -> Json:
    rest = {name: value for name, value in shown.items() if name != "default"}
    if rest == shown or shown.get("readOnly"):
        return rest
    default = shown["default"] if isinstance(shown["default"], str) else json.dumps(shown["default"])
    return {**rest, "description": f"{shown.get('description', '')} `{default}` unless given.".strip()}


def _plain(node: Any) -> Any:
    """Without the titles that pydantic makes of names, defaults that say nothing, and patterns beside a format.

    Generated clients hold a pattern against their own object of a date, and those in PHP stumble over its \\u.
    """
    if isinstance(node, list):
        return [_plain(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        name: {key: _plain(inner) for key, inner in value.items()} if name == "properties" else _plain(value)
        for name, value in node.items()
        if not (name == "title" and isinstance(value, str))
        and not (name == "default" and value is None)
        and not (name == "pattern" and isinstance(value, str) and "format" in node)
    }


def _not_null(schema: Json) -> Json:
    """Without the null that stands for something absent."""
    if "anyOf" not in schema:
        return dict(schema)
    variants = [variant for variant in schema["anyOf"] if variant != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**variants[0], **rest} if len(variants) == 1 else {**rest, "anyOf": variants}


def _without_absent(schema: Json) -> Json:
    """Of an answer: what need not be there is left out, never null."""
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    shown = {name: value if name in required else _not_null(value) for name, value in properties.items()}
    return {**schema, "properties": shown}


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(inner, names) for inner in node]
    if not isinstance(node, dict):
        return node
    renamed = {name: _renamed(inner, names) for name, inner in node.items()}
    if isinstance(renamed.get("$ref"), str):
        name = renamed["$ref"].rpartition("/")[2]
        renamed["$ref"] = REF.format(model=names.get(name, name))
    return renamed


class _Problems:
    """The kinds of problems, read off the answers to an example of each."""

    def __init__(self) -> None:
        self.schemas: dict[str, Json] = {}
        self.responses: dict[str, Json] = {}
        self._kinds: dict[type[Exception], tuple[int, str]] = {}
        answers: dict[str, list[Response]] = {}
        for refusal in REFUSALS:
            answer = problems.problem_for(refusal)
            answers.setdefault(self._enlist(type(refusal), answer), []).append(answer)
        for answer in (
            problems.internal_error(REQUEST),
            problems.too_many_requests(),
            problems.address_too_long(),
            problems.headers_too_large(),
            problems.no_answer(REQUEST),
            problems.no_answer_in_time(REQUEST),
        ):
            answers[self._enlist(None, answer)] = [answer]
        for name, examples in answers.items():
            self._describe(name, examples)

    def answers(self, refusals: list[type[Exception]]) -> dict[str, Json]:
        """The answers to refusals of these kinds, by status; and those that any call can get."""
        by_status: dict[int, list[str]] = {
            414: ["AddressTooLong"],
            429: ["TooManyRequests"],
            431: ["HeadersTooLarge"],
            500: ["InternalError"],
            502: ["NoAnswer"],
            504: ["NoAnswerInTime"],
        }
        for refusal in refusals:
            what = f"An example of the refusal {refusal.__name__}"
            status, name = _said(self._kinds, refusal, what, "REFUSALS in tools/generate/openapi_examples.py")
            by_status.setdefault(status, []).append(name)
        return {str(status): self._answer(list(dict.fromkeys(names))) for status, names in by_status.items()}

    def _answer(self, names: list[str]) -> Json:
        if len(names) == 1:
            return {"$ref": f"#/components/responses/{names[0]}"}
        alone = [self.responses[name] for name in names]
        contents = [response["content"][problems.MEDIA_TYPE] for response in alone]
        headers = {name: shown for response in alone for name, shown in response.get("headers", {}).items()}
        return {
            "description": " ".join(response["description"] for response in alone),
            **({"headers": headers} if headers else {}),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"oneOf": [content["schema"] for content in contents]},
                    "examples": {name: shown for content in contents for name, shown in content["examples"].items()},
                }
            },
        }

    def _enlist(self, refusal: type[Exception] | None, answer: Response) -> str:
        slug = json.loads(answer.body)["type"].removeprefix(problems.TYPE_PREFIX)
        name = to_pascal(slug.replace("-", "_"))
        if refusal is not None:
            self._kinds[refusal] = (answer.status_code, name)
        return name

    def _describe(self, name: str, answers: list[Response]) -> None:
        documents: list[Json] = [json.loads(answer.body) for answer in answers]
        example = documents[0]
        properties: Json = {
            "type": {"type": "string", "const": example["type"]},
            "title": {"type": "string", "const": example["title"]},
            "status": {"type": "integer", "const": example["status"]},
            "detail": {"type": "string", "description": "For humans; the wording may change."},
        }
        for member in (member for member in example if member not in properties):
            what = f"The schema of {member}, a member of {name}Problem,"
            properties[member] = _said(
                WORDS["problemMembers"], member, what, "problemMembers in tools/generate/openapi.yaml"
            )
        self.schemas[f"{name}Problem"] = {
            "type": "object",
            "properties": properties,
            "required": [member for member in properties if all(member in document for document in documents)],
        }
        headers = [header for header in WORDS["headers"] if any(header in answer.headers for answer in answers)]
        self.responses[name] = {
            "description": f"{example['title']}.",
            **(
                {"headers": {header: {"$ref": f"#/components/headers/{header}"} for header in headers}}
                if headers
                else {}
            ),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": REF.format(model=f"{name}Problem")},
                    "examples": {name: {"value": example}},
                }
            },
        }
