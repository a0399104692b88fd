"""Every entry point, and nothing else: a route is its address, its contract and one line."""

from __future__ import annotations

import os
from collections.abc import Callable

from chalice.app import AuthRequest, AuthResponse, Chalice, Request, Response, SQSEvent

from chalicelib import cold_start
from chalicelib.api import availability, calendars, exports, intakes, properties, service, sheets, visits, wishes
from chalicelib.container import api_keys, services
from chalicelib.domain import errors
from chalicelib.domain import sheets as sheet_errors
from chalicelib.domain.api_keys import Scope
from chalicelib.events import intake_queue, sheet_queue
from chalicelib.functions import Function
from chalicelib.http import parsing
from chalicelib.http.contract import Condition, Contract, File
from chalicelib.http.cors import answer_preflights, shared_with
from chalicelib.http.errors import NotAcceptable
from chalicelib.http.guard import CACHED_SECONDS, PUBLIC, Public, admission, bearer_token, guarded
from chalicelib.http.problems import answers_problems, shape_framework_answers
from chalicelib.http.queries import NoQuery, PageQuery
from chalicelib.http.request_line import one_line_each
from chalicelib.journal import faults_told, told
from chalicelib.settings import origins_of_stage, queue_of_stage, sheet_queue_of_stage

# The journal says what there is to say; Chalice would log the messages of exceptions.
app = Chalice(app_name="visits", configure_logs=False)
app.api.binary_types[:] = exports.BINARY_TYPES
app.middleware("http")(one_line_each)
app.middleware("http")(shared_with(origins_of_stage(os.environ)))
app.middleware("http")(shape_framework_answers)

View = Callable[..., Response]

required: dict[tuple[str, str], Scope | Public] = {}
"""The scope every route requires, by method and path."""


@app.authorizer(ttl_seconds=CACHED_SECONDS)
@faults_told(Function.AUTHORIZER)
def bearer_key(request: AuthRequest) -> AuthResponse:
    return told(admission(api_keys().authenticate(bearer_token(request.token))))


def route(method: str, path: str, scope: Scope | Public) -> Callable[[View], View]:
    """One of our routes, and what a key must be good for to call it; without saying so there is no route.

    Whoever may GET may ask for the HEAD alone: it is the same answer, whose body the gateway leaves out.

    The media type of a body is for `parse_body` to judge, not for Chalice.
    """
    methods = ["GET", "HEAD"] if method == "GET" else [method]

    def register(view: View) -> View:
        required.update({(each, path): scope for each in methods})
        public = scope == PUBLIC
        view = answers_problems(view if public else guarded(Scope(scope), current)(view))
        authorizer = None if public else bearer_key
        registered: View = app.route(path, methods=methods, content_types=["*/*"], authorizer=authorizer)(view)
        return registered

    return register


def current() -> Request:
    """The request under way."""
    assert app.current_request is not None
    return app.current_request


# Properties


@route("POST", "/properties", Scope.WRITE)
@Contract(
    takes=properties.RegisterPropertyInput,
    gives={201: properties.PropertyOutput},
    refuses=(errors.PropertyExists,),
    idempotent=True,
)
def register_property() -> Response:
    """Register a property, with your own id or a generated one."""
    return properties.register(current(), services())


@route("GET", "/properties", Scope.READ)
@Contract(query=PageQuery, gives={200: properties.PropertyPage})
def list_properties() -> Response:
    """List properties, ordered by id."""
    return properties.list_all(current(), services())


