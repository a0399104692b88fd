"""Whatever is uploaded: rows, or a refusal with a reason. Never an exception of another kind, never a row lost."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.sheets import REQUIRED, CannotRead, Field, Order, Reading, Settings
from chalicelib.reading import read_answer, read_rows
from tests.sheets import AGENCY, BERLIN, TODAY, an_answer, read
from tools.project import ROOT

FILES = sorted((ROOT / "tests" / "files").glob("*.[cxn]*"))
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
BITS = st.sampled_from(
    [*"0123456789/.-:,;'\"@ +()hTZ½ºªßñé", "pm", "uhr", "12", "2027", "half", "media", "mar", "lunes", "id.", "=", "\n"]
)
TEXTS = st.one_of(st.text(max_size=30), st.lists(BITS, max_size=12).map("".join))
HEADINGS = st.sampled_from(
    [
        "Date",
        "Time",
        "Property",
        "propertyId",
        "Name",
        "Phone",
        "E-mail",
        "Notes",
        "Status",
        "Dauer",
        "Contact",
        "When",
        "x",
        "",
    ]
)


def attempt(content: bytes, how: Settings = BERLIN) -> Reading | None:
    """The reading, or None if it was refused."""
    try:
        reading = read(content, how)
    except CannotRead:
        return None
    check(reading, how)
    return reading


def check(reading: Reading, how: Settings) -> None:
    """What holds of every reading."""
    numbers = [row.number for row in reading.rows]
    assert len(set(numbers)) == len(numbers)
    for row in reading.rows:
        assert {*REQUIRED} <= row.cells.keys()
        assert not row.reviewed or row.clean
        json.dumps(row.visit(how.zone)).encode()
        for field, cell in row.cells.items():
            assert cell.value is None or cell.value
            assert cell.value is not None or not cell.text.strip("-–— ") or cell.issues or field in ABSENT
        if day := row.value(Field.DATE):
            date.fromisoformat(day)
        if clock := row.value(Field.TIME):
            time.fromisoformat(clock)
        assert (row.start(how.zone) is None) == (not day or not clock)


ABSENT = (Field.PHONE, Field.EMAIL, Field.NAME)
"""Where a word such as 'none' says that there is nothing."""


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes(content: bytes) -> None:
    attempt(content)


@QUICK
@given(st.sampled_from(FILES), st.data())
def test_damaged_files(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    attempt(bytes(content))


@QUICK
@given(st.sampled_from([path for path in FILES if path.suffix == ".xlsx"]), st.data())
def test_damaged_parts_of_workbooks(path: Path, data: st.DataObject) -> None:
    """Whole archives with broken XML in them: what a broken archive hides."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(content, "w") as bad:
        names = good.namelist()
        hit = data.draw(st.sampled_from(names))
        for name in names:
            part = bytearray(good.read(name))
            if name == hit:
                at = data.draw(st.integers(0, max(len(part) - 1, 0)))
                part[at : at + data.draw(st.integers(0, 40))] = data.draw(
                    st.sampled_from(
                        [b"", b"9" * 12, b'"', b"<", b"/>", b"-1", b"NaN", b"1e400", b"&x;", b'r="ZZZ99"', b"s="]
                    )
                )
            bad.writestr(name, bytes(part))
    attempt(content.getvalue())


@QUICK
@given(
    st.lists(HEADINGS, min_size=1, max_size=6),
    st.lists(st.lists(TEXTS, max_size=7), max_size=5),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(
        ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "mac-roman", "cp850", "iso8859-15", "ascii", "utf-7"]
    ),
    ZONES,
    st.sampled_from([None, *Order]),
)
def test_any_table_in_any_encoding(
    header: list[str], rows: list[list[str]], separator: str, encoding: str, zone: str, order: Order | None
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([header, *rows])
    attempt(text.getvalue().encode(encoding, "replace"), Settings(zone, order))


@QUICK
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8))
def test_no_row_of_a_table_is_lost(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["propertyId", "Date", "Name"])
    writer.writerows([("h1-a", "14.03.2027 10:00", "Ann"), *(("h1-a", day, name) for _, day, name in rows)])
    reading = attempt(text.getvalue().encode("utf-8", "replace"))
    assert reading is None or len(reading.rows) == len(rows) + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS, lambda inner: st.lists(inner, max_size=3)
)


@QUICK
@given(st.lists(st.dictionaries(st.sampled_from([*Field, "visitor", "x"]), JSON, max_size=5), max_size=4))
def test_any_json(objects: list[dict[str, object]]) -> None:
    attempt("\n".join(json.dumps(each) for each in objects).encode("utf-8", "replace"))


@QUICK
@given(
    st.lists(HEADINGS, min_size=2, max_size=6), st.lists(st.lists(TEXTS, min_size=6, max_size=6), max_size=5), st.data()
)
def test_any_answer(header: list[str], rows: list[list[str]], data: st.DataObject) -> None:
    answer = dict(an_answer([[*header, *[""] * (6 - len(header))], *rows]))
    blocks = answer["Blocks"]
    assert isinstance(blocks, list)
    for _ in range(data.draw(st.integers(0, 3))):
        block = data.draw(st.sampled_from(blocks))
        block[data.draw(st.sampled_from([*block]))] = data.draw(JSON)
    with suppress(CannotRead):
        check(read_rows(read_answer(answer), BERLIN, AGENCY, TODAY), BERLIN)


@QUICK
@given(st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2030-12-31")), ZONES)
def test_what_we_write_is_read_as_it_was_meant(local: datetime, zone: str) -> None:
    how = Settings(zone)
    local = local.replace(second=0, microsecond=0)
    for form in ("%Y-%m-%dT%H:%M", "%d.%m.%Y %H:%M", "%A, %d %B %Y %H:%M", "%d-%b-%Y %I:%M %p"):
        reading = attempt(f'propertyId,date\nh1-a,"{local:{form}}"\n'.encode(), how)
        assert reading is not None
        (row,) = reading.rows
        assert (row.value(Field.DATE), row.value(Field.TIME)) == (f"{local:%Y-%m-%d}", f"{local:%H:%M}")
