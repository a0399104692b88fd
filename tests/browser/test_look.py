"""How the console looks: no barrier on any page in either theme, pictures of them, and how much has to be loaded."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.desk import Agency, Desk, Desks, box_of, plus
from tools.project import ROOT

BUILT = ROOT / "build" / "console"
MOST_SCRIPT = 60 * 1024


def in_a_week(agency: Agency, week: str) -> str:
    """A week with a visit in every state, some of them at once. Gives the id of a request."""
    ben, cleo = agency.agent("Ben Sample"), agency.agent("Cleo Model")
    lake, mill = agency.property("Lake house", capacity=3), agency.property("Mill loft", capacity=3)
    agency.hours(lake, "09:00", "18:00")
    person = {"visitor": {"name": "Ada Example", "phone": "+49 30 5550112", "email": "ada@example.org"}}
    dora, garden = agency.agent("Dora Draft"), agency.property("Garden house", capacity=3)
    for day, time, agent in (
        (0, "14:00", dora),
        (1, "10:00", ben),
        (2, "09:15", dora),
        (4, "11:15", cleo),
        (5, "10:30", ben),
    ):
        agency.visit(garden, plus(week, day), time, agentId=agent, durationMinutes=45, visitor={"name": "Carl Entwurf"})
    agency.visit(garden, plus(week, 5), "12:00", status="requested", durationMinutes=60)
    agency.visit(mill, plus(week, 4), "16:00", agentId=dora, durationMinutes=60, visitor={"name": "Edda Example"})
    agency.visit(lake, week, "09:30", agentId=ben, **person)
    agency.visit(mill, week, "11:00", agentId=cleo, durationMinutes=45)
    cancelled = agency.visit(mill, plus(week, 1), "13:30", agentId=cleo, durationMinutes=45)
    agency.send("PUT", f"/visits/{cancelled}/status", {"status": "cancelled", "reason": "Is ill"}, **{"If-Match": "*"})
    agency.visit(lake, plus(week, 2), "12:00", agentId=ben, durationMinutes=60)
    agency.visit(mill, plus(week, 2), "12:15", agentId=cleo, durationMinutes=60)
    request = agency.visit(
        lake, plus(week, 3), "15:00", status="requested", durationMinutes=60, notes="Two children", **person
    )
    agency.visit(mill, plus(week, 3), "16:30", durationMinutes=30)
    return request


def opened(desk: Desk, agency: Agency, path: str) -> None:
    desk.page.goto(f"{agency.url}/{path}")
    desk.ready()


def book_in(desk: Desk, letters: str) -> None:
    desk.page.keyboard.press("n")
    desk.choose_property(letters)


def handed_in(desks: Desks, file: Path, week: str) -> str:
    """The name of a sheet that somebody has to look at."""
    lines = ["property;date;time;visitor", f"Lake house;{week};10:00;Hanna Specimen", f"Lake hous;{week};;Igor Sample"]
    file.write_text("\n".join(lines), encoding="utf-8")
    page = desks.open("#/sheets").page
    page.get_by_label("Hand in a list of visits").set_input_files(file)
    expect(page.get_by_label("Row 3, Time")).to_be_visible()
    return file.name


def test_no_page_has_a_barrier(agency: Agency, desks: Desks, week: str, tmp_path: Path) -> None:
    request = in_a_week(agency, week)
    agency.send("POST", "/webhooks", {"url": "https://hook.example.com/visits"})
    listed = handed_in(desks, tmp_path / "visits.csv", week)
    desk = desks.open(f"#/agenda/week/{plus(week, 3)}?visit={request}")
    page = desk.page
    expect(page.locator(".panel")).to_be_visible()
    pages: dict[str, tuple[Callable[[], object], Locator]] = {
        "agenda": (lambda: None, page.locator(".hours .visit").first),
        "cancelling": (page.get_by_role("button", name="Decline…").click, page.get_by_label("Reason")),
        "rescheduling": (page.get_by_role("button", name="Reschedule").click, page.locator(".panel .slot").first),
        "booking": (lambda: book_in(desk, "lake"), page.locator("dialog .slot").first),
        "day": (lambda: opened(desk, agency, f"#/agenda/day/{plus(week, 2)}"), page.locator(".days .named").first),
        "list": (lambda: opened(desk, agency, f"#/agenda/list/{plus(week, 2)}"), page.locator(".list-end")),
        "nothing": (lambda: opened(desk, agency, f"#/agenda/list/{plus(week, 6)}"), page.locator(".veiled h2")),
        "mine": (lambda: opened(desk, agency, f"#/mine/{plus(week, 4)}"), page.locator(".road #whose")),
        "requests": (lambda: opened(desk, agency, "#/requests"), page.get_by_role("button", name="Confirm").first),
        "properties": (lambda: opened(desk, agency, "#/properties"), page.get_by_role("link", name="Lake house").first),
        "property": (page.get_by_role("link", name="Lake house").first.click, page.get_by_label("Has opening hours")),
        "agents": (lambda: opened(desk, agency, "#/agents"), page.get_by_role("link", name="Ben Sample").first),
        "agent": (page.get_by_role("link", name="Ben Sample").first.click, page.get_by_label("Name", exact=True)),
        "visitors": (lambda: opened(desk, agency, "#/visitors"), page.get_by_role("button", name="Find visits")),
        "sheets": (lambda: opened(desk, agency, "#/sheets"), page.get_by_role("link", name=listed).first),
        "sheet": (page.get_by_role("link", name=listed).first.click, page.get_by_label("Row 3, Time")),
        "sheet-reading": (page.get_by_text("How it was read").click, page.get_by_label("First in its dates")),
        "webhooks": (lambda: opened(desk, agency, "#/webhooks"), page.get_by_text("hook.example.com").first),
        "keys": (lambda: page.keyboard.press("?"), page.locator("dialog .keys")),
    }
    found = {}
    for name, (go, seen) in pages.items():
        go()
        expect(seen).to_be_visible()
        found[name] = desk.barriers() + desk.faint()
        desk.picture(name)
        if name == "booking":
            desk.page.keyboard.press("Escape")
            expect(desk.dialog()).to_have_count(0)
    assert {name: barriers for name, barriers in found.items() if barriers} == {}


def test_nothing_scrolls_sideways_at_any_width(agency: Agency, desks: Desks, week: str) -> None:
    request = in_a_week(agency, week)
    for width, height in ((360, 740), (1024, 768), (1600, 1000)):
        desk = desks.open(f"#/agenda/week/{plus(week, 3)}", width=width, height=height)
        desk.page.locator(f'[data-visit="{request}"]').click()
        panel = box_of(desk.page.locator(".panel"))
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= width
        desk.picture(f"panel-{width}")
        for name, path in (
            ("agenda", f"#/agenda/week/{plus(week, 3)}"),
            ("property", "#/properties"),
            ("sheets", "#/sheets"),
        ):
            opened(desk, agency, path)
            assert desk.page.evaluate("document.documentElement.scrollWidth") <= width, name
            desk.picture(f"{name}-{width}")
        assert desk.barriers() + desk.faint() == []


def test_a_day_is_printed_as_a_list_that_is_always_light(agency: Agency, desks: Desks, week: str) -> None:
    in_a_week(agency, week)
    desk = desks.open(f"#/agenda/list/{plus(week, 2)}", theme="dark", width=760, height=1000)
    desk.page.emulate_media(media="print")
    expect(desk.page.locator(".paper-only h1")).to_be_visible()
    expect(desk.page.locator(".bar")).to_be_hidden()
    expect(desk.page.get_by_role("row").filter(has_text="Mill loft")).to_be_visible()
    desk.picture("paper")


def reached_from(page: str) -> set[str]:
    """The scripts that a page may load, at once or later."""
    text = (BUILT / page).read_text(encoding="utf-8")
    found: set[str] = set()
    while more := set(re.findall(r"[\w]+-[A-Z0-9]{8}\.js", text)) - found:
        found |= more
        text = "".join((BUILT / "assets" / name).read_text(encoding="utf-8") for name in more)
    return found


def test_all_of_the_console_is_small() -> None:
    sizes = {name: len(gzip.compress((BUILT / "assets" / name).read_bytes())) for name in reached_from("index.html")}
    languages = [size for name, size in sizes.items() if re.match("(en|es|de|fr)-", name)]
    assert len(languages) == 4
    assert sum(sizes.values()) - sum(languages) + max(languages) <= MOST_SCRIPT, sizes


def test_the_console_asks_nobody_but_its_own_origin_and_the_sign_in(agency: Agency, desk: Desk) -> None:
    desk.page.keyboard.press("n")
    opened(desk, agency, "#/properties")
    token = f"POST {agency.sign_in}/oauth2/token"
    assert [call for call in desk.calls if call != token and not call.split()[1].startswith(f"{agency.url}/")] == []


def test_long_words_stay_where_they_are_written(agency: Agency, desks: Desks, week: str) -> None:
    house = agency.property("H" * 120)
    visitor = {"name": "W" * 200, "email": f"{'w' * 60}@{'w' * 60}.example.org"}
    visit = agency.visit(house, plus(week, 1), "10:00", status="requested", visitor=visitor, notes="n" * 300)
    desk = desks.open()
    for width in (1280, 390):
        desk.page.set_viewport_size({"width": width, "height": 800})
        opened(desk, agency, f"#/agenda/week/{week}?visit={visit}")
        expect(desk.page.locator(".panel")).to_contain_text("W" * 200)
        within(desk, ".panel .scroll")
        for path in ("#/requests", f"#/properties/{house}"):
            opened(desk, agency, path)
            expect(desk.page.locator("main")).to_contain_text("H" * 120)
            within(desk, "main")


def within(desk: Desk, what: str) -> None:
    """Nothing of it has to be looked for sideways."""
    assert desk.page.locator(what).evaluate("it => it.scrollWidth <= it.clientWidth"), what
