"""Addresses of our own, as the caller sees them."""

from __future__ import annotations

import pytest

from chalicelib.http.urls import own_prefix, url
from tests.builders import request


@pytest.mark.parametrize("stage", ["", "/api", "/api/v1"])
@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("/visits", "/visits"),
        ("/visits", "/visits/"),
        ("/visits/{visit_id}", "/visits/00000000-0000-7000-8000-000000000001"),
        ("/properties/{property_id}/busy", "/properties/house/busy"),
        ("/properties/{property_id}", "/properties/api"),
        ("/properties/{property_id}", "/properties/%2Fvisits%2F"),
    ],
)
def test_what_stands_before_our_own_path_is_the_stage(stage: str, resource: str, path: str) -> None:
    called = request("GET", resource, path, stage=stage)
    assert own_prefix(called) == stage
    assert url(called, "visits", "id") == f"{stage}/visits/id"


def test_every_segment_and_parameter_is_encoded() -> None:
    called = request("GET", "/visits", stage="/api")
    assert url(called, "properties", "a/b?c", query={"agentId": "a&b <c>", "status": ["x", "y"]}) == (
        "/api/properties/a%2Fb%3Fc?agentId=a%26b+%3Cc%3E&status=x&status=y"
    )


def test_the_host_that_the_caller_names_plays_no_part() -> None:
    called = request("GET", "/visits", headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
    assert url(called, "visits") == "/visits"
