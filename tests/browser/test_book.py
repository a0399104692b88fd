"""The booking page: a time found, a visit booked, the mail, its link, and what can be done by it."""

from __future__ import annotations

import contextlib
import gzip
import html
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.desk import PATIENCE_SECONDS, PICTURES, Agency, Desks, barriers, faint
from tools.project import ROOT

ASSETS = ROOT / "build" / "console" / "assets"
MOST_SCRIPT_BYTES = 15 * 1024
DEVICES = {"phone": (360, 780, True), "desk": (1024, 768, False)}
LINK = re.compile(r"http://\S+?/book\.html#(vl_[0-9a-z_-]+)")
SUNDAY = 6
_numbers = count(1)


class Visitors:
    """People in front of the page, each in a browser of their own, and what their browsers have complained about."""

    def __init__(self, agency: Agency, browser: Browser) -> None:
        self.agency, self._browser = agency, browser
        self._opened: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(
        self,
        path: str,
        device: str = "desk",
        *,
        zone: str = "Europe/Berlin",
        locale: str = "en-GB",
        now: datetime | None = None,
        script: bool = True,
    ) -> Page:
        width, height, touch = DEVICES[device]
        context = self._browser.new_context(
            timezone_id=zone,
            locale=locale,
            color_scheme="light",
            viewport={"width": width, "height": height},
            has_touch=touch,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self._opened.append(context)
        page = context.new_page()
        if now is not None:
            page.clock.set_fixed_time(now)
        page.on("console", lambda told: None if "status of" in told.text else self.complaints.append(told.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.agency.url}/{path}")
        return page

    def book(self, house: str) -> tuple[Page, str]:
        """A visit at the first time there is, booked; and by which address."""
        email = someone()
        page = self.open(f"book.html?property={house}")
        page.locator(".times .slot").first.click()
        page.locator("#name").fill("Ada")
        page.locator("#email").fill(email)
        page.locator(".go .btn").click()
        expect(page.locator(".ticket")).to_be_visible()
        return page, email

    def close(self) -> None:
        for context in self._opened:
            context.close()


@pytest.fixture
def visitors(agency: Agency, browser: Browser) -> Iterator[Visitors]:
    with contextlib.closing(Visitors(agency, browser)) as made:
        yield made
    assert made.complaints == []


@pytest.fixture
def asked_to_confirm(confirming: Agency, browser: Browser) -> Iterator[Visitors]:
    with contextlib.closing(Visitors(confirming, browser)) as made:
        yield made
    assert made.complaints == []


def someone() -> str:
    return f"visitor-{next(_numbers)}-{time.time_ns()}@example.org"


def listed(
    agency: Agency,
    booking: str = "confirm",
    zone: str = "Europe/Berlin",
    rules: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """A property on the booking page, open from nine to six, in steps of an hour and a half; not before three days from
    now, so that its first day is a whole one at whatever time the test runs.
    """
    house = agency.property("Lake house", zone, publicBooking=booking, price=890000, currency="EUR")
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    today = datetime.now(UTC).date()
    closed = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=2)), "open": []}
    weekly = {day: [["09:00", "18:00"]] for day in days}
    hours = {"weekly": weekly, "dates": [closed], "stepMinutes": 90, "noticeMinutes": 1440, **rules}
    agency.send("PUT", f"/properties/{house}/availability", hours, **{"If-None-Match": "*"})
    return house


def booked(agency: Agency, house: str) -> list[str]:
    """The statuses of the property's visits."""
    return [visit["status"] for visit in visits_at(agency, house)]


def visits_at(agency: Agency, house: str) -> list[dict[str, Any]]:
    ahead = {"propertyId": house, "to": (datetime.now(UTC) + timedelta(days=300)).isoformat()}
    found: list[dict[str, Any]] = agency.http.request("GET", "/visits", params=ahead).json()["items"]
    return found


