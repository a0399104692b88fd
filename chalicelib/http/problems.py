"""Every error the API answers with, as problem details (RFC 9457). The one place that turns errors into words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from http import HTTPStatus
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final, ParamSpec

from chalice.app import Request, Response

from chalicelib.domain import errors, patience
from chalicelib.http import errors as http_errors
from chalicelib.http.headers import SECURITY, secured
from chalicelib.http.instants import instant_text
from chalicelib.record import Record

P = ParamSpec("P")

request_id: ContextVar[str] = ContextVar("request_id", default="unknown")
"""The gateway's id of the request under way: the caller sees it in a 500, the operator finds it in the log."""

MEDIA_TYPE: Final = "application/problem+json"
MERGE_PATCH: Final = "application/merge-patch+json"
TYPE_PREFIX: Final = "urn:visits:problem:"

CHALLENGE: Final = 'Bearer realm="visits"'
"""How a caller is asked for a key (RFC 6750, section 3)."""

MOST_ERRORS_IN_RESULT: Final = 5
MOST_BYTES_OF_ERRORS_IN_RESULT: Final = 1500
"""The outcomes of a hundred rows are one item of the table, which may have 400 KB."""

_TOO_LARGE: Final = {
    "rows": "An export can have at most {:,} rows.",
    "bytes": "An export can have at most {:,} bytes.",
    "pages": "Too many records to scan for so few rows.",
}

_WHEN_READY: Final = {
    "awaiting-upload": "Upload it first.",
    "registering": "Its rows change again once that is done; POST .../register goes on with it.",
    "registered": "Its rows stay as they are: change their visits instead.",
    "failed": "GET it to see why, and send it again.",
    "expired": "It was never uploaded: send it again.",
}
"""What to do about a sheet in this status; otherwise it has another in a moment."""

_UNKNOWN: Final = "The outcome is unknown. Retry with the same Idempotency-Key, or check first."


class Problem(Response):
    """An answer that is a problem document. The journal asks it for its type, and for the fault behind a 500."""

    def __init__(self, slug: str, document: Mapping[str, object], status: int, headers: Mapping[str, str]) -> None:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        super().__init__(text, status_code=status, headers={"Content-Type": MEDIA_TYPE, **SECURITY, **headers})
        self.slug = slug
        self.fault: BaseException | None = None


