"""What a booking must be, checked by hand: for the peers without a validating framework."""

import re
from datetime import UTC, datetime

from visits import FIVE_YEARS

PROPERTY_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)*")
PHONE = re.compile(r"\+?[0-9()./ -]{3,31}")
ANY = re.compile(r".*\S.*")
FIELDS = {"propertyId", "date", "durationMinutes", "place", "visitor"}


class Invalid(Exception):
    """Says what is wrong."""


def validated(given):
    """The body as it was given, `date` an aware datetime; raises Invalid."""
    check_object(given, FIELDS)
    check_text(given.get("propertyId", ""), "propertyId", 64, PROPERTY_ID)
    check_text(given.get("place"), "place", 200)
    try:
        date = datetime.fromisoformat(given["date"])
    except (KeyError, TypeError, ValueError):
        raise Invalid("'date' must be an instant like 2027-03-28T10:20:00+02:00") from None
    if date.tzinfo is None or abs(date - datetime.now(UTC)) > FIVE_YEARS:
        raise Invalid("'date' needs an offset, and lies within five years")
    minutes = given.get("durationMinutes", 30)
    if type(minutes) is not int or not 5 <= minutes <= 240:
        raise Invalid("'durationMinutes' must be 5 to 240")
    if (visitor := given.get("visitor")) is not None:
        check_object(visitor, {"name", "email", "phone"})
        check_text(visitor.get("name", ""), "name", 200)
        check_text(visitor.get("email"), "email", 254, EMAIL)
        check_text(visitor.get("phone"), "phone", 32, PHONE)
    return given | {"date": date}


def check_object(value, fields):
    if not isinstance(value, dict) or not value.keys() <= fields:
        raise Invalid(f"must be an object with {', '.join(sorted(fields))}")


def check_text(value, name, longest, pattern=ANY):
    text = isinstance(value, str) and len(value) <= longest and value.isprintable() and pattern.fullmatch(value)
    if value is not None and not text:
        raise Invalid(f"'{name}' must be a text of 1 to {longest} characters")
