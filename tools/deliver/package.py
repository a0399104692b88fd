"""`make package`: one zip for every stage and a template for each, ready for CloudFormation.

`chalice package` makes them; here they become what is fit to be deployed. The zip depends on its content alone, carries
its bytecode and nothing that no code needs; the gateway and the queue call the functions through their alias, so that a
release can be shifted and taken back. Whatever Chalice only mentions in passing fails the build.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tools.deliver.bill_of_materials import FILE as BILL
from tools.deliver.bill_of_materials import add_papers, is_paper
from tools.deliver.console import built
from tools.deliver.network import Network, placed
from tools.failure import CannotGoOn
from tools.generate.gateway_responses import EXTENSION, definition, named_origin
from tools.operate.refusals import told_in_words
from tools.project import REGION, ROOT, pinned_python

ALIAS: Final = "live"
ZIP: Final = "deployment.zip"
CODE: Final = "code/{}.zip"
"""Where the zip lies in a bucket."""

IMAGE: Final = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/visits:${ImageTag}"
"""Where the image lies: in the repository of .chalice/images.json."""

PROJECT: Final = ("app.py", "chalicelib", "requirements.txt", ".chalice")
"""What Chalice packages, and what it reads to do so."""

NOT_PACKAGED: Final = ("__pycache__", "deployments", "deployed")

CHALICE: Final = """
import os, sys, zipfile
from chalice.cli import main
from chalice.cli.factory import CLIFactory
from chalice.deploy.validate import validate_configuration
from chalice.utils import OSUtils
stage = sys.argv[sys.argv.index("--stage") + 1]
validate_configuration(CLIFactory(os.getcwd(), environ=os.environ).create_config_obj(stage))
OSUtils.ZIP_DEFLATED = zipfile.ZIP_STORED
sys.exit(main())
"""
"""Chalice's command line, with the checks of `chalice deploy` that `chalice package` does not make. Its zip is unpacked
again at once, so nobody compresses it."""

AS_IN_LAMBDA: Final = "/var/task"

USELESS: Final = (".pyc", ".pyi", "/py.typed")
"""Bytecode that only happens to be there (ours is made below), and what type checkers read."""

UNUSED: Final = (
    "pydantic/v1/",
    "pydantic/mypy.py",
    "pydantic/color.py",
    "annotated_types/test_cases.py",
    "phonenumbers/shortdata/region_",
    *(f"phonenumbers/{name}.py" for name in ("carrier", "geocoder", "prefix", "timezone")),
    "segno/cli.py",
    "segno/helpers.py",
    "cryptography/fernet.py",
    "cryptography/hazmat/asn1/",
    "cryptography/hazmat/primitives/twofactor/",
    "cffi/",
    "pycparser/",
    "tzdata/zoneinfo/tzdata.zi",
)
"""pydantic of years ago, which it carries for classes written then, its part for mypy, somebody's tests, every
country's emergency numbers and what has no data here, what is for terminals and other protocols, what compiles C (what
it made is there), and the zones once more as text."""

BYTECODE_ALONE: Final = ("idna", "phonenumbers", "xlsxwriter")
"""Large tables and large modules that no trace of ours quotes: what remains of them is what Python runs."""

Template = dict[str, Any]


class Format(StrEnum):
    """What the functions are of."""

    ZIP = "zip"
    IMAGE = "image"


# SAM's library speaks of its own affairs there, to whoever builds.
logging.getLogger("samtranslator").addHandler(logging.NullHandler())


def require_pinned_python() -> None:
    """Chalice packages for the Python it runs on, so that must be the pinned one. Raises CannotGoOn."""
    wanted, here = (".".join(map(str, version[:2])) for version in (pinned_python(), sys.version_info))
    if here != wanted:
        raise CannotGoOn(
            f"The package for AWS is built with Python {wanted} (pyproject.toml), and this environment has {here}. "
            f"Install Python {wanted} (`sh devstack/uv.sh python install {wanted}`, or pyenv, asdf, mise or your "
            f"system's packages), then run `make clean` and try again; PYTHON=/path/to/python{wanted} names one."
        )


def package(
    stages: Sequence[str],
    out: Path,
    bucket: str | None = None,
    project: Path = ROOT,
    network: Network = Network.AS_IT_IS,
    form: Format = Format.ZIP,
) -> None:
    """Packages the project into the folder: deployment.zip, bom.cdx.json, data.json, and <stage>.json for each stage.

    With a bucket the zip goes there, under a name made of its content, and the templates say so. Raises CannotGoOn.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="visits-package-") as temporary:
        # From a copy: Chalice keeps its packages in the project, and takes along whatever lies about there.
        copy, folder = Path(temporary, "project"), Path(temporary, "code")
        copy_project(project, copy)
        made_of = {stage: _packaged(copy, stage, Path(temporary, stage)) for stage in stages}
        # What CloudFormation would refuse is told before the zip is made.
        templates = {
            stage: _finished(placed(template if form is Format.ZIP else in_image(template), stage, network), stage)
            for stage, template in made_of.items()
        }
        # Chalice makes it once for all stages, of the same files.
        with zipfile.ZipFile(Path(temporary, stages[0], ZIP)) as made:
            made.extractall(folder, [name for name in made.namelist() if _ships(name)])
            add_papers(folder, made)
        _compile(folder)
        _leave_bytecode_alone(folder)
        write_zip(folder, out / ZIP)
        shutil.copyfile(folder / BILL, out / BILL)
    code: str | Mapping[str, str] = f"./{ZIP}" if bucket is None else uploaded((out / ZIP).read_bytes(), bucket, CODE)
    for stage, template in templates.items():
        coded = zipped(template, code) if form is Format.ZIP else template
        (out / f"{stage}.json").write_text(json.dumps(coded, indent=2) + "\n", encoding="utf-8")
    for name in ("data.json", "console.json"):
        shutil.copyfile(project / ".chalice" / name, out / name)


