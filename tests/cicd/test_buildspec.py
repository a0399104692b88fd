"""The build specs, run as CodeBuild runs them, in a clean clone: what they make is what is deployed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from chalicelib.domain.api_keys import Scope
from chalicelib.services.api_keys import ApiKeys
from tests.cicd.codebuild import BUILD_SPEC, DATA_SPEC, REGIONS_SPEC, TEST_SPEC, Build, clean_clone, run, spec_of
from tests.e2e.address import address_of
from tests.e2e.deployment import BUCKET, STACK, STAGE, Account, account, caller
from tests.integration.access import access_to
from tools.deliver.data_stack import credentials
from tools.deliver.package import ZIP
from tools.generate.templates import PIPELINE
from tools.project import REGION, ROOT, pinned_python

QUICK: Final = {
    "TEST_TARGET": "unit",
    "PYTEST_ADDOPTS": "--disable-plugin-autoload --ignore-glob=*/test_[!s]*.py --ignore-glob=*/test_s[!l]*.py",
}
"""Some of the tests instead of all, of which these are a part themselves."""


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    yield clean_clone(tmp_path)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="module")
def aws() -> Iterator[Account]:
    with account() as own:
        yield own


@pytest.mark.parametrize("spec", [BUILD_SPEC, DATA_SPEC, REGIONS_SPEC, TEST_SPEC])
def test_what_is_built_is_built_with_the_python_that_is_packaged_for(spec: str) -> None:
    wanted = spec_of(ROOT, spec)["phases"]["install"]["runtime-versions"]["python"]
    assert tuple(map(int, wanted.split("."))) == pinned_python()


def test_a_release_runs_every_test() -> None:
    spec = spec_of(ROOT, BUILD_SPEC)
    assert spec["env"]["variables"] == {"TEST_TARGET": "test"}
    assert spec["phases"]["pre_build"]["commands"] == ['make "$TEST_TARGET"']
    # What a project, or an action that starts it, says would win over the spec.
    assert "TEST_TARGET" not in PIPELINE.read_text(encoding="utf-8")


def test_a_build_in_a_clean_clone_makes_what_can_be_deployed(clone: Path, aws: Account, tmp_path: Path) -> None:
    account_of_build = {
        "AWS_ENDPOINT_URL": aws.aws.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": str(credentials(aws.aws.endpoint)["region_name"]),
    }
    build = run(clone, BUILD_SPEC, QUICK | account_of_build | {"APP_S3_BUCKET": BUCKET})
    assert build.failed is None, build.said
    stages = {name for name in build.artifacts if not name.startswith("console/")}
    assert stages == {"beta.json", "console.json", "data.json", "prod.json", ZIP}
    assert "console/index.html" in build.artifacts

    # What CloudFormation gets: the template out of the artifact, and the code out of the bucket that it names.
    made = tmp_path / "made"
    made.mkdir()
    shutil.copy(build.artifacts[f"{STAGE}.json"], made)
    packaged = json.loads((made / f"{STAGE}.json").read_text(encoding="utf-8"))
    (place,) = {
        (resource["Properties"]["CodeUri"]["Bucket"], resource["Properties"]["CodeUri"]["Key"])
        for resource in packaged["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    aws.client("s3").download_file(*place, str(made / ZIP))
    deployment = aws.deploy(made)
    with caller(deployment, {}) as anybody:
        assert anybody.get("/health").json()["status"] == "ok"

    # And the pipeline's test of what was deployed, for which nothing of an embedded AWS is installed.
    shutil.rmtree(clone / ".venv-aws")
    access = access_to(deployment.client("dynamodb"), STACK)
    with address_of(deployment.url, deployment.host) as address:

        def test(key: str, only: str) -> Build:
            """With some of the tests, since tests/e2e makes all of them with such a package."""
            some = f"-k '{only} or store_are_well'"
            return run(clone, TEST_SPEC, {"API_URL": address, "KEY": key, "PYTEST_ADDOPTS": some})

        looked = run(clone, TEST_SPEC, {"API_URL": address})
        tried = test(key(access, Scope.READ, Scope.WRITE), "newest_version")
        # The smoke test does not mind a key that may do more than it should.
        refused = test(key(access, *Scope), "every_route")
    assert looked.failed is None, looked.said
    assert "nothing was booked: no key" in looked.said
    assert " passed in " not in looked.said
    assert tried.failed is None, tried.said
    assert "1 checks passed, 0 failed" in tried.said
    assert "2 passed" in tried.said
    assert (refused.done, refused.failed) == (["install"], "build")
    assert "1 checks passed, 0 failed" in refused.said
    assert "which asks for admin, with the key" in refused.said
    assert not (clone / ".venv-aws").exists()


def key(access: ApiKeys, *scopes: Scope) -> str:
    _, shown = access.issue("pipeline", scopes)
    return shown.text


def test_the_data_stack_of_an_older_revision_is_left_as_it_is(clone: Path, aws: Account) -> None:
    where = {"AWS_ENDPOINT_URL": aws.aws.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    variables = where | {"AWS_DEFAULT_REGION": REGION, "STAGE": "prod", "DATA_ROLE_ARN": ""}
    file = clone / ".chalice" / "data.json"
    template = json.loads(file.read_text(encoding="utf-8"))
    older = template["Metadata"]["Version"]

    def run_with(version: int, protected: bool) -> Build:
        template["Metadata"]["Version"] = version
        template["Resources"]["IntakeQueue"]["Properties"]["VisibilityTimeout"] = 720 if protected else 360
        file.write_text(json.dumps(template), encoding="utf-8")
        return run(clone, DATA_SPEC, variables)

    assert run_with(older + 1, True).failed is None
    back = run_with(older, False)
    assert back.failed is None, back.said
    assert f"visits-data-prod stays at version {older + 1}" in back.said
    refused = run_with(older + 2, False)
    assert refused.failed == "build"
    assert "would lose IntakeQueue.VisibilityTimeout" in refused.said


def test_a_failing_test_ends_a_build_before_there_is_a_package(clone: Path) -> None:
    (clone / "tests" / "unit" / "test_slots.py").write_text("def test_broken() -> None:\n    assert 1 == 2\n")
    build = run(clone, BUILD_SPEC, QUICK)
    assert (build.done, build.failed) == (["install"], "pre_build")
    assert "test_broken" in build.said
    assert not (clone / "build").exists()


def test_a_deployment_without_an_address_fails_its_test(clone: Path) -> None:
    build = run(clone, TEST_SPEC, {"API_URL": "https://"})
    assert (build.done, build.failed) == (["install"], "build")
    assert "is not a URL" in build.said
