"""Every entry point, and nothing else: a route is its address, its contract and one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from chalice.app import (
    AuthRequest,
    AuthResponse,
    Chalice,
    CloudWatchEvent,
    DynamoDBEvent,
    Rate,
    Request,
    Response,
    SQSEvent,
)

from chalicelib import api, cold_start, events, http
from chalicelib.container import callers, make_ready, services
from chalicelib.domain import errors
from chalicelib.domain.api_keys import Scope
from chalicelib.functions import Function
from chalicelib.http.contract import Condition, Contract, File, promises
from chalicelib.http.cors import answer_preflights, shared_with
from chalicelib.http.errors import InvalidCursor
from chalicelib.http.guard import (
    CACHED_SECONDS,
    CALLER,
    PUBLIC,
    VISITOR,
    Access,
    admission,
    admitting,
    bearer_token,
    by_authorizer,
)
from chalicelib.http.headers import BINARY_TYPES
from chalicelib.http.problems import answers_problems, shape_framework_answers
from chalicelib.http.request_line import one_line_each
from chalicelib.journal import faults_told, told
from chalicelib.on_demand import load_all
from chalicelib.settings import (
    notice_queue_of_stage,
    origins_of_stage,
    queue_of_stage,
    sheet_queue_of_stage,
    stream_of_stage,
    webhook_queue_of_stage,
)

if TYPE_CHECKING:
    from chalicelib.domain.visitor_links import Link
    from chalicelib.domain.visits import Visit
    from chalicelib.events.batches import BatchResponse

# The journal says what there is to say; Chalice would log the messages of exceptions.
app = Chalice(app_name="visits", configure_logs=False)
app.api.binary_types[:] = BINARY_TYPES
app.middleware("http")(one_line_each)
app.middleware("http")(shared_with(origins_of_stage(os.environ)))
app.middleware("http")(shape_framework_answers)

View = Callable[..., Response]

required: dict[tuple[str, str], Scope | Access] = {}
"""What every route requires, by method and path: the scope of a key, a visitor's link, or nothing."""


@app.authorizer(ttl_seconds=CACHED_SECONDS)
@faults_told(Function.AUTHORIZER)
def bearer_key(request: AuthRequest) -> AuthResponse:
    return told(admission(callers().authenticate(bearer_token(request.token))))


def route(method: str, path: str, scope: Scope | Access) -> Callable[[View], View]:
    """One of our routes, and what it takes to call it; without saying so there is no route.

    Whoever may GET may ask for the HEAD alone: it is the same answer, whose body the gateway leaves out.

    The media type of a body is for `parse_body` to judge, not for Chalice.
    """
    methods = ["GET", "HEAD"] if method == "GET" else [method]

    def register(view: View) -> View:
        required.update({(each, path): scope for each in methods})
        shown = answers_problems(admitting(scope, current, visit_of)(view))
        authorizer = bearer_key if by_authorizer(scope) else None
        registered: View = app.route(path, methods=methods, content_types=["*/*"], authorizer=authorizer)(shown)
        return registered

    return register


def current() -> Request:
    """The request under way."""
    assert app.current_request is not None
    return app.current_request


def visit_of(link: Link) -> Visit:
    """The visit that a visitor's link leads to."""
    return services().visitor_links.open(link)


# Properties


@route("POST", "/properties", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.properties.RegisterPropertyInput,
        gives={201: api.properties.PropertyOutput},
        refuses=(errors.PropertyExists,),
        idempotent=True,
    )
)
def register_property() -> Response:
    """Register a property, with your own id or a generated one."""
    return api.properties.register(current(), services())


@route("GET", "/properties", Scope.READ)
@promises(lambda: Contract(query=api.properties.PropertyQuery, gives={200: api.properties.PropertyPage}))
def list_properties() -> Response:
    """List properties, ordered by id."""
    return api.properties.list_all(current(), services())


@route("GET", "/properties/{property_id}", Scope.READ)
@promises(
    lambda: Contract(query=http.queries.NoQuery, gives={200: api.properties.PropertyOutput}, condition=Condition.TAGGED)
)
def get_property(property_id: str) -> Response:
    """Read a property with its next visits.

    `visits` are the next 20 that hold their slots, out of the next 5,000; `links.visits` lists them all, and
    `links.availability` is there once the property has rules. The `ETag` covers both too; sent as `If-Match` it only
    compares the property.
    """
    return api.properties.get(current(), services(), property_id)


