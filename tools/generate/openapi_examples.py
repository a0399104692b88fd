"""Examples for the contract: of every body and of every refusal, whose answers tell the document about problems."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from chalicelib.domain import errors, sheets
from chalicelib.http import errors as http_errors

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

BODIES: Final[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("openapi_examples.yaml").read_text(encoding="utf-8")
)
"""An example of each body, by the name of its model."""
