"""`make openapi`: writes docs/openapi.json, and the copy that ships, and refuses what would break clients.

What clients rely on is the contract at the last release, a tag `v...`. A change that breaks them is refused, here and
by a test, unless docs/openapi.breaking.json declares it with the reason; after the release its entry is dropped.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tools.failure import CannotGoOn
from tools.generate.openapi_document import document
from tools.project import ROOT

FILE: Final = ROOT / "docs" / "openapi.json"
SHIPPED: Final = ROOT / "chalicelib" / "openapi.json"
DECLARED: Final = ROOT / "docs" / "openapi.breaking.json"

Json = dict[str, Any]
METHODS: Final = ("get", "put", "post", "delete", "patch")


def content() -> Json:
    """The document that the routes and models make."""
    os.environ.setdefault("QUEUE_NAME", "visits-local")
    import app

    return document(app.app, app.required)


def text() -> str:
    """The document as people read it."""
    return json.dumps(content(), indent=2, ensure_ascii=False) + "\n"


def shipped() -> str:
    """The document as the service answers with it."""
    return json.dumps(content(), ensure_ascii=False, separators=(",", ":"))


def released(project: Path = ROOT) -> tuple[str, Json] | None:
    """The last release's tag and contract; None where there is no Git, or no release yet."""
    tag = _git(project, "describe", "--tags", "--match=v*", "--abbrev=0")
    name = FILE.relative_to(ROOT)
    document = tag and _git(project, "show", f"{tag}:{name}")
    return (tag, json.loads(document)) if tag and document else None