def mail_to(agency: Agency, address: str, subject: str) -> str:
    """The text of the mail, once it has come."""
    deadline = time.monotonic() + 60
    while True:
        box = httpx.get(f"{agency.url}/mailbox", trust_env=False, verify=False).text
        for path, about, to in re.findall(r'<a href="([^"]+)">([^<]*)</a>: ([^<]*)', box):
            if subject in about and address in to:
                return html.unescape(httpx.get(f"{agency.url}{path}", trust_env=False, verify=False).text)
        assert time.monotonic() < deadline, f"no mail '{subject}' in time"
        time.sleep(0.2)


def lose(route: Route) -> None:
    """The request is answered, and the answer does not arrive."""
    route.fetch()
    route.abort()


def test_the_script_that_a_visitor_loads_is_small() -> None:
    def closure(name: str, loaded: set[str]) -> set[str]:
        text = (ASSETS / name).read_text(encoding="utf-8")
        for other in re.findall(r'(?:from|import)\s*"\./([\w-]+\.js)"', text):
            if other not in loaded:
                closure(other, loaded | {other})
                loaded |= {other} | closure(other, loaded | {other})
        return loaded | {name}

    shell = (ASSETS.parent / "book.html").read_text(encoding="utf-8")
    (entry,) = re.findall(r'src="assets/([\w-]+\.js)"', shell)
    later = re.findall(r'import\("\./([\w-]+\.js)"\)', (ASSETS / entry).read_text(encoding="utf-8"))

    def size(names: set[str]) -> int:
        return sum(len(gzip.compress((ASSETS / name).read_bytes())) for name in names)

    languages = [name for name in later if re.match(r"(?:en|es|de|fr)-", name)]
    views = set(later) - set(languages)
    assert (len(languages), len(views)) == (4, 2)
    for view in views:
        for language in languages:
            assert size(closure(entry, set()) | closure(view, set()) | {language}) <= MOST_SCRIPT_BYTES, view


def test_two_calls_show_the_times(visitors: Visitors) -> None:
    house = listed(visitors.agency)
    calls: list[str] = []
    page = visitors.open("book.html")
    page.on("request", lambda request: calls.append(request.url) if "/api/" in request.url else None)
    page.goto(f"{visitors.agency.url}/book.html?property={house}")
    expect(page.locator(".times .slot").first).to_be_visible()
    assert len(calls) == 2


def test_without_javascript_it_says_whom_to_call(visitors: Visitors) -> None:
    page = visitors.open("book.html?property=house", script=False)
    expect(page.get_by_role("heading", name="Call the agency")).to_be_visible()
    call = page.get_by_role("link", name="Example Agency +1 555 0100")
    expect(call).to_have_attribute("href", "tel:+15550100")
    picture(page, "book-without-script")


def test_a_property_that_is_not_on_the_page_says_whom_to_call(visitors: Visitors) -> None:
    page = visitors.open(f"book.html?property={listed(visitors.agency, 'off')}")
    expect(page.get_by_role("heading")).to_have_text("Visits to this property cannot be booked here.")
    expect(page.get_by_role("link", name="Call us")).to_have_attribute("href", "tel:+15550100")
    expect(page.locator("header")).to_contain_text("Example Agency")
    assert barriers(page) == []


