"""Keys: how they are made, told apart, rotated and revoked, and what the guard makes of their scopes."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

import app as entry
from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest, PresentedKey, Scope, make_key, opens, parse_key
from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.signing_keys import ANNOUNCED, VERIFIES_ON, Keyring, RotationUnderWay
from chalicelib.http.guard import PUBLIC, VISITOR, admission, bearer_token
from chalicelib.services.api_keys import ApiKeys
from tests.builders import NOW, Clock


@dataclass
class FakeApiKeys:
    kept: dict[str, ApiKey] = field(default_factory=dict)
    asked: int = 0
    busy: int = 0
    """How many more times no key can be ended."""
    listed: list[str] | None = None
    """What the listing says, when it is not what there is."""

    def find(self, key_id: str) -> ApiKey | None:
        self.asked += 1
        return self.kept.get(key_id)

    def add(self, key: ApiKey) -> None:
        assert key.id not in self.kept
        self.kept[key.id] = key

    def end(self, key: ApiKey, at: datetime) -> None:
        if self.busy:
            self.busy -= 1
            raise StoreBusy
        stands = self._same(key)
        if stands.revoked_at is None and (stands.expires_at is None or stands.expires_at > at):
            self.kept[key.id] = replace(stands, expires_at=at)

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        stands = self._same(key)
        if stands.revoked_at is None:
            self.kept[key.id] = replace(stands, revoked_at=at)
        return self.kept[key.id]

    def ids(self) -> Sequence[str]:
        if self.listed is not None:
            return self.listed
        return [key.id for key in sorted(self.kept.values(), key=lambda key: (key.name, key.created_at))]

    def _same(self, key: ApiKey) -> ApiKey:
        stands = self.kept[key.id]
        assert stands.is_same_as(key)
        return stands


@dataclass
class Office:
    """The operator's desk, with a clock that can be moved."""

    clock: Clock = field(default_factory=lambda: Clock(NOW))
    keys: FakeApiKeys = field(default_factory=FakeApiKeys)

    @property
    def access(self) -> ApiKeys:
        return ApiKeys(self.keys, self.clock)

    def admits(self, text: str) -> bool:
        return self.access.authenticate(text) is not None


@pytest.fixture
def office() -> Office:
    return Office()


# Keys


def test_a_key_has_256_random_bits_and_is_kept_as_a_hash_only() -> None:
    kept, shown = make_key("partner", [Scope.READ], NOW, random=lambda length: bytes(range(length)))
    assert shown.text == "pv_0001020304050607_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert shown.secret not in repr(kept)
    assert len(kept.secret_hash) == 32
    again, other = make_key("partner", [Scope.READ], NOW)
    assert other.text != make_key("partner", [Scope.READ], NOW)[1].text
    assert again.id == other.id


def test_a_key_in_hand_does_not_show_up_in_logs() -> None:
    _, shown = make_key("partner", [Scope.READ], NOW)
    assert shown.secret not in f"{shown!r} {shown}"


def test_a_key_is_read_in_the_one_spelling_we_hand_out() -> None:
    _, shown = make_key("partner", [Scope.READ], NOW)
    assert parse_key(shown.text) == shown


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: text.replace("pv_", "xx_"),
        lambda text: text.replace("_", "-", 1),
        lambda text: text[:-1] + "é",
        lambda text: text[:-1] + "=",
        lambda text: text[:4] + "٣" + text[5:],
        lambda text: "x" * 1_000_000,
        lambda text: text * 20,
        lambda text: "pv_\x00\ud800",
    ],
)
def test_what_is_no_key_is_not_even_looked_up(office: Office, change: Any) -> None:
    _, shown = office.access.issue("partner", [Scope.READ])
    assert not office.admits(change(shown.text))
    assert office.keys.asked == 0


def test_another_secret_or_an_unknown_id_does_not_get_in(office: Office) -> None:
    kept, shown = office.access.issue("partner", [Scope.READ])
    _, other = make_key("partner", [Scope.READ], NOW)
    assert office.admits(shown.text)
    assert not office.admits(PresentedKey(kept.id, other.secret).text)
    assert not office.admits(other.text)


