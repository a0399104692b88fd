"""Times of day and durations as people write them in English, Spanish, German and French.

"Half five" is half past four to some and half past five to others, "1/2 5" and "5 y media" leave morning and evening
open as well: these are never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Final

from chalicelib.domain.sheets import IssueKind
from chalicelib.reading.grids import folded
from chalicelib.reading.parsed import Parsed, refused, understood

_NOON: Final = frozenset(
    {"noon", "12 noon", "midday", "mediodia", "al mediodia", "a mediodia", "midi", "a midi", "mittag", "mittags"}
)
_HALVES: Final = re.compile(
    r"\b(half|halb|halbe|demie?|media|cuarto|quart|quarter|viertel|dreiviertel|menos|moins)\b|\d\s?/\s?\d"
)
_CONNECTORS: Final = re.compile(
    r"^(?:(?:at|um|gegen|ab|a|as|les|las|la|vers|sobre|c|ca|approx|about|from|desde|des)\b\.?\s*)+|^[@~]\s*"
)
_HOURS: Final = re.compile(r"(?<![a-z])(?:uhr|hrs?|hs|horas?|heures?|o'clock|h)(?![a-z])\.?")
_PARTS: Final = re.compile(
    r"\s*(?:(?:de|por|du|de l'|in|in the|am)\s*)?(?:la\s+)?"
    r"(?P<part>tarde|noche|manana|nachmittags?|nachm|abends?|morgens?|vormittags?|vorm|fruh|matin|soir|"
    r"apres-?midi|morning|afternoon|evening)\.?$"
)
_EVENING: Final = frozenset({"tarde", "noche", "nachmittag", "nachmittags", "nachm", "abend", "abends", "soir"}) | {
    "apres-midi",
    "apresmidi",
    "afternoon",
    "evening",
}
_CLOCK: Final = re.compile(
    r"(?P<h>\d{1,2})(?:\s?[:.h]\s?(?P<m>\d{2})(?:[:.](?P<s>\d{2})(?P<fraction>[.,]\d+)?)?)?"
    r"\s?(?P<mark>h)?\s?(?P<half>[ap]\.?\s?m\.?|[ap])?"
)
_RANGE: Final = re.compile(
    r"(?P<from>.*?[\dhm.])\s?(?:-|–|—|\bbis\b|\bto\b|\buntil\b|\ba\b|\bhasta\b|\bjusqu'a\b)\s?(?P<to>\d.*)"
)
_OFFSET: Final = re.compile(r"(?P<t>t?)(?P<clock>.*\d)\s?(?P<offset>z|utc|gmt|[+-]\d{2}:?(?:\d{2})?)(?:\[[\w/+-]+\])?")
_MISREAD: Final = str.maketrans("ocdqliszb|!", "00001152811")
_UNLIKELY_UNTIL: Final = 7
_AT_NIGHT_UNTIL: Final = 6


def parse_time(text: str) -> Parsed:
    """A time as 09:30, or 09:30:15 where there are seconds."""
    plain = re.sub(r"\s+", " ", folded(text).replace("’", "'").replace("´", "'").replace("：", ":")).strip(" ,;")
    plain = _CONNECTORS.sub("", plain)
    if plain in _NOON:
        return understood("12:00")
    if _HALVES.search(plain):
        return refused(IssueKind.AMBIGUOUS)
    kinds: list[IssueKind] = []
    if (span := _RANGE.fullmatch(plain)) and _clock(span["to"]):
        plain = span["from"] if _half(span["from"]) else span["from"] + _half(span["to"])
        kinds.append(IssueKind.BEGINNING_OF_RANGE)
    if part := _PARTS.search(plain):
        plain = plain[: part.start()] + (" pm" if part["part"] in _EVENING else " am")
        kinds.append(IssueKind.PART_OF_DAY)
    if found := _clock(plain):
        return _time(found, plain, kinds)
    if re.fullmatch(r"[\dolisbz|!:.h ]+", plain) and (found := _clock(plain.translate(_MISREAD))):
        return _time(found, plain, [*kinds, IssueKind.CORRECTED])
    return refused(IssueKind.UNREADABLE)


def _half(text: str) -> str:
    found = re.search(r"\s?[ap]\.?\s?m\.?$", text)
    return found[0] if found else ""


def _clock(plain: str) -> re.Match[str] | None:
    with_h = re.sub(r"(?<=\d)\s?[',]\s?(?=\d{2}\b)", ":", _HOURS.sub("h", plain))
    # "10 Uhr 30", "10 h 30 min"
    with_h = re.sub(r"\s?min(?:uten|utes|utos)?\.?$", "", re.sub(r"(?<=\d) ?h ?(?=\d)", "h", with_h))
    tight = re.fullmatch(r"(\d{2})(\d{2})(\d{2})?\s?(h?)", with_h)
    return _CLOCK.fullmatch(":".join(filter(None, tight.groups()[:3])) + tight[4] if tight else with_h)


def _time(found: re.Match[str], plain: str, kinds: list[IssueKind]) -> Parsed:
    hour, minute, second = int(found["h"]), int(found["m"] or 0), int(found["s"] or 0)
    half = (found["half"] or "")[:1]
    if half and not 1 <= hour <= 12:
        if not (half == "p" and 12 < hour < 24):
            return refused(IssueKind.UNREADABLE)
        kinds.append(IssueKind.CORRECTED)
    elif half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return refused(IssueKind.UNREADABLE)
    if found["m"] is None and not found["mark"] and not half:
        kinds.append(IssueKind.HOUR_ONLY)
    if re.fullmatch(r"\d{4}", plain):
        kinds.append(IssueKind.CORRECTED)
    open_half = not half and 1 <= hour <= _UNLIKELY_UNTIL and not found["h"].startswith("0")
    if open_half or (half == "a" and hour < _AT_NIGHT_UNTIL):
        kinds.append(IssueKind.MORNING_OR_EVENING)
    if (found["fraction"] or "").strip(".,0"):
        kinds.append(IssueKind.FRACTION_DROPPED)
    clock = time(hour, minute, second)
    return understood(clock.isoformat("seconds" if second else "minutes"), *kinds)


def split_offset(text: str) -> tuple[str, str] | None:
    """A time and its offset from UTC as +01:00, if it has one: T10:00Z, T100000+0100, 16:00Z[UTC].

    10:00-11:00 is an hour, and T10:00-11:00 a time in the Pacific.
    """
    found = _OFFSET.fullmatch(text.strip().casefold())
    if found is None or (found["offset"][0] == "-" and not found["t"] and found["clock"].count(":") < 2):
        return None
    digits = re.sub(r"\D", "", found["offset"])
    if not digits:
        return found["clock"], "+00:00"
    if int(digits[:2]) > 14 or int(digits[2:] or 0) > 59:
        return None
    return found["clock"], f"{found['offset'][0]}{digits[:2]}:{digits[2:] or '00'}"


_HALF_HOURS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("half an hour", "half hour", "media hora", "halbe stunde", "eine halbe stunde", "demi-heure"), 30),
    **dict.fromkeys(
        ("une demi-heure", "demi heure", "une demi heure", "1/2 h", "1/2 hora", "1/2 hour", "1/2 stunde"), 30
    ),
    **dict.fromkeys(("quarter of an hour", "quarter hour", "un cuarto de hora", "cuarto de hora", "viertelstunde"), 15),
    **dict.fromkeys(("un quart d'heure", "quart d'heure", "eine viertelstunde"), 15),
    **dict.fromkeys(
        ("three quarters of an hour", "dreiviertelstunde", "tres cuartos de hora", "trois quarts d'heure"), 45
    ),
    **dict.fromkeys(("an hour", "one hour", "una hora", "eine stunde", "une heure"), 60),
}
_HOUR_WORD: Final = r"(?:(?:h|hrs?|hours?|horas?|stunden?|std|heures?)\.?)"
_MINUTE_WORD: Final = r"(?:(?:'|m|min|mins|minutes?|minutos?|minuten?)\.?)"
_DURATIONS: Final = tuple(
    re.compile(form)
    for form in (
        rf"(?P<m>\d{{1,4}})(?:[.,]0+)?\s?{_MINUTE_WORD}?",
        rf"(?P<h>\d{{1,2}})\s?{_HOUR_WORD}\s?(?:(?P<m>\d{{1,2}})\s?{_MINUTE_WORD}?)?",
        r"(?P<h>\d{1,2}):(?P<m>\d{2})(?::00)?\s?(?:h|std|hrs?)?\.?",
        rf"(?P<decimal>\d{{1,2}}[.,]\d{{1,2}})\s?{_HOUR_WORD}",
    )
)
SHORTEST, LONGEST = 5, 240


def parse_duration(text: str) -> Parsed:
    """Minutes: 45, 45 min, 1 h 30, 0:45, 1,5 h, half an hour."""
    plain = re.sub(r"\s+", " ", folded(text).replace("’", "'")).strip(" ,;")
    if plain in _HALF_HOURS:
        return _minutes(_HALF_HOURS[plain])
    for form in _DURATIONS:
        if found := form.fullmatch(plain):
            parts = found.groupdict()
            if decimal := parts.get("decimal"):
                return _minutes(round(float(decimal.replace(",", ".")) * 60))
            return _minutes(int(parts.get("h") or 0) * 60 + int(parts.get("m") or 0))
    return refused(IssueKind.UNREADABLE)


def minutes_of(seconds: float) -> Parsed:
    return _minutes(round(seconds / 60))


def _minutes(count: int) -> Parsed:
    return understood(str(count), *(() if SHORTEST <= count <= LONGEST else (IssueKind.OUT_OF_RANGE,)))