@route("GET", "/properties/{property_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: properties.PropertyOutput}, condition=Condition.TAGGED)
def get_property(property_id: str) -> Response:
    """Read a property with its next visits.

    `visits` are the next 20 that hold their slots, out of the next 5,000; `links.visits` lists them all. The `ETag`
    covers the visits too; sent as `If-Match` it only compares the property.
    """
    return properties.get(current(), services(), property_id)


@route("PUT", "/properties/{property_id}", Scope.WRITE)
@Contract(
    takes=properties.PropertyInput,
    gives={200: properties.PropertyOutput, 201: properties.PropertyOutput},
    condition=Condition.MATCH_OR_NEW,
)
def put_property(property_id: str) -> Response:
    """Create or replace a property.

    A changed `capacity` or `visitsAllowed` applies to later bookings. A corrected `address` or `timeZone` is copied to
    the upcoming visits at that address; if there are too many for one request, `visitsBehind` is set and the same
    request with the new `ETag` continues. You can send back what you read: read-only fields must be unchanged.
    """
    return properties.put(current(), services(), property_id)


@route("GET", "/properties/{property_id}/busy", Scope.READ)
@Contract(query=availability.BusyQuery, gives={200: availability.BusyOutput})
def get_busy(property_id: str) -> Response:
    """Read when a property is taken.

    In whole quarter hours, without visitors' data; 7 days by default, at most 31.
    """
    return availability.busy(current(), services(), property_id)


@route("PUT", "/properties/{property_id}/calendar-token", Scope.WRITE)
@Contract(query=NoQuery, gives={200: calendars.CalendarTokenOutput})
def share_calendar(property_id: str) -> Response:
    """Share a property's calendar at a new address.

    The address is shown only once; the previous one stops working.
    """
    return calendars.share(current(), services(), property_id)


@route("DELETE", "/properties/{property_id}/calendar-token", Scope.WRITE)
@Contract(query=NoQuery, gives={204: None})
def withdraw_calendar(property_id: str) -> Response:
    """Stop sharing a property's calendar."""
    return calendars.withdraw(current(), services(), property_id)


@route("GET", "/properties/{property_id}/calendar.ics", PUBLIC)
@Contract(
    query=calendars.FeedQuery,
    gives={200: File(("text/calendar",))},
    refuses=(errors.FeedNotFound, errors.ExportTooLarge),
    condition=Condition.TAGGED,
)
def get_calendar(property_id: str) -> Response:
    """Subscribe to a property's calendar.

    For calendar programs: the token is the key. Shows when visits are, never whose; may be five minutes old. Other
    parameters are ignored.
    """
    return calendars.read(current(), services(), property_id)


# Visits


@route("POST", "/visits", Scope.WRITE)
@Contract(
    takes=wishes.BookVisitInput,
    gives={201: visits.VisitOutput, 202: intakes.IntakeOutput},
    refuses=(errors.PropertyNotFound, errors.VisitsNotAllowed, errors.SlotTaken, errors.HandedIn),
    idempotent=True,
)
def book_visit() -> Response:
    """Book a visit and hold its time.

    `propertyId`, `date` and `place` are enough. Of concurrent requests for the same time, as many succeed as the
    property has capacity; the others get 409 `slot-taken` with the conflicting interval.
    """
    return visits.book(current(), services())


@route("GET", "/visits", Scope.READ)
@Contract(query=visits.VisitQuery, gives={200: visits.VisitPage})
def list_visits() -> Response:
    """List visits, ordered by start.

    The default range is from 31 days ago to 92 days ahead, fixed by the first page. Without `propertyId` or `agentId`
    it is at most 366 days. A visit appears here moments after it was written.
    """
    return visits.list_all(current(), services())


@route("GET", "/visits/export", Scope.READ)
@Contract(
    query=exports.ExportQuery,
    gives={200: File(exports.MEDIA_TYPES)},
    refuses=(errors.ExportTooLarge, NotAcceptable),
    headers={200: ("Content-Disposition",)},
)
def export_visits() -> Response:
    """Export visits as CSV, XLSX or iCalendar.

    The rows of the list with the same filters, in the same order; at most 10,000 rows and 4 MB.
    """
    return exports.take_away(current(), services())


@route("GET", "/visits/{visit_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: visits.VisitOutput}, condition=Condition.TAGGED)
def get_visit(visit_id: str) -> Response:
    """Read a visit."""
    return visits.get(current(), services(), visit_id)


@route("PATCH", "/visits/{visit_id}", Scope.WRITE)
@Contract(
    takes=visits.ChangeVisitInput,
    media_types=parsing.MERGE_PATCH[:1],
    gives={200: visits.VisitOutput},
    refuses=(errors.PropertyNotFound, errors.VisitsNotAllowed, errors.SlotTaken, errors.SlotsReleased),
    condition=Condition.MATCH,
)
def change_visit(visit_id: str) -> Response:
    """Change a visit; a new date reschedules it.

    A merge patch (RFC 7396), also accepted as `application/json`: omitted fields stay, null removes. The id never
    changes; the old time is free as soon as the new one is held. Date, duration and agent can only change while the
    visit holds its time. You can send back what you read: read-only fields must be unchanged.
    """
    return visits.change(current(), services(), visit_id)


@route("PUT", "/visits/{visit_id}/status", Scope.WRITE)
@Contract(
    takes=visits.StatusInput,
    gives={200: visits.VisitOutput},
    refuses=(errors.TransitionNotAllowed, errors.VisitNotStarted),
    condition=Condition.MAY_MATCH,
)
def change_status(visit_id: str) -> Response:
    """Confirm, decline, cancel or complete a visit.

    `requested` becomes `confirmed`, `declined` or `cancelled`; `confirmed` becomes `completed`, `no_show` or
    `cancelled`; `completed` and `no_show` can be swapped to correct a mistake. Setting the current status changes
    nothing. Only `requested` and `confirmed` hold their time, so nothing leads back to them.
    """
    return visits.change_status(current(), services(), visit_id)


@route("DELETE", "/visits/{visit_id}/visitor", Scope.ADMIN)
@Contract(gives={204: None}, condition=Condition.MAY_MATCH)
def erase_visitor(visit_id: str) -> Response:
    """Erase the visitor's data.

    Removes the visitor, the notes and the cancellation reason; the visit stays.
    """
    return visits.erase_visitor(current(), services(), visit_id)


# Intakes


@route("POST", "/intakes", Scope.WRITE)
@Contract(
    takes=intakes.IntakeInput, media_types=intakes.MEDIA_TYPES, gives={202: intakes.IntakeOutput}, idempotent=True
)
def hand_in() -> Response:
    """Submit up to 1,000 visits at once.

    At most 4,500,000 bytes. Only the envelope is validated now; an invalid row is reported in its result. With an
    `Idempotency-Key` the same rows again are the same intake; without one they are another. Poll after `Retry-After`.
    """
    return intakes.hand_in(current(), services())


@route("GET", "/intakes/{intake_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: intakes.IntakeOutput}, headers={200: ("Retry-After",)})
def get_intake(intake_id: str) -> Response:
    """Read the progress of an intake.

    While it is `queued` or `running` the answer has a `Retry-After`. Intakes are kept for 30 days.
    """
    return intakes.get(current(), services(), intake_id)


@route("GET", "/intakes/{intake_id}/results", Scope.READ)
@Contract(query=PageQuery, gives={200: intakes.RowOutcomePage})
def list_results(intake_id: str) -> Response:
    """List the results of an intake's rows.

    Ordered by row; complete once the intake is `done` or `failed`.
    """
    return intakes.results(current(), services(), intake_id)


@app.on_sqs_message(queue=queue_of_stage(os.environ), batch_size=10, maximum_concurrency=10)
@faults_told(Function.WORKER)
def work_off_queue(event: SQSEvent) -> intake_queue.BatchResponse | None:
    return intake_queue.work_off(event, services())


# Sheets


@route("POST", "/sheets", Scope.WRITE)
@Contract(
    takes=sheets.AnnounceSheetInput,
    gives={201: sheets.AnnouncedSheetOutput},
    refuses=(errors.PropertyNotFound, sheet_errors.SheetRepeated),
)
def announce_sheet() -> Response:
    """Announce a list of visits, a picture or a file, and get a form to upload it with.

    Upload it within ten minutes: a JPEG, a PNG or a PDF of one page up to 10 MB; a CSV, NDJSON or XLSX file up to 5 MB
    and 1,000 rows. Then poll the sheet until it is in `review`.
    """
    return sheets.announce(current(), services())


@route("GET", "/sheets", Scope.READ)
@Contract(query=PageQuery, gives={200: sheets.SheetPage})
def list_sheets() -> Response:
    """List sheets, the newest first."""
    return sheets.list_all(current(), services())


@route("GET", "/sheets/{sheet_id}", Scope.READ)
@Contract(query=NoQuery, gives={200: sheets.SheetOutput}, condition=Condition.TAGGED)
def get_sheet(sheet_id: str) -> Response:
    """Read a sheet without its rows.

    Kept for 90 days; its file or picture for 30.
    """
    return sheets.get(current(), services(), sheet_id)


@route("DELETE", "/sheets/{sheet_id}", Scope.WRITE)
@Contract(query=NoQuery, gives={204: None})
def delete_sheet(sheet_id: str) -> Response:
    """Delete a sheet with its rows, file and picture, at once. Visits that were registered stay."""
    return sheets.delete(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/rows", Scope.READ)
@Contract(query=PageQuery, gives={200: sheets.SheetRowPage}, refuses=(sheet_errors.SheetNotReady,))
def list_sheet_rows(sheet_id: str) -> Response:
    """List the rows of a sheet, with what was written, what was understood and what is doubtful."""
    return sheets.rows(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/rows/{row}", Scope.READ)
@Contract(
    query=NoQuery,
    gives={200: sheets.SheetRowOutput},
    refuses=(sheet_errors.SheetNotReady,),
    condition=Condition.TAGGED,
)
def get_sheet_row(sheet_id: str, row: str) -> Response:
    """Read a row of a sheet."""
    return sheets.get_row(current(), services(), sheet_id, row)


@route("PATCH", "/sheets/{sheet_id}/rows/{row}", Scope.WRITE)
@Contract(
    takes=sheets.CorrectRowInput,
    media_types=parsing.MERGE_PATCH[:1],
    gives={200: sheets.SheetRowOutput},
    refuses=(sheet_errors.SheetNotReady, sheet_errors.SheetRowRegistered),
    condition=Condition.MATCH,
)
def correct_sheet_row(sheet_id: str, row: str) -> Response:
    """Correct a row, or confirm it with `{}`: either marks it as reviewed.

    A merge patch (RFC 7396), also accepted as `application/json`. Which property is meant by what was written is
    remembered for later sheets.
    """
    return sheets.correct(current(), services(), sheet_id, row)


@route("PUT", "/sheets/{sheet_id}/reading", Scope.WRITE)
@Contract(
    takes=sheets.ReadingInput,
    gives={200: sheets.SheetOutput},
    refuses=(errors.PropertyNotFound, sheet_errors.SheetNotReady, sheet_errors.SheetFileGone),
    condition=Condition.MAY_MATCH,
)
def read_sheet_anew(sheet_id: str) -> Response:
    """Read a sheet anew with another zone, order of day and month, meaning of columns or property.

    The picture is not recognised again, rows keep their numbers, and those that somebody has reviewed stay as they are.
    """
    return sheets.read_anew(current(), services(), sheet_id)


@route("POST", "/sheets/{sheet_id}/register", Scope.WRITE)
@Contract(
    takes=sheets.RegisterSheetInput,
    gives={202: intakes.IntakeOutput},
    refuses=(sheet_errors.SheetNotReady, sheet_errors.SheetRepeated, sheet_errors.NothingToRegister),
)
def register_sheet(sheet_id: str) -> Response:
    """Register the rows that are reviewed and complete, as an intake.

    Called twice, or at once, it is the same intake: one visit a row. Rows that were rejected can be corrected and
    registered again.
    """
    return sheets.register(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/export", Scope.READ)
@Contract(
    query=sheets.ExportSheetQuery,
    gives={200: File((exports.XLSX,))},
    refuses=(sheet_errors.SheetNotReady, errors.ExportTooLarge, NotAcceptable),
    headers={200: ("Content-Disposition",)},
)
def export_sheet(sheet_id: str) -> Response:
    """Export a sheet as XLSX: its visits, and the table as it was written."""
    return sheets.export(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/picture", Scope.READ)
@Contract(
    query=NoQuery,
    gives={200: sheets.PictureOutput},
    refuses=(sheet_errors.SheetNotReady, sheet_errors.SheetFileGone),
)
def get_sheet_picture(sheet_id: str) -> Response:
    """Get a link to the picture of a sheet, good for five minutes."""
    return sheets.picture(current(), services(), sheet_id)


@app.on_sqs_message(queue=sheet_queue_of_stage(os.environ), batch_size=1, maximum_concurrency=2)
@faults_told(Function.READER)
def read_sheet(event: SQSEvent) -> intake_queue.BatchResponse | None:
    return sheet_queue.read_sheets(event, services())


# The service itself


@route("GET", "/health", PUBLIC)
@Contract(gives={200: service.HealthOutput})
def get_health() -> Response:
    """Check that the service and its table answer."""
    return service.health(services())


@route("GET", "/openapi.json", PUBLIC)
@Contract(gives={200: File(("application/json",))}, condition=Condition.TAGGED)
def get_openapi() -> Response:
    """Read this document."""
    return service.contract(current())


answer_preflights(app, origins_of_stage(os.environ))
cold_start.over()
