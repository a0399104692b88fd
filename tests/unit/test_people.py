"""People: which tokens open the door, and what happens while the pool cannot be asked for its keys."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.domain.api_keys import InvalidKeyRequest, Scope, make_key
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.people import GRANT, Person
from chalicelib.http.guard import admission
from chalicelib.repositories.token_keys import COOL_DOWN_SECONDS, PublishedKeys
from chalicelib.services.api_keys import ApiKeys
from chalicelib.services.callers import Callers
from tests.builders import NOW
from tests.people import ISSUER, KEY_NAME, PERSON, claims_of, private_key, published, token
from tests.unit.test_api_keys import FakeApiKeys
from tools.project import ROOT

VECTORS = json.loads((ROOT / "tests" / "files" / "wycheproof_rsa_2048_sha256.json").read_text(encoding="utf-8"))


NO_GROUPS: dict[str, Any] = {"cognito:groups": None}
PUBLIC_KEY = private_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Pool:
    """Where the keys are published, and whether it can be reached."""

    def __init__(self) -> None:
        self.content: bytes | Exception = published()
        self.asked = 0
        self.now = 0.0

    def fetch(self) -> bytes:
        self.asked += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def keys() -> ApiKeys:
    return ApiKeys(FakeApiKeys(), lambda: NOW)


@pytest.fixture
def callers(pool: Pool, keys: ApiKeys) -> Callers:
    return Callers(keys, ISSUER, PublishedKeys(pool.fetch, lambda: pool.now))


def test_a_person_is_admitted_by_id_with_the_groups_that_are_scopes(callers: Callers) -> None:
    found = callers.authenticate(token(["read", "override", "visitors", "Admin"]))
    assert found == Person(PERSON, frozenset({Scope.READ, Scope.OVERRIDE}))
    told = admission(found)
    assert (told.routes, told.principal_id, told.context) == (["*"], PERSON, {"scopes": "override read"})


def test_somebody_in_no_group_is_known_and_may_do_nothing(callers: Callers) -> None:
    assert callers.authenticate(token(**NO_GROUPS)) == Person(PERSON, frozenset())


def _parts(made: str) -> list[str]:
    return made.split(".")


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _with_groups(made: str, *groups: str) -> str:
    """The same signature under other groups."""
    head, body, signature = _parts(made)
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join([head, _encoded(claims | {"cognito:groups": groups}), signature])


def _last_bits(made: str) -> str:
    """The last letter of a 256 byte signature carries two bits that mean nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return made[:-1] + letters[letters.index(made[-1]) ^ 1]


def _hmac_signed(secret: bytes) -> str:
    """As whoever has the public key would, of a verifier that lets the header choose the algorithm."""
    text = ".".join([_encoded({"alg": "HS256", "kid": KEY_NAME}), _encoded(claims_of())])
    signature = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _header(**more: object) -> str:
    body, signature = _parts(token())[1:]
    return ".".join([_encoded({"alg": "RS256", "kid": KEY_NAME} | more), body, signature])


def _in_json() -> str:
    """The JSON serialization of JWS, with the right signature."""
    head, body, signature = _parts(token())
    return json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]})


def _with_own_key() -> str:
    """A signature that is right by the key that the token itself brings along, under the pool's name for it."""
    mine = private_key("mine")
    shown = jwt.algorithms.RSAAlgorithm.to_jwk(mine.public_key(), as_dict=True)
    return jwt.encode(claims_of(), mine, "RS256", headers={"kid": KEY_NAME, "jwk": shown})


def _without(*missing: int) -> str:
    return ".".join("" if n in missing else part for n, part in enumerate(_parts(token())))


