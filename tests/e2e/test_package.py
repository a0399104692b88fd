"""What `make package` makes: the same for the same project, whole, lean, and fit to run in Lambda and nowhere else."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version as version_of
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.functions import FUNCTIONS
from tests.cicd.linters import findings
from tests.e2e import swagger
from tests.people import ISSUER, PERSON, published, token
from tools.deliver import package as packaging
from tools.deliver.package import (
    BYTECODE_ALONE,
    CODE,
    Template,
    copy_project,
    expanded,
    package,
    past_the_alias,
    uploaded,
)
from tools.failure import CannotGoOn
from tools.generate.policies import STAGES
from tools.project import REGION, ROOT

UNCHECKED = 1
BUCKET = "artifacts"

CONTENTS = {
    "app.py", "chalice", "chalicelib",
    "pydantic", "pydantic_core", "annotated_types", "typing_extensions.py", "typing_inspection",
    "idna", "tzdata", "uuid6", "xlsxwriter", "phonenumbers", "python_calamine", "segno",
    "jwt", "cryptography", "_cffi_backend.cpython-313-x86_64-linux-gnu.so",
    "LICENSE", "bom.cdx.json",
}  # fmt: skip
"""What is there besides bytecode and the libraries' own papers. A new dependency changes this list, knowingly."""


