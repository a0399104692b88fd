"""Four languages, chosen by the browser or by the person, whose words have room."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.desk import Agency, Desks, box_of, plus

NEW = {"en": "New visit", "es": "Nueva visita", "de": "Neue Besichtigung", "fr": "Nouvelle visite"}


@pytest.mark.parametrize("language", NEW)
def test_the_console_speaks_the_language_of_the_browser(agency: Agency, desks: Desks, week: str, language: str) -> None:
    house = agency.property("Lake house")
    id = agency.visit(house, plus(week, 1), "10:00", status="requested", visitor={"name": "Ada Example"})
    desk = desks.open(f"#/agenda/week/{week}", locale=language)
    expect(desk.page.locator("html")).to_have_attribute("lang", language)
    expect(desk.page.get_by_role("button", name=NEW[language]).first).to_be_visible()
    desk.block(id).click()
    panel = box_of(desk.page.locator(".panel"))
    for act in desk.page.locator(".panel .acts button").all():
        button = box_of(act)
        assert button["x"] + button["width"] <= panel["x"] + panel["width"], act.text_content()
    bar = desk.page.locator(".bar")
    assert bar.evaluate("bar => bar.scrollWidth <= bar.clientWidth")
    assert desk.barriers() == []
    desk.picture(f"agenda-{language}")


def test_the_person_chooses_another_language_and_it_stays(desks: Desks, week: str) -> None:
    desk = desks.open(f"#/agenda/week/{week}")
    desk.page.locator(".me:not(.take) summary").click()
    on_their_way: list[Route] = []
    desk.page.route("**/assets/de-*.js", lambda words: on_their_way.append(words))
    desk.page.get_by_label("Deutsch").check()
    desk.page.get_by_label("Dark").check()
    expect(desk.page.get_by_label("Deutsch")).to_be_checked()
    for words in on_their_way:
        words.continue_()
    expect(desk.page.get_by_role("button", name="Neue Besichtigung").first).to_be_visible()
    desk.page.unroute("**/assets/de-*.js")
    desk.page.reload()
    expect(desk.page.get_by_role("link", name="Anfragen")).to_be_visible()
