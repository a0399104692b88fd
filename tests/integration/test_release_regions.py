"""`make release` over a list of Regions, as the pipeline runs it: one after the other, each tried before the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from devstack.emulator import Emulator, emulator
from tests.cicd.codebuild import REGIONS_SPEC, spec_of
from tests.cicd.stacks import FURTHER
from tests.integration.test_release import packaged, prepare, seen
from tools.deliver import release as released
from tools.deliver.data_stack import credentials
from tools.deliver.package import ZIP
from tools.deliver.release import Account, main
from tools.project import REGION, ROOT

STAGE: Final = "prod"
FIRST, SECOND = FURTHER


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    """An account that docs/regions.md has prepared in each Region, and of which the first has a topic for alarms."""
    with emulator() as running:
        for region in FURTHER:
            told = {"Stage": STAGE, "Provider": "CodePipeline"}
            topic = {"AlarmTopicArn": f"arn:aws:sns:{region}:000000000000:on-call"} if region == FIRST else {}
            prepare(boto3.client("cloudformation", **in_region(running, region)), told | topic)
        yield running


def in_region(aws: Emulator, region: str) -> Any:
    return credentials(aws.endpoint) | {"region_name": region}


@pytest.fixture(autouse=True)
def _as_codebuild_in_the_pipeline_s_region(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(released, "answers", seen)


class Smoke:
    """The smoke test of one release after the other: well, until it is the turn of the one that is ill."""

    def __init__(self, ill: int | None = None) -> None:
        self.ill, self.tried = ill, 0

    def __call__(self, url: str) -> bool:
        self.tried += 1
        return self.tried != self.ill


def deploy(folder: Path, smoke: Smoke, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(released, "smoke_test", smoke)
    how = "DeploymentType=Canary10Percent5Minutes"
    return main([STAGE, "--folder", str(folder), "--regions", " ".join(FURTHER), "--parameters", how])


def values(aws: Emulator, region: str) -> dict[str, str]:
    """What the little app says there, if it was deployed."""
    ssm: Any = boto3.client("ssm", **in_region(aws, region))
    found = ssm.get_parameters(Names=["says", "how", "told"])["Parameters"]
    return {each["Name"]: each["Value"] for each in found}


def test_a_release_that_is_ill_in_the_first_region_never_reaches_the_second(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packaged(tmp_path, "ill", STAGE)
    assert deploy(tmp_path, Smoke(ill=1), monkeypatch) == 1
    assert "failed its smoke test" in capsys.readouterr().err
    assert values(aws, SECOND) == {}


def test_each_region_gets_the_release_with_code_of_its_own_bucket_and_its_own_topic(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = packaged(tmp_path, "one", STAGE)
    smoke = Smoke()
    assert deploy(tmp_path, smoke, monkeypatch) == 0, capsys.readouterr().err
    assert smoke.tried == len(FURTHER)
    said = capsys.readouterr().out
    assert [region for region in FURTHER if f"prod is released in {region}: " in said] == list(FURTHER)
    topics = {FIRST: f"arn:aws:sns:{FIRST}:000000000000:on-call", SECOND: ""}
    buckets = set()
    for region in FURTHER:
        told = {"says": "one", "how": "Canary10Percent5Minutes", "told": f"to {topics[region]}"}
        assert values(aws, region) == told
        boto3.setup_default_session(region_name=region)
        buckets.add(Account.prepared_for(STAGE).bucket)
    s3: Any = boto3.client("s3", **in_region(aws, FIRST))
    assert len(buckets) == 2
    for bucket in buckets:
        (key,) = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="code/")["Contents"]]
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == package.zip


def test_what_is_ill_in_the_second_region_goes_back_there_and_stays_in_the_first(
    aws: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packaged(tmp_path, "good", STAGE)
    assert deploy(tmp_path, Smoke(), monkeypatch) == 0
    packaged(tmp_path, "next", STAGE)
    assert deploy(tmp_path, Smoke(ill=2), monkeypatch) == 1
    assert "the previous release is back in place" in capsys.readouterr().err
    assert (values(aws, FIRST)["says"], values(aws, SECOND)["says"]) == ("next", "good")


def test_the_code_that_a_build_has_put_into_its_own_bucket_is_taken_from_the_region_s(tmp_path: Path) -> None:
    package = packaged(tmp_path, "coded", STAGE)
    template = json.loads((tmp_path / f"{STAGE}.json").read_text(encoding="utf-8"))
    at_home = {"Bucket": "visits-pipeline-applicationbucket", "Key": "code/hash.zip"}
    template["Resources"]["Function"] = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": at_home}}
    (tmp_path / f"{STAGE}.json").write_text(json.dumps(template), encoding="utf-8")
    there = {"Bucket": "visits-release-prod-applicationbucket", "Key": "code/hash.zip"}
    assert package.app(there)["Resources"]["Function"]["Properties"]["CodeUri"] == there


def test_the_pipeline_s_build_hands_on_all_that_a_release_elsewhere_needs() -> None:
    handed_on = set(spec_of(ROOT, "buildspec.yml")["artifacts"]["files"])
    assert {f"{STAGE}.json", "data.json", ZIP, "console.json", "console/**/*"} <= handed_on
    (command,) = spec_of(ROOT, REGIONS_SPEC)["phases"]["build"]["commands"]
    folder, regions = 'OUT="$CODEBUILD_SRC_DIR_Packaged"', 'REGION="$REGIONS" PARAMETERS="$PARAMETERS"'
    assert command == f'make release STAGE="$STAGE" {folder} {regions}'
