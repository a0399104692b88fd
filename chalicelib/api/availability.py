"""When a property may be visited, and when it is taken, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NotRequired, Self
from zoneinfo import ZoneInfo

from chalice.app import Request, Response
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from chalicelib.api.wishes import NO_INSTANT, READ_ONLY, UNCHANGING
from chalicelib.domain.agents import ANY_AGENT
from chalicelib.domain.availability import DAY_MINUTES, WEEKDAYS, Availability, Dates, Hours, Opening, Rules
from chalicelib.domain.visits import DEFAULT_DURATION_MINUTES
from chalicelib.http import parsing
from chalicelib.http.answers import created, json_answer, tagged
from chalicelib.http.fields import (
    AGENT_ID_SCHEMA,
    INSTANT_OUT_SCHEMA,
    INT32,
    IfAny,
    Input,
    Instant,
    InstantOut,
    Output,
    Version,
    whole,
)
from chalicelib.http.preconditions import etag, must_be_new, required_versions
from chalicelib.http.queries import From, Query, To, agent_given, documented, no_query, short_text
from chalicelib.http.read_only import check_unchanged

if TYPE_CHECKING:
    from chalicelib.domain.premises import Slot
    from chalicelib.services.availability import BusyTimes, FreeSlots
    from chalicelib.services.wired import Services

MOST_OPENINGS: Final = 24
"""A day."""
MOST_DATES: Final = 366
LONGEST_STEP: Final = 240
LONGEST_NOTICE: Final = 90 * DAY_MINUTES
FARTHEST_HORIZON: Final = 5 * 366
LONGEST_GAP: Final = 90
"""With it, and with an agent's longest travel, moving the longest visit is still one transaction of 100 writes."""

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _minutes(text: object) -> int:
    matched = _TIME.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise ValueError("must be two local times of the form HH:MM, from 00:00 to 24:00")
    return int(matched[1]) * 60 + int(matched[2]) if matched[1] else DAY_MINUTES


@cache
def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _opening(given: object) -> Opening:
    if not isinstance(given, list) or len(given) != 2:
        raise ValueError('must be a pair of local times, like ["09:00", "12:30"]')
    opening = Opening(_minutes(given[0]), _minutes(given[1]))
    if opening.closes <= opening.opens:
        raise ValueError("must end later than it begins, on the same day: one that goes past midnight is two")
    return opening


def _local_date(given: object) -> date:
    try:
        if isinstance(given, str) and _DATE.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:
        pass
    raise ValueError("must be a date that exists, like 2027-12-24")


def _step(minutes: object) -> object:
    number = whole(minutes)
    if isinstance(number, int) and number % 15:
        raise ValueError("must be a multiple of 15")
    return number


_OPENING_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "pattern": f"^(?:{_TIME.pattern})$"},
    "minItems": 2,
    "maxItems": 2,
    "examples": [["09:00", "12:30"]],
}
_LOCAL_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}$",
    "description": "The same instant in the property's local time.",
    "examples": ["2027-03-14T10:30:00+01:00"],
}
_WHY_SCHEMA: Final[dict[str, Any]] = {"type": "string", "enum": ["closed", "notice", "horizon", "taken"]}
_DATE_SCHEMA: Final[dict[str, Any]] = {"type": "string", "format": "date", "examples": ["2027-12-24"]}

OpeningIn = Annotated[Opening, BeforeValidator(_opening), WithJsonSchema(_OPENING_SCHEMA)]
OpeningsIn = Annotated[list[OpeningIn], Field(max_length=MOST_OPENINGS)]
OpeningOut = Annotated[list[str], WithJsonSchema(_OPENING_SCHEMA)]
LocalDate = Annotated[date, BeforeValidator(_local_date), WithJsonSchema(_DATE_SCHEMA)]
Step = Annotated[
    int, Field(ge=15, le=LONGEST_STEP, json_schema_extra={"format": "int32", "multipleOf": 15}), BeforeValidator(_step)
]
Notice = Annotated[int, Field(ge=0, le=LONGEST_NOTICE), BeforeValidator(whole), INT32]
Horizon = Annotated[int, Field(ge=0, le=FARTHEST_HORIZON), BeforeValidator(whole), INT32]
Gap = Annotated[int, Field(ge=0, le=LONGEST_GAP), BeforeValidator(whole), INT32]


