"""Entry points only: every route parses, calls one use case, and answers."""

from __future__ import annotations

import os
from collections.abc import Callable

from chalice.app import Chalice, Request, Response, SQSEvent

from chalicelib.container import services
from chalicelib.domain.properties import Property
from chalicelib.domain.visits import Status
from chalicelib.edge import parsing
from chalicelib.edge.answers import created, json_answer, no_content, tagged, visit_answer
from chalicelib.edge.inputs import (
    BookVisitInput,
    ChangeVisitInput,
    PropertyInput,
    RegisterPropertyInput,
    StatusInput,
)
from chalicelib.edge.intakes import (
    accepted,
    intake_answer,
    prefers_async,
    results_answer,
    submission,
    submission_of_one,
)
from chalicelib.edge.lists import list_properties, list_visits
from chalicelib.edge.messages import work_off
from chalicelib.edge.outputs import BusyOutput, HealthOutput, PropertyOutput, VisitOutput
from chalicelib.edge.preconditions import etag, must_be_new, optional_versions, required_versions
from chalicelib.edge.problems import answers_problems, shape_framework_answers
from chalicelib.edge.queries import BusyQuery, no_query
from chalicelib.edge.urls import all_visits_url
from chalicelib.settings import queue_of_stage

app = Chalice(app_name="visits")
app.middleware("http")(shape_framework_answers)

View = Callable[..., Response]


def route(method: str, path: str) -> Callable[[View], View]:
    """One of our routes. The media type of a body is for `parse_body` to judge, not for Chalice."""

    def register(view: View) -> View:
        registered: View = app.route(path, methods=[method], content_types=["*/*"])(answers_problems(view))
        return registered

    return register


def current() -> Request:
    """The request under way."""
    assert app.current_request is not None
    return app.current_request


# Properties


@route("POST", "/properties")
def register_property() -> Response:
    request = current()
    body = parsing.parse_body(RegisterPropertyInput, request)
    key = parsing.idempotency_key(request, body)
    outcome = services().portfolio.register(body.to_details(), body.id, key)
    return property_created(request, outcome.result, outcome.replayed)


@route("GET", "/properties")
def get_properties() -> Response:
    return list_properties(current(), services().portfolio, services().signer)


@route("GET", "/properties/{property_id}")
def get_property(property_id: str) -> Response:
    request = current()
    no_query(parsing.query_values(request))
    property = services().portfolio.get(parsing.property_id(property_id))
    visits = services().listing.upcoming(property.id)
    everything = all_visits_url(request, services().listing.all_visits_of(property.id))
    output = PropertyOutput.of(property, visits, everything)
    return tagged(request, output, etag(property.version, visits))


@route("PUT", "/properties/{property_id}")
def put_property(property_id: str) -> Response:
    request = current()
    chosen = parsing.property_id(property_id)
    details = parsing.parse_body(PropertyInput, request).to_details()
    if must_be_new(request.headers):
        return property_created(request, services().portfolio.create(chosen, details))
    property = services().portfolio.replace(chosen, details, required_versions(request.headers))
    return json_answer(PropertyOutput.of(property), {"ETag": etag(property.version)})


@route("GET", "/properties/{property_id}/busy")
def get_busy(property_id: str) -> Response:
    query = BusyQuery.parse(parsing.query_values(current()))
    times = services().listing.busy(parsing.property_id(property_id), query.start, query.end)
    return json_answer(BusyOutput.of(times))


def property_created(request: Request, property: Property, replayed: bool = False) -> Response:
    output = PropertyOutput.of(property)
    return created(request, output, etag(property.version), "properties", property.id, replayed=replayed)


# Visits


@route("POST", "/visits")
def book_visit() -> Response:
    request = current()
    body = parsing.parse_body(BookVisitInput, request)
    if prefers_async(request):
        intake = services().intake.hand_in(submission_of_one(request, body))
        return accepted(request, intake, preference_applied=True)
    key = parsing.idempotency_key(request, body)
    outcome = services().booking.book(body.to_command(), key)
    visit = outcome.result
    return created(request, VisitOutput.of(visit), etag(visit.version), "visits", visit.id, replayed=outcome.replayed)


@route("GET", "/visits")
def get_visits() -> Response:
    return list_visits(current(), services().listing, services().signer)


@route("GET", "/visits/{visit_id}")
def get_visit(visit_id: str) -> Response:
    request = current()
    no_query(parsing.query_values(request))
    visit = services().booking.get(parsing.visit_id(visit_id))
    return tagged(request, VisitOutput.of(visit), etag(visit.version))


@route("PATCH", "/visits/{visit_id}")
def change_visit(visit_id: str) -> Response:
    request = current()
    expected = required_versions(request.headers)
    change = parsing.parse_body(ChangeVisitInput, request, parsing.MERGE_PATCH).to_change()
    return visit_answer(services().booking.change(parsing.visit_id(visit_id), change, expected))


@route("PUT", "/visits/{visit_id}/status")
def put_status(visit_id: str) -> Response:
    request = current()
    expected = optional_versions(request.headers)
    body = parsing.parse_body(StatusInput, request)
    wanted = Status(body.status)
    return visit_answer(services().booking.change_status(parsing.visit_id(visit_id), wanted, body.reason, expected))


@route("DELETE", "/visits/{visit_id}/visitor")
def erase_visitor(visit_id: str) -> Response:
    request = current()
    expected = optional_versions(request.headers)
    visit = services().booking.erase_visitor(parsing.visit_id(visit_id), expected)
    return no_content(etag(visit.version))


# Intakes


@route("POST", "/intakes")
def hand_in() -> Response:
    request = current()
    return accepted(request, services().intake.hand_in(submission(request)))


@route("GET", "/intakes/{intake_id}")
def get_intake(intake_id: str) -> Response:
    request = current()
    no_query(parsing.query_values(request))
    return intake_answer(request, services().intake.look_up(parsing.intake_id(intake_id)))


@route("GET", "/intakes/{intake_id}/results")
def get_results(intake_id: str) -> Response:
    return results_answer(current(), services().intake, services().signer, parsing.intake_id(intake_id))


@app.on_sqs_message(queue=queue_of_stage(os.environ), batch_size=10, maximum_concurrency=10)
def work_off_queue(event: SQSEvent) -> None:
    work_off(event, services().worker, services().queue, services().clock)


# The service itself


@route("GET", "/health")
def get_health() -> Response:
    services().store.ping()
    return json_answer(HealthOutput(status="ok"))
