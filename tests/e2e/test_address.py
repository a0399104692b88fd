"""A deployed stage as its users see it, from an address and a key alone: what a gateway, a real table and a real queue
could get wrong after all that was tested before.

`make e2e URL=... KEY=...` tries the stage at that address, `make test` the package deployed on the emulator, and
`make smoke URL=... [KEY=...]` those that are marked: quick, in words for whoever is on call, without a key only those
that look. What is booked is cancelled; what cannot be deleted stays: two properties, cancelled visits, and intakes for
30 days.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import httpx
import icalendar
import openpyxl
import pytest

from chalicelib.domain.slots import QUARTER
from chalicelib.http.instants import instant_text, parse_instant
from tests.e2e.caller import Caller, Stage, refused, until
from tests.e2e.guest import CALENDAR_ID, PROPERTY_ID, VISITOR, Document, Guest, guest_at
from tests.integration.access import call
from tests.integration.problems import pointers, problem
from tests.races import at_once

CALLERS: Final = 5
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BROWSER: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
PLACE: Final = "Zum Löwen & Söhne, 5 % <Hof>; 東京 🏡"


FOREIGN: Final = "https://foreign.invalid"
NOWHERE: Final = "/e2e/nowhere"
OWN: Final = "the key, which has to be for read and write alone"

smoke: Final = pytest.mark.smoke


@pytest.fixture
def guest(stage: Stage) -> Iterator[Guest]:
    with guest_at(stage) as guest:
        yield guest


@pytest.fixture
def stranger(stage: Stage) -> Iterator[Caller]:
    with stage.client(None) as http:
        yield Caller(http)


def ids(visits: list[Document]) -> list[str]:
    return [visit["id"] for visit in visits]


# Is it up, and ours?


@smoke
def test_the_service_and_its_store_are_well(stranger: Caller, pytestconfig: pytest.Config) -> None:
    """First of all: an address that was deployed a moment ago may take some seconds."""
    deadline = time.monotonic() + pytestconfig.getoption("--patience")
    while True:
        try:
            assert stranger.call(200, "GET", "/health") == {"status": "ok"}, "GET /health is not about a well service"
            return
        except AssertionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(1)


@smoke
def test_the_contract_is_the_one_of_property_visits(stranger: Caller) -> None:
    contract = stranger.call(200, "GET", "/openapi.json")
    assert contract is not None, "GET /openapi.json is no JSON"
    title = contract.get("info", {}).get("title")
    assert title == "Property Visits", f"the title of GET /openapi.json is {title!r}, not 'Property Visits'"
    assert "/visits" in contract["paths"], "GET /openapi.json has no path /visits"


@smoke
def test_an_unknown_address_is_a_problem_document(stranger: Caller) -> None:
    problem(stranger.send("GET", NOWHERE), 404, "not-found")


@smoke
def test_pages_of_foreign_origins_are_not_let_in(stranger: Caller) -> None:
    asked = {"Origin": FOREIGN, "Access-Control-Request-Method": "GET"}
    for method, path in (("OPTIONS", "/visits"), ("GET", "/health")):
        answer = stranger.send(method, path, headers=asked)
        assert answer.status_code < 500, refused(answer)
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed not in ("*", FOREIGN), f"{method} {path} lets {allowed} in, asked for {FOREIGN}"


# Who gets in


@smoke
def test_without_a_key_or_with_a_wrong_one_nobody_gets_in(stranger: Caller) -> None:
    for headers in ({}, {"Authorization": "Bearer pv_0123456789abcdef_no-key-of-anybody"}):
        answer = stranger.send("GET", "/visits", headers=headers)
        problem(answer, 401, "unauthorized")
        assert "WWW-Authenticate" in answer.headers, "GET /visits, 401: the header WWW-Authenticate is missing"


@pytest.fixture
def callers(stage: Stage) -> Iterator[Mapping[str, httpx.Client]]:
    """By what they come with."""
    wrong = stage.key[:-1] + ("B" if stage.key[-1] == "A" else "A")
    with stage.client(None) as nobody, stage.client(wrong) as somebody, stage.client(stage.key) as partner:
        yield {"no key": nobody, "a wrong key": somebody, OWN: partner}


def test_every_route_that_the_contract_has_opens_to_whom_it_says(
    callers: Mapping[str, httpx.Client], stranger: Caller
) -> None:
    kinds = set()
    for path, operations in stranger.call(200, "GET", "/openapi.json")["paths"].items():
        for method, operation in operations.items():
            if "responses" not in operation:
                continue
            wanted = wanted_by(operation["security"])
            kinds.add(wanted)
            for name, http in callers.items():
                answer = call(http, method.upper(), path, {})
                try:
                    check_answer(answer, wanted, known=http is callers[OWN])
                except AssertionError as why:
                    which = f"{method.upper()} {path}, which asks for {wanted}, with {name}"
                    raise AssertionError(f"{which}: {answer.status_code}") from why
    assert kinds == {"nothing", "any key", "read", "write", "admin", "a link"}


def wanted_by(security: Sequence[Mapping[str, Sequence[str]]]) -> str:
    """The scope of a key, any key, a visitor's link, or nothing."""
    if not security:
        return "nothing"
    if "apiKey" not in security[0]:
        return "a link"
    (scope,) = security[0]["apiKey"] or ["any key"]
    return scope