@route("PUT", "/properties/{property_id}", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.properties.PropertyInput,
        gives={200: api.properties.PropertyOutput, 201: api.properties.PropertyOutput},
        condition=Condition.MATCH_OR_NEW,
    )
)
def put_property(property_id: str) -> Response:
    """Create or replace a property.

    A changed `capacity` or `visitsAllowed` applies to later bookings. A corrected `address` or `timeZone` is copied to
    the upcoming visits at that address; if there are too many for one request, `visitsBehind` is set and the same
    request with the new `ETag` continues. You can send back what you read: read-only fields must be unchanged.
    """
    return api.properties.put(current(), services(), property_id)


@route("GET", "/properties/{property_id}/availability", Scope.READ)
@promises(
    lambda: Contract(
        query=http.queries.NoQuery,
        gives={200: api.availability.AvailabilityOutput},
        refuses=(errors.AvailabilityNotFound,),
        condition=Condition.TAGGED,
    )
)
def get_availability(property_id: str) -> Response:
    """Read when a property may be visited."""
    return api.availability.get(current(), services(), property_id)


@route("PUT", "/properties/{property_id}/availability", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.availability.AvailabilityInput,
        gives={200: api.availability.AvailabilityOutput, 201: api.availability.AvailabilityOutput},
        condition=Condition.MATCH_OR_NEW,
    )
)
def put_availability(property_id: str) -> Response:
    """Say when a property may be visited.

    It counts for the bookings that come after it; visits that are booked stay, and hold the gap that they were booked
    with. As long as nobody has set anything, a property is open at all times. Local times are the property's: one that
    occurs twice is the first of the two, one that is skipped counts by the offset before.
    """
    return api.availability.put(current(), services(), property_id)


@route("GET", "/properties/{property_id}/slots", Scope.READ)
@promises(lambda: Contract(query=api.availability.SlotsQuery, gives={200: api.availability.SlotsOutput}))
def get_slots(property_id: str) -> Response:
    """Look when a property can be visited.

    Every start that can be booked now, in the next 7 days unless told otherwise, 31 at most: inside the hours, a whole
    number of steps from the opening, and free for the visit and the gap after it. If there is none, `reason` says which
    rule took the last of them. What was booked in the last moments may be missing.
    """
    return api.availability.slots(current(), services(), property_id)


@route("GET", "/properties/{property_id}/busy", Scope.READ)
@promises(lambda: Contract(query=api.availability.WindowQuery, gives={200: api.availability.BusyOutput}))
def get_busy(property_id: str) -> Response:
    """Read when a property is taken.

    In whole quarter hours, without visitors' data; 7 days by default, at most 31.
    """
    return api.availability.busy(current(), services(), property_id)


@route("GET", "/properties/{property_id}/booking-code", Scope.READ)
@promises(
    lambda: Contract(query=http.queries.NoQuery, gives={200: File((api.public.SVG,))}, refuses=(errors.NoBookingPage,))
)
def get_booking_code(property_id: str) -> Response:
    """Get a QR code of the address at which visitors book, for the board in front of the property.

    It leads there however the property is booked at the moment: see `publicBooking`.
    """
    return api.public.code(current(), services(), property_id)


@route("PUT", "/properties/{property_id}/calendar-token", Scope.WRITE)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.calendars.CalendarTokenOutput}))
def share_calendar(property_id: str) -> Response:
    """Share a property's calendar at a new address.

    The address is shown only once; the previous one stops working.
    """
    return api.calendars.share_property(current(), services(), property_id)


@route("DELETE", "/properties/{property_id}/calendar-token", Scope.WRITE)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={204: None}))
def withdraw_calendar(property_id: str) -> Response:
    """Stop sharing a property's calendar."""
    return api.calendars.withdraw(current(), services(), "property", property_id)


@route("GET", "/properties/{property_id}/calendar.ics", PUBLIC)
@promises(
    lambda: Contract(
        query=api.calendars.FeedQuery,
        gives={200: File(("text/calendar",))},
        refuses=(errors.FeedNotFound, errors.ExportTooLarge),
        condition=Condition.TAGGED,
    )
)
def get_calendar(property_id: str) -> Response:
    """Subscribe to a property's calendar.

    For calendar programs: the token is the key. Shows when visits are, never whose; may be five minutes old. Other
    parameters are ignored.
    """
    return api.calendars.read(current(), services(), "property", property_id)


