"""Booking a visit in one dialog: as it goes well, and as it is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Route, expect

from tests.browser.desk import BERLIN, Agency, Desk, Desks, instant, plus

PROBLEM = "application/problem+json"
TEN = "10:00"


@pytest.fixture
def house(agency: Agency) -> str:
    """A house for one visit at a time, open from 9 to 18."""
    id = agency.property("Booking house")
    agency.hours(id, "09:00", "18:00")
    return id


def open_dialog(desk: Desk, letters: str = "booking hou") -> None:
    desk.page.keyboard.press("n")
    desk.choose_property(letters)


def the_visits(agency: Agency, house: str, week: str) -> list[dict[str, object]]:
    span = f"from={week}T00:00:00Z&to={plus(week, 7)}T00:00:00Z"
    found: list[dict[str, object]] = agency.send("GET", f"/visits?propertyId={house}&{span}")["items"]
    return found


def fill(desk: Desk, day: str, time: str) -> None:
    desk.page.locator("#day").fill(day)
    desk.page.locator("#time").fill(time)


@pytest.mark.parametrize(("platform", "keys"), [("MacIntel", "⌘↵"), ("Win32", "Ctrl Enter")])
def test_the_button_names_the_keys_of_the_machine(desk: Desk, platform: str, keys: str) -> None:
    desk.page.add_init_script(f"Object.defineProperty(navigator, 'platform', {{ get: () => '{platform}' }})")
    desk.reload()
    desk.page.keyboard.press("n")
    expect(desk.dialog().locator("footer kbd")).to_have_text(keys)


def test_a_visit_is_booked_by_pointer(agency: Agency, desk: Desk, week: str) -> None:
    house = agency.property("Pointer house")
    agency.hours(house, "09:00", "18:00")
    day = desk.column(plus(week, 1))
    day.click(position={"x": 40, "y": desk.hour() * 2 + 5})  # 10:00
    dialog = desk.dialog()
    dialog.get_by_role("combobox", name="Property").press_sequentially("pointer")
    dialog.get_by_role("option", name="Pointer house").click()
    expect(dialog.locator("footer")).to_contain_text("10:00–10:30 Pointer house")
    expect(dialog.get_by_text("Free", exact=True)).to_be_visible()
    dialog.get_by_role("group", name=re.compile("Wed")).get_by_role("button", name="11:30").click()
    dialog.get_by_role("button", name="45 min").click()
    dialog.get_by_label("Visitor").fill("Ada Example")
    dialog.get_by_label("E-mail").fill("ada@example.org")
    desk.picture("booking")
    dialog.get_by_role("button", name="Book visit").click()
    desk.says("Booked: Pointer house")
    (booked,) = the_visits(agency, house, week)
    assert booked["date"] == instant_utc(plus(week, 2), "11:30")
    assert booked["durationMinutes"] == 45
    expect(desk.page.locator(".panel")).to_contain_text("Ada Example")


def instant_utc(day: str, time: str) -> str:
    return f"{datetime.fromisoformat(instant(day, time, BERLIN)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_a_visit_is_booked_by_keyboard_alone(agency: Agency, house: str, desk: Desk, week: str) -> None:
    keyboard = desk.page.keyboard
    open_dialog(desk, "booking house")
    desk.page.locator("#day").fill(week)
    expect(desk.page.locator("#time")).to_be_visible()
    desk.page.locator(".slot").first.focus()
    keyboard.press("Enter")
    expect(desk.dialog().locator("footer")).to_contain_text("09:00–09:30")
    desk.page.locator("#name").focus()
    keyboard.type("Hugo Sampler")
    keyboard.press("Control+Enter")
    desk.says("Booked")
    expect(desk.page.locator(".visit")).to_contain_text("Booking house")


def test_a_time_that_was_just_taken_is_explained_and_the_next_one_offered(
    agency: Agency, house: str, desk: Desk, week: str
) -> None:
    desk.refused = True
    house = agency.property("Disputed house")
    open_dialog(desk, "disputed")
    fill(desk, week, TEN)
    desk.page.locator("#name").fill("Ada Example")
    agency.visit(house, week, TEN)
    desk.page.keyboard.press("Control+Enter")
    note = desk.dialog().get_by_role("alert")
    expect(note).to_contain_text("This time was just taken by another visit.")
    expect(desk.page.locator("#name")).to_have_value("Ada Example")
    desk.picture("booking-taken")
    note.get_by_role("button", name="Take 10:30").click()
    desk.page.keyboard.press("Control+Enter")
    desk.says("10:30")
    assert len(the_visits(agency, house, week)) == 2


def test_outside_the_hours_it_takes_a_reason(agency: Agency, house: str, desk: Desk, week: str) -> None:
    desk.refused = True
    closed = agency.property("Evening house")
    agency.hours(closed, "09:00", "18:00")
    open_dialog(desk, "evening")
    fill(desk, week, "19:30")
    desk.page.keyboard.press("Control+Enter")
    note = desk.dialog().get_by_role("alert")
    expect(note).to_contain_text("19:30 is outside opening hours.")
    desk.page.keyboard.press("Control+Enter")
    expect(note).to_contain_text("Say why in a few words.")
    note.get_by_label("Reason").fill("Works shifts")
    desk.page.keyboard.press("Control+Enter")
    desk.says("Booked")
    (booked,) = the_visits(agency, closed, week)
    assert booked["notes"] == "Outside hours: Works shifts"


def test_whoever_may_not_overrule_is_offered_times_that_work(agency: Agency, desks: Desks, week: str) -> None:
    strict = agency.property("Strict house")
    agency.hours(strict, "09:00", "18:00")
    desk = desks.open(f"#/agenda/week/{week}", scopes=("read", "write"))
    desk.refused = True
    open_dialog(desk, "strict")
    fill(desk, week, "08:30")
    desk.page.keyboard.press("Control+Enter")
    note = desk.dialog().get_by_role("alert")
    expect(note).to_contain_text("08:30 is outside opening hours.")
    expect(note.get_by_label("Reason")).to_have_count(0)
    note.get_by_role("button", name="Take 09:00").click()
    desk.page.keyboard.press("Control+Enter")
    desk.says("09:00")


def test_what_is_wrong_stands_at_its_field(agency: Agency, house: str, desk: Desk, week: str) -> None:
    desk.refused = True
    open_dialog(desk)
    fill(desk, week, TEN)
    desk.page.locator("#email").fill("nobody")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.page.locator("#email")).to_have_attribute("aria-invalid", "true")
    expect(desk.page.locator("#email-error")).to_be_visible()
    desk.page.locator("#email").fill("nobody@example.org")
    desk.page.keyboard.press("Control+Enter")
    desk.says("Booked")


@pytest.mark.parametrize("trouble", ["lost", "unknown"])
def test_an_outcome_that_is_not_known_can_be_tried_again_and_books_once(
    agency: Agency, desk: Desk, week: str, trouble: str
) -> None:
    desk.refused = True
    house = agency.property(f"Doubtful {trouble} house", capacity=9)
    open_dialog(desk, f"doubtful {trouble}")
    fill(desk, week, TEN)

    def lose_the_answer(route: Route) -> None:
        """It is booked, but nobody hears of it."""
        route.fetch()
        if trouble == "lost":
            route.abort("connectionreset")
        else:
            body = {
                "type": "urn:visits:problem:outcome-unknown",
                "title": "Outcome unknown",
                "status": 503,
                "detail": "?",
            }
            route.fulfill(status=503, json=body, headers={"Content-Type": PROBLEM})

    desk.page.route("**/api/visits", lose_the_answer, times=1)
    desk.page.keyboard.press("Control+Enter")
    expect(desk.dialog().get_by_role("alert")).to_contain_text("nothing is done twice")
    desk.dialog().get_by_role("button", name="Try again").click()
    desk.says("Booked")
    assert len(the_visits(agency, house, week)) == 1


def test_a_visitor_who_was_here_before_is_known(agency: Agency, house: str, desk: Desk, week: str) -> None:
    agency.visit(house, week, "15:00", visitor={"name": "Olga Trial", "phone": "+49 30 5550142"})
    open_dialog(desk)
    desk.page.locator("#phone").fill("+49 30 5550142")
    expect(desk.dialog().get_by_text("Has one visit: Booking house")).to_be_visible()
    expect(desk.page.locator("#name")).to_have_value("Olga Trial")


def test_booking_begins_with_the_week_that_is_looked_at(house: str, desk: Desk, week: str) -> None:
    open_dialog(desk)
    expect(desk.page.locator("#day")).to_have_value(week)
    desk.dialog().get_by_role("button", name="09:00").first.click()
    expect(desk.dialog().locator("footer")).to_contain_text("09:00–09:30 Booking house")
    expect(desk.page.locator("#day")).to_have_value(week)


def test_whoever_does_not_wait_for_the_list_gets_what_they_typed(agency: Agency, desk: Desk, week: str) -> None:
    for name in ("Hurry house", "Hurry mill"):
        agency.property(f"{name} {week}")
    desk.page.keyboard.press("n")
    expect(desk.dialog().get_by_role("combobox", name="Property")).to_be_focused()
    desk.page.keyboard.type(f"hurry mill {week}")
    desk.page.keyboard.press("Enter")
    expect(desk.dialog().locator("footer")).to_contain_text(f"Hurry mill {week}")
    expect(desk.dialog().locator("[aria-invalid]")).to_have_count(0)


def test_an_answer_about_another_visitor_fills_in_nothing(agency: Agency, house: str, desk: Desk, week: str) -> None:
    agency.visit(house, week, "15:00", visitor={"name": "Rita Before", "email": f"rita-{week}@example.org"})
    open_dialog(desk)
    late: list[Route] = []
    desk.page.route("**/api/visitors/search", lambda route: late.append(route), times=1)
    with desk.page.expect_request("**/api/visitors/search"):
        desk.page.locator("#email").fill(f"rita-{week}@example.org")
    with desk.page.expect_response("**/api/visitors/search"):
        desk.page.locator("#email").fill(f"somebody-{week}@example.org")
    with desk.page.expect_response("**/api/visitors/search"):
        late[0].continue_()
    desk.page.locator("#phone").fill("+49 30 5550143")
    expect(desk.page.locator("#phone")).to_have_value("+49 30 5550143")
    expect(desk.page.locator("#name")).to_have_value("")


def test_closing_asks_before_it_throws_away_what_was_typed(desk: Desk) -> None:
    desk.page.keyboard.press("n")
    desk.page.locator("#name").fill("Ada")
    desk.page.keyboard.press("Escape")
    expect(desk.dialog().get_by_role("alert")).to_contain_text("Throw away what you typed?")
    desk.dialog().get_by_role("button", name="Keep typing").click()
    expect(desk.page.locator("#name")).to_have_value("Ada")
    for _ in range(3):  # the browser insists on closing after the second
        desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#name")).to_be_visible()
    desk.dialog().get_by_role("button", name="Throw away").click()
    expect(desk.dialog()).to_have_count(0)


def test_what_is_wrong_is_said_in_the_language_of_the_person(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("German house")
    desk = desks.open(f"#/agenda/week/{week}", locale="de-DE")
    desk.refused = True
    desk.page.keyboard.press("n")
    dialog = desk.dialog()
    dialog.get_by_role("combobox", name="Objekt").fill("german hou")
    expect(dialog.get_by_role("option").first).to_be_visible()
    desk.page.keyboard.press("Enter")
    fill(desk, plus(week, 1), TEN)
    dialog.locator("#phone").fill("call me")
    book = dialog.get_by_role("button", name="Buchen")
    book.click()
    expect(dialog.get_by_text("Das ist keine Telefonnummer. Prüfen Sie sie.")).to_be_visible()
    expect(dialog.get_by_role("alert").locator("p")).to_have_text(
        "Etwas stimmt noch nicht. Prüfen Sie, was Sie geschrieben haben."
    )
    dialog.locator("#phone").fill("+49 30 1234567")
    problem = {"type": "urn:visits:problem:never-heard-of", "status": 409, "detail": "See GET /visits."}
    desk.page.route("**/api/visits", lambda route: route.fulfill(status=409, content_type=PROBLEM, json=problem))
    book.click()
    expect(dialog.get_by_role("alert").locator("p")).to_have_text(
        "Das war nicht möglich. Laden Sie die Seite neu, um den jetzigen Stand zu sehen."
    )
    assert the_visits(agency, house, week) == []


def test_where_the_time_is_missing_the_focus_goes(agency: Agency, desk: Desk) -> None:
    agency.property("Timeless house")
    desk.page.keyboard.press("n")
    desk.choose_property("timeless")
    desk.dialog().get_by_role("button", name="Book visit").click()
    expect(desk.dialog().locator("#time")).to_be_focused()
