"""The agenda: where visits lie, what is looked at, and what others do meanwhile."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Agency, Desk, Desks, box_of, plus

ROOMY = 2
"""A pixel is lost to rounding, another to the gap between two visits."""


def test_a_visit_lies_at_its_time_and_is_as_high_as_it_is_long(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("Lake house", capacity=4)
    at = {plus(week, 1): ("09:00", 60), plus(week, 2): ("13:30", 45), plus(week, 4): ("19:15", 30)}
    booked = {
        agency.visit(house, day, time, durationMinutes=long): (day, time, long) for day, (time, long) in at.items()
    }
    desk = desks.open(f"#/agenda/week/{week}")
    for id, (day, time, long) in booked.items():
        box, column = desk.box(id), box_of(desk.column(day))
        minutes = int(time[:2]) * 60 + int(time[3:]) - 8 * 60
        assert box["y"] - column["y"] == pytest.approx(minutes / 60 * desk.hour(), abs=ROOMY), time
        assert box["height"] == pytest.approx(max(24, long / 60 * desk.hour() - 2), abs=ROOMY), time
        assert column["x"] <= box["x"] < box["x"] + box["width"] <= column["x"] + column["width"]
    desk.picture("agenda-boxes")


def test_visits_at_one_time_lie_side_by_side(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("Mill loft", capacity=3)
    early, later, other = (agency.visit(house, week, time, durationMinutes=60) for time in ("10:00", "10:30", "12:00"))
    desk = desks.open(f"#/agenda/week/{week}")
    one, two, alone = (desk.box(id) for id in (early, later, other))
    assert one["x"] + one["width"] <= two["x"], "they touch at the most"
    assert alone["width"] > one["width"] * 1.8, "whoever is alone has the whole width"


def test_a_day_that_one_looks_at_hides_nothing_behind_more(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("Busy house", capacity=6)
    ids = [agency.visit(house, week, "10:00", durationMinutes=60) for _ in range(6)]
    desk = desks.open(f"#/agenda/week/{week}")
    for id in ids:
        expect(desk.block(id)).to_be_visible()
    # Another day folds what has no room, and leads to all of it.
    desk.page.goto(f"{agency.url}/#/agenda/week/{plus(week, 1)}")
    desk.page.get_by_role("button", name="4 more visits at this time").click()
    expect(desk.page).to_have_url(re.compile(f"day/{week}"))
    for id in ids:
        expect(desk.block(id)).to_be_visible()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Auckland"])
def test_every_browser_shows_the_time_of_the_property(agency: Agency, desks: Desks, week: str, zone: str) -> None:
    house = agency.property("Canal view")
    id = agency.visit(house, plus(week, 3), "08:15")
    desk = desks.open(f"#/agenda/week/{week}", zone=zone)
    expect(desk.column(plus(week, 3)).locator(f'[data-visit="{id}"] .w')).to_contain_text("08:15")
    expect(desk.page.locator(".days .zone")).to_contain_text("Berlin")
    expect(desk.page.locator(".foot")).to_contain_text("Berlin time")


def test_a_visit_in_another_zone_has_the_time_there(agency: Agency, desks: Desks, week: str) -> None:
    here = agency.property("Lake cabin")
    for day in range(2):
        agency.visit(here, plus(week, day), "11:00")
    id = agency.visit(agency.property("Hudson flat", "America/New_York"), plus(week, 2), "15:30", "America/New_York")
    desk = desks.open(f"#/agenda/week/{week}")
    expect(desk.column(plus(week, 2)).locator(f'[data-visit="{id}"]')).to_contain_text("15:30")
    desk.block(id).click()
    expect(desk.page.locator(".panel")).to_contain_text("New York time")


def test_on_the_day_the_clocks_change_times_are_those_on_the_wall(agency: Agency, desks: Desks) -> None:
    house = agency.property("Clock tower", capacity=2)
    # In Berlin the clocks went from 3 back to 2 on 25 October 2026, and from 2 to 3 on 29 March 2026.
    first, second = (agency.visit(house, "2026-10-25", time, "UTC") for time in ("00:30", "01:30"))
    desk = desks.open("#/agenda/week/2026-10-25")
    expect(desk.block(first)).to_contain_text("02:30 (UTC+2)")
    expect(desk.block(second)).to_contain_text("02:30 (UTC+1)")
    one, two = desk.box(first), desk.box(second)
    assert one["y"] == two["y"], "the clock shows the same"
    assert one["x"] != two["x"], "and both can be seen"
    expect(desk.page.get_by_text("The clocks change on this day")).to_have_count(1)
    afternoon = agency.visit(house, "2026-03-29", "15:00")
    desk.page.goto(f"{agency.url}/#/agenda/week/2026-03-29")
    expect(desk.block(afternoon)).to_contain_text("15:00")


def test_today_is_that_of_most_properties_whatever_is_on_the_screen(agency: Agency, desks: Desks, week: str) -> None:
    agency.property("Spree house")
    agency.property("Havel house")
    far = agency.property("Far house", "Asia/Tokyo")
    for time in ("10:00", "12:00"):
        agency.visit(far, week, time, "Asia/Tokyo")
    desk = desks.open(f"#/agenda/list/{week}", zone="Pacific/Auckland")
    expect(desk.page.locator(".list-end")).to_contain_text("2 visits. Berlin time")
    expect(desk.page.get_by_role("row").filter(has_text="Far house").first).to_contain_text("Tokyo")


def test_what_one_looks_at_is_chosen_by_property_agent_and_status(agency: Agency, desks: Desks, week: str) -> None:
    ben, house, loft = agency.agent("Ben Filter"), agency.property("Filter house"), agency.property("Filter loft")
    of_ben = agency.visit(house, week, "09:00", agentId=ben)
    asked = agency.visit(loft, week, "11:00", status="requested")
    desk = desks.open(f"#/agenda/week/{week}")
    expect(desk.block(of_ben)).to_be_visible()
    desk.page.get_by_label("Ben Filter").uncheck()
    expect(desk.block(of_ben)).to_have_count(0)
    desk.page.get_by_label("To confirm").press("Space")
    expect(desk.block(asked)).to_have_count(0)
    desk.page.get_by_role("button", name="Show all").click()
    desk.page.get_by_role("combobox", name="Property", exact=True).select_option("Filter loft")
    expect(desk.block(of_ben)).to_have_count(0)
    expect(desk.block(asked)).to_be_visible()


def test_the_first_paint_needs_two_calls_of_the_api(agency: Agency, desk: Desk, week: str) -> None:
    id = agency.visit(agency.property("Quick house"), week, "09:00")
    desk.page.add_init_script("""
        new MutationObserver((_, watch) => {
            if (!document.querySelector(".visit")) return;
            const asked = performance.getEntriesByType("resource").filter((entry) => entry.name.includes("/api/"));
            window.askedBefore = asked.map((entry) => entry.name);
            watch.disconnect();
        }).observe(document, { childList: true, subtree: true });
    """)
    desk.reload()
    expect(desk.block(id)).to_contain_text("Quick house")
    asked = desk.page.evaluate("askedBefore")
    assert 1 <= len(asked) <= 2, asked


def test_a_visit_that_is_booked_elsewhere_appears_by_itself(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("Common house")
    one, other = (desks.open(f"#/agenda/week/{week}") for _ in range(2))
    for desk in (one, other):
        expect(desk.page.locator(".foot")).to_contain_text("Up to date")
    one.page.keyboard.press("n")
    one.choose_property("common")
    one.page.locator("#day").fill(plus(week, 1))
    one.page.locator("#time").fill("10:00")
    one.page.keyboard.press("Control+Enter")
    one.says("Booked: Common house")
    expect(other.column(plus(week, 1)).locator(".visit")).to_contain_text("Common house")
    assert agency.send("GET", f"/visits?propertyId={house}&from={week}T00:00:00Z&to={plus(week, 7)}T00:00:00Z")["items"]


def test_the_day_has_a_column_for_each_agent_or_property(agency: Agency, desks: Desks, week: str) -> None:
    cleo, house = agency.agent("Cleo Model"), agency.property("Column house")
    id = agency.visit(house, week, "09:00", agentId=cleo)
    desk = desks.open(f"#/agenda/week/{week}")
    expect(desk.block(id)).to_be_visible()
    desk.page.keyboard.press("d")
    expect(desk.column(cleo).locator(f'[data-visit="{id}"]')).to_be_visible()
    desk.page.get_by_role("button", name="Properties").click()
    expect(desk.column(house).locator(f'[data-visit="{id}"]')).to_be_visible()
    desk.page.keyboard.press("l")
    expect(desk.page.get_by_role("row").filter(has_text="Column house")).to_contain_text("Cleo Model")
