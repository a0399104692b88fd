"""Webhooks: signed as the standard's own library verifies, in order, retried, given up; and what is never called."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import standardwebhooks
from chalice.app import SQSEvent
from chalice.local import LambdaContext

from chalicelib.api.events import body_of
from chalicelib.domain.errors import InvalidInput, PositionLost, StoreBusy, TooManyWebhooks, WebhookNotFound
from chalicelib.domain.events import Change, Event, EventType, Position
from chalicelib.domain.webhooks import (
    FIRST_PAUSE,
    GIVEN_UP_AFTER,
    LONGEST_LABEL,
    LONGEST_PAUSE,
    LONGEST_URL,
    MOST_WEBHOOKS,
    Answer,
    Why,
    check_url,
    is_public,
    pause_after,
    shown,
    signed,
)
from chalicelib.events import webhook_queue
from chalicelib.events.schedule import remind
from chalicelib.repositories.receivers import Receivers, ReceiversOnThisMachine
from chalicelib.repositories.webhooks import webhook_item, webhook_of
from chalicelib.services.webhooks import Round
from tests.agency import Agency
from tests.builders import booking

URL = "https://crm.example.com/hook"
DATA = {
    "visitId": "v",
    "propertyId": "house",
    "status": "confirmed",
    "date": "2027-03-01T10:00:00Z",
    "durationMinutes": 30,
    "timeZone": "Europe/Berlin",
    "version": 1,
}


def happen(agency: Agency, *numbers: int, type: EventType = EventType.VISIT_BOOKED) -> None:
    for n in numbers:
        event = Event(f"e{n}", type, f"visits/e{n}", agency.clock(), DATA)
        agency.events.append([Change(n, event)], agency.clock())


def deliver(agency: Agency, id: str, lasts: timedelta = timedelta(hours=1)) -> Round:
    return agency.webhooks.deliver(id, body_of, agency.clock() + lasts)


def got(agency: Agency) -> list[str]:
    return [headers["webhook-id"] for _, headers, _ in agency.receivers.got]


@pytest.fixture
def agency() -> Agency:
    return Agency()


@pytest.fixture
def hook(agency: Agency) -> str:
    return agency.webhooks.register(URL, frozenset()).id


def test_signatures_are_such_as_the_standards_library_verifies_with_either_secret() -> None:
    secrets, now = [b"new secret of 24 bytes!!", b"old secret of 24 bytes!!"], datetime.now(UTC)
    headers = signed("e1", now, b'{"a":1}', secrets)
    for secret in secrets:
        assert standardwebhooks.Webhook(shown(secret)).verify('{"a":1}', headers) == {"a": 1}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(shown(secrets[0])).verify('{"a":2}', headers)


def test_what_happens_is_delivered_in_order_and_once(agency: Agency, hook: str) -> None:
    happen(agency, 1, 2, 3)
    assert deliver(agency, hook) == deliver(agency, hook) == Round()
    assert got(agency) == ["e1", "e2", "e3"]


def test_what_happened_before_is_not(agency: Agency) -> None:
    happen(agency, 1)
    hook = agency.webhooks.register(URL, frozenset()).id
    happen(agency, 2)
    deliver(agency, hook)
    assert got(agency) == ["e2"]


def test_only_the_types_asked_for(agency: Agency) -> None:
    hook = agency.webhooks.register(URL, frozenset({EventType.VISIT_CANCELLED})).id
    happen(agency, 1)
    happen(agency, 2, type=EventType.VISIT_CANCELLED)
    happen(agency, 3)
    deliver(agency, hook)
    assert got(agency) == ["e2"]


def test_an_event_that_is_not_taken_holds_up_those_behind_it_and_comes_again(agency: Agency, hook: str) -> None:
    happen(agency, 1, 2)
    agency.receivers.answers = [Answer("204", 204), Answer("500", 500)]
    round = deliver(agency, hook)
    assert round.pause is not None
    stands = agency.webhooks.get(hook)
    assert stands.failing is not None
    assert (stands.failing.tries, stands.failing.answer) == (1, "500")
    agency.clock.advance(round.pause)
    deliver(agency, hook)
    assert got(agency) == ["e1", "e2", "e2"]
    assert agency.webhooks.get(hook).failing is None


def test_who_fails_is_not_woken_for_news_and_gets_them_with_the_next_try(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("500", 500)]
    deliver(agency, hook)
    happen(agency, 2)
    agency.webhooks.wake()
    assert agency.webhook_queue.woken == []
    agency.clock.advance(FIRST_PAUSE)
    agency.webhooks.wake()
    assert agency.webhook_queue.woken == [hook]
    deliver(agency, hook)
    assert got(agency) == ["e1", "e1", "e2"]


def test_a_receiver_is_left_alone_until_its_pause_is_over_whatever_wakes_it(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("429", 429, retry_after_seconds=600)]
    deliver(agency, hook)
    agency.clock.advance(timedelta(seconds=599))
    assert deliver(agency, hook).pause == timedelta(seconds=1)
    agency.webhooks.renew_secret(hook)
    assert deliver(agency, hook).pause == timedelta(seconds=1)
    assert got(agency) == ["e1"]
    agency.clock.advance(timedelta(seconds=1))
    assert deliver(agency, hook) == Round()
    assert got(agency) == ["e1", "e1"]


def test_after_three_days_it_is_disabled_and_loses_nothing(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    while (round := _failed(agency, hook)).disabled is None:
        assert round.pause is not None
        agency.clock.advance(round.pause + timedelta(seconds=1))
    assert round.disabled is Why.GAVE_UP
    stands = agency.webhooks.get(hook)
    assert stands.failing is not None
    assert agency.clock() - stands.failing.since >= GIVEN_UP_AFTER
    posted = len(agency.receivers.got)
    deliver(agency, hook)
    assert len(agency.receivers.got) == posted
    agency.webhooks.go_on_from(hook, stands.position)
    assert agency.webhook_queue.woken == [hook]
    deliver(agency, hook)
    assert got(agency)[posted:] == ["e1"]


def _failed(agency: Agency, hook: str) -> Round:
    agency.receivers.answers = [Answer("no answer in time")]
    return deliver(agency, hook)


def test_a_receiver_that_says_gone_is_disabled_at_once(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("410", 410)]
    assert deliver(agency, hook).disabled is Why.GONE
    assert deliver(agency, hook) == Round()
    agency.clock.advance(FIRST_PAUSE)
    agency.webhooks.wake()
    agency.webhooks.wake_those_behind()
    assert agency.webhook_queue.woken == []


def test_all_that_is_known_of_a_webhook_is_stored(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("500", 500), Answer("404", 404)]
    deliver(agency, hook)
    agency.webhooks.test(hook, b"{}")
    agency.webhooks.renew_secret(hook)
    stands = agency.webhooks.get(hook)
    assert webhook_of(webhook_item(stands)) == stands


def test_a_webhook_that_failed_under_the_version_before_is_due(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("500", 500)]
    deliver(agency, hook)
    item = webhook_item(agency.webhooks.get(hook))
    del item["failing"]["againAt"]
    assert webhook_of(item).is_due(agency.clock())


def test_a_receiver_may_ask_to_be_left_alone_for_a_while(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.receivers.answers = [Answer("429", 429, retry_after_seconds=600)]
    assert deliver(agency, hook).pause == timedelta(seconds=600)


def test_pauses_grow_from_seconds_to_twelve_hours_and_never_beyond() -> None:
    pauses = [pause_after(tries, 1.0) for tries in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=s) for s in (5, 10, 20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert [pause_after(2, chance) for chance in (0.0, 0.5)] == [timedelta(seconds=5), timedelta(seconds=7)]
    assert pause_after(1, 0.0, asked_seconds=10**6) == LONGEST_PAUSE


def test_a_round_ends_in_time_and_goes_on_at_once(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    assert deliver(agency, hook, lasts=timedelta(0)) == Round(pause=timedelta(0))
    assert got(agency) == []


def test_a_replay_delivers_again_from_where_it_is_told(agency: Agency, hook: str) -> None:
    happen(agency, 1, 2)
    deliver(agency, hook)
    agency.webhooks.go_on_from(hook, Position(2, 0))
    deliver(agency, hook)
    assert got(agency) == ["e1", "e2", "e2"]


def test_for_a_day_both_secrets_sign(agency: Agency, hook: str) -> None:
    first = agency.webhooks.get(hook).secret
    second = agency.webhooks.renew_secret(hook).secret
    happen(agency, 1)
    deliver(agency, hook)
    agency.clock.advance(timedelta(hours=25))
    happen(agency, 2)
    deliver(agency, hook)
    counts = [len(headers["webhook-signature"].split()) for _, headers, _ in agency.receivers.got]
    assert (counts, first != second) == ([2, 1], True)


def test_a_test_is_posted_and_its_answer_remembered(agency: Agency, hook: str) -> None:
    agency.webhooks.ask_for_test(hook)
    assert agency.webhook_queue.tested == [hook]
    agency.receivers.answers = [Answer("404", 404)]
    agency.webhooks.test(hook, b"{}")
    stands = agency.webhooks.get(hook)
    assert stands.tested is not None
    assert stands.tested.answer == "404"


def test_a_webhook_that_was_removed_gets_nothing(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.webhooks.remove(hook)
    assert deliver(agency, hook) == Round()
    assert got(agency) == []
    with pytest.raises(WebhookNotFound):
        agency.webhooks.get(hook)


def test_there_is_a_limit(agency: Agency) -> None:
    for _ in range(MOST_WEBHOOKS):
        agency.webhooks.register(URL, frozenset())
    with pytest.raises(TooManyWebhooks):
        agency.webhooks.register(URL, frozenset())


# What is never called


NOT_AN_ADDRESS = f"must be an address of up to {LONGEST_URL} ASCII characters"
NO_HTTPS = "must begin with https://"
OTHER_PORT = "must not name another port than 443"
CREDENTIALS = "must not carry credentials: deliveries are signed"
NOT_PUBLIC = "must name a public host"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example.com/", NO_HTTPS),
        ("ftp://crm.example.com/", NO_HTTPS),
        ("crm.example.com", NO_HTTPS),
        ("https://127.0.0.1/", NOT_PUBLIC),
        ("https://[::1]/", NOT_PUBLIC),
        ("https://2130706433/", NOT_PUBLIC),
        ("https://0x7f000001/", NOT_PUBLIC),
        ("https://127.1/", NOT_PUBLIC),
        ("https://169.254.169.254/latest/meta-data", NOT_PUBLIC),
        ("https://localhost/", NOT_PUBLIC),
        ("https://printer.localhost/", NOT_PUBLIC),
        ("https://intranet/", NOT_PUBLIC),
        ("https://user:secret@crm.example.com/", CREDENTIALS),
        ("https://user@crm.example.com/", CREDENTIALS),
        ("https://crm.example.com:8443/", OTHER_PORT),
        ("https://crm.example.com/#part", "must not have a fragment"),
        ("https://crm.example.com\\@evil.example/", NOT_AN_ADDRESS),
        ("https://crm.example.com/a\\b", NOT_AN_ADDRESS),
        ("https://crm.example.com/a b", NOT_AN_ADDRESS),
        ("https://exämple.com/", NOT_AN_ADDRESS),
        ("https://crm.example.com:abc/", "is not an address"),
        ("https://[::1", "is not an address"),
        ("https:///path", NOT_PUBLIC),
        ("https://crm..example.com/", NOT_PUBLIC),
        ("https://.example.com/", NOT_PUBLIC),
        ("https://crm.example.com../", NOT_PUBLIC),
        ("https://" + "x" * (LONGEST_LABEL + 1) + ".example.com/", NOT_PUBLIC),
        ((URL + "x" * LONGEST_URL)[: LONGEST_URL + 1], NOT_AN_ADDRESS),
    ],
)
def test_such_addresses_are_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url(url)
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [("#/url", why)]


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://crm.example.com:443/a?b=c",
        "https://xn--exmple-cua.xn--p1ai/",
        "https://crm.example.com./",
        "https://a.bc/",
        "https://" + "x" * LONGEST_LABEL + ".example.com/",
        (URL + "x" * LONGEST_URL)[:LONGEST_URL],
    ],
)
def test_public_https_addresses_by_name_are_taken(url: str) -> None:
    check_url(url)


INSIDE = [
    *(
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "100.64.0.1",
        "0.0.0.0",
    ),
    *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "198.19.255.255"),
    *("192.0.0.1", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.2.1", "198.51.100.1", "203.0.113.1"),
    *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.2", "192.175.48.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "::8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "5f00::1", "4000::1", "fe00::1"),
    *("2001:0:0:0:0:0:80ff:fffe", "2001:1::1", "2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1"),
    *("2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::"),
    *("2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1"),
]
"""An address of each block that IANA registers for a special purpose, and of some that it hands out to nobody."""


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_called(address: str) -> None:
    assert not is_public(address)
    answer = Receivers(resolve=_leads_to("93.184.215.14", address)).post(URL, {}, b"{}")
    assert (answer.said, answer.took) == ("not a public address", False)


@pytest.mark.parametrize(
    "address",
    [
        *("93.184.215.14", "1.1.1.1", "52.94.76.1", "192.0.1.1", "192.88.98.1", "198.20.0.1"),
        *("2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2a05:d014::1", "3fff:1000::1"),
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connected: list[tuple[str, int]] = []

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14" if len(asked) == 1 else "127.0.0.1", 443))]

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    assert Receivers(resolve=resolve).post(URL, {}, b"{}").said == "ConnectionRefusedError"
    assert (asked, connected) == (["crm.example.com"], [("93.184.215.14", 443)])


def _leads_to(*addresses: str) -> Any:
    return lambda *_, **__: [(0, 0, 0, "", (address, 443)) for address in addresses]


def test_a_name_that_nobody_knows_is_an_answer_too() -> None:
    def unknown(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror

    assert Receivers(resolve=unknown).post(URL, {}, b"{}").said == "host unknown"
    assert Receivers().post("https://crm..example.com/", {}, b"{}").said == "host unknown"


class _NeverAgrees:
    """TLS with a receiver that dawdles over the handshake, however short each of its silences is."""

    # Python 3.11 asks for both.
    verify_mode = ssl.CERT_REQUIRED
    check_hostname = True

    def __init__(self) -> None:
        self.ended: list[str] = []

    def wrap_socket(self, sock: socket.socket, *_: object, do_handshake_on_connect: bool = True, **__: object) -> Any:
        secured = _Dawdling(fileno=sock.detach())
        secured.ended = self.ended
        if do_handshake_on_connect:
            secured.do_handshake()
        return secured


class _Dawdling(socket.socket):
    ended: list[str]

    def do_handshake(self) -> None:
        self.settimeout(5)
        try:
            self.recv(1)
        except TimeoutError:
            self.ended.append("by itself")
            raise
        self.ended.append("hung up on")
        raise ConnectionResetError


def test_a_receiver_that_dawdles_over_the_handshake_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    trust, receivers = _NeverAgrees(), Receivers(resolve=_leads_to("93.184.215.14"))
    here, there = socket.socketpair()
    monkeypatch.setattr(socket, "create_connection", lambda *_: here)
    monkeypatch.setattr(receivers, "_trust", trust)
    monkeypatch.setattr("chalicelib.repositories.receivers.TIMEOUT_SECONDS", 0.05)
    with there:
        assert receivers.post(URL, {}, b"{}").said == "no answer in time"
    assert trust.ended == ["hung up on"]


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = int(self.path.strip("/") or 204)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/204")
        if status == 429:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def here() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_in_development_this_machine_may_be_called_and_redirects_are_never_followed(here: str) -> None:
    receivers = ReceiversOnThisMachine()
    receivers.check(here)
    assert receivers.post(f"{here}/204", {}, b"{}") == Answer("204", 204)
    assert receivers.post(f"{here}/302", {}, b"{}") == Answer("302", 302)
    assert receivers.post(f"{here}/429", {}, b"{}") == Answer("429", 429, 30)
    with pytest.raises(InvalidInput):
        receivers.check("http://127.0.0.2:80/")


def test_a_position_that_the_feed_does_not_have_is_refused(agency: Agency, hook: str) -> None:
    agency.events.lost = True
    with pytest.raises(PositionLost):
        agency.webhooks.go_on_from(hook, Position(1, 0))
    assert deliver(agency, hook).disabled is Why.POSITION_LOST


def handed_out(hook: str, times: int) -> SQSEvent:
    """The message that wakes a webhook, which has come so often."""
    attributes = {"MessageGroupId": "g", "ApproximateReceiveCount": str(times)}
    body = json.dumps({"webhookId": hook})
    record = {"messageId": "m", "receiptHandle": "r", "body": body, "attributes": attributes}
    context: Any = LambdaContext("deliver", 512, 60_000)
    return SQSEvent({"Records": [record]}, context)


def test_a_message_that_has_come_too_often_is_replaced_before_sqs_gives_it_up(
    agency: Agency, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that fails now and then while there is always more would be forgotten after a thousand times."""
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", "ReportBatchItemFailures")
    happen(agency, 1, 2)
    agency.receivers.answers = [Answer("500", 500)]
    assert webhook_queue.deliver(handed_out(hook, 99), agency.services)["batchItemFailures"]
    assert webhook_queue.deliver(handed_out(hook, 100), agency.services) == {"batchItemFailures": []}
    assert (got(agency), agency.webhook_queue.woken) == (["e1"], [hook])
    agency.clock.advance(FIRST_PAUSE)
    assert webhook_queue.deliver(handed_out(hook, 1), agency.services) == {"batchItemFailures": []}
    assert got(agency) == ["e1", "e1", "e2"]