# Agents


@route("GET", "/agents", Scope.READ)
@promises(lambda: Contract(query=http.queries.PageQuery, gives={200: api.agents.AgentPage}))
def list_agents() -> Response:
    """List agents, ordered by id."""
    return api.agents.list_all(current(), services())


@route("GET", "/agents/{agent_id}", Scope.READ)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.agents.AgentOutput}, condition=Condition.TAGGED))
def get_agent(agent_id: str) -> Response:
    """Read an agent."""
    return api.agents.get(current(), services(), agent_id)


@route("PUT", "/agents/{agent_id}", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.agents.AgentInput,
        gives={200: api.agents.AgentOutput, 201: api.agents.AgentOutput},
        condition=Condition.MATCH_OR_NEW,
    )
)
def put_agent(agent_id: str) -> Response:
    """Create or replace an agent.

    Hours and travel time apply to later bookings. Visits can name an agent that is not registered, who has neither. You
    can send back what you read: read-only fields must be unchanged.
    """
    return api.agents.put(current(), services(), agent_id)


@route("DELETE", "/agents/{agent_id}", Scope.ADMIN)
@promises(lambda: Contract(gives={204: None}, condition=Condition.MAY_MATCH))
def erase_agent(agent_id: str) -> Response:
    """Erase an agent's data.

    Removes name, e-mail address, phone number and hours, and stops sharing the calendar. The visits stay and keep the
    `agentId`, which works on as one that is not registered.
    """
    return api.agents.erase(current(), services(), agent_id)


@route("GET", "/agents/{agent_id}/busy", Scope.READ)
@promises(lambda: Contract(query=api.availability.WindowQuery, gives={200: api.agents.EngagementsOutput}))
def get_agent_busy(agent_id: str) -> Response:
    """Read when and where an agent is engaged, registered or not.

    In whole quarter hours, with the way to the next property, without visitors' data; 7 days by default, at most 31.
    What was booked in the last moments may be missing.
    """
    return api.agents.busy(current(), services(), agent_id)


@route("PUT", "/agents/{agent_id}/calendar-token", Scope.WRITE)
@promises(lambda: Contract(takes=api.calendars.AgentCalendarInput, gives={200: api.calendars.CalendarTokenOutput}))
def share_agent_calendar(agent_id: str) -> Response:
    """Share an agent's calendar at a new address.

    The address is shown only once; the previous one stops working. Visitors' names and phone numbers are in it only
    with `visitors`: whoever has the address reads them.
    """
    return api.calendars.share_agent(current(), services(), agent_id)


@route("DELETE", "/agents/{agent_id}/calendar-token", Scope.WRITE)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={204: None}))
def withdraw_agent_calendar(agent_id: str) -> Response:
    """Stop sharing an agent's calendar."""
    return api.calendars.withdraw(current(), services(), "agent", agent_id)


@route("GET", "/agents/{agent_id}/calendar.ics", PUBLIC)
@promises(
    lambda: Contract(
        query=api.calendars.FeedQuery,
        gives={200: File(("text/calendar",))},
        refuses=(errors.FeedNotFound, errors.ExportTooLarge),
        condition=Condition.TAGGED,
    )
)
def get_agent_calendar(agent_id: str) -> Response:
    """Subscribe to an agent's calendar.

    For calendar programs: the token is the key. Shows the visits with property, address and place; may be five minutes
    old. Other parameters are ignored.
    """
    return api.calendars.read(current(), services(), "agent", agent_id)


# Visits


@route("POST", "/visits", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.wishes.BookVisitInput,
        gives={201: api.visits.VisitOutput, 202: api.intakes.IntakeOutput},
        refuses=(
            errors.PropertyNotFound,
            errors.VisitsNotAllowed,
            errors.OutsideHours,
            errors.SlotTaken,
            errors.HandedIn,
        ),
        idempotent=True,
        lenient=True,
    )
)
def book_visit() -> Response:
    """Book a visit and hold its time.

    `propertyId`, `date` and `place` are enough. Of concurrent requests for the same time, as many succeed as the
    property has capacity; the others get 409 `slot-taken` with the conflicting interval. Outside the
    hours it is 409 `outside-hours` with the reason.
    """
    return api.visits.book(current(), services())


