"""What was recognised on a picture: texts, and tables cell by cell. Corners are fractions of its width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Corners = Sequence[tuple[float, float]]
"""Top left, top right, bottom right, bottom left, as the text stands."""


@dataclass(frozen=True)
class Word:
    text: str
    confidence: float
    corners: Corners


@dataclass(frozen=True)
class Line:
    words: Sequence[Word]
    corners: Corners

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Cell:
    """Counted from 0; it may span several columns."""

    row: int
    column: int
    columns: int
    corners: Corners
    lines: Sequence[Line] = ()


@dataclass(frozen=True)
class Table:
    cells: Sequence[Cell]
    corners: Corners
    title: Sequence[Line] = ()
    ruled: bool = True


@dataclass(frozen=True)
class Page:
    tables: Sequence[Table] = ()
    lines: Sequence[Line] = field(default=())
    """Texts outside of tables."""
