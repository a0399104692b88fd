"""Lists of visits: handed in as a file or a photo, looked at, corrected and registered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, expect

from tests.browser.desk import Agency, Desk, Desks, box_of, plus
from tools.project import ROOT

PHOTO = ROOT / "tests" / "files" / "sheets" / "en_sideways.jpg"
PATIENCE = 240_000
"""The first photo waits for what reads it to start."""


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks.open("#/sheets")


def hand_in(desk: Desk, file: Path) -> str:
    """The id of its sheet."""
    desk.page.get_by_label("Hand in a list of visits").set_input_files(file)
    desk.page.wait_for_url("**/#/sheets/*")
    return desk.page.url.rsplit("/", 1)[-1]


def test_a_file_is_handed_in_corrected_and_registered(agency: Agency, desk: Desk, week: str, tmp_path: Path) -> None:
    house = agency.property("Sheet house", capacity=2)
    lines = [
        "property;date;time;visitor",
        f"{house};{week};10:00;Hanna Specimen",
        f"{house};{plus(week, 1)};;Igor Sample",
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    page = desk.page
    page.get_by_label("Hand in a list of visits").set_input_files(file)
    time = page.get_by_label("Row 3, Time")
    time.fill("11:15")
    time.press("Enter")
    page.get_by_role("button", name="Register 2 of 2").press("Enter")
    expect(page.locator(".state.done")).to_have_count(2)
    expect(page.get_by_role("button", name="Register")).to_have_count(0)
    way = page.get_by_role("link", name="Registered").last
    expect(way).to_have_attribute("href", re.compile(rf"^#/agenda/week/{plus(week, 1)}\?"))
    booked = agency.send("GET", f"/visits?propertyId={house}&from={week}T00:00:00Z&to={plus(week, 7)}T00:00:00Z")
    assert [visit["visitor"]["name"] for visit in booked["items"]] == ["Hanna Specimen", "Igor Sample"]
    desk.picture("sheet")


def test_a_kind_that_is_not_read_is_refused_at_once(desk: Desk, tmp_path: Path) -> None:
    page = desk.page
    (tmp_path / "song.mp3").write_bytes(b"la la la")
    page.get_by_label("Hand in a list of visits").set_input_files(tmp_path / "song.mp3")
    expect(page.get_by_role("alert")).to_contain_text("Only JPEG, PNG, PDF, CSV, NDJSON and XLSX")
    (tmp_path / "nothing.csv").write_bytes(b"")
    page.get_by_label("Hand in a list of visits").set_input_files(tmp_path / "nothing.csv")
    expect(page.get_by_role("alert")).to_contain_text("The file is empty.")


def test_what_cannot_be_read_stays_to_be_corrected_and_what_was_refused_is_not_announced(
    agency: Agency, desk: Desk, week: str, tmp_path: Path
) -> None:
    house = agency.property("Sheet lodge")
    agency.visit(house, week, "10:00")
    file = tmp_path / "lodge.csv"
    file.write_text(f"property,date,time,visitor\n{house},{week},10:00,Hanna\n", encoding="utf-8")
    page, desk.refused = desk.page, True
    hand_in(desk, file)
    day = page.get_by_label("Row 2, Date")
    day.fill("31.2.2027")
    day.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Date: There is no such day or time.")
    expect(day).to_have_value("31.2.2027")
    expect(day).to_have_attribute("aria-invalid", "true")
    day.fill(week)
    day.press("Enter")
    expect(day).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Register 1 of 1").click()
    expect(page.locator(".sheet-foot")).to_contain_text("1 row was not possible.")
    expect(page.locator(".sheet-foot")).not_to_contain_text("will be registered")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_photo_is_read_beside_what_is_written_on_it_corrected_and_registered(agency: Agency, desk: Desk) -> None:
    """The photo was taken from the side, and shows seven visits. The first one's property is known."""
    house = agency.property("45 Oak Street, Apt 3B, Austin")
    page = desk.page
    id = hand_in(desk, PHOTO)
    expect(page.get_by_text("Being read.")).to_be_visible()
    desk.picture("photo-reading")
    whole = page.get_by_role("img", name="The picture of en_sideways.jpg")
    expect(whole).to_be_visible(timeout=PATIENCE)
    name = page.get_by_label("Row 7, Visitor")
    name.focus()
    cut_out = page.get_by_role("img", name="Row 7, Visitor as written")
    for upright in (cut_out, whole):
        box = box_of(upright)
        assert box["width"] > box["height"], "the picture is turned until its rows lie one under the other"
    assert within(box_of(whole.locator(".mark")), box_of(whole))
    desk.picture("photo")
    assert desk.faint() == []
    phone = page.get_by_label("Row 2, Phone", exact=True)
    phone.fill("+1 512 555 0147")
    # The click leaves the field too: both are sent at once.
    page.get_by_role("row").filter(has=phone).get_by_role("button", name="It is right").click()
    page.get_by_role("button", name="Register 1 of 7").press("Enter")
    expect(page.locator(".state.done")).to_have_count(1)
    visit = agency.read(agency.send("GET", f"/sheets/{id}/rows")["items"][0]["visitId"])
    assert (visit["propertyId"], visit["visitor"]["phone"]) == (house, "+15125550147")
    assert desk.barriers() == []


def within(inner: FloatRect, outer: FloatRect) -> bool:
    right, bottom = outer["x"] + outer["width"], outer["y"] + outer["height"]
    return (
        outer["x"] <= inner["x"] < inner["x"] + inner["width"] <= right
        and outer["y"] <= inner["y"] < inner["y"] + inner["height"] <= bottom
    )


def test_one_says_how_dates_are_written_and_which_column_is_what(agency: Agency, desk: Desk, tmp_path: Path) -> None:
    house = agency.property("Reading house")
    file = tmp_path / "list.csv"
    file.write_text(f"property,date,time,who,remarks\n{house},03/04/2027,10:00,Anna,Bell is broken\n", encoding="utf-8")
    page = desk.page
    hand_in(desk, file)
    expect(page.get_by_label("Row 2, Date")).to_have_value("2027-04-03")
    page.get_by_text("How it was read").click()
    page.get_by_label("First in its dates").select_option("The month")
    page.get_by_label("remarks", exact=True).select_option("Visitor")
    page.get_by_role("button", name="Read again").click()
    desk.says("Read again.")
    expect(page.get_by_label("Row 2, Date")).to_have_value("2027-03-04")
    expect(page.get_by_label("Row 2, Visitor")).to_have_value("Bell is broken")
    page.get_by_text("How it was read").press("Enter")
    expect(page.get_by_label("First in its dates")).to_have_value("month-day")
    desk.picture("sheet-reading")
    assert desk.barriers() == []