class WeeklyInput(Input):
    """The openings of each weekday, in local time; a day that is left out is closed."""

    mon: OpeningsIn = Field(default_factory=list)
    tue: OpeningsIn = Field(default_factory=list)
    wed: OpeningsIn = Field(default_factory=list)
    thu: OpeningsIn = Field(default_factory=list)
    fri: OpeningsIn = Field(default_factory=list)
    sat: OpeningsIn = Field(default_factory=list)
    sun: OpeningsIn = Field(default_factory=list)

    def to_weekly(self) -> tuple[tuple[Opening, ...], ...]:
        return tuple(tuple(getattr(self, day)) for day in WEEKDAYS)


class DatesInput(Input):
    """From one local date to another, both included, these openings instead of the weekly ones; none is closed."""

    first: Annotated[LocalDate, Field(alias="from")]
    last: Annotated[LocalDate | None, Field(alias="to", description="The same as `from` unless given.")] = None
    open: OpeningsIn

    def to_dates(self) -> Dates:
        return Dates(self.first, self.last if self.last is not None else self.first, tuple(self.open))


class HoursInput(Input):
    """Weekly hours and exceptions by date. Without `weekly`, every day is open all day."""

    weekly: WeeklyInput | None = None
    dates: Annotated[list[DatesInput], Field(max_length=MOST_DATES)] = Field(default_factory=list)

    def to_hours(self) -> Hours:
        """Raises InvalidInput for what the entries say together."""
        weekly = self.weekly.to_weekly() if self.weekly is not None else None
        return Hours(weekly, tuple(dates.to_dates() for dates in self.dates))


class RulesInput(HoursInput):
    """When and how a property may be visited."""

    step_minutes: Annotated[Step, Field(description="Starts step by so much from the opening.")] = 15
    notice_minutes: Annotated[Notice, Field(description="So long before its start a visit must be booked.")] = 0
    horizon_days: Annotated[
        Horizon | None, Field(description="Today, or so many local dates later at most; null for no limit.")
    ] = None
    gap_minutes: Annotated[Gap, Field(description="Held after each visit, for nobody.")] = 0

    def to_rules(self) -> Rules:
        return Rules(self.to_hours(), self.step_minutes, self.notice_minutes, self.horizon_days, self.gap_minutes)


class AvailabilityInput(RulesInput):
    """The body of PUT /properties/{id}/availability: all the rules, since it replaces them. It can be sent back whole.

    Read-only fields are taken as long as they say what is so.
    """

    hints: ClassVar[dict[str, str]] = {
        "propertyId": "must be the one in the address, or be left out",
        **dict.fromkeys(("version", "createdAt", "updatedAt"), UNCHANGING),
    }

    # None of these can be null, and none is read unless given.
    property_id: Annotated[str, READ_ONLY] = ""
    version: Annotated[Version, READ_ONLY] = 0
    created_at: Annotated[Instant, READ_ONLY] = NO_INSTANT
    updated_at: Annotated[Instant, READ_ONLY] = NO_INSTANT


class WeeklyOutput(Output):
    mon: list[OpeningOut]
    tue: list[OpeningOut]
    wed: list[OpeningOut]
    thu: list[OpeningOut]
    fri: list[OpeningOut]
    sat: list[OpeningOut]
    sun: list[OpeningOut]


class DatesOutput(Output):
    first: Annotated[str, Field(alias="from", json_schema_extra=_DATE_SCHEMA)]
    last: Annotated[str, Field(alias="to", json_schema_extra=_DATE_SCHEMA)]
    open: list[OpeningOut]