def check_answer(answer: httpx.Response, wanted: str, *, known: bool) -> None:
    if wanted == "nothing" or (known and wanted in ("any key", "read", "write")):
        assert answer.status_code not in (401, 403)
        assert answer.status_code < 500
    elif wanted == "a link":
        shown = "Authorization" in answer.request.headers
        problem(answer, *((404, "link-invalid") if shown else (401, "unauthorized")))
    elif known:
        # AWS's gateway renames the app's WWW-Authenticate: status and kind have to say it.
        problem(answer, 403, "insufficient-scope")
    else:
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


# What everybody does


@smoke
def test_a_visit_is_booked_once_and_is_where_its_link_leads(guest: Guest) -> None:
    once = {"Idempotency-Key": secrets.token_hex(16)}
    visit = guest.booked(lambda: guest.wishes(1)[0], headers=once)
    again = guest.answer(201, "POST", "/visits", sent(visit), headers=once)
    assert again.json()["id"] == visit["id"], "the same request with the same key has booked a second visit"
    assert again.headers.get("Idempotency-Replayed") == "true", "the header Idempotency-Replayed is missing"
    there = guest.answer(200, "GET", guest.at(again.headers["Location"]))
    assert there.json() == visit, "the visit is not the one that was booked"
    guest.answer(304, "GET", f"/visits/{visit['id']}", headers={"If-None-Match": there.headers["ETag"]})


@smoke
def test_the_time_of_a_visit_is_taken_until_it_is_cancelled(guest: Guest) -> None:
    (visit,) = guest.book()
    start = parse_instant(visit["date"])
    window = {"from": instant_text(start), "to": instant_text(start + QUARTER)}
    assert problem(guest.send("POST", "/visits", sent(visit)), 409, "slot-taken")["conflicts"]
    guest.call(200, "PUT", f"/visits/{visit['id']}/status", {"status": "cancelled", "reason": "End-to-end test"})
    busy = guest.call(200, "GET", f"/properties/{PROPERTY_ID}/busy", params=window)["busy"]
    assert busy == [], "the time of a cancelled visit is still taken"


@smoke
def test_a_visit_moves_to_another_time_for_who_has_seen_its_version(guest: Guest) -> None:
    (visit,) = guest.book()
    path, seen = f"/visits/{visit['id']}", {"If-Match": f'"{visit["version"]}"'}
    later = instant_text(parse_instant(visit["date"]) + 4 * QUARTER)
    moved = guest.call(200, "PATCH", path, {"date": later}, headers=seen)
    assert moved["date"] == later, "the visit has not moved to the time that was asked for"
    guest.answer(412, "PATCH", path, {"place": "Elsewhere"}, headers=seen)


@smoke
def test_an_intake_is_worked_off_with_a_result_for_each_row(guest: Guest) -> None:
    rows = [*guest.wishes(1), {"place": 7}]
    handed_in = guest.answer(202, "POST", "/intakes", {"visits": rows})
    results = guest.results(guest.at(handed_in.headers["Location"]))
    assert [result["status"] for result in results] == ["created", "rejected"], "the rows came to something else"


def sent(visit: Document) -> Document:
    """What this visit was booked with."""
    return {name: visit[name] for name in ("propertyId", "date", "durationMinutes", "place", "agentId")}


# Many at once


def test_of_several_who_want_the_same_time_one_gets_it(guest: Guest) -> None:
    def race() -> list[httpx.Response]:
        (wish,) = guest.wishes(1, visitor=VISITOR)
        return at_once([partial(guest.send, "POST", "/visits", wish)] * CALLERS)

    answers = race()
    if not any(answer.status_code == 201 for answer in answers):  # somebody else's time by chance
        answers = race()
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: CALLERS - 1}
    for answer in answers:
        if answer.status_code == 409:
            assert problem(answer, 409, "slot-taken")["conflicts"]
            assert VISITOR["name"] not in answer.text


