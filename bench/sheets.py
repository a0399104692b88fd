"""How well sheets are read: pictures with the truth beside them, handed in over HTTP, and held against it.

`python -m bench.sheets FOLDER --url http://127.0.0.1:8000`, the key in VISITS_KEY. For every picture FOLDER has a JSON
file of its name: `grid`, the texts of the table; `visits`, what the rows mean; `font` and `lang`. A field is silently
wrong if it is not what is meant and no issue says so. The recognition is that of the address: of `make run` not
Amazon's; and fonts that look like handwriting are none.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import openpyxl

from tools.client import Client
from tools.operate.sheets import PATIENCE_SECONDS, Desk

PRINTED: Final = ("sans", "serif", "dejavu", "mono")
"""The other fonts of the pictures look like handwriting."""
ZONES: Final = {"es": "Europe/Madrid", "en": "America/Chicago"}
FIELDS: Final = {
    "address": "propertyId",
    "date": "date",
    "time": "time",
    "name": "visitorName",
    "phone": "visitorPhone",
    "email": "visitorEmail",
    "notes": "notes",
}
"""What the truth calls them, and the API."""

Texts = Sequence[Sequence[str]]
Json = dict[str, Any]


@dataclass(frozen=True)
class Score:
    """Of one picture, or of several together."""

    sheets: int = 0
    whole: int = 0
    """Of the sheets: those with the right rows and columns."""
    cells: int = 0
    exact: int = 0
    fields: int = 0
    silently_wrong: int = 0
    marked: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(*(a + b for a, b in zip(self._counts, other._counts, strict=True)))

    @property
    def _counts(self) -> tuple[int, ...]:
        return (
            *(self.sheets, self.whole, self.cells, self.exact, self.fields, self.silently_wrong),
            self.marked,
        )

    def __str__(self) -> str:
        return (
            f"structure {self.whole}/{self.sheets}, cells exact {self.exact / self.cells:.3f}, "
            f"silently wrong {self.silently_wrong / self.fields:.2%}, marked {self.marked / self.fields:.0%} "
            f"of {self.fields} fields"
        )


def pictures(folder: Path) -> dict[Path, Json]:
    """With the truth of each."""
    found = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".pdf"))
    return {path: json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in found}


def measured(desk: Desk, truths: Mapping[Path, Json]) -> Iterator[tuple[Path, Score]]:
    """One after the other; their properties are registered before, as an agency has them."""
    properties = _registered(
        desk.api, sorted({visit["address"] for truth in truths.values() for visit in truth["visits"]})
    )
    for path, truth in truths.items():
        sheet = desk.sheet(path, ZONES[truth["lang"]])
        workbook = desk.api.send("GET", f"/sheets/{sheet['id']}/export").content
        meant = [{FIELDS[name]: visit[name] for name in FIELDS} for visit in truth["visits"]]
        for visit in meant:
            visit["propertyId"] = properties[visit["propertyId"]]
        yield path, _of_table(_table(workbook), truth["grid"]) + _of_rows(desk.rows(sheet), meant)


def by_font(scores: Mapping[Path, Score], truths: Mapping[Path, Json]) -> dict[str, Score]:
    kinds = {path: "print" if truth["font"] in PRINTED else "handwriting fonts" for path, truth in truths.items()}
    return {
        kind: sum((score for path, score in scores.items() if kinds[path] == kind), Score())
        for kind in sorted(set(kinds.values()), reverse=True)
    }


def _registered(api: Client, addresses: Sequence[str]) -> dict[str, str]:
    """The id of each; those of an earlier run are taken as they are."""
    there = {str(each["address"]): str(each["id"]) for each in api.pages("/properties", limit=100)}
    for number, address in enumerate(addresses):
        if address not in there:
            house = {"name": f"Measured {number}", "address": address, "price": 1000, "currency": "EUR"}
            made = api.send("POST", "/properties", house | {"timeZone": "Europe/Madrid"}).json()
            there[address] = str(made["id"])
    return there


def _table(workbook: bytes) -> Texts:
    """As it was photographed, without titles and lines that are empty."""
    sheet = openpyxl.load_workbook(io.BytesIO(workbook))["Table"]
    lines = [[str(cell or "") for cell in line] for line in sheet.iter_rows(values_only=True)]
    return [line for line in lines if sum(map(bool, line)) > 1]


def _of_table(read: Texts, truth: Texts) -> Score:
    whole = len(read) == len(truth) and all(len(line) == len(truth[0]) for line in read)
    pairs = [zip(line, meant, strict=False) for line, meant in zip(read, truth, strict=False)]
    exact = sum(text.strip() == meant for line in pairs for text, meant in line)
    return Score(sheets=1, whole=whole, cells=sum(map(len, truth)), exact=exact)


def _of_rows(rows: Sequence[Json], visits: Sequence[Mapping[str, str]]) -> Score:
    """A row that is not there is silently wrong in all fields, one that should not be in all that are not marked."""
    score = Score()
    for row, meant in zip_longest(rows, visits, fillvalue=None):
        cells = {cell["field"]: cell for cell in (row or {"cells": []})["cells"]}
        for field in FIELDS.values():
            cell = cells.get(field, {"issues": []})
            right = row is not None and meant is not None and (cell.get("value") or "") == meant[field]
            marked = bool(cell["issues"])
            score += Score(fields=1, silently_wrong=not right and not marked, marked=marked)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.sheets", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    given = parser.parse_args()
    truths = pictures(given.folder)
    scores: dict[Path, Score] = {}
    with Client(given.url, os.environ.get("VISITS_KEY")) as api:
        for path, score in measured(Desk(api, PATIENCE_SECONDS), truths):
            scores[path] = score
            print(f"{path.name}: {score}", flush=True)
    for kind, score in by_font(scores, truths).items():
        print(f"{kind}: {score}")


if __name__ == "__main__":
    main()
