"""Typed settings from the environment, checked once at cold start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.record import Record

if TYPE_CHECKING:
    from chalicelib.domain.notices import Sender
    from chalicelib.domain.public import Terms


class Misconfigured(Exception):
    """Environment variables are missing or wrong. Which ones, not what they say: some of them are secrets."""

    def __init__(self, variables: list[str]) -> None:
        super().__init__(f"Missing or invalid: {', '.join(variables)}")
        self.variables = variables


_ALLOWED: Final = {
    "STAGE": r"[a-z][a-z0-9-]{0,15}",
    "TABLE_NAME": r".{3,255}",
    "QUEUE_NAME": r".{1,80}",
}

_ADDRESS: Final = r"[!-?A-~]+@[A-Za-z0-9.-]+"
_URL: Final = r"https?://[!-\"$-~]+"

_MAY_BE: Final = {
    "MAIL_FROM": _ADDRESS,
    "MAIL_REPLY_TO": _ADDRESS,
    "MAIL_LANGUAGE": "en|es|de|fr",
    "MAIL_CONFIGURATION_SET": "[A-Za-z0-9_-]{1,64}",
    "MAIL_FOLDER": ".+",
    "AGENCY_NAME": r"[^\x00-\x1f\x7f]{1,100}",
    "AGENCY_LOGO_URL": _URL,
    "VISITOR_PAGE_URL": _URL,
    "API_URL": _URL,
    "EVENT_BUS": r"[A-Za-z0-9._-]{1,256}",
    "REMINDER_HOURS": r"[0-9]{1,3}(?:,[0-9]{1,3}){0,3}",
    "CHANGE_NOTICE_MINUTES": "[0-9]{1,5}",
    "SIGN_IN_ISSUER": r"https://[a-z0-9.-]+/[A-Za-z0-9_-]+",
    "AGENCY_PHONE": r"\+?[0-9 ()/.-]{3,40}",
    "BOOKING_CONSENT": r"[^\x00-\x1f\x7f]{1,1000}",
    "BOOKING_MINUTES": "[5-9]|[1-9][0-9]|1[0-9]{2}|2[0-3][0-9]|240",
    "BOOKING_ANSWER_HOURS": "[1-9][0-9]{0,2}",
    "BOOKING_CONFIRM_MINUTES": "[1-9][0-9]{0,3}",
    "BOOKINGS_PER_CONTACT": "[1-9]|[1-4][0-9]|50",
    "BOOKINGS_PER_PROPERTY_HOUR": "[1-9][0-9]{0,5}",
    "BOOKINGS_PER_ADDRESS_HOUR": "[1-9][0-9]{0,5}",
}
"""What may be left out, or be empty."""


class SignIn(Record):
    """The user pool that people sign in at: as its tokens name it, and where its keys are."""

    issuer: str
    keys: str


class Settings(Record):
    """What a stage is told by `.chalice/config.json`. The AWS region and credentials are botocore's own business."""

    stage: str
    table_name: str
    queue_name: str
    configuration_set: str | None = None
    """Of SES: where it says what became of mail."""
    event_bus: str | None = None
    """The name of the bus that events are put on, if any is."""
    mail_folder: Path | None = None
    """Where mail goes on the stage `local`."""
    sign_in: SignIn | None = None
    """Only programs with keys call where it is missing."""
    given: Mapping[str, str] = field(default_factory=dict)
    """What is set of all that may be left out: checked, and read by those who ask for it."""

    @cached_property
    def sender(self) -> Sender | None:
        """Who writes to visitors; nobody does without MAIL_FROM."""
        return _sender(self.given)

    @cached_property
    def terms(self) -> Terms:
        """On which visitors book for themselves, and change their visits."""
        return _terms(self.given)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises Misconfigured."""
        wrong = [name for name, allowed in _ALLOWED.items() if not re.fullmatch(allowed, environment.get(name, ""))]
        given = {name: environment[name] for name in _MAY_BE if environment.get(name)}
        wrong += [name for name, value in given.items() if not re.fullmatch(_MAY_BE[name], value)]
        if "MAIL_FROM" in given and "AGENCY_NAME" not in given:
            wrong.append("AGENCY_NAME")
        if "BOOKING_CONFIRM_MINUTES" in given:  # by the link in a mail
            wrong += [name for name in ("MAIL_FROM", "VISITOR_PAGE_URL") if name not in given]
        if wrong:
            raise Misconfigured(wrong)
        return cls(
            environment["STAGE"],
            environment["TABLE_NAME"],
            environment["QUEUE_NAME"],
            configuration_set=given.get("MAIL_CONFIGURATION_SET"),
            event_bus=given.get("EVENT_BUS"),
            mail_folder=Path(given["MAIL_FOLDER"]) if "MAIL_FOLDER" in given else None,
            sign_in=_sign_in(given, environment.get("AWS_ENDPOINT_URL")),
            given=given,
        )


def _terms(given: Mapping[str, str]) -> Terms:
    from chalicelib.domain.public import Limits, Terms

    usual = Terms()
    limits, minutes = usual.limits, given.get("BOOKING_CONFIRM_MINUTES")
    hours, notice = given.get("BOOKING_ANSWER_HOURS"), given.get("CHANGE_NOTICE_MINUTES")
    return Terms(
        agency=given.get("AGENCY_NAME"),
        phone=given.get("AGENCY_PHONE"),
        page=given.get("VISITOR_PAGE_URL"),
        consent=given.get("BOOKING_CONSENT"),
        language=given.get("MAIL_LANGUAGE", usual.language),
        minutes=int(given.get("BOOKING_MINUTES", usual.minutes)),
        answer_within=timedelta(hours=int(hours)) if hours else usual.answer_within,
        confirm_within=timedelta(minutes=int(minutes)) if minutes else None,
        change_notice=timedelta(minutes=int(notice)) if notice else usual.change_notice,
        limits=Limits(
            per_contact=int(given.get("BOOKINGS_PER_CONTACT", limits.per_contact)),
            per_property=int(given.get("BOOKINGS_PER_PROPERTY_HOUR", limits.per_property)),
            per_address=int(given.get("BOOKINGS_PER_ADDRESS_HOUR", limits.per_address)),
        ),
    )


def _sign_in(given: Mapping[str, str], endpoint: str | None) -> SignIn | None:
    """The embedded AWS signs in the name of the real one, and has the keys itself."""
    issuer = given.get("SIGN_IN_ISSUER")
    if issuer is None:
        return None
    place = f"{endpoint}/{issuer.rpartition('/')[2]}" if endpoint else issuer
    return SignIn(issuer, f"{place}/.well-known/jwks.json")


def _sender(given: Mapping[str, str]) -> Sender | None:
    if "MAIL_FROM" not in given:
        return None
    from chalicelib.domain.notices import Sender

    hours = given.get("REMINDER_HOURS", "24,2").split(",")
    return Sender(
        address=given["MAIL_FROM"],
        agency=given["AGENCY_NAME"],
        language=given.get("MAIL_LANGUAGE", "en"),
        leads=tuple(timedelta(hours=int(each)) for each in hours),
        reply_to=given.get("MAIL_REPLY_TO"),
        logo=given.get("AGENCY_LOGO_URL"),
        page=given.get("VISITOR_PAGE_URL"),
        api=given.get("API_URL"),
    )


def queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that the worker listens to. Chalice asks while it loads the app, before any settings are checked."""
    return environment.get("QUEUE_NAME", "visits-local")


