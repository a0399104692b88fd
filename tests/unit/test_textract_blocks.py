"""The answers of the stand-in for Textract, read by the same parser as Amazon's own."""

from __future__ import annotations

from chalicelib.domain.sheets import Place
from chalicelib.reading import read_answer
from chalicelib.reading.grids import Grid, Merge
from devstack.textract.blocks import answer_of
from devstack.textract.pages import Cell, Corners, Line, Page, Table, Word


def at(left: float, top: float, width: float = 0.1, height: float = 0.05) -> Corners:
    right, bottom = left + width, top + height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def a_line(text: str, top: float = 0.0, left: float = 0.0, sure: float = 0.99) -> Line:
    return Line([Word(word, sure, at(left, top)) for word in text.split()], at(left, top))


def a_cell(row: int, column: int, text: str, columns: int = 1, sure: float = 0.99) -> Cell:
    left, top = 0.1 * column, 0.1 + 0.05 * row
    return Cell(row, column, columns, at(left, top, 0.1 * columns), [a_line(text, top, left, sure)] if text else [])


def a_table(*rows: list[str], title: tuple[Line, ...] = ()) -> Table:
    cells = [a_cell(number, column, text) for number, row in enumerate(rows) for column, text in enumerate(row)]
    return Table(cells, at(0, 0.1, 0.3, 0.3), title)


def grid(page: Page) -> Grid:
    (found,) = read_answer(answer_of(page, "picture")).grids
    return found


def texts(page: Page) -> list[list[str]]:
    return [[cell.text for cell in line.cells] for line in grid(page).lines]


def test_a_table_is_read_cell_by_cell() -> None:
    page = Page([a_table(["Property", "Date"], ["12 Elm St.", ""], ["h1-a", "12 March"])])
    assert texts(page) == [["Property", "Date"], ["12 Elm St.", ""], ["h1-a", "12 March"]]


def test_a_cell_has_its_place_and_is_as_sure_as_its_least_sure_word() -> None:
    table = Table([a_cell(0, 0, "one"), a_cell(0, 1, "two", sure=0.5)], at(0, 0.1))
    sure, unsure = grid(Page([table])).lines[0].cells
    assert (sure.confidence, unsure.confidence) == (0.99, 0.5)
    assert unsure.place == Place(1, 0.1, 0.1, 0.1, 0.05)


def test_what_lies_over_several_columns_is_one_cell() -> None:
    rows = [a_cell(0, column, name) for column, name in enumerate("abc")]
    table = Table([*rows, a_cell(1, 0, "all of it", columns=2), a_cell(1, 2, "rest")], at(0, 0.1))
    assert texts(Page([table])) == [["a", "b", "c"], ["all of it", "", "rest"]]
    assert grid(Page([table])).merges == (Merge(1, 0, 1, 2),)


def test_a_banner_over_the_header_is_no_row() -> None:
    header = [a_cell(1, column, name) for column, name in enumerate("abc")]
    assert texts(Page([Table([a_cell(0, 0, "Week 12", columns=3), *header], at(0, 0.1))])) == [["a", "b", "c"]]


def test_a_title_is_told_and_what_stands_in_cells_is_not_taken_for_one() -> None:
    title = (a_line("Visits of"), a_line("March"))
    assert grid(Page([a_table(["a", "b"], title=title)])).title == "Visits of March"
    outside = Page([a_table(["a", "b"])], [a_line("Somewhere above")])
    assert grid(outside).title == "Somewhere above"


def test_the_same_picture_is_answered_the_same() -> None:
    page = Page([a_table(["a", "b"])])
    assert answer_of(page, "one") == answer_of(page, "one")
    ids = [block["Id"] for block in answer_of(page, "one")["Blocks"]]
    assert len(ids) == len(set(ids))
