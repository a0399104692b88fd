"""`make image`: the package as a container image, built by buildah, podman or docker.

The image has the files of `deployment.zip`, what serves them over HTTP (`devstack/serve.py`), and its base: Lambda's
own for Python, or any with Python, boto3 and an entry point that takes a handler's name, as Lambda's does. No command
runs while it is built, so any machine builds it for Lambda's processor.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath
from typing import Final

from tools.deliver.bill_of_materials import is_paper
from tools.deliver.package import ZIP, package, require_pinned_python
from tools.failure import CannotGoOn
from tools.generate.policies import STAGES
from tools.operate.refusals import told_in_words
from tools.project import ROOT

DOCKERFILE: Final = ROOT / "Dockerfile"

ENGINES: Final[Mapping[str, tuple[str, ...]]] = {
    "buildah": ("--timestamp", "0"),
    "podman": ("--timestamp", "0"),
    "docker": ("--provenance=false",),
}
"""What builds images, and what each is told: the same input is the same image; and no attestations, with which Lambda
refuses it (https://docs.aws.amazon.com/lambda/latest/dg/python-image.html)."""

SERVER: Final = ("devstack/__init__.py", "devstack/gateway.py", "devstack/lifeline.py", "devstack/serve.py",
                 "devstack/server.py", "tools/__init__.py", "tools/project.py")  # fmt: skip

LIBRARIES: Final = {
    "chalice": ("__init__.py", "app.py", "compat.py", "config.py", "constants.py", "local.py"),
    "six": ("six.py",),
    "waitress": ("*.py",),
}
"""What the server needs of libraries: of Chalice no command line, nothing that packages and deploys."""

MAIN: Final = 'import sys\n\nsys.path.append("/var/task")\n\nfrom devstack.serve import main\n\nmain()\n'


def build(package: Path, name: str, base: str) -> None:
    """Builds the image of a packaged zip. Raises CannotGoOn."""
    engine = _engine()
    options = [*ENGINES[engine], *(["--build-arg", f"BASE={base}"] if base else [])]
    with tempfile.TemporaryDirectory(prefix="visits-image-") as context:
        lay_out(package, Path(context))
        place = ["--platform", "linux/amd64", "--tag", name, "--file", str(DOCKERFILE), context]
        done = subprocess.run([engine, "build", *options, *place])
    if done.returncode:
        raise CannotGoOn(f"{engine} did not build the image; its reason is above.")


def _engine() -> str:
    for engine in ENGINES:
        if shutil.which(engine):
            return engine
    raise CannotGoOn(
        f"An image is built by {', '.join(ENGINES)}; none is installed. buildah needs no daemon (docs/image.md)."
    )


def lay_out(package: Path, context: Path) -> None:
    """What the Dockerfile copies, for everybody to read and for nobody to change."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(context / "task")
    server = context / "serve"
    for name in SERVER:
        _copy(ROOT / name, server / name)
    for name, patterns in LIBRARIES.items():
        for source, target in _library(name, patterns):
            _copy(source, server / target)
    (server / "__main__.py").write_text(MAIN, encoding="utf-8")
    for path in context.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _library(name: str, patterns: Sequence[str]) -> Iterator[tuple[Path, PurePosixPath]]:
    """Files of an installed library, and its papers."""
    library = distribution(name)
    for file in library.files or ():
        own = file.parent.name in (name, "") and any(file.match(pattern) for pattern in patterns)
        if own or is_paper(file.as_posix()):
            yield Path(str(library.locate_file(file))), file


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make image", description="Builds the package as a container image.")
    parser.add_argument("name", help="the name of the image")
    parser.add_argument("--base", default="", help="the image it stands on; without one Lambda's for Python")
    given = parser.parse_args(arguments)
    try:
        require_pinned_python()
        _engine()
        with told_in_words(), tempfile.TemporaryDirectory(prefix="visits-package-") as folder:
            package(STAGES[:1], Path(folder))
            build(Path(folder, ZIP), given.name, given.base)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