def test_the_same_request_many_times_at_once_books_one_visit(guest: Guest) -> None:
    (wish,) = guest.wishes(1)
    once = {"Idempotency-Key": secrets.token_hex(16)}
    answers = at_once([partial(guest.send, "POST", "/visits", wish, headers=once)] * CALLERS)
    assert Counter(answer.status_code for answer in answers) == {201: CALLERS}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1


def test_of_changes_to_the_same_version_one_is_made(guest: Guest) -> None:
    (visit,) = guest.book()
    seen = {"If-Match": f'"{visit["version"]}"'}
    path = f"/visits/{visit['id']}"
    answers = at_once(partial(guest.send, "PATCH", path, {"notes": f"Note {n}"}, headers=seen) for n in range(CALLERS))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: CALLERS - 1}
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert guest.call(200, "GET", path) == winner


# Lists, and what is taken away


@smoke
def test_pages_of_one_have_every_visit_once(guest: Guest) -> None:
    booked = ids(guest.book(3))
    until(lambda: ids(guest.own(limit=1)) == booked, "the pages with the visits")


def test_a_cursor_is_good_for_nothing_but_the_next_page(guest: Guest) -> None:
    guest.book(2)
    query = {**guest.own_query(), "limit": "1"}

    def first() -> Any:
        return guest.call(200, "GET", "/visits", params=query)

    until(lambda: first()["nextCursor"] is not None, "a second page")
    cursor = first()["nextCursor"]
    guest.answer(200, "GET", "/visits", params=query | {"cursor": cursor})
    for place in range(0, len(cursor), len(cursor) // 15):
        forged = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        problem(guest.send("GET", "/visits", params=query | {"cursor": forged}), 400, "invalid-cursor")
    elsewhere = query | {"cursor": cursor, "agentId": "somebody-else"}
    problem(guest.send("GET", "/visits", params=elsewhere), 400, "invalid-cursor")


def test_text_comes_back_as_it_was_sent(guest: Guest) -> None:
    """In bodies, and in a query, where a plus sign and a percent sign are at home too."""
    agent = f"{guest.agent} Ä+B & 100 %41 東京/🏡"
    (visit,) = guest.book(place=PLACE, agentId=agent, visitor={"name": PLACE})
    assert guest.call(200, "GET", f"/visits/{visit['id']}") == visit
    assert (visit["place"], visit["agentId"], visit["visitor"]["name"]) == (PLACE, agent, PLACE)
    start = parse_instant(visit["date"]).replace(tzinfo=None)
    # The same instant, by a clock that is two hours ahead.
    query = {"agentId": agent, "from": f"{start.isoformat()}+00:00", "to": f"{start.isoformat()}-02:00"}
    until(lambda: ids(guest.everything("/visits", **query)) == [visit["id"]], "the visits of an agent with such a name")


@pytest.mark.parametrize("accepted", ["*/*", XLSX, BROWSER], ids=["anything", "the type alone", "a browser"])
def test_a_workbook_arrives_unharmed(guest: Guest, accepted: str) -> None:
    booked = ids(guest.book(2, place=PLACE))

    def rows() -> list[dict[object, object]]:
        answer = exported(guest, "xlsx", XLSX, {"Accept": accepted})
        assert answer.content.startswith(b"PK")
        return rows_of(answer.content)

    until(lambda: [row["Visit"] for row in rows()] == booked, "the rows of the visits")
    assert {row["Place"] for row in rows()} == {PLACE}


@smoke
def test_a_table_and_a_calendar_arrive_unharmed(guest: Guest) -> None:
    booked = ids(guest.book(2, place=PLACE))

    def rows() -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(exported(guest, "csv", "text/csv").content.decode("utf-8-sig"))))

    def events() -> list[Any]:
        return icalendar.Calendar.from_ical(exported(guest, "ics", "text/calendar").content).walk("VEVENT")

    until(lambda: [row["id"] for row in rows()] == booked, "the rows of the visits")
    assert {row["place"] for row in rows()} == {PLACE}
    until(lambda: len(events()) == 2, "the events of the visits")
    assert {str(event["LOCATION"]) for event in events()} == {PLACE}


