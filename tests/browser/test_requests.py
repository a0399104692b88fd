"""The requests that wait: each is answered by itself, however fast somebody presses."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.desk import Agency, Desks, box_of

PHONE = 390
OVERPRINTED = """row => {
  const lines = [];
  const walk = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    for (const box of range.getClientRects()) if (box.width > 1) lines.push([walk.currentNode.data, box]);
  }
  const before = (a, b) => a.right <= b.left + 1 || a.bottom <= b.top + 1;
  const apart = (a, b) => before(a, b) || before(b, a);
  const found = lines.filter(([, box]) => box.right > innerWidth).map(([text]) => [text]);
  lines.forEach(([text, box], n) => {
    for (const [other, its] of lines.slice(n + 1)) if (other !== text && !apart(box, its)) found.push([text, other]);
  });
  return found;
}"""


def statuses(agency: Agency, *ids: str) -> list[str]:
    return [agency.read(id)["status"] for id in ids]


def test_pressing_twice_answers_one_request_and_keeps_its_row_and_the_focus(
    agency: Agency, desks: Desks, week: str
) -> None:
    house = agency.property("Twice house", capacity=3)
    names = ("Uwe Twice", "Vera Twice", "Willi Twice")
    ids = [agency.visit(house, week, "09:00", status="requested", visitor={"name": name}) for name in names]
    desk = desks.open("#/requests")
    rows = [desk.page.get_by_role("row").filter(has_text=name) for name in names]
    rows.sort(key=lambda row: box_of(row)["y"])
    for row, below, answer, status in (
        (rows[0], rows[1], "Confirm", "Confirmed"),
        (rows[1], rows[2], "Decline", "Declined"),
    ):
        button = row.get_by_role("button", name=answer)
        button.scroll_into_view_if_needed()
        before = box_of(below)
        button.dblclick()
        desk.says(status)
        expect(row.locator(".status")).to_have_text(status)
        expect(button).to_be_focused()
        assert box_of(below) == before
    assert sorted(statuses(agency, *ids)) == ["confirmed", "declined", "requested"]
    desk.reload()
    expect(desk.page.get_by_role("row").filter(has_text="Twice house")).to_have_count(1)


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_request_is_readable_on_a_telephone(agency: Agency, desks: Desks, week: str, locale: str) -> None:
    house = agency.property(f"Phone house {locale}", "America/Los_Angeles")
    agency.visit(house, week, "09:00", "America/Los_Angeles", status="requested", visitor={"name": f"Ida {locale}"})
    desk = desks.open("#/requests", width=PHONE, height=844, locale=locale)
    row = desk.page.get_by_role("row").filter(has_text=f"Ida {locale}")
    box_of(row)
    assert overprinted(row) == []
    desk.picture(f"requests-phone-{locale}")
    desk.page.goto(f"{agency.url}/#/agenda/list/{week}")
    row = desk.page.get_by_role("row").filter(has_text=f"Phone house {locale}")
    box_of(row)
    assert overprinted(row) == []
    desk.picture(f"list-phone-{locale}")


def overprinted(row: Locator) -> list[list[str]]:
    """Texts of a row that lie upon each other, or leave the window."""
    found: list[list[str]] = row.evaluate(OVERPRINTED)
    return found