# What Wycheproof's json_web_signature_test.json (github.com/C2SP/wycheproof, testvectors_v1) tries that a token of ours
# can have, made with the pool's key and good claims: its own vectors sign "foo", which would be refused for that alone.
WYCHEPROOF: dict[str, Callable[[], str]] = {
    "rejectsModifiedSignature": lambda: ".".join([*_parts(token())[:2], "X" + _parts(token())[2][1:]]),
    "rejectsMissingSignature": lambda: _without(2),
    "rejectsMissingPayload": lambda: _without(1),
    "rejectsMissingPayloadAndSeparator": lambda: ".".join(_parts(token())[::2]),
    "rejectsMissingHeader": lambda: _without(0),
    "rejectsMissingHeaderAndSeparator": lambda: ".".join(_parts(token())[1:]),
    "rejectsMissingHeaderAndSignature": lambda: _without(0, 2),
    "rejectsMissingHeaderSignatureAndSeparators": lambda: _parts(token())[1],
    "rejectsExtraEmptyComponent": lambda: token() + ".",
    "rejectsExtraComponent": lambda: token() + ".foo",
    "rejectsNoneAlgorithmAndMissingSignature": lambda: token(key="", algorithm=None),
    "rejectsValidJsonSerialization": _in_json,
    "rejectsAttackerProvidedEmbeddedJwk": _with_own_key,
    "rejectsSymmetryConfusion, key as DER": lambda: _hmac_signed(PUBLIC_KEY),
    "rejectsSymmetryConfusion, key as PEM": lambda: _hmac_signed(
        private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "rejectsSymmetryConfusion, key as published": lambda: _hmac_signed(
        json.loads(published())["keys"][0]["n"].encode()
    ),
}

BAD: dict[str, Callable[[], str]] = {
    **WYCHEPROOF,
    "of another client": lambda: token(scope="openid email"),
    "of a sign-in past the hosted page": lambda: token(scope="aws.cognito.signin.user.admin"),
    "with a scope that only begins so": lambda: token(scope=f"{GRANT}s"),
    "with no scope": lambda: token(scope=None),
    "of another pool": lambda: token(iss=f"{ISSUER}2"),
    "of no pool": lambda: token(iss=None),
    "an id token": lambda: token(token_use="id", aud="4f0console"),
    "of no use": lambda: token(token_use=None),
    "expired": lambda: token(exp=int(time.time()) - 1),
    "without an end": lambda: token(exp=None),
    "with an end that is text": lambda: token(exp="soon"),
    "of nobody": lambda: token(sub=None),
    "of an empty person": lambda: token(sub=""),
    "of a number": lambda: token(sub=7),
    "with groups that are text": lambda: token(**{"cognito:groups": "admin"}),
    "unsigned": lambda: token(key="", algorithm=None),
    "unsigned, with something": lambda: token(key="", algorithm=None) + "AAAA",
    "HS256": lambda: token(key=b"x" * 32, algorithm="HS256"),
    "HS256 with the public key": lambda: _hmac_signed(PUBLIC_KEY),
    "RS512 with the right key": lambda: token(algorithm="RS512"),
    "PS256 with the right key": lambda: token(algorithm="PS256"),
    "ES256": lambda: token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "own key": lambda: token(key=private_key("mine")),
    "unknown key name": lambda: token(key=private_key("mine"), kid="mine"),
    "right key, unknown name": lambda: token(kid="mine"),
    "no key name": lambda: jwt.encode(claims_of(), private_key(), "RS256"),
    "key name that is a number": lambda: _header(kid=7),
    "critical extension": lambda: _header(crit=["exp"], exp=1),
    "its own key in the header": lambda: _header(jwk={"kty": "RSA"}),
    "altered groups": lambda: _with_groups(token(["read"]), "admin"),
    "swapped signature": lambda: ".".join([*_parts(token())[:2], _parts(token(["read"]))[2]]),
    "padded": lambda: token() + "==",
    "another last letter": lambda: _last_bits(token()),
    "line break inside": lambda: token().replace(".", ".\n", 1),
    "other alphabet": lambda: ".".join([*_parts(token())[:2], "+/" + _parts(token())[2][2:]]),
    "four parts": lambda: token() + ".AAAA",
    "two parts": lambda: ".".join(_parts(token())[:2]),
    "empty parts": lambda: "..",
    "nothing": lambda: "",
    "no JSON": lambda: ".".join([_encoded("x"), *_parts(token())[1:]]),
    "deep JSON": lambda: ".".join([base64.urlsafe_b64encode(b"[" * 1500).decode().rstrip("="), *_parts(token())[1:]]),
    "a huge number": lambda: ".".join(
        [base64.urlsafe_b64encode(b'{"alg":' + b"9" * 2000 + b"}").decode().rstrip("="), *_parts(token())[1:]]
    ),
    "too long": lambda: token(padding="x" * 4000),
    "not ASCII": lambda: token()[:-2] + "éé",
}


@pytest.mark.parametrize("made", BAD.values(), ids=BAD.keys())
def test_any_other_token_opens_nothing(callers: Callers, made: Callable[[], str]) -> None:
    assert callers.authenticate(token()) is not None
    bad = made()
    assert callers.authenticate(bad) is None
    assert admission(callers.authenticate(bad)).routes == []


def test_a_token_with_a_second_spelling_is_taken_by_the_library_and_not_by_us(callers: Callers) -> None:
    """The reason why we look: what is cached or revoked by its text must have only one."""
    again = token() + "=="
    assert jwt.decode(again, private_key().public_key(), algorithms=["RS256"])["sub"] == PERSON
    assert callers.authenticate(again) is None


@pytest.mark.parametrize("vector", VECTORS["tests"], ids=lambda vector: f"{vector['tcId']} {vector['comment']}")
def test_a_signature_is_judged_as_wycheproof_says(vector: dict[str, Any]) -> None:
    algorithm = jwt.get_algorithm_by_name("RS256")
    key = jwt.PyJWK(VECTORS["key"] | {"kid": "vectors"}).key
    signed = algorithm.verify(bytes.fromhex(vector["msg"]), key, bytes.fromhex(vector["sig"]))
    assert signed == (vector["result"] == "valid"), vector["flags"]


# The pool's keys


def test_the_keys_are_fetched_once(callers: Callers, pool: Pool) -> None:
    assert all(callers.authenticate(token()) for _ in range(5))
    assert pool.asked == 1


def test_a_new_key_of_the_pool_is_found_and_made_up_names_do_not_have_it_asked_again_and_again(
    callers: Callers, pool: Pool
) -> None:
    assert callers.authenticate(token())
    pool.content = published(new=private_key("new"))
    made_up = [token(kid=f"made-up-{n}") for n in range(3)]
    assert [callers.authenticate(each) for each in made_up] == [None] * 3
    assert pool.asked == 1, "fetched a moment ago"
    pool.now += COOL_DOWN_SECONDS
    assert callers.authenticate(token(key=private_key("new"), kid="new"))
    assert [callers.authenticate(each) for each in made_up] == [None] * 3
    assert pool.asked == 2


@pytest.mark.parametrize("fault", [TimeoutError(), ConnectionRefusedError(), ValueError("too large")])
def test_while_the_pool_is_out_of_reach_new_people_wait_and_keys_and_known_people_do_not(
    callers: Callers, keys: ApiKeys, pool: Pool, fault: Exception
) -> None:
    good, pool.content = pool.content, fault
    _, shown = keys.issue("partner", [Scope.READ])
    for _ in range(3):
        with pytest.raises(StoreBusy):
            callers.authenticate(token())
        assert callers.authenticate(shown.text) is not None
    assert pool.asked == 1, "not asked by everybody who waits"
    pool.now, pool.content = pool.now + COOL_DOWN_SECONDS, good
    assert callers.authenticate(token())
    pool.now, pool.content = pool.now + COOL_DOWN_SECONDS, fault
    with pytest.raises(StoreBusy):
        callers.authenticate(token(kid="new"))
    assert callers.authenticate(token()), "whose key is known"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"keys": 7}', b'{"keys": [{"kty": "RSA"}]}', b"\xff", b"null"]
)
def test_what_is_no_set_of_keys_is_as_if_it_were_out_of_reach(callers: Callers, pool: Pool, content: bytes) -> None:
    pool.content = content
    with pytest.raises(StoreBusy):
        callers.authenticate(token())


