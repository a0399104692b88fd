"""Signatures: whose they are, what for, and what becomes of them when the keys change."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.signing_keys import REFRESHED_EVERY, Keyring
from chalicelib.services.signing_keys import Signer
from tests.builders import Clock, minutes
from tests.fakes import FakeSigningKeys


class CountingKeys(FakeSigningKeys):
    loads = 0

    def load(self) -> Keyring:
        self.loads += 1
        return super().load()


def test_a_signature_is_good_for_its_message_and_purpose_only() -> None:
    signer = Signer(FakeSigningKeys(), Clock())
    signature = signer.sign("cursor", b"message")
    assert signer.verifies("cursor", b"message", signature)
    assert not signer.verifies("cursor", b"massage", signature)
    assert not signer.verifies("fingerprint", b"message", signature)
    assert not signer.verifies("cursor", b"message", replace(signature, value=signature.value[:-1]))
    assert not signer.verifies("cursor", b"message", replace(signature, key_id="unknown"))


def test_a_signature_of_another_secret_is_none() -> None:
    keys = FakeSigningKeys()
    signature = Signer(keys, Clock()).sign("cursor", b"message")
    keys.rotate()
    forged = replace(signature, key_id="k2")
    assert not Signer(keys, Clock()).verifies("cursor", b"message", forged)


def test_what_was_signed_by_one_release_is_verified_by_the_next() -> None:
    value = Signer(FakeSigningKeys(), Clock()).sign("cursor", b"message").value
    assert value.hex() == "3cbe32f1f8db2ca22a181a59637859cf61950d5979e43b5a71929d42e327e3e1"


def test_a_rotation_breaks_nothing_until_the_old_key_is_forgotten() -> None:
    keys, clock = FakeSigningKeys(), Clock()
    signer = Signer(keys, clock)
    old = signer.sign("cursor", b"message")
    keys.rotate()
    clock.advance(REFRESHED_EVERY + minutes(1))
    new = signer.sign("cursor", b"message")
    assert new.key_id != old.key_id
    assert signer.verifies("cursor", b"message", old)
    keys.forget()
    clock.advance(REFRESHED_EVERY + minutes(1))
    assert not signer.verifies("cursor", b"message", old)
    assert signer.verifies("cursor", b"message", new)


def test_what_another_instance_signed_with_a_newer_key_is_verified_at_once() -> None:
    keys, clock = FakeSigningKeys(), Clock()
    ours, theirs = Signer(keys, clock), Signer(keys, clock)
    ours.sign("cursor", b"message")
    keys.rotate()
    assert ours.verifies("cursor", b"message", theirs.sign("cursor", b"message"))


def test_the_store_is_asked_for_the_keys_only_now_and_then() -> None:
    keys, clock = CountingKeys(), Clock()
    signer = Signer(keys, clock)
    for _ in range(50):
        signer.verifies("cursor", b"m", signer.sign("cursor", b"m"))
    clock.advance(REFRESHED_EVERY)
    signer.sign("cursor", b"m")
    assert keys.loads == 1
    clock.advance(minutes(1))
    signer.sign("cursor", b"m")
    assert keys.loads == 2
