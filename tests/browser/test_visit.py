"""One visit: what is done with it, how it is moved, and what happens when that is refused."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.browser.desk import Agency, Desk, Desks, instant, plus


@pytest.fixture
def house(agency: Agency) -> str:
    return agency.property("Lake house", capacity=2)


def panel_of(desk: Desk, visit_id: str) -> Locator:
    desk.block(visit_id).click()
    panel = desk.page.locator(".panel")
    expect(panel).to_be_visible()
    return panel


def is_at(agency: Agency, visit_id: str, day: str, time: str) -> bool:
    return datetime.fromisoformat(agency.read(visit_id)["date"]) == datetime.fromisoformat(instant(day, time))


def test_a_request_is_confirmed_by_pointer_and_another_by_its_key(
    agency: Agency, desks: Desks, house: str, week: str
) -> None:
    one = agency.visit(house, week, "09:00", status="requested")
    other = agency.visit(house, week, "11:00", status="requested")
    desk = desks.open(f"#/agenda/week/{week}")
    panel_of(desk, one).get_by_role("button", name="Confirm").click()
    desk.says("Confirmed")
    desk.block(other).focus()
    desk.page.keyboard.press("c")
    expect(desk.block(other)).to_have_class(re.compile("confirmed"))
    expect(desk.block(other)).not_to_have_class(re.compile("saving"))
    assert [agency.read(id)["status"] for id in (one, other)] == ["confirmed", "confirmed"]


def test_a_visit_is_cancelled_with_its_reason(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00", visitor={"name": "Ada Example"})
    desk = desks.open(f"#/agenda/week/{week}")
    desk.block(id).focus()
    desk.page.keyboard.press("x")
    panel = desk.page.locator(".panel")
    expect(panel).to_contain_text("Cancel the visit of Ada Example?")
    desk.page.keyboard.type("Is ill")
    panel.get_by_role("button", name="Cancel visit").press("Enter")
    desk.says("Cancelled: Ada Example")
    assert agency.read(id)["cancellation"]["reason"] == "Is ill"
    expect(panel).to_contain_text("Is ill")


def test_a_request_is_declined(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00", status="requested")
    desk = desks.open(f"#/agenda/week/{week}")
    panel = panel_of(desk, id)
    panel.get_by_role("button", name="Decline…").click()
    panel.get_by_role("button", name="Decline", exact=True).click()
    desk.says("Declined")
    assert agency.read(id)["status"] == "declined"


def test_a_visit_that_began_took_place_or_nobody_came(agency: Agency, desks: Desks, house: str) -> None:
    begun = datetime.now(UTC) - timedelta(minutes=30)
    body = {"propertyId": house, "date": f"{begun:%Y-%m-%dT%H:%M:00Z}", "notify": False}
    id = agency.send("POST", "/visits", body)["id"]
    desk = desks.open(f"#/agenda/day?visit={id}")
    panel = desk.page.locator(".panel")
    panel.get_by_role("button", name="Took place").click()
    desk.says("Took place")
    panel.get_by_role("button", name="Did not come").press("Enter")
    desk.says("Did not come")
    assert agency.read(id)["status"] == "no_show"


def test_dragging_moves_a_visit_and_undo_brings_it_back(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00", durationMinutes=60)
    desk = desks.open(f"#/agenda/week/{week}")
    desk.drag(id, plus(week, 2), 75)
    desk.says("10:15")
    expect(desk.column(plus(week, 2)).locator(f'[data-visit="{id}"]')).to_contain_text("10:15")
    assert is_at(agency, id, plus(week, 2), "10:15")
    desk.page.get_by_role("button", name="Undo").click()
    desk.says("Back at")
    assert is_at(agency, id, week, "09:00")


def test_arrows_move_a_visit_and_escape_takes_it_back(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    keyboard = desk.page.keyboard
    desk.block(id).focus()
    for key in ("r", "ArrowRight", "ArrowDown", "ArrowDown"):
        keyboard.press(key)
    expect(desk.page.locator("#said")).to_contain_text("09:30")
    keyboard.press("Escape")
    assert is_at(agency, id, week, "09:00")
    for key in ("r", "ArrowRight", "ArrowDown", "Enter"):
        keyboard.press(key)
    desk.says("Moved to")
    assert is_at(agency, id, plus(week, 1), "09:15")
    expect(desk.block(id)).to_be_focused()


def test_a_visit_that_is_given_to_nobody_is_nobodys_before_the_answer_is_there(
    agency: Agency, desks: Desks, house: str, week: str
) -> None:
    id = agency.visit(house, week, "09:00", agentId=agency.agent("Ben Sample"))
    desk = desks.open(f"#/agenda/week/{week}")
    agent = panel_of(desk, id).get_by_role("combobox", name="Agent")
    expect(agent).not_to_have_value("")
    on_their_way: list[Route] = []
    desk.page.route(f"**/api/visits/{id}", lambda route: on_their_way.append(route))
    agent.select_option("")
    expect(desk.block(id)).to_have_class(re.compile("saving"))
    expect(agent).to_have_value("")
    for change in on_their_way:
        change.continue_()
    desk.says("Nobody yet")
    assert "agentId" not in agency.read(id)


def test_the_way_back_stays_while_somebody_reaches_for_it(agency: Agency, desk: Desk, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk.page.clock.install()
    desk.reload()
    desk.drag(id, plus(week, 1), 60)
    undo = desk.page.get_by_role("button", name="Undo")
    undo.focus()
    desk.page.clock.run_for(60_000)
    undo.press("Enter")
    desk.says("Back at")


def test_arrows_go_from_visit_to_visit_and_enter_opens(agency: Agency, desks: Desks, house: str, week: str) -> None:
    first = agency.visit(house, week, "09:00")
    below = agency.visit(house, week, "13:00")
    beside = agency.visit(house, plus(week, 2), "12:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.block(first).focus()
    for key, at in (("ArrowDown", below), ("ArrowRight", beside), ("ArrowLeft", below)):
        desk.page.keyboard.press(key)
        expect(desk.block(at)).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(desk.block(below)).to_have_attribute("aria-pressed", "true")
    expect(desk.page.locator(".panel")).to_be_visible()


def test_a_panel_offers_free_times_to_move_to(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    panel = panel_of(desk, id)
    panel.get_by_role("button", name="Reschedule").click()
    panel.get_by_role("group", name=re.compile("Tue")).get_by_role("button", name="08:30").click()
    desk.says("Moved to")
    assert is_at(agency, id, plus(week, 1), "08:30")


def test_a_taken_time_puts_the_visit_back_and_says_so(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("Single house")
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.refused = True
    before = desk.box(id)
    agency.visit(house, plus(week, 1), "09:00")
    desk.drag(id, plus(week, 1), 0)
    desk.says("This time was just taken by another visit.")
    desk.says("It is back where it was.")
    assert desk.box(id)["y"] == before["y"]
    assert is_at(agency, id, week, "09:00")


def test_somebody_else_was_faster(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.refused = True
    panel = panel_of(desk, id)
    note = panel.get_by_label("Note")
    # The page does not hear of it before it asks: neither by events nor by reading the week once more.
    desk.page.route("**/api/events*", lambda route: route.fulfill(json={"items": [], "nextCursor": "x"}))
    unanswered: list[Route] = []
    desk.page.route("**/api/visits?*", lambda route: unanswered.append(route))
    note.fill("Brings an architect")
    agency.send("PATCH", f"/visits/{id}", {"place": "Garden gate"}, **{"If-Match": "*"})
    panel.get_by_role("button", name="Keep the note").click()
    expect(panel.get_by_role("alert")).to_contain_text("Somebody changed this visit while you had it open.")
    expect(panel).to_contain_text("Meet at Garden gate")
    expect(note).to_have_value("Brings an architect")
    panel.get_by_role("button", name="Keep the note").click()
    desk.says("The note is kept.")
    assert agency.read(id)["notes"] == "Brings an architect"


@pytest.mark.parametrize("trouble", ["connection", "store"])
def test_a_move_that_got_lost_is_put_back_and_can_be_tried_again(
    agency: Agency, desks: Desks, house: str, week: str, trouble: str
) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.refused = True
    expect(desk.block(id)).to_be_visible()

    def fail(route: Route) -> None:
        if route.request.method != "PATCH":
            route.fallback()
        elif trouble == "connection":
            route.abort("internetdisconnected")
        else:
            body = {"type": "urn:visits:problem:store-busy", "title": "Store busy", "status": 503, "detail": "Busy."}
            route.fulfill(status=503, json=body)

    desk.page.route(f"**/api/visits/{id}", fail)
    desk.drag(id, plus(week, 1), 60)
    desk.says("It is back where it was.")
    expect(desk.column(week).locator(f'[data-visit="{id}"]')).to_be_visible()
    desk.page.unroute(f"**/api/visits/{id}")
    desk.page.get_by_role("button", name="Try again").click()
    desk.says("Moved to")
    assert is_at(agency, id, plus(week, 1), "10:00")


def test_without_a_connection_what_was_there_stays(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.refused = True
    expect(desk.block(id)).to_be_visible()
    desk.context.set_offline(True)
    expect(desk.page.get_by_text("No connection since")).to_be_visible()
    expect(desk.block(id)).to_be_visible()
    desk.page.get_by_role("button", name="Try now").click()
    expect(desk.page.get_by_text("No connection since")).to_be_visible()
    # The browser notices by itself; until then one may try.
    desk.context.set_offline(False)
    expect(desk.page.get_by_text("No connection since")).to_have_count(0)


def test_whoever_only_reads_sees_no_button_that_would_be_refused(
    agency: Agency, desks: Desks, house: str, week: str
) -> None:
    id = agency.visit(house, week, "09:00", status="requested", notes="Two children")
    desk = desks.open(f"#/agenda/week/{week}", scopes=("read",))
    panel = panel_of(desk, id)
    expect(panel).to_contain_text("Two children")
    for name in ("Confirm", "Reschedule", "Decline…", "New visit", "Keep the note"):
        expect(desk.page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(panel.get_by_role("combobox")).to_have_count(0)
    before = desk.box(id)
    desk.drag(id, plus(week, 1), 60)
    desk.page.keyboard.press("n")
    expect(desk.dialog()).to_have_count(0)
    assert desk.box(id) == before
    assert is_at(agency, id, week, "09:00")


def test_the_other_visits_of_a_visitor_are_listed_in_the_panel(agency: Agency, desks: Desks, week: str) -> None:
    person = {"name": "Olga Other", "email": f"olga-{week}@example.org"}
    house, loft = agency.property("Panel house"), agency.property("Panel loft")
    before = agency.visit(loft, plus(week, -7), "10:00", visitor=person)
    id = agency.visit(house, week, "10:00", visitor=person)
    desk = desks.open(f"#/agenda/week/{week}")
    desk.block(id).click()
    others = desk.page.get_by_text("Other visits of the visitor")
    others.press("Enter")
    other = desk.page.locator(".panel").get_by_role("link", name="Panel loft")
    expect(other).to_be_visible()
    assert not [call for call in desk.calls if "olga" in call.lower()]
    desk.picture("panel-others")
    other.click()
    expect(desk.page.locator(".panel h2")).to_have_text("Panel loft")
    assert before in desk.page.url


def test_mail_that_came_back_is_told_where_somebody_looks_at_the_visit(
    agency: Agency, desks: Desks, house: str, week: str
) -> None:
    returning = {"name": "Ada", "email": "bounce@simulator.amazonses.com"}
    visit, other = (
        agency.visit(house, week, hour, visitor=who, notify=True)
        for hour, who in (("09:00", returning), ("11:00", {"name": "Grace", "email": "grace@example.org"}))
    )
    deadline = time.monotonic() + 90
    while "stopped" not in agency.read(f"{visit}/notices"):
        assert time.monotonic() < deadline, "nobody was told that the mail came back"
        time.sleep(0.5)
    desk = desks.open(f"#/agenda/week/{week}")
    expect(panel_of(desk, visit)).to_contain_text("Mail to this address came back.")
    assert desk.barriers() == []
    desk.picture("visit-mail-came-back")
    panel = panel_of(desk, other)
    expect(panel).to_contain_text("grace@example.org")
    expect(panel).not_to_contain_text("came back")


def test_whoever_has_no_mail_is_not_said_to_be_told(agency: Agency, desks: Desks, house: str, week: str) -> None:
    by_phone = agency.visit(house, week, "09:00", visitor={"name": "Pia", "phone": "+49 30 5550178"}, notify=True)
    by_mail = agency.visit(
        house, week, "11:00", visitor={"name": "Mia", "email": f"mia-{week}@example.org"}, notify=True
    )
    desk = desks.open(f"#/agenda/week/{week}")
    for id, told in ((by_phone, False), (by_mail, True)):
        panel = panel_of(desk, id)
        panel.get_by_role("button", name="Cancel…").click()
        free = panel.get_by_text("The time becomes free at once")
        expect(free).to_contain_text("and the visitor is told" if told else "at once.")


def test_a_note_that_was_typed_is_there_after_looking_at_another_visit(
    agency: Agency, desks: Desks, house: str, week: str
) -> None:
    id, other = agency.visit(house, week, "09:00"), agency.visit(house, week, "11:00")
    desk = desks.open(f"#/agenda/week/{week}")
    panel_of(desk, id).get_by_label("Note").fill("Has a dog")
    expect(panel_of(desk, other).get_by_label("Note")).to_have_value("")
    panel = panel_of(desk, id)
    expect(panel.get_by_label("Note")).to_have_value("Has a dog")
    panel.get_by_role("button", name="Keep the note").click()
    desk.says("The note is kept.")
    assert agency.read(id)["notes"] == "Has a dog"


def test_the_second_of_two_equal_times_is_chosen_and_kept(agency: Agency, desks: Desks) -> None:
    house = agency.property("Autumn night house")
    last = date(datetime.now(UTC).year + 1, 10, 31)
    sunday = (last - timedelta(days=(last.weekday() + 1) % 7)).isoformat()
    id = agency.visit(house, sunday, "12:00")
    panel = desks.open(f"#/agenda/week/{sunday}?visit={id}").page.locator(".panel")
    panel.get_by_role("button", name="Reschedule").click()
    night = panel.get_by_role("group", name=re.compile("Sun"))
    night.get_by_role("button", name=re.compile("All .* times")).click()
    expect(night.get_by_role("button", name="02:00 (UTC+2)")).to_be_visible()
    night.get_by_role("button", name="02:00 (UTC+1)").click()
    expect(panel.locator(".when")).to_contain_text("02:00 (UTC+1)")
    expect(panel).not_to_have_attribute("aria-busy", "true")
    assert datetime.fromisoformat(agency.read(id)["date"]) == datetime.fromisoformat(f"{sunday}T01:00:00Z")


def test_the_focus_goes_back_to_where_it_was(agency: Agency, desks: Desks, house: str, week: str) -> None:
    id = agency.visit(house, week, "09:00")
    desk = desks.open(f"#/agenda/week/{week}")
    desk.block(id).focus()
    desk.page.keyboard.press("x")
    reason = desk.page.locator(".panel").get_by_label("Reason")
    expect(reason).to_be_focused()
    desk.page.keyboard.press("Escape")
    expect(desk.block(id)).to_be_focused()
    cancel = desk.page.locator(".panel").get_by_role("button", name="Cancel…")
    cancel.press("Enter")
    expect(reason).to_be_focused()
    desk.page.locator(".panel").get_by_role("button", name="Cancel visit").press("Enter")
    desk.says("Cancelled")
    expect(desk.page.locator(".panel")).to_be_focused()


def test_the_history_is_told_in_the_time_of_the_property(agency: Agency, desks: Desks, week: str) -> None:
    zone = "America/Los_Angeles"
    house = agency.property("History house", zone)
    id = agency.visit(house, week, "09:00", zone)
    page = desks.open(f"#/agenda/week/{week}?visit={id}", zone="Asia/Tokyo").page
    booked = datetime.fromisoformat(agency.read(id)["createdAt"]).astimezone(ZoneInfo(zone))
    history = page.locator(".panel .log").filter(has_text="History")
    expect(history).to_contain_text("Los Angeles time")
    expect(history.locator("time").first).to_contain_text(f"{booked:%H:%M}")