@route("GET", "/visits", Scope.READ)
@promises(lambda: Contract(query=api.listing.VisitQuery, gives={200: api.listing.VisitPage}))
def list_visits() -> Response:
    """List visits, ordered by start.

    The default range is from 31 days ago to 92 days ahead, fixed by the first page. Without `propertyId` or `agentId`
    it is at most 366 days. A visit appears here moments after it was written.
    """
    return api.listing.visits(current(), services())


@route("GET", "/visits/export", Scope.READ)
@promises(
    lambda: Contract(
        query=api.exports.ExportQuery,
        gives={200: File(api.exports.MEDIA_TYPES)},
        refuses=(errors.ExportTooLarge,),
        headers={200: ("Content-Disposition",)},
    )
)
def export_visits() -> Response:
    """Export visits as CSV, XLSX or iCalendar.

    The rows of the list with the same filters, in the same order; at most 10,000 rows and 4 MB.
    """
    return api.exports.take_away(current(), services())


@route("GET", "/visits/{visit_id}", Scope.READ)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.visits.VisitOutput}, condition=Condition.TAGGED))
def get_visit(visit_id: str) -> Response:
    """Read a visit."""
    return api.visits.get(current(), services(), visit_id)


@route("GET", "/visits/{visit_id}/notices", Scope.READ)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.notices.NoticesOutput}))
def get_notices(visit_id: str) -> Response:
    """Read what the visitor was told by mail, and whether the address takes any.

    Without anybody's data: `GET /visits/{id}` has the address. Mail about the visit stops where it came back for good,
    or its recipient complained.
    """
    return api.notices.get(current(), services(), visit_id)


@route("PATCH", "/visits/{visit_id}", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.visit_changes.ChangeVisitInput,
        media_types=http.parsing.MERGE_PATCH[:1],
        gives={200: api.visits.VisitOutput},
        refuses=(
            errors.PropertyNotFound,
            errors.VisitsNotAllowed,
            errors.OutsideHours,
            errors.SlotTaken,
            errors.SlotsReleased,
        ),
        condition=Condition.MATCH,
        lenient=True,
    )
)
def change_visit(visit_id: str) -> Response:
    """Change a visit; a new date reschedules it.

    A merge patch (RFC 7396), also accepted as `application/json`: omitted fields stay, null removes. The id never
    changes; the old time is free as soon as the new one is held. Date, duration and agent can only change while the
    visit holds its time. You can send back what you read: read-only fields must be unchanged.
    """
    return api.visit_changes.change(current(), services(), visit_id)


@route("PUT", "/visits/{visit_id}/status", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.visit_changes.StatusInput,
        gives={200: api.visits.VisitOutput},
        refuses=(errors.TransitionNotAllowed, errors.VisitNotStarted),
        condition=Condition.MAY_MATCH,
    )
)
def change_status(visit_id: str) -> Response:
    """Confirm, decline, cancel or complete a visit.

    `requested` becomes `confirmed`, `declined` or `cancelled`; `confirmed` becomes `completed`, `no_show` or
    `cancelled`; `completed` and `no_show` can be swapped to correct a mistake. Setting the current status changes
    nothing. Only `requested` and `confirmed` hold their time, so nothing leads back to them.
    """
    return api.visit_changes.change_status(current(), services(), visit_id)


@route("DELETE", "/visits/{visit_id}/visitor", Scope.ADMIN)
@promises(lambda: Contract(gives={204: None}, condition=Condition.MAY_MATCH, headers={204: ("ETag",)}))
def erase_visitor(visit_id: str) -> Response:
    """Erase the visitor's data.

    Removes the visitor, the notes and the cancellation reason; the visit stays.
    """
    return api.visits.erase_visitor(current(), services(), visit_id)


# The visitor's own visit


@route("GET", "/visitor/visit", VISITOR)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.visitor_links.OwnVisitOutput}))
def get_own_visit(visit: Visit) -> Response:
    """See the visit that your link leads to."""
    return api.visitor_links.get(current(), services(), visit)


