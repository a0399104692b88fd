"""How large is the package, and what takes the room."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.builds import BARE, OURS, PLAIN_PEERS, TITLES, ours, peer
from bench.report import Bars, Question, Row

OWN: Final = ("app", "chalicelib", "handler", "visits", "rules", "models")
SHOWN: Final = 0.01
"""Of the zip: what is smaller than this is told as one."""

HOW: Final = """\
The zip that `make package` writes, by what is in it, and the zips of the peers as their users build them: in the zip,
and unpacked as Lambda keeps it (250 MB at most). Ours has the bytecode of everything beside its source; boto3 is the
runtime's in every one of them."""


def measure(quick: bool) -> Question:
    zipped, unpacked = sizes(ours().zip_file)
    whole = sum(zipped.values())
    large = sorted((part for part, size in zipped.items() if size >= SHOWN * whole), key=lambda part: -zipped[part])
    small = zipped.keys() - large
    table: list[tuple[str, ...]] = [
        (TITLES[OURS], part, _thousands(zipped[part]), _thousands(unpacked[part])) for part in large
    ]
    rest = (_thousands(sum(of[part] for part in small)) for of in (zipped, unpacked))
    table.append((TITLES[OURS], f"{len(small)} others", *rest))
    rows = []
    sized = {OURS: (ours().zip_file.stat().st_size, sum(unpacked.values()))}
    for name in (BARE,) if quick else PLAIN_PEERS:
        archive = peer(name).zip_file
        sized[name] = (archive.stat().st_size, sum(sizes(archive)[1].values()))
    for name, (size, spread) in sized.items():
        table.append((f"**{TITLES[name]}**", "everything", _thousands(size), _thousands(spread)))
        rows.append(Row("zip_bytes" if name == OURS else f"{name}_zip_bytes", size, "bytes"))
    rows.append(Row("unzipped_bytes", sized[OURS][1], "bytes"))
    return Question(
        name="package",
        title="How large is the package?",
        how=HOW,
        header=("", "part", "zipped, KB", "unpacked, KB"),
        table=table,
        bars=Bars(
            [TITLES[name] for name in sized],
            {"zipped": [size / 1e6 for size, _ in sized.values()]},
            "MB",
        ),
        rows=rows,
    )


def sizes(archive: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Bytes in the zip and unpacked, by library or part of ours."""
    zipped: dict[str, int] = defaultdict(int)
    unpacked: dict[str, int] = defaultdict(int)
    with zipfile.ZipFile(archive) as opened:
        for file in opened.infolist():
            part = _part(file.filename)
            zipped[part] += file.compress_size
            unpacked[part] += file.file_size
    return zipped, unpacked


def _part(name: str) -> str:
    """The library that a file belongs to; single modules and metadata count for theirs."""
    top = name.removeprefix("__pycache__/").partition("/")[0]
    part = top.split(".")[0].split("-")[0].lower()
    return "our own code" if part in OWN else part


def _thousands(size: float) -> str:
    return f"{size / 1e3:,.0f}"
