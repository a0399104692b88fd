"""Every error the API answers with, as problem details (RFC 9457). The one place that turns errors into words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from http import HTTPStatus
from itertools import accumulate
from typing import Any, Final, ParamSpec

from chalice.app import Request, Response

from chalicelib.domain import errors, intakes, patience
from chalicelib.http import errors as http_errors
from chalicelib.http.headers import SECURITY, secured
from chalicelib.http.instants import instant_text

P = ParamSpec("P")

request_id: ContextVar[str] = ContextVar("request_id", default="unknown")
"""The gateway's id of the request under way: the caller sees it in a 500, the operator finds it in the log."""

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:visits:problem:"

CHALLENGE: Final = 'Bearer realm="visits"'
"""How a caller is asked for a key (RFC 6750, section 3)."""

MOST_ERRORS_IN_RESULT: Final = 5
MOST_BYTES_OF_ERRORS_IN_RESULT: Final = 1500
"""The outcomes of a hundred rows are one item of the table, which may have 400 KB."""

_TOO_LARGE: Final = {
    "rows": "An export has {:,} rows at most.",
    "bytes": "An export has {:,} bytes at most.",
    "pages": "There is too much to read through for so few rows.",
}

_UNKNOWN: Final = "It is not known whether this was done. Send it again with the same Idempotency-Key, or look first."


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
    """A problem document. `slug` makes the stable type; further facts become members of their own."""
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


def problem_for(refusal: errors.Refused | errors.Unavailable) -> Response:
    """The problem document of a refusal; every kind of refusal has exactly one."""
    match refusal:
        case errors.InvalidInput(found):
            return problem_response(
                422,
                "invalid-input",
                "Invalid input",
                "The request is well-formed, but something in it is not allowed. See 'errors'.",
                errors=[{"pointer": error.pointer, "detail": error.detail} for error in found],
            )
        case errors.PropertyNotFound(property_id):
            return problem_response(
                404,
                "property-not-found",
                "Property not found",
                "There is no property with this id.",
                propertyId=property_id or None,
            )
        case errors.VisitNotFound(visit_id):
            return problem_response(
                404,
                "visit-not-found",
                "Visit not found",
                "There is no visit with this id.",
                visitId=visit_id or None,
            )
        case errors.PropertyExists(property_id):
            return problem_response(
                409,
                "property-exists",
                "Property exists",
                "There is a property with this id already. Use PUT with If-Match to replace it.",
                propertyId=property_id,
            )
        case errors.VisitExists(visit_id):
            return problem_response(
                409,
                "visit-exists",
                "Visit exists",
                "There is a visit with this id already.",
                visitId=visit_id,
            )
        case errors.VisitsNotAllowed(property_id):
            return problem_response(
                409,
                "visits-not-allowed",
                "Visits not allowed",
                "The property takes no visits at present.",
                propertyId=property_id,
            )
        case errors.SlotTaken(intervals):
            return problem_response(
                409,
                "slot-taken",
                "Slot taken",
                _taken(intervals),
                conflicts=[
                    {"from": instant_text(i.start), "to": instant_text(i.end), "holder": i.holder} for i in intervals
                ],
            )
        case errors.TransitionNotAllowed(current, wanted, allowed):
            return problem_response(
                409,
                "transition-not-allowed",
                "Transition not allowed",
                f"A visit that is {current} cannot become {wanted}.",
                currentStatus=current,
                allowed=allowed,
            )
        case errors.VisitNotStarted(starts):
            return problem_response(
                409,
                "visit-not-started",
                "Visit not started",
                "Only after its start can a visit be completed or missed.",
                starts=instant_text(starts),
            )
        case errors.SlotsReleased(status, fields):
            return problem_response(
                409,
                "slots-released",
                "Slots released",
                f"A visit that is {status} holds no slots any more: book a new one instead.",
                currentStatus=status,
                fields=fields,
            )
        case errors.KeyReused():
            return problem_response(
                422,
                "idempotency-key-reused",
                "Idempotency-Key reused",
                "This Idempotency-Key came with another payload before. Use a new key for a new request.",
            )
        case errors.HandedIn():
            return problem_response(
                409,
                "handed-in",
                "Handed in",
                "This Idempotency-Key came with Prefer: respond-async before, and the visit is not booked, or not yet."
                " Send it with that preference again to be told its intake.",
            )
        case errors.VersionMismatch():
            return problem_response(
                412,
                "precondition-failed",
                "Precondition failed",
                "It is not as your If-Match or If-None-Match says. Read it again and decide anew.",
            )
        case errors.PreconditionRequired(header):
            return problem_response(
                428,
                "precondition-required",
                "Precondition required",
                f"Send {header}: say which version you mean to change, so that nobody's work is overwritten.",
            )
        case errors.ExportTooLarge(limit, most):
            return problem_response(
                422,
                "export-too-large",
                "Export too large",
                f"{_TOO_LARGE[limit].format(most)} Narrow it with from, to, propertyId, agentId or status,"
                " and export the rest separately.",
                limit=limit,
            )
        case errors.FeedNotFound():
            return problem_response(
                404,
                "feed-not-found",
                "Feed not found",
                "There is no calendar at this address, or it is not shared any more.",
            )
        case intakes.IntakeNotFound(intake_id):
            return problem_response(
                404,
                "intake-not-found",
                "Intake not found",
                "There is no intake with this id; intakes are kept for 30 days.",
                intakeId=intake_id or None,
            )
        case intakes.ExternalIdReused():
            return problem_response(
                409,
                "external-id-reused",
                "External id reused",
                "A visit with other content came with this externalId before, or one whose content was erased since.",
            )
        case intakes.GivenUp():
            return problem_response(
                500,
                "given-up",
                "Given up",
                "The row could not be worked off and was discarded. Send it again if it is still wanted.",
            )
        case http_errors.MalformedRequest(detail):
            return problem_response(400, "malformed-request", "Malformed request", detail)
        case http_errors.InvalidCursor(detail):
            return problem_response(400, "invalid-cursor", "Invalid cursor", detail)
        case http_errors.UnsupportedMediaType(accepted):
            return problem_response(
                415,
                "unsupported-media-type",
                "Unsupported media type",
                f"Send the body with Content-Type: {' or '.join(accepted)}.",
                headers={"Accept": ", ".join(accepted)},
            )
        case http_errors.NotAcceptable(available):
            return problem_response(
                406,
                "not-acceptable",
                "Not acceptable",
                f"This is available as {available} only, and your Accept header does not take that.",
            )
        case http_errors.BodyTooLarge(most_bytes):
            return problem_response(
                413, "body-too-large", "Body too large", f"The body may have {most_bytes:,} bytes at most."
            )
        case http_errors.Unauthenticated():
            return problem_response(
                401,
                "unauthorized",
                "Unauthorized",
                "Send a valid key: 'Authorization: Bearer <key>'.",
                headers={"WWW-Authenticate": CHALLENGE},
            )
        case http_errors.ScopeMissing(scope):
            return problem_response(
                403,
                "insufficient-scope",
                "Insufficient scope",
                f"This needs a key with the scope '{scope}'.",
                headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
                scope=scope,
            )
        case http_errors.ResourceNotFound():
            return problem_response(404, "not-found", "Not found", "There is nothing at this address.")
        case errors.StoreBusy(retry_after_seconds):
            return problem_response(
                503,
                "store-busy",
                "Store busy",
                "This request wrote nothing. Send it again in a moment.",
                headers={"Retry-After": str(retry_after_seconds)},
            )
        case errors.OutcomeUnknown(retry_after_seconds, intake_id):
            return problem_response(
                503,
                "outcome-unknown",
                "Outcome unknown",
                _UNKNOWN,
                headers={"Retry-After": str(retry_after_seconds)},
                intakeId=intake_id,
            )
    return _unexpected(refusal)


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
            "This address does not know that method.",
            headers={"Allow": str(response.headers["Allow"])},
        )
    if response.status_code == 415:
        return problem_for(http_errors.UnsupportedMediaType(("application/json",)))
    if response.status_code >= 500:
        return internal_error(request_id.get())
    phrase = HTTPStatus(response.status_code).phrase
    return problem_response(response.status_code, phrase.lower().replace(" ", "-"), phrase.capitalize(), phrase)


