"""Agents over HTTP: who conducts visits, their hours, and when they are engaged."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from chalice.app import Request, Response
from pydantic import BeforeValidator, Field, StringConstraints

from chalicelib.api.availability import HoursInput, HoursOutput, WindowQuery
from chalicelib.api.wishes import NO_INSTANT, READ_ONLY, READ_ONLY_TEXT, UNCHANGING
from chalicelib.domain.agents import LONGEST_TRAVEL_MINUTES, Agent
from chalicelib.domain.errors import FieldError, InvalidInput
from chalicelib.http import parsing
from chalicelib.http.answers import created, fitting, json_answer, page_answer, tagged
from chalicelib.http.cursors import Cursors
from chalicelib.http.fields import (
    Email,
    IfAny,
    Input,
    Instant,
    InstantOut,
    Name,
    Output,
    Phone,
    TimeZone,
    Version,
    whole,
)
from chalicelib.http.preconditions import etag, must_be_new, optional_versions, required_versions
from chalicelib.http.queries import PageQuery, no_query
from chalicelib.http.read_only import check_unchanged
from chalicelib.journal import note

if TYPE_CHECKING:
    from chalicelib.domain.availability import Hours
    from chalicelib.services.availability import Engagements
    from chalicelib.services.wired import Services

_LANGUAGE: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"

Language = Annotated[
    str, StringConstraints(max_length=35, pattern=_LANGUAGE), Field(json_schema_extra={"examples": ["en", "de-AT"]})
]
Travel = Annotated[int, Field(ge=0, le=LONGEST_TRAVEL_MINUTES), BeforeValidator(whole)]


class AgentInput(Input):
    """The body of PUT /agents/{id}. You can edit an agent you read and send it back whole.

    Read-only fields must be unchanged.
    """

    hints: ClassVar[dict[str, str]] = {
        "id": "must match the id in the URL, or be left out",
        **dict.fromkeys(("version", "createdAt", "updatedAt"), UNCHANGING),
    }

    name: Name
    email: Email | None = None
    phone: Phone | None = None
    language: Annotated[Language | None, Field(description="Preferred language, as a BCP 47 tag.")] = None
    time_zone: TimeZone
    availability: Annotated[
        HoursInput | None,
        Field(description="The hours worked, in the agent's own time zone; absences are `dates`. null: at any time."),
    ] = None
    travel_minutes: Annotated[
        Travel, Field(description="Held after each visit, unless the next one is of the same property.")
    ] = 0
    # None of these can be null, and none is read unless given.
    id: Annotated[str, READ_ONLY_TEXT] = ""
    version: Annotated[Version, READ_ONLY] = 0
    created_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    updated_at: Annotated[Instant, READ_ONLY] = NO_INSTANT

    def to_agent(self, agent_id: str, now: datetime) -> Agent:
        """Raises InvalidInput for what the hours say together."""
        return Agent(
            id=agent_id,
            name=self.name,
            time_zone=self.time_zone,
            email=self.email,
            phone=self.phone,
            language=self.language,
            availability=_hours(self.availability),
            travel_minutes=self.travel_minutes,
            created_at=now,
            updated_at=now,
        )


def _hours(given: HoursInput | None) -> Hours | None:
    try:
        return given.to_hours() if given is not None else None
    except InvalidInput as wrong:
        raise InvalidInput(
            [FieldError(e.pointer.replace("#", "#/availability", 1), e.detail) for e in wrong.errors]
        ) from None


class AgentOutput(Output):
    id: str
    name: str
    email: str | None = IfAny
    phone: str | None = IfAny
    language: str | None = IfAny
    time_zone: str
    availability: HoursOutput | None = IfAny
    travel_minutes: int
    version: int
    created_at: InstantOut
    updated_at: InstantOut

    @classmethod
    def of(cls, agent: Agent) -> AgentOutput:
        return cls(
            id=agent.id,
            name=agent.name,
            email=agent.email,
            phone=agent.phone,
            language=agent.language,
            time_zone=agent.time_zone,
            availability=HoursOutput.of(agent.availability) if agent.availability is not None else None,
            travel_minutes=agent.travel_minutes,
            version=agent.version,
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )


class AgentPage(Output):
    items: list[AgentOutput]
    next_cursor: str | None


class EngagementOutput(Output):
    start: Annotated[InstantOut, Field(alias="from")]
    end: Annotated[InstantOut, Field(alias="to")]
    property_id: str


class EngagementsOutput(Output):
    """When an agent is engaged, in whole quarter hours, travel among them; no visitor's name."""

    agent_id: str
    start: Annotated[InstantOut, Field(alias="from")]
    end: Annotated[InstantOut, Field(alias="to")]
    busy: list[EngagementOutput]

    @classmethod
    def of(cls, found: Engagements) -> EngagementsOutput:
        return cls(
            agent_id=found.agent_id,
            start=found.window.start,
            end=found.window.end,
            busy=[EngagementOutput(start=i.start, end=i.end, property_id=i.property_id) for i in found.intervals],
        )


def list_all(request: Request, services: Services) -> Response:
    """By id."""
    query = PageQuery.parse(parsing.query_values(request))
    cursors = Cursors(services.signer, "agents", {})

    def page(limit: int) -> AgentPage:
        found = services.agents.list(cursors.after(query.cursor), limit)
        items = [AgentOutput.of(agent) for agent in found.items]
        return AgentPage(items=items, next_cursor=cursors.following(found))

    output = fitting(page, query.limit)
    return page_answer(request, output, output.next_cursor, query.limit)


def get(request: Request, services: Services, agent_id: str) -> Response:
    no_query(parsing.query_values(request))
    agent = services.agents.get(parsing.agent_id(agent_id))
    return tagged(request, AgentOutput.of(agent), etag(agent.version))


def put(request: Request, services: Services, agent_id: str) -> Response:
    body = parsing.parse_body(AgentInput, request)

    def check(agent: Agent) -> None:
        check_unchanged(body, AgentOutput.of(agent))

    wanted = body.to_agent(parsing.new_agent_id(agent_id), services.clock())
    if must_be_new(request.headers):
        made = services.agents.create(wanted, check)
        return created(request, AgentOutput.of(made), etag(made.version), "agents", made.id)
    expected = required_versions(request.headers, may_be_new=True)
    after = services.agents.replace(wanted, expected, check)
    return json_answer(AgentOutput.of(after), {"ETag": etag(after.version)})


def erase(request: Request, services: Services, agent_id: str) -> Response:
    expected = optional_versions(request.headers)
    chosen = parsing.agent_id(agent_id)
    services.agents.erase(chosen, expected)
    # Whoever restores the table from a backup has to erase this one again.
    note(agentId=chosen)
    return Response("", status_code=204)


def busy(request: Request, services: Services, agent_id: str) -> Response:
    query = WindowQuery.parse(parsing.query_values(request))
    found = services.availability.engagements(parsing.agent_id(agent_id), query.start, query.end)
    return json_answer(EngagementsOutput.of(found))