class HoursOutput(Output):
    """Weekly hours and exceptions by date, as they were set."""

    weekly: WeeklyOutput | None
    dates: list[DatesOutput]

    @classmethod
    def shown(cls, hours: Hours) -> dict[str, Any]:
        """The fields of the hours, for whatever has them."""
        weekly = None
        if hours.weekly is not None:
            weekly = WeeklyOutput(**dict(zip(WEEKDAYS, map(_openings, hours.weekly), strict=True)))
        dates = [
            DatesOutput(first=d.first.isoformat(), last=d.last.isoformat(), open=_openings(d.open)) for d in hours.dates
        ]
        return {"weekly": weekly, "dates": dates}

    @classmethod
    def of(cls, hours: Hours) -> Self:
        return cls(**cls.shown(hours))


class AvailabilityOutput(HoursOutput):
    """When a property may be visited, in its own local time."""

    property_id: str
    step_minutes: int
    notice_minutes: int
    horizon_days: int | None
    gap_minutes: int
    version: int
    created_at: InstantOut
    updated_at: InstantOut

    @classmethod
    def showing(cls, availability: Availability) -> AvailabilityOutput:
        rules = availability.rules
        return cls(
            **cls.shown(rules.hours),
            property_id=availability.property_id,
            step_minutes=rules.step_minutes,
            notice_minutes=rules.notice_minutes,
            horizon_days=rules.horizon_days,
            gap_minutes=rules.gap_minutes,
            version=availability.version,
            created_at=availability.created_at,
            updated_at=availability.updated_at,
        )

    def about(self) -> Mapping[str, str]:
        return {"propertyId": self.property_id}


def _openings(openings: tuple[Opening, ...]) -> list[list[str]]:
    return [[_time(opening.opens), _time(opening.closes)] for opening in openings]


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


class WindowQuery(Query):
    """From one instant up to another, as it was asked."""

    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")


class StartOutput(TypedDict):
    """A time at which a visit can begin. A plain dictionary, since a month has three thousand of them."""

    start: Annotated[str, WithJsonSchema(INSTANT_OUT_SCHEMA)]
    localStart: Annotated[str, WithJsonSchema(_LOCAL_SCHEMA)]


class SlotOutput(StartOutput):
    """A start that can be booked."""

    free: Annotated[int, Field(description="How many more visits fit in at that time.")]
    agents: NotRequired[Annotated[list[str], Field(description="With `agentId=any`: who is free.")]]


WhyNone = Annotated[str, WithJsonSchema(_WHY_SCHEMA)]


class SlotsOutput(Output):
    """When a property can be visited. Without slots there is a reason."""

    property_id: str
    start: Annotated[InstantOut, Field(alias="from")]
    end: Annotated[InstantOut, Field(alias="to")]
    time_zone: str
    duration_minutes: int
    slots: list[SlotOutput]
    reason: WhyNone | None = IfAny

    @classmethod
    def of(cls, found: FreeSlots, agents_asked_for: bool) -> SlotsOutput:
        zone = found.premises.zone
        # Not validated once more, which for three thousand dictionaries takes as long as making them.
        return cls.model_construct(
            property_id=found.premises.property.id,
            start=found.window.start,
            end=found.window.end,
            time_zone=found.premises.property.details.time_zone,
            duration_minutes=found.minutes,
            slots=[_slot(slot, zone, agents_asked_for) for slot in found.slots],
            reason=str(found.reason) if found.reason else None,
        )


def start_of(slot: Slot, zone: ZoneInfo) -> StartOutput:
    local = slot.start.astimezone(zone)
    return {"start": f"{_minute(slot.start)}Z", "localStart": f"{_minute(local)}{_offset(local.utcoffset())}"}


def _slot(slot: Slot, zone: ZoneInfo, with_agents: bool) -> SlotOutput:
    at = start_of(slot, zone)
    shown: SlotOutput = {"start": at["start"], "localStart": at["localStart"], "free": slot.free}
    if with_agents:
        shown["agents"] = list(slot.agents)
    return shown


