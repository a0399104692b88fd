"""What callers may send: each field in its bounds, nothing coerced, and every error pointing to its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.api.exports import ExportQuery
from chalicelib.api.listing import VisitQuery
from chalicelib.api.properties import RegisterPropertyInput
from chalicelib.api.visit_changes import ChangeVisitInput, StatusInput
from chalicelib.api.wishes import BookVisitInput
from chalicelib.domain.errors import InvalidInput, PropertyNotFound, VisitNotFound
from chalicelib.domain.visits import UNCHANGED, BookVisit, ChangeVisit, ChangeVisitor, Visitor
from chalicelib.http import parsing
from chalicelib.http.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType
from chalicelib.http.fields import Input
from chalicelib.http.parsing import validated
from tests.builders import TEN, property_body, request, visit_body

JSON = {"content-type": "application/json"}


def errors(model: type[Input], body: object) -> dict[str, str]:
    """What is wrong, by where."""
    with pytest.raises(InvalidInput) as refused:
        validated(model, body)
    return {error.pointer: error.detail for error in refused.value.errors}


# Commands


def test_the_legacy_body_is_a_whole_command() -> None:
    body = {"propertyId": "house", "date": "2027-03-12T11:00:00+01:00", "place": "Lobby"}
    assert validated(BookVisitInput, body).to_command() == BookVisit("house", TEN, place="Lobby")


def test_a_visitor_is_part_of_the_command() -> None:
    body = visit_body(visitor={"name": "Ann", "phone": "+49 (30) 90-18.20 x7"})
    assert validated(BookVisitInput, body).to_command().visitor == Visitor("Ann", None, "+49 (30) 90-18.20 x7")


def test_a_patch_tells_what_is_absent_from_what_is_null() -> None:
    assert validated(ChangeVisitInput, {}).to_change() == ChangeVisit()
    change = validated(ChangeVisitInput, {"notes": None, "visitor": {"email": None}, "durationMinutes": 45}).to_change()
    assert (change.notes, change.duration_minutes, change.place, change.date) == (None, 45, UNCHANGED, UNCHANGED)
    assert change.visitor == ChangeVisitor(UNCHANGED, None, UNCHANGED)
    assert validated(ChangeVisitInput, {"visitor": None}).to_change().visitor is None


# Bounds


@pytest.mark.parametrize(("field", "longest"), [("place", 500), ("agentId", 128), ("notes", 2000)])
def test_a_text_is_as_long_as_it_may_be_and_not_longer(field: str, longest: int) -> None:
    validated(BookVisitInput, visit_body(**{field: "🏠" * longest}))
    assert list(errors(BookVisitInput, visit_body(**{field: "x" * (longest + 1)}))) == [f"#/{field}"]


@pytest.mark.parametrize(
    "text", ["\0", "a\x1bb", "a\x7fb", "a\x85b", "\u2028", "a\u2029b", "a\rb", "a\nb", " ", "\u3000", "\t"]
)
def test_a_name_is_one_line_and_not_blank(text: str) -> None:
    assert list(errors(BookVisitInput, visit_body(place=text))) == ["#/place"]
    assert list(errors(BookVisitInput, visit_body(visitor={"name": text}))) == ["#/visitor/name"]


@pytest.mark.parametrize(
    "notes", ["two\nlines", "a\r\nb", "\ttab", "🏠 ü ¿?", "<script>", "' OR 1=1 --", "𝔘𝔫𝔦", "ltr\u200e"]
)
def test_notes_may_have_lines_and_any_letters(notes: str) -> None:
    assert validated(BookVisitInput, visit_body(notes=notes)).notes == notes


@pytest.mark.parametrize("email", ["a@b", "ann+x@example.co.uk", "ü@exämple.de", "a" * 64 + "@" + "b" * 189])
def test_an_address_of_mail_has_two_sides(email: str) -> None:
    validated(BookVisitInput, visit_body(visitor={"name": "A", "email": email}))


@pytest.mark.parametrize(
    "email", ["", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b c", "a@.b", "a@b..c", "a@b.", "a@b\n", "a\r\n@b"]
)
def test_what_has_not_is_none(email: str) -> None:
    assert list(errors(BookVisitInput, visit_body(visitor={"name": "A", "email": email}))) == ["#/visitor/email"]


@pytest.mark.parametrize("phone", ["", "+", "phone", "12a", "+49\n30", "++49", "٣٤٥", "1" * 65])
def test_a_telephone_number_has_digits_and_little_else(phone: str) -> None:
    assert list(errors(BookVisitInput, visit_body(visitor={"name": "A", "phone": phone}))) == ["#/visitor/phone"]


@pytest.mark.parametrize("number", [4, 241, 0, -30, 10**30, "30", 30.5, True, None, [30], Decimal("30.5")])
def test_a_duration_is_a_whole_number_of_minutes_from_5_to_240(number: object) -> None:
    assert list(errors(BookVisitInput, visit_body(durationMinutes=number))) == ["#/durationMinutes"]


@pytest.mark.parametrize("price", [0, Decimal("0.001"), Decimal("1.500"), Decimal("999999999999.999"), Decimal("1E+3")])
def test_a_price_is_an_exact_number(price: Any) -> None:
    assert validated(RegisterPropertyInput, property_body(price=price)).to_details().price == price


@pytest.mark.parametrize(
    "price", [-1, Decimal("-0.001"), Decimal("0.0001"), 10**12, Decimal("1E+400"), Decimal("1E-400"), "1", True]
)
def test_what_is_no_price_is_refused(price: object) -> None:
    assert list(errors(RegisterPropertyInput, property_body(price=price))) == ["#/price"]


@pytest.mark.parametrize("absent", [{}, {"price": None}, {"currency": None}, {"price": None, "currency": None}])
def test_a_price_can_be_on_request(absent: dict[str, None]) -> None:
    body = property_body() | absent
    for name in {"price", "currency"} - absent.keys():
        del body[name]
    details = validated(RegisterPropertyInput, body).to_details()
    assert (details.price, details.currency) == (None, None)


@pytest.mark.parametrize(("alone", "missing"), [("price", "#/currency"), ("currency", "#/price")])
def test_price_and_currency_go_together(alone: str, missing: str) -> None:
    body = property_body() | {"price": None, "currency": None} | {alone: property_body()[alone]}
    with pytest.raises(InvalidInput) as refused:
        validated(RegisterPropertyInput, body).to_details()
    assert [error.pointer for error in refused.value.errors] == [missing]


# Agents and visitors


@pytest.mark.parametrize(
    "id", ["no\u0308ra k", " nöra k", "nöra\u00a0k ", "nöra  k", "\u200bnöra k\u200e", "n\u00adöra k"]
)
def test_an_agent_is_the_same_however_the_id_is_spelled(id: str) -> None:
    assert validated(BookVisitInput, visit_body(agentId=id)).agent_id == "nöra k"
    assert validated(ChangeVisitInput, {"agentId": id}).to_change().agent_id == "nöra k"
    assert VisitQuery.parse({"agentId": [id]}).agent_id == "nöra k"
    assert ExportQuery.parse({"agentId": [id], "format": ["csv"]}).agent_id == "nöra k"


@pytest.mark.parametrize("id", ["\u200b", " \u200e ", "\u00a0", "a\tb", "\u0958" * 128])
def test_what_nobody_could_see_or_keep_is_no_agent(id: str) -> None:
    assert list(errors(BookVisitInput, visit_body(agentId=id))) == ["#/agentId"]
    with pytest.raises(InvalidInput):
        VisitQuery.parse({"agentId": [id]})


@pytest.mark.parametrize("visitor", [{"name": "Ann"}, {"email": "ann@example.com"}, {"name": None, "phone": "030 1"}])
def test_a_visitor_is_known_by_one_of_three(visitor: dict[str, Any]) -> None:
    known = validated(BookVisitInput, visit_body(visitor=visitor)).to_command().visitor
    assert known == Visitor(visitor.get("name"), visitor.get("email"), visitor.get("phone"))


@pytest.mark.parametrize("visitor", [{}, {"name": None}, {"name": None, "email": None, "phone": None}])
def test_a_visitor_of_whom_nothing_is_known_is_none(visitor: dict[str, Any]) -> None:
    assert list(errors(BookVisitInput, visit_body(visitor=visitor))) == ["#/visitor"]


@pytest.mark.parametrize("id", ["a", "A-z_0.9~", "x" * 64, "...", "a..b", "~", "-"])
def test_a_property_id_is_safe_in_an_address(id: str) -> None:
    assert validated(RegisterPropertyInput, property_body(id=id)).id == id


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a b", "a#b", "a%2fb", "ü", "x" * 65, "a\n", 7])
def test_what_is_not_safe_in_an_address_is_no_property_id(id: object) -> None:
    assert list(errors(RegisterPropertyInput, property_body(id=id))) == ["#/id"]


@pytest.mark.parametrize(
    "zone", ["Asia/Kathmandu", "Australia/Eucla", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5"]
)
def test_a_zone_is_one_of_the_iana_database(zone: str) -> None:
    assert validated(RegisterPropertyInput, property_body(timeZone=zone)).time_zone == zone


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Mars/Olympus",
        "+01:00",
        "../UTC",
        "/etc/localtime",
        "Europe",
        "Europe/",
        "Europe/Berlin\0",
        "x" * 65,
        "zone.tab",
        "localtime",
        "posixrules",
        "Factory",
        None,
        1,
    ],
)
def test_what_is_no_zone_is_refused(zone: object) -> None:
    assert list(errors(RegisterPropertyInput, property_body(timeZone=zone))) == ["#/timeZone"]


@pytest.mark.parametrize("currency", ["", "EU", "EURO", "eur", "XXX", "XAU", "€", "DEM"])
def test_what_is_no_currency_is_refused(currency: object) -> None:
    assert list(errors(RegisterPropertyInput, property_body(currency=currency))) == ["#/currency"]


@pytest.mark.parametrize("status", ["confirmed", "requested", "declined", "completed", "no_show"])
def test_only_a_cancellation_has_a_reason(status: str) -> None:
    assert list(errors(StatusInput, {"status": status, "reason": "because"})) != []
    validated(StatusInput, {"status": status})
    validated(StatusInput, {"status": "cancelled", "reason": "because"})


# Errors


def test_every_error_is_named_by_its_place() -> None:
    body = {"date": "x", "visitor": {"name": "", "age": 7}, "colour": "red", "a/b~c": 1}
    found = errors(BookVisitInput, body)
    assert set(found) == {"#/propertyId", "#/date", "#/visitor/name", "#/visitor/age", "#/colour", "#/a~1b~0c"}
    assert "'propertyId' is required" in found["#/propertyId"]
    assert "'colour'" in found["#/colour"]


@pytest.mark.parametrize("body", [[], "text", 1, None, True, [visit_body()]])
def test_a_body_is_an_object(body: object) -> None:
    assert list(errors(BookVisitInput, body)) == ["#"]


def test_no_error_repeats_what_was_sent() -> None:
    secret = "Zara Geheim\0"
    body = visit_body(secret, secret, place=secret, agentId=secret, notes=secret, durationMinutes=secret, status=secret)
    body |= {"visitor": {"name": secret, "email": secret, "phone": secret}}
    assert "Zara" not in str(errors(BookVisitInput, body))
    assert "Zara" not in str(errors(BookVisitInput, visit_body(visitor=secret)))


def test_an_unknown_field_of_any_length_gets_a_short_answer() -> None:
    (detail,) = errors(BookVisitInput, visit_body() | {"x" * 10_000: 1}).values()
    assert len(detail) < 200


# Media type, size, ids


@pytest.mark.parametrize(
    "given", ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf8"']
)
def test_json_by_any_spelling_is_read(given: str) -> None:
    called = request("POST", "/visits", headers={"content-type": given}, body=b'{"status": "cancelled"}')
    assert parsing.parse_body(StatusInput, called).status == "cancelled"


@pytest.mark.parametrize(
    "given",
    [None, "", "text/json", "application/json;charset=latin1", "multipart/form-data; boundary=x", "application/*", ";"],
)
def test_other_media_types_are_not_read(given: str | None) -> None:
    headers = {} if given is None else {"content-type": given}
    called = request("POST", "/visits", headers=headers, body=b"{}")
    with pytest.raises(UnsupportedMediaType):
        parsing.parse_body(StatusInput, called)


def test_only_where_a_merge_patch_is_taken_it_is_read() -> None:
    called = request(
        "PATCH", "/visits/{visit_id}", headers={"content-type": "application/merge-patch+json"}, body=b"{}"
    )
    with pytest.raises(UnsupportedMediaType):
        parsing.parse_body(ChangeVisitInput, called)
    assert parsing.parse_body(ChangeVisitInput, called, parsing.MERGE_PATCH).to_change() == ChangeVisit()


def test_a_body_has_64_kilobytes_at_most_and_is_never_empty() -> None:
    with pytest.raises(BodyTooLarge):
        parsing.parse_body(StatusInput, request("POST", "/visits", headers=JSON, body=b" " * (64 * 1024 + 1)))
    for body in (b"", b" \n"):
        with pytest.raises(MalformedRequest):
            parsing.parse_body(StatusInput, request("POST", "/visits", headers=JSON, body=body))


@pytest.mark.parametrize("raw", ["", "..", "%2e%2e", "a%2fb", "%252e", "%ff", "%00", "a%0d%0ab", "{property_id}"])
def test_what_cannot_be_an_id_is_not_there(raw: str) -> None:
    with pytest.raises(PropertyNotFound) as missing:
        parsing.property_id(raw)
    assert missing.value.property_id == "", "and is not repeated"
    with pytest.raises(VisitNotFound):
        parsing.visit_id(raw)


def test_an_id_in_a_path_is_decoded_once() -> None:
    assert parsing.property_id("a%7eb") == "a~b"


# The payload under an Idempotency-Key


def meaning(body: bytes) -> bytes:
    called = request("POST", "/visits", headers=JSON | {"idempotency-key": "k"}, body=body)
    key = parsing.idempotency_key(called, parsing.parse_body(BookVisitInput, called))
    assert key is not None
    return key.payload


def test_a_payload_is_what_it_means_however_it_was_written() -> None:
    one = meaning(b'{"propertyId": "house", "date": "2027-03-12T10:00:00Z"}')
    two = meaning(b'{ "date":"2027-03-12T11:00:00+01:00", "propertyId":"h\\u006fuse" }')
    assert one == two
    assert meaning(b'{"propertyId": "house", "date": "2027-03-12T10:00:01Z"}') != one


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb", "ü", "a\x7f"])
def test_a_key_is_printable_and_of_reasonable_length(key: str) -> None:
    called = request("POST", "/visits", headers=JSON | {"idempotency-key": key}, body=b"{}")
    with pytest.raises(MalformedRequest):
        parsing.idempotency_key(called, validated(StatusInput, {"status": "cancelled"}))
