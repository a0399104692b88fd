"""What callers do with the deployed API, one purpose a check; a check that fails raises AssertionError.

Every check comes with a key of its own, which the gateway has not remembered from another, and makes what it needs
itself. So each can be made alone, in any order and again, also while something is not allowed that it needs.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from chalicelib.container import over
from chalicelib.domain.errors import VersionMismatch
from chalicelib.domain.events import Position
from chalicelib.repositories.notices import DynamoNotices
from chalicelib.repositories.table import Table
from chalicelib.repositories.webhooks import DynamoWebhooks
from chalicelib.services.visitor_links import Links
from tests.e2e.caller import DAY, HOUSE, Caller, until
from tests.e2e.deployment import AGENCY, STACK, Deployment
from tests.fakes import FakeQueue
from tests.integration.intake import partner_message
from tests.pictures import a_png

ALL_DAY: Final = {"from": f"{DAY}T00:00:00Z", "to": f"{DAY}T23:59:00Z"}


class Insider(Caller):
    """A caller with the deployment to look at what they caused."""

    def __init__(self, deployment: Deployment, http: httpx.Client) -> None:
        super().__init__(http)
        self.deployment = deployment


def book_at(caller: Caller, house: str, hour: int, **more: object) -> str:
    """A visit; gives back its id."""
    return str(caller.call(201, "POST", "/visits", visit(house, hour, **more))["id"])


def visit(house: str, hour: int, **more: object) -> dict[str, object]:
    return {"propertyId": house, "date": f"{DAY}T{hour:02}:00:00Z", "visitor": {"name": "Ada"}, **more}


def register(caller: Caller) -> None:
    assert caller.call(200, "GET", "/caller")["kind"] == "key"
    house = caller.house()
    caller.call(201, "PUT", f"/properties/{house}-2", HOUSE, headers={"If-None-Match": "*"})
    caller.call(200, "PUT", f"/properties/{house}", HOUSE | {"capacity": 2}, headers={"If-Match": "*"})
    assert caller.call(200, "GET", f"/properties/{house}")["capacity"] == 2


def book(caller: Caller) -> None:
    house = caller.house()
    first = visit(house, 9)
    once = {"Idempotency-Key": secrets.token_hex(8)}
    booked = caller.answer(201, "POST", "/visits", first, headers=once)
    assert caller.call(201, "POST", "/visits", first, headers=once)["id"] == booked.json()["id"]
    taken = caller.answer(409, "POST", "/visits", first)
    assert taken.headers["Content-Type"] == "application/problem+json"
    assert taken.json()["type"] == "urn:visits:problem:slot-taken"
    assert caller.call(200, "GET", caller.at(booked.headers["Location"]))["id"] == booked.json()["id"]


def change(caller: Caller) -> None:
    house = caller.house()
    one = book_at(caller, house, 9, notes="Bell")
    moved = caller.call(200, "PATCH", f"/visits/{one}", {"date": f"{DAY}T11:00:00Z"}, headers={"If-Match": "*"})
    assert moved["date"].startswith(f"{DAY}T1")
    book_at(caller, house, 9)
    cancelled = caller.call(200, "PUT", f"/visits/{one}/status", {"status": "cancelled", "reason": "ill"})
    assert cancelled["status"] == "cancelled"
    caller.call(204, "DELETE", f"/visits/{one}/visitor")
    assert "Ada" not in json.dumps(caller.call(200, "GET", f"/visits/{one}"))


def list_all(caller: Caller) -> None:
    house = caller.house()
    agent = f"agent-{house}"
    booked = [book_at(caller, house, hour, agentId=agent) for hour in (9, 10)]

    def found(path: str, query: Mapping[str, object]) -> bool:
        """Whether the pages have both visits, the first one first."""
        page = caller.call(200, "GET", path, params={**ALL_DAY, **query, "limit": 1})
        rest = caller.call(200, "GET", path, params={**ALL_DAY, **query, "limit": 1, "cursor": page["nextCursor"]})
        return [item["id"] for item in page["items"] + rest["items"]] == booked

    for query in ({"propertyId": house}, {"agentId": agent}):
        until(lambda query=query: found("/visits", query), f"the visits of {query}")  # type: ignore[misc] # bound now
    assert caller.call(200, "GET", "/visits", params={**ALL_DAY, "limit": 100})["items"]
    assert caller.call(200, "GET", "/properties")["items"]
    assert caller.call(200, "GET", f"/properties/{house}/busy", params=ALL_DAY)["busy"]


def export(caller: Caller) -> None:
    house = caller.house()
    one = book_at(caller, house, 9)

    def rows() -> str:
        query = {**ALL_DAY, "propertyId": house, "format": "csv"}
        answer = caller.answer(200, "GET", "/visits/export", params=query)
        assert answer.headers["Content-Type"].startswith("text/csv")
        return answer.text

    until(lambda: one in rows(), "the row of the visit")


def feed(caller: Caller) -> None:
    house = caller.house()
    one = book_at(caller, house, 9)
    shared = caller.call(200, "PUT", f"/properties/{house}/calendar-token")

    def calendar(status: int) -> str:
        return caller.answer(status, "GET", caller.at(shared["links"]["calendar"]), headers={"Authorization": ""}).text

    until(lambda: one in calendar(200), "the event of the visit")
    assert "Ada" not in calendar(200)
    caller.answer(204, "DELETE", f"/properties/{house}/calendar-token")
    calendar(404)


def intake(caller: Insider) -> None:
    house = caller.house()
    deployment = caller.deployment
    failures = deployment.failures()
    rows = [visit(house, 9), visit(house, 9), visit(house, 10)]
    handed_in = caller.answer(202, "POST", "/intakes", {"visits": rows})
    link = caller.at(handed_in.headers["Location"])

    def done() -> bool:
        return bool(caller.call(200, "GET", link)["status"] == "done")

    until(done, "the intake", lambda: deployment.failures() > failures)
    results = caller.call(200, "GET", caller.at(handed_in.json()["links"]["results"]))["items"]
    assert sorted(row["status"] for row in results) == ["created", "created", "rejected"]
    until(lambda: deployment.messages() == 0, "the queue", lambda: deployment.failures() > failures)


def acknowledge(caller: Insider) -> None:
    """What the worker has finished is gone from the queue, although another message of the batch stays."""
    house = caller.house()
    deployment = caller.deployment
    failures = deployment.failures()
    with deployment.worker_paused():
        for body in (partner_message(visit(house, 9)), "{"):
            deployment.sqs.send_message(QueueUrl=deployment.queue_url, MessageBody=body)
    until(lambda: deployment.failures() > failures, "the batch with a message that nobody can read")
    assert deployment.messages() == 1


def look(caller: Caller) -> None:
    """What anybody may look at, and the service's own state."""
    assert caller.call(200, "GET", "/health", headers={"Authorization": ""}) == {"status": "ok"}
    assert caller.call(200, "GET", "/openapi.json", headers={"Authorization": ""})["openapi"].startswith("3.")


