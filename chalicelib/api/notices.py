"""The mail about a visit over HTTP: what its visitor was told last, and whether the address takes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from chalice.app import Request, Response
from pydantic import Field

from chalicelib.domain.notices import NoMoreMail, Notice, Told
from chalicelib.domain.visits import Status
from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import IfAny, InstantOut, Output
from chalicelib.http.queries import no_query

if TYPE_CHECKING:
    from chalicelib.services.wired import Services


class ToldOutput(Output):
    """What the last mail said."""

    at: InstantOut
    status: Status
    date: InstantOut

    @classmethod
    def of(cls, told: Told) -> ToldOutput:
        return cls(at=told.at, status=told.status, date=told.date)


class NoticesOutput(Output):
    """Of the visit's present visitor."""

    told: Annotated[ToldOutput | None, Field(description="The last mail that was sent, if any was.")] = IfAny
    stopped: Annotated[
        NoMoreMail | None,
        Field(
            description="Why there is no more mail about the visit: the last one came back for good, the visitor"
            " complained of it, or mail cannot be addressed so. Another address is written to again."
        ),
    ] = IfAny
    reminders: Annotated[bool, Field(description="False once the visitor has switched them off.")]

    @classmethod
    def of(cls, notice: Notice) -> NoticesOutput:
        return cls(
            told=ToldOutput.of(notice.told) if notice.told else None,
            stopped=notice.stopped.why if notice.stopped else None,
            reminders=notice.reminders,
        )


def get(request: Request, services: Services, visit_id: str) -> Response:
    no_query(parsing.query_values(request))
    return json_answer(NoticesOutput.of(services.notices.about(parsing.visit_id(visit_id))))
