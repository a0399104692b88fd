"""What the package is made of: its bill of materials (CycloneDX 1.6), and the licence texts that it must carry.

Read from what is in the package, so that nothing else can be told. Chalice puts its runtime in without a word of where
it is from: that comes from the Chalice that packages.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath
from typing import Any, Final

from tools.project import ROOT

FILE: Final = "bom.cdx.json"
LICENCE: Final = "LICENSE"

PAPERS: Final = re.compile(r"METADATA|licenses/.+|(LICEN[CS]E|COPYING|NOTICE)[^/]*")
"""What stays of a library's papers: names and versions, which scanners read too, and the terms of its use."""

SPDX: Final[Mapping[str, str]] = {
    "Apache License 2.0": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
}
"""Licences that a library tells by a name from before there were identifiers."""

Component = dict[str, Any]


def is_paper(name: str) -> bool:
    """Whether the file is one of those papers that stay."""
    folder, _, rest = name.partition("/")
    return folder.endswith(".dist-info") and PAPERS.fullmatch(rest) is not None


def add_papers(folder: Path, made: zipfile.ZipFile) -> None:
    """Adds to what was taken of Chalice's zip: Chalice's own papers, our licence and the bill of materials."""
    _add_papers_of_chalice(folder)
    shutil.copyfile(ROOT / LICENCE, folder / LICENCE)
    (folder / FILE).write_text(json.dumps(_bill(folder, made), indent=1) + "\n", encoding="utf-8")


def _add_papers_of_chalice(folder: Path) -> None:
    chalice = distribution("chalice")
    for file in chalice.files or ():
        if is_paper(file.as_posix()):
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(chalice.locate_file(file))), target)


def _bill(folder: Path, made: zipfile.ZipFile) -> Component:
    libraries = [(place, Distribution.at(place)) for place in sorted(folder.glob("*.dist-info"))]
    purls = {_plain(library.name): _purl(library) for _, library in libraries}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    us = f"{project['name']}@{project['version']}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": us,
                "name": project["name"],
                "version": project["version"],
                "licenses": _licences(project["license"]),
            }
        },
        "components": [_component(library, list(_within(place.name, made))) for place, library in libraries],
        "dependencies": [
            # Chalice is here for what ships of it, which needs nothing of what the whole of it does.
            {
                "ref": us,
                "dependsOn": sorted(purls[name] for name in (*map(_named, project["dependencies"]), "chalice")),
            },
            *(
                {"ref": _purl(library), "dependsOn": sorted(purls[name] for name in _needed(library) if name in purls)}
                for _, library in libraries
            ),
        ],
    }


def _component(library: Distribution, within: list[Component]) -> Component:
    said = library.metadata.get_all
    classified = [each for each in said("Classifier") or [] if each in SPDX]
    told = said("License-Expression") or said("License") or classified or [""]
    return {
        "type": "library",
        "bom-ref": _purl(library),
        "name": library.name,
        "version": library.version,
        "licenses": _licences(told[0]),
        "purl": _purl(library),
        **({"components": within} if within else {}),
    }


def _licences(told: str) -> list[Component]:
    """Whoever says nothing has no licence there, and a test finds it."""
    return [{"expression": SPDX.get(told, told)}] if told else []


def _within(papers: str, made: zipfile.ZipFile) -> Iterator[Component]:
    """What was built into a library in another language, as its own bill says (PEP 770)."""
    for name in sorted(name for name in made.namelist() if "/sboms/" in name):
        if PurePosixPath(name).match(f"{papers}/sboms/*.json"):
            for component in json.loads(made.read(name)).get("components", []):
                yield {
                    key: component[key] for key in ("type", "name", "version", "licenses", "purl") if key in component
                }


def _needed(library: Distribution) -> Iterator[str]:
    if _plain(library.name) != "chalice":
        yield from (_named(requirement) for requirement in library.requires or () if "extra ==" not in requirement)


def _named(requirement: str) -> str:
    return _plain(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def _plain(name: str) -> str:
    """A name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _purl(library: Distribution) -> str:
    return f"pkg:pypi/{_plain(library.name)}@{library.version}"
