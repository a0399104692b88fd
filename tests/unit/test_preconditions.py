"""Entity tags, and what If-Match and If-None-Match ask for."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import PreconditionRequired
from chalicelib.http.errors import MalformedRequest
from chalicelib.http.preconditions import etag, must_be_new, optional_versions, required_versions, unchanged_since

MALFORMED = [
    "",
    " ",
    "3",
    '"3',
    '3"',
    "'3'",
    '"3" "4"',
    'w/"3"',
    'W/ "3"',
    '"3", 4',
    '"a"b"',
    '*, "3"',
    '"3",*',
    '"a b"',
]


def test_a_tag_is_the_version_in_quotes() -> None:
    assert etag(7) == '"7"'


def test_a_tag_changes_with_what_is_shown_beside_the_version() -> None:
    shown: list[list[str]] = [[], ["a.1"], ["a.1", "b.1"], ["b.1", "a.1"], ["a.2"]]
    tags = [*(etag(7, beside) for beside in shown), etag(8, ["a.1"])]
    assert len(set(tags)) == len(tags)
    assert etag(7, ["a.1"]) == etag(7, ["a.1"])
    assert all(optional_versions({"if-match": tag}) == frozenset({7}) for tag in tags[:5])


@pytest.mark.parametrize(
    ("given", "versions"),
    [
        ("*", None),
        (" * ", None),
        ('"3"', frozenset({3})),
        ('"3", "4"', frozenset({3, 4})),
        ('"3","4" , W/"5"', frozenset({3, 4})),
        ('W/"3"', frozenset()),
        ('"3-5d41402a"', frozenset({3})),
        ('"x"', frozenset()),
        ('""', frozenset()),
        ('"-3"', frozenset()),
        ('"3.0"', frozenset()),
        ('"99999999999999999999"', frozenset()),
    ],
)
def test_if_match_names_versions(given: str, versions: frozenset[int] | None) -> None:
    assert required_versions({"if-match": given}) == versions
    assert optional_versions({"if-match": given}) == versions


@pytest.mark.parametrize("given", MALFORMED)
def test_what_is_no_list_of_tags_is_malformed(given: str) -> None:
    with pytest.raises(MalformedRequest):
        required_versions({"if-match": given})
    with pytest.raises(MalformedRequest):
        unchanged_since({"if-none-match": given}, '"3"')


def test_without_if_match_any_version_will_do_where_it_is_optional() -> None:
    assert optional_versions({}) is None
    with pytest.raises(PreconditionRequired):
        required_versions({})


@pytest.mark.parametrize(
    ("given", "unchanged"),
    [
        ('"3"', True),
        ('W/"3"', True),
        ('"1", "3"', True),
        ('"1",W/"3"', True),
        ("*", True),
        ('"4"', False),
        ('"3-5d41402a"', False),
        ('"03"', False),
    ],
)
def test_if_none_match_says_what_the_caller_has(given: str, unchanged: bool) -> None:
    assert unchanged_since({"if-none-match": given}, '"3"') is unchanged


def test_without_if_none_match_the_caller_has_nothing() -> None:
    assert not unchanged_since({}, '"3"')
    assert not must_be_new({})


def test_on_a_put_if_none_match_can_only_be_a_star() -> None:
    assert must_be_new({"if-none-match": "*"})
    for given in ('"3"', "", "**"):
        with pytest.raises(MalformedRequest):
            must_be_new({"if-none-match": given})
