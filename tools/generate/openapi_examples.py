"""Examples for the contract: of every body and of every refusal, whose answers tell the document about problems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.api import service
from chalicelib.api.agents import AgentInput, AgentOutput, AgentPage, EngagementsOutput
from chalicelib.api.availability import (
    AvailabilityInput,
    AvailabilityOutput,
    BookableSlotsOutput,
    BusyOutput,
    SlotsOutput,
)
from chalicelib.api.calendars import AgentCalendarInput, CalendarTokenOutput
from chalicelib.api.events import EventPage
from chalicelib.api.intakes import IntakeInput, IntakeOutput, RowOutcomePage
from chalicelib.api.notices import NoticesOutput
from chalicelib.api.properties import PropertyInput, PropertyOutput, PropertyPage, RegisterPropertyInput
from chalicelib.api.public import BookPublicVisitInput, PublicPropertyOutput, PublicVisitOutput
from chalicelib.api.sheets import (
    AnnouncedSheetOutput,
    AnnounceSheetInput,
    CorrectRowInput,
    PictureOutput,
    ReadingInput,
    RegisterSheetInput,
    SheetOutput,
    SheetPage,
    SheetRowOutput,
    SheetRowPage,
)
from chalicelib.api.visitor_links import ChangeOwnVisitInput, OwnStatusInput, OwnVisitOutput
from chalicelib.api.visitors import EraseInput, ErasureOutput, SearchInput
from chalicelib.api.visits import ChangeVisitInput, StatusInput, VisitOutput, VisitPage
from chalicelib.api.webhooks import PositionInput, WebhookInput, WebhookList, WebhookOutput, WebhookSecretOutput
from chalicelib.api.wishes import BookVisitInput
from chalicelib.domain import errors, sheets
from chalicelib.http import errors as http_errors
from chalicelib.http import fields
from chalicelib.http.fields import Output

_START: Final = datetime(2027, 3, 14, 9, 30, tzinfo=UTC)
_END: Final = datetime(2027, 3, 14, 10, 0, tzinfo=UTC)
_VISIT: Final = "01989c3e-7c0a-7b52-9d2e-3f1c0a9b8e77"
_SHEET: Final = "01989c3e-7c0a-7b52-9d2e-3f1c0a9b8e78"
_INTAKE: Final = "5b0c7f0e-9a0d-5c0e-8f57-0c7d7d1c6a10"

REFUSALS: Final[tuple[errors.Refused | errors.Unavailable, ...]] = (
    errors.InvalidInput([errors.FieldError("#/date", "needs an offset from UTC, or Z: 2027-03-14T10:30:00+01:00")]),
    errors.PropertyNotFound("house-1"),
    errors.PropertyNotFound(""),
    errors.VisitNotFound(_VISIT),
    errors.VisitNotFound(""),
    errors.AgentNotFound("agent-7"),
    errors.AgentNotFound(""),
    errors.PropertyExists("house-1"),
    errors.VisitExists(_VISIT),
    errors.VisitsNotAllowed("house-1"),
    errors.SlotTaken([errors.TakenInterval(_START, _END, "property")]),
    errors.OutsideHours([errors.Objection("closed", "property")]),
    errors.NotFree([_START, _END]),
    errors.NoBookingPage(),
    errors.LimitReached("contact"),
    errors.LimitReached("property", 1800),
    errors.AvailabilityNotFound("house-1"),
    errors.TransitionNotAllowed("completed", "cancelled", ["no_show"]),
    errors.VisitNotStarted(_START),
    errors.SlotsReleased("cancelled", ["date"]),
    errors.KeyReused(),
    errors.HandedIn(),
    errors.VersionMismatch(),
    errors.PreconditionRequired("If-Match"),
    errors.ExportTooLarge("rows", 10_000),
    errors.FeedNotFound(),
    errors.LinkInvalid(),
    errors.TooLate(_START),
    errors.PositionLost(),
    errors.WebhookNotFound(),
    errors.TooManyWebhooks(),
    errors.StoreBusy(),
    errors.OutcomeUnknown(intake_id=_INTAKE),
    errors.OutcomeUnknown(),
    errors.IntakeNotFound(_INTAKE),
    errors.IntakeNotFound(""),
    errors.ExternalIdReused(),
    errors.GivenUp(),
    errors.SheetNotFound(_SHEET),
    errors.SheetNotFound(""),
    errors.SheetRowNotFound(7),
    errors.SheetRowNotFound(None),
    errors.SheetNotReady(sheets.SheetStatus.READING),
    errors.SheetRepeated(_SHEET),
    errors.SheetRowRegistered(7),
    errors.NothingToRegister(),
    errors.SheetFileGone(),
    http_errors.MalformedRequest("The body is not valid JSON: Expecting value at line 1, column 1."),
    http_errors.UnsupportedMediaType(("application/json",)),
    http_errors.UnsupportedMediaType(("application/merge-patch+json", "application/json")),
    http_errors.BodyTooLarge(65536),
    http_errors.InvalidCursor("This cursor belongs to another list."),
    http_errors.ResourceNotFound(),
    http_errors.Unauthenticated(),
    http_errors.ScopeMissing("write"),
)
"""Where a fact can be missing, once with it and once without."""

_HOUSE: Final[dict[str, Any]] = {
    "name": "House by the lake",
    "address": "Seestraße 1, 14467 Potsdam",
    "price": 450000,
    "currency": "EUR",
    "timeZone": "Europe/Berlin",
    "capacity": 1,
    "visitsAllowed": True,
    "publicBooking": "confirm",
}
_BOOKING: Final[dict[str, Any]] = {
    "propertyId": "house-1",
    "date": "2027-03-14T10:30:00+01:00",
    "place": "At the front door",
}
_RULES: Final[dict[str, Any]] = {
    "weekly": {
        **{day: [["09:00", "12:00"], ["13:00", "18:00"]] for day in ("mon", "tue", "wed", "thu")},
        "fri": [["09:00", "14:00"]],
        "sat": [],
        "sun": [],
    },
    "dates": [{"from": "2027-12-24", "to": "2027-12-26", "open": []}],
    "stepMinutes": 30,
    "noticeMinutes": 120,
    "horizonDays": 60,
    "gapMinutes": 15,
}
_AGENT: Final[dict[str, Any]] = {
    "name": "Grace Hopper",
    "email": "grace@example.com",
    "phone": "+49 331 901820",
    "language": "de",
    "timeZone": "Europe/Berlin",
    "availability": {
        "weekly": {
            **{day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu")},
            "fri": [],
            "sat": [],
            "sun": [],
        },
        "dates": [{"from": "2027-08-02", "to": "2027-08-20", "open": []}],
    },
    "travelMinutes": 30,
}
_STAMPS: Final[dict[str, Any]] = {
    "version": 1,
    "createdAt": "2027-03-01T08:00:00Z",
    "updatedAt": "2027-03-01T08:00:00Z",
}
_BOOKED: Final[dict[str, Any]] = {
    "id": _VISIT,
    "propertyId": "house-1",
    "date": "2027-03-14T09:30:00Z",
    "durationMinutes": 30,
    "timeZone": "Europe/Berlin",
    "place": "At the front door",
    "status": "confirmed",
    "visitor": {"name": "Ada Lovelace", "email": "ada@example.com", "language": "en"},
    "notify": True,
    **_STAMPS,
    "createdBy": "front-desk",
    "updatedBy": "front-desk",
}
_REGISTERED: Final[dict[str, Any]] = {"id": "house-1", **_HOUSE, **_STAMPS}
_OUTCOME: Final[dict[str, Any]] = {"row": 0, "externalId": "crm-4711", "status": "created", "visitId": _VISIT}

_SHEET_READ: Final[dict[str, Any]] = {
    "id": _SHEET,
    "name": "Visits of March.jpg",
    "status": "review",
    "contentType": "image/jpeg",
    "timeZone": "Europe/Berlin",
    "rows": 1,
    "reviewed": 0,
    "registered": 0,
    "columns": [{"index": 0, "heading": "Date", "fields": ["date"]}],
    "remarks": [],
    "orientation": 1,
    "version": 4,
    "createdAt": "2027-03-01T08:00:00Z",
    "expiresAt": "2027-05-30T08:00:00Z",
}
_SHEET_ROW: Final[dict[str, Any]] = {
    "row": 2,
    "line": 2,
    "cells": [
        {
            "field": "date",
            "text": "14/3",
            "value": "2027-03-14",
            "issues": [{"kind": "year-assumed"}],
            "confidence": 0.99,
            "place": {"page": 1, "left": 0.1, "top": 0.2, "width": 0.1, "height": 0.02},
            "choices": [],
        }
    ],
    "issues": [],
    "reviewed": False,
    "ready": False,
    "registered": False,
    "version": 1,
}
_WEBHOOK: Final[dict[str, Any]] = {
    "id": "01956b2e-5f4a-7d3e-9c1b-2a7f5e8d4c3b",
    "url": "https://crm.example.com/hooks/visits",
    "types": ["visit.booked", "visit.cancelled"],
    "status": "active",
    "cursor": "MDAwMDAwMDAwMDAwMDQzLjAwMA==",
    "createdAt": "2027-03-01T08:00:00Z",
}

_OWN: Final[dict[str, Any]] = {
    "date": "2027-03-14T09:30:00Z",
    "durationMinutes": 30,
    "timeZone": "Europe/Berlin",
    "place": "At the front door",
    "status": "confirmed",
    "property": {"name": _HOUSE["name"], "address": _HOUSE["address"]},
    "agency": {"name": "Lakeside Homes", "phone": "+49 30 901820"},
    "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"},
    "reminders": True,
    "changeableUntil": "2027-03-14T07:30:00Z",
    "version": 1,
}
BODIES: Final[dict[type[fields.Input | Output], dict[str, Any]]] = {
    RegisterPropertyInput: {"id": "house-1", **_HOUSE},
    PropertyInput: _HOUSE,
    BookVisitInput: {**_BOOKING, "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"}},
    ChangeVisitInput: {"date": "2027-03-15T10:30:00+01:00", "notes": None},
    StatusInput: {"status": "cancelled", "reason": "The visitor is ill."},
    IntakeInput: {"visits": [{**_BOOKING, "externalId": "crm-4711"}]},
    ChangeOwnVisitInput: {"date": "2027-03-15T10:30:00+01:00"},
    OwnStatusInput: {"status": "cancelled", "reason": "I am ill."},
    OwnVisitOutput: _OWN,
    PublicPropertyOutput: {
        "id": "house-1",
        **{name: _HOUSE[name] for name in ("name", "address", "price", "currency", "timeZone")},
        "booking": "confirm",
        "durationMinutes": 30,
        "agency": {"name": "Lakeside Homes", "phone": "+49 30 901820"},
        "language": "en",
        "consent": "We use this for your visit only, and delete it 30 days after.",
    },
    BookableSlotsOutput: {
        "from": "2027-03-14T00:00:00Z",
        "to": "2027-03-15T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "durationMinutes": 30,
        "slots": [{"start": "2027-03-14T09:30:00Z", "localStart": "2027-03-14T10:30:00+01:00"}],
    },
    BookPublicVisitInput: {
        "date": "2027-03-14T10:30:00+01:00",
        "visitor": {"name": "Ada Lovelace", "email": "ada@example.com", "language": "en"},
    },
    PublicVisitOutput: {**_OWN, "link": f"vl_{_VISIT}_k1_{'0123456789abcdef' * 4}"},
    NoticesOutput: {
        "told": {"at": "2027-03-10T12:00:03Z", "status": "confirmed", "date": "2027-03-14T09:30:00Z"},
        "stopped": "bounced",
        "reminders": True,
    },
    PropertyOutput: _REGISTERED,
    PropertyPage: {"items": [_REGISTERED], "nextCursor": None},
    VisitOutput: _BOOKED,
    VisitPage: {"items": [_BOOKED], "nextCursor": None},
    AvailabilityInput: _RULES,
    AvailabilityOutput: {"propertyId": "house-1", **_RULES, **_STAMPS},
    SlotsOutput: {
        "propertyId": "house-1",
        "from": "2027-03-14T00:00:00Z",
        "to": "2027-03-15T00:00:00Z",
        "timeZone": "Europe/Berlin",
        "durationMinutes": 30,
        "slots": [{"start": "2027-03-14T09:30:00Z", "localStart": "2027-03-14T10:30:00+01:00", "free": 1}],
    },
    SearchInput: {"email": "ada@example.com"},
    EraseInput: {"phone": "+49 30 901820"},
    ErasureOutput: {"erased": 3, "more": False},
    AgentInput: _AGENT,
    AgentOutput: {"id": "agent-7", **_AGENT, **_STAMPS},
    AgentPage: {"items": [{"id": "agent-7", **_AGENT, **_STAMPS}], "nextCursor": None},
    AgentCalendarInput: {"visitors": False},
    EngagementsOutput: {
        "agentId": "agent-7",
        "from": "2027-03-14T00:00:00Z",
        "to": "2027-03-15T00:00:00Z",
        "busy": [{"from": "2027-03-14T09:30:00Z", "to": "2027-03-14T10:30:00Z", "propertyId": "house-1"}],
    },
    BusyOutput: {
        "propertyId": "house-1",
        "from": "2027-03-14T00:00:00Z",
        "to": "2027-03-15T00:00:00Z",
        "capacity": 1,
        "timeZone": "Europe/Berlin",
        "busy": [{"from": "2027-03-14T09:30:00Z", "to": "2027-03-14T10:00:00Z", "held": 1, "free": 0}],
    },
    IntakeOutput: {
        "id": _INTAKE,
        "status": "queued",
        "counts": {"total": 1, "created": 0, "duplicate": 0, "rejected": 0},
        "createdAt": "2027-03-01T08:00:00Z",
        "expiresAt": "2027-03-31T08:00:00Z",
        "links": {"results": f"/intakes/{_INTAKE}/results"},
    },
    RowOutcomePage: {"items": [_OUTCOME], "nextCursor": None},
    CalendarTokenOutput: {
        "token": "kJ8y0Vn3mWq2sTzR5bXc7dLf9gHj1aPo4iUe6yBx0wE",
        "links": {"calendar": "/properties/house-1/calendar.ics?token=kJ8y0Vn3mWq2sTzR5bXc7dLf9gHj1aPo4iUe6yBx0wE"},
    },
    AnnounceSheetInput: {
        "name": "Visits of March.jpg",
        "contentType": "image/jpeg",
        "size": 2_400_000,
        "timeZone": "Europe/Berlin",
    },
    ReadingInput: {"timeZone": "Europe/Madrid", "order": "day-month", "columns": [{"index": 3, "field": "notes"}]},
    CorrectRowInput: {"date": "2027-03-14", "visitorName": "Ada Lovelace"},
    RegisterSheetInput: {},
    SheetOutput: _SHEET_READ,
    AnnouncedSheetOutput: {
        **_SHEET_READ,
        "status": "awaiting-upload",
        "rows": 0,
        "columns": [],
        "version": 1,
        "upload": {
            "url": "https://s3.eu-central-1.amazonaws.com/sheets",
            "fields": {"key": f"uploads/{_SHEET}", "Content-Type": "image/jpeg", "policy": "eyJleHA"},
            "expiresAt": "2027-03-01T08:10:00Z",
        },
    },
    SheetPage: {"items": [_SHEET_READ], "nextCursor": None},
    SheetRowOutput: _SHEET_ROW,
    SheetRowPage: {"items": [_SHEET_ROW], "nextCursor": None},
    PictureOutput: {"url": f"https://s3.eu-central-1.amazonaws.com/sheets/clean/{_SHEET}", "orientation": 1},
    WebhookInput: {"url": "https://crm.example.com/hooks/visits", "types": ["visit.booked", "visit.cancelled"]},
    WebhookSecretOutput: {**_WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    WebhookOutput: _WEBHOOK,
    WebhookList: {"items": [_WEBHOOK]},
    PositionInput: {"after": "MDAwMDAwMDAwMDAwMDQzLjAwMA=="},
    EventPage: {
        "items": [
            {
                "specversion": "1.0",
                "id": f"{_VISIT}.2",
                "source": "urn:visits",
                "type": "visit.rescheduled",
                "subject": f"visits/{_VISIT}",
                "time": "2027-03-02T08:00:00Z",
                "datacontenttype": "application/json",
                "sequence": "000000000000042.003",
                "data": {
                    "visitId": _VISIT,
                    "propertyId": "house-1",
                    "status": "confirmed",
                    "date": "2027-03-15T09:30:00Z",
                    "durationMinutes": 30,
                    "timeZone": "Europe/Berlin",
                    "version": 2,
                    "previousDate": "2027-03-14T09:30:00Z",
                    "previousDurationMinutes": 30,
                },
            }
        ],
        "nextCursor": "MDAwMDAwMDAwMDAwMDQzLjAwMA==",
    },
    service.CallerOutput: {"name": "front-desk", "kind": "key", "scopes": ["read", "write"]},
    service.HealthOutput: {"status": "ok"},
}
