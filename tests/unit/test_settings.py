"""Settings: checked whole, once; what is wrong is named and never quoted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.public import Limits, Terms
from chalicelib.settings import Misconfigured, Settings

NEEDED = {"STAGE": "dev", "TABLE_NAME": "visits-dev", "QUEUE_NAME": "visits-dev"}
MAIL = {"MAIL_FROM": "visits@agency.example", "AGENCY_NAME": "Lake & Sons"}


def test_without_a_sender_nobody_writes() -> None:
    assert Settings.from_environment(NEEDED).sender is None
    assert Settings.from_environment(NEEDED | {"MAIL_FROM": "", "MAIL_LANGUAGE": "de"}).sender is None


def test_a_sender_needs_an_address_and_a_name_and_has_the_rest_by_default() -> None:
    settings = Settings.from_environment(NEEDED | MAIL)
    sender = settings.sender
    assert sender is not None
    assert (sender.address, sender.agency, sender.language) == ("visits@agency.example", "Lake & Sons", "en")
    assert sender.leads == (timedelta(hours=24), timedelta(hours=2))
    assert (sender.reply_to, sender.logo, sender.page, sender.api) == (None, None, None, None)
    assert settings.terms.change_notice == timedelta(hours=2)


def test_what_is_set_counts() -> None:
    settings = Settings.from_environment(NEEDED | MAIL | {"REMINDER_HOURS": "48", "CHANGE_NOTICE_MINUTES": "0"})
    assert settings.sender is not None
    assert settings.sender.leads == (timedelta(hours=48),)
    assert settings.terms.change_notice == timedelta(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_FROM", "Agency <visits@agency.example>"),
        ("MAIL_FROM", "visits@agency.example\nBcc: x@evil.example"),
        ("MAIL_REPLY_TO", "nobody"),
        ("MAIL_LANGUAGE", "it"),
        ("AGENCY_NAME", "Lake\r\nBcc: x@evil.example"),
        ("AGENCY_LOGO_URL", "javascript:alert(1)"),
        ("VISITOR_PAGE_URL", "https://visits.example/visit.html#here"),
        ("API_URL", "visits.example"),
        ("REMINDER_HOURS", "24;2"),
        ("REMINDER_HOURS", "-1"),
        ("CHANGE_NOTICE_MINUTES", "two"),
        ("AGENCY_PHONE", "call us"),
        ("BOOKING_CONSENT", "one line\nand another"),
        ("BOOKING_MINUTES", "4"),
        ("BOOKING_MINUTES", "241"),
        ("BOOKING_ANSWER_HOURS", "0"),
        ("BOOKINGS_PER_CONTACT", "51"),
        ("BOOKINGS_PER_PROPERTY_HOUR", "0"),
        ("BOOKINGS_PER_ADDRESS_HOUR", "-1"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name_alone(name: str, value: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment(NEEDED | MAIL | {name: value})
    assert refused.value.variables == [name]
    assert value not in str(refused.value)


def test_an_address_without_a_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="AGENCY_NAME"):
        Settings.from_environment(NEEDED | {"MAIL_FROM": "visits@agency.example"})


def test_bookings_without_a_key_have_limits_that_can_be_set() -> None:
    assert Settings.from_environment(NEEDED).terms == Terms()
    given = {
        "AGENCY_NAME": "Lake & Sons",
        "AGENCY_PHONE": "+49 (30) 901820",
        "BOOKING_CONSENT": "For your visit only.",
        "BOOKING_MINUTES": "45",
        "BOOKING_ANSWER_HOURS": "24",
        "BOOKINGS_PER_CONTACT": "1",
        "BOOKINGS_PER_PROPERTY_HOUR": "2",
        "BOOKINGS_PER_ADDRESS_HOUR": "4",
    }
    assert Settings.from_environment(NEEDED | given).terms == Terms(
        agency="Lake & Sons",
        phone="+49 (30) 901820",
        consent="For your visit only.",
        minutes=45,
        answer_within=timedelta(hours=24),
        limits=Limits(1, 2, 4),
    )


def test_whoever_has_visits_confirmed_by_mail_has_to_send_some() -> None:
    asked = {"BOOKING_CONFIRM_MINUTES": "30"}
    with pytest.raises(Misconfigured) as refused:
        Settings.from_environment(NEEDED | asked)
    assert refused.value.variables == ["MAIL_FROM", "VISITOR_PAGE_URL"]
    page = {"VISITOR_PAGE_URL": "https://visits.example/book.html"}
    assert Settings.from_environment(NEEDED | MAIL | page | asked).terms.confirm_within == timedelta(minutes=30)
