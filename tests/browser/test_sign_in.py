"""Signing in on the hosted page, and out; what somebody may do is what their groups say."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.desk import Agency, Desks, fill_in

NOBODY = ()


def test_a_person_signs_in_where_they_wanted_to_go_stays_and_signs_out(agency: Agency, desks: Desks, week: str) -> None:
    desk = desks.open(f"#/agenda/day/{week}", scopes=NOBODY)
    page = desk.page
    sign_in = page.get_by_role("button", name="Sign in")
    expect(sign_in).to_be_visible()
    assert desk.barriers() == []
    desk.picture("sign-in")
    sign_in.press("Enter")
    email, password = agency.person(("read", "write"))
    fill_in(page, email, password)
    expect(page).to_have_url(f"{agency.url}/#/agenda/day/{week}")
    desk.ready()
    expect(page.locator(".tools h1")).to_contain_text("Monday")
    page.reload()
    desk.ready()
    page.locator(".me:not(.take) summary").click()
    expect(page.locator(".me:not(.take) .head")).to_contain_text("reads, books")
    with page.expect_response(re.compile("/logout")):
        page.get_by_role("button", name="Sign out").click()
    page.wait_for_load_state()
    page.goto(agency.url)
    expect(sign_in).to_be_visible()


def test_a_code_that_was_not_asked_for_signs_nobody_in(agency: Agency, desks: Desks) -> None:
    desk = desks.open("?code=stolen&state=guessed", scopes=NOBODY)
    expect(desk.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(desk.page).to_have_url(f"{agency.url}/")
    assert not [call for call in desk.calls if "oauth2/token" in call]


def test_whoever_is_no_longer_let_in_signs_in_again(agency: Agency, desks: Desks, week: str) -> None:
    desk = desks.open(f"#/agenda/week/{week}")
    desk.refused = True
    problem = {"type": "urn:visits:problem:unauthorized", "title": "Unauthorized", "status": 401, "detail": "No."}
    desk.page.route("**/api/**", lambda route: route.fulfill(status=401, json=problem))
    expect(desk.page.get_by_role("button", name="Sign in")).to_be_visible()
