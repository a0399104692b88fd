"""Checks requests and answers against the OpenAPI document, strictly: nothing that is undocumented passes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

import httpx
import jsonschema_rs

from chalicelib.http.instants import parse_instant
from tools.generate import openapi

Json = dict[str, Any]

HTTP_ITSELF: Final = frozenset({411, 414, 431, 505})
"""What a server says of HTTP itself, at any address; no operation documents it."""


TAKES_ANY_QUERY: Final = frozenset({"getCalendar", "unsubscribe"})
"""Calls that ignore parameters they do not know."""


def _is_read(text: str) -> bool:
    """An instant as the document says in words that it may be sent."""
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


def _is_written(text: str) -> bool:
    """An instant as the document says in words that it is answered."""
    return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text) is not None and _is_read(text)


class ContractBroken(AssertionError):
    """The API did something that the document does not say."""


def check(answer: httpx.Response) -> None:
    """For httpx's event hook `response`: raises ContractBroken for whatever the document does not allow."""
    answer.read()
    request = answer.request
    request.read()
    contract().check(request, answer)


@cache
def contract() -> Contract:
    """What the app of this working tree promises."""
    return Contract(openapi.content())


class Contract:
    """A document, and what it says of requests and answers."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._components = json.dumps(_closed(document["components"]))

    def check(self, request: httpx.Request, answer: httpx.Response) -> None:
        where = f"{request.method} {request.url.path} -> {answer.status_code}"
        try:
            self._check(request, answer)
        except ContractBroken as broken:
            raise ContractBroken(f"{where}: {broken}\n{answer.text[:1000]}") from None

    def _check(self, request: httpx.Request, answer: httpx.Response) -> None:
        template = self._template(request.url.raw_path.partition(b"?")[0].decode())
        operation = self._document["paths"].get(template, {}).get(_described_as(request.method))
        if template is None or operation is None or answer.status_code in HTTP_ITSELF:
            self._check_unrouted(template, answer)
            return
        shown = operation["responses"].get(str(answer.status_code))
        _must(shown is not None, f"the document has no {answer.status_code} here, only {list(operation['responses'])}")
        shown = self._resolved(shown)
        self._check_headers(shown, answer)
        self._check_body(shown, answer)
        if answer.is_success:
            self._check_accepted(operation, request)

    def _check_unrouted(self, template: str | None, answer: httpx.Response) -> None:
        """An address or a method that is not there."""
        expected = HTTP_ITSELF | ({404} if template is None else {405})
        _must(answer.status_code in expected, f"nothing is there, so expected one of {sorted(expected)}")
        _must(answer.status_code != 405 or "Allow" in answer.headers, "a 405 says which methods are allowed")
        self._check_json({"$ref": "#/components/schemas/Problem"}, answer, "application/problem+json")

    def _check_headers(self, shown: Json, answer: httpx.Response) -> None:
        documented = shown.get("headers", {})
        for name in self._document["components"]["headers"]:
            _must(name in documented or name not in answer.headers, f"the header {name} is not documented")
        for name, reference in documented.items():
            header = self._resolved(reference)
            _must(not header.get("required") or name in answer.headers, f"the header {name} is missing")
            if name in answer.headers:
                value: object = answer.headers[name]
                if header["schema"].get("type") == "integer":
                    value = int(answer.headers[name])
                self._must_fit(header["schema"], value, f"header {name}")

    def _check_body(self, shown: Json, answer: httpx.Response) -> None:
        content = shown.get("content")
        if content is None:
            _must(not answer.content, "there should be no body")
            _must("Content-Type" not in answer.headers, "without a body there is no Content-Type")
            return
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        _must(media_type in content, f"the media type {media_type!r} is not documented, only {list(content)}")
        if media_type.endswith("json"):
            self._check_json(content[media_type]["schema"], answer, media_type)

    def _check_json(self, schema: Json, answer: httpx.Response, media_type: str) -> None:
        _must(answer.headers.get("Content-Type") == media_type, f"expected {media_type}")
        if answer.request.method == "HEAD":
            return
        self._must_fit(schema, json.loads(answer.content, parse_constant=_no_json), "the body", _is_written)

    def _check_accepted(self, operation: Json, request: httpx.Request) -> None:
        """What succeeds is documented to be accepted: the schemas do not promise less than the code takes."""
        parameters = operation["parameters"]
        known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        if request.method in ("GET", "HEAD") and operation["operationId"] not in TAKES_ANY_QUERY:
            _must(set(request.url.params) <= known, f"a query of {dict(request.url.params)} was accepted")
        for parameter in parameters:
            if parameter["in"] == "header" and parameter["name"] in request.headers:
                self._must_fit(parameter["schema"], request.headers[parameter["name"]].strip(), parameter["name"])
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]
            media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if media_type == "application/json" and media_type not in content:
                media_type = "application/merge-patch+json"  # tolerated in words: generators stumble over both
            _must(media_type in content, f"a body of the type {media_type!r} was accepted")
            if media_type.endswith("json") and "ndjson" not in media_type:
                self._must_fit(content[media_type]["schema"], json.loads(request.content), "the request")

    def _must_fit(self, schema: Json, value: object, what: str, instant: Callable[[str], bool] = _is_read) -> None:
        errors = _validator(json.dumps(schema, sort_keys=True), self._components, instant)(value)
        _must(not errors, f"{what}: {'; '.join(errors)}")

    def _template(self, path: str) -> str | None:
        """The path of the document that an address is of: fixed segments before variable ones."""
        fitting = [
            template for template, pattern in _patterns(tuple(self._document["paths"])) if pattern.fullmatch(path)
        ]
        return min(fitting, key=lambda template: template.count("{"), default=None)

    def _resolved(self, shown: Json) -> Json:
        if "$ref" not in shown:
            return shown
        node: Any = self._document
        for part in shown["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        resolved: Json = node
        return resolved


def _described_as(method: str) -> str:
    """The method that the document has it under: what it says of GET holds for HEAD."""
    return "get" if method == "HEAD" else method.lower()


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractBroken(otherwise)


def _no_json(name: str) -> None:
    raise ContractBroken(f"{name} is not JSON")


@cache
def _patterns(templates: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """Each path with what it matches; one trailing slash is nothing to the gateway."""
    return [
        (template, re.compile(re.sub(r"\\?{[^}]*}", "[^/]+", template.replace(".", r"\.")) + "/?"))
        for template in templates
    ]


@cache
def _validator(schema: str, components: str, instant: Callable[[str], bool]) -> Callable[[object], list[str]]:
    root = {**json.loads(schema), "components": json.loads(components)}
    formats = {"iana-time-zone": _is_zone, "date-time": instant}
    made = jsonschema_rs.Draft202012Validator(root, validate_formats=True, formats=formats)
    return lambda value: [f"{'/'.join(map(str, e.instance_path))} {e.message}" for e in made.iter_errors(value)]


def _is_zone(text: str) -> bool:
    return text in _zones()


@cache
def _zones() -> set[str]:
    return available_timezones()  # which looks through the folders of the machine


def _closed(node: Any) -> Any:
    """Objects that have only the members they are documented to have. For clients they are open: we may add some."""
    if isinstance(node, list):
        return [_closed(inner) for inner in node]
    if not isinstance(node, Mapping):
        return node
    closed = {name: _closed(inner) for name, inner in node.items()}
    if node.get("type") == "object" and "properties" in node:
        closed.setdefault("additionalProperties", False)
    return closed
