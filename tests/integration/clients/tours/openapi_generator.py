"""The tour with the Python client of openapi-generator: book, list, reschedule, cancel, hand in, export."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import visits_client as client
from visits_client.exceptions import ApiException

START = (datetime.now(UTC) + timedelta(days=10)).replace(hour=9, minute=0, second=0)
FILES = {"csv": b"id,", "xlsx": b"PK", "ics": b"BEGIN:VCALENDAR"}


def etag(answer: client.ApiResponse[client.Visit]) -> str:
    """The names of headers come in any case."""
    return {name.lower(): value for name, value in answer.headers.items()}["etag"]


configuration = client.Configuration(host=os.environ["VISITS_URL"], access_token=os.environ["VISITS_KEY"])
with client.ApiClient(configuration) as api:
    properties, visits, intakes = client.PropertiesApi(api), client.VisitsApi(api), client.IntakesApi(api)

    house = properties.register_property(
        client.RegisterPropertyInput(name="House", address="Seestraße 1", timeZone="Europe/Berlin", id="python")
    )

    def booking(number: int) -> client.BookVisitInput:
        return client.BookVisitInput(
            propertyId=house.id,
            date=START + timedelta(hours=number),
            place="At the door",
            visitor=client.VisitorInput(name="Ada Lovelace", email="ada@example.com", phone="+49 30 901820"),
            notes="Brings\na friend",
        )

    booked = visits.book_visit_with_http_info(booking(0), idempotency_key="tour")
    visit = booked.data
    assert visit.var_date == START.replace(microsecond=0), visit
    assert visits.book_visit(booking(0), idempotency_key="tour") == visit
    for number in range(1, 5):
        visits.book_visit(booking(number))
    with pytest.raises(ApiException) as taken:
        visits.book_visit(booking(0))
    assert taken.value.status == 409
    assert taken.value.data.actual_instance.conflicts[0].holder == "property"

    found, cursor = [], None
    while True:
        page = visits.list_visits(property_id=house.id, limit=2, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(found) == 5

    later = client.ChangeVisitInput(date=START + timedelta(days=1))
    moved = visits.change_visit_with_http_info(visit.id, etag(booked), later)
    assert moved.data.var_date == visit.var_date + timedelta(days=1)
    cancelled = visits.change_status(
        visit.id, client.StatusInput(status="cancelled", reason="Rain"), if_match=etag(moved)
    )
    assert cancelled.status == client.Status.CANCELLED
    assert cancelled.cancellation.reason == "Rain"

    row = client.RowInput(propertyId=house.id, date=START + timedelta(days=2), externalId=f"row-{house.id}")
    intake = intakes.hand_in(client.IntakeInput(visits=[client.IntakeInputVisitsInner(row)]))
    queued = visits.book_visit(booking(100), prefer="respond-async")
    assert queued.status in client.IntakeStatus, queued
    for _ in range(300):
        if intakes.get_intake(intake.id).status == client.IntakeStatus.DONE:
            break
        time.sleep(0.1)
    assert [result.status for result in intakes.list_results(intake.id).items] == ["created"]

    for format, beginning in FILES.items():
        file = visits.export_visits(format, property_id=house.id)
        assert bytes(file).startswith(beginning), format
sys.stdout.write("done\n")