@pytest.mark.parametrize("device", DEVICES)
def test_booking_by_touch_and_pointer_then_mail_link_move_and_cancel(visitors: Visitors, device: str) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    email, touch = someone(), DEVICES[device][2]
    page = visitors.open(f"book.html?property={house}", device)
    slot = page.locator(".times .slot").nth(1)
    slot.tap() if touch else slot.click()
    page.locator("#name").fill("Ada Example")
    page.locator("#email").fill(email)
    assert barriers(page) + faint(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing scrolls sideways"
    picture(page, f"book-{device}")
    page.locator(".go .btn").tap() if touch else page.locator(".go .btn").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("See you on")
    assert barriers(page) + faint(page) == []
    picture(page, f"booked-{device}")
    assert booked(agency, house) == ["confirmed"]
    found = LINK.search(mail_to(agency, email, "Confirmed"))
    assert found is not None
    own = visitors.open(f"book.html#{found[1]}", device)
    expect(own.locator(".status")).to_have_text("Confirmed")
    own.get_by_role("button", name="Move visit").click()
    own.locator(".times .slot").nth(2).click()
    own.get_by_role("button", name="Move visit here").click()
    expect(own.locator(".note")).to_contain_text("Moved to")
    own.get_by_role("button", name="Cancel visit").click()
    own.get_by_label("Why").fill("I am ill")
    picture(own, f"cancel-{device}")
    assert barriers(own) + faint(own) == []
    own.get_by_role("button", name="Cancel visit").click()
    expect(own.locator(".status")).to_have_text("Cancelled")
    assert booked(agency, house) == ["cancelled"]


def test_the_keyboard_alone_is_enough(visitors: Visitors) -> None:
    house = listed(visitors.agency)
    page = visitors.open(f"book.html?property={house}")
    expect(page.locator(".times .slot").first).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.times .slot')"):
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator(".times .slot").nth(1)).to_have_attribute("aria-pressed", "true")
    page.locator("#name").focus()
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type(someone())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert booked(visitors.agency, house) == ["confirmed"]


def test_what_is_missing_is_said_where_it_is_and_has_the_focus(visitors: Visitors) -> None:
    page = visitors.open(f"book.html?property={listed(visitors.agency)}")
    expect(page.locator(".times .slot").first).to_be_visible()
    page.locator(".go .btn").click()
    expect(page.locator("#no-time")).to_be_focused()
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    page.locator("#email").fill("ada")
    page.locator(".go .btn").click()
    expect(page.locator("#email")).to_be_focused()
    expect(page.locator("#email-wrong")).to_have_text("That is no e-mail address. Check it.")
    assert barriers(page) == []