@route("GET", "/visitor/visit/slots", VISITOR)
@promises(
    lambda: Contract(
        query=api.availability.WindowQuery,
        gives={200: api.availability.BookableSlotsOutput},
        refuses=(errors.TooLate, errors.SlotsReleased),
    )
)
def get_own_slots(visit: Visit) -> Response:
    """Look when else your visit can be.

    Every other start that it can be moved to now, as long as it lasts, in the next 7 days unless told otherwise, 31 at
    most.
    """
    return api.visitor_links.slots(current(), services(), visit)


@route("PATCH", "/visitor/visit", VISITOR)
@promises(
    lambda: Contract(
        takes=api.visitor_links.ChangeOwnVisitInput,
        media_types=http.parsing.MERGE_PATCH[:1],
        gives={200: api.visitor_links.OwnVisitOutput},
        refuses=(errors.TooLate, errors.NotFree, errors.SlotsReleased),
        condition=Condition.MAY_MATCH,
    )
)
def change_own_visit(visit: Visit) -> Response:
    """Move your visit to another free time, choose your language, or switch reminders off.

    Also accepted as `application/json`. Times can be changed until `changeableUntil`. Where `moving` is `request`, a
    confirmed visit is a request again at its new time.
    """
    return api.visitor_links.change(current(), services(), visit)


@route("PUT", "/visitor/visit/status", VISITOR)
@promises(
    lambda: Contract(
        takes=api.visitor_links.OwnStatusInput,
        gives={200: api.visitor_links.OwnVisitOutput},
        refuses=(errors.TooLate, errors.TransitionNotAllowed),
        condition=Condition.MAY_MATCH,
    )
)
def change_own_status(visit: Visit) -> Response:
    """Cancel your visit, until `changeableUntil`."""
    return api.visitor_links.change_status(current(), services(), visit)


@route("DELETE", "/visitor/visit/visitor", VISITOR)
@promises(lambda: Contract(gives={204: None}, condition=Condition.MAY_MATCH, headers={204: ("ETag",)}))
def erase_oneself(visit: Visit) -> Response:
    """Have your data erased, and with it this link; the visit itself stays. Cancel it first if you will not come."""
    return api.visitor_links.erase(current(), services(), visit)


@route("POST", "/visitor/unsubscribe", PUBLIC)
@promises(lambda: Contract(query=api.visitor_links.UnsubscribeQuery, gives={204: None}, refuses=(errors.LinkInvalid,)))
def unsubscribe() -> Response:
    """Switch the reminders of a visit off: what mail programs post to by themselves (RFC 8058)."""
    return api.visitor_links.unsubscribe(current(), services())


# Few at once: a new account of SES sends 14 mails a second.
@app.on_sqs_message(queue=notice_queue_of_stage(os.environ), batch_size=10, maximum_concurrency=2)
@faults_told(Function.NOTIFY)
def notify(event: SQSEvent) -> BatchResponse:
    return events.notice_queue.notify(event, services())


@app.schedule(Rate(1, unit=Rate.MINUTES))
@faults_told(Function.REMIND)
def remind(_: CloudWatchEvent) -> None:
    events.schedule.remind(services())


# Booking without a key


@route("GET", "/public/properties/{property_id}", PUBLIC)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.public.PublicPropertyOutput}))
def get_public_property(property_id: str) -> Response:
    """See a property that is on the booking page."""
    return api.public.get(current(), services(), property_id)


@route("GET", "/public/properties/{property_id}/slots", PUBLIC)
@promises(lambda: Contract(query=api.availability.WindowQuery, gives={200: api.availability.BookableSlotsOutput}))
def get_public_slots(property_id: str) -> Response:
    """Look when a property can be visited: the next 7 days unless told otherwise, 31 at most."""
    return api.public.slots(current(), services(), property_id)


@route("POST", "/public/properties/{property_id}/visits", PUBLIC)
@promises(
    lambda: Contract(
        takes=api.public.BookPublicVisitInput,
        gives={201: api.public.PublicVisitOutput},
        refuses=(errors.NotFree, errors.LimitReached, errors.LinkInvalid),
        idempotent=True,
    )
)
def book_public_visit(property_id: str) -> Response:
    """Book a visit for yourself, or ask for it where the agency confirms.

    Send an `Idempotency-Key` that nobody can guess: the answer to a repetition has the link to the visit.
    """
    return api.public.book(current(), services(), property_id)


# Visitors


