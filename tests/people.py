"""A user pool for the tests: signs tokens as Cognito does, and publishes its keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.domain.api_keys import Scope
from chalicelib.domain.people import GRANT

ISSUER: Final = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Tests1"
PERSON: Final = "93a4c8e2-1061-70a3-5b7f-2f7c1d1f2a11"
KEY_NAME: Final = "aFJ/x+s2W0a1SzTq7ZGEXq5kOqFSEUAhYPFsVjmvFjw="
"""Cognito's have letters that no address or file name would."""


@cache
def private_key(of: str = "pool") -> rsa.RSAPrivateKey:
    """A key for each name; making one takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims_of(scopes: Iterable[str] = Scope, person: str = PERSON, **others: Any) -> dict[str, Any]:
    """The claims of an access token, as Cognito's documentation has them; None leaves one out."""
    now = int(time.time())
    claims = {
        "sub": person,
        "cognito:groups": [str(scope) for scope in scopes],
        "iss": ISSUER,
        "version": 2,
        "client_id": "4f0console",
        "origin_jti": "origin",
        "token_use": "access",
        "scope": f"openid email {GRANT}",
        "auth_time": now,
        "iat": now,
        "exp": now + 900,
        "jti": "jti",
        "username": person,
    }
    return {name: value for name, value in (claims | others).items() if value is not None}


def token(
    scopes: Iterable[str] = Scope,
    key: Any = None,
    algorithm: str | None = "RS256",
    kid: str = KEY_NAME,
    **others: Any,
) -> str:
    """A token of the pool, or one that says it is."""
    return jwt.encode(
        claims_of(scopes, **others), private_key() if key is None else key, algorithm, headers={"kid": kid}
    )


def published(**keys: rsa.RSAPrivateKey) -> bytes:
    """What the pool publishes: its own key by its name, and others."""
    named = {KEY_NAME: private_key(), **keys}
    return json.dumps(
        {"keys": [_as_published(name, key) for name, key in named.items()]},
    ).encode()


def _as_published(name: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    shown = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "n": shown["n"], "e": shown["e"], "alg": "RS256", "use": "sig", "kid": name}