# What Chalice makes


def copy_project(project: Path, copy: Path) -> None:
    """What Chalice needs of the project, in a folder of its own."""
    copy.mkdir()
    for name in PROJECT:
        if (project / name).is_dir():
            shutil.copytree(project / name, copy / name, ignore=shutil.ignore_patterns(*NOT_PACKAGED))
        else:
            shutil.copyfile(project / name, copy / name)


def _packaged(project: Path, stage: str, out: Path) -> Template:
    """What `chalice package` makes of a stage, the merge template laid over it."""
    chalice_package(project, stage, out, "--template-format", "json", "--merge-template", ".chalice/resources.json")
    template: Template = json.loads((out / "sam.json").read_text(encoding="utf-8"))
    return template


def chalice_package(project: Path, stage: str, out: Path, *options: str) -> None:
    """Runs `chalice package`, and fails where it only mentions something. Raises CannotGoOn."""
    # For a stage that it does not know, Chalice packages something without settings.
    settings = json.loads((project / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"]
    if stage not in settings:
        raise CannotGoOn(f"There is no stage '{stage}' in .chalice/config.json; there are: {', '.join(settings)}.")
    if "AWS_ENDPOINT_URL" in settings[stage]["environment_variables"]:
        raise CannotGoOn(f"The stage '{stage}' runs on the embedded AWS; only stages on real AWS are packaged.")
    said = _run([sys.executable, "-c", CHALICE, "package", "--stage", stage, *options, str(out)], project)
    # It ends well also without a dependency that could not be installed, and only says so.
    if "Could not install" in said:
        raise CannotGoOn(f"A dependency is missing from the package of {stage}:\n{said}")


def _run(command: Sequence[str], project: Path) -> str:
    """Runs it in the project, with no more of this process's surroundings than pip may need; gives what it says."""
    foreign = ("AWS_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode:
        raise CannotGoOn(f"Packaging failed:\n{said}")
    return said


# The zip


def _ships(name: str) -> bool:
    if name.startswith(UNUSED) or name.endswith(USELESS):
        return False
    top = name.partition("/")[0]
    if top.endswith(".dist-info"):
        return is_paper(name)
    # Scripts for a terminal.
    return not top.endswith(".data")


def _compile(folder: Path) -> None:
    """Bytecode beside every source, taken by Python without a look at the source, which stays for traces.

    A folder in Lambda cannot be written to, so without it every cold start would compile everything. What is written
    depends a little on what the compiling process has done before: therefore a process of its own that does only this.
    """
    # Its names are those in Lambda: nothing may tell where the package was built.
    place = ["-s", str(folder), "-p", AS_IN_LAMBDA]
    command = [sys.executable, "-S", "-s", "-m", "compileall", "-q", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, *place, str(folder)], env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, cwd=folder
    )
    if done.returncode:
        raise CannotGoOn(f"The package contains invalid Python:\n{done.stdout}{done.stderr}")


def _leave_bytecode_alone(folder: Path) -> None:
    """In the place of its source Python takes it too: https://docs.python.org/3/reference/import.html"""
    for source in [source for name in BYTECODE_ALONE for source in (folder / name).rglob("*.py")]:
        Path(cache_from_source(str(source))).replace(source.with_suffix(".pyc"))
        source.unlink()


def write_zip(folder: Path, file: Path) -> None:
    """A zip of the folder whose bytes say what is in it and nothing else: no time, no order, no owner."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # unix, wherever it is built
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 7)


def uploaded(content: bytes, bucket: str, name: str) -> Mapping[str, str]:
    """Where it is in the bucket, `{}` in the name being its hash. What is there already stays. Raises CannotGoOn when
    that is something else: somebody has put it there to be deployed in the place of what was built.
    """
    s3, place = boto3.client("s3"), {"Bucket": bucket, "Key": name.format(hashlib.sha256(content).hexdigest())}
    try:
        s3.put_object(**place, Body=content, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        if s3.get_object(**place)["Body"].read() != content:
            raise CannotGoOn(
                f"{bucket}/{place['Key']} does not match the hash in its name. Nothing was deployed."
            ) from None
    return place


# The template


def zipped(template: Template, code: str | Mapping[str, str]) -> Template:
    for function in _functions(template):
        template["Resources"][function]["Properties"]["CodeUri"] = code
    return template


def in_image(template: Template) -> Template:
    """Every function is of the one image, whose command says which; `make release` is told the image's tag."""
    described = "Of the image in the repository visits (docs/image.md)."
    tag = {"Type": "String", "AllowedPattern": "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "Description": described}
    template["Parameters"]["ImageTag"] = tag
    for function in _functions(template):
        properties = template["Resources"][function]["Properties"]
        command = {"Command": [properties["Handler"]]}
        # The image brings the runtime, and nobody else updates it.
        for name in ("Handler", "Runtime", "RuntimeManagementConfig", "CodeUri"):
            properties.pop(name, None)
        properties |= {"PackageType": "Image", "ImageUri": {"Fn::Sub": IMAGE}, "ImageConfig": command}
    return template


def _finished(template: Template, stage: str) -> Template:
    template["Parameters"]["Stage"]["Default"] = stage
    _name_origin(template)
    _call_through_alias(template)
    try:
        cloud = expanded(template)
    except InvalidDocumentException as refusal:
        causes = "; ".join(cause.message for cause in refusal.causes)
        raise CannotGoOn(f"CloudFormation would reject the template of {stage}: {causes}") from refusal
    if past := list(past_the_alias(cloud)):
        raise CannotGoOn(f"The package of {stage} would bypass the alias of functions: {', '.join(past)}.")
    return template


def _name_origin(template: Template) -> None:
    """In the gateway's own answers, as the app does in its."""
    settings = template["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    origin = named_origin(settings["CORS_ORIGINS"])
    template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][EXTENSION] = definition(origin)


def _functions(template: Template) -> list[str]:
    kinds = ("AWS::Serverless::Function", "AWS::Lambda::Function")
    return [name for name, resource in template["Resources"].items() if resource["Type"] in kinds]


def _call_through_alias(template: Template) -> None:
    """The gateway, and its permission to call, move to the alias; SAM itself moves what reads the queue."""
    resources = template["Resources"]
    gateway = json.dumps(resources["RestAPI"])
    for function in _functions(template):
        gateway = gateway.replace(f"${{{function}.Arn}}", f"${{{function}.Alias}}")
        for resource in resources.values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::Lambda::Permission" and function in _named(properties["FunctionName"]):
                properties["FunctionName"] = {"Ref": f"{function}.Alias"}
    resources["RestAPI"] = json.loads(gateway)


def past_the_alias(template: Template) -> Iterator[str]:
    """What, in a template that SAM has written out, would call a function itself instead of its alias; for people."""
    resources = template["Resources"]
    aliased = [
        resource["Properties"]["FunctionName"]["Ref"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::Alias" and resource["Properties"]["Name"] == ALIAS
    ]
    callers = ("AWS::ApiGateway::RestApi", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")
    for function in _functions(template):
        if function not in aliased:
            yield f"{function} has no alias {ALIAS}"
        for name, resource in resources.items():
            if resource["Type"] in callers and function in _named(resource["Properties"]):
                yield f"{name} calls {function}"


def _named(part: object) -> Iterator[str]:
    """The resources that a part of a template refers to, by `Ref`, `Fn::GetAtt` or within `Fn::Sub`."""
    if isinstance(part, list):
        for each in part:
            yield from _named(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield (value if isinstance(value, list) else value.split("."))[0]
            elif key == "Fn::Sub":
                text = value[0] if isinstance(value, list) else value
                yield from (piece.split("}")[0].split(".")[0] for piece in text.split("${")[1:])
            yield from _named(value)


def expanded(template: Template, parameters: Mapping[str, str] | None = None) -> Template:
    """What CloudFormation makes of a packaged template: SAM's short forms are written out."""
    packaged: Template = json.loads(json.dumps(template))
    for function in _functions(packaged):
        properties = packaged["Resources"][function]["Properties"]
        if isinstance(properties.get("CodeUri"), str):
            # SAM knows no file beside the template.
            properties["CodeUri"] = {"Bucket": "code", "Key": ZIP}
    given = {name: parameter.get("Default", "") for name, parameter in packaged.get("Parameters", {}).items()}
    # It would ask for the names of AWS's own policies; none is used.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    result: Template = translator.translate(packaged, given | dict(parameters or {}))
    # To nowhere; unpublished, its metrics make it complain.
    translator.metrics.publish()
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        require_pinned_python()
        with told_in_words():
            _copy_console(given.out)
            network, form = Network(given.network), Format(given.format)
            package(given.stages, given.out, given.bucket or None, network=network, form=form)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    content = (given.out / ZIP).read_bytes()
    print(f"{given.out / ZIP}: {len(content) / 1e6:.1f} MB, sha256 {hashlib.sha256(content).hexdigest()}")
    for stage in given.stages:
        print(f"{given.out / stage}.json")
    return 0


def _copy_console(out: Path) -> None:
    """The console's files, which `make console` built."""
    shutil.rmtree(out / "console", ignore_errors=True)
    shutil.copytree(built(), out / "console")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make package", description="Builds what CloudFormation deploys.")
    parser.add_argument("stages", nargs="+", help="stages of .chalice/config.json")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--network", choices=tuple(Network), default="", help="where the functions are")
    parser.add_argument("--format", choices=tuple(Format), default=Format.ZIP, help="what the functions are of")
    parser.add_argument("--bucket", default="", help="the bucket for the zip; without one it stays in the folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