def sheet_queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that S3 tells of uploaded sheets."""
    return f"{queue_of_stage(environment)}-sheets"


def sheet_bucket_of_stage(environment: Mapping[str, str]) -> str:
    """The bucket that sheets are uploaded to. Its name is the world's, so account and Region are part of it."""
    return environment.get("SHEETS_BUCKET", sheet_queue_of_stage(environment))


def recognises_pictures(environment: Mapping[str, str]) -> bool:
    """Whether there is something that speaks Textract's protocol: on AWS there is."""
    return stage_of(environment) != "local" or "AWS_ENDPOINT_URL_TEXTRACT" in environment


def webhook_queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue that wakes those who deliver webhooks."""
    return f"{queue_of_stage(environment)}-webhooks.fifo"


def notice_queue_of_stage(environment: Mapping[str, str]) -> str:
    """The queue of what may be worth a mail."""
    return f"{queue_of_stage(environment)}-notices"


def stream_of_stage(environment: Mapping[str, str]) -> str:
    """The table's stream, for `chalice deploy`. In a package a parameter of the template takes its place."""
    return environment.get("STREAM_ARN", "stream")


def origins_of_stage(environment: Mapping[str, str]) -> frozenset[str]:
    """The web origins whose pages may read our answers, from a list with commas; usually none."""
    return frozenset(filter(None, (origin.strip() for origin in environment.get("CORS_ORIGINS", "").split(","))))


REPORT_FAILURES: Final = "ReportBatchItemFailures"


def reports_failures(environment: Mapping[str, str]) -> bool:
    """Whether the worker's event source takes a list of failures. Whatever tells it to (`FunctionResponseTypes`) says
    so here as well; if only one of the two were told, messages would be lost.
    """
    return environment.get("FUNCTION_RESPONSE_TYPES") == REPORT_FAILURES


def stage_of(environment: Mapping[str, str]) -> str:
    """The stage, for what must be told even when the settings are wrong."""
    return environment.get("STAGE") or "unknown"


def version_of(environment: Mapping[str, str]) -> str:
    """The published version of the function that this instance runs, as Lambda says it."""
    return environment.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")


def trace_of(environment: Mapping[str, str]) -> str | None:
    """X-Ray's id of the trace that this invocation belongs to: Lambda sets it for each one, if tracing is on."""
    header = environment.get("_X_AMZN_TRACE_ID", "")
    return next((part[5:] for part in header.split(";") if part.startswith("Root=")), None)
