"""Exports and calendar feeds over HTTP: the list's visits in files that other programs read, and a feed to withdraw."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import httpx
import icalendar
import openpyxl
import pytest
import python_calamine

import app as entry
from chalicelib.domain.calendars import Owner
from chalicelib.domain.visits import Cancellation, Status, Visit, Visitor
from chalicelib.http.headers import XLSX
from chalicelib.http.instants import instant_text
from chalicelib.repositories.calendars import calendar_token_key
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from chalicelib.services import exports
from chalicelib.services.exports import MOST_BYTES
from tests.builders import NOW, Clock, a_visit, agent_id, event, minutes, property_body, property_id, utc
from tests.integration.api import Api, serve
from tests.integration.problems import pointers, problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

MANY = 400
FORMATS = ("csv", "xlsx", "ics")
ODD = ["=1+1", "@SUM(A1)", 'say "hi", then; go\\home', "👩‍👩‍👧 東京", "\u202eשלום", "ä" * 50, "BEGIN:VEVENT"]


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, Clock(NOW)) as api:
        yield api


def load(table: FreshTable, visits: list[Visit]) -> None:
    """Puts visits straight into the table: neither lists nor exports look at slots."""

    def put(batch: list[Visit]) -> None:
        requests: Any = [{"PutRequest": {"Item": serialized(visit_item(visit))}} for visit in batch]
        assert not table.client.batch_write_item(RequestItems={table.name: requests})["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, (visits[n : n + 25] for n in range(0, len(visits), 25))))


def crowd(count: int, begin: datetime, days: int, **changes: Any) -> list[Visit]:
    """Many different visits, of which some start at the same instant."""
    chance = random.Random(count)
    statuses = list(Status)
    return [
        a_visit(
            property_id=f"crowd-{n % 40}",
            date=begin + minutes(15 * chance.randrange(days * 40)),
            status=statuses[n % 6],
            place=f"{ODD[n % 7]} {n}",
            visitor=Visitor(f"{ODD[n % 5]} {n}", f"visitor{n}@example.com", f"+49 30 {n:06}"),
            notes=f"Bell {n}, second floor.\r\nTwo of them." if n % 2 else None,
            cancellation=Cancellation("moved away", NOW) if statuses[n % 6] is Status.CANCELLED else None,
            **changes,
        )
        for n in range(count)
    ]


def export(api: Api, format: str, **query: object) -> httpx.Response:
    answer = api.get("/visits/export", format=format, **query)
    assert answer.status_code == 200, answer.text[:1000]
    return answer


def ids_in(format: str, content: bytes) -> list[str]:
    """The visits of a file, in its order."""
    if format == "csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    if format == "ics":
        return [str(event["UID"]) for event in icalendar.Calendar.from_ical(content).walk("VEVENT")]
    header, *rows = python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_name("Visits").to_python()
    return [str(row[header.index("Visit")]) for row in rows]


def listed(api: Api, **query: object) -> list[str]:
    """All pages of the list."""
    found: list[str] = []
    cursor = None
    while True:
        page = api.get("/visits", cursor=cursor, limit=100, **query).json()
        found += [visit["id"] for visit in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


# The files


def test_as_many_visits_as_may_be_are_exported_as_they_are_listed_and_not_one_more(
    table: FreshTable, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A 25th of everything: the emulator goes through all it has for every query.
    monkeypatch.setattr(exports, "MOST_ROWS", MANY)
    monkeypatch.setattr(exports, "ROWS_OF_PAGE", exports.ROWS_OF_PAGE // 25)
    begin = utc("2028-01-05T00:00")
    visits = crowd(MANY, begin, days=100, agent_id="busy")
    load(table, visits)
    window = {"from_": instant_text(begin), "to": instant_text(begin + timedelta(days=100))}
    whole_agency, window = window, window | {"agentId": "busy"}
    expected = [visit.id for visit in sorted(visits, key=lambda visit: (visit.date, visit.id))]
    assert listed(api, **window) == expected
    for format in FORMATS:
        answer = export(api, format, **window)
        assert len(answer.content) <= MOST_BYTES // 25
        assert ids_in(format, answer.content) == expected
    assert ids_in("csv", export(api, "csv", order="desc", **whole_agency).content) == expected[::-1]
    load(table, [a_visit(date=begin, agent_id="busy")])
    refused = problem(api.get("/visits/export", format="csv", **window), 422, "export-too-large")
    assert refused["limit"] == "rows"
    assert "400" in refused["detail"]
    # Narrowed, there is less to take away.
    assert len(ids_in("csv", export(api, "csv", status="confirmed", **window).content)) >= MANY // 6


def test_what_is_more_than_may_be_in_bytes_is_refused(
    table: FreshTable, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of it, as above; tests/unit/test_exports.py has all of it.
    monkeypatch.setattr(exports, "MOST_BYTES", MOST_BYTES // 10)
    begin = utc("2029-06-01T00:00")
    load(table, [a_visit(property_id="wordy", date=begin + minutes(15 * n), notes="n" * 2000) for n in range(210)])
    for format in ("csv", "ics"):
        answer = api.get("/visits/export", format=format, propertyId="wordy", from_=instant_text(begin))
        assert problem(answer, 422, "export-too-large")["limit"] == "bytes"
    # A workbook is compressed.
    assert len(ids_in("xlsx", export(api, "xlsx", propertyId="wordy", from_=instant_text(begin)).content)) == 210


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_has_the_filters_of_the_list(api: Api, house: str, format: str) -> None:
    other = api.property(property_id())
    anna = agent_id()
    kept = [api.visit(house, f"2027-03-12T{hour}:00:00Z", agentId=anna)["id"] for hour in (10, 11)]
    api.visit(house, "2027-03-12T12:00:00Z")
    api.visit(other, "2027-03-12T13:00:00Z", agentId=anna)
    api.visit(house, "2027-03-13T10:00:00Z", agentId=anna)
    gone = api.visit(house, "2027-03-12T14:00:00Z", agentId=anna)["id"]
    assert api.put(f"/visits/{gone}/status", {"status": "cancelled"}).status_code == 200
    query = {
        "propertyId": house,
        "agentId": anna,
        "from_": "2027-03-12T00:00:00Z",
        "to": "2027-03-13T00:00:00Z",
        "status": "confirmed,requested",
        "order": "desc",
    }
    assert ids_in(format, export(api, format, **query).content) == kept[::-1] == listed(api, **query)


def test_an_agents_files_say_which_property(api: Api) -> None:
    nora, details = agent_id(), {"name": "Nora Exportagent", "timeZone": "Europe/Berlin"}
    assert api.http.put(f"/agents/{nora}", json=details, headers={"If-None-Match": "*"}).status_code == 201
    for name, hour in (("Villa", 10), ("Loft", 12)):
        house = api.property(property_id(), name=name, address=f"{name} Street 1")
        api.visit(house, f"2027-03-12T{hour}:00:00Z", agentId=nora, place="By the bus stop")
    rows = list(csv.DictReader(io.StringIO(export(api, "csv", agentId=nora).text, newline="")))
    assert [(row["propertyName"], row["propertyAddress"]) for row in rows] == [
        ("Villa", "Villa Street 1"),
        ("Loft", "Loft Street 1"),
    ]
    header, *cells = openpyxl.load_workbook(io.BytesIO(export(api, "xlsx", agentId=nora).content))["Visits"].values
    assert [row[header.index("Property name")] for row in cells] == ["Villa", "Loft"]
    assert {row["agentName"] for row in rows} == {row[header.index("Agent name")] for row in cells} == {details["name"]}
    events = icalendar.Calendar.from_ical(export(api, "ics", agentId=nora).content).walk("VEVENT")
    assert [(str(e["SUMMARY"]), str(e["LOCATION"])) for e in events] == [
        ("Visit: Villa", "By the bus stop"),
        ("Visit: Loft", "By the bus stop"),
    ]
    assert all("Street 1" in str(event["DESCRIPTION"]) for event in events)
    assert all(f"Agent: {details['name']}" in str(event["DESCRIPTION"]) for event in events)


def test_files_come_with_their_type_and_a_name(api: Api) -> None:
    types = {
        "csv": "text/csv; charset=utf-8; header=present",
        "xlsx": XLSX,
        "ics": "text/calendar; charset=utf-8",
    }
    for format, media_type in types.items():
        answer = export(api, format)
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers["Content-Disposition"] == f'attachment; filename="visits.{format}"'
        assert answer.headers["Cache-Control"] == "no-store"


def test_what_cannot_be_exported_is_pointed_to(api: Api) -> None:
    assert pointers(api.get("/visits/export")) == ["?format"]
    assert pointers(api.get("/visits/export", format="pdf")) == ["?format"]
    assert sorted(pointers(api.get("/visits/export", format="csv", limit=5, cursor="x"))) == ["?cursor", "?limit"]
    assert pointers(api.get("/visits/export", format="csv", from_="2027-03-12")) == ["?from"]
    wide = api.get("/visits/export", format="csv", from_="2026-01-01T00:00:00Z", to="2027-12-01T00:00:00Z")
    assert pointers(wide) == ["?to"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_comes_as_its_format_says_whatever_accept_says(api: Api, format: str) -> None:
    def answer(accept: str | None) -> httpx.Response:
        request = api.http.build_request("GET", "/visits/export", params={"format": format})
        del request.headers["Accept"]
        if accept is not None:
            request.headers["Accept"] = accept
        return api.http.send(request)

    for accept in (None, "*/*", "application/problem+json", f"{XLSX}, text/csv;q=0", "image/*", "*/*;q=0", ","):
        given = answer(accept)
        assert given.status_code == 200, accept
        assert given.headers["Content-Disposition"] == f'attachment; filename="visits.{format}"'


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_travels_through_the_gateways_proxy(api: Api, format: str) -> None:
    answer = entry.app(event("GET", "/visits/export", query={"format": [format]}), None)
    json.dumps(answer)  # as Lambda does
    assert answer["statusCode"] == 200
    assert answer.get("isBase64Encoded", False) is (format == "xlsx")


def test_a_problem_is_no_file(api: Api) -> None:
    answer = entry.app(event("GET", "/visits/export", query={"format": ["xlsx", "csv"]}), None)
    assert (answer["statusCode"], answer.get("isBase64Encoded", False)) == (422, False)


def test_local_times_are_right_on_both_sides_of_a_change_of_clocks(api: Api) -> None:
    away = api.property(property_id(), timeZone="America/New_York")
    # There the clocks go forward on 14 March 2027, at 07:00 UTC.
    for date in ("2027-03-14T06:30:00Z", "2027-03-14T07:00:00Z"):
        api.visit(away, date)
    content = export(api, "xlsx", propertyId=away).content
    rows = list(openpyxl.load_workbook(io.BytesIO(content))["Visits"].iter_rows(min_row=2, values_only=True))
    assert [(f"{row[0]:%H:%M}", f"{row[1]:%H:%M}", row[2]) for row in rows] == [
        ("01:30", "03:00", "America/New_York"),
        ("03:00", "03:30", "America/New_York"),
    ]
    table = csv.DictReader(io.StringIO(export(api, "csv", propertyId=away).text, newline=""))
    assert [row["localDate"] for row in table] == ["2027-03-14T01:30:00-05:00", "2027-03-14T03:00:00-04:00"]


# A CalDAV server

DAV = {"d": "DAV:", "c": "urn:ietf:params:xml:ns:caldav"}
BETWEEN = """<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
  <d:prop><d:getetag/><c:calendar-data/></d:prop>
  <c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT">
    <c:time-range start="{:%Y%m%dT%H%M%SZ}" end="{:%Y%m%dT%H%M%SZ}"/>
  </c:comp-filter></c:comp-filter></c:filter>
