"""Entity tags and conditional requests (RFC 9110, section 13). A tag is the version, in quotes.

A property's answer also carries its next visits and links, so its tag stands for them too: "7-5d41402a". What a change
depends on is the version alone, the part before the dash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from chalicelib.domain.errors import PreconditionRequired
from chalicelib.http.errors import MalformedRequest

_TAG = r'(?:W/)?"[!#-~]*"'
ENTITY_TAGS = rf"[, ]*{_TAG}(?: *,[, ]*{_TAG})*[, ]*"
"""What If-Match and If-None-Match can list: at least one, with empty elements between (RFC 9110, section 5.6.1)."""


def etag(version: int, beside: Iterable[str] = ()) -> str:
    """The strong entity tag of a version, and of what is shown beside it."""
    shown = ",".join(beside)
    return f'"{version}-{hashlib.sha256(shown.encode()).hexdigest()[:12]}"' if shown else f'"{version}"'


def required_versions(headers: Mapping[str, str], *, may_be_new: bool = False) -> frozenset[int] | None:
    """The versions named by If-Match, None for `*`. Raises PreconditionRequired without the header."""
    if headers.get("if-match") is None:
        raise PreconditionRequired("If-Match, or If-None-Match: * to create" if may_be_new else "If-Match")
    return optional_versions(headers)


def optional_versions(headers: Mapping[str, str]) -> frozenset[int] | None:
    """The versions named by If-Match, None for `*` and without the header. A weak tag matches none."""
    given = headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    strong = [value for weak, value in _tags(given, "If-Match") if not weak]
    return frozenset(int(v) for v in (tag.partition("-")[0] for tag in strong) if re.fullmatch("[0-9]{1,15}", v))


def must_be_new(headers: Mapping[str, str]) -> bool:
    """Whether If-None-Match says that nothing may be there yet."""
    given = headers.get("if-none-match")
    if given is None:
        return False
    if given.strip() != "*":
        raise MalformedRequest("on a PUT, If-None-Match can only be *")
    if headers.get("if-match") is not None:
        raise MalformedRequest("If-Match and If-None-Match contradict each other: send only one")
    return True


def unchanged_since(headers: Mapping[str, str], current: str) -> bool:
    """Whether the caller has the current state already (If-None-Match, by weak comparison)."""
    given = headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or any(f'"{value}"' == current for _, value in _tags(given, "If-None-Match"))


def _tags(given: str, header: str) -> list[tuple[bool, str]]:
    if not re.fullmatch(ENTITY_TAGS, given.strip()):
        raise MalformedRequest(f'{header} must be * or entity tags in double quotes, like "3"')
    return [(tag.startswith("W/"), tag.removeprefix("W/")[1:-1]) for tag in re.findall(_TAG, given)]
