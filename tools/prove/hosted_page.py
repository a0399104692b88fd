"""Cognito's hosted page, gone through as a browser does it, by forms and redirects: it needs no script."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx


@dataclass(frozen=True)
class HostedPage:
    """The page of a user pool, for one of its clients."""

    http: httpx.Client
    """It keeps the page's cookies."""
    domain: str
    client: str
    redirect: str
    """Where the client has its codes sent."""
    scope: str

    def ask(self, challenge: str, **more: str) -> httpx.Response:
        """The page for somebody who is to sign in; that of a mistake, if what is asked for is one."""
        asked = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": self.redirect,
            "scope": self.scope,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        answer = self.http.get(f"{self.domain}/oauth2/authorize", params=asked | more)
        while answer.has_redirect_location and _host(answer.headers["Location"]) in ("", _host(self.domain)):
            answer = self.http.get(answer.url.join(answer.headers["Location"]))
        return answer

    def code(self, email: str, password: str, verifier: str) -> str | None:
        """The code that the page sends back, once somebody typed that password."""
        page = self.ask(challenge_of(verifier))
        form = sign_in_form(page.text)
        if form is None:
            return None
        typed = form.hidden | {"username": email, "password": password}
        answer = self.http.post(page.url.join(form.action), data=typed)
        location = answer.headers.get("Location", "")
        found = parse_qs(urlsplit(location).query).get("code") if location.startswith(self.redirect) else None
        return found[0] if found else None

    def tokens(self, **form: str) -> httpx.Response:
        given = {"client_id": self.client, "redirect_uri": self.redirect, **form}
        return self.http.post(f"{self.domain}/oauth2/token", data=given)


def challenge_of(verifier: str) -> str:
    """PKCE's (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _host(address: str) -> str:
    return urlsplit(address).netloc


class Form(HTMLParser):
    """The first form of a page that asks for a password."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.asks = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.asks:
            return
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action, self.hidden = said.get("action", ""), {}
        elif tag == "input" and said.get("type") == "hidden":
            self.hidden[said.get("name", "")] = said.get("value", "")
        elif tag == "input" and said.get("type") == "password":
            self.asks = True


def sign_in_form(page: str) -> Form | None:
    form = Form()
    form.feed(page)
    return form if form.asks else None
