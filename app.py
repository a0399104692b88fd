"""Entry points only: every route parses, calls one use case, and answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from chalice.app import AuthRequest, AuthResponse, Chalice, Request, Response, SQSEvent

from chalicelib import cold_start
from chalicelib.container import access, services
from chalicelib.domain import errors
from chalicelib.domain.access import Scope
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.properties import Property
from chalicelib.domain.visits import Status
from chalicelib.edge import exports, intakes, lists, parsing
from chalicelib.edge.access import CACHED_SECONDS, PUBLIC, Public, admission, bearer_token, guarded
from chalicelib.edge.answers import created, json_answer, no_content, tagged, visit_answer
from chalicelib.edge.contract import Condition, Contract, Document, File
from chalicelib.edge.cors import answer_preflights, shared_with
from chalicelib.edge.errors import NotAcceptable
from chalicelib.edge.feeds import feed_answer, token_answer
from chalicelib.edge.inputs import (
    BookVisitInput,
    ChangeVisitInput,
    IntakeInput,
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
from chalicelib.edge.journal import Function, faults_told, note, one_line_each, told
from chalicelib.edge.messages import BatchResponse, report_failures, work_off
from chalicelib.edge.outputs import (
    BusyOutput,
    CalendarTokenOutput,
    HealthOutput,
    IntakeOutput,
    PropertyOutput,
    PropertyPage,
    RowOutcomePage,
    VisitOutput,
    VisitPage,
)
from chalicelib.edge.preconditions import etag, must_be_new, optional_versions, required_versions
from chalicelib.edge.problems import answers_problems, shape_framework_answers
from chalicelib.edge.queries import BusyQuery, ExportQuery, FeedQuery, NoQuery, PageQuery, VisitQuery, no_query
from chalicelib.edge.urls import all_visits_url
from chalicelib.settings import origins_of_stage, queue_of_stage, reports_failures

# The journal says what there is to say; Chalice would log the messages of exceptions.
app = Chalice(app_name="visits", configure_logs=False)
app.api.binary_types[:] = exports.BINARY_TYPES
app.middleware("http")(one_line_each)
app.middleware("http")(shared_with(origins_of_stage(os.environ)))
app.middleware("http")(shape_framework_answers)

View = Callable[..., Response]

required: dict[tuple[str, str], Scope | Public] = {}
"""What every route asks of its caller, by method and path."""


@app.authorizer(ttl_seconds=CACHED_SECONDS)
@faults_told(Function.AUTHORIZER)
def bearer_key(request: AuthRequest) -> AuthResponse:
    return told(admission(access().authenticate(bearer_token(request.token))))


def route(method: str, path: str, scope: Scope | Public) -> Callable[[View], View]:
    """One of our routes, and what a key must be good for to call it; without saying so there is no route.

    The media type of a body is for `parse_body` to judge, not for Chalice.
    """

    def register(view: View) -> View:
        required[method, path] = scope
        public = scope == PUBLIC
        view = answers_problems(view if public else guarded(Scope(scope), current)(view))
        authorizer = None if public else bearer_key
        registered: View = app.route(path, methods=[method], content_types=["*/*"], authorizer=authorizer)(view)
        return registered

    return register


def current() -> Request:
    """The request under way."""
    assert app.current_request is not None
    return app.current_request


# Properties


@route("POST", "/properties", Scope.WRITE)
@Contract(takes=RegisterPropertyInput, gives={201: PropertyOutput}, refuses=(errors.PropertyExists,), idempotent=True)
def register_property() -> Response:
    """Register a property, under an id of your own or one that we give."""
    request = current()
    body = parsing.parse_body(RegisterPropertyInput, request)
    key = parsing.idempotency_key(request, body)
    outcome = services().portfolio.register(body.to_details(), body.id, key)
    return property_created(request, outcome.result, outcome.replayed)


@route("GET", "/properties", Scope.READ)
@Contract(query=PageQuery, gives={200: PropertyPage})
def list_properties() -> Response:
    """List the properties, by id."""
    return lists.list_properties(current(), services().portfolio, services().signer)


@route("GET", "/properties/{property_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: PropertyOutput}, condition=Condition.TAGGED)
def get_property(property_id: str) -> Response:
    """Read a property with its next visits.

    `visits` are the next 20 that hold their slots, `links.visits` the address of all of them. The `ETag` names the
    visits too; as `If-Match` it stands for the property alone.
    """
    request = current()
    no_query(parsing.query_values(request))
    property = services().portfolio.get(parsing.property_id(property_id))
    visits = services().listing.upcoming(property.id)
    everything = all_visits_url(request, services().listing.all_visits_of(property.id))
    output = PropertyOutput.of(property, visits, everything)
    return tagged(request, output, etag(property.version, visits))


@route("PUT", "/properties/{property_id}", Scope.WRITE)
@Contract(takes=PropertyInput, gives={200: PropertyOutput, 201: PropertyOutput}, condition=Condition.MATCH_OR_NEW)
def put_property(property_id: str) -> Response:
    """Create or replace a property.

    A changed `capacity` or `visitsAllowed` counts for the bookings that come after it.
    """
    request = current()
    details = parsing.parse_body(PropertyInput, request).to_details()
    if must_be_new(request.headers):
        return property_created(request, services().portfolio.create(parsing.new_property_id(property_id), details))
    chosen = parsing.property_id(property_id)
    property = services().portfolio.replace(chosen, details, required_versions(request.headers, may_be_new=True))
    return json_answer(PropertyOutput.of(property), {"ETag": etag(property.version)})


@route("GET", "/properties/{property_id}/busy", Scope.READ)
@Contract(query=BusyQuery, gives={200: BusyOutput})
def get_busy(property_id: str) -> Response:
    """Look when a property is taken.

    In whole quarter hours and without a word about visitors; the next 7 days unless told otherwise, 31 at most.
    """
    query = BusyQuery.parse(parsing.query_values(current()))
    times = services().listing.busy(parsing.property_id(property_id), query.start, query.end)
    return json_answer(BusyOutput.of(times))


@route("PUT", "/properties/{property_id}/calendar-token", Scope.WRITE)
@Contract(query=NoQuery, gives={200: CalendarTokenOutput})
def share_calendar(property_id: str) -> Response:
    """Share a property's calendar at a new address.

    The address is shown this once, and the one before it is worthless from now on.
    """
    request = current()
    no_query(parsing.query_values(request))
    chosen = parsing.property_id(property_id)
    return token_answer(request, chosen, services().feeds.share(chosen))


@route("DELETE", "/properties/{property_id}/calendar-token", Scope.WRITE)
@Contract(query=NoQuery, gives={204: None})
def withdraw_calendar(property_id: str) -> Response:
    """Stop sharing a property's calendar."""
    no_query(parsing.query_values(current()))
    services().feeds.withdraw(parsing.property_id(property_id))
    return Response("", status_code=204)


