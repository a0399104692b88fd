"""Availability: which rules there can be, the time they leave open, and which starts they offer."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from chalicelib.api.availability import HoursOutput, RulesInput
from chalicelib.domain.availability import Closed, Dates, Hours, Opening, Rules
from chalicelib.domain.errors import InvalidInput
from chalicelib.http.parsing import validated
from tests.builders import utc

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks change by half an hour
NINE_TO_FIVE = Opening(9 * 60, 17 * 60)
EVERY_DAY = Hours(((NINE_TO_FIVE,),) * 7)


def errors(body: object) -> dict[str, str]:
    """What is wrong, by where."""
    with pytest.raises(InvalidInput) as refused:
        validated(RulesInput, body).to_rules()
    return {error.pointer: error.detail for error in refused.value.errors}


def monday(*openings: object) -> object:
    return {"weekly": {"mon": list(openings)}}


def local(starts: list[datetime], zone: ZoneInfo) -> list[str]:
    return [f"{start.astimezone(zone):%d %H:%M%z}" for start in starts]


def test_what_was_set_is_shown_as_it_was() -> None:
    body = {
        "weekly": {"mon": [["09:00", "12:00"], ["13:00", "24:00"]], "sun": []},
        "dates": [{"from": "2027-12-24", "to": "2027-12-26", "open": []}, {"from": "2028-02-29", "open": []}],
    }
    shown = HoursOutput.of(validated(RulesInput, body).to_hours()).model_dump(by_alias=True)
    assert shown["weekly"]["mon"] == [["09:00", "12:00"], ["13:00", "24:00"]]
    assert shown["weekly"]["tue"] == []
    assert [(entry["from"], entry["to"]) for entry in shown["dates"]] == [
        ("2027-12-24", "2027-12-26"),
        ("2028-02-29", "2028-02-29"),
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (monday(["24:00", "24:00"]), "#/weekly/mon/0", "end later than it begins"),
        (monday(["09:00", "23:59:59"]), "#/weekly/mon/0", "HH:MM"),
        (monday(["09:00", "24:01"]), "#/weekly/mon/0", "HH:MM"),
        (monday(["9:00", "10:00"]), "#/weekly/mon/0", "HH:MM"),
        (monday(["09:00", "12:00"], ["17:00", "13:00"]), "#/weekly/mon/1", "end later than it begins"),
        (monday(["22:00", "02:00"]), "#/weekly/mon/0", "past midnight is two"),
        (monday(["09:00", "09:00"]), "#/weekly/mon/0", "end later than it begins"),
        (monday(["09:00"]), "#/weekly/mon/0", "pair of local times"),
        (monday("09:00-12:00"), "#/weekly/mon/0", "pair of local times"),
        (monday([9, 12]), "#/weekly/mon/0", "HH:MM"),
        (monday(["٠٩:٠٠", "12:00"]), "#/weekly/mon/0", "HH:MM"),
        (monday(*[["09:00", "10:00"]] * 10_000), "#/weekly/mon", "at most 24 items"),
        ({"weekly": {"monday": []}}, "#/weekly/monday", "'monday' is not a known field"),
        ({"weekly": []}, "#/weekly", "JSON object"),
        ({"dates": [{"from": "2027-02-29", "open": []}]}, "#/dates/0/from", "a date that exists"),
        ({"dates": [{"from": "20270228", "open": []}]}, "#/dates/0/from", "a date that exists"),
        ({"dates": [{"from": "2027-03-02", "to": "2027-03-01", "open": []}]}, "#/dates/0/to", "earlier than 'from'"),
        ({"dates": [{"from": "2027-03-02"}]}, "#/dates/0/open", "'open' is required"),
        ({"dates": [{"from": "2027-01-01", "open": []}] * 10_000}, "#/dates", "at most 366 items"),
        (
            {"dates": [{"from": "2027-03-05", "open": []}, {"from": "2027-03-01", "to": "2027-03-05", "open": []}]},
            "#/dates/0",
            "has a date of entry 1 too",
        ),
        ({"stepMinutes": 20}, "#/stepMinutes", "multiple of 15"),
        ({"stepMinutes": 0}, "#/stepMinutes", "greater than or equal to 15"),
        ({"stepMinutes": "15"}, "#/stepMinutes", "valid integer"),
        ({"noticeMinutes": -1}, "#/noticeMinutes", "greater than or equal to 0"),
        ({"horizonDays": 10**9}, "#/horizonDays", "less than or equal to 1830"),
        ({"gapMinutes": 91}, "#/gapMinutes", "less than or equal to 90"),
        ({"gap": 15}, "#/gap", "'gap' is not a known field"),
    ],
)
def test_rules_that_cannot_be_are_refused_at_their_place(body: object, pointer: str, words: str) -> None:
    found = errors(body)
    assert list(found) == [pointer]
    assert words in found[pointer]


def test_touching_and_overlapping_openings_of_a_date_are_one() -> None:
    hours = Hours(((Opening(540, 600), Opening(600, 660), Opening(630, 720), Opening(780, 840)),) * 7)
    day = date(2027, 3, 15)
    assert hours.days(BERLIN, day, day) == [
        (utc("2027-03-15T08:00:00Z"), utc("2027-03-15T11:00:00Z")),
        (utc("2027-03-15T12:00:00Z"), utc("2027-03-15T13:00:00Z")),
    ]


def test_dates_stand_in_for_the_weekly_hours() -> None:
    hours = Hours(
        EVERY_DAY.weekly,
        (
            Dates(date(2027, 3, 16), date(2027, 3, 17)),
            Dates(date(2027, 3, 18), date(2027, 3, 18), (Opening(0, 60), Opening(600, 660))),
        ),
    )
    open = hours.days(BERLIN, date(2027, 3, 15), date(2027, 3, 18))
    assert [f"{start:%d %H}" for start, _ in open] == ["15 08", "17 23", "18 09"]


def test_a_visit_may_cross_midnight_where_both_days_are_open_and_starts_step_from_each_days_opening() -> None:
    rules = Rules(Hours(((Opening(0, 60), Opening(22 * 60, 1440)),) * 7), step_minutes=45)
    found = rules.fitting(BERLIN, utc("2027-03-15T20:00:00Z"), utc("2027-03-16T02:00:00Z"), 60)
    assert local(found, BERLIN) == ["15 22:00+0100", "15 22:45+0100", "15 23:30+0100", "16 00:00+0100"]


def test_an_hour_that_is_skipped_is_not_offered_and_one_that_occurs_twice_is_open_as_long_as_it_lasts() -> None:
    rules = Rules(Hours(((Opening(60, 240),),) * 7), step_minutes=60)
    spring = rules.fitting(BERLIN, utc("2027-03-28T00:00:00Z"), utc("2027-03-28T12:00:00Z"), 60)
    autumn = rules.fitting(BERLIN, utc("2027-10-30T22:00:00Z"), utc("2027-10-31T12:00:00Z"), 60)
    assert local(spring, BERLIN) == ["28 01:00+0100", "28 03:00+0200"]
    assert local(autumn, BERLIN) == ["31 01:00+0200", "31 02:00+0200", "31 02:00+0100", "31 03:00+0100"]


def test_an_opening_inside_the_skipped_time_counts_by_the_offset_before() -> None:
    hours = Hours(((Opening(135, 165),),) * 7)
    day = date(2027, 3, 28)
    assert hours.days(BERLIN, day, day) == [(utc("2027-03-28T01:15:00Z"), utc("2027-03-28T01:45:00Z"))]
    empty = Hours(((Opening(150, 190),),) * 7)
    assert empty.days(BERLIN, day, day) == []


def test_the_last_hour_of_a_date_that_is_skipped_counts_on_the_next_one() -> None:
    # In Nuuk the clocks go from 23:00 on Saturday to midnight.
    nuuk = ZoneInfo("America/Nuuk")
    closed: tuple[Opening, ...] = ()
    rules = Rules(Hours((closed,) * 5 + ((Opening(23 * 60 + 15, 23 * 60 + 45),), closed)))
    found = rules.fitting(nuuk, utc("2027-03-27T12:00:00Z"), utc("2027-03-28T12:00:00Z"), 30)
    assert local(found, nuuk) == ["28 00:15-0100"]
    assert rules.against(found[0], 30, utc("2027-03-20T12:00:00Z"), nuuk) == []


def test_where_the_skipped_hour_falls_into_the_next_date_each_start_is_offered_once_and_in_order() -> None:
    # The skipped last hour of Saturday is the first hour of Sunday, which opens at 00:15 itself.
    nuuk = ZoneInfo("America/Nuuk")
    hours = Hours(((),) * 5 + ((Opening(22 * 60, 1439),), (Opening(15, 120),)))
    found = Rules(hours, step_minutes=30).fitting(nuuk, utc("2027-03-27T12:00:00Z"), utc("2027-03-28T12:00:00Z"), 15)
    assert local(found, nuuk) == [
        *("27 22:00-0200", "27 22:30-0200"),
        *("28 00:00-0100", "28 00:15-0100", "28 00:30-0100", "28 00:45-0100", "28 01:15-0100", "28 01:45-0100"),
    ]
    quarters = Rules(hours).fitting(nuuk, utc("2027-03-27T12:00:00Z"), utc("2027-03-28T12:00:00Z"), 15)
    assert len(quarters) == len(set(quarters)) == 12


def test_half_an_hour_more_is_offered_where_the_clocks_go_back_by_half_an_hour() -> None:
    rules = Rules(Hours(((Opening(90, 150),),) * 7), step_minutes=30)
    found = rules.fitting(LORD_HOWE, utc("2027-04-03T12:00:00Z"), utc("2027-04-03T20:00:00Z"), 30)
    assert local(found, LORD_HOWE) == ["04 01:30+1100", "04 01:30+1030", "04 02:00+1030"]


def test_every_reason_is_told_the_most_telling_first() -> None:
    rules = Rules(EVERY_DAY, step_minutes=30, notice_minutes=120, horizon_days=1)
    now = utc("2027-03-15T08:00:00Z")

    def against(start: str, minutes: int = 30) -> list[Closed]:
        return rules.against(utc(start), minutes, now, BERLIN)

    assert against("2027-03-15T10:00:00Z") == []
    assert against("2027-03-15T10:15:00Z") == [Closed.STEP]
    assert against("2027-03-15T09:30:00Z") == [Closed.NOTICE]
    assert against("2027-03-15T15:30:00Z") == []
    assert against("2027-03-15T15:30:00Z", 45) == [Closed.CLOSED]
    assert against("2027-03-16T15:30:00Z") == []
    assert against("2027-03-17T08:00:00Z") == [Closed.HORIZON]
    assert against("2027-03-15T07:10:00Z") == [Closed.CLOSED, Closed.NOTICE]
