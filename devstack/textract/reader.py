"""A picture becomes a page: upright, its tables found by their rules or by how their texts stand, its texts read.

It knows nothing of visits, but that a row of a table without rules begins with something like a date or a time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy import typing as npt

from devstack.textract.pages import Cell, Corners, Line, Page, Table, Word
from devstack.textract.rules import Box, Hole, Picture, Ruled, ruled_tables, straightened
from devstack.textract.texts import Texts

LEAST_SIDE: Final = 60
MOST_SIDE: Final = 4000
"""Pixels: what is larger is made smaller, what is smaller has no table."""
LOOKED_AT: Final = 1280
"""As large as a picture is looked at to find out which way is up."""
UPRIGHT: Final = 0.02
"""By how much a picture must read better upside down to be turned."""
LEAST_TEXTS: Final = 12
LEAST_COLUMNS: Final = 3
BEGINS_A_ROW: Final = re.compile(
    r"^\W*(\d{1,4}[-/.:h ]\d{1,2}|\d{1,2} ?(de )?[a-z]{3}|[a-z]{3,9}\.? \d{1,2})", re.IGNORECASE
)

Matrix = npt.NDArray[np.float64]


class Run(NamedTuple):
    """A piece of text in one line."""

    text: str
    confidence: float
    box: Box

    @property
    def height(self) -> float:
        """At which it stands."""
        return self.box.y + self.box.height / 2


class Spot(NamedTuple):
    """A cell with what stands in it."""

    column: int
    columns: int
    box: Box
    runs: Sequence[Run]


class Reader:
    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def read(self, picture: Picture) -> Page:
        if min(picture.shape[:2]) < LEAST_SIDE:
            return Page()
        smaller = MOST_SIDE / max(picture.shape[:2])
        if smaller < 1:
            picture = cv2.resize(picture, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
        quarters = self._quarters(picture)
        upright: Picture = np.ascontiguousarray(np.rot90(picture, -quarters))
        onto = _Onto(_turned_back(picture, quarters), picture.shape[1], picture.shape[0])
        ruled = ruled_tables(upright)
        if ruled:
            return Page([self._ruled(upright, table, onto) for table in ruled])
        return self._without_rules(upright, onto)

    def _quarters(self, picture: Picture) -> int:
        """By how many quarter turns clockwise it becomes upright: long texts lie, and upright ones read well."""
        scale = min(1.0, LOOKED_AT / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        boxes = [_around(quad / scale) for quad in self._texts.quads(small)]
        long = [box for box in boxes if max(box.width, box.height) > 2.2 * min(box.width, box.height)]
        standing = sum(box.height > box.width for box in long) > len(long) / 2
        looked_at = [_cut(picture, box) for box in sorted(boxes, key=lambda box: -max(box.width, box.height))[:14]]
        best, turn = -1.0, 0
        for quarters in (1, 3) if standing else (0, 2):
            read = self._texts.read([np.ascontiguousarray(np.rot90(each, -quarters)) for each in looked_at])
            weights = {index: min(len(text), 12) for index, (text, _) in read.items()}
            score = sum(sure * weights[index] for index, (_, sure) in read.items()) / max(1, sum(weights.values()))
            if score > best + UPRIGHT:
                best, turn = score, quarters
        return turn

    def _ruled(self, upright: Picture, table: Ruled, onto: _Onto) -> Table:
        """With a strip above it: for a title, or a header whose rules cannot be seen."""
        strip = int(np.median([hole.box.height for hole in table.holes]) * 1.7)
        straight, matrix = straightened(upright, table, strip)
        holes = [hole._replace(box=hole.box._replace(y=hole.box.y + strip)) for hole in table.holes]
        top = min(hole.box.y for hole in holes)
        inside: list[tuple[Hole, Box]] = []
        over: list[Box] = []
        for box in map(_around, self._texts.quads(straight)):
            if box.bottom < top + 4:
                over.append(box)
            else:
                inside += _shares(box, holes)
        read = self._texts.read([_cut(straight, box) for box in [*(box for _, box in inside), *over]])
        found: dict[int, list[Run]] = {}
        above: list[Run] = []
        for index, (text, sure) in read.items():
            if index < len(inside):
                hole, box = inside[index]
                found.setdefault(id(hole), []).append(Run(text, sure, box))
            else:
                above.append(Run(text, sure, over[index - len(inside)]))
        rows = [
            [Spot(h.column, h.columns, h.box, found.get(id(h), [])) for h in sorted(holes, key=_column) if h.row == row]
            for row in range(table.rows)
        ]
        parts = [part for row in rows for part in _without_rules_between(row)]
        header = _header(above, parts, table.columns, top)
        back = onto.through(np.linalg.inv(matrix))
        return _table([header, *parts] if header else parts, [] if header else above, onto.of(table.quad), back)

    def _without_rules(self, upright: Picture, onto: _Onto) -> Page:
        quads = self._texts.quads(upright)
        read = self._texts.read([_cut(upright, _around(quad)) for quad in quads])
        level = _levelling([quads[index] for index in read])
        runs = [Run(text, sure, _around(quads[index] @ level[:2, :2].T)) for index, (text, sure) in read.items()]
        back = onto.through(np.linalg.inv(level))
        table = _unruled(runs, back)
        return Page([table]) if table else Page(lines=[_line(run, back) for run in runs])


class _Onto:
    """Leads from where something was found back to the picture as it came, in fractions of its sides."""

    def __init__(self, matrix: Matrix, width: int, height: int) -> None:
        self._matrix, self._width, self._height = matrix, width, height

    def through(self, matrix: npt.NDArray[np.floating]) -> _Onto:
        return _Onto(np.asarray(self._matrix @ matrix, np.float64), self._width, self._height)

    def of(self, points: npt.ArrayLike) -> Corners:
        there = np.c_[np.asarray(points, np.float64), np.ones(4)] @ self._matrix.T
        return [(float(x / w) / self._width, float(y / w) / self._height) for x, y, w in there]

    def of_box(self, box: Box) -> Corners:
        return self.of([(box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)])


def _turned_back(picture: Picture, quarters: int) -> Matrix:
    """From the upright picture to the one that came."""
    height, width = picture.shape[:2]
    turns = (
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [-1, 0, height - 1], [0, 0, 1]],
        [[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]],
        [[0, -1, width - 1], [1, 0, 0], [0, 0, 1]],
    )
    return np.array(turns[quarters], np.float64)


def _levelling(quads: Sequence[npt.NDArray[np.float64]]) -> Matrix:
    """What turns the texts into the level."""
    slopes = [np.arctan2(*(quad[1] - quad[0])[::-1]) for quad in quads if quad[1][0] - quad[0][0] > 60]
    angle = -float(np.median(slopes)) if slopes else 0.0
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def _around(quad: npt.NDArray[np.float64]) -> Box:
    (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
    return Box(float(left), float(top), float(right - left), float(bottom - top))


def _cut(picture: Picture, box: Box) -> Picture:
    top, left = max(0, int(box.y)), max(0, int(box.x))
    return picture[top : int(np.ceil(box.bottom)), left : int(np.ceil(box.right))]


def _column(hole: Hole) -> int:
    return hole.column


def _shares(box: Box, holes: Sequence[Hole]) -> list[tuple[Hole, Box]]:
    """The cells in which a text lies, each with its part of it: what was found as one may reach across a rule."""
    parts = []
    for hole in holes:
        cell = hole.box
        across = min(box.right, cell.right) - max(box.x, cell.x)
        down = min(box.bottom, cell.bottom) - max(box.y, cell.y)
        if across > 0.25 * box.height and down > 0.5 * min(box.height, cell.height):
            left, top = max(box.x, cell.x + 1), max(box.y, cell.y - 2)
            width, height = min(box.right, cell.right - 1) - left, min(box.bottom, cell.bottom + 2) - top
            parts.append((hole, Box(left, top, width, height)))
    widest = max((part.width for _, part in parts), default=0.0)
    return [part for part in parts if len(parts) == 1 or part[1].width >= min(0.08 * widest, 20)]


def _without_rules_between(row: Sequence[Spot]) -> list[Sequence[Spot]]:
    """A tall row is several, where the lines of one column each begin like a date or a time."""
    starts: list[float] = []
    for spot in row:
        begins = sorted(run.height for run in spot.runs if BEGINS_A_ROW.match(run.text))
        if spot.columns == 1 and len(begins) > len(starts):
            starts = begins
    if len(starts) < 3:
        return [row]
    top, bottom = min(spot.box.y for spot in row), max(spot.box.bottom for spot in row)
    edges = [top, *((one + following) / 2 for one, following in itertools.pairwise(starts)), bottom]

    def part(spot: Spot, number: int) -> Spot:
        box = Box(spot.box.x, edges[number], spot.box.width, edges[number + 1] - edges[number])
        return spot._replace(box=box, runs=[run for run in spot.runs if _nearest(starts, run.height) == number])

    return [[part(spot, number) for spot in row] for number in range(len(starts))]


def _nearest(values: Sequence[float], value: float) -> int:
    return min(range(len(values)), key=lambda index: abs(values[index] - value))


def _header(above: Sequence[Run], rows: Sequence[Sequence[Spot]], columns: int, bottom: float) -> Sequence[Spot] | None:
    """A header row whose rules did not show: texts above most of the columns."""
    boxes = {spot.column: spot.box for row in rows for spot in row if spot.columns == 1}
    heads: dict[int, list[Run]] = {}
    for run in above:
        heads.setdefault(min(boxes, key=lambda column: abs(run.box.middle - boxes[column].middle)), []).append(run)
    if len(heads) < max(LEAST_COLUMNS, 0.7 * columns):
        return None
    top = min(run.box.y for run in above)
    return [
        Spot(column, 1, Box(boxes[column].x, top, boxes[column].width, bottom - top), heads.get(column, []))
        for column in sorted(boxes)
    ]


def _unruled(runs: Sequence[Run], onto: _Onto) -> Table | None:
    """A table without rules: one line gives the columns, and a line that fills most of them begins a row."""
    if len(runs) < LEAST_TEXTS:
        return None
    height = float(np.median([run.box.height for run in runs]))
    lines = _in_lines(runs, 0.55 * height)
    fullest = max(map(len, lines))
    if fullest < LEAST_COLUMNS:
        return None
    first = next(index for index, line in enumerate(lines) if len(line) >= fullest - 1)
    lefts = [run.box.x for run in lines[first]]

    def column(run: Run) -> int:
        return max((index for index, left in enumerate(lefts) if left <= run.box.x + 0.6 * height), default=0)

    body = lines[first + 1 :]
    starts = [line for line in body if len({column(run) for run in line}) >= max(2, 0.6 * len(lefts))]
    if len(starts) < 2:
        return None
    heights = [_height(line) for line in starts]
    rows: list[list[Run]] = [[*lines[first]], *([] for _ in starts)]
    for line in body:
        rows[1 + _nearest(heights, _height(line))] += line
    edges = [*(left - 0.5 * height for left in lefts), max(run.box.right for run in runs) + height]
    spots = [_spots(row, edges, column) for row in rows]
    top, bottom = spots[0][0].box.y, spots[-1][0].box.bottom
    around = onto.of_box(Box(edges[0], top, edges[-1] - edges[0], bottom - top))
    return _table(spots, [run for line in lines[:first] for run in line], around, onto, ruled=False)


def _spots(runs: Sequence[Run], edges: Sequence[float], column: Callable[[Run], int]) -> list[Spot]:
    top, bottom = min(run.box.y for run in runs), max(run.box.bottom for run in runs)
    return [
        Spot(index, 1, Box(left, top, right - left, bottom - top), [run for run in runs if column(run) == index])
        for index, (left, right) in enumerate(itertools.pairwise(edges))
    ]


def _in_lines(runs: Sequence[Run], apart: float) -> list[list[Run]]:
    lines: list[list[Run]] = []
    for run in sorted(runs, key=lambda each: each.height):
        if lines and abs(run.height - _height(lines[-1])) < apart:
            lines[-1].append(run)
        else:
            lines.append([run])
    return [sorted(line, key=lambda run: run.box.x) for line in lines]


def _height(line: Sequence[Run]) -> float:
    return float(np.mean([run.height for run in line]))


def _table(
    rows: Sequence[Sequence[Spot]], title: Sequence[Run], around: Corners, onto: _Onto, ruled: bool = True
) -> Table:
    cells = [
        Cell(number, spot.column, spot.columns, onto.of_box(spot.box), _lines(spot.runs, onto))
        for number, row in enumerate(rows)
        for spot in row
    ]
    return Table(cells, around, _lines(title, onto), ruled)


def _lines(runs: Sequence[Run], onto: _Onto) -> list[Line]:
    """In the order in which they are read."""
    apart = 0.5 * min((run.box.height for run in runs), default=0.0)
    return [_line(run, onto) for line in _in_lines(runs, apart) for run in line]


def _line(run: Run, onto: _Onto) -> Line:
    """With its words, whose places are shared out by characters."""
    each = run.box.width / max(1, len(run.text))
    words = [
        Word(
            word[0],
            run.confidence,
            onto.of_box(Box(run.box.x + each * word.start(), run.box.y, each * len(word[0]), run.box.height)),
        )
        for word in re.finditer(r"\S+", run.text)
    ]
    return Line(words, onto.of_box(run.box))