def _taken(intervals: list[errors.TakenInterval]) -> str:
    spans = "; ".join(f"{instant_text(i.start)} to {instant_text(i.end)} ({i.holder})" for i in intervals)
    if all(i.holder == "agent" for i in intervals):
        hint = "The property may be free: see GET /visits?agentId= for what the agent has."
    else:
        hint = "See GET /properties/{id}/busy for what is free."
    return f"Taken, in whole quarter hours: {spans}. {hint}"


def _unexpected(fault: BaseException) -> Problem:
    answer = internal_error(request_id.get())
    answer.fault = fault
    return answer


def too_many_requests() -> Response:
    """What the gateway answers beyond the rate of the stage; it never asks us, but callers shall see one shape."""
    return problem_response(
        429,
        "too-many-requests",
        "Too many requests",
        "That is more than this stage takes at once. Send the same request again in a moment.",
        headers={"Retry-After": "1"},
    )


def address_too_long() -> Response:
    """What a server in front of us answers before anything of a request is looked at."""
    return problem_response(414, "address-too-long", "Address too long", "The address is too long.")


def headers_too_large() -> Response:
    """Likewise: the gateway takes 10,240 bytes for all headers together."""
    return problem_response(431, "headers-too-large", "Headers too large", "The headers may have 10,240 bytes at most.")


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
        "Something went wrong on our side. When you ask about it, quote the request id.",
        requestId=request_id,
    )


def _id_of(request: Request) -> str:
    """The gateway's id; `chalice local` has only the one that Lambda would give."""
    return str(request.context.get("requestId") or getattr(request.lambda_context, "aws_request_id", "unknown"))