@route("POST", "/visitors/search", Scope.READ)
@promises(
    lambda: Contract(takes=api.visitors.SearchInput, gives={200: api.listing.VisitPage}, refuses=(InvalidCursor,))
)
def search_visitor() -> Response:
    """Find all visits of one person, ordered by id.

    By e-mail address, upper and lower case aside, or by telephone number, by its digits: a national number finds those
    that were given without the country. A visit appears here moments after it was written.
    """
    return api.visitors.search(current(), services())


@route("POST", "/visitors/erase", Scope.ADMIN)
@promises(lambda: Contract(takes=api.visitors.EraseInput, gives={200: api.visitors.ErasureOutput}))
def erase_visitors() -> Response:
    """Erase all data of one person.

    As erasing the visitor of each visit that the search finds, 100 at a time: repeat it while `more` is true. Repeat
    it too when a booking of that person may be under way: one of the last moments may not be found yet.
    """
    return api.visitors.erase(current(), services())


# Intakes


@route("POST", "/intakes", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.intakes.IntakeInput,
        media_types=api.intakes.MEDIA_TYPES,
        gives={202: api.intakes.IntakeOutput},
        idempotent=True,
    )
)
def hand_in() -> Response:
    """Submit up to 1,000 visits at once.

    At most 4,500,000 bytes. Only the envelope is validated now; an invalid row is reported in its result. With an
    `Idempotency-Key` the same rows again are the same intake; without one they are another. Poll after `Retry-After`.
    """
    return api.intakes.hand_in(current(), services())


@route("GET", "/intakes/{intake_id}", Scope.READ)
@promises(
    lambda: Contract(query=http.queries.NoQuery, gives={200: api.intakes.IntakeOutput}, headers={200: ("Retry-After",)})
)
def get_intake(intake_id: str) -> Response:
    """Read the progress of an intake.

    While it is `queued` or `running` the answer has a `Retry-After`. Intakes are kept for 30 days.
    """
    return api.intakes.get(current(), services(), intake_id)


@route("GET", "/intakes/{intake_id}/results", Scope.READ)
@promises(lambda: Contract(query=http.queries.PageQuery, gives={200: api.intakes.RowOutcomePage}))
def list_results(intake_id: str) -> Response:
    """List the results of an intake's rows.

    Ordered by row; complete once the intake is `done` or `failed`.
    """
    return api.intakes.results(current(), services(), intake_id)


@app.on_sqs_message(queue=queue_of_stage(os.environ), batch_size=10, maximum_concurrency=10)
@faults_told(Function.WORKER)
def work_off_queue(event: SQSEvent) -> BatchResponse | None:
    return events.intake_queue.work_off(event, services())


# Sheets


@route("POST", "/sheets", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.sheets.AnnounceSheetInput,
        gives={201: api.sheets.AnnouncedSheetOutput},
        refuses=(errors.PropertyNotFound, errors.SheetRepeated),
    )
)
def announce_sheet() -> Response:
    """Announce a list of visits, a picture or a file, and get a form to upload it with.

    Upload it within ten minutes: a JPEG, a PNG or a PDF of one page up to 10 MB; a CSV, NDJSON or XLSX file up to 5 MB
    and 1,000 rows. Then poll the sheet until it is in `review`.
    """
    return api.sheets.announce(current(), services())


@route("GET", "/sheets", Scope.READ)
@promises(lambda: Contract(query=http.queries.PageQuery, gives={200: api.sheets.SheetPage}))
def list_sheets() -> Response:
    """List sheets, the newest first."""
    return api.sheets.list_all(current(), services())


@route("GET", "/sheets/{sheet_id}", Scope.READ)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.sheets.SheetOutput}, condition=Condition.TAGGED))
def get_sheet(sheet_id: str) -> Response:
    """Read a sheet without its rows.

    Kept for 90 days; its file or picture for 30.
    """
    return api.sheets.get(current(), services(), sheet_id)