def problem_response(
    status: int,
    slug: str,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Problem:
    """A problem document. `slug` makes the stable type; further facts become members."""
    known = {name: fact for name, fact in facts.items() if fact is not None}
    document = {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, **known}
    return Problem(slug, document, status, headers or {})


def answers_problems(view: Callable[P, Response]) -> Callable[P, Response]:
    """Around every route: a refusal becomes its problem document, a fault a 500 that shows nothing inside."""

    @wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except (errors.Refused, errors.Unavailable) as refusal:
            return problem_for(refusal)
        except Exception as fault:
            return _unexpected(fault)

    return answered


class Kind(Record):
    """How a refusal is told: `detail` names its facts in braces, unless it is made of them by a function."""

    status: int
    slug: str
    title: str
    detail: str | Callable[[Any], str]
    members: Callable[[Any], Mapping[str, object]] = lambda _: {}
    headers: Callable[[Any], Mapping[str, str]] = lambda _: {}

    def problem(self, refusal: Exception) -> Problem:
        detail = self.detail(refusal) if callable(self.detail) else self.detail.format(**vars(refusal))
        headers = self.headers(refusal)
        return problem_response(self.status, self.slug, self.title, detail, headers, **self.members(refusal))


def problem_for(refusal: errors.Refused | errors.Unavailable) -> Response:
    """The problem document of a refusal; every kind of refusal has exactly one."""
    kind = KINDS.get(type(refusal))
    return kind.problem(refusal) if kind is not None else _unexpected(refusal)


def describe(refusal: errors.Refused) -> Mapping[str, object]:
    """The problem document of a row, for its result. With the first errors only: results are many."""
    document: dict[str, Any] = json.loads(problem_for(refusal).body)
    if "errors" in document:
        document["errors"] = _first(document["errors"])
    return document


def _first(errors: list[object]) -> list[object]:
    """As many as a result has room for, and one in any case."""
    sizes = accumulate(len(json.dumps(error)) for error in errors[:MOST_ERRORS_IN_RESULT])
    return errors[: max(1, sum(size <= MOST_BYTES_OF_ERRORS_IN_RESULT for size in sizes))]


def shape_framework_answers(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Middleware: what Chalice answers by itself, before or instead of a route, becomes a problem document too."""
    request_id.set(_id_of(request))
    patience.begin()
    try:
        return secured(_shaped(get_response(request)))
    except Exception as fault:
        return _unexpected(fault)
    finally:
        patience.end()


def _shaped(response: Response) -> Response:
    if response.status_code < 400 or response.headers.get("Content-Type") == MEDIA_TYPE:
        return response
    if response.status_code == 405:
        return problem_response(
            405,
            "method-not-allowed",
            "Method not allowed",
            "This resource does not support that method.",
            headers={"Allow": str(response.headers["Allow"])},
        )
    if response.status_code == 415:
        return problem_for(http_errors.UnsupportedMediaType(("application/json",)))
    if response.status_code >= 500:
        return internal_error(request_id.get())
    phrase = HTTPStatus(response.status_code).phrase
    return problem_response(response.status_code, phrase.lower().replace(" ", "-"), phrase.capitalize(), phrase)


def _unexpected(fault: BaseException) -> Problem:
    answer = internal_error(request_id.get())
    answer.fault = fault
    return answer


def too_many_requests() -> Response:
    """What the gateway answers beyond the rate of the stage; it never reaches the app, but has the same shape."""
    return problem_response(
        429,
        "too-many-requests",
        "Too many requests",
        "The rate limit was exceeded. Retry in a moment.",
        headers={"Retry-After": "1"},
    )


def address_too_long() -> Response:
    """What a server in front of us answers before anything of a request is looked at."""
    return problem_response(414, "address-too-long", "Address too long", "The URL is too long.")


def headers_too_large() -> Response:
    """Likewise: the gateway takes 10,240 bytes for all headers together."""
    return problem_response(
        431, "headers-too-large", "Headers too large", "The headers must not exceed 10,240 bytes in total."
    )


def no_answer(request_id: str) -> Response:
    """What the gateway answers when the function cannot be reached, or fails outside the app."""
    return problem_response(502, "no-answer", "No answer", _UNKNOWN, requestId=request_id)


def no_answer_in_time(request_id: str) -> Response:
    """What the gateway answers after 29 seconds."""
    return problem_response(504, "no-answer-in-time", "No answer in time", _UNKNOWN, requestId=request_id)


def internal_error(request_id: str) -> Problem:
    """Whatever went wrong: the request id, and nothing of the inside."""
    return problem_response(
        500,
        "internal-error",
        "Internal error",
        "Something went wrong on our side. Quote the request id when you report it.",
        requestId=request_id,
    )


def _id_of(request: Request) -> str:
    """The gateway's id; `chalice local` has only the one that Lambda would give."""
    return str(request.context.get("requestId") or getattr(request.lambda_context, "aws_request_id", "unknown"))


def _taken(intervals: list[errors.TakenInterval]) -> str:
    spans = "; ".join(f"{instant_text(i.start)} to {instant_text(i.end)} ({i.holder})" for i in intervals)
    if all(i.holder == "agent" for i in intervals):
        hint = "The property may be free: see GET /visits?agentId= for the agent's visits."
    else:
        hint = "See GET /properties/{id}/busy for taken times."
    return f"Taken (in whole quarter hours): {spans}. {hint}"


_REACHED: Final = {
    "contact": "This e-mail address or telephone number has as many visits ahead as can be booked here at once."
    " Cancel one, or call the agency.",
    "property": "Too many visits to this property were booked here within the hour. Retry in a while, or call the"
    " agency.",
    "address": "Too many visits were booked from this network within the hour. Retry in a while, or call the agency.",
}

_OBJECTIONS: Final = {
    ("closed", "property"): "The property is closed then, for all or part of the visit",
    ("closed", "agent"): "The agent does not work then, for all or part of the visit",
    ("step", "property"): "No visit starts at that time: starts step from the opening",
    ("notice", "property"): "That is too soon, or over: a visit must be booked further ahead",
    ("horizon", "property"): "That is too far ahead to be booked yet",
}


def objection_text(objection: errors.Objection) -> str:
    return f"{_OBJECTIONS[objection.reason, objection.holder]}."


def told_objection(objection: errors.Objection) -> dict[str, str]:
    return {"reason": objection.reason, "holder": objection.holder}


def _conflict(interval: errors.TakenInterval) -> Mapping[str, str]:
    return {"from": instant_text(interval.start), "to": instant_text(interval.end), "holder": interval.holder}


def _accepted(unsupported: http_errors.UnsupportedMediaType) -> Mapping[str, str]:
    """What a body may be (RFC 9110, section 15.5.16); of a patch also by the name that patches have (RFC 5789, 2.2)."""
    types = ", ".join(unsupported.accepted)
    return {"Accept": types, "Accept-Patch": types} if MERGE_PATCH in unsupported.accepted else {"Accept": types}


def _retry_after(unavailable: errors.Unavailable) -> Mapping[str, str]:
    return {"Retry-After": str(unavailable.retry_after_seconds)}


KINDS: Final[Mapping[type[Exception], Kind]] = MappingProxyType(
    {
        errors.InvalidInput: Kind(
            422,
            "invalid-input",
            "Invalid input",
            "The request is well-formed but contains invalid values. See 'errors'.",
            lambda refusal: {"errors": [{"pointer": e.pointer, "detail": e.detail} for e in refusal.errors]},
        ),
        errors.PropertyNotFound: Kind(
            404,
            "property-not-found",
            "Property not found",
            "No property has this id.",
            lambda refusal: {"propertyId": refusal.property_id or None},
        ),
        errors.VisitNotFound: Kind(
            404,
            "visit-not-found",
            "Visit not found",
            "No visit has this id.",
            lambda refusal: {"visitId": refusal.visit_id or None},
        ),
        errors.AgentNotFound: Kind(
            404,
            "agent-not-found",
            "Agent not found",
            "No agent is registered with this id. Visits can name it all the same.",
            lambda refusal: {"agentId": refusal.agent_id or None},
        ),
        errors.PropertyExists: Kind(
            409,
            "property-exists",
            "Property exists",
            "A property with this id already exists. Use PUT with If-Match to replace it.",
            lambda refusal: {"propertyId": refusal.property_id},
        ),
        errors.VisitExists: Kind(
            409,
            "visit-exists",
            "Visit exists",
            "A visit with this id already exists.",
            lambda refusal: {"visitId": refusal.visit_id},
        ),
        errors.VisitsNotAllowed: Kind(
            409,
            "visits-not-allowed",
            "Visits not allowed",
            "The property does not accept visits at present.",
            lambda refusal: {"propertyId": refusal.property_id},
        ),
        errors.SlotTaken: Kind(
            409,
            "slot-taken",
            "Slot taken",
            lambda refusal: _taken(refusal.intervals),
            lambda refusal: {"conflicts": [_conflict(interval) for interval in refusal.intervals]},
        ),
        errors.NotFree: Kind(
            409,
            "time-not-free",
            "Time not free",
            "This time cannot be booked. See 'nearest' for what is free about then.",
            lambda refusal: {"nearest": [instant_text(start) for start in refusal.nearest]},
        ),
        errors.NoBookingPage: Kind(
            409,
            "no-booking-page",
            "No booking page",
            "Nobody has set where visitors book: VISITOR_PAGE_URL.",
        ),
        errors.LimitReached: Kind(
            429,
            "booking-limit",
            "Booking limit reached",
            lambda refusal: _REACHED[refusal.reached],
            lambda refusal: {"reached": refusal.reached},
            lambda refusal: {"Retry-After": str(refusal.retry_after_seconds)} if refusal.retry_after_seconds else {},
        ),
        errors.OutsideHours: Kind(
            409,
            "outside-hours",
            "Outside hours",
            lambda refusal: (
                f"{objection_text(refusal.objections[0])} See GET /properties/{{id}}/slots for what is free."
            ),
            lambda refusal: {
                **told_objection(refusal.objections[0]),
                "objections": [told_objection(objection) for objection in refusal.objections],
            },
        ),
        errors.AvailabilityNotFound: Kind(
            404,
            "availability-not-found",
            "Availability not found",
            "Nobody has said when this property may be visited: it is open at all times.",
            lambda refusal: {"propertyId": refusal.property_id},
        ),
        errors.TransitionNotAllowed: Kind(
            409,
            "transition-not-allowed",
            "Transition not allowed",
            "A {current} visit cannot become {wanted}.",
            lambda refusal: {"currentStatus": refusal.current, "allowed": refusal.allowed},
        ),
        errors.VisitNotStarted: Kind(
            409,
            "visit-not-started",
            "Visit not started",
            "A visit can only be completed or missed after its start.",
            lambda refusal: {"starts": instant_text(refusal.starts)},
        ),
        errors.SlotsReleased: Kind(
            409,
            "slots-released",
            "Slots released",
            "A {status} visit no longer holds its slots: book a new one instead.",
            lambda refusal: {"currentStatus": refusal.status, "fields": refusal.fields},
        ),
        errors.KeyReused: Kind(
            422,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            "This Idempotency-Key was used with a different payload. Use a new key for a new request.",
        ),
        errors.HandedIn: Kind(
            409,
            "handed-in",
            "Handed in",
            "This Idempotency-Key was used with Prefer: respond-async, and the visit is not booked (yet)."
            " Send it with that preference again to get its intake.",
        ),
        errors.VersionMismatch: Kind(
            412,
            "precondition-failed",
            "Precondition failed",
            "The resource has changed since you read it: If-Match or If-None-Match failed. Read it again.",
        ),
        errors.PreconditionRequired: Kind(
            428,
            "precondition-required",
            "Precondition required",
            "Send {header} to name the version you are changing, so that nobody's work is overwritten.",
        ),
        errors.ExportTooLarge: Kind(
            422,
            "export-too-large",
            "Export too large",
            lambda refusal: (
                f"{_TOO_LARGE[refusal.limit].format(refusal.most)} Narrow it with from, to, propertyId, agentId or"
                " status, and export the rest separately."
            ),
            lambda refusal: {"limit": refusal.limit},
        ),
        errors.WebhookNotFound: Kind(
            404,
            "webhook-not-found",
            "Webhook not found",
            "There is no webhook with this id.",
        ),
        errors.TooManyWebhooks: Kind(
            409,
            "too-many-webhooks",
            "Too many webhooks",
            "There can be 20 webhooks at most. Delete one that is not needed.",
        ),
        errors.PositionLost: Kind(
            410,
            "position-lost",
            "Position lost",
            "The feed does not have this position any more. Read the current state of what you follow, then go on"
            " with after=now.",
        ),
        errors.LinkInvalid: Kind(
            404,
            "link-invalid",
            "Link invalid",
            "This link is not valid, or no longer. The latest mail about the visit has the current one.",
        ),
        errors.TooLate: Kind(
            409,
            "too-late",
            "Too late",
            "This visit can no longer be changed by its visitor: call the agency.",
            lambda refusal: {"until": instant_text(refusal.until)},
        ),
        errors.FeedNotFound: Kind(
            404,
            "feed-not-found",
            "Feed not found",
            "No calendar is shared at this address, or no longer.",
        ),
        errors.IntakeNotFound: Kind(
            404,
            "intake-not-found",
            "Intake not found",
            "No intake has this id; intakes are kept for 30 days.",
            lambda refusal: {"intakeId": refusal.intake_id or None},
        ),
        errors.ExternalIdReused: Kind(
            409,
            "external-id-reused",
            "External id reused",
            "This externalId was used for a visit with different content, or with content erased since.",
        ),
        errors.GivenUp: Kind(
            500,
            "given-up",
            "Given up",
            "The row could not be processed and was discarded. Send it again if still needed.",
        ),
        errors.SheetNotFound: Kind(
            404,
            "sheet-not-found",
            "Sheet not found",
            "No sheet has this id; sheets are kept for 90 days.",
            lambda refusal: {"sheetId": refusal.sheet_id or None},
        ),
        errors.SheetRowNotFound: Kind(
            404,
            "row-not-found",
            "Row not found",
            "The sheet has no row of visits with this number.",
            lambda refusal: {"row": refusal.row},
        ),
        errors.SheetNotReady: Kind(
            409,
            "sheet-not-ready",
            "Sheet not ready",
            lambda refusal: (
                f"The sheet is {refusal.status}. {_WHEN_READY.get(refusal.status, 'Look again in a moment.')}"
            ),
            lambda refusal: {"sheetStatus": refusal.status},
        ),
        errors.SheetRepeated: Kind(
            409,
            "sheet-repeated",
            "Sheet repeated",
            "The same bytes came before, as the sheet in sheetId. Name it in 'repeats' to go on all the same.",
            lambda refusal: {"sheetId": refusal.sheet_id},
        ),
        errors.SheetRowRegistered: Kind(
            409,
            "row-registered",
            "Row registered",
            "The row is registered and stays as it is: change its visit instead.",
            lambda refusal: {"row": refusal.row},
        ),
        errors.NothingToRegister: Kind(
            409,
            "nothing-to-register",
            "Nothing to register",
            "No row is reviewed, complete and not registered yet. PATCH a row to review it.",
        ),
        errors.SheetFileGone: Kind(
            410,
            "sheet-file-gone",
            "File gone",
            "There is no picture, or the file is no longer kept: files are kept for 30 days.",
        ),
        http_errors.MalformedRequest: Kind(
            400, "malformed-request", "Malformed request", lambda refusal: refusal.detail
        ),
        http_errors.InvalidCursor: Kind(400, "invalid-cursor", "Invalid cursor", "{detail}"),
        http_errors.UnsupportedMediaType: Kind(
            415,
            "unsupported-media-type",
            "Unsupported media type",
            lambda refusal: f"Send the body with Content-Type: {' or '.join(refusal.accepted)}.",
            headers=_accepted,
        ),
        http_errors.BodyTooLarge: Kind(
            413, "body-too-large", "Body too large", "The body must not exceed {most_bytes:,} bytes."
        ),
        http_errors.Unauthenticated: Kind(
            401,
            "unauthorized",
            "Unauthorized",
            "Send a valid key: 'Authorization: Bearer <key>'.",
            headers=lambda _: {"WWW-Authenticate": CHALLENGE},
        ),
        http_errors.ScopeMissing: Kind(
            403,
            "insufficient-scope",
            "Insufficient scope",
            "This requires a key with the scope '{scope}'.",
            lambda refusal: {"scope": refusal.scope},
            lambda refusal: {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{refusal.scope}"'},
        ),
        http_errors.ResourceNotFound: Kind(404, "not-found", "Not found", "Nothing exists at this address."),
        errors.StoreBusy: Kind(
            503,
            "store-busy",
            "Store busy",
            "Nothing was written. Retry in a moment.",
            headers=_retry_after,
        ),
        errors.OutcomeUnknown: Kind(
            503,
            "outcome-unknown",
            "Outcome unknown",
            _UNKNOWN,
            lambda unknown: {"intakeId": unknown.intake_id},
            _retry_after,
        ),
    }
)
"""Every refusal and its problem document."""