def _minute(moment: datetime) -> str:
    """As isoformat writes a whole minute, at a third of its price. No zone has had seconds in its offset since 1972."""
    return f"{_date(moment.date())}T{_time(moment.hour * 60 + moment.minute)}:00"


@lru_cache(maxsize=64)
def _date(day: date) -> str:
    return day.isoformat()


@cache
def _offset(offset: timedelta | None) -> str:
    return datetime.combine(date.min, time(), timezone(offset or timedelta())).isoformat()[-6:]


class BookableSlotsOutput(Output):
    """When a property can be visited, as visitors are told it: of other times not why."""

    start: Annotated[InstantOut, Field(alias="from")]
    end: Annotated[InstantOut, Field(alias="to")]
    time_zone: str
    duration_minutes: int
    slots: list[StartOutput]

    @classmethod
    def of(cls, found: FreeSlots) -> BookableSlotsOutput:
        zone = found.premises.zone
        return cls(
            start=found.window.start,
            end=found.window.end,
            time_zone=found.premises.property.details.time_zone,
            duration_minutes=found.minutes,
            slots=[start_of(slot, zone) for slot in found.slots],
        )


def _duration(given: object) -> int:
    text = short_text(given, 10)
    if not (text.isascii() and text.isdigit() and 5 <= int(text) <= 240):
        raise ValueError("must be a whole number from 5 to 240")
    return int(text)


class SlotsQuery(Query):
    """GET /properties/{id}/slots as it was asked."""

    start: From | None = Field(None, alias="from")
    end: To | None = Field(None, alias="to")
    duration: Annotated[
        int,
        BeforeValidator(_duration),
        documented(
            {"type": "integer", "format": "int32", "minimum": 5, "maximum": 240, "default": DEFAULT_DURATION_MINUTES},
            "How long the visit is to be.",
        ),
    ] = Field(DEFAULT_DURATION_MINUTES, alias="durationMinutes")
    agent_id: Annotated[
        str | None,
        BeforeValidator(agent_given),
        documented(
            AGENT_ID_SCHEMA,
            "Only when this agent works and is free. `any`: when one of the registered agents is, and who; for 50 "
            "agents and 7 days at most.",
        ),
    ] = Field(None, alias="agentId")


def get(request: Request, services: Services, property_id: str) -> Response:
    no_query(parsing.query_values(request))
    availability = services.availability.get(parsing.property_id(property_id))
    return tagged(request, AvailabilityOutput.showing(availability), etag(availability.version))


def put(request: Request, services: Services, property_id: str) -> Response:
    chosen = parsing.property_id(property_id)
    body = parsing.parse_body(AvailabilityInput, request)

    def check(availability: Availability) -> None:
        check_unchanged(body, AvailabilityOutput.showing(availability))

    if must_be_new(request.headers):
        made = services.availability.create(chosen, body.to_rules(), check)
        output = AvailabilityOutput.showing(made)
        return created(request, output, etag(made.version), "properties", chosen, "availability")
    expected = required_versions(request.headers, may_be_new=True)
    after = services.availability.replace(chosen, body.to_rules(), expected, check)
    return json_answer(AvailabilityOutput.showing(after), {"ETag": etag(after.version)})


def slots(request: Request, services: Services, property_id: str) -> Response:
    query = SlotsQuery.parse(parsing.query_values(request))
    chosen = parsing.property_id(property_id)
    found = services.availability.slots(chosen, query.start, query.end, query.duration, query.agent_id)
    return json_answer(SlotsOutput.of(found, query.agent_id == ANY_AGENT))


def busy(request: Request, services: Services, property_id: str) -> Response:
    query = WindowQuery.parse(parsing.query_values(request))
    times = services.availability.busy(parsing.property_id(property_id), query.start, query.end)
    return json_answer(BusyOutput.of(times))
