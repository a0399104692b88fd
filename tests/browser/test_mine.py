"""My day: what an agent on the road sees on a telephone."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.sync_api import expect

from tests.browser.desk import Agency, Desks, box_of, plus

WIDTH = 360


def test_an_agent_on_the_road_sees_where_to_be_next_and_calls(agency: Agency, desks: Desks, week: str) -> None:
    ben, cleo = agency.agent("Ben Sample"), agency.agent("Cleo Model")
    house, loft = agency.property("Road house"), agency.property("Road loft")
    person = {"name": "Ada Example", "phone": "+49 30 5550112"}
    first = agency.visit(house, week, "09:30", agentId=ben, visitor=person, notes="Two children")
    agency.visit(loft, week, "11:00", agentId=ben, place="Garden gate, Road 2")
    agency.visit(loft, week, "15:00", agentId=cleo, visitor={"name": "Carl Entwurf"})
    gone = agency.visit(loft, week, "17:00", agentId=ben)
    agency.send("PUT", f"/visits/{gone}/status", {"status": "cancelled"}, **{"If-Match": "*"})
    desk = desks.open(f"#/mine/{week}", width=WIDTH, height=740)
    page = desk.page
    page.get_by_label("Agent").select_option(ben)
    next = page.get_by_role("region", name="Next")
    expect(next).to_contain_text("09:30–10:00")
    expect(next).to_contain_text("Two children")
    expect(next.get_by_role("link", name="Call Ada Example")).to_have_attribute("href", "tel:+49305550112")
    way = next.get_by_role("link", name="Map of Road house, 00012 Musterstadt").get_attribute("href")
    assert way is not None
    assert way.endswith("query=Road%20house%2C%2000012%20Musterstadt")
    expect(page.locator(".stop")).to_have_count(1)
    expect(page.get_by_role("link", name="Map of Garden gate, Road 2")).to_be_visible()
    for target in page.locator(".next .btn, .ends .btn").all():
        assert min(box_of(target)["height"], box_of(target)["width"]) >= 44, "big enough for a thumb"
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    assert desk.barriers() == []
    desk.picture("my-day")
    desk.reload()
    expect(page.get_by_label("Agent")).to_have_value(ben)
    next.get_by_role("link", name="Road house", exact=True).press("Enter")
    expect(page.locator(".panel")).to_contain_text("Ada Example")
    assert first in page.url


def test_what_is_over_comes_last(agency: Agency, desks: Desks) -> None:
    ben = agency.agent("Bea Past")
    day = plus(datetime.now(UTC).date().isoformat(), -3)
    agency.visit(agency.property("Past house"), day, "10:00", agentId=ben)
    desk = desks.open(f"#/mine/{day}", width=WIDTH, height=740, theme="dark")
    desk.page.get_by_label("Agent").select_option(ben)
    expect(desk.page.get_by_role("heading", name="Earlier")).to_be_visible()
    expect(desk.page.locator(".stop.over")).to_contain_text("Past house")
    expect(desk.page.get_by_role("region", name="Next")).to_have_count(0)
    assert desk.barriers() == []
    desk.picture("my-day-past-dark")


def test_who_signed_in_is_the_agent_with_their_mail_address(agency: Agency, desks: Desks) -> None:
    desk = desks.open("#/agenda")
    menu = desk.page.get_by_text("your menu")
    name = menu.inner_text().split(",")[0]
    mine = agency.agent("Dora Draft", email=f"{name.upper()}@example.org")
    desk.reload()
    desk.page.locator(".me > summary").first.press("Enter")
    desk.page.get_by_role("link", name="My day").press("Enter")
    expect(desk.page.get_by_label("Agent")).to_have_value(mine)
