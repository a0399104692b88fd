"""Visits: what is answered of one, and the requests that book, read and clear one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

from chalice.app import Request, Response
from pydantic import Field

from chalicelib.api.wishes import BookVisitInput
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.premises import Leniently, strictly
from chalicelib.domain.visits import Awaited, Cancellation, Party, Status, Visit, Visitor
from chalicelib.http import parsing
from chalicelib.http.answers import created, json_answer, no_content, tagged
from chalicelib.http.callers import caller_name, caller_of
from chalicelib.http.fields import IfAny, InstantOut, Output
from chalicelib.http.headers import PREFERENCE_APPLIED
from chalicelib.http.preconditions import etag, optional_versions
from chalicelib.http.preferences import preferences, prefers_async
from chalicelib.http.problems import objection_text, told_objection
from chalicelib.http.queries import no_query
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.domain.errors import Objection
    from chalicelib.services.wired import Services


class VisitorOutput(Output):
    name: str | None = IfAny
    email: str | None = IfAny
    phone: str | None = IfAny
    language: str | None = IfAny

    @classmethod
    def of(cls, visitor: Visitor) -> VisitorOutput:
        return cls(name=visitor.name, email=visitor.email, phone=visitor.phone, language=visitor.language)


By = Annotated[
    str | None,
    Field(
        description="Who: the name of an API key, the id of a person, `visitor` by their link, `queue:` and a source."
        " What is older than this field has none."
    ),
]


class CancellationOutput(Output):
    at: InstantOut
    reason: str | None = IfAny
    by: By = IfAny

    @classmethod
    def of(cls, cancellation: Cancellation) -> CancellationOutput:
        return cls(reason=cancellation.reason, at=cancellation.at, by=cancellation.by)


class AwaitedOutput(Output):
    whose: Party
    until: InstantOut

    @classmethod
    def of(cls, awaited: Awaited) -> AwaitedOutput:
        return cls(whose=awaited.whose, until=awaited.until)


class WarningOutput(Output):
    """A rule that the visit was booked against."""

    reason: Literal["closed", "step", "notice", "horizon"]
    holder: Literal["property", "agent"]
    detail: str

    @classmethod
    def of(cls, objection: Objection) -> WarningOutput:
        return cls.model_validate({**told_objection(objection), "detail": objection_text(objection)})


class VisitOutput(Output):
    id: str
    property_id: str
    date: InstantOut
    duration_minutes: int
    time_zone: str
    place: str
    status: Status
    agent_id: str | None = IfAny
    visitor: VisitorOutput | None = IfAny
    notes: str | None = IfAny
    notify: bool
    cancellation: CancellationOutput | None = IfAny
    awaits: Annotated[
        AwaitedOutput | None,
        Field(description="Whose answer a request of the booking page waits for; without one it is declined."),
    ] = IfAny
    version: int
    created_at: InstantOut
    updated_at: InstantOut
    created_by: By = IfAny
    updated_by: By = IfAny
    warnings: Annotated[
        list[WarningOutput] | None,
        Field(description="With `Prefer: handling=lenient`, in the answer to that request alone: what was overruled."),
    ] = IfAny

    @classmethod
    def of(cls, visit: Visit, overruled: Sequence[Objection] = ()) -> VisitOutput:
        visitor, cancellation = visit.visitor, visit.cancellation
        return cls(
            id=visit.id,
            property_id=visit.property_id,
            date=visit.date,
            duration_minutes=visit.duration_minutes,
            time_zone=visit.time_zone,
            place=visit.place,
            status=visit.status,
            agent_id=visit.agent_id,
            visitor=VisitorOutput.of(visitor) if visitor else None,
            notes=visit.notes,
            notify=visit.notify,
            cancellation=CancellationOutput.of(cancellation) if cancellation else None,
            awaits=AwaitedOutput.of(visit.awaited) if visit.awaited else None,
            version=visit.version,
            created_at=visit.created_at,
            updated_at=visit.updated_at,
            created_by=visit.created_by,
            updated_by=visit.updated_by,
            warnings=[WarningOutput.of(objection) for objection in overruled] or None,
        )

    def about(self) -> Mapping[str, str]:
        return {"visitId": self.id, "propertyId": self.property_id}


def book(request: Request, services: Services) -> Response:
    """Books at once or, where the caller prefers, hands in an intake of one."""
    body = parsing.parse_body(BookVisitInput, request)
    note(propertyId=body.property_id)
    if prefers_async(request):
        from chalicelib.api import intakes

        with suppress(AlreadyDone):  # booked at once, and told so again below
            return intakes.hand_in_one(request, services, body)
    lenient = leniency(request)
    key = parsing.idempotency_key(request, body)
    outcome = services.visits.book(body.to_command(), key, lenient or strictly, caller_name(request))
    visit = outcome.result
    if lenient is None or outcome.replayed:
        output = VisitOutput.of(visit)
        return created(request, output, etag(visit.version), "visits", visit.id, replayed=outcome.replayed)
    answer = created(request, VisitOutput.of(visit, lenient.overruled), etag(visit.version), "visits", visit.id)
    return applied(answer)


def get(request: Request, services: Services, visit_id: str) -> Response:
    no_query(parsing.query_values(request))
    visit = services.visits.get(parsing.visit_id(visit_id))
    return tagged(request, VisitOutput.of(visit), etag(visit.version))


def erase_visitor(request: Request, services: Services, visit_id: str) -> Response:
    expected = optional_versions(request.headers)
    visit = services.visits.erase_visitor(parsing.visit_id(visit_id), expected, caller_name(request))
    return no_content(etag(visit.version))


def answered(visit: Visit, overruled: Sequence[Objection] = ()) -> Response:
    return json_answer(VisitOutput.of(visit, overruled), {"ETag": etag(visit.version)})


def leniency(request: Request) -> Leniently | None:
    """Who may overrule the hours, and prefers to. From anybody else the preference is ignored (RFC 7240)."""
    caller = caller_of(request)
    may = caller is not None and Scope.OVERRIDE.value in caller.scopes
    return Leniently() if may and preferences(request).get("handling") == "lenient" else None


def applied(answer: Response) -> Response:
    answer.headers[PREFERENCE_APPLIED] = "handling=lenient"
    return answer
