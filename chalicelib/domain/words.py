"""Words as people type them when they look for something: accents and upper and lower case aside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
"""What Unicode does not take for a letter with an accent, but people without that key do."""


def words(text: str) -> list[str]:
    """The words of a text, folded: `Łódź, Große Straße 1` is lodz, grosse, strasse, 1."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(_LETTERS)
    return re.findall(r"[^\W_]+", plain)


def begins_all(wanted: Iterable[str], text: str) -> bool:
    """Whether each of the wanted words, which are folded, begins a word of the text."""
    there = words(text)
    return all(any(word.startswith(begin) for word in there) for begin in wanted)
