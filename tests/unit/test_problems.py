"""Problem documents: every refusal has exactly one, and a fault shows nothing of the inside."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from chalice.app import Response

from chalicelib.domain import errors
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.http.problems import Problem, answers_problems, problem_for
from tests.builders import NOW, TEN

INTERNAL: dict[type[errors.Refused], str] = {
    AlreadyDone: "Once turns it into a replay",
}
"""Refusals that never answer a request, and why."""

SAMPLES: dict[object, object] = {
    str: "word",
    int: 7,
    list[str]: ["word"],
    tuple[str, ...]: ("application/json",),
    list[datetime]: [TEN],
    list[errors.FieldError]: [errors.FieldError("#/date", "is wrong")],
    list[errors.Objection]: [errors.Objection("closed", "property")],
    list[errors.TakenInterval]: [errors.TakenInterval(NOW, TEN, "property")],
    type(NOW): NOW,
    int | None: 7,
}


def kinds(of: type[errors.Refused] = errors.Refused) -> Iterator[type[errors.Refused]]:
    """Every kind of refusal there is: the modules that have some are loaded here, and by `http.problems`."""
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def sample(kind: type[Exception]) -> Any:
    """One of its kind, with facts of the right types."""
    hints = typing.get_type_hints(kind).items()
    given: Any = {name: fact(hint) for name, hint in hints if typing.get_origin(hint) is not typing.ClassVar}
    return kind(**given)


def fact(hint: object) -> object:
    return SAMPLES[hint] if hint in SAMPLES else typing.get_args(hint)[0]  # of a Literal


def document(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)
    return found


REFUSALS = sorted({kind for kind in kinds() if kind not in INTERNAL}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", [*REFUSALS, errors.StoreBusy], ids=lambda kind: kind.__name__)
def test_every_refusal_has_its_problem(kind: type[Exception]) -> None:
    response = problem_for(sample(kind))
    assert response.headers["Content-Type"] == "application/problem+json"
    assert all(isinstance(value, str) for value in response.headers.values())
    problem = document(response)
    assert problem["status"] == response.status_code
    assert 400 <= response.status_code < 600
    assert problem["type"].startswith("urn:visits:problem:")
    assert problem["type"] != "urn:visits:problem:internal-error", f"{kind.__name__} has no problem of its own"
    assert problem["title"]
    assert problem["detail"]


def test_every_refusal_has_a_type_of_its_own() -> None:
    types = [document(problem_for(sample(kind)))["type"] for kind in REFUSALS]
    assert len(set(types)) == len(types)


def test_a_conflict_names_the_intervals() -> None:
    response = problem_for(errors.SlotTaken([errors.TakenInterval(NOW, TEN, "agent")]))
    assert document(response)["conflicts"] == [
        {"from": "2027-03-10T12:00:00Z", "to": "2027-03-12T10:00:00Z", "holder": "agent"}
    ]


def test_a_busy_store_says_when_to_come_back() -> None:
    assert problem_for(errors.StoreBusy(retry_after_seconds=3)).headers["Retry-After"] == "3"


def test_facts_are_text_and_nothing_but_text() -> None:
    hostile = 'x"\r\nSet-Cookie: a=b'
    response = problem_for(errors.TransitionNotAllowed(hostile, hostile, []))
    assert document(response)["currentStatus"] == hostile
    assert "\n" not in str(response.headers)


def test_a_fault_shows_nothing_of_the_inside() -> None:
    @answers_problems
    def view() -> Response:
        raise ValueError("Zara Geheim could not be stored in visits-prod")

    response = view()
    problem = document(response)
    assert (response.status_code, problem["type"]) == (500, "urn:visits:problem:internal-error")
    assert "requestId" in problem
    for inside in ("Zara", "visits-prod", "ValueError"):
        assert inside not in str(response.body)
    assert isinstance(response, Problem)
    assert isinstance(response.fault, ValueError), "for the journal"


def test_a_refusal_is_an_answer_and_no_fault() -> None:
    @answers_problems
    def view() -> Response:
        raise errors.VisitNotFound("")

    response = view()
    assert isinstance(response, Problem)
    assert (response.status_code, response.slug, response.fault) == (404, "visit-not-found", None)