@route("GET", "/properties/{property_id}/calendar.ics", PUBLIC)
@Contract(
    query=FeedQuery,
    gives={200: File(("text/calendar",))},
    refuses=(errors.FeedNotFound, errors.ExportTooLarge),
    condition=Condition.TAGGED,
)
def get_calendar(property_id: str) -> Response:
    """Subscribe to a property's calendar.

    For calendar programs: the token is the key. It shows when visits are, never whose, and may be five minutes behind.
    """
    return feed_answer(current(), services().feeds, property_id)


def property_created(request: Request, property: Property, replayed: bool = False) -> Response:
    output = PropertyOutput.of(property)
    return created(request, output, etag(property.version), "properties", property.id, replayed=replayed)


# Visits


@route("POST", "/visits", Scope.WRITE)
@Contract(
    takes=BookVisitInput,
    gives={201: VisitOutput, 202: IntakeOutput},
    refuses=(errors.PropertyNotFound, errors.VisitsNotAllowed, errors.SlotTaken, errors.HandedIn),
    idempotent=True,
)
def book_visit() -> Response:
    """Book a visit and hold its time.

    `propertyId`, `date` and `place` are enough. Of those who want the same time at once, as many win as the property
    has capacity; the others get 409 `slot-taken` with the interval that they met.
    """
    request = current()
    body = parsing.parse_body(BookVisitInput, request)
    note(propertyId=body.property_id)
    if prefers_async(request):
        with suppress(AlreadyDone):  # booked at once, and told so again below
            return accepted(request, services().intake.hand_in(submission_of_one(request, body)), "respond-async")
    outcome = services().booking.book(body.to_command(), parsing.idempotency_key(request, body))
    visit = outcome.result
    return created(request, VisitOutput.of(visit), etag(visit.version), "visits", visit.id, replayed=outcome.replayed)


@route("GET", "/visits", Scope.READ)
@Contract(query=VisitQuery, gives={200: VisitPage})
def list_visits() -> Response:
    """List visits, by start.

    Without `from` and `to`: 31 days back to 92 ahead, frozen by the first page. Without `propertyId` or `agentId` at
    most 366 days. A visit appears here moments after it was written.
    """
    return lists.list_visits(current(), services().listing, services().signer)


@route("GET", "/visits/export", Scope.READ)
@Contract(
    query=ExportQuery,
    gives={200: File(exports.MEDIA_TYPES)},
    refuses=(errors.ExportTooLarge, NotAcceptable),
    headers={200: ("Content-Disposition",)},
)
def export_visits() -> Response:
    """Take visits away as CSV, XLSX or iCalendar.

    The rows of the list with the same filters, in the same order; at most 10,000 of them and 4 MB.
    """
    return exports.export_visits(current(), services().listing, services().exporting)


