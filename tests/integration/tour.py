"""A walk through the whole API and its queue, every route at least once, for what must hold of all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest

import app as entry
from chalicelib.domain.visits import Awaited, BookVisit, Party, Status
from chalicelib.domain.webhooks import Answer
from chalicelib.events.batches import Unfinished
from chalicelib.functions import Function
from chalicelib.repositories.notices import DynamoNotices
from chalicelib.repositories.receivers import Receivers
from chalicelib.repositories.table import Table
from chalicelib.services.visitor_links import Links
from chalicelib.settings import REPORT_FAILURES
from devstack.stream import StreamPoller
from devstack.worker import QueueWorker
from tests.agency import SENDER
from tests.integration.api import Api
from tests.integration.intake import SCHEDULED, Mailbox, handle, partner_message

DAY = "2027-03-12"


def relay(box: Mailbox) -> None:
    """Hands out the stream of the table, as Lambda does."""
    make: Any = boto3.client
    streams = make("dynamodbstreams", **box.table.access)
    poller = StreamPoller(entry.relay, box.table.client, streams, box.table.name)
    while poller.work_once():
        pass


def deliver(box: Mailbox) -> None:
    """Works off what wakes webhooks, until it is all done or put off. The first message has come too often."""
    worn = ["100"]

    def handler(event: dict[str, Any], context: Any) -> object:
        if worn:
            event["Records"][0]["attributes"]["ApproximateReceiveCount"] = worn.pop()
        return entry.deliver(event, context)

    worker = QueueWorker(handler, box.sqs, f"{box.table.name}-webhooks.fifo", Function.DELIVER)
    while worker.work_once():
        pass


def notify(box: Mailbox) -> None:
    """Works off what may be worth a mail, until it is all done or put off."""
    worker = QueueWorker(entry.notify, box.sqs, f"{box.table.name}-notices", response_types=(REPORT_FAILURES,))
    while worker.work_once():
        pass


def remind(box: Mailbox) -> None:
    """A minute that comes two hours after the one before."""
    DynamoNotices(Table(box.table.client, box.table.name)).has_looked_ahead(
        None, datetime.now(UTC) - timedelta(hours=2)
    )
    entry.remind(SCHEDULED, None)


def write(api: Api, box: Mailbox, person: Mapping[str, str]) -> None:
    """Mail about visits, one of them near, from an agency whose account may send to that person."""
    make: Any = boto3.client
    ses = make("ses", **box.table.access)
    for address in (SENDER.address, person["email"]):
        ses.verify_domain_identity(Domain=address.partition("@")[2])
    near = (datetime.now(UTC) + timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
    api.visit("tour-house", near.isoformat(), visitor=dict(person))
    # A request that nobody has answered in time.
    overdue = Awaited(Party.AGENCY, datetime.now(UTC) - timedelta(minutes=1))
    later = near + timedelta(hours=2)
    api.services.visits.book(BookVisit("tour-house", later, status=Status.REQUESTED, awaited=overdue))
    relay(box)
    remind(box)
    notify(box)


def follow(api: Api, box: Mailbox) -> None:
    """A receiver that is there, then one that is not."""
    relay(box)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Receivers, "post", lambda *_: Answer("204", 204))
        deliver(box)
        patch.setattr(Receivers, "post", lambda *_: Answer("500", 500))
        api.visit("tour-house", f"{DAY}T18:00:00Z")
        relay(box)
        deliver(box)


def tour(api: Api, box: Mailbox, person: Mapping[str, str], notes: str = "notes") -> list[httpx.Response]:
    """Does everything once, refusals among it; gives every answer. The person is in whatever may carry one."""
    answers: list[httpx.Response] = []

    def done(answer: httpx.Response, status: int) -> Any:
        answers.append(answer)
        assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    def visit(hour: int, **more: object) -> dict[str, object]:
        date = f"{DAY}T{hour:02}:00:00Z"
        return {"propertyId": "tour-house", "date": date, "visitor": dict(person), "notes": notes, **more}

    house = {"name": "House", "address": "Lane 1", "price": 1, "currency": "EUR", "timeZone": "Europe/Berlin"}
    done(api.post("/properties", house | {"id": "tour-house"}, key="tour-house"), 201)
    done(api.http.put("/properties/tour-other", json=house, headers={"If-None-Match": "*"}), 201)
    done(api.http.put("/properties/tour-other", json=house | {"capacity": 2}, headers={"If-Match": "*"}), 200)
    booked = done(api.post("/visits", visit(9, agentId="agent"), key="tour"), 201)
    done(api.post("/visits", visit(9, agentId="agent"), key="tour"), 201)
    done(api.post("/visits", visit(9), key="tour"), 422)
    done(api.post("/visits", visit(9)), 409)
    done(api.post("/visits", visit(10, place=7)), 422)
    done(api.post("/visits", visit(10) | {"visitor": {"name": person["name"], "email": f"{person['name']}@ x"}}), 422)
    one = f"/visits/{booked['id']}"
    done(api.patch(one, {"date": f"{DAY}T11:00:00Z"}), 200)
    done(api.patch(one, {"place": "Door"}), 200)
    done(api.http.patch(one, json={"notes": notes}), 428)
    done(api.get(one), 200)
    done(api.get(f"{one}/notices"), 200)
    for path in ("/properties", "/properties/tour-house", "/health", "/openapi.json", "/caller"):
        done(api.get(path), 200)
    done(api.get("/properties/tour-house/busy", from_=f"{DAY}T00:00:00Z", to=f"{DAY}T23:00:00Z"), 200)
    rules = {"weekly": {"mon": [["09:00", "17:00"]]}, "gapMinutes": 15}
    own = "/properties/tour-other/availability"
    done(api.get(own), 404)
    done(api.http.put(own, json=rules, headers={"If-None-Match": "*"}), 201)
    done(api.http.put(own, json=rules | {"noticeMinutes": 60}, headers={"If-Match": "*"}), 200)
    done(api.get(own), 200)
    done(api.get("/properties/tour-other/slots", from_=f"{DAY}T00:00:00Z", agentId="any"), 200)
    done(api.get("/properties/tour-other/slots", from_=f"{DAY}T00:00:00Z", agentId="agent"), 200)
    agent = {"name": "Grace Tourguide", "email": "grace@tour.example", "timeZone": "Europe/Berlin"}
    own = "/agents/agent"
    done(api.get(own), 404)
    done(api.http.put(own, json=agent, headers={"If-None-Match": "*"}), 201)
    done(api.http.put(own, json=agent | {"travelMinutes": 15}, headers={"If-Match": "*"}), 200)
    done(api.get(own), 200)
    done(api.get("/agents"), 200)
    done(api.get(f"{own}/busy", from_=f"{DAY}T00:00:00Z"), 200)
    done(api.post("/visits", visit(9, agentId="agent") | {"propertyId": "tour-other"}), 409)
    lenient = {"Prefer": "handling=lenient"}
    done(api.http.post("/visits", json=visit(20) | {"propertyId": "tour-other"}, headers=lenient), 201)
    around = {"from_": f"{DAY}T00:00:00Z", "to": f"{DAY}T23:00:00Z"}
    done(api.post("/visits", visit(13)), 201)
    for chosen in ({}, {"propertyId": "tour-house"}, {"agentId": "agent"}):
        page = done(api.get("/visits", **around, **chosen, limit=1), 200)
    done(api.get("/visits", **around, limit=1), 200)
    if page["nextCursor"]:
        done(api.get("/visits", **around, agentId="agent", limit=1, cursor=page["nextCursor"]), 200)
    done(api.get("/visits", cursor="no.cursor.ours"), 400)
    for format in ("csv", "xlsx", "ics"):
        done(api.get("/visits/export", **around, format=format), 200)
    shared = done(api.http.put("/properties/tour-house/calendar-token"), 200)
    done(api.http.get(shared["links"]["calendar"]), 200)
    answers.append(api.http.delete("/properties/tour-house/calendar-token"))
    shared = done(api.http.put(f"{own}/calendar-token", json={"visitors": False}), 200)
    done(api.http.get(shared["links"]["calendar"]), 200)
    answers.append(api.http.delete(f"{own}/calendar-token"))
    done(api.http.delete(own), 204)
    done(api.http.post("/visits", json=visit(15), headers={"Prefer": "respond-async"}), 202)
    rows = [visit(16, externalId="good"), visit(9, externalId="wrong", place=[person["name"]]), visit(16)]
    intake = api.post("/intakes", {"visits": rows}, key="tour-intake")
    done(intake, 202)
    box.send(partner_message(*rows), partner_message(*rows)[:-1])
    with pytest.raises(Unfinished):
        handle(box.receive())
    done(api.get(intake.headers["Location"]), 200)
    done(api.get(f"{intake.headers['Location']}/results"), 200)
    done(api.get("/events", after="now"), 200)
    hook = done(api.post("/webhooks", {"url": "https://crm.example.com/hook"}), 201)
    own = f"/webhooks/{hook['id']}"
    done(api.http.put(f"{own}/position", json={"after": done(api.get("/events"), 200)["nextCursor"]}), 200)
    done(api.http.post(f"{own}/secret"), 200)
    done(api.http.post(f"{own}/test"), 202)
    for path in ("/webhooks", own, "/dead-letters"):
        done(api.get(path), 200)
    write(api, box, person)
    follow(api, box)
    answers.append(api.http.delete(own))
    for by in ("email", "phone"):
        done(api.post("/visitors/search", {by: person[by], "limit": 1}), 200)
    done(api.post("/visitors/search", {"email": person["email"], "phone": person["phone"]}), 422)
    done(api.post("/visitors/erase", {"email": "nobody@tour.example"}), 200)
    done(api.http.put(f"{one}/status", json={"status": "cancelled", "reason": notes}), 200)
    done(api.http.put(f"{one}/status", json={"status": "confirmed"}), 409)
    answers.append(erased := api.http.delete(f"{one}/visitor"))
    assert erased.status_code == 204
    _as_visitor(api, done, visit(17), notes)
    _as_anybody(api, done, house | {"publicBooking": "request"}, person)
    return answers


def _as_anybody(
    api: Api, done: Callable[[httpx.Response, int], Any], house: Mapping[str, object], person: Mapping[str, str]
) -> None:
    """What somebody does who has no key: asks for a visit, refusals among it, and has it forgotten."""
    done(api.post("/properties", {**house, "id": "tour-listed"}), 201)
    listed = "/public/properties/tour-listed"
    done(api.get(listed), 200)
    done(api.get("/public/properties/tour-house"), 404)
    done(api.get("/properties/tour-listed/booking-code"), 200)
    start = done(api.get(f"{listed}/slots", to=f"{DAY}T23:00:00Z", from_=f"{DAY}T00:00:00Z"), 200)["slots"][0]["start"]
    wish = {"date": start, "visitor": {**person}}
    booked = done(api.post(f"{listed}/visits", wish, key="tour-listed"), 201)
    done(api.post(f"{listed}/visits", wish, key="tour-listed"), 201)
    done(api.post(f"{listed}/visits", wish), 409)
    done(api.post(f"{listed}/visits", {**wish, "visitor": {"name": person["name"]}}), 422)
    done(api.http.delete("/visitor/visit/visitor", headers={"Authorization": f"Bearer {booked['link']}"}), 204)


def _as_visitor(api: Api, done: Callable[[httpx.Response, int], Any], wanted: Mapping[str, object], notes: str) -> None:
    """What somebody does who has the link to a visit, refusals among it."""
    booked = done(api.post("/visits", wanted), 201)
    links = Links(api.services.signer)
    visit = api.services.visits.get(booked["id"])
    by_link = {"Authorization": f"Bearer {links.link(visit)}"}
    own = "/visitor/visit"
    done(api.http.get(own, headers=by_link), 200)
    done(api.http.head(own, headers=by_link), 200)
    done(api.http.get(own), 404)
    done(api.http.get(f"{own}/slots", headers=by_link), 200)
    done(api.http.patch(own, json={"date": f"{DAY}T19:00:00Z", "reminders": False}, headers=by_link), 200)
    done(api.http.patch(own, json={"notes": notes}, headers=by_link), 422)
    done(api.http.put(f"{own}/status", json={"status": "cancelled", "reason": notes}, headers=by_link), 200)
    done(api.http.get(f"{own}/slots", headers=by_link), 409)
    done(api.http.post("/visitor/unsubscribe", params={"token": links.unsubscribe(visit) or ""}), 204)
    done(api.http.post("/visitor/unsubscribe", params={"token": "vu_"}), 404)
    done(api.http.delete(f"{own}/visitor", headers=by_link), 204)
    done(api.http.get(own, headers=by_link), 404)