def test_back_reload_and_a_double_tap_never_book_twice(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page = visitors.open(f"book.html?property={house}", "phone")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    page.locator("#email").fill(someone())
    page.locator(".go .btn").dblclick()
    expect(page.locator(".ticket")).to_be_visible()
    page.reload()
    expect(page.locator(".ticket")).to_be_visible()
    page.go_back()
    expect(page.locator(".note")).to_contain_text("You have booked")
    page.locator(".go .btn").click()
    expect(page.locator("#no-time")).to_be_visible()
    assert booked(agency, house) == ["confirmed"]


def test_what_is_booked_after_a_visit_was_cancelled_is_another_visit(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page, _ = visitors.book(house)
    page.get_by_role("button", name="Cancel visit").click()
    page.get_by_role("button", name="Cancel visit").click()
    expect(page.locator(".status")).to_have_text("Cancelled")
    page.go_back()
    expect(page.locator(".times .slot").first).to_be_visible()
    expect(page.get_by_text("You have booked")).to_have_count(0)
    page.locator(".go .btn").click()
    expect(page.locator("#no-time")).to_be_visible()
    assert booked(agency, house) == ["cancelled"]
    page.locator(".times .slot").first.click()
    page.locator(".go .btn").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("See you on")
    assert sorted(booked(agency, house)) == ["cancelled", "confirmed"]


def test_what_was_cancelled_before_its_booking_was_answered_is_not_celebrated(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page = visitors.open(f"book.html?property={house}")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    page.locator("#email").fill(someone())

    page.route("**/visits", lose, times=1)
    page.locator(".go .btn").click()
    expect(page.locator(".note")).to_contain_text("it is done only once")
    visitors.complaints.clear()
    (visit,) = visits_at(agency, house)
    agency.send("PUT", f"/visits/{visit['id']}/status", {"status": "cancelled"})
    page.locator(".go .btn").click()
    expect(page.locator(".status")).to_have_text("Cancelled")
    expect(page.get_by_text("See you on")).to_have_count(0)


def test_the_booking_page_tells_of_a_visit_at_the_time_to_which_it_was_moved(visitors: Visitors) -> None:
    page, _ = visitors.book(listed(visitors.agency))
    page.get_by_role("button", name="Move visit").click()
    page.locator(".times .slot").nth(2).click()
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note")).to_contain_text("Moved to")
    _, moved = page.locator(".ticket time").inner_text().split(", ")
    page.go_back()
    expect(page.locator(".note")).to_contain_text(f", {moved[:5]}.")


def test_an_answer_that_is_lost_is_asked_for_again_under_the_same_key(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page = visitors.open(f"book.html?property={house}")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    page.locator("#email").fill(someone())

    page.route("**/visits", lose, times=1)
    visitors.complaints.clear()
    page.locator(".go .btn").click()
    expect(page.locator(".note")).to_contain_text("it is done only once")
    visitors.complaints.clear()
    page.locator(".go .btn").click()
    expect(page.locator(".ticket")).to_be_visible()
    assert booked(agency, house) == ["confirmed"]


def test_a_time_that_goes_meanwhile_is_explained_with_the_nearest_and_nothing_typed_is_lost(
    visitors: Visitors,
) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page = visitors.open(f"book.html?property={house}", "phone")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    email = someone()
    page.locator("#email").fill(email)
    visitors.book(house)
    page.locator(".go .btn").click()
    note = page.locator(".note.wait")
    expect(note).to_contain_text("09:00 is no longer free.")
    expect(note).to_be_focused()
    assert barriers(page) == []
    picture(page, "book-gone")
    note.locator(".slot").first.click()
    assert page.locator("#name").input_value() == "Ada"
    assert page.locator("#email").input_value() == email
    page.locator(".go .btn").click()
    expect(page.locator(".ticket")).to_be_visible()
    assert booked(agency, house) == ["confirmed", "confirmed"]


def test_a_time_that_goes_while_a_visit_is_moved_is_explained_with_the_nearest(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page, _ = visitors.book(house)
    page.get_by_role("button", name="Move visit").click()
    page.locator(".times .slot").first.click()
    visitors.book(house)
    page.get_by_role("button", name="Move visit here").click()
    note = page.locator(".note.wait")
    expect(note).to_contain_text("10:30 is no longer free.")
    expect(note).to_contain_text("These times are free near it.")
    expect(note).to_be_focused()
    assert barriers(page) == []
    note.locator(".slot").first.click()
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note")).to_contain_text("Moved to")
    assert booked(agency, house) == ["confirmed", "confirmed"]


def test_a_visit_that_is_moved_without_a_connection_is_moved_by_the_same_button_later(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page, _ = visitors.book(house)
    page.get_by_role("button", name="Move visit").click()
    page.locator(".times .slot").nth(2).click()
    page.context.set_offline(True)
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note.bad")).to_contain_text("Press the button again")
    visitors.complaints.clear()
    expect(page.locator(".times .slot").nth(2)).to_have_attribute("aria-pressed", "true")
    page.context.set_offline(False)
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note")).to_contain_text("Moved to")
    assert booked(agency, house) == ["confirmed"]


def test_a_move_whose_answer_is_lost_is_told_as_done_when_the_button_is_pressed_again(visitors: Visitors) -> None:
    page, _ = visitors.book(listed(visitors.agency))
    page.get_by_role("button", name="Move visit").click()
    page.locator(".times .slot").nth(2).click()
    page.route("**/visitor/visit", lose, times=1)
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note.bad")).to_contain_text("Press the button again")
    visitors.complaints.clear()
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".note")).to_contain_text("Moved to")
    visitors.complaints.clear()


def test_a_visit_that_the_agency_cancels_while_it_is_moved_is_told_as_changed(visitors: Visitors) -> None:
    agency, house = visitors.agency, listed(visitors.agency)
    page, _ = visitors.book(house)
    page.get_by_role("button", name="Move visit").click()
    page.locator(".times .slot").nth(2).click()
    (visit,) = visits_at(agency, house)
    agency.send("PUT", f"/visits/{visit['id']}/status", {"status": "cancelled"})
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".status")).to_have_text("Cancelled")
    note = page.locator(".note.wait")
    expect(note).to_have_text("The visit was changed in the meantime. This is how it stands now.")
    expect(note).to_be_focused()
    assert barriers(page) == []


@pytest.mark.parametrize(
    ("browsers", "zone"),
    [
        ("America/Bogota", "Europe/Berlin"),
        ("Europe/Berlin", "Pacific/Auckland"),
        ("Pacific/Auckland", "America/Bogota"),
    ],
)
def test_times_are_the_propertys_with_the_visitors_own_beside_them(
    visitors: Visitors, browsers: str, zone: str
) -> None:
    house = listed(visitors.agency, zone=zone)
    page = visitors.open(f"book.html?property={house}", zone=browsers)
    slot = page.locator(".times .slot").first
    expect(slot.locator("span").first).to_have_text("09:00")
    slot.click()
    name = page.locator(".strip7 [aria-pressed=true] b").inner_text()
    page.locator("#name").fill("Ada")
    page.locator("#email").fill(someone())
    page.locator(".go .btn").click()
    shown = page.locator(".ticket time")
    expect(shown).to_contain_text("09:00")
    start = datetime.fromisoformat(shown.get_attribute("datetime") or "")
    local = start.astimezone(ZoneInfo(zone))
    assert (f"{local:%H:%M}", str(local.day)) == ("09:00", name)
    expect(page.locator(".ticket")).to_contain_text(f"{start.astimezone(ZoneInfo(browsers)):%H:%M} your time")


def test_on_the_day_when_the_clocks_go_back_a_time_that_comes_twice_is_told_apart(visitors: Visitors) -> None:
    """In Berlin 02:00 to 03:00 comes twice on the last Sunday of October."""
    year = datetime.now(UTC).year + 1
    last_week = [datetime(year, 10, day, tzinfo=UTC) for day in range(25, 32)]
    (change,) = (day for day in last_week if day.weekday() == SUNDAY)
    night = {"weekly": {"sun": [["00:00", "06:00"]]}, "stepMinutes": 30, "noticeMinutes": 0}
    house = listed(visitors.agency, rules=night)
    day_before = change - timedelta(days=1)
    page = visitors.open(f"book.html?property={house}", now=day_before)
    expect(page.locator(".strip7 [aria-pressed=true] b")).to_have_text(str(change.day))
    times = [text.strip() for text in page.locator(".times .slot > span:first-child").all_inner_texts()]
    assert times[3:9] == ["01:30", "02:00 +02:00", "02:30 +02:00", "02:00 +01:00", "02:30 +01:00", "03:00"]


LANGUAGES = {
    "en-GB": ("Book visit", "Confirmed", r"^[A-Z]\w+ \d+ [A-Z]\w+, morning$"),
    "de-DE": ("Termin buchen", "Bestätigt", r"^[A-Z]\w+, \d+\. [A-Z]\S+, Vormittag$"),
    "es-CO": ("Reservar", "Confirmada", r"^\S+, \d+ de \w+, mañana$"),
    "fr-FR": ("Réserver", "Confirm", r"^\w+ \d+ \S+, matin$"),
}


def test_it_speaks_and_writes_the_language_of_the_browser_days_too(visitors: Visitors) -> None:
    booked_by = {locale: someone() for locale in LANGUAGES}
    for locale, email in booked_by.items():
        button, _, day = LANGUAGES[locale]
        page = visitors.open(f"book.html?property={listed(visitors.agency)}", "phone", locale=locale)
        expect(page.locator(".go .btn")).to_have_text(button)
        heading = page.locator(".times h3").first
        expect(heading).to_have_text(re.compile(day))
        assert heading.evaluate("h => getComputedStyle(h, '::first-letter').textTransform") == "uppercase"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing scrolls sideways"
        picture(page, f"book-{locale}")
        page.locator(".times .slot").first.click()
        page.locator("#name").fill("Ada")
        page.locator("#email").fill(email)
        page.locator(".go .btn").click()
        expect(page.locator(".ticket")).to_be_visible()
    for locale, email in booked_by.items():
        assert "book.html#vl_" in mail_to(visitors.agency, email, LANGUAGES[locale][1])


def test_a_long_name_and_address_stay_within_a_phone(visitors: Visitors) -> None:
    page = visitors.open(f"book.html?property={listed(visitors.agency)}", "phone")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("W" * 200)
    page.locator("#email").fill(f"{'w' * 60}@{'w' * 60}.example.org")
    page.locator(".go .btn").click()
    expect(page.locator(".ticket")).to_be_visible()
    width = DEVICES["phone"][0]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Cancel visit").click()
    expect(page.get_by_label("Why")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_of_the_link_stops_reminders_keeps_a_file_for_the_calendar_and_forgets_the_visitor(
    visitors: Visitors,
) -> None:
    page, email = visitors.book(listed(visitors.agency))
    with page.expect_download() as download:
        page.get_by_role("button", name="Add to calendar").click()
    text = download.value.path().read_bytes().decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert "LOCATION:Lake house\\, 00012 Musterstadt" in text
    page.get_by_label("Remind me by mail").uncheck()
    expect(page.locator(".note")).to_have_text("You will get no reminders.")
    page.get_by_role("button", name="Erase my data").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Erase now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your data is erased.")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("does not open a visit")
    found = visitors.agency.send("POST", "/visitors/search", {"email": email})
    assert found["items"] == []


def test_whoever_moves_a_visit_is_told_before_that_the_agency_has_to_confirm_the_new_time(visitors: Visitors) -> None:
    agency = visitors.agency
    house = listed(agency, "request")
    page, _ = visitors.book(house)
    expect(page.get_by_role("heading", level=1)).to_have_text("We have your request.")
    (visit,) = visits_at(agency, house)
    agency.send("PUT", f"/visits/{visit['id']}/status", {"status": "confirmed"})
    page.reload()
    expect(page.locator(".status")).to_have_text("Confirmed")
    page.get_by_role("button", name="Move visit").click()
    expect(page.get_by_text("The agency has to confirm the new time.")).to_be_visible()
    assert barriers(page) == []
    picture(page, "move-asks")
    page.locator(".times .slot").nth(2).click()
    page.get_by_role("button", name="Move visit here").click()
    expect(page.locator(".status")).to_have_text("To be confirmed")
    expect(page.locator(".lead")).to_have_text("The agency will confirm it, or decline it, soon.")
    assert booked(agency, house) == ["requested"]


def test_where_the_agency_asks_for_it_a_booking_is_a_hold_until_the_link_in_the_mail_confirms_it(
    asked_to_confirm: Visitors,
) -> None:
    agency, house, email = asked_to_confirm.agency, listed(asked_to_confirm.agency), someone()
    page = asked_to_confirm.open(f"book.html?property={house}", "phone")
    page.locator(".times .slot").first.click()
    page.locator("#name").fill("Ada")
    page.locator(".go .btn").click()
    expect(page.locator("#email-wrong")).to_have_text("We need your e-mail address: you confirm the visit by mail.")
    page.locator("#email").fill(email)
    page.locator(".go .btn").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step: look at your mail.")
    assert barriers(page) == []
    picture(page, "book-held")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step: look at your mail.")
    assert booked(agency, house) == ["requested"]
    found = LINK.search(mail_to(agency, email, "Confirm"))
    assert found is not None
    own = asked_to_confirm.open(f"book.html#{found[1]}", "phone")
    expect(own.get_by_text("or the time is given to others")).to_be_visible()
    assert booked(agency, house) == ["requested"], "looking at it confirms nothing"
    picture(own, "book-to-confirm")
    own.get_by_role("button", name="Confirm visit").click()
    expect(own.locator(".status")).to_have_text("Confirmed")
    assert barriers(own) == []
    assert booked(agency, house) == ["confirmed"]
    mail_to(agency, email, "Confirmed")


def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name.replace(' ', '-')}.png", full_page=True)


def test_the_console_shows_the_code_for_the_board(agency: Agency, desks: Desks) -> None:
    house = listed(agency, "request")
    desk = desks.open(f"#/properties/{house}")
    code = desk.page.get_by_role("img", name="Code of the booking page")
    expect(code).to_be_visible()
    assert code.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    expect(desk.page.get_by_role("link", name=f"{agency.url}/book.html?property={house}")).to_be_visible()
    assert desk.barriers() == []