def hours(caller: Caller) -> None:
    own = f"/properties/{caller.house()}"
    rules = {"weekly": {"mon": [["09:00", "17:00"]]}}
    caller.call(201, "PUT", f"{own}/availability", rules, headers={"If-None-Match": "*"})
    assert caller.call(200, "GET", f"{own}/availability")["weekly"]["mon"]
    caller.call(200, "GET", f"{own}/slots", params={"from": ALL_DAY["from"]})


def agents(caller: Caller) -> None:
    house = caller.house()
    own = f"/agents/agent-{house}"
    caller.call(201, "PUT", own, {"name": "Grace", "timeZone": "Europe/Berlin"}, headers={"If-None-Match": "*"})
    one = book_at(caller, house, 9, agentId=f"agent-{house}")
    assert caller.call(200, "GET", own)["name"] == "Grace"
    assert caller.call(200, "GET", "/agents")["items"]
    caller.call(200, "GET", f"{own}/busy", params={"from": ALL_DAY["from"]})
    shared = caller.call(200, "PUT", f"{own}/calendar-token", {"visitors": False})["links"]["calendar"]
    until(lambda: one in caller.answer(200, "GET", caller.at(shared)).text, "the event of the visit")
    caller.answer(204, "DELETE", f"{own}/calendar-token")
    caller.answer(204, "DELETE", own)


def person(caller: Caller) -> None:
    """Everything of one person is found, and erased."""
    house = caller.house()
    who = {"email": f"{house}@elsewhere.example"}
    one = book_at(caller, house, 9, visitor=who, notify=False)

    def found() -> bool:
        return [each["id"] for each in caller.call(200, "POST", "/visitors/search", who)["items"]] == [one]

    until(found, "the visit")
    caller.call(200, "POST", "/visitors/erase", who)
    assert "visitor" not in caller.call(200, "GET", f"/visits/{one}")