def test_an_unknown_id_costs_the_same_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counting(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return compare(a, b)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    kept, shown = make_key("partner", [Scope.READ], NOW)
    assert opens(shown, kept, NOW)
    assert not opens(shown, None, NOW)
    assert compared == [(32, 32), (32, 32)]


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a" * 65, "a#b", "naïve", "a\n", "api", "anonymous"])
def test_a_name_that_says_nothing_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(InvalidKeyRequest):
        make_key(name, [Scope.READ], NOW)


def test_a_key_without_scopes_or_of_the_past_is_refused() -> None:
    with pytest.raises(InvalidKeyRequest):
        make_key("partner", [], NOW)
    with pytest.raises(InvalidKeyRequest):
        make_key("partner", [Scope.READ], NOW, expires_at=NOW)


# Their lives


def test_a_key_ends_when_it_expires(office: Office) -> None:
    _, shown = office.access.issue("partner", [Scope.READ], timedelta(days=90))
    office.clock.now = NOW + timedelta(days=90) - timedelta(seconds=1)
    assert office.admits(shown.text)
    office.clock.now = NOW + timedelta(days=90)
    assert not office.admits(shown.text)


def test_a_revoked_key_is_out_at_once_and_stays_known(office: Office) -> None:
    kept, shown = office.access.issue("partner", [Scope.READ])
    office.access.revoke(kept.id)
    assert not office.admits(shown.text)
    assert [key.revoked_at for key in office.access.all_keys()] == [NOW]
    office.clock.now += timedelta(days=1)
    assert office.access.revoke(kept.id).revoked_at == NOW, "revoking twice changes nothing"


def test_a_caller_is_revoked_with_all_its_keys_and_nobody_else(office: Office) -> None:
    _, one = office.access.issue("partner", [Scope.READ])
    _, two = office.access.issue("partner", [Scope.WRITE])
    _, other = office.access.issue("partner-2", [Scope.READ])
    assert len(office.access.revoke_all("partner")) == 2
    assert [office.admits(key.text) for key in (one, two, other)] == [False, False, True]
    with pytest.raises(InvalidKeyRequest):
        office.access.revoke_all("partner")


def test_rotation_overlaps_and_keeps_who_the_caller_is(office: Office) -> None:
    before, old = office.access.issue("partner", [Scope.READ, Scope.WRITE], timedelta(days=90))
    office.clock.now = NOW + timedelta(days=80)
    after, new = office.access.rotate("partner", overlap=timedelta(days=7))
    assert (after.name, after.scopes) == (before.name, before.scopes)
    assert after.expires_at == office.clock.now + timedelta(days=90)
    assert office.admits(old.text)
    assert office.admits(new.text)
    office.clock.now += timedelta(days=7)
    assert [office.admits(old.text), office.admits(new.text)] == [False, True]


def test_rotation_never_lengthens_the_life_of_an_old_key(office: Office) -> None:
    before, _ = office.access.issue("partner", [Scope.READ], timedelta(days=1))
    office.access.rotate("partner", overlap=timedelta(days=7))
    assert office.keys.kept[before.id].expires_at == NOW + timedelta(days=1)


def test_rotation_gives_the_lifetime_that_a_key_was_made_for_not_what_is_left_of_it(office: Office) -> None:
    office.access.issue("partner", [Scope.READ])
    mistake, _ = office.access.rotate("partner", overlap=timedelta(days=7))
    office.access.revoke(mistake.id)
    again, _ = office.access.rotate("partner", overlap=timedelta(days=7))
    assert again.expires_at is None


def test_a_rotation_that_was_interrupted_ends_well_when_it_is_done_again(office: Office) -> None:
    before, old = office.access.issue("partner", [Scope.READ], timedelta(days=90))
    office.keys.busy = 1
    with pytest.raises(StoreBusy):
        office.access.rotate("partner", overlap=timedelta(days=7))
    (unseen,) = set(office.keys.kept) - {before.id}

    office.clock.now += timedelta(minutes=5)
    after, new = office.access.rotate("partner", overlap=timedelta(days=7))

    assert (after.scopes, after.expires_at) == (before.scopes, office.clock.now + timedelta(days=90))
    ends = office.clock.now + timedelta(days=7)
    assert {office.keys.kept[id].expires_at for id in (before.id, unseen)} == {ends}
    office.clock.now = ends
    assert [office.admits(old.text), office.admits(new.text)] == [False, True]


def test_a_listing_that_names_others_or_nobody_changes_no_key_but_the_callers(office: Office) -> None:
    mine, _ = office.access.issue("partner", [Scope.READ])
    other, _ = office.access.issue("other", [Scope.ADMIN])
    office.keys.listed = [other.id, "0123456789abcdef", mine.id]
    after, _ = office.access.rotate("partner", overlap=timedelta(days=7))
    assert after.scopes == {Scope.READ}
    office.access.revoke_all("partner")
    assert office.keys.kept[other.id] == other


def test_there_is_nothing_to_rotate_or_revoke_of_a_stranger(office: Office) -> None:
    with pytest.raises(InvalidKeyRequest, match=r"^No key named stranger is in use\.$"):
        office.access.rotate("stranger", timedelta(0))
    with pytest.raises(InvalidKeyRequest, match=r"^No key has this id\.$"):
        office.access.revoke("0123456789abcdef")


# The header, and what the gateway is told


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc", " Bearer abc "])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize(
    "header", ["", "abc", "Basic abc", "Bearer", "Bearerabc", "Bearer\tabc", "Bearer " + "a" * 5000]
)
def test_another_scheme_carries_no_key(header: str) -> None:
    assert bearer_token(header) == ""


