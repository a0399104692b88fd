"""`make smoke URL=...`: does the deployment at that address do what it is for?

Without a key it looks at what anybody may see. With one (KEY=, or VISITS_KEY in the environment; scopes read and write)
it books, moves, lists, exports and cancels visits of a property of its own, far ahead and at times drawn by chance, so
that it may run against production, again and beside another. What it booked it cancels; property, cancelled visits
and the intake stay, and are known by the name `smoke-test`. No person is in what it sends or says.

One line a check. It ends with 0 when all went well, with 1 when not; within a few minutes in any case.
"""

import argparse
import contextlib
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

PROPERTY_ID: Final = "smoke-test"
PROPERTY: Final = {
    "name": "Smoke test: no property",
    "address": "Nowhere",
    "price": 0,
    "currency": "EUR",
    "timeZone": "Europe/Berlin",
}
TITLE: Final = "Property Visits"
FOREIGN: Final = "https://foreign.invalid"
NOWHERE: Final = "/smoke-test-of-an-unknown-address"

PATIENCE_SECONDS: Final = 30
"""For an address that was deployed a moment ago, and for lists, which follow moments later."""
INTAKE_SECONDS: Final = 120
REQUEST_SECONDS: Final = 35
"""A little more than the gateway's own limit."""
LONGEST_WAIT_SECONDS: Final = 5
TIMES_DRAWN: Final = 5

Document = dict[str, Any]
Check = tuple[str, Callable[[], None]]
"""What is checked, in words, and the check."""


class Unexpected(Exception):
    """An answer is not what it should be; the message says what was expected and what came."""


