"""The console of `make run`: its files, the API beside them, and what each is served with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.console import Console
from devstack.gateway import Answer, Call
from tools.deliver.booking_page import Agency
from tools.deliver.console_headers import SECURITY

SIGN_IN = "http://127.0.0.1:1"
UPLOADS = "http://127.0.0.1:2"


class Api:
    """Says what it was asked for."""

    def answer(self, call: Call) -> Answer:
        return Answer(200, [], f"{call.method} {call.stage} {call.path}".encode())


@pytest.fixture
def console(tmp_path: Path) -> Console:
    (tmp_path / "built" / "assets").mkdir(parents=True)
    (tmp_path / "built" / "index.html").write_text("<!doctype html>")
    (tmp_path / "built" / "assets" / "main-1A2B.js").write_text("1")
    (tmp_path / "built" / "book.html").write_text("<!doctype html>")
    (tmp_path / "built" / "embed.html").write_text("<!doctype html>")
    (tmp_path / "secret").write_text("geheim")
    (tmp_path / "config.json").write_text(json.dumps({"authority": "a", "clientId": "c", "domain": SIGN_IN}))
    return Console(Api(), tmp_path / "config.json", UPLOADS, tmp_path / "built")


def get(console: Console, path: str, method: str = "GET") -> Answer:
    return console.answer(Call(method, path, "", {}, b""))


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/config.json", "application/json", "no-cache"),
        ("/assets/main-1A2B.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
    ],
)
def test_a_file_says_what_it_is_how_long_it_is_kept_and_what_it_may_do(
    console: Console, path: str, kind: str, kept: str
) -> None:
    headers = dict(get(console, path).headers)
    assert (headers["Content-Type"], headers["Cache-Control"]) == (kind, kept)
    assert headers.items() >= SECURITY.items()


@pytest.mark.parametrize(
    ("path", "parents", "allowed"),
    [
        (
            "/embed.html",
            "https://listings.example https://homes.example",
            "https://listings.example https://homes.example",
        ),
        ("/embed.html", "", "'none'"),
        ("/book.html", "https://listings.example", "'none'"),
        ("/", "https://listings.example", "'none'"),
    ],
)
def test_only_the_embedded_page_is_framed_and_only_by_whom_the_agency_named(
    console: Console, path: str, parents: str, allowed: str
) -> None:
    headers = dict(get(replace(console, parents=parents), path).headers)
    assert f"frame-ancestors {allowed}" in headers["Content-Security-Policy"].split("; ")
    assert ("X-Frame-Options" in headers) == (path != "/embed.html")


@pytest.mark.parametrize("path", ["/book.html", "/embed.html"])
def test_the_pages_for_visitors_say_by_themselves_whom_to_call(console: Console, path: str) -> None:
    (console.folder / path[1:]).write_text("<body><noscript><!-- whom to call --></noscript></body>")
    agency = Agency.of({"AGENCY_NAME": 'Lake "&" <Sons>', "AGENCY_PHONE": "+49 (0)30 901820", "STAGE": "beta"})
    page = get(replace(console, agency=agency), path).body.decode()
    name = "Lake &quot;&amp;&quot; &lt;Sons&gt;"
    assert f'<body data-name="{name}" data-phone="+49 (0)30 901820">' in page
    assert f'href="tel:+4930901820">{name} +49 (0)30 901820</a>' in page
    assert "tel:" not in get(replace(console, agency=Agency("Lake")), path).body.decode()


def test_a_page_runs_its_own_scripts_only_and_reaches_only_the_sign_in_and_the_uploads(console: Console) -> None:
    policy = dict(get(console, "/").headers)["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"connect-src 'self' {SIGN_IN} {UPLOADS}" in policy
    assert not any("unsafe" in directive or "*" in directive for directive in policy)


def test_the_api_is_at_its_own_addresses_and_under_api(console: Console) -> None:
    assert get(console, "/api/visits").body == b"GET /api /visits"
    assert get(console, "/visits").body == b"GET  /visits"
    assert get(console, "/", "POST").body == b"POST  /"


@pytest.mark.parametrize("path", ["/../secret", "/assets/../../secret", "/assets", "//secret", "/" + "x" * 300, "/\0"])
def test_nothing_else_of_the_machine_is_served(console: Console, path: str) -> None:
    assert get(console, path).body == f"GET  {path}".encode()


def test_without_a_sign_in_there_is_no_config_and_without_a_build_a_page_that_says_so(tmp_path: Path) -> None:
    console = Console(Api(), tmp_path / "none", UPLOADS, tmp_path / "nothing")
    assert get(console, "/config.json").body == b"GET  /config.json"
    assert b"make console" in get(console, "/").body
