"""Paged lists: query and cursor in, a page and the address of the next one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from chalice.app import Request, Response
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from chalicelib.api.wishes import NO_INSTANT, READ_ONLY, READ_ONLY_TEXT, UNCHANGING, BookVisitInput
from chalicelib.domain import spellings
from chalicelib.domain.api_keys import Scope
from chalicelib.domain.idempotency import AlreadyDone
from chalicelib.domain.listing import Order, VisitFilter
from chalicelib.domain.premises import Leniently, strictly
from chalicelib.domain.visits import (
    UNCHANGED,
    Awaited,
    Cancellation,
    ChangeVisit,
    ChangeVisitor,
    Party,
    Status,
    Unchanged,
    Visit,
    Visitor,
)
from chalicelib.http import parsing
from chalicelib.http.answers import created, json_answer, no_content, page_answer, tagged
from chalicelib.http.callers import caller_name, caller_of
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import (
    AGENT_ID_SCHEMA,
    PROPERTY_ID,
    PROPERTY_ID_SCHEMA,
    Address,
    AgentId,
    Duration,
    Email,
    IfAny,
    Input,
    Instant,
    InstantOut,
    Language,
    Name,
    Notes,
    Output,
    Phone,
    Reason,
    Version,
    never,
)
from chalicelib.http.headers import PREFERENCE_APPLIED
from chalicelib.http.instants import instant_text
from chalicelib.http.preconditions import etag, optional_versions, required_versions
from chalicelib.http.preferences import preferences, prefers_async
from chalicelib.http.problems import objection_text, told_objection
from chalicelib.http.queries import DEFAULT_LIMIT, CursorText, From, Limit, Query, To, documented, no_query, short_text
from chalicelib.http.read_only import check_unchanged
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.domain.errors import Objection
    from chalicelib.services.wired import Services


def without_defaults(schema: dict[str, Any]) -> None:
    """For a patch: what is not given stays as it is."""
    for shown in schema["properties"].values():
        shown.pop("default", None)


class ChangeVisitorInput(Input):
    model_config = ConfigDict(json_schema_extra=without_defaults)

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    language: Language | None = None

    def to_change(self) -> ChangeVisitor:
        given = self.model_fields_set
        return ChangeVisitor(
            name=self.name if "name" in given else UNCHANGED,
            email=self.email if "email" in given else UNCHANGED,
            phone=self.phone if "phone" in given else UNCHANGED,
            language=self.language if "language" in given else UNCHANGED,
        )


class CancellationInput(Input):
    """A cancellation as it was read. PUT /visits/{id}/status makes one."""

    at: Instant
    reason: Annotated[str | None, READ_ONLY_TEXT] = None
    by: Annotated[str | None, READ_ONLY_TEXT] = None


class AwaitedInput(Input):
    """As it was read."""

    whose: Literal["agency", "visitor"]
    until: Instant


class ChangeVisitInput(Input):
    """The body of PATCH /visits/{id}: a merge patch (RFC 7396). null removes, or sets the default.

    You can edit a visit you read and send it back whole: read-only fields must be unchanged.
    """

    model_config = ConfigDict(json_schema_extra=without_defaults)

    hints: ClassVar[dict[str, str]] = {
        "status": "cannot be patched: use PUT /visits/{id}/status",
        "propertyId": "cannot be changed: cancel this visit and book another",
        "cancellation": "cannot be patched: use PUT /visits/{id}/status",
        "awaits": "cannot be patched: use PUT /visits/{id}/status",
        **dict.fromkeys(("id", "timeZone", "version", "createdAt", "updatedAt", "createdBy", "updatedBy"), UNCHANGING),
    }

    date: Instant = NO_INSTANT  # cannot be null; not read unless given
    duration_minutes: Duration | None = None
    place: Address | None = None
    agent_id: AgentId | None = None
    visitor: ChangeVisitorInput | None = None
    notes: Notes | None = None
    notify: bool = False  # cannot be null; not read unless given
    # None of these can be null, and none is read unless given.
    id: Annotated[str, READ_ONLY_TEXT] = ""
    property_id: Annotated[str, READ_ONLY_TEXT] = ""
    time_zone: Annotated[str, READ_ONLY_TEXT] = ""
    status: Annotated[str, READ_ONLY_TEXT] = ""
    cancellation: Annotated[CancellationInput | None, READ_ONLY] = None
    awaits: Annotated[AwaitedInput | None, READ_ONLY] = None
    version: Annotated[Version, READ_ONLY] = 0
    created_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    updated_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    created_by: Annotated[str, READ_ONLY_TEXT] = ""
    updated_by: Annotated[str, READ_ONLY_TEXT] = ""
    warnings: Annotated[list[Any], READ_ONLY] = Field(default_factory=list)

    def to_change(self) -> ChangeVisit:
        given = self.model_fields_set
        visitor: ChangeVisitor | Unchanged | None = UNCHANGED
        if "visitor" in given:
            visitor = self.visitor.to_change() if self.visitor else None
        return ChangeVisit(
            date=self.date if "date" in given else UNCHANGED,
            duration_minutes=self.duration_minutes if "duration_minutes" in given else UNCHANGED,
            place=self.place if "place" in given else UNCHANGED,
            agent_id=self.agent_id if "agent_id" in given else UNCHANGED,
            visitor=visitor,
            notes=self.notes if "notes" in given else UNCHANGED,
            notify=self.notify if "notify" in given else UNCHANGED,
        )


class StatusInput(Input):
    """The body of PUT /visits/{id}/status."""

    model_config = ConfigDict(
        json_schema_extra=never(
            {
                "required": ["reason"],
                "properties": {"reason": {"type": "string"}, "status": {"not": {"const": "cancelled"}}},
            }
        )
    )

    status: Literal["requested", "confirmed", "declined", "cancelled", "completed", "no_show"]
    reason: Reason | None = None

    @model_validator(mode="after")
    def only_a_cancellation_has_a_reason(self) -> StatusInput:
        if self.reason is not None and self.status != "cancelled":
            raise ValueError("'reason' is only allowed with the status cancelled")
        return self


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


class VisitPage(Output):
    items: list[VisitOutput]
    next_cursor: str | None


def _order(given: object) -> str:
    text = short_text(given, 10)
    if text not in ("asc", "desc"):
        raise ValueError("must be asc or desc")
    return text


MOST_STATUSES: Final = 100


def _statuses(given: object) -> frozenset[Status]:
    """Repeated or separated by commas, as the caller likes."""
    names = [name for text in given for name in str(text).split(",")] if isinstance(given, list) else []
    if len(names) > MOST_STATUSES:
        raise ValueError(f"must be {MOST_STATUSES} at most")
    if not {str(status) for status in Status}.issuperset(names):
        raise ValueError(f"must be one of {', '.join(Status)}, separated by commas")
    return frozenset(Status(name) for name in names)


def _property_id(given: object) -> str:
    text = short_text(given, 64)
    if not PROPERTY_ID.fullmatch(text):
        raise ValueError("is not a property id")
    return text


def agent_given(given: object) -> str:
    return spellings.agent_id(short_text(given, spellings.LONGEST_AGENT_ID))


class VisitFilters(Query):
    """Which visits, in which order: the same for the list and for the export."""

    property_id: Annotated[
        str | None, BeforeValidator(_property_id), documented(PROPERTY_ID_SCHEMA, "Only visits to this property.")
    ] = Field(None, alias="propertyId")
    agent_id: Annotated[
        str | None,
        BeforeValidator(agent_given),
        documented(AGENT_ID_SCHEMA, "Only visits conducted by this agent."),
    ] = Field(None, alias="agentId")
    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")
    statuses: Annotated[
        frozenset[Status],
        BeforeValidator(_statuses),
        documented(
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_STATUSES,
                "items": {"type": "string", "enum": [str(status) for status in Status]},
            },
            "Visits in one of these statuses only; repeated or separated by commas. A page may then be short, even "
            "empty, though more follow: go on for as long as there is a `nextCursor`.",
        ),
    ] = Field(frozenset(), alias="status")
    order: Annotated[
        Order,
        BeforeValidator(_order),
        documented({"type": "string", "enum": ["asc", "desc"], "default": "asc"}, "By start, then id."),
    ] = "asc"


class VisitQuery(VisitFilters):
    """GET /visits as it was asked: bounds that were not given stay open until the first page freezes them."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText | None = None

    def parameters(self) -> dict[str, str | list[str]]:
        """The filters, as they would be asked for again: what a cursor is bound to and a link carries."""
        return {
            name: value
            for name, value in (
                ("propertyId", self.property_id),
                ("agentId", self.agent_id),
                ("from", instant_text(self.start) if self.start else None),
                ("to", instant_text(self.end) if self.end else None),
                ("status", sorted(map(str, self.statuses)) or None),
                ("order", self.order if self.order == "desc" else None),
            )
            if value is not None
        }


