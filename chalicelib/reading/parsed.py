"""What a text was understood as: the value, if there is one, and what is doubtful in it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from chalicelib.domain.sheets import Issue, IssueKind
from chalicelib.record import Record


class Parsed(Record):
    value: str | None
    issues: tuple[Issue, ...] = ()
    choices: tuple[str, ...] = ()


ABSENT: Final = Parsed(None)


def understood(value: str, *kinds: IssueKind) -> Parsed:
    return Parsed(value, tuple(Issue(kind) for kind in dict.fromkeys(kinds)))


def refused(kind: IssueKind, hint: str | None = None) -> Parsed:
    return Parsed(None, (Issue(kind, hint),))


DIGITS_MISREAD: Final = str.maketrans("OoCDQlI|i!LZzSsB", "0000011111122558")
"""Letters that a recognition takes digits for. Whoever uses it marks the value as corrected."""


def words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


def likest(word: str, words: Iterable[str], least: float) -> str | None:
    """The word that is spelled most like it, if any is like enough."""
    return next(iter(difflib.get_close_matches(word, list(words), 1, least)), None)