@route("DELETE", "/sheets/{sheet_id}", Scope.WRITE)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={204: None}))
def delete_sheet(sheet_id: str) -> Response:
    """Delete a sheet with its rows, file and picture, at once. Visits that were registered stay."""
    return api.sheets.delete(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/rows", Scope.READ)
@promises(
    lambda: Contract(
        query=http.queries.PageQuery, gives={200: api.sheets.SheetRowPage}, refuses=(errors.SheetNotReady,)
    )
)
def list_sheet_rows(sheet_id: str) -> Response:
    """List the rows of a sheet, with what was written, what was understood and what is doubtful."""
    return api.sheets.rows(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/rows/{row}", Scope.READ)
@promises(
    lambda: Contract(
        query=http.queries.NoQuery,
        gives={200: api.sheets.SheetRowOutput},
        refuses=(errors.SheetNotReady,),
        condition=Condition.TAGGED,
    )
)
def get_sheet_row(sheet_id: str, row: str) -> Response:
    """Read a row of a sheet."""
    return api.sheets.get_row(current(), services(), sheet_id, row)


@route("PATCH", "/sheets/{sheet_id}/rows/{row}", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.sheets.CorrectRowInput,
        media_types=http.parsing.MERGE_PATCH[:1],
        gives={200: api.sheets.SheetRowOutput},
        refuses=(errors.SheetNotReady, errors.SheetRowRegistered),
        condition=Condition.MATCH,
    )
)
def correct_sheet_row(sheet_id: str, row: str) -> Response:
    """Correct a row, or confirm it with `{}`: either marks it as reviewed.

    A merge patch (RFC 7396), also accepted as `application/json`. Which property is meant by what was written is
    remembered for later sheets.
    """
    return api.sheets.correct(current(), services(), sheet_id, row)


@route("PUT", "/sheets/{sheet_id}/reading", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.sheets.ReadingInput,
        gives={200: api.sheets.SheetOutput},
        refuses=(errors.PropertyNotFound, errors.SheetNotReady, errors.SheetFileGone),
        condition=Condition.MAY_MATCH,
    )
)
def read_sheet_anew(sheet_id: str) -> Response:
    """Read a sheet anew with another zone, order of day and month, meaning of columns or property.

    The picture is not recognised again, rows keep their numbers, and those that somebody has reviewed stay as they are.
    """
    return api.sheets.read_anew(current(), services(), sheet_id)


@route("POST", "/sheets/{sheet_id}/register", Scope.WRITE)
@promises(
    lambda: Contract(
        takes=api.sheets.RegisterSheetInput,
        gives={202: api.intakes.IntakeOutput},
        refuses=(errors.SheetNotReady, errors.SheetRepeated, errors.NothingToRegister),
    )
)
def register_sheet(sheet_id: str) -> Response:
    """Register the rows that are reviewed and complete, as an intake.

    Called twice, or at once, it is the same intake: one visit a row. Rows that were rejected can be corrected and
    registered again.
    """
    return api.sheets.register(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/export", Scope.READ)
@promises(
    lambda: Contract(
        query=api.sheets.ExportSheetQuery,
        gives={200: File((http.headers.XLSX,))},
        refuses=(errors.SheetNotReady, errors.ExportTooLarge),
        headers={200: ("Content-Disposition",)},
    )
)
def export_sheet(sheet_id: str) -> Response:
    """Export a sheet as XLSX: its visits, and the table as it was written."""
    return api.sheets.export(current(), services(), sheet_id)


@route("GET", "/sheets/{sheet_id}/picture", Scope.READ)
@promises(
    lambda: Contract(
        query=http.queries.NoQuery,
        gives={200: api.sheets.PictureOutput},
        refuses=(errors.SheetNotReady, errors.SheetFileGone),
    )
)
def get_sheet_picture(sheet_id: str) -> Response:
    """Get a link to the picture of a sheet, good for five minutes."""
    return api.sheets.picture(current(), services(), sheet_id)


@app.on_sqs_message(queue=sheet_queue_of_stage(os.environ), batch_size=1, maximum_concurrency=2)
@faults_told(Function.READER)
def read_sheet(event: SQSEvent) -> BatchResponse | None:
    return events.sheet_queue.read_sheets(event, services())


# Events


@route("GET", "/events", Scope.READ)
@promises(
    lambda: Contract(query=api.events.EventQuery, gives={200: api.events.EventPage}, refuses=(errors.PositionLost,))
)
def follow_events() -> Response:
    """Follow what happens to visits and properties.

    CloudEvents, oldest first, each at least once: the same `id` is the same event. They have ids, times and status, and
    never name a person. There is always a `nextCursor`: ask again with it, also when nothing is new. Kept for 30 days.
    """
    return api.events.follow(current(), services())


@route("POST", "/webhooks", Scope.ADMIN)
@promises(
    lambda: Contract(
        takes=api.webhooks.WebhookInput,
        gives={201: api.webhooks.WebhookSecretOutput},
        refuses=(errors.TooManyWebhooks,),
    )
)
def register_webhook() -> Response:
    """Have events posted to an address of yours, from now on.

    Signed as Standard Webhooks says, with the secret that is shown this once; in order, each event until you answer it
    with a status below 300 within ten seconds. Public https addresses only.
    """
    return api.webhooks.register(current(), services())


@route("GET", "/webhooks", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.webhooks.WebhookList}))
def list_webhooks() -> Response:
    """List the webhooks."""
    return api.webhooks.list_all(current(), services())