@pytest.mark.parametrize(("seconds", "held"), [(60, True), (61, False)])
def test_a_message_is_put_off_for_a_minute_at_most(
    agency: Agency, hook: str, monkeypatch: pytest.MonkeyPatch, seconds: int, held: bool
) -> None:
    """All behind it wait for it; after that the tick wakes the webhook."""
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", "ReportBatchItemFailures")
    happen(agency, 1)
    agency.receivers.answers = [Answer("429", 429, retry_after_seconds=seconds)]
    failures = webhook_queue.deliver(handed_out(hook, 1), agency.services)["batchItemFailures"]
    assert (bool(failures), agency.webhook_queue.hidden) == (held, [("r", seconds)] if held else [])


def test_after_a_fault_of_the_store_a_message_comes_again_within_a_minute(
    agency: Agency, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUNCTION_RESPONSE_TYPES", "ReportBatchItemFailures")
    happen(agency, 1)

    def busy(*_: object) -> None:
        raise StoreBusy

    with monkeypatch.context() as fault:
        fault.setattr(agency.events, "read", busy)
        assert webhook_queue.deliver(handed_out(hook, 1), agency.services)["batchItemFailures"]
    assert agency.webhook_queue.hidden == [("r", 60)]
    assert webhook_queue.deliver(handed_out(hook, 2), agency.services) == {"batchItemFailures": []}
    assert got(agency) == ["e1"]


def test_the_tick_wakes_who_is_behind_and_nobody_else(agency: Agency, hook: str) -> None:
    agency.webhooks.wake_those_behind()
    assert agency.webhook_queue.woken == []
    happen(agency, 1)
    agency.webhooks.wake_those_behind()
    assert agency.webhook_queue.woken == [hook]
    deliver(agency, hook)
    agency.webhooks.wake_those_behind()
    assert agency.webhook_queue.woken == [hook]


def test_the_tick_wakes_them_also_when_reminders_cannot_be_looked_for(agency: Agency, hook: str) -> None:
    happen(agency, 1)
    agency.notices.looked_ahead = agency.clock() - timedelta(hours=1)
    agency.booking.book(booking(date=agency.clock() + timedelta(hours=23, minutes=30)))
    agency.notice_queue.takes = 0
    with pytest.raises(StoreBusy):
        remind(agency.services)
    assert agency.webhook_queue.woken == [hook]