def test_keys_for_something_else_sign_no_tokens(callers: Callers, pool: Pool) -> None:
    assert isinstance(pool.content, bytes)
    document = json.loads(pool.content)
    document["keys"][0] |= {"alg": "RS512"}
    document["keys"].append({"kty": "oct", "k": "A" * 43, "kid": "secret", "alg": "HS256"})
    pool.content = json.dumps(document).encode()
    assert callers.authenticate(token()) is None
    assert callers.authenticate(token(key=bytes(32), algorithm="HS256", kid="secret")) is None


def test_without_a_pool_nobody_signs_in_and_nothing_is_fetched(keys: ApiKeys) -> None:
    assert Callers(keys).authenticate(token()) is None


def test_a_key_never_passes_for_a_person() -> None:
    with pytest.raises(InvalidKeyRequest, match="ids of people"):
        make_key(PERSON, [Scope.READ], NOW)


def test_what_tokens_need_is_loaded_when_a_token_comes_and_not_before() -> None:
    """A call with a key, and every other function, starts as fast as ever."""
    lines = [
        "import sys, app",
        "from chalicelib.services.callers import Callers",
        "from chalicelib.repositories.token_keys import PublishedKeys, fetch_from",
        "class Keys:",
        "    def authenticate(self, key): return None",
        "callers = Callers(Keys(), 'https://pool', PublishedKeys(fetch_from('http://127.0.0.1:1')))",
        "callers.authenticate('pv_0123456789abcdef_' + 'A' * 43)",
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'jwt', 'cryptography', '_cffi_backend'}))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"
