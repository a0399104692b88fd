"""Examples for the contract: of every body and of every refusal, whose answers tell the document about problems."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.api import service
from chalicelib.api.availability import BusyOutput
from chalicelib.api.calendars import CalendarTokenOutput
from chalicelib.api.intakes import IntakeInput, IntakeOutput, RowOutcomePage
from chalicelib.api.properties import PropertyInput, PropertyOutput, PropertyPage, RegisterPropertyInput
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
from chalicelib.api.visits import ChangeVisitInput, StatusInput, VisitOutput, VisitPage
from chalicelib.api.wishes import BookVisitInput
from chalicelib.domain import errors, intakes, sheets
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
    errors.PropertyExists("house-1"),
    errors.VisitExists(_VISIT),
    errors.VisitsNotAllowed("house-1"),
    errors.SlotTaken([errors.TakenInterval(_START, _END, "property")]),
    errors.TransitionNotAllowed("completed", "cancelled", ["no_show"]),
    errors.VisitNotStarted(_START),
    errors.SlotsReleased("cancelled", ["date"]),
    errors.KeyReused(),
    errors.HandedIn(),
    errors.VersionMismatch(),
    errors.PreconditionRequired("If-Match"),
    errors.ExportTooLarge("rows", 10_000),
    errors.FeedNotFound(),
    errors.StoreBusy(),
    errors.OutcomeUnknown(intake_id=_INTAKE),
    errors.OutcomeUnknown(),
    intakes.IntakeNotFound(_INTAKE),
    intakes.IntakeNotFound(""),
    intakes.ExternalIdReused(),
    intakes.GivenUp(),
    sheets.SheetNotFound(_SHEET),
    sheets.SheetNotFound(""),
    sheets.SheetRowNotFound(7),
    sheets.SheetRowNotFound(None),
    sheets.SheetNotReady(sheets.SheetStatus.READING),
    sheets.SheetRepeated(_SHEET),
    sheets.SheetRowRegistered(7),
    sheets.NothingToRegister(),
    sheets.SheetFileGone(),
    http_errors.MalformedRequest("The body is not valid JSON: Expecting value at line 1, column 1."),
    http_errors.UnsupportedMediaType(("application/json",)),
    http_errors.UnsupportedMediaType(("application/merge-patch+json", "application/json")),
    http_errors.BodyTooLarge(65536),
    http_errors.InvalidCursor("This cursor belongs to another list."),
    http_errors.NotAcceptable("text/csv"),
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
}
_BOOKING: Final[dict[str, Any]] = {
    "propertyId": "house-1",
    "date": "2027-03-14T10:30:00+01:00",
    "place": "At the front door",
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
    "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"},
    **_STAMPS,
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

BODIES: Final[dict[type[fields.Input | Output], dict[str, Any]]] = {
    RegisterPropertyInput: {"id": "house-1", **_HOUSE},
    PropertyInput: _HOUSE,
    BookVisitInput: {**_BOOKING, "visitor": {"name": "Ada Lovelace", "email": "ada@example.com"}},
    ChangeVisitInput: {"date": "2027-03-15T10:30:00+01:00", "notes": None},
    StatusInput: {"status": "cancelled", "reason": "The visitor is ill."},
    IntakeInput: {"visits": [{**_BOOKING, "externalId": "crm-4711"}]},
    PropertyOutput: _REGISTERED,
    PropertyPage: {"items": [_REGISTERED], "nextCursor": None},
    VisitOutput: _BOOKED,
    VisitPage: {"items": [_BOOKED], "nextCursor": None},
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
    service.HealthOutput: {"status": "ok"},
}
