"""What a booking must be, checked by hand: for the peers without a validating framework."""

import re
from datetime import UTC, datetime

from visits import FIVE_YEARS

PROPERTY_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)*")
PHONE = re.compile(r"\+?[0-9()./ -]{3,31}")
FIELDS = {"propertyId", "date", "durationMinutes", "place", "visitor"}


class Invalid(Exception):
    """Says what is wrong."""


def validated(given):
    """The body as it was given, `date` an aware datetime; raises Invalid."""
    if not isinstance(given, dict) or not given.keys() <= FIELDS:
        raise Invalid(f"expected an object with {', '.join(sorted(FIELDS))}")
    check_text(given, "propertyId", 64, PROPERTY_ID, required=True)
    check_text(given, "place", 200)
    try:
        date = datetime.fromisoformat(given["date"])
    except (KeyError, TypeError, ValueError):
        raise Invalid("'date' must be an instant like 2027-03-28T10:20:00+02:00") from None
    if date.tzinfo is None or abs(date - datetime.now(UTC)) > FIVE_YEARS:
        raise Invalid("'date' needs an offset, and lies within five years")
    minutes = given.get("durationMinutes", 30)
    if type(minutes) is not int or not 5 <= minutes <= 240:
        raise Invalid("'durationMinutes' must be 5 to 240")
    visitor = given.get("visitor")
    if visitor is not None:
        if not isinstance(visitor, dict) or not visitor.keys() <= {"name", "email", "phone"}:
            raise Invalid("'visitor' has name, email and phone")
        check_text(visitor, "name", 200, required=True)
        check_text(visitor, "email", 254, EMAIL)
        check_text(visitor, "phone", 32, PHONE)
    return given | {"date": date}


def check_text(given, name, longest, pattern=None, required=False):
    value = given.get(name)
    if value is None and not required:
        return
    if not isinstance(value, str) or not value.strip() or len(value) > longest or not value.isprintable():
        raise Invalid(f"'{name}' must be a text of 1 to {longest} characters")
    if pattern and not pattern.fullmatch(value):
        raise Invalid(f"'{name}' is not one")
