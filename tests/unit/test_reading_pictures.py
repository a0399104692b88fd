"""Photographed sheets: grids from Textract's answers, and rows of which none is taken on trust.

The nine real answers are not part of this project. Where they lie beside it, in `../shared/textract` or the folder that
VISITS_TEXTRACT_ANSWERS names, each must give the grid that is written down in `tests/files/textract_grids.json`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.sheets import CannotRead, Failure, Field, IssueKind, RemarkKind, Settings
from chalicelib.reading import read_answer
from chalicelib.reading.grids import Merge
from tests.builders import utc
from tests.sheets import BERLIN, an_answer, kinds, marks, photographed
from tools.project import ROOT

ANSWERS = Path(os.environ.get("VISITS_TEXTRACT_ANSWERS") or ROOT.parent / "shared" / "textract")
GRIDS = json.loads((ROOT / "tests" / "files" / "textract_grids.json").read_text(encoding="utf-8"))
HEADER = ["Date", "Time", "Property", "Name", "Phone", "E-mail"]
ANN = ["14.03.2027", "10:00", "h1-a", "Ann Example", "030 901820", "ann@example.com"]
BEN = ["15.03.2027", "11:00", "h1-b", "Ben Example", "030 901821", "ben@example.com"]
CEM = ["16.03.2027", "12:00", "h1-a", "Cem Example", "030 901822", "cem@example.com"]
K = IssueKind


@pytest.mark.parametrize("name", GRIDS)
def test_real_answers_give_their_grids(name: str) -> None:
    path = ANSWERS / name
    if not path.exists():
        pytest.skip(f"{name} is not there: VISITS_TEXTRACT_ANSWERS names the folder of Textract's answers")
    source = read_answer(json.loads(path.read_text(encoding="utf-8")))
    found = [[[cell.text for cell in line.cells] for line in grid.lines] for grid in source.grids]
    assert found == [table["grid"] for table in GRIDS[name]]
    for grid, table in zip(source.grids, GRIDS[name], strict=True):
        assert not table["title"] or grid.title == table["title"]
        cells = [cell for line in grid.lines for cell in line.cells if cell.text]
        assert all(cell.place and cell.confidence and 0 < cell.confidence <= 1 for cell in cells)


def test_every_cell_knows_how_sure_it_is_and_where_it_stands() -> None:
    reading = photographed(an_answer([HEADER, ANN, BEN], sure={"030": 96.0}))
    cell = reading.rows[0].cell(Field.PHONE)
    assert (cell.text, cell.value, cell.confidence) == ("030 901820", "+4930901820", 0.96)
    assert cell.place is not None
    assert (cell.place.page, cell.place.left, cell.place.top) == (1, 0.4, 0.15)


def test_what_the_recognition_is_not_sure_of_is_marked() -> None:
    answer = an_answer([HEADER, ANN, BEN], sure={"Ann": 96.9, "Ben": 97.0})
    ann, ben = photographed(answer).rows
    assert kinds(ann.cell(Field.NAME)) == [K.UNSURE]
    assert kinds(ben.cell(Field.NAME)) == []


def test_no_row_of_a_photo_counts_as_reviewed() -> None:
    reading = photographed(an_answer([HEADER, ANN, BEN, CEM]))
    assert [row.start(BERLIN.zone) for row in reading.rows][:2] == [utc("2027-03-14T09:00Z"), utc("2027-03-15T10:00Z")]
    assert [(row.clean, row.complete, row.reviewed) for row in reading.rows] == [(True, True, False)] * 3


def test_a_day_is_written_once_in_front_of_its_visits() -> None:
    _, ben = photographed(an_answer([HEADER, ANN, ["", *BEN[1:]]])).rows
    assert ben.value(Field.DATE) == "2027-03-14"
    assert marks(ben) == {(Field.DATE, K.DITTO)}


@pytest.mark.parametrize(
    ("field", "text", "kind"),
    [
        (Field.PHONE, "0171 12", K.NOT_ASSIGNED),
        (Field.PHONE, "O3O 9O1821", K.CORRECTED),
        (Field.NAME, "lan Example", K.UNSURE),
        (Field.NAME, "BenExample", K.UNSURE),
        (Field.NAME, "Ben Examp1e", K.UNSURE),
        (Field.NAME, "", K.MISSING),
        (Field.EMAIL, "ben@exanple.com", K.LIKE_ANOTHER),
        (Field.EMAIL, "ben@gmai1.com", K.LIKE_ANOTHER),
        (Field.EMAIL, "", K.MISSING),
        (Field.DATE, "15.03.2021", K.FAR_AWAY),
        (Field.DATE, "15.08.2027", K.UNSURE),
        (Field.TIME, "01:00", K.UNSURE),
        (Field.DATE, "l5/03/2027", K.CORRECTED),
        (Field.TIME, "1l:00", K.CORRECTED),
        (Field.TIME, "M:00", K.UNREADABLE),
    ],
)
def test_what_is_unlike_the_rest_is_marked_however_sure_the_recognition_is(
    field: Field, text: str, kind: IssueKind
) -> None:
    place = [Field.DATE, Field.TIME, Field.PROPERTY, Field.NAME, Field.PHONE, Field.EMAIL].index(field)
    odd = [*BEN[:place], text, *BEN[place + 1 :]]
    ann, ben, cem = photographed(an_answer([HEADER, ANN, odd, CEM], confidence=99.9)).rows
    assert kind in kinds(ben.cell(field))
    assert [*kinds(ann.cell(field)), *kinds(cem.cell(field))] == []


@pytest.mark.parametrize(
    "name", ["María de la Peña", "Ludwig van der Meer", "Ian McDonald", "Zoe O'Brien", "J. P. Miller"]
)
def test_names_as_people_have_them_are_no_odd_names(name: str) -> None:
    rows = photographed(an_answer([HEADER, ANN, [*BEN[:3], name, *BEN[4:]], CEM])).rows
    assert rows[1].clean


def test_an_address_in_capitals_is_the_same_address() -> None:
    rows = photographed(an_answer([HEADER, ANN, [*BEN[:5], "Ben@Example.com"], CEM])).rows
    assert rows[1].value(Field.EMAIL) == "ben@example.com"


def test_the_words_of_merged_cells_are_between_their_parts() -> None:
    answer: dict[str, Any] = dict(an_answer([["Visits", "this", "week", "", "", ""], HEADER, ANN]))
    cells = [block for block in answer["Blocks"] if block["BlockType"] == "CELL" and block["RowIndex"] == 1]
    place = {"Geometry": {"BoundingBox": {"Left": 0, "Top": 0.1, "Width": 0.6, "Height": 0.05}}}
    children = [{"Type": "CHILD", "Ids": [cell["Id"] for cell in cells]}]
    span = {"RowIndex": 1, "ColumnIndex": 1, "RowSpan": 1, "ColumnSpan": 6}
    merged = {"Id": "m", "BlockType": "MERGED_CELL", "Relationships": children, **span, **place}
    table = next(block for block in answer["Blocks"] if block["BlockType"] == "TABLE")
    table["Relationships"].append({"Type": "MERGED_CELL", "Ids": ["m"]})
    answer["Blocks"].append(merged)

    (grid,) = read_answer(answer).grids
    assert [cell.text for cell in grid.lines[0].cells] == ["Visits this week", "", "", "", "", ""]
    assert grid.merges == (Merge(0, 0, 1, 6),)
    reading = photographed(answer)
    assert [remark.text for remark in reading.remarks if remark.kind is RemarkKind.TITLE] == ["Visits this week"]

    for cell in cells:
        cell["EntityTypes"] = ["TABLE_TITLE"]
    assert [cell.text for cell in read_answer(answer).grids[0].lines[0].cells] == HEADER, "a title is no row"


def test_what_the_page_says_above_the_table_is_its_title() -> None:
    header, row = HEADER[1:], ANN[1:]
    reading = photographed(an_answer([header, row], above="Viewings on 14 March 2027"))
    assert [remark.text for remark in reading.remarks] == ["Viewings on 14 March 2027"]
    assert reading.rows[0].start(BERLIN.zone) == utc("2027-03-14T09:00Z")
    assert marks(reading.rows[0]) == {(Field.DATE, K.FROM_TITLE)}


def test_all_tables_of_a_page_are_read_also_where_the_header_is_not_repeated() -> None:
    reading = photographed(an_answer([HEADER, ANN], [BEN, CEM]))
    assert [row.value(Field.NAME) for row in reading.rows] == ["Ann Example", "Ben Example", "Cem Example"]
    assert [row.number for row in reading.rows] == [2, 3, 4]


def test_a_table_of_something_else_is_told_and_not_read() -> None:
    reading = photographed(an_answer([["Key", "Board"], ["A", "7"]], [HEADER, ANN]))
    assert [remark.kind for remark in reading.remarks] == [RemarkKind.TABLE_NOT_READ]
    assert len(reading.rows) == 1


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"Blocks": []}, Failure.NOT_A_TABLE),
        (an_answer(), Failure.NOT_A_TABLE),
        (an_answer([["Key", "Board"], ["A", "7"]]), Failure.NOT_A_TABLE),
        (an_answer([HEADER]), Failure.NOT_A_TABLE),
        ({}, Failure.UNREADABLE),
        ({"Blocks": "no"}, Failure.UNREADABLE),
        ({"Blocks": [{"BlockType": "TABLE"}]}, Failure.UNREADABLE),
        ({"Blocks": [{"BlockType": "TABLE", "Id": "t", "Relationships": [{"Type": "CHILD"}]}]}, Failure.UNREADABLE),
    ],
)
def test_a_picture_without_a_table_of_visits_is_refused(answer: dict[str, object], failure: Failure) -> None:
    with pytest.raises(CannotRead) as refused:
        photographed(answer)
    assert refused.value.failure is failure


def test_a_spanish_sheet_as_it_is_filled_in() -> None:
    grid = [
        ["Día", "Hora", "Inmueble", "Nombre", "Móvil", "E-mail", "Observaciones"],
        ["12 mar", "9:30 h", "C/ Alcala 45, 3o B", "María Muñoz", "612 345 678", "maria@correo.es", "Pide 2ª visita"],
        ["”", "5 y media", "Bajo Alcalá", "José Ibáñez", "655 12O 984", "jose@correo.es", ""],
    ]
    maria, jose = photographed(an_answer(grid), Settings("Europe/Madrid")).rows
    assert maria.visit(Settings("Europe/Madrid").zone) == {
        "propertyId": "es-1",
        "date": "2027-03-12T08:30:00Z",
        "visitor": {"name": "María Muñoz", "email": "maria@correo.es", "phone": "+34612345678"},
        "notes": "Pide 2ª visita",
    }
    assert marks(maria) == {(Field.DATE, K.YEAR_ASSUMED), (Field.PROPERTY, K.LIKELY_PROPERTY)}
    assert marks(jose) == {
        (Field.DATE, K.DITTO),
        (Field.DATE, K.YEAR_ASSUMED),
        (Field.TIME, K.AMBIGUOUS),
        (Field.PHONE, K.CORRECTED),
    }