def own_visit(caller: Insider) -> None:
    """What a visitor can do who has the link, and no key."""
    services = over(Table(caller.deployment.client("dynamodb"), STACK), FakeQueue())
    links = Links(services.signer)
    booked = services.visits.get(book_at(caller, caller.house(), 9))
    by_link = {"Authorization": f"Bearer {links.link(booked)}"}
    own = "/visitor/visit"
    caller.call(200, "GET", own, headers=by_link)
    offered = caller.call(200, "GET", f"{own}/slots", params={"from": f"{DAY}T11:00:00Z"}, headers=by_link)["slots"]
    caller.call(200, "PATCH", own, {"date": offered[0]["start"]}, headers=by_link)
    caller.call(200, "PUT", f"{own}/status", {"status": "cancelled", "reason": "ill"}, headers=by_link)
    token = {"token": links.unsubscribe(booked)}
    caller.answer(204, "POST", "/visitor/unsubscribe", params=token, headers={"Authorization": ""})
    caller.answer(204, "DELETE", f"{own}/visitor", headers=by_link)


def booking_page(caller: Caller) -> None:
    """What anybody can do with a property that takes bookings without a key."""
    house = caller.house()
    caller.call(200, "PUT", f"/properties/{house}", HOUSE | {"publicBooking": "confirm"}, headers={"If-Match": "*"})
    hours = {"weekly": {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}
    caller.call(201, "PUT", f"/properties/{house}/availability", hours, headers={"If-None-Match": "*"})
    assert "<svg" in caller.answer(200, "GET", f"/properties/{house}/booking-code").text
    page, nobody = f"/public/properties/{house}", {"Authorization": ""}
    assert caller.call(200, "GET", page, headers=nobody)["id"] == house
    free = caller.call(200, "GET", f"{page}/slots", headers=nobody)["slots"]
    wish = {"date": free[-1]["start"], "visitor": {"name": "Ada", "email": f"{house}@example.com"}}
    assert caller.call(201, "POST", f"{page}/visits", wish, headers=nobody)["status"] == "confirmed"


def events(caller: Caller) -> None:
    """What is booked reaches the feed, and whoever listens: here a name that nobody knows, which is an answer too."""
    end = caller.call(200, "GET", "/events", params={"after": "now"})["nextCursor"]
    hook = caller.call(201, "POST", "/webhooks", {"url": "https://nobody.invalid/hook"})
    own = f"/webhooks/{hook['id']}"
    try:
        booked = book_at(caller, caller.house(), 9)

        def told() -> bool:
            news = caller.call(200, "GET", "/events", params={"after": end})["items"]
            return any(event["data"].get("visitId") == booked for event in news)

        until(told, "the event of the booking")
        until(lambda: caller.call(200, "GET", own)["status"] == "failing", "the first try")
        assert any(each["id"] == hook["id"] for each in caller.call(200, "GET", "/webhooks")["items"])
        caller.call(200, "PUT", f"{own}/position", {"after": end})
        caller.call(200, "POST", f"{own}/secret")
        caller.call(202, "POST", f"{own}/test")
    finally:
        caller.call(204, "DELETE", own)


def dead_letters(caller: Caller) -> None:
    """Of how many somebody would have to look after."""
    given_up = caller.call(200, "GET", "/dead-letters")["items"]
    assert {each["queue"] for each in given_up} == {"intakes", "webhooks", "sheets", "notices"}


def notices(caller: Insider) -> None:
    """A visitor hears of a visit."""
    house = caller.house()
    visitor = {"name": "Ada", "email": f"{house}@{AGENCY}"}
    booked = book_at(caller, house, 9, visitor=visitor)
    until(lambda: visitor["email"] in caller.deployment.mails(), "the mail")
    until(lambda: "told" in caller.call(200, "GET", f"/visits/{booked}/notices"), "the record of it")


def set_back(hooks: DynamoWebhooks, webhook_id: str) -> bool:
    """Has a webhook start over, unknown to those who deliver, who may be at it right now: then not."""
    there = hooks.get(webhook_id)
    with contextlib.suppress(VersionMismatch):
        hooks.save(there, there.resumed(Position(1, 0)))
        return True
    return False


def remind(caller: Insider) -> None:
    """Visits that have come near are looked for, and who follows events is woken where a message was lost."""
    table = Table(caller.deployment.client("dynamodb"), STACK)
    hooks, clock = DynamoWebhooks(table), DynamoNotices(table)
    hook = caller.call(201, "POST", "/webhooks", {"url": "https://nobody.invalid/hook", "types": ["visit.no_show"]})
    try:
        near = (datetime.now(UTC) + timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
        caller.call(201, "POST", "/visits", visit(caller.house(), 9) | {"date": near.isoformat()})
        until(lambda: set_back(hooks, hook["id"]), "the webhook")
        clock.has_looked_ahead(clock.looked_ahead_until(), datetime.now(UTC) - timedelta(hours=2))
        caller.deployment.tick()
    finally:
        caller.call(204, "DELETE", f"/webhooks/{hook['id']}")


def announced(caller: Caller, content: bytes, kind: str) -> dict[str, Any]:
    about = {"name": "list", "contentType": kind, "size": len(content), "timeZone": "Europe/Berlin"}
    sheet: dict[str, Any] = caller.call(201, "POST", "/sheets", about)
    return sheet


def uploaded(form: Mapping[str, Any], content: bytes, **other: str) -> int:
    """The status that S3 answers with."""
    fields = {**form["fields"], **other}
    return httpx.post(
        form["url"], data=fields, files={"file": ("list", content)}, trust_env=False, verify=False
    ).status_code


def sheet(caller: Caller, content: bytes, kind: str) -> str:
    """The path of a sheet that was read."""
    made = announced(caller, content, kind)
    own = f"/sheets/{made['id']}"
    assert uploaded(made["upload"], content) == 204
    until(lambda: caller.call(200, "GET", own)["status"] == "review", "the sheet")
    assert any(each["id"] == made["id"] for each in caller.call(200, "GET", "/sheets")["items"])
    return own


def sheets(caller: Insider) -> None:
    house = caller.house()
    own = sheet(caller, f"propertyId,date,time\n{house},{DAY},9:00\n{house},{DAY},half five\n".encode(), "text/csv")
    caller.call(200, "PUT", f"{own}/reading", {"timeZone": "UTC"})
    elsewhere, row = caller.call(200, "GET", f"{own}/rows")["items"]
    # At the house it is another time, and somebody has to say that it is meant.
    caller.call(200, "PATCH", f"{own}/rows/{elsewhere['row']}", {}, headers={"If-Match": "*"})
    at = f"{own}/rows/{row['row']}"
    caller.call(200, "GET", at)
    assert caller.call(200, "PATCH", at, {"time": "16:30"}, headers={"If-Match": "*"})["ready"]
    caller.call(202, "POST", f"{own}/register", {})
    until(lambda: caller.call(200, "GET", own)["status"] == "registered", "the visits of the sheet")
    booked = caller.call(200, "GET", "/visits", params={**ALL_DAY, "propertyId": house})["items"]
    assert [visit["date"] for visit in booked] == [f"{DAY}T09:00:00Z", f"{DAY}T16:30:00Z"]
    caller.answer(204, "DELETE", own)
    caller.answer(404, "GET", own)


def pictures(caller: Insider) -> None:
    shade = secrets.token_bytes(9)
    own = sheet(caller, a_png(shade[0], 3, 2, (b"tEXt", b"Comment\0" + shade)), "image/png")
    caller.call(200, "PUT", f"{own}/reading", {"timeZone": "UTC"})
    (row,) = caller.call(200, "GET", f"{own}/rows")["items"]
    assert not row["reviewed"]
    link = caller.call(200, "GET", f"{own}/picture")["url"]
    assert httpx.get(link, trust_env=False).content.startswith(b"\x89PNG")
    assert caller.answer(200, "GET", f"{own}/export", params={"include": "picture"}).content.startswith(b"PK")
    assert len(caller.deployment.stored(own)) == 2
    caller.answer(204, "DELETE", own)
    assert caller.deployment.stored(own) == []


CHECKS: Final[Mapping[str, Callable[[Insider], None]]] = {
    "register": register,
    "book": book,
    "change": change,
    "list": list_all,
    "export": export,
    "feed": feed,
    "intake": intake,
    "acknowledge": acknowledge,
    "look": look,
    "hours": hours,
    "agents": agents,
    "person": person,
    "own_visit": own_visit,
    "booking_page": booking_page,
    "events": events,
    "dead_letters": dead_letters,
    "notices": notices,
    "remind": remind,
    "sheets": sheets,
    "pictures": pictures,
}
