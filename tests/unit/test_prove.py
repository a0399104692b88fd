"""What `make prove` claims of CloudFront, hosted page and mail, against stand-ins: well, and with a mistake."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import httpx
import pytest

from chalicelib.domain.notices import Kind, Letter
from chalicelib.exports.mail import write_mail
from tests.agency import SENDER
from tests.builders import a_visit
from tools.deliver.console_headers import ASK_FIRST, FOREVER, FRAMED, content_security_policy, security
from tools.prove import front
from tools.prove import trial as trials
from tools.prove.front import CACHE, REDIRECT, api_behind, caching_of, headers_of, token_from
from tools.prove.hosted_page import HostedPage, challenge_of
from tools.prove.mail import differences, events_in
from tools.prove.trial import DoesNotHold, NotTried

DATA: Final = {"SignInDomain": "https://sign.example", "UploadsOrigin": "https://uploads.example"}


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "PATIENCE_SECONDS", 0)
    monkeypatch.setattr(front, "KEPT_SECONDS", 0)
    monkeypatch.setattr(trials.until, "__defaults__", (0,))


@dataclass(frozen=True)
class Edge:
    """CloudFront as it should be; a test takes something away."""

    without: str = ""
    """A header that is lost."""
    cached: Mapping[str, str] = field(default_factory=lambda: {"/assets/a1.js": "Hit from cloudfront"})
    missing: int = 404
    compressed: bool = True
    lets_in: str = "key"
    """Whoever calls the API with this."""

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.answer), base_url="https://edge.example")

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.url.scheme == "http":
            return httpx.Response(301, headers={"Location": f"https://edge.example{path}"})
        headers = {CACHE: self.cached.get(path, "Miss from cloudfront")}
        if path.startswith("/api/"):
            return self.api(path, request.headers.get("Authorization", ""), headers)
        file = FRAMED if path == f"/{FRAMED}" else "index.html"
        headers |= security(file)
        if path.startswith("/assets/"):
            packed = {"Content-Encoding": "gzip"} if self.compressed else {}
            return httpx.Response(200, headers=self.left(headers | packed | {"Cache-Control": FOREVER}))
        policy = content_security_policy(DATA["SignInDomain"], DATA["UploadsOrigin"])
        headers |= {"Content-Security-Policy": policy, "Cache-Control": ASK_FIRST}
        known = path in ("/", f"/{FRAMED}")
        page = '<script src="assets/a1.js"></script>'
        return httpx.Response(200 if known else self.missing, headers=self.left(headers), text=page)

    def api(self, path: str, authorization: str, headers: Mapping[str, str]) -> httpx.Response:
        if path == "/api/health" or authorization.endswith(self.lets_in):
            return httpx.Response(200, headers=headers)
        status = 401 if path == "/api/properties" else 404
        return httpx.Response(status, headers={**headers, "Content-Type": "application/problem+json"})

    def left(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name != self.without}


def test_a_distribution_as_it_should_be_holds() -> None:
    edge = Edge().client()
    assert "all of our headers" in headers_of(edge, DATA)
    assert "kept for ever and compressed" in caching_of(edge)
    assert "nothing of it is kept" in api_behind(edge, "key")


HIT: Final = "Hit from cloudfront"
MISTAKES: Final[Mapping[str, tuple[Edge, Callable[[httpx.Client], str], str]]] = {
    "a lost header": (Edge(without="X-Content-Type-Options"), lambda e: headers_of(e, DATA), "other headers"),
    "no policy": (Edge(without="Content-Security-Policy"), lambda e: headers_of(e, DATA), "other headers"),
    "no framing rule": (Edge(without="X-Frame-Options"), lambda e: headers_of(e, DATA), "other headers"),
    "an unknown file that is refused": (Edge(missing=403), lambda e: headers_of(e, DATA), "is a 403"),
    "an asset kept for no time": (Edge(without="Cache-Control"), caching_of, "kept for: None"),
    "an asset that is never kept": (Edge(cached={}), caching_of, "keeps an asset"),
    "an asset as it is": (Edge(compressed=False), caching_of, "compressed"),
    "a page that is kept": (Edge(cached={"/assets/a1.js": HIT, "/": HIT}), caching_of, "the page comes again"),
    "a key that is not handed on": (Edge(lets_in="other"), lambda e: api_behind(e, "key"), "with a key"),
    "an answer of the API that is kept": (
        Edge(cached={"/api/health": HIT}),
        lambda e: api_behind(e, "key"),
        "/api/health is a 200",
    ),
    "somebody else's answer": (Edge(lets_in=""), lambda e: api_behind(e, "key"), "/api/properties is a 200"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_distribution_with_a_mistake_does_not_hold(mistake: str) -> None:
    edge, look, words = MISTAKES[mistake]
    with pytest.raises(DoesNotHold, match=words):
        look(edge.client())


# The hosted page, as Cognito's own is: a redirect, a form with a token of the page's, and its cookie


@dataclass(frozen=True)
class Cognito:
    anywhere: bool = False
    """Whether it sends codes to whoever asks."""
    minds_verifiers: bool = True
    form: str = '<form action="/login?client_id=c" method="post"><input type="hidden" name="_csrf" value="t&amp;1"/>'

    def page(self) -> HostedPage:
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        return HostedPage(http, "https://sign.example", "c", REDIRECT, "openid visits/console")

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        if request.url.path == "/oauth2/authorize":
            if asked["redirect_uri"] != REDIRECT and not self.anywhere:
                return httpx.Response(302, headers={"Location": "/error?error=redirect_mismatch"})
            return httpx.Response(302, headers={"Location": f"/login?{request.url.query.decode()}"})
        if request.url.path == "/error":
            return httpx.Response(400, text="An error was encountered with the requested page.")
        if request.url.path == "/login" and request.method == "GET":
            field = '<input name="username"/><input type="password" name="password"/></form>'
            cookie = {"Set-Cookie": "XSRF-TOKEN=t; Path=/; Secure"}
            return httpx.Response(200, headers=cookie, text=self.form + field * bool(self.form))
        given = dict(urllib.parse.parse_qsl(request.content.decode()))
        if request.url.path == "/login":
            well = (given["_csrf"], given["password"], "XSRF-TOKEN=t" in request.headers.get("Cookie", ""))
            if well == ("t&1", "right", True):
                return httpx.Response(302, headers={"Location": f"{REDIRECT}?code=1234"})
            return httpx.Response(302, headers={"Location": "/login?error=1"})
        known = given["code"] == "1234" and given["redirect_uri"] == REDIRECT
        self.verifiers.append(given["code_verifier"])
        wrong = self.minds_verifiers and len(self.verifiers) % 2 == 1
        return httpx.Response(400 if wrong or not known else 200, json={"access_token": "token"})

    verifiers: list[str] = field(default_factory=list)


def test_a_person_with_the_password_gets_a_token_by_form_and_cookie() -> None:
    cognito = Cognito()
    assert token_from(cognito.page(), "ann@agency.example", "right") == "token"
    another, own = cognito.verifiers
    assert challenge_of(another) != challenge_of(own)


@pytest.mark.parametrize(
    ("cognito", "password", "words"),
    [
        (Cognito(), "wrong", "gets a code"),
        (Cognito(anywhere=True), "right", "asked for https://elsewhere"),
        (Cognito(minds_verifiers=False), "right", "by another verifier is a 200"),
    ],
    ids=["a refused password", "codes for anybody", "codes without a verifier"],
)
def test_a_hosted_page_with_a_mistake_does_not_hold(cognito: Cognito, password: str, words: str) -> None:
    with pytest.raises(DoesNotHold, match=words):
        token_from(cognito.page(), "ann@agency.example", password)


def test_a_page_that_needs_a_browser_is_not_tried() -> None:
    with pytest.raises(NotTried, match="takes a browser"):
        token_from(Cognito(form="").page(), "ann@agency.example", "right")


# Mail


def a_mail() -> bytes:
    sender = replace(SENDER, page=None, api=None)
    return write_mail(Letter(Kind.CONFIRMED, a_visit(), "The old mill", "ada@example.com", sender, None, None))


def received(mail: bytes) -> bytes:
    """With what is added on the way."""
    way = b"Return-Path: <bounces@amazonses.com>\r\nAuthentication-Results: amazonses.com; spf=pass; dkim=pass\r\n"
    return way + mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_a_mail_that_arrives_as_it_was_written_holds() -> None:
    mail = a_mail()
    assert differences(mail, received(mail)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"To: ada@example.com", b"To: bob@example.com", "To is bob"),
        (b"method=REQUEST", b"method=PUBLISH", "its parts are"),
        (b"invite.ics", b"other.ics", "its parts are"),
        (b"mill", b"mine", "say something else"),
        (b"dkim=pass", b"dkim=fail", "signature"),
    ],
)
def test_a_mail_that_arrives_otherwise_does_not_hold(old: bytes, new: bytes, words: str) -> None:
    mail = a_mail()
    changed = received(mail).replace(old, new).replace(old.replace(b"=REQUEST", b'="REQUEST"'), new)
    assert changed != received(mail)
    assert words in "; ".join(differences(mail, changed))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"eventType": "Send"}, [("success", "Send")]),
        ({"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}}, [("success", "Bounce")]),
        ({"eventType": "Bounce", "bounce": {"bounceType": "Transient"}}, []),
    ],
)
def test_an_event_is_known_by_our_tag(event: dict[str, object], told: list[tuple[str, str]]) -> None:
    message = json.dumps({"detail": {**event, "mail": {"tags": {"visit": ["success"]}}}})
    assert list(events_in(message)) == told
