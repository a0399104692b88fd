"""The rules of a table: where they are on a picture, and which cells they leave between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy import typing as npt

Picture = npt.NDArray[np.uint8]
Quad = npt.NDArray[np.float32]
"""Four corners in pixels: top left, top right, bottom right, bottom left."""

MARGIN: Final = 14
"""What is left around a table that was straightened."""
LEAST_SHARE: Final = 0.06
"""Of the picture, that a table takes."""
MOST_TABLES: Final = 4
MOST_INK: Final = 0.45
"""A network of rules is thin; a desk, or a shadow, is not."""
LEAST_CELLS: Final = 6


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


class Hole(NamedTuple):
    """A cell: what rules enclose."""

    row: int
    column: int
    columns: int
    box: Box


class Ruled(NamedTuple):
    """A table as it lies on the picture, and its cells where it is straightened."""

    quad: Quad
    size: tuple[int, int]
    """Width and height of the table once it is straightened, without its margin."""
    rows: int
    columns: int
    holes: Sequence[Hole]


def ruled_tables(picture: Picture) -> list[Ruled]:
    """The tables with rules, none inside another, the one with most cells first."""
    found = sorted(_candidates(picture), key=lambda table: -len(table.holes))
    apart: list[Ruled] = []
    for table in found:
        x, y = table.quad.mean(axis=0)
        middle = (float(x), float(y))
        if not any(cv2.pointPolygonTest(other.quad.reshape(-1, 1, 2), middle, False) >= 0 for other in apart):
            apart.append(table)
    return apart


def straightened(picture: Picture, table: Ruled, above: int = 0) -> tuple[Picture, npt.NDArray[np.float64]]:
    """The table alone, seen from above, with a strip over it; and the matrix that leads there."""
    width, height = table.size
    left, top = MARGIN, MARGIN + above
    corners = np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])
    matrix = cv2.getPerspectiveTransform(table.quad, corners.astype(np.float32))
    size = (width + 2 * MARGIN, height + 2 * MARGIN + above)
    straight = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return straight, matrix


def _candidates(picture: Picture) -> Iterator[Ruled]:
    for quad in _networks(_ink(picture)):
        empty = Ruled(quad, _straight_size(quad), 0, 0, ())
        straight, _ = straightened(picture, empty)
        rows, columns, holes = _holes(_ink(straight))
        if len(holes) >= LEAST_CELLS and columns >= 2:
            yield empty._replace(rows=rows, columns=columns, holes=holes)


def _ink(picture: Picture) -> Picture:
    """White where something is written or ruled, whatever shadow lies on it."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    paper = cv2.resize(cv2.medianBlur(small, 31), grey.shape[::-1]).astype(np.float32)
    even = np.clip(grey.astype(np.float32) / np.maximum(paper, 1) * 235, 0, 255).astype(np.uint8)
    window = max(15, (min(grey.shape) // 40) | 1)
    smooth = cv2.GaussianBlur(even, (3, 3), 0)
    ink: Picture = cv2.adaptiveThreshold(smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, window, 9)
    return ink


def _networks(ink: Picture) -> Iterator[Quad]:
    """The rules of a table hang together: what is large, thin, and has holes."""
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, about, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    largest = sorted(range(1, count), key=lambda each: -about[each, 2] * about[each, 3])[:12]
    told = 0
    for each in largest:
        x, y, width, height, area = about[each]
        if width * height < LEAST_SHARE * ink.size or told == MOST_TABLES:
            return
        network = (labels[y : y + height, x : x + width] == each).astype(np.uint8)
        if area / (width * height) > MOST_INK or cv2.connectedComponentsWithStats(1 - network, connectivity=4)[0] < 5:
            continue
        told += 1
        yield _ordered(_outline(network) + np.array([x, y]))


def _outline(network: Picture) -> Quad:
    """The four corners around it: those of its hull, if the hull has about four."""
    contours, _ = cv2.findContours(network, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    around = cv2.arcLength(hull, True)
    for tolerance in np.arange(0.01, 0.12, 0.005):
        corners = cv2.approxPolyDP(hull, tolerance * around, True)
        if len(corners) == 4:
            return np.asarray(corners.reshape(4, 2), np.float32)
        if len(corners) < 4:
            break
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(hull)), np.float32)


def _ordered(corners: npt.NDArray[np.float64]) -> Quad:
    total, difference = corners.sum(axis=1), corners[:, 0] - corners[:, 1]
    order = [total.argmin(), difference.argmax(), total.argmax(), difference.argmin()]
    return np.asarray(corners[order], np.float32)


READ_ACROSS: Final = 1900
"""As wide as a table is read; a smaller one is enlarged."""


def _straight_size(quad: Quad) -> tuple[int, int]:
    top_left, top_right, bottom_right, bottom_left = quad
    width = max(_length(top_right - top_left), _length(bottom_right - bottom_left))
    height = max(_length(bottom_left - top_left), _length(bottom_right - top_right))
    larger = max(READ_ACROSS / width, 1.0)
    return int(width * larger), int(height * larger)


def _length(side: Quad) -> float:
    return float(np.linalg.norm(side))


def _holes(ink: Picture) -> tuple[int, int, list[Hole]]:
    """Rows, columns and cells between the rules; a page that is bent, and cells that are merged, do no harm."""
    boxes = _between(ink)
    edges = _left_edges(boxes, ink.shape[1])
    if not edges.size:
        return 0, 0, []
    rows = _rows(boxes, edges)
    holes = []
    for number, row in enumerate(rows):
        for box in sorted(row):
            first = last = _nearest(edges, box.x)
            while last + 1 < len(edges) and edges[last + 1] < box.right - 10:
                last += 1
            holes.append(Hole(number, first, last - first + 1, box))
    return len(rows), len(edges), holes


def _between(ink: Picture) -> list[Box]:
    height, width = ink.shape
    ink = ink.copy()
    ink[:, :6] = 0
    across = _lines(ink, (max(25, width // 40), 1), (max(25, width // 30), 1), (5, 3))
    down = _lines(ink, (1, max(35, height // 18)), (1, max(25, height // 16)), (3, 7))
    count, labels, about, _ = cv2.connectedComponentsWithStats(across, connectivity=8)
    long = np.where(about[:, 2] >= width * 0.10, 255, 0).astype(np.uint8)
    long[0] = 0
    count, _, about, _ = cv2.connectedComponentsWithStats(255 - cv2.bitwise_or(long[labels], down), connectivity=4)
    boxes = []
    for x, y, across_it, down_it, area in about[1:count]:
        too_small = across_it < 18 or down_it < 14 or area < 0.55 * across_it * down_it
        outside = x <= 2 or y <= 2 or x + across_it >= width - 2 or y + down_it >= height - 2
        everything = across_it > 0.97 * width and down_it > 0.9 * height
        if not (too_small or outside or everything):
            boxes.append(Box(float(x), float(y), float(across_it), float(down_it)))
    return boxes


def _lines(ink: Picture, least: tuple[int, int], gap: tuple[int, int], thick: tuple[int, int]) -> Picture:
    """What is long in one direction, with gaps closed."""
    found = cv2.morphologyEx(ink, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, least))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones(gap[::-1], np.uint8))
    lines: Picture = cv2.dilate(found, np.ones(thick[::-1], np.uint8))
    return lines


def _left_edges(boxes: Sequence[Box], width: int) -> npt.NDArray[np.float64]:
    """Where columns begin: at the left edges that several cells share."""
    groups: list[list[float]] = []
    for x in sorted(box.x for box in boxes):
        if groups and x - groups[-1][-1] <= max(8, 0.012 * width):
            groups[-1].append(x)
        else:
            groups.append([x])
    most = max(map(len, groups), default=0)
    return np.array([np.median(group) for group in groups if len(group) >= max(2, 0.25 * most)])


def _nearest(edges: npt.NDArray[np.float64], x: float) -> int:
    return int(np.abs(edges - x).argmin())


def _rows(boxes: Sequence[Box], edges: npt.NDArray[np.float64]) -> list[list[Box]]:
    """Cells side by side, each held against its left neighbour, so that a bent row stays one."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda each: (_nearest(edges, each.x), each.y)):
        best = max(rows, key=lambda row: _beside(row, box), default=None)
        if best is not None and _beside(best, box) > 0.5:
            best.append(box)
        else:
            rows.append([box])
    return sorted(rows, key=lambda row: float(np.mean([box.y + box.height / 2 for box in row])))


def _beside(row: Sequence[Box], box: Box) -> float:
    """How much of the height the box has in common with the last one of the row left of it."""
    left = [each for each in row if each.right <= box.x + 8]
    if not left:
        return 0.0
    neighbour = min(left, key=lambda each: abs(each.middle - box.middle))
    common = min(neighbour.bottom, box.bottom) - max(neighbour.y, box.y)
    return common / min(neighbour.height, box.height)