def book(request: Request, services: Services) -> Response:
    """Books at once or, where the caller prefers, hands in an intake of one."""
    body = parsing.parse_body(BookVisitInput, request)
    note(propertyId=body.property_id)
    if prefers_async(request):
        from chalicelib.api import intakes

        with suppress(AlreadyDone):  # booked at once, and told so again below
            return intakes.hand_in_one(request, services, body)
    lenient = _lenient(request)
    key = parsing.idempotency_key(request, body)
    outcome = services.visits.book(body.to_command(), key, lenient or strictly, caller_name(request))
    visit = outcome.result
    if lenient is None or outcome.replayed:
        output = VisitOutput.of(visit)
        return created(request, output, etag(visit.version), "visits", visit.id, replayed=outcome.replayed)
    answer = created(request, VisitOutput.of(visit, lenient.overruled), etag(visit.version), "visits", visit.id)
    return _applied(answer)


def list_all(request: Request, services: Services) -> Response:
    """The first page freezes the window, and every cursor after it carries it along."""
    query = VisitQuery.parse(parsing.query_values(request))
    filters = query.parameters()
    cursors = Cursors(services.signer, "visits", filters)
    cursor = cursors.read(query.cursor) if query.cursor is not None else None
    window = cursor.window if cursor and cursor.window else services.listing.window(query.start, query.end)
    filter = VisitFilter(window, query.property_id, query.agent_id, query.statuses, query.order)
    page = services.listing.visits(filter, cursor.after if cursor else None, query.limit)
    following = cursors.following(page, window)
    output = VisitPage(items=[VisitOutput.of(visit) for visit in page.items], next_cursor=following)
    return page_answer(request, output, following, query.limit, filters)


