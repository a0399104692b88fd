"""Every template that goes to CloudFormation, clean for its linters.

A linter takes longer to start than to read most of them, so each reads all in one run. The stages' templates differ in
names alone, so each way to deploy one is looked at with one of them, as SAM writes it out.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cicd.linters import Finding, cfn_lint, checkov
from tests.cicd.stacks import CANARY
from tools.deliver.network import Network, placed
from tools.deliver.package import Template, expanded, in_image
from tools.generate.policies import STAGES
from tools.generate.templates import CONSOLE, IMAGES, NETWORK, PIPELINE, RELEASE
from tools.project import ROOT

ACCOUNT_TEMPLATE: Final = ROOT / ".chalice" / "account.json"
MAIL_TEMPLATE: Final = ROOT / ".chalice" / "mail.json"

OTHER_PARTITIONS: Final = ("eu-central-1", "cn-north-1", "us-gov-west-1")

SKIPPED_BY_CHECKOV: Final = {
    "CKV_AWS_18": "who uploads and looks is in the API's log; S3's own would write down presigned links",
    "CKV_AWS_21": "an older version of a photograph is what a person asked to be deleted",
    "CKV_AWS_27": "it knows keys of KMS only; SQS encrypts with its own, for nothing and without a permission",
    "CKV_AWS_86": "its log would hold addresses of people and of visitors; the API's own says what was called",
    "CKV_AWS_73": "a trace of the stage holds addresses with their queries, and callers; the functions are traced",
    "CKV_AWS_115": "reserved concurrency takes from the account what others may need, and a new one has too little; "
    "the worker is held by its event source, callers are held by the gateway's throttling",
    "CKV_AWS_116": "one function is called asynchronously, every minute, and makes up for the minutes it missed; the "
    "queues' dead letters have what the others give up",
    "CKV_AWS_117": "the functions call AWS only, and no network of ours holds anything that they need",
    "CKV_AWS_119": "AWS's key for DynamoDB encrypts, and CloudTrail shows its use; one of ours would cost, and with it "
    "the data could be lost",
    "CKV_AWS_120": "an answer of the gateway's cache would be another caller's, or out of date",
    "CKV_AWS_158": "CloudWatch encrypts logs with its own key, and they have no personal data",
    "CKV_AWS_174": "CloudFront's own certificate takes no minimum; with a name of the agency's own it is TLSv1.2_2021",
    "CKV_AWS_173": "the environment has names of tables and queues, no secrets",
}
"""What checkov finds in a stage's templates and we keep, and why."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(scope="module")
def written_out(packaged: Path, folder: Path) -> dict[str, Path]:
    """The stages' templates as CloudFormation works with them: between them every network and every way to deploy."""
    made = {stage: json.loads((packaged / f"{stage}.json").read_text(encoding="utf-8")) for stage in STAGES}
    image = placed(in_image(made["dev"]), "dev", Network.PRIVATE)
    internal = placed(made["beta"], "beta", Network.INTERNAL)
    return {
        "dev": _written(folder / "dev-image-private.json", expanded(image, {"ImageTag": "one"})),
        "beta": _written(folder / "beta-internal.json", expanded(internal)),
        "prod": _written(folder / "prod-canary.json", expanded(made["prod"], CANARY)),
    }


def _written(file: Path, template: Template) -> Path:
    file.write_text(json.dumps(template, indent=2), encoding="utf-8")
    return file


# cfn-lint


@pytest.fixture(scope="module")
def linted(packaged: Path, terraformed: Path, written_out: dict[str, Path]) -> list[Finding]:
    """What cfn-lint finds."""
    assert written_out.keys() == set(STAGES)
    committed = [CONSOLE, ACCOUNT_TEMPLATE, MAIL_TEMPLATE, RELEASE, PIPELINE]
    made = [packaged / "data.json", terraformed / "watch.json"]
    return cfn_lint(*committed, *made, *written_out.values())


def test_cfn_lint_is_content(linted: list[Finding], written_out: dict[str, Path]) -> None:
    # SAM writes the tag in the place of its parameter, which is then used no more.
    tag = (written_out["dev"].name, "W2001")
    assert [finding for finding in linted if (finding.file, finding.rule) != tag] == []
    assert [finding.text for finding in linted if (finding.file, finding.rule) == tag] == [
        "Parameter ImageTag not used."
    ]


def test_what_is_for_other_partitions_too_fits_them() -> None:
    assert cfn_lint(NETWORK, IMAGES, regions=OTHER_PARTITIONS) == []


# checkov


@pytest.fixture(scope="module")
def stage_templates(packaged: Path, written_out: dict[str, Path]) -> list[Path]:
    return [written_out["prod"], packaged / "data.json", CONSOLE, ACCOUNT_TEMPLATE]


@pytest.fixture(scope="module")
def bare_pipeline(folder: Path) -> Path:
    """Without the explanations that it carries for checkov."""
    template = copy.deepcopy(json.loads(PIPELINE.read_text(encoding="utf-8")))
    for resource in template["Resources"].values():
        resource.get("Metadata", {}).pop("checkov", None)
    return _written(folder / "pipeline.json", template)


@pytest.fixture(scope="module")
def checked(stage_templates: list[Path], bare_pipeline: Path) -> dict[str, list[dict[str, Any]]]:
    """What checkov's checks came to: passed_checks, failed_checks, skipped_checks."""
    files = [*stage_templates, NETWORK, IMAGES, RELEASE, bare_pipeline]
    results = checkov(*files)
    assert {_file(check) for check in results["passed_checks"]} == {file.name for file in files}
    return results


def _file(check: dict[str, Any]) -> str:
    return Path(check["file_path"]).name


def test_checkov_finds_in_a_stage_what_we_have_explained_and_nothing_else(
    checked: dict[str, list[dict[str, Any]]], stage_templates: list[Path]
) -> None:
    ours = {file.name for file in stage_templates}
    failed = [check for check in checked["failed_checks"] if _file(check) in ours]
    unexplained = [
        f"{check['check_id']} {check['resource']}: {check['check_name']}"
        for check in failed
        if check["check_id"] not in SKIPPED_BY_CHECKOV
    ]
    assert unexplained == []
    assert {check["check_id"] for check in failed} == SKIPPED_BY_CHECKOV.keys(), "an explanation that is not needed"


def test_checkov_finds_in_the_pipeline_what_it_explains_and_nothing_else(
    checked: dict[str, list[dict[str, Any]]], bare_pipeline: Path
) -> None:
    explained = set()
    for name, resource in json.loads(PIPELINE.read_text(encoding="utf-8"))["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skip["comment"].split()) > 3
            explained.add((skip["id"], f"{resource['Type']}.{name}"))
    failed = [check for check in checked["failed_checks"] if _file(check) == bare_pipeline.name]
    assert {(check["check_id"], check["resource"]) for check in failed} == explained


@pytest.mark.parametrize("template", [NETWORK, IMAGES, RELEASE], ids=lambda file: file.stem)
def test_checkov_finds_nothing_in_what_an_account_has_once(
    checked: dict[str, list[dict[str, Any]]], template: Path
) -> None:
    assert [check for check in checked["failed_checks"] if _file(check) == template.name] == []
    skipped = [check for check in checked["skipped_checks"] if _file(check) == template.name]
    assert all(len(check["check_result"]["suppress_comment"].split()) > 3 for check in skipped)