def test_the_gateway_is_told_all_routes_for_a_good_key_and_none_for_another() -> None:
    key, _ = make_key("partner", [Scope.WRITE, Scope.READ], NOW)
    told = admission(key)
    assert (told.routes, told.principal_id) == (["*"], "partner")
    assert told.context == {"keyId": key.id, "scopes": "read write"}
    assert admission(None).routes == []


# Every route says what it asks for


ROUTES = [(method, path) for path, methods in entry.app.routes.items() for method in methods]
PUBLIC_ROUTES = {
    (method, path)
    for path in (
        "/health",
        "/openapi.json",
        "/properties/{property_id}/calendar.ics",
        "/agents/{agent_id}/calendar.ics",
        "/public/properties/{property_id}",
        "/public/properties/{property_id}/slots",
    )
    for method in ("GET", "HEAD")
} | {("POST", "/visitor/unsubscribe"), ("POST", "/public/properties/{property_id}/visits")}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_declares_what_it_asks_of_its_caller(method: str, path: str) -> None:
    assert (method, path) in entry.required, "registered past `route`, which alone puts the guard around a view"
    guarded = entry.app.routes[path][method].authorizer is entry.bearer_key
    wanted = entry.required[method, path]
    assert guarded == (wanted not in (PUBLIC, VISITOR))
    assert (wanted == PUBLIC) == ((method, path) in PUBLIC_ROUTES), "public, and nobody said so here"


def event(method: str, path: str, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestContext": {"httpMethod": method, "resourcePath": path, "path": path, **context},
        "headers": {},
        "multiValueHeaders": {},
        "pathParameters": {name.strip("{}"): "x" for name in path.split("/") if name.startswith("{")},
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }


GUARDED = [(method, path) for (method, path), scope in entry.required.items() if scope != PUBLIC]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "context",
    [
        {},
        {"authorizer": None},
        {"authorizer": {}},
        {"authorizer": {"scopes": "read write admin"}},
        {"authorizer": {"principalId": "", "scopes": "read write admin"}},
        {"authorizer": "tests"},
    ],
)
def test_a_gateway_that_forgot_its_authorizer_opens_no_door(method: str, path: str, context: dict[str, Any]) -> None:
    answer = entry.app(event(method, path, context), None)
    assert answer["statusCode"] == 401
    assert answer["headers"]["WWW-Authenticate"].startswith("Bearer")
    assert json.loads(answer["body"])["type"] == "urn:visits:problem:unauthorized"


@pytest.mark.parametrize(("method", "path"), [route for route in GUARDED if isinstance(entry.required[route], Scope)])
def test_a_scope_is_matched_whole(method: str, path: str) -> None:
    scope = str(entry.required[method, path])
    others = " ".join({str(s) for s in Scope} - {scope} | {scope + "s", scope.upper(), f"x{scope}", "*"})
    answer = entry.app(event(method, path, {"authorizer": {"principalId": "tests", "scopes": others}}), None)
    assert answer["statusCode"] == 403
    problem = json.loads(answer["body"])
    assert (problem["type"], problem["scope"]) == ("urn:visits:problem:insufficient-scope", scope)
    assert f'scope="{scope}"' in answer["headers"]["WWW-Authenticate"]


# The signing keys


def test_a_new_signing_key_signs_only_when_every_instance_knows_it() -> None:
    old = Keyring("a", {"a": b"1"})
    rotated = old.rotated("b", b"2", NOW)
    assert rotated.at(NOW).current == "a"
    assert rotated.at(NOW + ANNOUNCED - timedelta(seconds=1)).current == "a"
    assert rotated.at(NOW + ANNOUNCED).current == "b"
    assert rotated.verifies("cursor", b"m", rotated.at(NOW + ANNOUNCED).sign("cursor", b"m")), "known before it signs"
    assert rotated.at(NOW + ANNOUNCED).verifies("cursor", b"m", old.sign("cursor", b"m"))


def test_signing_keys_are_not_rotated_while_a_rotation_is_under_way() -> None:
    rotated = Keyring("a", {"a": b"1"}).rotated("b", b"2", NOW)
    with pytest.raises(RotationUnderWay):
        rotated.rotated("c", b"3", NOW + ANNOUNCED - timedelta(seconds=1))


def test_a_signing_key_is_dropped_when_all_that_it_signed_is_over() -> None:
    ring = Keyring("a", {"a": b"1"}).rotated("b", b"2", NOW)
    signs_no_more = NOW + ANNOUNCED
    assert set(ring.rotated("c", b"3", signs_no_more + VERIFIES_ON).secrets) == {"a", "b", "c"}
    later = ring.rotated("c", b"3", signs_no_more + VERIFIES_ON + timedelta(seconds=1))
    assert set(later.secrets) == {"b", "c"}
    assert replace(later, waiting=None).current == "b"


def test_a_signing_key_is_kept_through_many_rotations_in_a_short_time() -> None:
    ring = Keyring("a", {"a": b"1"})
    for n, id in enumerate("bcd"):
        ring = ring.rotated(id, b"2", NOW + n * ANNOUNCED)
    assert set(ring.secrets) == {"a", "b", "c", "d"}