class Api:
    """The deployment, as somebody with that key sees it, or without one.

    A request is sent once more when nobody was reached, or when it was told to come back.
    """

    def __init__(self, url: httpx.URL, key: str | None = None) -> None:
        self.url = url
        # A proxy that the environment names cannot reach this machine's own loopback.
        own = url.host in ("127.0.0.1", "localhost", "::1")
        headers = {"User-Agent": "visits-smoke"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._client = httpx.Client(timeout=REQUEST_SECONDS, trust_env=not own, headers=headers)

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Calls a path of the API."""
        return self._send(method, f"{self.url}{path}", body, headers, query)

    def follow(self, link: str) -> httpx.Response:
        """Reads a link that the API gave: if it does not lead back here, the stage's path is missing in it."""
        return self._send("GET", str(self.url.join(link)))

    def _send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        for last in (False, True):
            try:
                answer = self._client.request(method, url, json=body, headers=headers, params=query)
            except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
                if last:
                    raise Unexpected(f"nobody answers at {self.url.host}: {fault}") from fault
                time.sleep(1)
                continue
            except httpx.HTTPError as fault:
                what = f"{type(fault).__name__} {fault}".strip()
                raise Unexpected(f"expected an answer to {method} {httpx.URL(url).path}, got none: {what}") from fault
            if last or answer.status_code not in (429, 503):
                break
            time.sleep(retry_after(answer))
        return answer


def expect(answer: httpx.Response, status: int, *alternatives: int) -> httpx.Response:
    """The answer, if it has one of these statuses."""
    wanted = (status, *alternatives)
    if answer.status_code not in wanted:
        expected = " or ".join(map(str, wanted))
        raise Unexpected(f"expected {expected} for {_asked(answer)}, got {answer.status_code}{_problem_of(answer)}")
    return answer


def document(answer: httpx.Response, media_type: str = "application/json") -> Document:
    """The JSON object of an answer of that type."""
    _typed(answer, media_type)
    try:
        read = answer.json()
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Unexpected(f"expected a JSON object from {_asked(answer)}, got {len(answer.content)} bytes that are none")
    return read


def problem(answer: httpx.Response, status: int, kind: str) -> Document:
    """The problem document of a refusal (RFC 9457)."""
    said = document(expect(answer, status), "application/problem+json")
    if said.get("type") != f"urn:visits:problem:{kind}":
        raise Unexpected(f"expected the problem '{kind}' from {_asked(answer)}, got {said.get('type')!r}")
    return said


def same(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise Unexpected(f"expected {what} {expected!r}, got {found!r}")


def header(answer: httpx.Response, name: str) -> str:
    value = answer.headers.get(name)
    if not value:
        raise Unexpected(f"expected the header {name} from {_asked(answer)}, there is none")
    return str(value)


def _typed(answer: httpx.Response, media_type: str) -> None:
    found = answer.headers.get("Content-Type", "nothing said").partition(";")[0]
    if found != media_type:
        raise Unexpected(f"expected {media_type} from {_asked(answer)}, got {found} ({answer.status_code})")


def _asked(answer: httpx.Response) -> str:
    return f"{answer.request.method} {answer.request.url.path}"


def _problem_of(answer: httpx.Response) -> str:
    """The problem's type alone: what else is in an answer is not for a log."""
    try:
        return f" ({answer.json()['type']})"
    except (ValueError, KeyError, TypeError):
        return f" ({answer.headers.get('Content-Type', 'no content type')})"


def retry_after(answer: httpx.Response) -> float:
    """In how many seconds to come back, as the answer says."""
    said = answer.headers.get("Retry-After", "")
    return min(float(said) if said.isdecimal() else 1.0, LONGEST_WAIT_SECONDS)


def until(attempt: Callable[[], None], seconds: float) -> None:
    """Tries until it is as expected, and says so; after the time the last word stands."""
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            return attempt()
        except Unexpected as why:
            if time.monotonic() >= deadline:
                raise
            if not told:
                print(f"- not yet ({why}); trying for {seconds:g} s", flush=True)
                told = True
            time.sleep(1)


# What anybody sees


@dataclass(frozen=True)
class Stranger:
    """Somebody without a key."""

    api: Api
    patience: float

    def checks(self) -> Iterator[Check]:
        yield "the service and its store are well", self.health
        yield "the OpenAPI document is ours", self.openapi
        yield "an unknown address is a problem document", self.unknown_address
        yield "a guarded route wants a key", self.guarded
        yield "a wrong key gets nowhere", self.wrong_key
        yield "pages of foreign origins are not let in", self.foreign_origin
        yield "answers carry the security headers", self.security_headers

    def health(self) -> None:
        def well() -> None:
            answer = expect(self.api.call("GET", "/health"), 200)
            same("the status", {"status": "ok"}, document(answer))

        until(well, self.patience)

    def openapi(self) -> None:
        said = document(expect(self.api.call("GET", "/openapi.json"), 200))
        same("the title", TITLE, said.get("info", {}).get("title"))
        if "/visits" not in said.get("paths", {}):
            raise Unexpected("expected /visits among the paths of /openapi.json, it is not there")

    def unknown_address(self) -> None:
        problem(self.api.call("GET", NOWHERE), 404, "not-found")

    def guarded(self) -> None:
        answer = self.api.call("GET", "/visits")
        problem(answer, 401, "unauthorized")
        header(answer, "WWW-Authenticate")

    def wrong_key(self) -> None:
        wrong = {"Authorization": "Bearer pv_0123456789abcdef_no-key-of-anybody"}
        problem(self.api.call("GET", "/visits", headers=wrong), 401, "unauthorized")

    def foreign_origin(self) -> None:
        asked = {"Origin": FOREIGN, "Access-Control-Request-Method": "GET"}
        for method, path in (("OPTIONS", "/visits"), ("GET", "/health")):
            answer = self.api.call(method, path, headers=asked)
            if answer.status_code >= 500:
                expect(answer, 204)
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            if allowed in ("*", FOREIGN):
                raise Unexpected(f"expected no leave for {FOREIGN} from {_asked(answer)}, got {allowed!r}")

    def security_headers(self) -> None:
        for path in ("/health", NOWHERE, "/visits"):
            answer = self.api.call("GET", path)
            same(f"Cache-Control of {path}", "no-store", header(answer, "Cache-Control"))
            same(f"X-Content-Type-Options of {path}", "nosniff", header(answer, "X-Content-Type-Options"))
            header(answer, "Strict-Transport-Security")


# What a caller with a key does


@dataclass
class Caller:
    """Somebody with a key, and what became of the visit that the checks are about."""

    api: Api
    patience: float
    intake_seconds: float
    body: Document = field(default_factory=dict)
    visit: Document = field(default_factory=dict)
    location: str = ""
    tag: str = ""
    once: str = field(default_factory=lambda: f"smoke-{uuid.uuid4()}")
    booked: list[str] = field(default_factory=list)

    def checks(self) -> Iterator[Check]:
        yield "the key is good for reading and writing", self.register
        yield "a visit is booked", self.book
        yield "it is where its link leads", self.read
        yield "booking again with the same key books nothing", self.replay
        yield "its time is taken for others", self.conflict
        yield "it moves to another time, seen by its version", self.reschedule
        yield "it is in the list", self.list
        yield "it is in the export", self.export
        yield "an intake is worked off, with a result for each row", self.intake
        yield "it is cancelled and its time is free again", self.cancel

    def register(self) -> None:
        expect(self.api.call("GET", "/properties", query={"limit": "1"}), 200)
        new = {"If-None-Match": "*"}
        # 412: an earlier run has made it.
        expect(self.api.call("PUT", f"/properties/{PROPERTY_ID}", PROPERTY, new), 201, 412)

    def book(self) -> None:
        for _ in range(TIMES_DRAWN):
            self.body = a_visit()
            answer = self.api.call("POST", "/visits", self.body, {"Idempotency-Key": self.once})
            if answer.status_code != 409:  # somebody else's time by chance: draw again
                break
        self.visit = document(expect(answer, 201))
        self.booked.append(self._id(self.visit))
        self.location, self.tag = header(answer, "Location"), header(answer, "ETag")
        same("the date", self.body["date"], self.visit.get("date"))
        same("the status", "confirmed", self.visit.get("status"))

    def read(self) -> None:
        answer = expect(self.api.follow(self.location), 200)
        same("the visit", self.visit, document(answer))
        same("the ETag", self.tag, header(answer, "ETag"))
        unchanged = {"If-None-Match": self.tag}
        expect(self.api.call("GET", self._path, headers=unchanged), 304)

    def replay(self) -> None:
        answer = expect(self.api.call("POST", "/visits", self.body, {"Idempotency-Key": self.once}), 201)
        again = self._id(document(answer))
        self.booked += [again] if again not in self.booked else []
        same("the id of the first time", self.visit["id"], again)
        same("Idempotency-Replayed", "true", header(answer, "Idempotency-Replayed"))

    def conflict(self) -> None:
        answer = self.api.call("POST", "/visits", self.body)
        if answer.is_success:
            self.booked.append(self._id(document(answer)))
        if not problem(answer, 409, "slot-taken").get("conflicts"):
            raise Unexpected("expected the conflicts to be named, they are not")

    def reschedule(self) -> None:
        later = _text(_instant(self.visit["date"]) + timedelta(hours=1))
        answer = self.api.call("PATCH", self._path, {"date": later}, {"If-Match": self.tag})
        self.visit, seen = document(expect(answer, 200)), self.tag
        self.tag = header(answer, "ETag")
        same("the new date", later, self.visit.get("date"))
        expect(self.api.call("PATCH", self._path, {"place": "Elsewhere"}, {"If-Match": seen}), 412)

    def list(self) -> None:
        def listed() -> None:
            page = document(expect(self.api.call("GET", "/visits", query=self._around() | {"limit": "100"}), 200))
            if self.visit["id"] not in [item.get("id") for item in page.get("items", [])]:
                raise Unexpected("expected the visit in the list of its property, it is not there")

        until(listed, self.patience)

    def export(self) -> None:
        def exported() -> None:
            answer = expect(self.api.call("GET", "/visits/export", query=self._around() | {"format": "csv"}), 200)
            _typed(answer, "text/csv")
            if self.visit["id"] not in answer.text:
                raise Unexpected("expected the visit in the CSV of its property, it is not there")

        until(exported, self.patience)

    def intake(self) -> None:
        rows = [a_visit(), a_visit() | {"place": 7}]
        answer = expect(self.api.call("POST", "/intakes", {"visits": rows}, {"Idempotency-Key": self.once}), 202)
        where, deadline = header(answer, "Location"), time.monotonic() + self.intake_seconds
        while (state := document(answer)).get("status") not in ("done", "failed"):
            if time.monotonic() >= deadline:
                status = state.get("status")
                raise Unexpected(f"expected the intake to be done within {self.intake_seconds:g} s, it is {status}")
            time.sleep(retry_after(answer))
            answer = expect(self.api.follow(where), 200)
        results = document(expect(self.api.follow(state["links"]["results"]), 200))["items"]
        self.booked += [row["visitId"] for row in results if row.get("visitId")]
        same("the results", ["created", "rejected"], [row.get("status") for row in results])

    def cancel(self) -> None:
        self._cancel(self._id(self.visit))
        start = _instant(self.visit["date"])
        window = {"from": _text(start), "to": _text(start + timedelta(minutes=15))}
        busy = document(expect(self.api.call("GET", f"/properties/{PROPERTY_ID}/busy", query=window), 200))
        same("the taken times", [], busy.get("busy"))

    def clean_up(self) -> None:
        """Cancels what is still held. Raises Unexpected with what could not be cancelled."""
        while self.booked:
            self._cancel(self.booked[-1])

    def _cancel(self, visit: str) -> None:
        answer = self.api.call("PUT", f"/visits/{visit}/status", {"status": "cancelled", "reason": "smoke test"})
        same("the status", "cancelled", document(expect(answer, 200)).get("status"))
        self.booked.remove(visit)

    @property
    def _path(self) -> str:
        return f"/visits/{self.visit['id']}"

    def _around(self) -> dict[str, str]:
        start = _instant(self.visit["date"])
        around = {"from": _text(start - timedelta(hours=3)), "to": _text(start + timedelta(hours=3))}
        return {"propertyId": PROPERTY_ID, **around}

    def _id(self, visit: Document) -> str:
        if not isinstance(visit.get("id"), str):
            raise Unexpected(f"expected the visit's id, got {visit.get('id')!r}")
        return str(visit["id"])


def a_visit() -> Document:
    """A visit from one to four years ahead, at a quarter hour drawn by chance: a hundred thousand to choose from."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    quarters = random.randrange(365 * 96, 4 * 365 * 96)
    date = _text(now + timedelta(minutes=15 * quarters))
    return {"propertyId": PROPERTY_ID, "date": date, "durationMinutes": 15, "place": "Smoke test"}


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Told


@dataclass
class Report:
    """One line for each check."""

    failed: int = 0
    passed: int = 0

    def line(self, title: str, check: Callable[[], None]) -> bool:
        """Makes a check and says how it went; gives whether it went well."""
        try:
            check()
        except (Unexpected, KeyError, TypeError, ValueError) as why:
            self.failed += 1
            print(f"\u2717 {title}: {_words(why)}", flush=True)
            return False
        self.passed += 1
        print(f"\u2713 {title}", flush=True)
        return True

    def lines(self, checks: Iterator[Check], needed: int) -> bool:
        """One check after the other; the others build on the first ones, and are left out when those are bad."""
        for number, (title, check) in enumerate(checks):
            if not self.line(title, check) and number < needed:
                rest = [later for later, _ in checks]
                print(f"- not tried after that: {'; '.join(rest)}")
                return False
        return True


def _words(why: Exception) -> str:
    match why:
        case Unexpected():
            return str(why)
        case KeyError():
            return f"an answer lacks {why}"
        case _:  # whose words may repeat what is in the answer
            return f"an answer has another shape than it should ({type(why).__name__})"


def smoke(url: httpx.URL, key: str | None, patience: float, intake_seconds: float) -> Report:
    report = Report()
    with contextlib.closing(Api(url)) as api:
        answers = report.lines(Stranger(api, patience).checks(), needed=1)
    if not (answers and key):
        print(f"- nothing was booked: {'not while it is not well' if key else 'no key (KEY=<api key>)'}")
        return report
    with contextlib.closing(Api(url, key)) as api:
        caller = Caller(api, patience, intake_seconds)
        try:
            report.lines(caller.checks(), needed=2)
        finally:
            if caller.booked:
                report.line(f"what is still booked is cancelled ({len(caller.booked)})", caller.clean_up)
    if caller.visit:
        print(f"- what cannot be deleted stays: the property {PROPERTY_ID}, cancelled visits, an intake (30 days)")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    # The key comes by the environment: a command line is for everyone on the machine to read.
    key = os.environ.get("VISITS_KEY", "").strip() or None
    try:
        url = httpx.URL(given.url.rstrip("/"))
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL("it lacks https:// or a host")
    except (httpx.InvalidURL, ValueError) as why:
        print(f"'{given.url}' is no address: {why}", file=sys.stderr)
        return 1
    report = smoke(url, key, given.patience, given.intake_seconds)
    print(f"{report.passed} checks passed, {report.failed} failed: {url}")
    return 1 if report.failed else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.operate.smoke", description=__doc__)
    parser.add_argument("--url", required=True, help="where the API's paths begin, the gateway's stage included")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, help="seconds for what follows moments later"
    )
    parser.add_argument("--intake-seconds", type=float, default=INTAKE_SECONDS, help="until an intake must be done")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