def exported(guest: Guest, format: str, media_type: str, headers: dict[str, str] | None = None) -> httpx.Response:
    query = guest.own_query() | {"format": format}
    answer = guest.answer(200, "GET", "/visits/export", params=query, headers=headers or {})
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return answer


def rows_of(workbook: bytes) -> list[dict[object, object]]:
    header, *rows = openpyxl.load_workbook(io.BytesIO(workbook))["Visits"].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate, gzip"])
def test_who_takes_compressed_answers_can_read_them(guest: Guest, encoding: str) -> None:
    """The gateway compresses; the client here unpacks by what the answer says of itself."""
    headers = {"Accept-Encoding": encoding}
    assert "/visits" in guest.call(200, "GET", "/openapi.json", headers=headers)["paths"]
    booked = ids(guest.book())

    def rows() -> list[dict[object, object]]:
        return rows_of(exported(guest, "xlsx", XLSX, headers).content)

    until(lambda: [row["Visit"] for row in rows()] == booked, "the row of the visit")


def test_a_calendar_is_shown_to_who_has_its_link_until_it_is_withdrawn(guest: Guest, stranger: Caller) -> None:
    visit = guest.booked(guest.soon)
    shared: list[str] = []

    def shown() -> bool:
        # Another run may have shared the same calendar meanwhile: then our link is worthless, and we make another.
        shared[:] = [guest.call(200, "PUT", f"/properties/{CALENDAR_ID}/calendar-token")["links"]["calendar"]]
        answer = stranger.send("GET", stranger.at(shared[0]))
        if answer.status_code == 404:
            return False
        assert answer.headers["Content-Type"].startswith("text/calendar")
        assert "Erika" not in answer.text
        return visit["id"] in answer.text.replace("\r\n ", "")

    until(shown, "the event of the visit")
    guest.answer(204, "DELETE", f"/properties/{CALENDAR_ID}/calendar-token")
    problem(stranger.send("GET", stranger.at(shared[0])), 404, "feed-not-found")


# Many rows


def test_every_row_of_an_intake_has_one_outcome_and_is_booked_once(guest: Guest) -> None:
    good = guest.wishes(30, visitor=VISITOR)
    known = [row | {"externalId": f"{guest.agent}-{n}"} for n, row in enumerate(good[:4])]
    rows = [
        *known,
        *good[4:],
        *known[:3],  # once more: duplicates, whichever of the two comes first
        known[3] | {"place": "Elsewhere"},  # something else under the same id
        *good[10:12],  # at a time that is taken
        good[0] | {"place": 7},
        good[0] | {"propertyId": "e2e-test-nowhere"},
    ]
    once = {"Idempotency-Key": secrets.token_hex(16)}
    handed_in = guest.answer(202, "POST", "/intakes", {"visits": rows}, headers=once)
    intake = guest.at(handed_in.headers["Location"])
    counts = {"total": len(rows), "created": 30, "duplicate": 3, "rejected": 5}
    assert guest.finished(intake)["counts"] == counts

    results = guest.results(intake)
    assert [result["row"] for result in results] == list(range(len(rows)))
    assert pairs(results, rows[:3], 30) == [("created", "duplicate")] * 3
    assert [reason(result) for result in results[36:]] == ["invalid-input", "property-not-found"]
    assert sorted(filter(None, map(reason, results[:36]))) == ["external-id-reused", "slot-taken", "slot-taken"]
    assert VISITOR["name"] not in json.dumps(results)

    created = {result["visitId"]: rows[result["row"]]["date"] for result in results if result["status"] == "created"}
    assert sorted(created.values()) == [row["date"] for row in good]

    def listed() -> list[tuple[str, str]]:
        return [(visit["id"], visit["date"]) for visit in guest.own(limit=20)]

    until(lambda: listed() == sorted(created.items(), key=lambda item: item[1]), "each visit in the list once")

    again = guest.answer(202, "POST", "/intakes", {"visits": rows}, headers=once)
    assert again.headers["Location"] == handed_in.headers["Location"]
    assert guest.finished(intake)["counts"] == counts
    problem(guest.send("POST", "/intakes", {"visits": rows[:1]}, headers=once), 422, "idempotency-key-reused")


def pairs(results: list[Document], of: list[Document], second: int) -> list[tuple[str, ...]]:
    """What became of the first rows and of those that repeat them; both name the same visit."""
    found = [(results[n], results[second + n]) for n in range(len(of))]
    assert all(one["visitId"] == other["visitId"] for one, other in found)
    return [tuple(sorted([one["status"], other["status"]])) for one, other in found]