def _git(project: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def breaking_changes(old: Json, new: Json) -> list[str]:
    """What a client of the old document can no longer rely on, a line each; what is only added breaks nobody."""
    return list(dict.fromkeys(_Comparison(old, new).changes()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def changes(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method in (method for method in METHODS if method in methods):
                where = f"{method.upper()} {path}"
                after = self._new["paths"].get(path, {}).get(method)
                if after is None:
                    yield f"{where} is gone"
                else:
                    yield from self._operation(where, methods[method], after)

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{where} is now called {new['operationId']} instead of {old['operationId']}"
        if old["security"] != new["security"]:
            yield f"{where} now needs {new['security']} instead of {old['security']}"
        yield from self._parameters(where, old["parameters"], new["parameters"])
        yield from self._request(where, old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(where, old["responses"], new["responses"])

    def _parameters(self, where: str, old: list[Json], new: list[Json]) -> Iterator[str]:
        before = {(p["in"], p["name"]): p for p in old}
        after = {(p["in"], p["name"]): p for p in new}
        for place, parameter in before.items():
            name = f"{where}, {place[0]} parameter {place[1]}"
            if place not in after:
                yield f"{name} is gone"
                continue
            yield from self._narrower(name, parameter["schema"], after[place]["schema"])
        for place, parameter in after.items():
            if parameter.get("required") and not before.get(place, {}).get("required"):
                yield f"{where}, {place[0]} parameter {place[1]} is required now"

    def _request(self, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None or new is None:
            if new is not None and new.get("required"):
                yield f"{where} needs a body now"
            elif old is not None:
                yield f"{where} takes no body any more"
            return
        for media_type, content in old["content"].items():
            if media_type not in new["content"]:
                yield f"{where} takes no {media_type} any more"
            else:
                yield from self._narrower(f"{where}, body", content["schema"], new["content"][media_type]["schema"])

    def _responses(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for status, before in old.items():
            if status not in new:
                yield f"{where} never answers {status} any more"
                continue
            was, becomes = self._resolved(self._old, before), self._resolved(self._new, new[status])
            for header in was.get("headers", {}):
                if header not in becomes.get("headers", {}):
                    yield f"{where}, {status}: the header {header} is gone"
            for media_type, content in was.get("content", {}).items():
                if media_type not in becomes.get("content", {}):
                    yield f"{where}, {status}: {media_type} is gone"
                    continue
                after = becomes["content"][media_type]["schema"]
                yield from self._wider(f"{where}, {status}", content["schema"], after, frozenset())
        for status in new:
            if status not in old and status.startswith("2"):
                yield f"{where} may answer {status} now"

    def _narrower(self, where: str, old: Json, new: Json, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """What a request could say and cannot any more."""
        if (known := f"{old.get('$ref')}") in seen:
            return
        seen = seen | {known} if "$ref" in old else seen
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        yield from self._lost_variants(where, old, new)
        if _types(old) - _types(new):
            yield f"{where} may not be {', '.join(sorted(_types(old) - _types(new)))} any more"
        if gone := [value for value in old.get("enum", []) if "enum" in new and value not in new["enum"]]:
            yield f"{where} may not be {gone} any more"
        if "enum" in new and "enum" not in old:
            yield f"{where} may only be {new['enum'][:5]} now"
        old, new = _bounded(old), _bounded(new)
        for bound, sign in (("maximum", 1), ("maxLength", 1), ("maxItems", 1), ("exclusiveMaximum", 1)):
            yield from _tighter(where, bound, sign, old, new)
        for bound, sign in (("minimum", -1), ("minLength", -1), ("minItems", -1)):
            yield from _tighter(where, bound, sign, old, new)
        for rule in ("pattern", "format", "multipleOf", "const"):
            if new.get(rule) is not None and new.get(rule) != old.get(rule):
                yield f"{where}: {rule} is {new[rule]!r} now"
        for name in new.get("required", []):
            if name not in old.get("required", []):
                yield f"{where}.{name} is required now"
        for name, before in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self._narrower(f"{where}.{name}", before, new["properties"][name], seen)
            elif new.get("additionalProperties") is False:
                yield f"{where}.{name} is not taken any more"
        if "items" in old and "items" in new:
            yield from self._narrower(f"{where}[]", old["items"], new["items"], seen)

    def _wider(self, where: str, old: Json, new: Json, seen: frozenset[str]) -> Iterator[str]:
        """What an answer always said and need not any more, or says otherwise."""
        if (known := f"{old.get('$ref')}") in seen:
            return
        seen = seen | {known} if "$ref" in old else seen
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        if "oneOf" in old or "oneOf" in new:
            before, after = self._kinds(self._old, old), self._kinds(self._new, new)
            for kind in before.keys() & after.keys():
                yield from self._wider(f"{where} {kind}", before[kind], after[kind], seen)
            for kind in sorted(before.keys() - after.keys()):
                yield f"{where}: the problem {kind} is gone"
            return
        if _types(new) - _types(old):
            yield f"{where} may be {', '.join(sorted(_types(new) - _types(old)))} now"
        if "enum" in old and (more := [value for value in new.get("enum", ["anything"]) if value not in old["enum"]]):
            yield f"{where} may be {more} now"
        if "const" in old and new.get("const") != old["const"]:
            yield f"{where} is {new.get('const')!r}, no longer {old['const']!r}"
        for name, before in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{where}.{name} is gone"
                continue
            if name in old.get("required", []) and name not in new.get("required", []):
                yield f"{where}.{name} may be missing now"
            yield from self._wider(f"{where}.{name}", before, new["properties"][name], seen)
        if "items" in old and "items" in new:
            yield from self._wider(f"{where}[]", old["items"], new["items"], seen)
        for before, after in zip(_variants(old), _variants(new), strict=False):
            yield from self._wider(where, before, after, seen)

    def _lost_variants(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = _variants(old), _variants(new)
        if len(before) > len(after) > 0:
            yield f"{where} has fewer variants"
        for was, becomes in zip(before, after, strict=False):
            yield from self._narrower(where, was, becomes)

    def _kinds(self, document: Json, schema: Json) -> dict[str, Json]:
        """The problems of an answer by their type: one, or one of several."""
        alternatives = [self._resolved(document, inner) for inner in schema.get("oneOf", [schema])]
        return {inner["properties"]["type"]["const"]: inner for inner in alternatives}

    def _resolved(self, document: Json, node: Json) -> Json:
        while "$ref" in node:
            reference: str = node["$ref"]
            node = document
            for part in reference.removeprefix("#/").split("/"):
                node = node[part]
        if "anyOf" in node:
            node = {**node, "anyOf": [self._resolved(document, inner) for inner in node["anyOf"]]}
        return node


_JSON_TYPES: Final[dict[type, str]] = {str: "string", int: "integer", bool: "boolean"}


def _variants(schema: Json) -> list[Json]:
    return [inner for inner in schema.get("anyOf", []) if inner != {"type": "null"}]


def _types(schema: Json) -> set[str]:
    """The types that a schema names; nothing when it leaves them to its variants."""
    named = schema.get("type", _JSON_TYPES[type(schema["const"])] if "const" in schema else [])
    types = {named} if isinstance(named, str) else set(named)
    types |= {inner["type"] for inner in schema.get("anyOf", []) if isinstance(inner.get("type"), str)}
    return types


def _bounded(schema: Json) -> Json:
    """With the bounds that a format means: an int32 takes what was taken, if that was never beyond one."""
    if schema.get("format") != "int32":
        return schema
    bounds = {
        "minimum": max(schema.get("minimum", -(2**31)), -(2**31)),
        "maximum": min(schema.get("maximum", 2**31 - 1), 2**31 - 1),
    }
    return {**schema, **bounds, "format": None}


def _tighter(where: str, bound: str, sign: int, old: Json, new: Json) -> Iterator[str]:
    if bound in new and (bound not in old or sign * new[bound] < sign * old[bound]):
        yield f"{where}: {bound} is {new[bound]} now"


def undeclared(old: Json, new: Json, declared: Json) -> list[str]:
    """The breaking changes that nobody has given a reason for."""
    return [change for change in breaking_changes(old, new) if not declared.get(change)]


def main(project: Path = ROOT) -> int:
    try:
        made, short = text(), shipped()
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    for file, written in ((FILE, made), (SHIPPED, short)):
        path = project / file.relative_to(ROOT)
        path.write_text(written, encoding="utf-8")
        print(f"written: {path.relative_to(project)}")
    last = released(project)
    if last is None:
        print("No Git, or no tag v... in its history: not compared with a release.")
        return 0
    return _told(*last, json.loads(made), project / DECLARED.relative_to(ROOT))


def _told(tag: str, old: Json, new: Json, file: Path) -> int:
    """Says what breaks clients; keeps of what was declared what is still to be released."""
    declared, changes = json.loads(file.read_text("utf-8")), breaking_changes(old, new)
    kept = {change: reason for change, reason in declared.items() if change in changes}
    file.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    refused = undeclared(old, new, kept)
    for change in refused:
        print(f"breaks clients of {tag}: {change}", file=sys.stderr)
    if refused:
        print(f"Declare it in {file.name} with the reason, or undo it.", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
