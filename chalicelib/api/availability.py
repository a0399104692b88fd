"""When a property is taken, over HTTP."""

from __future__ import annotations

from chalice.app import Request, Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from chalicelib.http import parsing
from chalicelib.http.answers import json_answer
from chalicelib.http.fields import InstantOut, Output
from chalicelib.http.queries import From, Query, To
from chalicelib.services.availability import BusyTimes
from chalicelib.services.wired import Services


class BusyIntervalOutput(Output):
    start: InstantOut
    end: InstantOut
    held: int
    free: int

    model_config = ConfigDict(
        alias_generator=lambda name: {"start": "from", "end": "to"}.get(name, name), populate_by_name=True
    )


class BusyOutput(Output):
    """When a property is taken, in whole quarter hours; nobody's name."""

    property_id: str
    start: InstantOut
    end: InstantOut
    capacity: int
    time_zone: str
    busy: list[BusyIntervalOutput]

    model_config = ConfigDict(
        alias_generator=lambda name: {"start": "from", "end": "to"}.get(name) or to_camel(name),
        populate_by_name=True,
    )

    @classmethod
    def of(cls, times: BusyTimes) -> BusyOutput:
        return cls(
            property_id=times.property.id,
            start=times.window.start,
            end=times.window.end,
            capacity=times.property.details.capacity,
            time_zone=times.property.details.time_zone,
            busy=[BusyIntervalOutput(start=i.start, end=i.end, held=i.held, free=i.free) for i in times.intervals],
        )


class BusyQuery(Query):
    """GET /properties/{id}/busy as it was asked."""

    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")


def busy(request: Request, services: Services, property_id: str) -> Response:
    query = BusyQuery.parse(parsing.query_values(request))
    times = services.availability.busy(parsing.property_id(property_id), query.start, query.end)
    return json_answer(BusyOutput.of(times))