@route("GET", "/webhooks/{webhook_id}", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.webhooks.WebhookOutput}))
def get_webhook(webhook_id: str) -> Response:
    """See how far a webhook has come, and why it is failing or disabled."""
    return api.webhooks.get(current(), services(), webhook_id)


@route("DELETE", "/webhooks/{webhook_id}", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={204: None}))
def remove_webhook(webhook_id: str) -> Response:
    """Remove a webhook."""
    return api.webhooks.remove(current(), services(), webhook_id)


@route("PUT", "/webhooks/{webhook_id}/position", Scope.ADMIN)
@promises(
    lambda: Contract(
        takes=api.webhooks.PositionInput,
        gives={200: api.webhooks.WebhookOutput},
        refuses=(errors.PositionLost,),
    )
)
def move_webhook(webhook_id: str) -> Response:
    """Deliver again from a position, or go on after one that was disabled."""
    return api.webhooks.go_on(current(), services(), webhook_id)


@route("POST", "/webhooks/{webhook_id}/secret", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.webhooks.WebhookSecretOutput}))
def renew_webhook_secret(webhook_id: str) -> Response:
    """Get a new secret. For 24 hours deliveries are signed with both."""
    return api.webhooks.renew_secret(current(), services(), webhook_id)


@route("POST", "/webhooks/{webhook_id}/test", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={202: api.webhooks.WebhookOutput}))
def test_webhook(webhook_id: str) -> Response:
    """Have a test posted. What the receiver answered is under `tested` of the webhook."""
    return api.webhooks.ask_for_test(current(), services(), webhook_id)


# One webhook at a time, so that a receiver that does not answer keeps nobody else waiting.
@app.on_sqs_message(queue=webhook_queue_of_stage(os.environ), batch_size=1)
@faults_told(Function.DELIVER)
def deliver(event: SQSEvent) -> BatchResponse:
    return events.webhook_queue.deliver(event, services())


@app.on_dynamodb_record(
    stream_arn=stream_of_stage(os.environ),
    batch_size=100,
    starting_position="TRIM_HORIZON",
    maximum_batching_window_in_seconds=1,
)
@faults_told(Function.RELAY)
def relay(event: DynamoDBEvent) -> None:
    events.table_stream.relay(event, services())


# Dead letters


@route("GET", "/dead-letters", Scope.ADMIN)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.dead_letters.DeadLettersList}))
def list_dead_letters() -> Response:
    """See how many messages each queue gave up, about a minute late.

    `intakes` holds rows of visits, `sheets` uploads, `webhooks` what wakes a receiver, `notices` mails. They wait for
    whoever operates the service, who looks at them and sends them again.
    """
    return api.dead_letters.list_all(current(), services())


# The service itself


@route("GET", "/caller", CALLER)
@promises(lambda: Contract(query=http.queries.NoQuery, gives={200: api.service.CallerOutput}))
def get_caller() -> Response:
    """See who you are: the name and scopes of your API key, or your id and scopes as a person."""
    return api.service.caller(current())


@route("GET", "/health", PUBLIC)
@promises(lambda: Contract(gives={200: api.service.HealthOutput}))
def get_health() -> Response:
    """Check that the service and its table answer."""
    return api.service.health(services())


@route("GET", "/openapi.json", PUBLIC)
@promises(lambda: Contract(gives={200: File(("application/json",))}, condition=Condition.TAGGED))
def get_openapi() -> Response:
    """Read this document."""
    return api.service.contract(current())


answer_preflights(app, origins_of_stage(os.environ))
if cold_start.snapshot_follows(os.environ):
    load_all(api)
    load_all(events)
    make_ready()
    cold_start.build_models()
cold_start.over()
