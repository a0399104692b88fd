"""Webhooks: cursors over the feed of events, pushed to a receiver, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

A receiver gets every event in order, and the next one only after it took the one before. One that fails is tried again
at growing intervals for three days and then disabled; its position stays, so nothing is lost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.events import EventType, Position

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=12)
GIVEN_UP_AFTER: Final = timedelta(days=3)
BOTH_SECRETS_FOR: Final = timedelta(hours=24)
MOST_WEBHOOKS: Final = 20

SECRET_PREFIX: Final = "whsec_"
LONGEST_URL: Final = 500
LONGEST_LABEL: Final = 63
"""Of a host's name, between its dots (RFC 1035)."""

GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that anybody's public address is from: https://www.iana.org/assignments/ipv6-address-space

Outside are addresses that stand for others (NAT64, IPv4-mapped), inner ones of today and of old, and routers' SIDs.
"""
SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
"""What else IANA registers for a special purpose, and Python does not refuse in each of its versions: protocols' own,
the nearest relay or sink, documentation, 6to4 and Teredo. No receiver has one.

https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
"""


class Why(StrEnum):
    """Why a webhook is disabled."""

    GONE = "gone"
    """The receiver answered 410."""
    GAVE_UP = "gave-up"
    """It failed for three days."""
    POSITION_LOST = "position-lost"
    """The feed does not go back to where it was."""


class Answer(Record):
    """What a receiver answered: its status, or why there is none, in a word; and how long it wants to be left alone."""

    said: str
    status: int = 0
    retry_after_seconds: int | None = None

    @property
    def took(self) -> bool:
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == 410


class Failing(Record):
    """A receiver that does not take its next event: since when, how often it was tried, and what it last answered."""

    since: datetime
    tries: int
    answer: str
    again_at: datetime
    """It is left alone until then."""


class OldSecret(Record):
    """A secret that signs beside the current one until then."""

    value: bytes
    until: datetime


class Tested(Record):
    """What the receiver answered to the last test."""

    at: datetime
    answer: str


class Webhook(Record):
    """A receiver and how far it has come. No types means all of them."""

    id: str
    url: str
    types: frozenset[EventType]
    secret: bytes
    position: Position
    version: int
    created_at: datetime
    old_secret: OldSecret | None = None
    failing: Failing | None = None
    disabled: Why | None = None
    tested: Tested | None = None

    def wants(self, type: EventType) -> bool:
        return not self.types or type in self.types

    def pause_at(self, now: datetime) -> timedelta:
        """How much longer its receiver is left alone."""
        return max(self.failing.again_at - now, timedelta(0)) if self.failing else timedelta(0)

    def is_due(self, now: datetime) -> bool:
        """Whether its receiver may be called."""
        return not self.disabled and not self.pause_at(now)

    def delivered(self, position: Position) -> Webhook:
        """The next version, which has come so far."""
        return replace(self, position=position, failing=None, version=self.version + 1)

    def failed(self, answer: Answer, now: datetime, chance: float) -> Webhook:
        """The next version after a try that the receiver did not take; disabled when it is gone, or three days down."""
        since = self.failing.since if self.failing else now
        tries = self.failing.tries + 1 if self.failing else 1
        disabled = Why.GONE if answer.gone else Why.GAVE_UP if now - since >= GIVEN_UP_AFTER else None
        failing = Failing(since, tries, answer.said, now + pause_after(tries, chance, answer.retry_after_seconds))
        return replace(self, failing=failing, disabled=disabled, version=self.version + 1)

    def lost(self) -> Webhook:
        """The next version, disabled because the feed does not go back so far."""
        return replace(self, disabled=Why.POSITION_LOST, version=self.version + 1)

    def answered(self, tested: Tested) -> Webhook:
        """The next version, which knows how its last test went."""
        return replace(self, tested=tested, version=self.version + 1)

    def resumed(self, position: Position) -> Webhook:
        """The next version, enabled, which goes on from there."""
        return replace(self, position=position, failing=None, disabled=None, version=self.version + 1)

    def renewed(self, secret: bytes, now: datetime) -> Webhook:
        """The next version with a new secret; the one before signs beside it for a day."""
        old = OldSecret(self.secret, now + BOTH_SECRETS_FOR)
        return replace(self, secret=secret, old_secret=old, version=self.version + 1)

    def secrets_at(self, now: datetime) -> Sequence[bytes]:
        """Those that sign, the current one first."""
        old = [self.old_secret.value] if self.old_secret and now < self.old_secret.until else []
        return [self.secret, *old]


def pause_after(tries: int, chance: float, asked_seconds: int | None = None) -> timedelta:
    """How long to wait after so many failures in a row: doubled each time, its upper half left to chance (0 to 1).

    As long as the receiver asked for (Retry-After) at least, twelve hours at most. In whole seconds, as SQS counts.
    """
    longest: timedelta = FIRST_PAUSE * 2 ** min(tries - 1, 20)
    doubled = min(LONGEST_PAUSE, longest) * (0.5 + chance / 2)
    return min(LONGEST_PAUSE, timedelta(seconds=max(int(doubled.total_seconds()), asked_seconds or 0)))


def new_secret() -> bytes:
    return secrets.token_bytes(24)


def shown(secret: bytes) -> str:
    """As receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed(id: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The headers of a delivery; the receiver verifies with any of the secrets."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((id.encode(), timestamp.encode(), body))
    made = (base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in made),
    }


def check_url(url: str) -> None:
    """Raises InvalidInput for whatever is not a public https address by name: no port, no credentials, no fragment."""
    if why := _wrong_with(url):
        raise InvalidInput([FieldError("#/url", why)])


def _wrong_with(url: str) -> str | None:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return f"must be an address of up to {LONGEST_URL} ASCII characters"
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").removesuffix(".")
    except ValueError:
        return "is not an address"
    if parts.scheme != "https":
        return "must begin with https://"
    if port not in (None, 443):
        return "must not name another port than 443"
    if parts.username is not None or parts.password is not None:
        return "must not carry credentials: deliveries are signed"
    if parts.fragment:
        return "must not have a fragment"
    return None if _may_be_public(host) else "must name a public host"


def _may_be_public(host: str) -> bool:
    """Whether it is a name as public hosts have one, and no address."""
    *labels, last = host.split(".")
    if not labels or ":" in host or not all(0 < len(label) <= LONGEST_LABEL for label in (*labels, last)):
        return False
    return (last.isalpha() and last != "localhost") or last.startswith("xn--")


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet may be found at."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip in network for network in SPECIAL) or (ip.version == 6 and ip not in GLOBAL_UNICAST):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