</c:calendar-query>"""


@contextlib.contextmanager
def radicale(folder: Path) -> Iterator[httpx.Client]:
    """A CalDAV server (RFC 4791) that is not ours, while the block runs; anybody is let in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = ["--server-hosts", address, "--auth-type", "none", "--storage-filesystem-folder", str(folder)]
    # With a configuration of its own: none of this machine's.
    server = subprocess.Popen(
        [sys.executable, "-m", "radicale", "--config", "", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        with httpx.Client(base_url=f"http://{address}", auth=("agency", "any"), timeout=60) as client:
            for _ in range(150):
                with contextlib.suppress(httpx.TransportError):
                    client.get("/")
                    break
                assert server.poll() is None, server.stderr and server.stderr.read().decode()
                time.sleep(0.1)
            yield client
    finally:
        server.terminate()
        server.communicate(timeout=20)


def between(dav: httpx.Client, start: datetime, end: datetime) -> dict[str, Any]:
    """The server's events that touch a span of time, by UID."""
    answer = dav.request("REPORT", "/agency/visits/", content=BETWEEN.format(start, end), headers={"Depth": "1"})
    assert answer.status_code == 207, answer.text
    data = [found.text or "" for found in ElementTree.fromstring(answer.text).iterfind(".//c:calendar-data", DAV)]
    return {str(event["UID"]): event for text in data for event in icalendar.Calendar.from_ical(text).walk("VEVENT")}


def test_a_caldav_server_takes_the_calendar_and_finds_its_events(table: FreshTable, api: Api, tmp_path: Path) -> None:
    begin = utc("2030-03-29T00:00")  # the clocks change on the 31st
    visits = crowd(70, begin, days=4, agent_id="dav")
    load(table, visits)
    content = export(api, "ics", agentId="dav", from_=instant_text(begin)).content
    calendar = icalendar.Calendar.from_ical(content)
    with radicale(tmp_path) as dav:
        assert dav.request("MKCALENDAR", "/agency/visits/").status_code == 201
        for event in calendar.walk("VEVENT"):
            # One by one, as calendar programs do; cut out of our bytes, not written anew by the library.
            uid = str(event["UID"])
            begins = content.rindex(b"BEGIN:VEVENT\r\n", 0, content.index(f"UID:{uid}".encode()))
            ends = content.index(b"\r\nEND:VEVENT\r\n", begins) + len(b"\r\nEND:VEVENT\r\n")
            one = content[: content.index(b"BEGIN:VEVENT\r\n")] + content[begins:ends] + b"END:VCALENDAR\r\n"
            put = dav.put(f"/agency/visits/{uid}.ics", content=one, headers={"Content-Type": "text/calendar"})
            assert put.status_code == 201, put.text
        found = between(dav, begin, begin + timedelta(days=4, hours=1))
        assert found.keys() == {visit.id for visit in visits}
        for visit in visits:
            event = found[visit.id]
            assert event["DTSTART"].dt == visit.date
            assert str(event["LOCATION"]) == visit.place
            assert visit.visitor
            assert str(event["SUMMARY"]).endswith(f"Visit: {visit.visitor.name}")
            assert (str(event["STATUS"]) == "CANCELLED") is (visit.status in (Status.CANCELLED, Status.DECLINED))
        noon = begin + timedelta(days=2, hours=12)
        touched = {visit.id for visit in visits if visit.date < noon and visit.date + minutes(30) > begin}
        assert between(dav, begin, noon).keys() == touched
        # And in one piece, in place of what is there, as an import does.
        headers = {"Content-Type": "text/calendar"}
        assert dav.put("/agency/visits/", content=content, headers=headers).status_code == 201
        assert between(dav, begin, begin + timedelta(days=4, hours=1)).keys() == found.keys()


# The feed


def shared(api: Api, house: str) -> str:
    """The address of a property's feed, newly shared."""
    answer = api.http.put(f"/properties/{house}/calendar-token")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    address: str = answer.json()["links"]["calendar"]
    assert address == f"/properties/{house}/calendar.ics?token={answer.json()['token']}"
    return address


@pytest.fixture
def anybody(api: Api) -> Iterator[httpx.Client]:
    """A calendar program: it has the address and no key."""
    with httpx.Client(base_url=api.http.base_url, event_hooks=api.http.event_hooks, verify=False) as client:
        yield client


def test_a_feed_shows_when_and_where_and_nothing_of_the_visitor(api: Api, house: str, anybody: httpx.Client) -> None:
    visitor = {"name": "SECRET", "email": "secret@example.com", "phone": "+49 30 555"}
    first = api.visit(house, "2027-03-12T10:00:00Z", visitor=visitor, notes="SECRET notes", agentId="secret-agent")
    second = api.visit(house, "2027-03-12T11:00:00Z")
    api.put(f"/visits/{second['id']}/status", {"status": "cancelled", "reason": "SECRET reason"})
    answer = anybody.get(shared(api, house))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "secret" not in answer.text.lower()
    assert "555" not in answer.text
    events = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert [(str(e["UID"]), str(e["STATUS"]), e["SEQUENCE"]) for e in events] == [
        (first["id"], "CONFIRMED", 0),
        (second["id"], "CANCELLED", 1),
    ]


def test_a_feed_reaches_a_month_back_and_a_year_ahead(table: FreshTable, api: Api, house: str) -> None:
    days = (-32, -30, 0, 365, 367)
    visits = {day: a_visit(property_id=house, date=NOW + timedelta(days=day)) for day in days}
    load(table, list(visits.values()))
    answer = api.http.get(shared(api, house))
    assert ids_in("ics", answer.content) == [visits[day].id for day in (-30, 0, 365)]


def test_what_others_add_to_a_feeds_address_is_ignored(api: Api, house: str, anybody: httpx.Client) -> None:
    address = shared(api, house)
    plain = anybody.get(address)
    tracked = anybody.get(f"{address}&utm_source=newsletter&utm_source=again&_=1732650000")
    assert (tracked.status_code, tracked.content) == (200, plain.content)
    problem(anybody.get(f"/properties/{house}/calendar.ics?utm_source=newsletter"), 404, "feed-not-found")
    assert pointers(api.get("/visits", utm_source="newsletter")) == ["?utm_source"]


def test_a_cancelled_event_says_so_in_its_summary(api: Api, house: str, anybody: httpx.Client) -> None:
    api.visit(house, "2027-03-12T10:00:00Z")
    off = api.visit(house, "2027-03-12T12:00:00Z")
    api.put(f"/visits/{off['id']}/status", {"status": "cancelled"})
    text = anybody.get(shared(api, house)).text
    assert "SUMMARY:Visit: House\r\n" in text
    assert "SUMMARY:Cancelled: Visit: House\r\n" in text


def test_a_withdrawn_token_stops_at_once(api: Api, house: str, anybody: httpx.Client) -> None:
    address = shared(api, house)
    assert anybody.get(address).status_code == 200
    withdrawn = api.http.delete(f"/properties/{house}/calendar-token")
    assert (withdrawn.status_code, withdrawn.content) == (204, b"")
    problem(anybody.get(address), 404, "feed-not-found")
    assert api.http.delete(f"/properties/{house}/calendar-token").status_code == 204
    assert anybody.get(shared(api, house)).status_code == 200


def test_a_new_token_ends_the_old_one(api: Api, house: str, anybody: httpx.Client) -> None:
    old, new = shared(api, house), shared(api, house)
    problem(anybody.get(old), 404, "feed-not-found")
    assert anybody.get(new).status_code == 200


def test_a_wrong_address_does_not_say_what_is_wrong_with_it(api: Api, house: str, anybody: httpx.Client) -> None:
    address = shared(api, house)
    token = address.partition("=")[2]
    bare = api.property(property_id())
    wrong = [
        f"/properties/{house}/calendar.ics",
        f"/properties/{house}/calendar.ics?token=",
        f"/properties/{house}/calendar.ics?token={token[:-1]}",
        f"/properties/{house}/calendar.ics?token={token}&token={token}",
        f"/properties/{house}/calendar.ics?token=%ff",
        f"/properties/{bare}/calendar.ics?token={token}",
        f"/properties/nowhere/calendar.ics?token={token}",
        f"/properties/%20/calendar.ics?token={token}",
    ]
    bodies = {anybody.get(path).text for path in wrong}
    assert len(bodies) == 1
    problem(anybody.get(wrong[0]), 404, "feed-not-found")


def test_a_token_leaves_the_property_alone_and_outlives_its_changes(
    api: Api, house: str, anybody: httpx.Client
) -> None:
    before = api.get(f"/properties/{house}")
    address = shared(api, house)
    assert api.get(f"/properties/{house}").headers["ETag"] == before.headers["ETag"]
    assert api.get(f"/properties/{house}").json() == before.json()
    replaced = api.http.put(f"/properties/{house}", json=property_body(name="Villa"), headers={"If-Match": "*"})
    assert replaced.status_code == 200
    assert "NAME:Villa" in anybody.get(address).text


def test_a_token_is_stored_hashed(table: FreshTable, api: Api, house: str) -> None:
    token = shared(api, house).partition("=")[2]
    stored = table.client.get_item(TableName=table.name, Key=serialized(calendar_token_key(Owner("property", house))))[
        "Item"
    ]
    assert token not in str(stored)
    assert len(stored["secretHash"]["B"]) == 32


def test_only_properties_that_exist_are_shared(api: Api) -> None:
    problem(api.http.put("/properties/nowhere/calendar-token"), 404, "property-not-found")
    problem(api.http.delete("/properties/nowhere/calendar-token"), 404, "property-not-found")


def test_the_token_stays_out_of_the_log(
    api: Api, house: str, anybody: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    address = shared(api, house)
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):  # on one connection: what there is to say of the first is said before the second
            assert anybody.get(address).status_code == 200
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("devstack", "visits"))]
    assert any(f"/properties/{house}/calendar.ics" in line for line in ours)
    assert not any(address.partition("=")[2] in line for line in ours)
