"""Which property is meant: by its id, by what a person confirmed before, or by how its name and address are spelled."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from chalicelib.domain.sheets import Issue, IssueKind, Known
from chalicelib.reading.grids import folded
from chalicelib.reading.parsed import Parsed

_LIKE: Final = 0.7
_LEAD: Final = 0.08
_CHOICES: Final = 5
_CANDIDATES: Final = 100
_MOST_COMPARED: Final = 10_000
_WORTH_A_LOOK: Final = 0.3
_OTHER_NUMBER: Final = 0.75
"""Of a street that fits, with another house number."""

_SHORT: Final = (
    (r"\bc(?:/|alle\b|l\.)", " c "),
    (r"\bav(?:d?a?\.|enida\b|da\b|enue\b)|\bave\b\.?", " av "),
    (r"\b(?:pza\b\.?|plaza\b|pl\.)", " pl "),
    (r"stra(?:ss|b)e\b|str\.", "str "),
    (r"\b(?:street|st\.)(?=\W|$)", " st "),
    (r"\b(?:road|rd\.?)(?=\W|$)", " rd "),
    (r"\b(?:boulevard|blvd\.?|bd\.?)(?=\W|$)", " bd "),
    (r"\b(?:apartment|apt\.?)(?=\W|$)", " apt "),
    (r"\bplatz\b|platz\b|pl\.", " pl "),
)


def written_key(text: str) -> str:
    """What two ways of writing the same property have in common: no case, accents or marks, the usual short forms."""
    plain = folded(text)
    for long, short in _SHORT:
        plain = re.sub(long, short, plain)
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain).split())


def _trigrams(key: str) -> frozenset[str]:
    padded = f"  {key} "
    return frozenset(padded[start : start + 3] for start in range(len(padded) - 2))


def _numbers(key: str) -> Counter[str]:
    return Counter(re.findall(r"\d+", key))


@dataclass
class _Index:
    """All spellings, by what they have in common with others."""

    exact: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    spelled: list[tuple[str, frozenset[str], Counter[str]]] = field(default_factory=list)
    having: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, id: str, key: str) -> None:
        self.exact[key].add(id)
        trigrams = _trigrams(key)
        for trigram in trigrams:
            self.having[trigram].append(len(self.spelled))
        self.spelled.append((id, trigrams, _numbers(key)))


class Properties:
    """An agency's properties, ready to be looked for."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._ids = {each.id for each in known.properties}
        self._zones = {each.id: each.time_zone for each in known.properties}
        self._confirmed = {written_key(text): id for text, id in known.confirmed.items() if id in self._ids}

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        for each in self._known.properties:
            for text in dict.fromkeys((each.id, each.name, each.address, f"{each.name} {each.address}")):
                if key := written_key(text):
                    index.add(each.id, key)
        return index

    def zone(self, id: str | None) -> str | None:
        """The time zone of the property with that id, if both are known."""
        return self._zones.get(id or "")

    def by_id(self, text: str) -> Parsed:
        """The property with that id. Ids are made to be told apart: a similar one is another property."""
        id = " ".join(text.split())
        return Parsed(id) if id in self._ids else Parsed(None, (Issue(IssueKind.UNKNOWN_PROPERTY),))

    def find(self, text: str) -> Parsed:
        """The property's id; a likely one is marked. Without a clear lead, or of several so called, choices only."""
        text = " ".join(text.split())
        key = written_key(text)
        if text in self._ids:
            return Parsed(text)
        if key in self._confirmed:
            return Parsed(self._confirmed[key])
        exact = self._index.exact.get(key, set())
        if len(exact) == 1:
            return Parsed(next(iter(exact)))
        ranked = self._ranked(key)
        choices = tuple(id for id, _ in ranked)
        if ranked and not exact:
            (best, score), *others = ranked
            lead = score - others[0][1] if others else score
            if score >= _LIKE and lead >= _LEAD:
                return Parsed(best, (Issue(IssueKind.LIKELY_PROPERTY),), choices)
        kind = IssueKind.AMBIGUOUS if exact else IssueKind.UNKNOWN_PROPERTY
        return Parsed(None, (Issue(kind),), choices)

    def _candidates(self, wanted: frozenset[str]) -> list[int]:
        """Those that share most of the rarest trigrams: what every street has tells none from another."""
        shared: Counter[int] = Counter()
        left = _MOST_COMPARED
        for having in sorted((self._index.having.get(trigram, []) for trigram in wanted), key=len):
            shared.update(having)
            left -= len(having)
            if left < 0:
                break
        return [index for index, _ in shared.most_common(_CANDIDATES)]

    def _ranked(self, key: str) -> list[tuple[str, float]]:
        wanted, numbers = _trigrams(key), _numbers(key)
        scores: dict[str, float] = {}
        for index in self._candidates(wanted):
            id, trigrams, have = self._index.spelled[index]
            count = len(wanted & trigrams)
            # Of the written, most must be there: a nickname is a part of the whole.
            score = max(2 * count / (len(wanted) + len(trigrams)), 0.9 * count / len(wanted) if len(wanted) > 6 else 0)
            if numbers and have and not numbers & have:
                score *= _OTHER_NUMBER
            elif numbers != have and numbers & have:
                score *= 0.95
            scores[id] = max(scores.get(id, 0), score)
        likely = [entry for entry in scores.items() if entry[1] >= _WORTH_A_LOOK]
        return sorted(likely, key=lambda entry: (-entry[1], entry[0]))[:_CHOICES]