@route("GET", "/visits/{visit_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: VisitOutput}, condition=Condition.TAGGED)
def get_visit(visit_id: str) -> Response:
    """Read a visit."""
    request = current()
    no_query(parsing.query_values(request))
    visit = services().booking.get(parsing.visit_id(visit_id))
    return tagged(request, VisitOutput.of(visit), etag(visit.version))


@route("PATCH", "/visits/{visit_id}", Scope.WRITE)
@Contract(
    takes=ChangeVisitInput,
    media_types=parsing.MERGE_PATCH[:1],
    gives={200: VisitOutput},
    refuses=(errors.PropertyNotFound, errors.VisitsNotAllowed, errors.SlotTaken, errors.SlotsReleased),
    condition=Condition.MATCH,
)
def change_visit(visit_id: str) -> Response:
    """Change a visit; a new date reschedules it.

    A merge patch (RFC 7396), taken as `application/json` too: what is not given stays, null takes away. The id stays,
    whatever changes; the old time is free as soon as the new one is held. Date, duration and agent only change while
    the visit holds its time.
    """
    request = current()
    expected = required_versions(request.headers)
    change = parsing.parse_body(ChangeVisitInput, request, parsing.MERGE_PATCH).to_change()
    return visit_answer(services().booking.change(parsing.visit_id(visit_id), change, expected))


@route("PUT", "/visits/{visit_id}/status", Scope.WRITE)
@Contract(
    takes=StatusInput,
    gives={200: VisitOutput},
    refuses=(errors.TransitionNotAllowed, errors.VisitNotStarted),
    condition=Condition.MAY_MATCH,
)
def change_status(visit_id: str) -> Response:
    """Confirm, decline, cancel or complete a visit.

    `requested` becomes `confirmed`, `declined` or `cancelled`; `confirmed` becomes `completed`, `no_show` or
    `cancelled`. Asking for the status that it has changes nothing. Only `requested` and `confirmed` hold their time.
    """
    request = current()
    expected = optional_versions(request.headers)
    body = parsing.parse_body(StatusInput, request)
    wanted = Status(body.status)
    return visit_answer(services().booking.change_status(parsing.visit_id(visit_id), wanted, body.reason, expected))


@route("DELETE", "/visits/{visit_id}/visitor", Scope.ADMIN)
@Contract(gives={204: None}, condition=Condition.MAY_MATCH)
def erase_visitor(visit_id: str) -> Response:
    """Erase what is known of the visitor.

    Visitor, notes and the reason of a cancellation go; the visit stays.
    """
    request = current()
    expected = optional_versions(request.headers)
    visit = services().booking.erase_visitor(parsing.visit_id(visit_id), expected)
    return no_content(etag(visit.version))


# Intakes


@route("POST", "/intakes", Scope.WRITE)
@Contract(takes=IntakeInput, media_types=intakes.MEDIA_TYPES, gives={202: IntakeOutput}, idempotent=True)
def hand_in() -> Response:
    """Hand in up to 1,000 visits at once.

    In 4,500,000 bytes at most. Only the envelope is judged now; what is wrong with a row becomes its result. With an
    `Idempotency-Key` the same rows again are the same intake; without one they are another. Look again after
    `Retry-After`.
    """
    request = current()
    return accepted(request, services().intake.hand_in(submission(request)))


@route("GET", "/intakes/{intake_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: IntakeOutput}, headers={200: ("Retry-After",)})
def get_intake(intake_id: str) -> Response:
    """See how far an intake is.

    While it is `queued` or `running` there is a `Retry-After`. Intakes are kept for 30 days.
    """
    request = current()
    no_query(parsing.query_values(request))
    return intake_answer(request, services().intake.look_up(parsing.intake_id(intake_id)))


@route("GET", "/intakes/{intake_id}/results", Scope.READ)
@Contract(query=PageQuery, gives={200: RowOutcomePage})
def list_results(intake_id: str) -> Response:
    """List what became of the rows of an intake.

    By row; complete once the intake is `done` or `failed`.
    """
    return results_answer(current(), services().intake, services().signer, parsing.intake_id(intake_id))


@app.on_sqs_message(queue=queue_of_stage(os.environ), batch_size=10, maximum_concurrency=10)
@faults_told(Function.WORKER)
def work_off_queue(event: SQSEvent) -> BatchResponse | None:
    if reports_failures(os.environ):
        return report_failures(event, services().worker, services().clock, services().signer)
    work_off(event, services().worker, services().queue, services().clock, services().signer)
    return None


# The service itself


@route("GET", "/health", PUBLIC)
@Contract(gives={200: HealthOutput})
def get_health() -> Response:
    """See whether the service and its store answer."""
    services().store.ping()
    return json_answer(HealthOutput(status="ok"))


@route("GET", "/openapi.json", PUBLIC)
@Contract(gives={200: File(("application/json",))}, condition=Condition.TAGGED)
def get_openapi() -> Response:
    """Read this document."""
    return document.answer(current())


document = Document(app, required)
answer_preflights(app, origins_of_stage(os.environ))
cold_start.over()