def get(request: Request, services: Services, visit_id: str) -> Response:
    no_query(parsing.query_values(request))
    visit = services.visits.get(parsing.visit_id(visit_id))
    return tagged(request, VisitOutput.of(visit), etag(visit.version))


def change(request: Request, services: Services, visit_id: str) -> Response:
    expected = required_versions(request.headers)
    body = parsing.parse_body(ChangeVisitInput, request, parsing.MERGE_PATCH)

    def check(visit: Visit) -> None:
        check_unchanged(body, VisitOutput.of(visit))

    lenient = _lenient(request)
    chosen, by = parsing.visit_id(visit_id), caller_name(request)
    visit = services.visits.change(chosen, body.to_change(), expected, check, lenient or strictly, by)
    return _answer(visit) if lenient is None else _applied(_answer(visit, lenient.overruled))


def change_status(request: Request, services: Services, visit_id: str) -> Response:
    expected = optional_versions(request.headers)
    body = parsing.parse_body(StatusInput, request)
    wanted = Status(body.status)
    chosen, by = parsing.visit_id(visit_id), caller_name(request)
    return _answer(services.visits.change_status(chosen, wanted, body.reason, expected, by=by))


def erase_visitor(request: Request, services: Services, visit_id: str) -> Response:
    expected = optional_versions(request.headers)
    visit = services.visits.erase_visitor(parsing.visit_id(visit_id), expected, caller_name(request))
    return no_content(etag(visit.version))


def _answer(visit: Visit, overruled: Sequence[Objection] = ()) -> Response:
    return json_answer(VisitOutput.of(visit, overruled), {"ETag": etag(visit.version)})


def _lenient(request: Request) -> Leniently | None:
    """Who may overrule the hours, and prefers to. From anybody else the preference is ignored (RFC 7240)."""
    caller = caller_of(request)
    may = caller is not None and Scope.OVERRIDE.value in caller.scopes
    return Leniently() if may and preferences(request).get("handling") == "lenient" else None


def _applied(answer: Response) -> Response:
    answer.headers[PREFERENCE_APPLIED] = "handling=lenient"
    return answer