def reason(result: Document) -> str:
    """The kind of problem that a row was rejected for."""
    return str(result.get("problem", {}).get("type", "")).removeprefix("urn:visits:problem:")


# What is refused


JSON: Final = {"Content-Type": "application/json"}
NOBODY: Final = "018f0000-0000-7000-8000-000000000000"
LONG: Final = json.dumps({"propertyId": PROPERTY_ID, "notes": "x" * 70_000}).encode()
REFUSALS: Final[dict[str, tuple[int, str, str, str, dict[str, Any]]]] = {
    "an id that nobody has": (404, "visit-not-found", "GET", f"/visits/{NOBODY}", {}),
    "an id in no alphabet": (404, "visit-not-found", "GET", "/visits/%E2%82%AC%20%2525", {}),
    "half of a document": (400, "malformed-request", "POST", "/visits", {"content": b'{"a": ', "headers": JSON}),
    "bytes that are no text": (400, "malformed-request", "POST", "/visits", {"content": b'"\xff"', "headers": JSON}),
    "a number that JSON lacks": (400, "malformed-request", "POST", "/visits", {"content": b"[NaN]", "headers": JSON}),
    "too long a body": (413, "body-too-large", "POST", "/visits", {"content": LONG, "headers": JSON}),
    "a form": (415, "unsupported-media-type", "POST", "/visits", {"data": {"propertyId": PROPERTY_ID}}),
    "a list that is too wide": (422, "invalid-input", "GET", "/visits", {"params": {"limit": "1000"}}),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_is_wrong_is_refused_with_a_problem_document(guest: Guest, refusal: str) -> None:
    status, kind, method, path, given = REFUSALS[refusal]
    answer = guest.send(method, path, **given)
    problem(answer, status, kind)
    assert_says_nothing_of_the_inside(answer)


def test_a_date_without_an_offset_is_pointed_to(guest: Guest) -> None:
    answer = guest.send("POST", "/visits", {"propertyId": PROPERTY_ID, "date": "2030-01-01T10:00:00"})
    assert pointers(answer) == ["#/date"]
    assert_says_nothing_of_the_inside(answer)


def test_who_has_not_seen_the_newest_version_changes_nothing(guest: Guest) -> None:
    (visit,) = guest.book()
    path, old = f"/visits/{visit['id']}", {"If-Match": f'"{visit["version"]}"'}
    changed = guest.call(200, "PATCH", path, {"notes": "First"}, headers=old)
    for headers, status, kind in ((old, 412, "precondition-failed"), ({}, 428, "precondition-required")):
        answer = guest.send("PATCH", path, {"notes": "Second"}, headers=headers)
        problem(answer, status, kind)
        assert_says_nothing_of_the_inside(answer)
    assert guest.call(200, "GET", path) == changed


def assert_says_nothing_of_the_inside(answer: httpx.Response) -> None:
    for word in ("Traceback", ".py", "botocore", "Exception", "arn:aws"):
        assert word not in answer.text
    assert_is_kept_and_guessed_by_nobody(answer)


def assert_is_kept_and_guessed_by_nobody(answer: httpx.Response) -> None:
    wanted = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age="}
    for name, value in wanted.items():
        found = answer.headers.get(name, "")
        assert found.startswith(value), f"GET {answer.url.path}: {name} is {found!r}, not {value!r}"


@smoke
@pytest.mark.parametrize("path", ["/health", "/properties?limit=1", NOWHERE])
def test_no_answer_may_be_kept_or_guessed_at(stranger: Caller, path: str) -> None:
    assert_is_kept_and_guessed_by_nobody(stranger.send("GET", path))


# The tests themselves


def test_a_test_that_fails_leaves_nothing_booked(stage: Stage) -> None:
    def fails() -> None:
        with guest_at(stage) as guest:
            seen.append(guest)
            booked.extend(ids(guest.book()))
            link = guest.answer(202, "POST", "/intakes", {"visits": guest.wishes(2)}).headers["Location"]
            links.append(guest.at(link))
            raise ArithmeticError

    seen: list[Guest] = []
    booked: list[str] = []
    links: list[str] = []
    with pytest.raises(ArithmeticError):
        fails()
    with guest_at(stage) as looking:
        booked += [result["visitId"] for result in looking.results(links[0])]
        assert len(booked) == 3
        for visit in booked:
            assert looking.call(200, "GET", f"/visits/{visit}")["status"] == "cancelled"