@pytest.fixture(scope="module")
def files(packaged: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The project in another place, to be changed."""
    folder = tmp_path / "a-folder-of-another-name"
    copy_project(project, folder)
    return folder


@contextlib.contextmanager
def bucket() -> Iterator[Any]:
    """A bucket that keeps every version of what is in it, and a client to look at it."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        s3: Any = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield s3


# The zip


ORIGIN = "https://agency.example"


@pytest.fixture(scope="module")
def again(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """What is made of the same project in another folder at another time, for a bucket, and what then is in that; beta
    names origins of its own.
    """
    folder = tmp_path_factory.mktemp("again")
    copy, out = folder / "a-folder-of-another-name", folder / "out"
    copy_project(project, copy)
    with_origins(copy, "beta", f"{ORIGIN},https://b.example")
    for path in copy.rglob("*"):
        os.utime(path, (946684800, 946684800))
    # What lies about there by accident has no part in it.
    (copy / "chalicelib" / "__pycache__").mkdir()
    (copy / "chalicelib" / "__pycache__" / "settings.cpython-313.pyc").write_bytes(b"old")
    with bucket() as s3:
        package(["prod", "beta"], out, BUCKET, copy)
        return out, [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]


def test_the_same_project_makes_the_same_bytes_wherever_and_whenever(
    packaged: Path, again: tuple[Path, list[str]]
) -> None:
    out, keys = again
    zipped = (packaged / "deployment.zip").read_bytes()
    assert (out / "deployment.zip").read_bytes() == zipped
    place = {"Bucket": BUCKET, "Key": f"code/{hashlib.sha256(zipped).hexdigest()}.zip"}
    assert keys == [place["Key"]]
    # The templates differ in where the zip is, and in nothing else.
    beside = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    for function in (traits.template_name for traits in FUNCTIONS.values()):
        beside["Resources"][function]["Properties"]["CodeUri"] = place
    assert json.loads((out / "prod.json").read_text(encoding="utf-8")) == beside


def test_what_is_in_the_bucket_already_is_not_put_there_again() -> None:
    with bucket() as s3:
        places = [uploaded(b"a zip", BUCKET, CODE) for _ in range(2)]
        (there,) = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert places == [{"Bucket": BUCKET, "Key": there["Key"]}] * 2


def test_what_is_packaged_verifies_the_token_of_a_person(packaged: Path, tmp_path: Path) -> None:
    """Only what cryptography needs for that is packaged of what it brings along."""
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        archive.extractall(tmp_path)
    lines = [
        "import sys",
        "from chalicelib.repositories.token_keys import PublishedKeys",
        "from chalicelib.services.callers import Callers",
        "token, issuer, keys = sys.argv[1:]",
        "callers = Callers(None, issuer, PublishedKeys(keys.encode))",
        "print(callers.authenticate(token).id)",
    ]
    command = [sys.executable, "-S", "-c", "\n".join(lines), token(), ISSUER, published().decode()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (PERSON, "")


def test_every_source_has_its_bytecode_and_python_takes_it_without_looking_back(files: Mapping[str, bytes]) -> None:
    sources = {name for name in files if name.endswith(".py")}
    alone = {name for name in files if name.endswith(".pyc") and name.split("/")[0] in BYTECODE_ALONE}
    assert {name for name in files if name.endswith(".pyc")} - alone == {cache_from_source(name) for name in sources}
    assert {int.from_bytes(files[name][4:8], "little") for name in alone} == {UNCHECKED}
    for name in sources:
        compiled = files[cache_from_source(name)]
        assert compiled[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(compiled[4:8], "little") == UNCHECKED, f"{name} would be compared with its source"
        assert compiled[8:16] == importlib.util.source_hash(files[name]), f"{name} is not what was compiled"
        code = marshal.loads(compiled[16:])
        assert isinstance(code, CodeType)
        assert code.co_filename == f"/var/task/{name}"


def test_it_has_what_is_needed_and_no_more_and_is_small(packaged: Path, files: Mapping[str, bytes]) -> None:
    tops = {name.split("/")[0] for name in files}
    papers = {top for top in tops if top.endswith(".dist-info")}
    assert tops - papers - {"__pycache__"} == CONTENTS
    assert {name.split("/")[1] for name in files if name.split("/")[0] in papers} == {"METADATA", "licenses"}
    assert not [name for name in files if "test" in name.lower() or name.endswith((".pyi", "py.typed", ".c", ".h"))]
    assert (packaged / "deployment.zip").stat().st_size < 12_000_000


def test_what_reads_sheets_is_a_small_part_of_the_zip(packaged: Path) -> None:
    parts = (
        "python_calamine",
        "phonenumbers",
        "chalicelib/reading/",
        "chalicelib/aws/data/s3",
        "chalicelib/aws/data/textract",
    )
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        sizes = {
            part: sum(each.compress_size for each in archive.infolist() if each.filename.startswith(part))
            for part in parts
        }
    assert all(sizes.values()), sizes
    assert sum(sizes.values()) <= 2_500_000


def test_every_library_comes_with_the_terms_of_its_use(files: Mapping[str, bytes]) -> None:
    papers = {name.split("/")[0] for name in files if ".dist-info/" in name}
    texts = {name.split("/")[0] for name in files if "/licenses/" in name and len(files[name]) > 50}
    assert papers == texts
    assert {name for name in files if re.fullmatch(r"chalice-[^/]+/licenses/(LICENSE|NOTICE)", name)}, "Apache's 4(d)"
    assert files["LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_the_bill_of_materials_names_what_is_in_it_and_nothing_else(packaged: Path, files: Mapping[str, bytes]) -> None:
    assert (packaged / "bom.cdx.json").read_bytes() == files["bom.cdx.json"]
    bill = json.loads(files["bom.cdx.json"])
    pinned = re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / "requirements.txt").read_text("utf-8").lower(), re.MULTILINE)
    expected = {f"pkg:pypi/{name}@{version}" for name, version in [*pinned, ("chalice", version_of("chalice"))]}
    assert {component["purl"] for component in bill["components"]} == expected
    assert all(component["licenses"] for component in bill["components"])
    needed = {entry["ref"]: set(entry["dependsOn"]) for entry in bill["dependencies"]}
    us = bill["metadata"]["component"]["bom-ref"]
    assert needed.keys() == expected | {us}
    reached = needed[us].copy()
    while more := {purl for ref in reached for purl in needed[ref]} - reached:
        reached |= more
    assert reached == expected, "something is in it that nothing needs"
    core = next(component for component in bill["components"] if component["name"] == "pydantic_core")
    assert "pkg:cargo/jiter" in str(core["components"]), "what was built into it"


def test_the_bill_of_materials_is_cyclonedx(packaged: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cyclonedx.schema import SchemaVersion as Version;"
        "from cyclonedx.validation.json import JsonStrictValidator as Validator;"
        "sys.exit(str(Validator(Version.V1_6).validate_str(Path(sys.argv[1]).read_text()) or ''))"
    )
    assert findings("python", "-c", code, packaged / "bom.cdx.json") == ""


def test_everybody_may_read_what_is_in_it(packaged: Path) -> None:
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


# The templates


@pytest.mark.parametrize("stage", STAGES)
def test_a_template_is_for_its_stage_and_has_the_zip_beside_it(packaged: Path, stage: str) -> None:
    template = json.loads((packaged / f"{stage}.json").read_text(encoding="utf-8"))
    assert template["Parameters"]["Stage"]["Default"] == stage
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    assert len(functions) == len(FUNCTIONS)
    for function in functions:
        assert function["Properties"]["CodeUri"] == "./deployment.zip"
        assert function["Properties"]["Environment"]["Variables"]["STAGE"] == stage
    assert (packaged / "data.json").read_bytes() == (ROOT / ".chalice" / "data.json").read_bytes()


@pytest.mark.parametrize("stage", STAGES)
def test_gateway_and_queue_call_the_alias_of_every_function(packaged: Path, stage: str) -> None:
    template = json.loads((packaged / f"{stage}.json").read_text(encoding="utf-8"))
    cloud = expanded(template)["Resources"]
    gateway = json.dumps(cloud["RestAPI"]["Properties"]["Body"])
    assert gateway.count("${APIHandlerAliaslive}") == gateway.count('"aws_proxy"') > 0
    assert gateway.count("${BearerKeyAliaslive}") == 1
    fed = [r["Properties"] for r in cloud.values() if r["Type"] == "AWS::Lambda::EventSourceMapping"]
    fed_functions = {source["FunctionName"]["Ref"] for source in fed}
    fed_by = ("WorkOffQueue", "Deliver", "Relay", "Notify", "ReadSheet")
    assert fed_functions == {f"{name}Aliaslive" for name in fed_by}
    allowed = [r["Properties"]["FunctionName"] for r in cloud.values() if r["Type"] == "AWS::Lambda::Permission"]
    assert allowed == [{"Ref": f"{name}Aliaslive"} for name in ("APIHandler", "BearerKey", "Remind")]


@pytest.fixture
def bare(copy: Path) -> Path:
    """Without libraries, which are most of the work, for tests of the template."""
    (copy / "requirements.txt").write_text("", encoding="utf-8")
    return copy


def with_origins(copy: Path, stage: str, origins: str) -> Path:
    file = copy / ".chalice" / "config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["stages"][stage]["environment_variables"]["CORS_ORIGINS"] = origins
    file.write_text(json.dumps(settings), encoding="utf-8")
    return copy


def test_the_gateway_names_the_origin_of_its_stage_whoever_deploys_it(again: tuple[Path, list[str]]) -> None:
    """It is in the template, so that CodePipeline, which gives no parameter for it, deploys it too."""
    header, named = "gatewayresponse.header.Access-Control-Allow-Origin", {}
    for stage in ("prod", "beta"):
        template = json.loads((again[0] / f"{stage}.json").read_text(encoding="utf-8"))
        definition = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
        answers = definition["x-amazon-apigateway-gateway-responses"].values()
        named[stage] = {answer["responseParameters"].get(header) for answer in answers}
    assert named == {"prod": {None}, "beta": {f"'{ORIGIN}'"}}


def test_an_origin_that_no_browser_would_send_fails_the_build(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match=r"'https://agency\.example/', which is not an origin"):
        package(["prod"], tmp_path / "out", project=with_origins(bare, "prod", "https://agency.example/"))


def without_an_alias(template: Template) -> None:
    for name in ("AutoPublishAlias", "DeploymentPreference"):
        del template["Resources"]["BearerKey"]["Properties"][name]


def with_a_route_past_it(template: Template) -> None:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    paths["/health"]["get"]["x-amazon-apigateway-integration"]["uri"] = {"Fn::Sub": "arn:...:${APIHandler.Arn}/..."}


def with_a_permission_past_it(template: Template) -> None:
    permission = template["Resources"]["APIHandlerInvokePermission"]["Properties"]
    permission["FunctionName"] = {"Fn::GetAtt": ["APIHandler", "Arn"]}


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (without_an_alias, "BearerKey has no alias live"),
        (with_a_route_past_it, "RestAPI calls APIHandler"),
        (with_a_permission_past_it, "APIHandlerInvokePermission calls APIHandler"),
    ],
)
def test_a_call_past_the_alias_is_found(packaged: Path, slip: Callable[[Template], None], said: str) -> None:
    template = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    assert list(past_the_alias(expanded(template))) == []
    slip(template)
    assert said in list(past_the_alias(expanded(template)))


# What fails the build


def broken_dependency(folder: Path) -> Path:
    """A library that can be fetched, and not be installed."""
    setup = b"""
import sys
from setuptools import setup
if "bdist_wheel" in sys.argv:
    sys.exit("this machine lacks something")
setup(name="broken", version="1.0")
"""
    file = folder / "broken-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name, content in (
            ("setup.py", setup),
            ("PKG-INFO", b"Metadata-Version: 1.0\nName: broken\nVersion: 1.0\n"),
        ):
            entry = tarfile.TarInfo(f"broken-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file


def test_a_dependency_that_cannot_be_installed_fails_the_build(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # setuptools is at hand; it need not be fetched for this, nor anything else.
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (copy / "requirements.txt").write_text(f"{broken_dependency(tmp_path)}\n", encoding="utf-8")
    with pytest.raises(CannotGoOn, match="A dependency is missing") as refusal:
        package(["prod"], tmp_path / "out", project=copy)
    assert "broken==1.0" in str(refusal.value)
    assert not list((tmp_path / "out").iterdir())


def test_a_dependency_that_does_not_exist_fails_the_build(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (copy / "requirements.txt").write_text("visits-impossible==1.0\n", encoding="utf-8")
    with pytest.raises(CannotGoOn, match="visits-impossible"):
        package(["prod"], tmp_path / "out", project=copy)


def test_a_template_that_cloudformation_would_refuse_fails_the_build(bare: Path, tmp_path: Path) -> None:
    file = bare / ".chalice" / "resources.json"
    merged = json.loads(file.read_text(encoding="utf-8"))
    merged["Resources"]["BearerKey"]["Properties"]["AutoPublishAlias"] = ["live"]
    file.write_text(json.dumps(merged), encoding="utf-8")
    with pytest.raises(CannotGoOn, match=r"template of prod: .*AutoPublishAlias"):
        package(["prod"], tmp_path / "out", project=bare)


def test_settings_that_only_a_deployment_would_refuse_fail_the_build(copy: Path, tmp_path: Path) -> None:
    file = copy / ".chalice" / "config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(settings | {"minimum_compression_size": -1}), encoding="utf-8")
    with pytest.raises(CannotGoOn, match="minimum_compression_size"):
        package(["dev"], tmp_path / "out", project=copy)


@pytest.mark.parametrize(("stage", "said"), [("prd", "no stage 'prd'"), ("local", "embedded AWS")])
def test_only_stages_of_aws_are_packaged(tmp_path: Path, stage: str, said: str) -> None:
    with pytest.raises(CannotGoOn, match=said):
        package([stage], tmp_path)


def test_another_python_than_the_pinned_one_does_not_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packaging, "pinned_python", lambda: (3, 9))
    assert packaging.main(["prod", "--out", str(tmp_path)]) == 1
    assert "built with Python 3.9" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# What Chalice makes of our routes


def test_chalice_defines_the_api_as_when_somebody_last_looked() -> None:
    """Another Chalice, or another route, may be meant: look at the difference, then python -m tests.e2e.swagger."""
    assert swagger.generated() == json.loads(swagger.GOLDEN.read_text(encoding="utf-8"))


def test_the_packaged_api_is_what_chalice_defines_and_what_we_add(packaged: Path) -> None:
    template = json.loads((packaged / "prod.json").read_text(encoding="utf-8"))
    packaged = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    plain = json.loads(json.dumps(packaged).replace(".Alias}", ".Arn}"))
    defined = swagger.generated()
    assert plain["paths"] == defined["paths"]
    assert plain["securityDefinitions"] == defined["securityDefinitions"]
