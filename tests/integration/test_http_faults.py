"""When something breaks inside: the caller learns that it did, the operator where, and nobody anything personal."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.domain import patience
from chalicelib.domain.errors import StoreBusy, VersionMismatch
from tests.builders import NOW, Clock, property_id, visit_body
from tests.integration.api import Api, serve
from tests.integration.problems import problem

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

VISITOR = {"name": "Zara Geheim", "email": "zara@example.com", "phone": "+49 30 777"}
PERSONAL = ("Zara", "zara@", "30 777", "Zuckerrohr")


@pytest.fixture(scope="module")
def api(table: FreshTable) -> Iterator[Api]:
    with serve(table, Clock(NOW)) as api:
        yield api


class Breaks:
    """Stands in for a use case and fails in words that quote the request."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    def __call__(self, *_: object, **__: object) -> Any:
        raise self.fault


def test_an_unexpected_fault_shows_nothing_of_the_inside(
    api: Api,
    house: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fault = KeyError("secret_table_name Zara Geheim zara@example.com")
    monkeypatch.setattr(api.services.visits, "book", Breaks(fault))
    with caplog.at_level(logging.DEBUG):
        answer = api.post("/visits", visit_body(house, visitor=VISITOR, notes="Zuckerrohr"))
    document = problem(answer, 500, "internal-error")
    assert document.keys() == {"type", "title", "status", "detail", "requestId"}
    assert document["requestId"] == answer.headers["x-amzn-RequestId"]
    for inside in ("KeyError", "Traceback", "secret", "chalicelib", ".py", *PERSONAL):
        assert inside not in f"{answer.headers} {answer.text}"
    logged = caplog.text + "".join(capfd.readouterr())
    assert document["requestId"] in logged
    assert "KeyError" in logged
    assert "Breaks" in logged or "__call__" in logged, "where it happened"
    for personal in PERSONAL:
        assert personal not in logged


@pytest.mark.parametrize(
    ("method", "path", "service", "call"),
    [
        ("GET", "/properties", "properties", "list"),
        ("GET", "/properties/house", "availability", "premises"),
        ("GET", "/properties/house/busy", "availability", "busy"),
        ("GET", "/visits", "listing", "visits"),
        ("GET", "/visits/00000000-0000-7000-8000-000000000000", "visits", "get"),
        ("DELETE", "/visits/00000000-0000-7000-8000-000000000000/visitor", "visits", "erase_visitor"),
        ("GET", "/health", "store", "ping"),
    ],
)
@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [(RuntimeError("inside"), 500, "internal-error"), (StoreBusy(), 503, "store-busy")],
    ids=["a fault", "a busy store"],
)
def test_every_call_answers_a_fault_with_its_problem(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    service: str,
    call: str,
    fault: Exception,
    status: int,
    kind: str,
) -> None:
    monkeypatch.setattr(getattr(api.services, service), call, Breaks(fault), raising=True)
    answer = api.http.request(method, path)
    problem(answer, status, kind)
    assert "inside" not in answer.text
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1


def test_a_visit_that_never_stays_still_is_a_busy_store(api: Api, house: str, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = api.visit(house, "2027-03-12T10:00:00Z")
    monkeypatch.setattr(api.services.visits._visits, "save", Breaks(VersionMismatch()))
    answer = api.put(f"/visits/{visit['id']}/status", {"status": "cancelled"})
    problem(answer, 503, "store-busy")


def test_a_booking_whose_outcome_is_unknown_is_told_as_such_and_found_again_by_its_key(
    api: Api, house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done_without_an_answer(http_response: Any, parsed: Any, model: Any, **_: object) -> None:
        raise ReadTimeoutError(endpoint_url="")

    monkeypatch.setattr(patience, "SECONDS", 0.3)
    event = "after-call.dynamodb.TransactWriteItems"
    wish, key = visit_body(house), f"unknown {house}"
    api.dynamodb.meta.events.register(event, done_without_an_answer)
    try:
        answer = api.post("/visits", wish, key)
    finally:
        api.dynamodb.meta.events.unregister(event, done_without_an_answer)
    problem(answer, 503, "outcome-unknown")
    assert int(answer.headers["Retry-After"]) >= 1
    again = api.post("/visits", wish, key)
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (201, "true"), again.text


def test_health_says_ok(api: Api) -> None:
    answer = api.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_no_personal_data_is_in_a_problem_or_in_a_log(
    api: Api, house: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    personal: dict[str, Any] = {"visitor": VISITOR, "notes": "Zuckerrohr"}
    key = property_id()
    with caplog.at_level(logging.DEBUG):
        visit = api.post("/visits", visit_body(house, **personal), key).json()
        address = f"/visits/{visit['id']}"
        problems = [
            api.post("/visits", visit_body(house, **personal)),
            api.post("/visits", visit_body(house, "2027-03-13T10:00:00Z", **personal), key),
            api.post("/visits", visit_body(property_id(), **personal)),
            api.post("/visits", visit_body(house, visitor=VISITOR | {"email": "zara@ no"}, notes="Zuckerrohr\x00")),
            api.post("/visits", visit_body(house, visitor=VISITOR | {"phone": "777 Zara", "name": "Zara\n"})),
            api.post("/visits", visit_body(house, visitor="Zara Geheim zara@example.com 777 Zuckerrohr")),
            api.http.post(
                "/visits",
                content=json.dumps(visit_body(house, **personal))[:-1],
                headers={"Content-Type": "application/json"},
            ),
            api.patch(address, {"visitor": {"name": None, "email": "zara@ no"}}),
            api.patch(address, {"notes": "Zuckerrohr"}, '"9"'),
            api.patch(address, {"status": "cancelled", **personal}),
            api.put(f"{address}/status", {"status": "confirmed", "reason": "Zara is ill"}),
            api.put(f"{address}/status", {"status": "completed"}),
        ]
        api.patch(address, {"visitor": {"phone": "+49 30 7778"}})
        api.put(f"{address}/status", {"status": "cancelled", "reason": "Zara is ill"})
        api.get("/visits", propertyId=house)
        api.http.delete(f"{address}/visitor")
    for answer in problems:
        assert answer.status_code in (400, 404, 409, 412, 422), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert not [word for word in PERSONAL if word in f"{answer.headers} {answer.text}"]
    ours = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("botocore", "boto3", "urllib3"))
    )
    # The HTTP clients of the test run in the same process; what they log is not the API's.
    ours = "\n".join(line for line in ours.splitlines() if "send_request_body" not in line)
    logged = ours + "".join(capfd.readouterr())
    assert not [word for word in PERSONAL if word in logged]
