"""What the front of the trial shows: the hosted page of its sign-in, and CloudFront, if the console was asked for."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from typing import Final

import httpx

from chalicelib.domain.api_keys import Scope
from tools.deliver.console import CLIENT, INDEX, template
from tools.deliver.console_headers import ASK_FIRST, FOREVER, FRAMED, content_security_policy, security
from tools.operate.people import Pool, a_password
from tools.prove.hosted_page import HostedPage, challenge_of, sign_in_form
from tools.prove.trial import NotTried, Trial, expect, until

REDIRECT: Final = "http://localhost:8000/"
"""Where nobody need listen: a browser would follow there, and this one only reads the code in the address."""
ELSEWHERE: Final = "https://elsewhere.example/"
CACHE: Final = "X-Cache"
KEPT_SECONDS: Final = 1
"""The least that the policy CachingOptimized keeps anything, even what is not to be kept."""


# Sign-in


def a_person(trial: Trial, email: str) -> tuple[Pool, str]:
    """Somebody with `read` in the trial's own pool, who gets no mail; the password too."""
    pool, password = Pool(trial.client("cognito-idp"), trial.data["UserPool"]), a_password()
    pool.invite(email, MessageAction="SUPPRESS")
    pool.cognito.admin_set_user_password(UserPoolId=pool.id, Username=email, Password=password, Permanent=True)
    pool.put_into(email, [Scope.READ])
    return pool, password


def signs_in(trial: Trial) -> str:
    """By a client as the console's is, whose codes go to this machine."""
    email = "hosted@visits.example"
    pool, password = a_person(trial, email)
    like = template()["Resources"][CLIENT]["Properties"]
    own = {"UserPoolId": pool.id, "CallbackURLs": [REDIRECT], "LogoutURLs": [REDIRECT]}
    client = pool.cognito.create_user_pool_client(**like | own)["UserPoolClient"]["ClientId"]
    domain = str(trial.stage.cloudformation.meta.endpoint_url) if trial.emulated else trial.data["SignInDomain"]
    with httpx.Client(timeout=60) as http:
        page = HostedPage(http, domain, client, REDIRECT, " ".join(like["AllowedOAuthScopes"]))
        token = token_from(page, email, password)
    trial.answer(200, "GET", "/properties", Authorization=f"Bearer {token}")
    return "the page sends a code, which is a token that reads; no code goes elsewhere or is good without its verifier"


def token_from(page: HostedPage, email: str, password: str) -> str:
    """The access token of somebody who signs in, once the page has refused what it is to refuse."""
    verifier = secrets.token_urlsafe(48)
    until("the page is there", lambda: page.ask(challenge_of(verifier)).is_success or None)
    if sign_in_form(page.ask(challenge_of(verifier)).text) is None:
        raise NotTried("the page has no form, so that it takes a browser: sign in at make deploy's console")
    refused = page.ask(challenge_of(verifier), redirect_uri=ELSEWHERE)
    led = refused.has_redirect_location or sign_in_form(refused.text) is not None
    expect(not led, f"asked for {ELSEWHERE} it answers {refused.status_code} {refused.headers.get('Location', '')}")
    code = page.code(email, password, verifier) or ""
    expect(bool(code), "a person with the right password gets a code")
    by_another = page.tokens(grant_type="authorization_code", code=code, code_verifier=secrets.token_urlsafe(48))
    expect(by_another.status_code == 400, f"a code by another verifier is a {by_another.status_code}")
    code = page.code(email, password, verifier) or ""
    given = page.tokens(grant_type="authorization_code", code=code, code_verifier=verifier)
    expect(given.status_code == 200, f"a code is a {given.status_code}: {given.text[:200]}")
    return str(given.json()["access_token"])


# CloudFront


def edge_headers(trial: Trial) -> str:
    return headers_of(trial.edge, trial.data)


def headers_of(edge: httpx.Client, data: Mapping[str, str]) -> str:
    policy = content_security_policy(data["SignInDomain"], data["UploadsOrigin"])
    for path, file in (("/", INDEX), (f"/{FRAMED}", FRAMED)):
        wanted = {**security(file), "Content-Security-Policy": policy, "Cache-Control": ASK_FIRST}
        answer = edge.get(path)
        seen = {name: answer.headers.get(name) for name, value in wanted.items() if answer.headers.get(name) != value}
        expect(answer.status_code == 200, f"{path} is a {answer.status_code}")
        expect(not seen, f"{path} has other headers: {seen}")
    plain = edge.get(edge.base_url.copy_with(scheme="http"))
    expect(plain.headers.get("Location", "").startswith("https://"), f"by HTTP it is a {plain.status_code}")
    missing = edge.get("/nothing-here")
    told = missing.headers.get("X-Content-Type-Options")
    expect((missing.status_code, told) == (404, "nosniff"), f"an unknown file is a {missing.status_code}")
    return "pages have all of our headers, HTTP leads to HTTPS, an unknown file is a 404"


def edge_caches(trial: Trial) -> str:
    return caching_of(trial.edge)


def caching_of(edge: httpx.Client) -> str:
    page = edge.get("/")
    found = re.search(r'(?:src|href)="\.?/?(assets/[^"]+)"', page.text)
    asset = f"/{found[1]}" if found else ""
    expect(bool(asset), "the page names a file with a hash")

    def kept() -> httpx.Response | None:
        answer = edge.get(asset, headers={"Accept-Encoding": "gzip"})
        packed = answer.headers.get("Content-Encoding") == "gzip"
        return answer if packed and answer.headers.get(CACHE, "").startswith("Hit") else None

    control = until("CloudFront keeps an asset, compressed", kept).headers.get("Cache-Control")
    expect(control == FOREVER, f"an asset is kept for: {control}")
    time.sleep(2 * KEPT_SECONDS)
    again = edge.get("/").headers.get(CACHE, "nothing")
    expect(not again.startswith("Hit"), f"the page comes again from: {again}")
    return f"an asset is kept for ever and compressed; the page is asked for again ({again})"


def edge_api(trial: Trial) -> str:
    return api_behind(trial.edge, trial.new_key())


def api_behind(edge: httpx.Client, key: str) -> str:
    """With the key first: what was kept of that would be given to whoever has none."""
    admitted = edge.get("/api/properties", headers={"Authorization": f"Bearer {key}"})
    expect(admitted.status_code == 200, f"with a key /api/properties is a {admitted.status_code}")
    for path, status in (("/api/properties", 401), ("/api/nothing-here", 404), ("/api/health", 200)):
        for _ in range(2):
            answer = edge.get(path)
            kind, cached = answer.headers.get("Content-Type", "no type"), answer.headers.get(CACHE, "nothing")
            seen = f"{path} is a {answer.status_code} of {kind}, from: {cached}"
            ours = status < 400 or kind == "application/problem+json"
            expect(answer.status_code == status and ours and not cached.startswith("Hit"), seen)
    return "keys and problems pass through /api, and nothing of it is kept"
